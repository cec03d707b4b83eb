"""A takaful batch through the journal engine: a million source rows to eight million lines of the ledger.

Beside it, in the same run, the limit: COPY of the same headers and lines into bare, logged tables. And the table of the
engine's source document, whose steps are named alike. ROWS=… for another size; `bulk_ten` is ten million.
"""

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from django.db import connection

from .takaful_rows import MONTH, takaful_rows

ROWS = 1_000_000
LOADED_AT_ONCE = 1_000_000
WORKERS = 2
GOAL = 3.0  # times the COPY
BLOCK = 1 << 20
# Seconds for a million rows, by the source document; its snapshot comes with what attaches the run here.
DOCUMENTED = {"load": 1, "expand": 4, "stage": 25, "post": 60, "snapshot": 5, "total": 95}
COPIED = {
    "ledger_entry_header": "id, je_date, batch_id, origin, template_id, source_id, event_on, line_count, total,"
    " reference, description, created_at, created_by_id",
    "ledger_entry_line": "entry_id, line_number, je_date, batch_id, account_id, currency, side, fund, amount,"
    " template_line",
}


def measure(rows: int | None = None, *, first: int = 1, with_limit: bool = True) -> dict[str, Any]:
    """Seconds of the whole run and of its steps (`steps` summed over the workers), the limit, and peak memory.

    `first`: the number of the first row, where others were loaded before.
    """
    from batconnect.common.audit import system_user
    from ledger.services.batches import post_batch
    from ledger.services.packs import install_pack

    rows = rows or int(os.environ.get("ROWS", ROWS))
    actor = system_user()
    install_pack(name="takaful", actor=actor)
    source_seconds = _load(rows, first, actor)
    started = time.perf_counter()
    run = post_batch(pack="takaful", month=MONTH, actor=actor, workers=WORKERS)
    seconds = time.perf_counter() - started
    assert run.state == "POSTED" and run.entries == rows, (run.state, run.error, run.entries)
    peak = run.timings.pop("peak_mib")
    run.timings.pop("wall", None)
    measured: dict[str, Any] = {
        "rows": rows,
        "lines": run.lines,
        "workers": WORKERS,
        "seconds": round(seconds, 1),
        "steps": run.timings,
        "source_document": DOCUMENTED,
        "rows_into_source_seconds": round(source_seconds, 1),
        "peak_worker_mib": peak,
    }
    if with_limit:
        limit = _copy_limit(run.pk)
        measured |= {
            "copy_seconds": round(limit, 1),
            "times_copy": round(seconds / limit, 2),
            "limit_times_copy": GOAL,
            "within_limit": seconds <= GOAL * limit and peak <= 2048,
        }
    return measured


def _load(rows: int, first: int, actor: Any) -> float:
    from ledger.services.source_files import load_source_file

    taken = 0.0
    for number in range(first, first + rows, LOADED_AT_ONCE):
        frame = takaful_rows(min(LOADED_AT_ONCE, first + rows - number), first=number)
        started = time.perf_counter()
        loaded = load_source_file(pack="takaful", frame=frame, actor=actor, file_name=f"from row {number}")
        taken += time.perf_counter() - started
        assert loaded.accepted == frame.height, loaded
    return taken


def _copy_limit(batch: int) -> float:
    """What COPY takes for the headers and lines of a batch, one after the other, into bare logged tables."""
    return sum(_copy(table, columns, batch) for table, columns in COPIED.items())


def _copy(table: str, columns: str, batch: int) -> float:
    with tempfile.TemporaryDirectory() as folder, connection.cursor() as cursor:
        path = Path(folder) / "rows.csv"
        with (
            path.open("wb") as file,
            cursor.copy(
                f"COPY (SELECT {columns} FROM {table} WHERE batch_id = {batch}) TO STDOUT (FORMAT csv)"
            ) as rows,
        ):
            for block in rows:
                file.write(block)
        cursor.execute(f"CREATE TABLE bench_bare AS SELECT {columns} FROM {table} WITH NO DATA")
        started = time.perf_counter()
        with path.open("rb") as file, cursor.copy("COPY bench_bare FROM STDIN (FORMAT csv)") as copy:
            while block := file.read(BLOCK):
                copy.write(block)
        seconds = time.perf_counter() - started
        cursor.execute("DROP TABLE bench_bare")
    return seconds
