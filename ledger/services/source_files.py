"""Loading a pack's source rows from a file or a frame: one transaction, and only what is new.

What the rows must be is in `ledger/engine/source_rows.py`, how they are written in `source_loading.py`. Trips have
an importer of their own, `trips.py`: what is wrong with one of them is corrected here, row by row, while a pack's
file is corrected where it came from.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from batconnect.common import audit
from batconnect.common.models import User
from batconnect.common.transactions import money_transaction
from ledger.engine.source_files import (
    FORMATS,
    PARQUET_MAGIC,
    SourceFormat,
    read_csv,
    read_frame,
    read_parquet,
)
from ledger.engine.source_rows import Judged, RowIds, judge

from ..models import ImportBatch
from .errors import LedgerError
from .source_loading import RejectedValue, SourceLoading, measure_of
from .trips import LONGEST_NAME, FileUnreadable

__all__ = ["NoSourceFormat", "RejectedValue", "SourceLoad", "load_source_file"]

BLOCK = 16 * 1024 * 1024  # bytes of CSV read, judged and written at a time: some 120,000 rows
Frames = Callable[[Any], Iterator[pl.DataFrame]]  # given the digest of the file's bytes, to be updated


class NoSourceFormat(LedgerError):
    code, status = "source.no_format", 400
    message = "Pack {pack} has no files of source rows to load; these have: {known}."


@dataclass(frozen=True)
class SourceLoad:
    """What one load did. Counts are of rows; `rejects` are the first values that were wrong.

    `withheld`: rows with nothing wrong that were not loaded, because the load is strict and others were rejected.
    All rejects are kept in `import_batch.rejects`. The rows lie in `months`, between `first_source_id` and
    `last_source_id`, which only rows of other loads may share.
    """

    import_batch: ImportBatch
    rows: int
    accepted: int
    rejected: int
    duplicates: int
    withheld: int
    refused: bool
    first_source_id: int | None
    last_source_id: int | None
    months: tuple[date, ...]
    rejects: tuple[RejectedValue, ...]


def load_source_file(
    *,
    pack: str,
    actor: User,
    path: Path | None = None,
    frame: pl.DataFrame | None = None,
    accept_valid: bool = False,
    file_name: str = "",
) -> SourceLoad:
    """Load the rows of a CSV or Parquet file (`path`), or of a frame, that were not loaded before.

    Strict unless `accept_valid`: when anything is wrong with any row, no row is loaded. Either way what is wrong is
    kept, value by value, and what the load found is returned. `file_name` is what the file was called where it came
    from. Loading the same file again changes nothing; two loads at once end as one after the other.
    Raises NoSourceFormat, FileUnreadable, and a FileRefused when the file is not of the pack's shape; then nothing
    at all is written.
    """
    if pack not in FORMATS:
        raise NoSourceFormat(pack=pack, known=", ".join(FORMATS))
    assert (path is None) != (frame is None), "give either a path or a frame"
    name = (file_name or (path.name if path else "frame")).encode("utf-8", "replace").decode()[:LONGEST_NAME]
    if path is None:
        assert frame is not None
        return _load(pack, actor, name, accept_valid, partial(_frames_of_frame, frame, FORMATS[pack]))
    try:
        file = path.open("rb")
    except (OSError, ValueError) as error:
        raise FileUnreadable(path=path, problem=getattr(error, "strerror", None) or str(error)) from error
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise FileUnreadable(path=path, problem="not an ordinary file")
        return _load(pack, actor, name, accept_valid, partial(_frames_of_file, path, file, FORMATS[pack]))


@money_transaction
def _load(pack: str, actor: User, file_name: str, accept_valid: bool, frames: Frames) -> SourceLoad:
    loading = SourceLoading(pack=pack, file_name=file_name, actor=actor, accept_valid=accept_valid)
    digest, ids, measure = hashlib.sha256(), RowIds(), measure_of(pack)
    for judged in _ahead(judge(raw, measure=measure, ids=ids) for raw in frames(digest)):
        loading.take(judged)
    batch = loading.finish(sha256=digest.hexdigest())
    audit.record(
        actor=actor,
        action="source.refused" if loading.refused else "source.loaded",
        subject=f"import_batch:{batch.pk}",
        after={
            "pack": pack,
            "file": batch.file_name,
            "rows": batch.rows,
            "accepted": batch.accepted,
            "rejected": batch.rejected,
            "duplicates": batch.duplicates,
        },
    )
    return SourceLoad(
        import_batch=batch,
        rows=batch.rows,
        accepted=batch.accepted,
        rejected=batch.rejected,
        duplicates=batch.duplicates,
        withheld=batch.withheld,
        refused=loading.refused,
        first_source_id=batch.first_source_id,
        last_source_id=batch.last_source_id,
        months=tuple(sorted(loading.months)),
        rejects=tuple(loading.listed),
    )


def _frames_of_file(path: Path, file: BinaryIO, format: SourceFormat, digest: Any) -> Iterator[pl.DataFrame]:
    """The frames of a file whose bytes go into the digest; from its start, for the attempt after a deadlock."""
    file.seek(0)
    if file.read(len(PARQUET_MAGIC)) != PARQUET_MAGIC:
        file.seek(0)
        yield from read_csv(_blocks(file, digest), format)
        return
    file.seek(0)
    for _ in _blocks(file, digest):
        pass
    yield from read_parquet(path, format)


def _frames_of_frame(frame: pl.DataFrame, format: SourceFormat, digest: Any) -> Iterator[pl.DataFrame]:
    """As of a file; what goes into the digest is the frame as CSV."""
    for part in read_frame(frame, format):
        digest.update(part.write_csv().encode())
        yield part


def _blocks(file: BinaryIO, digest: Any) -> Iterator[bytes]:
    while block := file.read(BLOCK):
        digest.update(block)
        yield block


def _ahead(items: Iterator[Judged]) -> Iterator[Judged]:
    """The same items, the next one being made by another thread while the last one is worked on."""
    with ThreadPoolExecutor(1) as other:
        coming = other.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = other.submit(next, items, None)
            yield item
