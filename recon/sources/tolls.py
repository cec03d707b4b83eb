"""An E-ZPass statement: tolls, credits, tag fees and payments, one a row."""

from datetime import date

import polars as pl

from .agency_rows import (
    CREDIT,
    MONEY,
    PAYMENT,
    TAG_FEE,
    TOLL,
    Fault,
    Read,
    amount_of,
    common_faults,
    date_of,
    judged,
    moment_of,
    texts,
)

KIND = "EZPASS"
COLUMNS = (
    "Lane Txn ID", "Tag/Plate #", "Agency", "Entry Plaza", "Exit Plaza", "Class", "Date", "Exit Time", "Amount",
)  # fmt: skip
_PLATE = r"^([A-Z0-9]{2}) +([A-Z0-9]{1,12})$"
_TIME = r"^(0[1-9]|1[0-2]):[0-5][0-9]:[0-5][0-9] [AP]M$"


def read(raw: pl.DataFrame, *, today: date) -> Read:
    """The rows of a statement. raw: row_number and COLUMNS, text as it came.

    Tolls are written negative; a positive row that is no payment is money back, a credit. A plate comes as
    `NY T123456C`, anything else is a tag.
    """
    named = pl.col("Tag/Plate #").str.strip_chars().str.to_uppercase()
    kind = pl.col("Class").str.strip_chars().str.to_uppercase()
    time = pl.col("Exit Time").str.strip_chars()
    rows = raw.with_columns(
        value=amount_of("Amount"),
        event_on=date_of("Date"),
        clock=pl.when(time.str.contains(_TIME)).then(time).str.to_time("%I:%M:%S %p", strict=False),
        number=pl.col("Lane Txn ID").str.strip_chars(),
        plate_state=named.str.extract(_PLATE, 1).fill_null(""),
        plate=named.str.extract(_PLATE, 2).fill_null(""),
    ).with_columns(
        occurred_at=moment_of(pl.col("event_on").dt.combine(pl.col("clock"))),
        amount=-pl.col("value"),
        tag=pl.when(pl.col("plate") == "").then(named).otherwise(pl.lit("")),
        nature=pl.when(kind.str.contains("PAYMENT"))
        .then(pl.lit(PAYMENT))
        .when(pl.col("value") > 0)
        .then(pl.lit(CREDIT))
        .when(kind.str.contains("FEE"))
        .then(pl.lit(TAG_FEE))
        .otherwise(pl.lit(TOLL)),
    )
    rows = rows.with_columns(
        kind=pl.lit(KIND),
        paid=pl.lit(0).cast(MONEY),
        due=pl.col("amount"),
        place=texts("Agency", "Entry Plaza", "Exit Plaza"),
        description=pl.when(pl.col("nature") == TOLL).then(pl.lit("")).otherwise(texts("Class")),
    )
    moved = pl.col("nature").is_in([TOLL, CREDIT])
    faults = [
        *common_faults(number="Lane Txn ID", dated="Date", today=today),
        Fault("Exit Time", moved & pl.col("clock").is_null(), "is not a time; write it like 12:55:07 PM"),
        Fault(
            "Exit Time",
            pl.col("clock").is_not_null() & pl.col("occurred_at").is_null(),
            "does not exist in New York on that day: the clocks went forward over it",
        ),
        Fault("Amount", pl.col("value").is_null(), "is not an amount; write it like $-9.11 or ($9.11)"),
        Fault("Tag/Plate #", moved & (named == ""), "is empty; a toll is of a plate or a tag"),
        Fault("Tag/Plate #", pl.col("tag").str.len_chars() > 30, "is too long for a tag or a plate"),
    ]
    return judged(rows, list(COLUMNS), faults)
