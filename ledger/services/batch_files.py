"""Rejected rows as a file: where each is, what is wrong with it, and the value as it came."""

from collections.abc import Iterable, Mapping
from typing import Any

from batconnect.exports import Column, Kind, Table
from ledger.models import ImportBatch, JournalRun
from ledger.selectors.batch_rejects import rejects_of_import, stream_import_rejects, stream_rejects

_COLUMNS = [
    Column("file", "File", width=30),
    Column("row_number", "Row", Kind.INTEGER, 9),
    Column("source_rowid", "Row id", width=24),
    Column("column", "Column", width=18),
    Column("value", "Value", width=20),
    Column("code", "Code", width=26),
    Column("message", "What is wrong", width=80),
]


def run_rejects_table(run: JournalRun) -> Table:
    """All that was rejected of a run, and of its file when it was loaded."""
    return _table(f"Rejects of run {run.pk}", stream_rejects(run))


def import_rejects_table(batch: ImportBatch) -> Table:
    """All that was rejected of a pack's file when it was loaded."""
    return _table(f"Rejects of import {batch.pk}", stream_import_rejects(rejects_of_import(batch)))


def _table(title: str, rows: Iterable[Mapping[str, Any]]) -> Table:
    return Table(title, _COLUMNS, rows)
