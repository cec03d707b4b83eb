"""Tolls and summonses as frames: what a row of an agency's file says, value by value, or which value is wrong.

    raw text ──▶ tolls.read / violations.read ──▶ rows (ITEMS) and rejects (REJECTS)

A row is judged by itself. One that cannot be read is rejected with its row, column and why, and the others go on: the
file can be corrected and loaded again, for what came before is recognised. Amounts are Decimal, never float. Nothing
is written here.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from batconnect.common.weeks import NEW_YORK
from ledger.engine.data_loader import ROW_NUMBER, SHOWN, schema_of

MONEY = pl.Decimal(14, 2)
MOMENT = pl.Datetime("us", "UTC")
LONGEST_NUMBER = 40
LONGEST_TEXT = 80
EARLIEST = date(2000, 1, 1)  # before it a day is a slip of the pen

# One toll or ticket. amount: what it comes to, before anybody paid: positive is owed to the agency, negative a credit.
# due: what the agency still wants of it. paid: what somebody has paid already.
ITEMS = schema_of(
    {
        ROW_NUMBER: pl.Int64,
        "kind": pl.String,
        "nature": pl.String,
        "number": pl.String,
        "figures_hash": pl.String,
        "plate": pl.String,
        "plate_state": pl.String,
        "tag": pl.String,
        "occurred_at": MOMENT,
        "event_on": pl.Date,
        "place": pl.String,
        "description": pl.String,
        "amount": MONEY,
        "paid": MONEY,
        "due": MONEY,
        "raw": pl.String,
    }
)
REJECTS = schema_of({ROW_NUMBER: pl.Int64, "column": pl.String, "message": pl.String, "raw": pl.String})
# What makes two rows of one number the same: whose, when and how much. Words may be written otherwise.
FIGURES = ("nature", "plate", "plate_state", "tag", "occurred_at", "event_on", "amount", "paid", "due")
TOLL, CREDIT, TAG_FEE, PAYMENT, TICKET = "TOLL", "CREDIT", "TAG_FEE", "PAYMENT", "TICKET"

# Six digits before the point: more is no toll, and the sums of any file then fit numeric(14,2).
_PLAIN = r"^-?[0-9]{1,6}(\.[0-9]{1,2})?$"
_DATE = r"^[0-9]{2}/[0-9]{2}/[0-9]{4}$"


@dataclass(frozen=True)
class Read:
    """items: as ITEMS. rejects: as REJECTS, one line for each row, naming the first value that is wrong."""

    items: pl.DataFrame
    rejects: pl.DataFrame


@dataclass(frozen=True)
class Fault:
    """A value that cannot be: of which column, when, and what is wrong with it. `{}` stands for the value."""

    column: str
    wrong: pl.Expr
    problem: str


def amount_of(column: str) -> pl.Expr:
    """`65`, `$1,234.50`, `$-9.11`, `-$9.11` and `($9.11)` as dollars; null where it is no amount."""
    text = pl.col(column).str.strip_chars().str.replace_all(r"[$,]", "")
    in_brackets = text.str.contains(r"^\([^()-]*\)$")
    plain = pl.when(in_brackets).then(pl.format("-{}", text.str.strip_chars("()"))).otherwise(text)
    return pl.when(plain.str.contains(_PLAIN)).then(plain).cast(MONEY)


def date_of(column: str) -> pl.Expr:
    text = pl.col(column).str.strip_chars()
    return pl.when(text.str.contains(_DATE)).then(text).str.to_date("%m/%d/%Y", strict=False)


def moment_of(local: pl.Expr) -> pl.Expr:
    """New York's wall clock as a moment; of the hour that comes twice the first, null in the one that is skipped."""
    zoned = local.dt.replace_time_zone(NEW_YORK.key, ambiguous="earliest", non_existent="null")
    return zoned.dt.convert_time_zone("UTC")


def common_faults(*, number: str, dated: str, today: date) -> Sequence[Fault]:
    """What is wrong with any agency's row; `number` and `dated` are the columns of its number and its day."""
    name = pl.col("number")
    return [
        Fault(number, name == "", "is empty; without its number it could be charged twice"),
        Fault(number, name.str.len_chars() > LONGEST_NUMBER, f"is longer than {LONGEST_NUMBER} characters"),
        Fault(
            number,
            ~name.str.contains(r"^[!-.0-~]*$"),
            "is not a number; letters, digits and signs but / make one",
        ),
        Fault(dated, pl.col("event_on").is_null(), "is not a date; write it like 03/20/2019"),
        Fault(dated, pl.col("event_on") > today, "has not come yet"),
        Fault(dated, pl.col("event_on") < EARLIEST, f"is before {EARLIEST.year}"),
    ]


def judged(rows: pl.DataFrame, raw_columns: Sequence[str], faults: Sequence[Fault]) -> Read:
    """Part what was read from what cannot be. `rows` has the columns of ITEMS but hash and raw, and the raw ones."""
    rows = rows.with_columns(
        raw=pl.struct(raw_columns).struct.json_encode(),
        column=pl.coalesce(
            *(pl.when(fault.wrong.fill_null(False)).then(pl.lit(fault.column)) for fault in faults)
        ),
        message=pl.coalesce(*(_message(fault) for fault in faults)),
    )
    sound = rows.filter(pl.col("column").is_null())
    sound = sound.with_columns(_hashes(sound).alias("figures_hash"))
    items = sound.select(pl.col(name).cast(kind) for name, kind in ITEMS.items())
    rejects = rows.filter(pl.col("column").is_not_null()).select(
        pl.col(name).cast(kind) for name, kind in REJECTS.items()
    )
    assert items.height + rejects.height == rows.height
    return Read(items, rejects)


def texts(*columns: str) -> pl.Expr:
    """The columns' words in one, no longer than a place may be."""
    words = [
        pl.when(pl.col(name).str.strip_chars() != "").then(pl.col(name).str.strip_chars()) for name in columns
    ]
    return pl.concat_str(words, separator=" ", ignore_nulls=True).str.slice(0, LONGEST_TEXT)


def _message(fault: Fault) -> pl.Expr:
    value = pl.col(fault.column)
    quoted = pl.when(value.str.len_chars() > SHOWN).then(value.str.slice(0, SHOWN) + "…").otherwise(value)
    return pl.when(fault.wrong.fill_null(False)).then(pl.format(f"'{{}}' {fault.problem}", quoted))


def _hashes(rows: pl.DataFrame) -> pl.Series:
    one_way = [pl.col(name).cast(pl.String).fill_null("") for name in FIGURES]
    written = rows.select(pl.concat_str(one_way, separator="\x1f")).to_series()
    return pl.Series([hashlib.sha256(row.encode()).hexdigest() for row in written], dtype=pl.String)
