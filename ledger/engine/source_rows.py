"""The rows of a pack's file, judged by themselves: what the values say, whether they add up, whether they repeat.

A row goes on when nothing at all is wrong with it; what is wrong with the others, value by value, is said by
`source_faults.py`. Amounts are Decimal(20, 6) from file to table, never float.
"""

import hashlib
from dataclasses import dataclass

import polars as pl

from .data_loader import ROW_NUMBER, schema_of
from .source_faults import FAULTS, Measure, faults_of, printable, revised
from .source_files import CURRENCY, DATES, MONTH, ROWID, TXN_TYPE, VALUE_DATE, SourceFormat
from .source_values import (
    AMOUNT,
    adds_up,
    amount_of,
    as_came,
    date_of,
    dates_sound,
    text_of,
    texts_sound,
    within_currency,
)

SEEN = schema_of({ROWID: pl.String, "seen_hash": pl.Binary, "transaction_id": pl.Int64})


@dataclass(frozen=True)
class Judged:
    """One frame of a file. `raw`: as it came; `rows`: those with nothing wrong, read, with `row_hash`; `faults`:
    what is wrong with the others."""

    raw: pl.DataFrame
    rows: pl.DataFrame
    faults: pl.DataFrame


@dataclass(frozen=True)
class Known:
    """`fresh`: the rows that were never loaded; `duplicates`: how many were, with the same figures; `faults`: of
    those that were with other figures."""

    fresh: pl.DataFrame
    duplicates: int
    faults: pl.DataFrame


class RowIds:
    """The row ids of a file so far, to find those that come again in any frame."""

    def __init__(self) -> None:
        self._frames: list[tuple[str, str, pl.DataFrame]] = []

    def repeated(self, rowids: pl.Series) -> pl.Series:
        """Which of these stood before, here or in an earlier call. Empty ones never did."""
        ids = rowids.filter(rowids != "").unique().to_frame(ROWID)
        again = ~rowids.is_first_distinct() & (rowids != "")
        if ids.is_empty():
            return again
        low, high = str(ids[ROWID].min()), str(ids[ROWID].max())
        # Where a file is in the order of its row ids, no earlier frame can hold any of these.
        earlier = [
            frame.join(ids, on=ROWID, how="semi")
            for first, last, frame in self._frames
            if first <= high and low <= last
        ]
        self._frames.append((low, high, ids))
        return again | rowids.is_in(pl.concat(earlier)[ROWID].implode()) if earlier else again


def rows_schema(format: SourceFormat) -> pl.Schema:
    return schema_of(
        {
            ROW_NUMBER: pl.Int64,
            **dict.fromkeys(format.texts, pl.String),
            **dict.fromkeys(DATES, pl.Date),
            **dict.fromkeys(format.amounts, AMOUNT),
            "row_hash": pl.Binary,
        }
    )


def judge(raw: pl.DataFrame, *, measure: Measure, ids: RowIds) -> Judged:
    """Read every value of a frame, and part the rows that something is wrong with.

    `ids` is told of the rows, and so has to see the frames of a file in their order.
    """
    format = measure.format
    kinds = raw.schema
    read = raw.select(
        ROW_NUMBER,
        *(text_of(column) for column in format.texts),
        *(date_of(column, kinds[column]) for column in DATES if column in kinds),
        *(amount_of(column, kinds[column]) for column in format.amounts),
    )
    if MONTH not in kinds:
        read = read.with_columns(pl.col(VALUE_DATE).dt.month_start().alias(MONTH))
    repeated = ids.repeated(read[ROWID])
    sound = ~repeated & read.select(_sound(measure)).to_series()
    rows = read.filter(sound)
    rows = rows.with_columns(_hashes(rows, format)).select(rows_schema(format).names())
    assert rows.schema == rows_schema(format), rows.schema
    came = [as_came(column) for column in format.columns if column in kinds]
    faults = faults_of(
        raw.filter(~sound).select(ROW_NUMBER, *came), read.filter(~sound), repeated.filter(~sound), measure
    )
    return Judged(raw=raw, rows=rows, faults=faults)


def set_known_aside(rows: pl.DataFrame, seen: pl.DataFrame) -> Known:
    """Part rows whose id was loaded before: the same figures again are a duplicate, others a fault."""
    assert seen.schema == SEEN, seen.schema
    if seen.is_empty():
        return Known(fresh=rows, duplicates=0, faults=FAULTS.to_frame())
    marked = rows.join(seen, on=ROWID, how="left", maintain_order="left")
    before = pl.col("transaction_id").is_not_null()
    same = pl.col("seen_hash") == pl.col("row_hash")
    return Known(
        fresh=marked.filter(~before).select(rows.columns),
        duplicates=marked.filter(before & same).height,
        faults=revised(marked.filter(before & ~same)),
    )


def with_raw(faults: pl.DataFrame, raw: pl.DataFrame) -> pl.DataFrame:
    """The faults, each with its row as it came, as JSON in `raw`."""
    columns = [name for name in raw.columns if name != ROW_NUMBER]
    wrong = raw.join(faults, on=ROW_NUMBER, how="semi")
    texts = pl.struct(printable(pl.col(column).cast(pl.String)) for column in columns)
    written = wrong.select(ROW_NUMBER, texts.struct.json_encode().alias("raw"))
    return faults.join(written, on=ROW_NUMBER, how="left", maintain_order="left")


def _sound(measure: Measure) -> pl.Expr:
    """A value that could not be read is null, and null is not sound."""
    format = measure.format
    conditions = pl.all_horizontal(
        texts_sound(format),
        pl.col(TXN_TYPE).is_in(list(format.identities)),
        pl.col(CURRENCY).is_in(list(measure.exponents)),
        pl.col(VALUE_DATE).is_between(measure.first, measure.last),
        dates_sound(),
        *(pl.col(column) >= 0 for column in format.amounts),
        within_currency(measure.exponents),
        adds_up(format),
    )
    return conditions.fill_null(value=False)


def _hashes(rows: pl.DataFrame, format: SourceFormat) -> pl.Series:
    """SHA-256 of each row's columns, written in one way: 10.5 and 10.50 are the same figures.

    Kept for ever beside the row's id, so the way of writing must not change (a test knows one by heart).
    """
    columns = [column for column in format.columns if column != MONTH]
    lines = rows.select(columns).write_csv(include_header=False).encode().split(b"\n")[:-1]
    return pl.Series("row_hash", [hashlib.sha256(line).digest() for line in lines], dtype=pl.Binary)
