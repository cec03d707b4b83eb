"""The folder of archives: where files lie, and whether they are still what was written.

Each archive is a folder of its own. It is written under a name that begins with a dot and renamed when it is whole,
so a folder without a dot is never half an archive. `manifest.json` in it says what its files are, for whoever finds
it without its database.
"""

import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from django.conf import settings
from polars.exceptions import PolarsError

from ledger.engine.archive_files import columns_of, copy_file, digest, sync_folder

from ...models import ArchivedMonth
from ..errors import LedgerError

UNFINISHED = ".unfinished-"
ABANDONED = 24 * 60 * 60  # seconds after which an unfinished folder is nobody's any more


class ArchiveDamaged(LedgerError):
    code, status = "archive.damaged", 409
    message = "{path} {problem}. Bring back the file from a copy; until then its month cannot be read."


def archive_root() -> Path:
    """The folder of all archives."""
    return Path(settings.ARCHIVE_ROOT)


@contextmanager
def new_folder(kind: str, month: date) -> Iterator[Path]:
    """A folder to write an archive in; gone afterwards, unless `finish` renamed it."""
    parent = archive_root() / kind.lower() / f"{month:%Y-%m}"
    parent.mkdir(parents=True, exist_ok=True)
    folder = parent / f"{UNFINISHED}{uuid.uuid4().hex[:12]}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def finish(folder: Path, manifest: dict[str, Any]) -> Path:
    """Give a folder its lasting name, with its manifest in it; returns the folder as it is called now."""
    text = folder / "manifest.json"
    text.write_text(json.dumps(manifest, indent=1, default=str) + "\n")
    with text.open("rb") as file:
        os.fsync(file.fileno())
    sync_folder(folder)
    lasting = folder.with_name(folder.name.removeprefix(UNFINISHED))
    folder.rename(lasting)
    sync_folder(lasting.parent)
    return lasting


def relative(path: Path) -> str:
    """A file's path as it is recorded: below the folder of all archives."""
    return path.relative_to(archive_root()).as_posix()


def check_files(archive: ArchivedMonth) -> None:
    """Raises ArchiveDamaged unless every file of an archive is there and is, to the byte, what was written."""
    for file in archive.files.all():
        path = archive_root() / file.path
        try:
            found = path.stat().st_size
            if found != file.bytes:
                raise ArchiveDamaged(path=path, problem=f"has {found:,} bytes in place of {file.bytes:,}")
            if digest(path) != file.sha256:
                raise ArchiveDamaged(path=path, problem="was changed: its bytes have another SHA-256")
        except FileNotFoundError:
            raise ArchiveDamaged(path=path, problem="is missing") from None
        except OSError as error:
            raise ArchiveDamaged(path=path, problem=f"cannot be read: {error.strerror}") from None


def copy_rows(cursor: Any, archive: ArchivedMonth, *, into: str | None) -> int:
    """COPY an archive's rows: into each leaf, or (`into`, a prefix) into this session's tables; returns how many.

    `cursor` is psycopg's own. Raises ArchiveDamaged.
    """
    count = 0
    for file in archive.files.all():
        path = archive_root() / file.path
        table: Sequence[str] = ("public", file.leaf) if into is None else ("pg_temp", into + file.parent)
        try:
            rows = copy_file(cursor, path, table=table, columns=columns_of(archive.columns[file.parent]))
        except (OSError, PolarsError) as error:
            raise ArchiveDamaged(path=path, problem=f"cannot be read: {error}") from None
        if rows != file.rows:
            raise ArchiveDamaged(path=path, problem=f"has {rows:,} rows in place of {file.rows:,}")
        count += rows
    return count


def remove_abandoned() -> int:
    """Delete folders that were begun more than a day ago and never finished; returns how many."""
    removed = 0
    for folder in archive_root().glob(f"*/*/{UNFINISHED}*"):
        if folder.stat().st_mtime < time.time() - ABANDONED:
            shutil.rmtree(folder, ignore_errors=True)
            removed += 1
    return removed
