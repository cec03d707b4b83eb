"""CURB's trips, judged by themselves: what the fields say, whether they add up, whether they came before.

Each stage takes a frame and gives back the rows that go on and the ones that do not, with a reason and a
sentence for the person who will correct them. Amounts are Decimal with two decimals from text to table, never
float. Whose trip it was is found in `trip_leases.py`.
"""

import hashlib
from dataclasses import dataclass
from datetime import date
from typing import Literal, NamedTuple

import polars as pl

from batconnect.common.weeks import NEW_YORK

from .data_loader import ROW_NUMBER, SHOWN, schema_of

MONEY = pl.Decimal(14, 2)
LOCAL = pl.Datetime("us")
MOMENT = pl.Datetime("us", "UTC")
LONGEST_ROWID = 64
LONGEST_MESSAGE = 500

# The columns of CURB's file that are amounts, and what they are called here.
COMPONENTS = {
    "TRIPFARE": "fare",
    "TRIPEXTRAS": "extras",
    "TRIPTIPS": "tips",
    "TRIPTOLL": "tolls",
    "TAX": "mta_tax",
    "IMPTAX": "improvement_surcharge",
    "CongFee": "congestion_fee",
    "airportFee": "airport_fee",
    "cbdt": "cbd_toll",
}
AMOUNTS = {**COMPONENTS, "TOTAL_AMOUNT": "gross_amount"}
TIMES = {"START_DATE": "started_local", "END_DATE": "ended_local"}
TEXTS = {"DRIVER": "driver", "CABNUMBER": "cab"}
COLUMNS = ("ROWID", "PERIOD", *TEXTS, *TIMES, *AMOUNTS, "PAYMENT_TYPE")

EARNING = ["C", "P"]
TAXED = [*EARNING, "$"]
PAYMENT_TYPES = [*TAXED, "N", "D"]

RAW = schema_of({ROW_NUMBER: pl.Int64, **dict.fromkeys(COLUMNS, pl.String)})
READ = schema_of(
    {
        **RAW,
        "rowid": pl.String,
        "row_hash": pl.Binary,
        "bad": pl.String,
        "driver": pl.String,
        "cab": pl.String,
        "payment_type": pl.String,
        "started_local": LOCAL,
        "ended_local": LOCAL,
        "started_at": MOMENT,
        "ended_at": MOMENT,
        **dict.fromkeys(AMOUNTS.values(), MONEY),
    }
)
KNOWN = schema_of({**READ, "parked_id": pl.Int64})
REJECTS = schema_of({ROW_NUMBER: pl.Int64, "reason": pl.String, "message": pl.String})
IDENTITY = schema_of({"rowid": pl.String, "row_hash": pl.Binary})
SEEN = schema_of({"rowid": pl.String, "seen_hash": pl.Binary, "transaction_id": pl.Int64})
PARKED = schema_of({**IDENTITY, "parked_id": pl.Int64, "waiting": pl.Boolean})

# Six digits before the point: more is no taxi fare, and the sums of any file then fit numeric(14,2).
_AMOUNT = r"^-?[0-9]{1,6}(\.[0-9]{1,2})?$"
_TIME = r"^[0-9]{2}/[0-9]{2}/[0-9]{4} ([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$"
_PERIOD = r"^[0-9]{4}(0[1-9]|1[0-2])$"
_SEPARATOR = "\x1f"  # cannot be in a field: the loader refuses control characters


class Window(NamedTuple):
    """The local days on which a trip may have started: within reach of the tables, and not in the future."""

    first: date
    last: date


@dataclass(frozen=True)
class Known:
    """What is known of rows from before: `rows` are all of them, `fresh` those that go on."""

    rows: pl.DataFrame
    fresh: pl.DataFrame
    duplicates: pl.Series
    rejects: pl.DataFrame


def read_values(raw: pl.DataFrame, window: Window) -> pl.DataFrame:
    """Every row with its values read; `bad` is a sentence on the columns that cannot be, or null.

    `row_hash` is over all columns in one way of writing, so that 10.5 and 10.50 are the same figures; a value
    that cannot be read goes in as it came.
    """
    assert raw.schema == RAW, raw.schema
    text = {column: pl.col(column).str.strip_chars() for column in COLUMNS}
    frame = raw.with_columns(
        text["ROWID"].str.slice(0, LONGEST_ROWID).alias("rowid"),
        text["PAYMENT_TYPE"].alias("payment_type"),
        *(text[column].alias(name) for column, name in TEXTS.items()),
        *(_amount(text[column]).alias(name) for column, name in AMOUNTS.items()),
        *(_local_time(text[column]).alias(name) for column, name in TIMES.items()),
    )
    earlier_end, later_end = _moment("ended_local", "earliest"), _moment("ended_local", "latest")
    frame = frame.with_columns(_moment("started_local", "earliest").alias("started_at")).with_columns(
        # Of the hour that comes twice in autumn the first is meant, unless that is before the start.
        pl.when(earlier_end < pl.col("started_at")).then(later_end).otherwise(earlier_end).alias("ended_at")
    )
    frame = frame.with_columns(
        _what_is_bad(text, window).alias("bad"), _hashes(frame, text).alias("row_hash")
    )
    return frame.select(READ.names()).match_to_schema(READ)


def set_known_aside(
    rows: pl.DataFrame, *, earlier: pl.DataFrame, seen: pl.DataFrame, parked: pl.DataFrame
) -> Known:
    """Part rows that were loaded, parked or in this file before from those that are new.

    `earlier`: the identities of the file so far, in order; `seen`: rows ever loaded; `parked`: rows ever
    parked. The same figures again are a duplicate, other figures under a ROWID are for a person. A parked row
    that still waits goes on like a new one: what it lacked may be there by now.
    """
    assert rows.schema == READ and earlier.schema == IDENTITY, (rows.schema, earlier.schema)
    assert seen.schema == SEEN and parked.schema == PARKED, (seen.schema, parked.schema)
    # Nearly all of a long file's rows have nothing to do with these; this keeps the joins small.
    earlier = earlier.join(rows.select("rowid"), on="rowid", how="semi")
    rows = rows.join(parked, on=IDENTITY.names(), how="left", maintain_order="left")
    marked = (
        rows.join(seen, on="rowid", how="left", maintain_order="left")
        .join(
            earlier.unique().with_columns(pair_before=True),
            on=IDENTITY.names(),
            how="left",
            maintain_order="left",
        )
        .join(
            earlier.select("rowid").unique().with_columns(rowid_before=True),
            on="rowid",
            how="left",
            maintain_order="left",
        )
        .with_columns(
            pl.col("pair_before").is_not_null() | ~pl.struct(IDENTITY.names()).is_first_distinct(),
            pl.col("rowid_before").is_not_null() | ~pl.col("rowid").is_first_distinct(),
        )
    )
    nameless = (marked["rowid"] == "") | (marked["ROWID"].str.strip_chars().str.len_chars() > LONGEST_ROWID)
    duplicate = (
        pl.col("pair_before")
        | pl.col("waiting").eq_missing(False)
        | pl.col("seen_hash").eq_missing(pl.col("row_hash"))
    )
    marked = marked.with_columns(duplicate=duplicate).with_columns(
        message=pl.when("duplicate")
        .then(None)
        .when(pl.col("rowid_before") & ~nameless)
        .then(pl.lit(_REPEATED))
        .when(pl.col("transaction_id").is_not_null())
        .then(pl.format(_REVISION, pl.col("transaction_id"))),
        reason=pl.when(pl.col("rowid_before") & ~nameless)
        .then(pl.lit("REPEATED_IN_FILE"))
        .otherwise(pl.lit("REVISION")),
    )
    return Known(
        rows=rows.select(KNOWN.names()).match_to_schema(KNOWN),
        fresh=marked.filter(~pl.col("duplicate") & pl.col("message").is_null()).select(KNOWN.names()),
        duplicates=marked.filter("duplicate")[ROW_NUMBER],
        rejects=marked.filter(pl.col("message").is_not_null()).select(REJECTS.names()),
    )


def check_values(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows whose values can be read and add up to the cent, and the rejects among them."""
    assert rows.schema == KNOWN, rows.schema
    parts = pl.sum_horizontal(COMPONENTS.values())
    apart = parts != pl.col("gross_amount")
    judged = rows.with_columns(
        reason=pl.when(pl.col("bad").is_not_null())
        .then(pl.lit("BAD_VALUE"))
        .when(apart)
        .then(pl.lit("DOES_NOT_ADD_UP")),
        message=pl.coalesce(
            "bad",
            pl.format(
                "The parts add up to {}, but TOTAL_AMOUNT is {}: a difference of {}.",
                parts,
                pl.col("gross_amount"),
                pl.col("gross_amount") - parts,
            ),
        ),
    )
    return split(judged, KNOWN)


def split(judged: pl.DataFrame, onward: pl.Schema) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows without a `reason`, shaped as `onward`; and the others as rejects."""
    good = judged.filter(pl.col("reason").is_null()).select(onward.names())
    rejects = judged.filter(pl.col("reason").is_not_null()).select(REJECTS.names())
    assert good.schema == onward and rejects.schema == REJECTS, (good.schema, rejects.schema)
    return good, rejects


_REPEATED = (
    "The same ROWID stands earlier in the file with other figures. Find out which row is right; "
    "this one can only be dismissed once the other is loaded."
)
_REVISION = (
    "Loaded before as transaction {} with other figures; loading it again would count the trip twice. "
    "Settle the difference with the driver where there is one, then dismiss this row and say so."
)


def _amount(text: pl.Expr) -> pl.Expr:
    return pl.when(text.str.contains(_AMOUNT)).then(text).cast(MONEY)


def _local_time(text: pl.Expr) -> pl.Expr:
    return (
        pl.when(text.str.contains(_TIME))
        .then(text)
        .str.to_datetime("%m/%d/%Y %H:%M:%S", strict=False, time_unit="us")
    )


def _moment(local: str, ambiguous: Literal["earliest", "latest"]) -> pl.Expr:
    zoned = pl.col(local).dt.replace_time_zone(NEW_YORK.key, ambiguous=ambiguous, non_existent="null")
    return zoned.dt.convert_time_zone("UTC")


def _what_is_bad(text: dict[str, pl.Expr], window: Window) -> pl.Expr:
    """A sentence for every column that cannot be read, or null."""
    started = pl.col("started_local").dt.date()
    faults = [
        _fault("ROWID", text["ROWID"] == "", "is empty"),
        _fault(
            "ROWID",
            text["ROWID"].str.len_chars() > LONGEST_ROWID,
            f"is longer than {LONGEST_ROWID} characters",
        ),
        _fault("PERIOD", ~text["PERIOD"].str.contains(_PERIOD), "is not a month; write it like 201903"),
        *(_fault(column, text[column] == "", "is empty") for column in TEXTS),
        *(_fault(column, pl.col(name).is_null(), _NO_TIME) for column, name in TIMES.items()),
        *(
            _fault(column, pl.col(name).is_not_null() & _moment(name, "earliest").is_null(), _SKIPPED_HOUR)
            for column, name in TIMES.items()
        ),
        _fault(
            "START_DATE",
            started < window.first,
            f"is before {window.first}, further back than trips are kept",
        ),
        _fault("START_DATE", started > window.last, "is in the future"),
        _fault("END_DATE", pl.col("ended_at") < pl.col("started_at"), "is before START_DATE"),
        *(_fault(column, pl.col(name).is_null(), _NO_AMOUNT) for column, name in AMOUNTS.items()),
        _fault(
            "PAYMENT_TYPE",
            ~text["PAYMENT_TYPE"].is_in(PAYMENT_TYPES),
            f"is none of {', '.join(PAYMENT_TYPES)}",
        ),
    ]
    sentence = pl.concat_str(faults, separator="; ", ignore_nulls=True)
    return pl.when(sentence != "").then(sentence.str.slice(0, LONGEST_MESSAGE))


_NO_TIME = "is not a time; write it like 03/01/2019 00:03:29"
_SKIPPED_HOUR = "does not exist in New York: the clocks went forward over that hour"
_NO_AMOUNT = "is not an amount in dollars and cents below a million; write it like 12.50"


def _fault(column: str, wrong: pl.Expr, what: str) -> pl.Expr:
    """`COLUMN 'value' what is wrong`, where it is wrong; null elsewhere."""
    value = pl.col(column)
    quoted = pl.when(value.str.len_chars() > SHOWN).then(value.str.slice(0, SHOWN) + "…").otherwise(value)
    return pl.when(wrong).then(pl.format(f"{column} '{{}}' {what}", quoted))


def _hashes(frame: pl.DataFrame, text: dict[str, pl.Expr]) -> pl.Series:
    """SHA-256 of every row, all columns in the order of COLUMNS."""
    one_way = [
        pl.coalesce(pl.col({**AMOUNTS, **TIMES}[column]).cast(pl.String), text[column])
        if column in AMOUNTS or column in TIMES
        else text[column]
        for column in COLUMNS
    ]
    written = frame.select(pl.concat_str(one_way, separator=_SEPARATOR)).to_series()
    return pl.Series("row_hash", [hashlib.sha256(row.encode()).digest() for row in written], dtype=pl.Binary)
