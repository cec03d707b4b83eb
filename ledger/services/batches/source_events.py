"""The rows of a shard as events for the engine.

An event's row is its place in the shard, from 1. A trip of a closed day takes the first open one and keeps its own
as the day it happened; other rows are entered on their own day.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import polars as pl
import psycopg

from ledger.engine.data_loader import read_query, schema_of
from ledger.engine.staging_writer import ORIGINS
from ledger.engine.template_loader import event_schema
from ledger.models import JournalRun, JournalShard, SourceTransaction

from .errors import SourceChanged, TooManyDecimals
from .scope import ROWS, Scope

PLACES = 6
AMOUNT = pl.Decimal(20, PLACES)
READ = {
    "id": pl.Int64,
    "row_number": pl.Int64,
    "bank_value_date": pl.Date,
    "txn_type": pl.String,
    "product_code": pl.String,
    "channel": pl.String,
    "currency": pl.String,
    "gross_amount": AMOUNT,
}
# What an event's columns are called in the source rows, where the names differ.
FROM = {"product": "product_code", "amount": "gross_amount"}


@dataclass(frozen=True)
class ShardRows:
    """events: for the engine. origins: as staging_writer.ORIGINS. numbers: each event's `row_number` in its file."""

    events: pl.DataFrame
    origins: pl.DataFrame
    numbers: pl.Series


def read_shard(
    connection: psycopg.Connection, run: JournalRun, shard: JournalShard, txn_types: tuple[str, ...]
) -> ShardRows:
    """The rows of a shard that have no entry, in the order of their ids.

    Raises SourceChanged where they are not those that were counted when the run was planned, and TooManyDecimals.
    """
    events = event_schema(run.pack)
    kept = {name for name in events if name in _SOURCE_COLUMNS and name not in READ}
    schema = schema_of({**READ, **dict.fromkeys(sorted(kept), AMOUNT)})
    scope = Scope(txn_types, shard.txn_month, run.import_batch_id)
    columns = ", ".join(f"s.{name}" for name in schema)
    rows = read_query(
        connection,
        f"SELECT {columns} {ROWS} ORDER BY s.id",
        scope.parameters(shard.first_source_id, shard.last_source_id),
        schema,
    )
    _compare(rows, shard)
    return _as_events(rows, events, run.floor_date)


def _as_events(rows: pl.DataFrame, schema: dict[str, pl.DataType], floor: date | None) -> ShardRows:
    day = pl.col("bank_value_date")
    dated = day if floor is None else pl.max_horizontal(day, pl.lit(floor))
    rows = rows.with_row_index("row", offset=1).with_columns(on=dated)
    columns = {name: FROM.get(name, name) for name in schema}
    events = rows.select(
        (pl.col(column) if column in rows.columns else pl.lit(None)).cast(schema[name]).alias(name)
        for name, column in columns.items()
    )
    for name, dtype in schema.items():
        if isinstance(dtype, pl.Decimal) and dtype.scale < PLACES and columns[name] in rows.columns:
            exact = events[name].cast(AMOUNT) == rows[columns[name]]
            if not exact.all():
                raise TooManyDecimals(column=columns[name], places=dtype.scale)
    origins = rows.select(
        pl.col("row").cast(pl.UInt32),
        pl.col("id").alias("source_id"),
        pl.col("on").alias("je_date"),
        day.alias("event_on"),
    )
    assert origins.schema == ORIGINS, origins.schema
    return ShardRows(events, origins, rows["row_number"])


def _compare(rows: pl.DataFrame, shard: JournalShard) -> None:
    ids = int(rows["id"].cast(pl.Decimal(38, 0)).sum() or 0)
    gross = Decimal(rows["gross_amount"].cast(pl.Decimal(38, PLACES)).sum() or 0)
    if (rows.height, ids, gross) != (shard.source_rows, int(shard.source_ids_sum), shard.source_gross):
        raise SourceChanged(
            first=shard.first_source_id,
            last=shard.last_source_id,
            month=f"{shard.txn_month:%B %Y}",
            planned=shard.source_rows,
            found=rows.height,
        )


_SOURCE_COLUMNS = {field.column for field in SourceTransaction._meta.concrete_fields}
