"""How long the journal engine takes to expand a million takaful events, and one event alone.

The batch is that of `takaful_rows.py`. Beside it the limit: Polars writing the same lines to CSV, in the same run.
"""

import os
import resource
import tempfile
import time
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl

from .takaful_rows import takaful_rows

ROWS = 1_000_000
ONES = 2_000


def measure(rows: int = int(os.environ.get("ROWS", ROWS))) -> dict[str, float | int | str]:
    """Seconds for the batch (best of three) and for its CSV, milliseconds for one event, the peak memory."""
    from ledger.engine.engine import compile_templates
    from ledger.engine.packs import read_pack

    pack = read_pack("takaful")
    account_ids = {account.code: number for number, account in enumerate(pack.accounts, 1)}
    compiled = compile_templates(pack.templates, pack.overrides, pack.schema(), account_ids)
    by_code = compile_templates(pack.templates, pack.overrides, pack.schema())
    events = takaful_events(rows)
    before = _peak_mib()
    seconds, by_code_seconds = [], []
    lines = 0
    for _ in range(3):
        started = time.perf_counter()
        expansion = compiled.expand(events)
        seconds.append(time.perf_counter() - started)
        lines = expansion.lines.height
        assert expansion.rejects.is_empty(), expansion.rejects
        del expansion
        started = time.perf_counter()
        by_code.expand(events)
        by_code_seconds.append(time.perf_counter() - started)
    peak = _peak_mib()
    csv_seconds = _write_csv(compiled.expand(events).lines)
    one = events.head(1)
    taxi = read_pack("taxi")
    posting = compile_templates(taxi.templates, taxi.overrides, taxi.schema())
    lease = pl.DataFrame([_lease(taxi.schema())], schema={"row": pl.Int64, **taxi.schema()})
    return {
        "rows": rows,
        "lines": lines,
        "seconds": round(min(seconds), 3),
        "account_codes_seconds": round(min(by_code_seconds), 3),
        "write_csv_seconds": round(csv_seconds, 3),
        "one_premium_ms": round(_each(lambda: compiled.expand(one)), 3),
        "one_lease_ms": round(_each(lambda: posting.expand(lease)), 3),
        "peak_before_mib": before,
        "peak_mib": peak,
    }


def takaful_events(rows: int) -> pl.DataFrame:
    """The benchmark batch as events of the engine."""
    source = takaful_rows(rows)
    amounts = [name for name in source.columns if name.endswith("_amount")]
    return source.select(
        pl.int_range(rows, dtype=pl.Int64).alias("row"),
        "txn_type",
        pl.col("product_code").alias("product"),
        "channel",
        pl.col("bank_value_date").alias("on"),
        "currency",
        *amounts,
        pl.col("gross_amount").alias("amount"),
    )


def _lease(schema: dict[str, pl.DataType]) -> dict[str, object]:
    values = {
        "row": 1,
        "txn_type": "LEASE",
        "product": "",
        "channel": "",
        "on": date(2026, 9, 5),
        "currency": "USD",
        "amount": Decimal("500.00"),
    }
    return {**dict.fromkeys(schema), **values}


def _each(work: object) -> float:
    """Milliseconds of one call, over many."""
    assert callable(work)
    work()
    started = time.perf_counter()
    for _ in range(ONES):
        work()
    return (time.perf_counter() - started) * 1000 / ONES


def _write_csv(lines: pl.DataFrame) -> float:
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        lines.write_csv(Path(folder) / "lines.csv")
        return time.perf_counter() - started


def _peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
