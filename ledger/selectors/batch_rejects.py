"""What was rejected: by the file's own rules when it was loaded (`source_reject`), by the templates when it was
journalised (`journal_run_reject`). A run's rejects are both, the file's first.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from django.db.models import QuerySet

from ..models import ImportBatch, JournalRun, RunReject, SourceReject, SourceTransaction

AT_ONCE = 1_000
Row = dict[str, Any]


def rejects_of_import(batch: ImportBatch) -> QuerySet[SourceReject]:
    """What is wrong with the values of a pack's file, in the order of its rows."""
    return SourceReject.objects.filter(batch=batch).select_related("batch").order_by("id")


def count_rejects(run: JournalRun) -> int:
    """How many lines `rejects` has: a row with two wrong values has two."""
    return _of_file(run).count() + _of_run(run).count()


def rejects(run: JournalRun, start: int, end: int) -> list[Row]:
    """Some of a run's rejects, as dictionaries: file, row_number, source_rowid, column, value, code, message.

    file, row_number and source_rowid are None where the source row is archived; column and value are empty where the
    row as a whole found no template.
    """
    of_file = _of_file(run)
    known = of_file.count()
    found = [_file_row(row) for row in of_file[start : min(end, known)]] if start < known else []
    rest = _of_run(run)[max(0, start - known) : max(0, end - known)]
    return found + _run_rows(rest)


def stream_rejects(run: JournalRun) -> Iterator[Row]:
    """All of a run's rejects, as `rejects`, in flat memory."""
    yield from stream_import_rejects(_of_file(run))
    found = _of_run(run).iterator(AT_ONCE)
    while part := list(islice(found, AT_ONCE)):
        yield from _run_rows(part)


def stream_import_rejects(rows: QuerySet[SourceReject]) -> Iterator[Row]:
    return (_file_row(row) for row in rows.iterator(AT_ONCE))


def _of_file(run: JournalRun) -> QuerySet[SourceReject]:
    """Those of the file of a run that entered one; a reversal is of entries, and they were not rejected."""
    if run.import_batch is None or run.reverses_run_id is not None:
        return SourceReject.objects.none()
    return rejects_of_import(run.import_batch)


def _of_run(run: JournalRun) -> QuerySet[RunReject]:
    return RunReject.objects.filter(run=run).select_related("shard").order_by("id")


def _file_row(row: SourceReject) -> Row:
    return {
        "file": row.batch.file_name,
        "row_number": row.row_number,
        "source_rowid": _text(row.raw.get("source_rowid")),
        "column": row.column,
        "value": _text(row.raw.get(row.column)),
        "code": row.code,
        "message": row.message,
    }


def _run_rows(rejected: Iterable[RunReject]) -> list[Row]:
    rows = list(rejected)
    sources = _sources(rows)
    return [
        {
            "file": sources[row.source_id][1] if row.source_id in sources else None,
            "row_number": row.row_number,
            "source_rowid": sources[row.source_id][0] if row.source_id in sources else None,
            "column": row.column,
            "value": _text((row.raw or {}).get(row.column)),
            "code": row.code,
            "message": row.message,
        }
        for row in rows
    ]


def _sources(rows: Iterable[RunReject]) -> dict[int | None, tuple[str, str]]:
    """The row id and file of source rows, by their number; read in their months alone."""
    by_month: dict[Any, list[int]] = {}
    for row in rows:
        if row.shard is not None and row.source_id is not None:
            by_month.setdefault(row.shard.txn_month, []).append(row.source_id)
    found: dict[int | None, tuple[str, str]] = {}
    for month, ids in by_month.items():
        columns = ("id", "source_rowid", "batch__file_name")
        for key, rowid, name in SourceTransaction.objects.filter(txn_month=month, pk__in=ids).values_list(
            *columns
        ):
            found[key] = (rowid, name)
    return found


def _text(value: Any) -> str:
    return "" if value is None else str(value)
