"""Rows for matching, said shortly: what is not told is the same for all of them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl

from recon.matching.rows import OPTIONAL

NOON = datetime(2025, 7, 13, 12, tzinfo=UTC)
SCHEMA = {
    "key": pl.String,
    "amount": pl.Decimal(14, 2),
    "currency": pl.String,
    "occurred_at": pl.Datetime("us", "UTC"),
    **dict.fromkeys(OPTIONAL, pl.String),
}


def row(
    key: str, amount: str = "10.00", *, at: datetime | timedelta = timedelta(), **said: str
) -> dict[str, object]:
    """A row in dollars. at: a moment, or how long after noon; said: currency, account, reference, description, …"""
    moment = NOON + at if isinstance(at, timedelta) else at
    return {"key": key, "amount": Decimal(amount), "currency": "USD", "occurred_at": moment, **said}


def rows(*given: dict[str, object]) -> pl.DataFrame:
    filled = [{**dict.fromkeys(SCHEMA), **one} for one in given]
    return pl.DataFrame(filled, schema=SCHEMA)


def ends(side: pl.DataFrame) -> dict[str, str]:
    return dict(side.select("key", "end").iter_rows())


def partners(side: pl.DataFrame) -> dict[str, str]:
    return dict(side.drop_nulls("partner").select("key", "partner").iter_rows())


def one(side: pl.DataFrame, key: str) -> dict[str, object]:
    return side.row(by_predicate=pl.col("key") == key, named=True)


SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
