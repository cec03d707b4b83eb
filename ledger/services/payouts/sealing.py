"""Bank details at rest: AES-256-GCM under the first of `BANK_DETAILS_KEYS`; the others still open what they sealed.

A sealed text is bound to what it is of (`about`), so that it cannot be moved to another driver's row. It names its key
by the beginning of the key's hash, so that a lost key is told from a damaged text.
"""

import base64
import binascii
import hashlib
import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from ..errors import LedgerError

_NONCE = 12


class CannotOpen(LedgerError):
    code, status = "bank_details.cannot_open", 409
    message = (
        "These bank details cannot be read: {why}. Ask the administrator for the key they were kept under."
    )


def seal(text: str, *, about: str) -> str:
    """`<key>.<what>`: the text, encrypted and bound to `about`."""
    key = _keys()[0]
    nonce = secrets.token_bytes(_NONCE)
    sealed = AESGCM(key).encrypt(nonce, text.encode(), about.encode())
    return f"{_name(key)}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"


def unseal(sealed: str, *, about: str) -> str:
    """What was sealed about this. Raises CannotOpen."""
    name, _, body = sealed.partition(".")
    key = next((key for key in _keys() if _name(key) == name), None)
    if key is None:
        raise CannotOpen(why="their key is not among those that are set")
    try:
        raw = base64.urlsafe_b64decode(body.encode())
        return AESGCM(key).decrypt(raw[:_NONCE], raw[_NONCE:], about.encode()).decode()
    except (InvalidTag, ValueError, binascii.Error):
        raise CannotOpen(why="they were damaged, or are not of this record") from None


def is_current(sealed: str) -> bool:
    """Whether it is under the first key."""
    return sealed.partition(".")[0] == _name(_keys()[0])


def fingerprint(text: str) -> str:
    """A keyed hash that tells two requests apart without telling what was in them."""
    return hmac.new(_keys()[0], text.encode(), hashlib.sha256).hexdigest()


def _keys() -> list[bytes]:
    return list(settings.BANK_DETAILS_KEYS)


def _name(key: bytes) -> str:
    return hashlib.sha256(b"bank details key " + key).hexdigest()[:8]
