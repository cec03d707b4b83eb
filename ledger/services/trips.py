"""Importing CURB's trips from a file: one transaction, and only what is new.

What a row must be is in `ledger/engine/trips.py`, how it is written in `trip_loading.py`; rows that could
not be accepted are corrected through `parked_rows.py`.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from batconnect.common.errors import BatConnectError
from batconnect.common.models import User
from batconnect.common.transactions import money_transaction
from ledger.engine.data_loader import read_frames
from ledger.engine.trips import COLUMNS

from .trip_loading import RejectedRow, TripImport, TripLoad

__all__ = ["FileUnreadable", "RejectedRow", "TripImport", "import_trips"]

BLOCK = 4 * 1024 * 1024  # bytes read, judged and written at a time: some 30,000 trips
LONGEST_NAME = 255


class FileUnreadable(BatConnectError):
    code, status = "file.unreadable", 400
    message = "{path} cannot be read: {problem}. Give the path of a CSV file."


def import_trips(*, path: Path, actor: User, file_name: str = "", journalise: bool = True) -> TripImport:
    """Load the trips of a file that were not loaded before, and park the rows that cannot be accepted.

    `file_name` is what the file was called where it came from, when that is not its path. Without `journalise` the
    trips wait for a bulk run to enter them, and do not settle before. Importing the same file again changes
    nothing; two imports at once end as one.
    Raises FileUnreadable, and a FileRefused when the file is not of CURB's shape; then nothing is written.
    """
    try:
        file = path.open("rb")
    except (OSError, ValueError) as error:
        raise FileUnreadable(path=path, problem=getattr(error, "strerror", None) or str(error)) from error
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise FileUnreadable(path=path, problem="not an ordinary file")
        return _load(file=file, file_name=file_name or path.name, actor=actor, journalise=journalise)


@money_transaction
def _load(*, file: BinaryIO, file_name: str, actor: User, journalise: bool) -> TripImport:
    file.seek(0)  # for the attempt after a deadlock
    digest = hashlib.sha256()
    name = file_name.encode("utf-8", "replace").decode()[:LONGEST_NAME]
    load = TripLoad(file_name=name, actor=actor, journalise=journalise)
    for frame in read_frames(_blocks(file, digest), COLUMNS):
        load.take(frame)
    return load.finish(sha256=digest.hexdigest())


def _blocks(file: BinaryIO, digest: Any) -> Iterator[bytes]:
    while block := file.read(BLOCK):
        digest.update(block)
        yield block
