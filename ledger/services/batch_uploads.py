"""Files of source rows that people send, kept on disk until a worker has loaded them.

They lie in one folder that web and workers share, under names of ours: what a file was called where it came from is
told beside it and names nothing here. Writes no table.
"""

import hashlib
import json
import os
import re
import time
import unicodedata
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

from django.conf import settings

from .errors import LedgerError
from .trips import LONGEST_NAME

KEPT = timedelta(days=3)  # then a file that nobody had loaded is forgotten
_TOKEN = re.compile(r"[0-9a-f]{32}\Z")


class UploadGone(LedgerError):
    code, status = "batch.upload_gone", 409
    message = "The file is no longer kept, or not on this machine. Send it again."


class UploadTooLarge(LedgerError):
    code, status = "batch.file_too_large", 413
    message = (
        "Files above {most} MB are not taken here. Load them on the server: manage.py post_batch --file FILE."
    )


@dataclass(frozen=True)
class Upload:
    """A file that was received. `name` is what it was called where it came from; `size` in bytes."""

    token: str
    name: str
    size: int
    sha256: str

    @property
    def path(self) -> Path:
        return _folder() / f"{self.token}.data"


def receive_upload(*, chunks: Iterable[bytes], name: str) -> Upload:
    """Keep a file, piece by piece. Raises UploadTooLarge above BATCH_UPLOAD_MAX_BYTES; then nothing is kept."""
    _forget_old()
    token, digest, size = uuid.uuid4().hex, hashlib.sha256(), 0
    path = _folder() / f"{token}.data"
    try:
        with path.open("xb") as file:
            for chunk in chunks:
                size += len(chunk)
                if size > settings.BATCH_UPLOAD_MAX_BYTES:
                    raise too_large()
                digest.update(chunk)
                file.write(chunk)
        upload = Upload(token=token, name=_harmless(name), size=size, sha256=digest.hexdigest())
        _note(token).write_text(json.dumps(asdict(upload)))
    except BaseException:
        forget_upload(token)
        raise
    return upload


def find_upload(token: str) -> Upload:
    """A file that is still kept. Raises UploadGone."""
    if not _TOKEN.match(token):
        raise UploadGone
    try:
        upload = Upload(**json.loads(_note(token).read_text()))
    except (OSError, ValueError):
        raise UploadGone from None
    if not upload.path.is_file():
        raise UploadGone
    return upload


def forget_upload(token: str) -> None:
    """Remove a file; it may be gone already."""
    if _TOKEN.match(token):
        for path in (_note(token), _folder() / f"{token}.data"):
            path.unlink(missing_ok=True)


def too_large() -> UploadTooLarge:
    return UploadTooLarge(most=f"{settings.BATCH_UPLOAD_MAX_BYTES // (1024 * 1024):,}")


def _folder() -> Path:
    folder = Path(settings.MEDIA_ROOT) / "batches"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _note(token: str) -> Path:
    return _folder() / f"{token}.json"


def _harmless(name: str) -> str:
    """The last part of a name, without what cannot be seen."""
    last = re.split(r"[/\\]", name)[-1]
    seen = "".join(letter for letter in last if not unicodedata.category(letter).startswith("C"))
    return seen.strip()[:LONGEST_NAME] or "upload"


def _forget_old() -> None:
    oldest = time.time() - KEPT.total_seconds()
    for entry in os.scandir(_folder()):
        with suppress(FileNotFoundError):
            if entry.stat().st_mtime < oldest:
                Path(entry.path).unlink()
