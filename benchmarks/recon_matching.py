"""How long it takes to match a million ledger rows with a million external ones, and how much memory.

The rows are the hard public set (21,000 a side; amounts and memos differ, the external row is 1 to 21 days later,
some have no partner) where the data folder is there, and made rows of the same kind where it is not; fifty times
over, ids and dates shifted with each copy. Learning the model is part of the time. The files are read before.
Beside it the accuracy, and that of one copy alone, which it must keep.
"""

import os
import resource
import time
from pathlib import Path

import polars as pl

COPIES = 50
DAYS_APART = 200  # more than the set's own length, so that copies do not compete
SHARED_DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
MADE = 21_000
INITIALS = "ABCDEFGHIJKLMNOPRSTVW"


def measure(copies: int = int(os.environ.get("COPIES", COPIES))) -> dict[str, float | int | str]:
    """Seconds to learn and match, and with the model kept; F1 of all copies and of one alone; peak memory in MiB."""
    from recon.matching.match import Learning, match

    found = SHARED_DATA.is_dir()
    one, other, truth = _read() if found else _made()
    alone = match(one, other, model=Learning())
    ledger, external = (_copied(side, copies) for side in (one, other))
    before = _peak_mib()
    started = time.perf_counter()
    result = match(ledger, external, model=Learning())
    seconds = time.perf_counter() - started
    peak = _peak_mib()
    started = time.perf_counter()
    kept = match(ledger, external, model=result.model)
    kept_seconds = time.perf_counter() - started
    assert kept.pairs.equals(result.pairs)
    del kept
    started = time.perf_counter()
    default = match(ledger, external)
    default_seconds = time.perf_counter() - started
    truths = pl.concat([truth.select(pl.all() + f"/{copy}") for copy in range(copies)])
    return {
        "data": "public set" if found else "made",
        "ledger_rows": ledger.height,
        "external_rows": external.height,
        "seconds": round(seconds, 2),
        "kept_model_seconds": round(kept_seconds, 2),
        **{f"one_copy_{name}": value for name, value in _accuracy(alone.pairs, truth).items()},
        **_accuracy(result.pairs, truths),
        "default_model_seconds": round(default_seconds, 2),
        "default_model_pairs": default.pairs.height,
        "peak_before_mib": before,
        "peak_mib": peak,
    }


def _accuracy(pairs: pl.DataFrame, truth: pl.DataFrame) -> dict[str, float]:
    right = pairs.join(truth, on=["ledger_key", "external_key"], how="semi")
    automatic = pairs.filter(pl.col("end") == "matched")
    return {
        "f1": round(2 * right.height / (pairs.height + truth.height), 4),
        "precision": round(right.height / pairs.height, 4),
        "recall": round(right.height / truth.height, 4),
        "automatic_precision": round(
            right.filter(pl.col("end") == "matched").height / automatic.height,
            4,
        ),
        "automatic_share": round(automatic.height / pairs.height, 4),
    }


def _copied(rows: pl.DataFrame, copies: int) -> pl.DataFrame:
    return pl.concat(
        [
            rows.with_columns(
                pl.col("key") + f"/{copy}", pl.col("occurred_at") + pl.duration(days=copy * DAYS_APART)
            )
            for copy in range(copies)
        ]
    )


def _read() -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    sides = [
        pl.read_csv(SHARED_DATA / f"recon_{side}.csv", schema_overrides={"amount": pl.Decimal(14, 2)}).select(
            "amount",
            "currency",
            "description",
            key="txn_id",
            occurred_at=pl.col("date").str.to_datetime("%Y-%m-%d", time_unit="us", time_zone="UTC"),
        )
        for side in ("ledger", "external")
    ]
    truth = pl.read_csv(SHARED_DATA / "recon_truth.csv")
    return sides[0], sides[1], truth.select(ledger_key="ledger_txn_id", external_key="external_txn_id")


def _made() -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Payments of people with made-up names: cut memos, other amounts, later dates; a fourteenth without a partner."""
    number = pl.int_range(MADE, dtype=pl.Int64)
    drawn = {
        name: number.hash(seed) for seed, name in enumerate(("who", "size", "day", "late", "differs", "says"))
    }
    rows = pl.select(
        row=number, **{name: (value % 1_000_003).cast(pl.Int64) for name, value in drawn.items()}
    )
    letters = pl.lit(list(INITIALS))
    name = pl.format(
        "{} {}{}{} {}",
        *(letters.list.get((pl.col("who") // 7**place) % len(INITIALS)) for place in range(1, 5)),
        pl.col("who") % 4_001,
    )
    says = pl.lit(["PAYMENT", "BGC", "CHQ", "DONATION"]).list.get(pl.col("says") % 4)
    cents = 1_000 + pl.col("size") % 1_000 * (pl.col("size") // 1_000 + 20)
    later = cents * (1_000 + pl.col("differs") % 61 - 30) // 1_000
    started = pl.datetime(2022, 1, 1, time_zone="UTC") + pl.duration(days=pl.col("day") % 130)
    delay = pl.when(pl.col("late") % 5 < 4).then(1 + pl.col("late") % 2).otherwise(1 + pl.col("late") % 21)
    common = {"currency": pl.lit("GBP")}
    ledger = rows.filter(pl.col("row") % 14 > 0).select(
        key=pl.format("L{}", "row"),
        amount=cents,
        occurred_at=started,
        description=name + " " + says,
        **common,
    )
    external = rows.filter(pl.col("row") % 14 < 13).select(
        key=pl.format("E{}", "row"),
        amount=pl.when(pl.col("differs") % 4 == 0).then(cents).otherwise(later),
        occurred_at=started + pl.duration(days=delay),
        description=(name + " " + says).str.slice(0, 9 + pl.col("says") % 9),
        **common,
    )
    truth = rows.filter(pl.col("row") % 14 > 0, pl.col("row") % 14 < 13)
    return (
        ledger,
        external,
        truth.select(ledger_key=pl.format("L{}", "row"), external_key=pl.format("E{}", "row")),
    )


def _peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
