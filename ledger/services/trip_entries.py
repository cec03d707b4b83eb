"""Trips into the journal as they are loaded, by the templates in force: only journalised trips settle."""

from datetime import date

import polars as pl

from ..models import Origin
from .accounting_policy import EVENT_SCHEMA, checked_policy
from .entries import enter_frame, open_day
from .entry_lines import NoEntry, signed

CLEARING = "2300"  # driver earnings clearing: what is on it was driven and not settled yet
CHUNK = 20_000
NONE_JOURNALISED = pl.DataFrame(
    schema={"account_id": pl.Int64, "week": pl.Date, "journalised": pl.Decimal(14, 2)}
)


def journalise(trips: pl.DataFrame, *, actor_id: int) -> pl.DataFrame:
    """Enter the entries of accepted trips (`id`, `account_id`, `week`, `trip_on`, `payment_type`, `gross_amount`).

    A trip of a closed day takes the first open one and keeps its own as the day it happened. Returns what came to
    stand on the clearing account, per account and week, as `journalised`. Raises NoEntry, and as `entries.enter`.
    """
    floor = open_day(date(1, 1, 1))
    parts = [
        _enter(trips.slice(start, CHUNK).with_row_index("row", offset=1), floor, actor_id)
        for start in range(0, trips.height, CHUNK)
    ]
    together = pl.concat(
        part.with_columns(pl.col("journalised").cast(pl.Decimal(14, 2)))
        for part in [NONE_JOURNALISED, *parts]
    )
    return together.group_by("account_id", "week").agg(pl.col("journalised").sum().cast(pl.Decimal(14, 2)))


def _enter(trips: pl.DataFrame, floor: date, actor_id: int) -> pl.DataFrame:
    policy = checked_policy()
    events = trips.select(
        pl.col("row").cast(EVENT_SCHEMA["row"]),
        pl.lit("TRIP").alias("txn_type"),
        pl.col("payment_type").alias("product"),
        pl.lit("CURB").alias("channel"),
        pl.max_horizontal("trip_on", pl.lit(floor)).alias("on"),
        pl.lit("USD").alias("currency"),
        pl.col("gross_amount").cast(EVENT_SCHEMA["amount"]).alias("amount"),
        pl.lit(None, EVENT_SCHEMA["principal"]).alias("principal"),
        pl.lit(None, EVENT_SCHEMA["interest"]).alias("interest"),
        pl.lit(None, EVENT_SCHEMA["fees"]).alias("fees"),
    )
    expansion = policy.compiled.expand(events)
    # A trip that cost nothing has nothing to enter.
    refused = expansion.rejects.join(events, on="row").filter(pl.col("amount") != 0).sort("row")
    if refused.height:
        first = refused.row(0, named=True)
        raise NoEntry(category="TRIP", reference_id=trips["rowid"][first["row"] - 1], reason=first["message"])
    lines = expansion.lines
    if lines.is_empty():
        return trips.select("account_id", "week", journalised=pl.lit(0, pl.Decimal(20, 6))).head(0)
    headers = (
        lines.unique("row", keep="first")
        .join(events.select("row", "on"), on="row")
        .join(trips.select(pl.col("row").cast(pl.UInt32), "id", "trip_on"), on="row")
        .sort("row")
    )
    keys = [template.key for template in policy.compiled.templates]
    enter_frame(
        headers.select(
            "row",
            je_date="on",
            event_on="trip_on",
            source_id="id",
            template_id=pl.col("template").replace_strict(
                list(range(len(keys))), keys, return_dtype=pl.Int64
            ),
        ),
        lines.with_columns(signed(lines)),
        origin=Origin.TRIP,
        actor_id=actor_id,
    )
    clearing = lines.with_columns(signed(lines)).filter(pl.col("account_id") == policy.account_ids[CLEARING])
    owed = clearing.group_by("row").agg(-pl.col("amount").sum().alias("journalised"))
    return owed.join(trips.with_columns(pl.col("row").cast(pl.UInt32)), on="row").select(
        "account_id", "week", "journalised"
    )
