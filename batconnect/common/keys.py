"""Keys that come by the environment, as the settings read them. Imports no models."""

import base64
import binascii
from collections.abc import Sequence

from django.core.exceptions import ImproperlyConfigured


def bank_details_keys(given: Sequence[str]) -> list[bytes]:
    """Keys of 32 bytes from their base64; raises ImproperlyConfigured, and never shows one."""
    keys = []
    for number, text in enumerate(given, 1):
        try:
            key = base64.b64decode(text.strip().replace("-", "+").replace("_", "/"), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != 32:
            raise ImproperlyConfigured(
                f"Key {number} of BANK_DETAILS_KEY is not 32 bytes in base64; make one with "
                "python -c 'import base64, secrets; print(base64.b64encode(secrets.token_bytes(32)).decode())'"
            )
        keys.append(key)
    if not keys:
        raise ImproperlyConfigured("BANK_DETAILS_KEY names no key.")
    return keys
