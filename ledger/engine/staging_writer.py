"""From an expansion to the rows of the staging tables: entries numbered, lines in order, everything ready for COPY.

An entry's number is its shard's base and the event's place in the shard, so a shard that is staged again gives the
same entries under the same numbers. Frames in, frames out; only `copy` talks to a database, by the cursor it gets.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from .data_loader import schema_of
from .engine import Expansion

AMOUNT = pl.Decimal(20, 6)
LINE_BITS = 2**16  # line numbers are smallints: row and line number together are one key to sort by
COPIED_AT_ONCE = 200_000  # rows that are encoded together: some 15 MB of text

# What the writer is given about each event beside what the engine reads.
ORIGINS = schema_of({"row": pl.UInt32, "source_id": pl.Int64, "je_date": pl.Date, "event_on": pl.Date})
# The columns of the staging tables that a run of source rows fills, in the order in which they are written.
HEADERS = schema_of(
    {
        "entry_id": pl.Int64,
        "source_id": pl.Int64,
        "je_date": pl.Date,
        "event_on": pl.Date,
        "template_id": pl.Int64,
        "line_count": pl.Int32,
        "total": AMOUNT,
    }
)
LINES = schema_of(
    {
        "entry_id": pl.Int64,
        "line_number": pl.Int32,
        "template_line": pl.Int32,
        "je_date": pl.Date,
        "account_id": pl.Int64,
        "currency": pl.String,
        "fund": pl.String,
        "amount": AMOUNT,
    }
)


@dataclass(frozen=True)
class Staged:
    """The rows of one shard: headers by entry, lines by entry and number; amounts signed, debits positive."""

    headers: pl.DataFrame
    lines: pl.DataFrame


def stage(
    expansion: Expansion, origins: pl.DataFrame, *, entry_base: int, template_keys: Sequence[int]
) -> Staged:
    """The staging rows of a shard's expansion.

    origins: as ORIGINS, one for each event, in the order of `row`. The template's own number of a line is kept as
    `template_line`; `line_number` counts an entry's lines from 1, as dropped lines leave gaps.
    """
    assert origins.schema == ORIGINS, origins.schema
    lines = expansion.lines
    key = (lines["row"].cast(pl.UInt64) * LINE_BITS + lines["line_number"].cast(pl.UInt64)).alias("key")
    lines = lines.with_columns(key).sort("key").drop("key")
    place = pl.int_range(pl.len(), dtype=pl.Int64)
    begins = pl.col("row") != pl.col("row").shift(1, fill_value=0)  # rows count from 1
    lines = lines.with_columns(
        begins=begins,
        number=(place - pl.when(begins).then(place).otherwise(0).cum_max() + 1).cast(pl.Int32),
        signed=pl.when(pl.col("side") == "DR").then(pl.col("amount")).otherwise(-pl.col("amount")),
    )
    entries = lines.group_by("row", maintain_order=True).agg(
        pl.col("template").first(),
        pl.len().cast(pl.Int32).alias("line_count"),
        pl.col("amount").filter(pl.col("side") == "DR").sum().cast(AMOUNT).alias("total"),
    )
    keys = pl.Series(list(template_keys), dtype=pl.Int64)
    headers = entries.join(origins, on="row", how="left", maintain_order="left").select(
        (pl.col("row").cast(pl.Int64) + entry_base).alias("entry_id"),
        "source_id",
        "je_date",
        "event_on",
        keys.gather(entries["template"]).alias("template_id"),
        "line_count",
        "total",
    )
    # By place and not by a join: the events are all there, in order.
    dates = origins["je_date"].gather(lines["row"] - 1)
    staged = lines.select(
        (pl.col("row").cast(pl.Int64) + entry_base).alias("entry_id"),
        pl.col("number").alias("line_number"),
        pl.col("line_number").alias("template_line"),
        dates.alias("je_date"),
        "account_id",
        "currency",
        "fund",
        pl.col("signed").cast(AMOUNT).alias("amount"),
    )
    return Staged(_shaped(headers, HEADERS), _shaped(staged, LINES))


def copy(cursor: Any, table: str, frame: pl.DataFrame) -> None:
    """COPY a frame into the columns of its names, some megabytes at a time. `table` is a name of our own."""
    columns = ", ".join(frame.columns)
    with cursor.copy(f"COPY {table} ({columns}) FROM STDIN (FORMAT csv)") as stream:
        for part in frame.iter_slices(COPIED_AT_ONCE):
            # Quoted where it must be, and nothing at all is NULL: an empty text is written as "".
            stream.write(part.write_csv(include_header=False).encode())


def _shaped(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    frame = frame.select(schema.names())
    assert frame.schema == schema, (frame.schema, schema)
    return frame
