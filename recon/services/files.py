"""The files that a reconciliation may read: below the import folder, or what a person sent."""

import hashlib
import os
import stat
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from django.conf import settings

from ledger.services.batch_uploads import find_upload

from ..models import ReconSource
from ..sources import get_adapter
from .errors import ReconError

LONGEST_PATH = 1000


class FileNotAllowed(ReconError):
    code, status = "recon.file_path", 400
    message = "There is no file {path} below the import folder."


class FileNotThere(ReconError):
    code, status = "recon.file_not_there", 400
    message = "{path} cannot be read: {problem}. Give the path of a file."


class NoFile(ReconError):
    code, status = "recon.no_file", 400
    message = "{source} is read from files: name one, or send it. Its own place has none for {date}."


@dataclass(frozen=True)
class Given:
    """A file to read, and what people call it."""

    path: Path
    name: str

    @property
    def sha256(self) -> str:
        digest = hashlib.sha256()
        with self.path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()


def import_file(path: str) -> Given:
    """A file below RECON_IMPORT_ROOT, also through links only where they stay below. Raises FileNotAllowed."""
    root = Path(settings.RECON_IMPORT_ROOT).resolve()
    shown = path[:100]
    if not path or len(path) > LONGEST_PATH or "\0" in path:
        raise FileNotAllowed(path=shown.replace("\0", ""))
    try:
        found = (root / path).resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        raise FileNotAllowed(path=shown) from None
    if not found.is_relative_to(root) or not found.is_file():
        raise FileNotAllowed(path=shown)
    return Given(found, str(found.relative_to(root)))


def local_file(path: Path) -> Given:
    """A file that somebody at this machine names. Raises FileNotThere."""
    try:
        with path.open("rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise FileNotThere(path=path, problem="not an ordinary file")
    except (OSError, ValueError) as error:
        raise FileNotThere(path=path, problem=getattr(error, "strerror", None) or error) from None
    return Given(path, path.name)


def uploaded_file(token: str) -> Given:
    """Raises UploadGone."""
    upload = find_upload(token)
    return Given(upload.path, upload.name)


def usual_file(source: ReconSource, on: date) -> Given | None:
    """Where the source's file for a day usually lies; None for an API, or a source that has rows and needs no new ones.

    Raises NoFile, FileNotAllowed.
    """
    if not get_adapter(source.adapter).reads_files:
        return None
    if source.file_pattern:
        return import_file(source.file_pattern.replace("{date}", on.isoformat()))
    if source.rows.exists():
        return None
    raise NoFile(source=source.name, date=on)
