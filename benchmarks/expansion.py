"""How long the journal engine takes to expand a million takaful events, and one event alone.

The batch is the one takaful.md describes: 80 % premiums, 30 % of them with a tanahud part, 20 % claims, three
products, two channels, one month; every twentieth premium of INV01 is split to fractions of a cent, for its
AUTO_ADJUST. Beside it the limit: Polars writing the same lines to CSV, in the same run.
"""

import os
import resource
import tempfile
import time
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl

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


def takaful_events(rows: int, seed: int = 2026) -> pl.DataFrame:
    """Events of the takaful pack; the same for the same seed. Made in cents, as integers."""
    amount = pl.Decimal(20, 6)
    number = pl.int_range(rows, dtype=pl.Int64)
    # Uncorrelated columns of whole numbers: hashes of the row number.
    drawn = {
        name: number.hash(seed + n) for n, name in enumerate(("kind", "product", "share", "other", "size"))
    }
    frame = pl.select(row=number, **{name: value % 10_000 for name, value in drawn.items()}).cast(pl.Int64)
    claim = pl.col("kind") < 2_000
    total = 10_000 + pl.col("size") * 10
    tabarru = total * (pl.col("share") % 40 + 10) // 100
    tanahud = pl.when(pl.col("other") < 3_000).then(total // 10).otherwise(0)
    ujroh, admin = total * 7 // 100, pl.when(pl.col("other") % 2 == 0).then(total // 50).otherwise(0)
    frame = frame.with_columns(
        product=pl.when(pl.col("product") < 4_000)
        .then(pl.lit("LIFE01"))
        .when(pl.col("product") < 7_500)
        .then(pl.lit("FAM01"))
        .otherwise(pl.lit("INV01")),
        txn_type=pl.when(claim).then(pl.lit("CLAIM_PAID")).otherwise(pl.lit("PREMIUM_RECEIPT")),
        channel=pl.when(pl.col("share") % 3 == 0).then(pl.lit("INBRANCH")).otherwise(pl.lit("AGENCY")),
        on=pl.date(2026, 9, 1).dt.offset_by(pl.format("{}d", pl.col("size") % 30)),
        currency=pl.lit("USD"),
        tabarru=tabarru,
        tanahud=pl.when(claim).then(0).otherwise(tanahud),
        ujroh=pl.when(claim).then(0).otherwise(ujroh),
        admin=admin,
        invest=pl.when(claim & (pl.col("share") % 2 == 0))
        .then(0)
        .otherwise(total - tabarru - tanahud - ujroh - admin),
    )
    parts = pl.col("tabarru") + pl.col("invest")
    gross = (
        pl.when(claim)
        .then(parts - pl.col("admin"))
        .otherwise(parts + pl.col("tanahud") + pl.col("ujroh") + pl.col("admin"))
    )
    # 0.004 from one part to another: the gross stays whole cents, and the rounded parts are a cent apart at most.
    split = (pl.col("product") == "INV01") & ~claim & (pl.col("kind") % 20 == 0)
    moved = pl.when(split).then(4_000).otherwise(0)
    frame = frame.with_columns(gross=gross)
    millionths = {
        "gross_amount": pl.col("gross") * 10_000,
        "tabarru_amount": pl.col("tabarru") * 10_000 + moved,
        "tanahud_amount": pl.col("tanahud") * 10_000,
        "invest_amount": pl.col("invest") * 10_000 - 2 * moved,
        "ujroh_amount": pl.col("ujroh") * 10_000 + moved,
        "admin_amount": pl.col("admin") * 10_000,
    }
    unit = pl.lit(Decimal("0.000001"), dtype=amount)
    return frame.select(
        "row",
        "txn_type",
        "product",
        "channel",
        "on",
        "currency",
        *(
            (value.cast(pl.Decimal(38, 0)) * unit).cast(amount).alias(name)
            for name, value in millionths.items()
        ),
    ).with_columns(amount=pl.col("gross_amount"))


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
