"""New York's parking violations (PVB), one summons a row."""

from datetime import date

import polars as pl

from .agency_rows import TICKET, Fault, Read, amount_of, common_faults, date_of, judged, moment_of, texts

KIND = "PVB"
AMOUNTS = (
    "fine_amount",
    "penalty_amount",
    "interest_amount",
    "reduction_amount",
    "payment_amount",
    "amount_due",
)
COLUMNS = (
    "plate", "state", "license_type", "summons_number", "issue_date", "violation_time", "violation", *AMOUNTS,
    "precinct", "county", "issuing_agency",
)  # fmt: skip
_TIME = r"^(0[0-9]|1[0-2]):[0-5][0-9][AP]$"


def read(raw: pl.DataFrame, *, today: date) -> Read:
    """The rows of a file of summonses. raw: row_number and COLUMNS, text as it came.

    fine + penalty + interest − reduction − payment = amount_due on every row, or it is rejected. A summons without a
    time, or with one that says neither morning nor afternoon, is kept without: a person charges it, not the machine.
    `12:05A` and `00:05A` are the same minute.
    """
    time = pl.col("violation_time").str.strip_chars().str.to_uppercase()
    hour = time.str.slice(0, 2).cast(pl.Int32, strict=False) % 12 + pl.when(time.str.ends_with("P")).then(
        12
    ).otherwise(0)
    values = {name: amount_of(name) for name in AMOUNTS}
    rows = raw.with_columns(
        **{f"_{name}": value for name, value in values.items()},
        event_on=date_of("issue_date"),
        number=pl.col("summons_number").str.strip_chars(),
        plate=pl.col("plate").str.strip_chars().str.to_uppercase(),
        plate_state=pl.col("state").str.strip_chars().str.to_uppercase().str.slice(0, 2),
        clock=pl.when(time.str.contains(_TIME)).then(
            pl.time(hour, time.str.slice(3, 2).cast(pl.Int32, strict=False), 0)
        ),
    )
    assessed = (
        pl.col("_fine_amount")
        + pl.col("_penalty_amount")
        + pl.col("_interest_amount")
        - pl.col("_reduction_amount")
    )
    rows = rows.with_columns(
        kind=pl.lit(KIND),
        nature=pl.lit(TICKET),
        tag=pl.lit(""),
        occurred_at=moment_of(pl.col("event_on").dt.combine(pl.col("clock"))),
        amount=assessed,
        paid=pl.col("_payment_amount"),
        due=pl.col("_amount_due"),
        place=texts("issuing_agency", "county"),
        description=texts("violation"),
    )
    apart = pl.col("amount") - pl.col("paid") != pl.col("due")
    faults = [
        *common_faults(number="summons_number", dated="issue_date", today=today),
        *(
            Fault(
                name,
                pl.col(f"_{name}").is_null() | (pl.col(f"_{name}") < 0),
                "is not an amount; write it like 65",
            )
            for name in AMOUNTS
        ),
        Fault(
            "amount_due",
            apart,
            "is not what fine, penalty and interest less reduction and payment come to; nothing is charged on it",
        ),
        Fault("plate", pl.col("plate").str.len_chars() > 12, "is too long for a plate"),
    ]
    return judged(rows, list(COLUMNS), faults)
