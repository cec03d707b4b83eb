"""Whose trip it was: cab, day and minute lead to lease, account and vehicle; and what the trips add up to.

The fleet's master data comes in as frames (`References`), cut to the cabs and drivers of the rows at hand.
"""

from dataclasses import dataclass

import polars as pl

from batconnect.common.weeks import sunday_of

from .data_loader import ROW_NUMBER, schema_of
from .trips import AMOUNTS, EARNING, KNOWN, MOMENT, MONEY, SHOWN, TAXED, split

DRIVERS = schema_of({"driver": pl.String, "driver_id": pl.Int64})
CABS = schema_of({"cab": pl.String, "medallion_id": pl.Int64})
LEASES = schema_of(
    {
        "medallion_id": pl.Int64,
        "lease_id": pl.Int64,
        "lease_number": pl.String,
        "holder_id": pl.Int64,
        "account_id": pl.Int64,
        "lease_vehicle_id": pl.Int64,
        "starts_on": pl.Date,
        "ends_on": pl.Date,
    }
)
ADDITIONAL = schema_of(
    {"lease_id": pl.Int64, "driver_id": pl.Int64, "starts_on": pl.Date, "ends_on": pl.Date}
)
ASSIGNMENTS = schema_of(
    {"medallion_id": pl.Int64, "vehicle_id": pl.Int64, "assigned_from": MOMENT, "assigned_until": MOMENT}
)
TRIPS = schema_of(
    {
        **{name: KNOWN[name] for name in (ROW_NUMBER, "rowid", "row_hash", "parked_id", "payment_type")},
        "trip_on": pl.Date,
        "week": pl.Date,
        "txn_month": pl.Date,
        "started_at": MOMENT,
        "ended_at": MOMENT,
        **{f"{key}_id": pl.Int64 for key in ("account", "driver", "lease", "medallion", "vehicle")},
        **dict.fromkeys(AMOUNTS.values(), MONEY),
    }
)
# Each tax, and the name its count of trips goes by.
TAXES = {
    "mta_tax": "mta_trips",
    "improvement_surcharge": "improvement_trips",
    "congestion_fee": "congestion_trips",
    "airport_fee": "airport_trips",
    "cbd_toll": "cbd_trips",
}
_COUNTS = ("card_trips", "cash_trips", "other_trips", *TAXES.values())
_SUMS = ("earnings", *TAXES)
TOTALS = schema_of(
    {
        "account_id": pl.Int64,
        "week": pl.Date,
        **dict.fromkeys(_SUMS, MONEY),
        **dict.fromkeys(_COUNTS, pl.Int64),
    }
)


@dataclass(frozen=True)
class References:
    """The fleet as far as these rows name it."""

    drivers: pl.DataFrame
    cabs: pl.DataFrame
    leases: pl.DataFrame
    additional: pl.DataFrame
    assignments: pl.DataFrame

    def __post_init__(self) -> None:
        for frame, schema in (
            (self.drivers, DRIVERS),
            (self.cabs, CABS),
            (self.leases, LEASES),
            (self.additional, ADDITIONAL),
            (self.assignments, ASSIGNMENTS),
        ):
            assert frame.schema == schema, frame.schema


def find_leases(rows: pl.DataFrame, fleet: References) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Trips with their lease, account, driver and vehicle, and the rejects that have none.

    The New York day a trip starts on decides its lease. The driver stored is the one who drove; the account
    is that of the lease's driver.
    """
    assert rows.schema == KNOWN, rows.schema
    placed = (
        rows.with_columns(trip_on=pl.col("started_local").dt.date())
        .join(fleet.cabs, on="cab", how="left")
        .join(fleet.drivers, on="driver", how="left")
    )
    # A medallion has one lease on any day and one vehicle at any moment (the database holds that), so the
    # last one to begin before the trip is the only one that can cover it.
    placed = placed.sort("trip_on").join_asof(
        fleet.leases.sort("starts_on"),
        left_on="trip_on",
        right_on="starts_on",
        by="medallion_id",
        check_sortedness=False,
    )
    placed = placed.sort("started_at").join_asof(
        fleet.assignments.sort("assigned_from"),
        left_on="started_at",
        right_on="assigned_from",
        by="medallion_id",
        check_sortedness=False,
    )
    helped = _helpers(placed, fleet.additional)
    no_lease = pl.col("lease_id").is_null() | (pl.col("ends_on") < pl.col("trip_on")).fill_null(False)
    stranger = (pl.col("driver_id") != pl.col("holder_id")) & ~pl.col(ROW_NUMBER).is_in(helped.implode())
    assigned = pl.col("assigned_until").is_null() | (pl.col("started_at") < pl.col("assigned_until"))
    judged = _with_reasons(placed, no_lease, stranger).with_columns(
        vehicle_id=pl.when(assigned)
        .then(pl.coalesce("vehicle_id", "lease_vehicle_id"))
        .otherwise("lease_vehicle_id"),
        txn_month=pl.col("trip_on").dt.month_start(),
        week=_weeks(placed),
    )
    return split(judged.sort(ROW_NUMBER), TRIPS)


def _helpers(placed: pl.DataFrame, additional: pl.DataFrame) -> pl.Series:
    """The numbers of the rows whose driver was an additional driver of the lease on that day."""
    of_lease = placed.select(ROW_NUMBER, "lease_id", "driver_id", "trip_on").join(
        additional, on=["lease_id", "driver_id"], how="inner"
    )
    covers = (pl.col("starts_on") <= pl.col("trip_on")) & (pl.col("trip_on") <= pl.col("ends_on")).fill_null(
        True
    )
    return of_lease.filter(covers)[ROW_NUMBER].unique()


def _with_reasons(placed: pl.DataFrame, no_lease: pl.Expr, stranger: pl.Expr) -> pl.DataFrame:
    verdicts = (
        (
            "UNKNOWN_CAB",
            pl.col("medallion_id").is_null(),
            "There is no cab {cab}. Correct the number, or enter it.",
        ),
        (
            "UNKNOWN_DRIVER",
            pl.col("driver_id").is_null(),
            "There is no driver {driver}. Correct it, or enter the driver.",
        ),
        (
            "NO_LEASE",
            no_lease,
            "Cab {cab} had no lease on {day}. Enter the lease, then submit this row again.",
        ),
        (
            "NOT_ON_LEASE",
            stranger,
            "Driver {driver} was not on lease {lease} of cab {cab} on {day}. Add the driver to the lease, "
            "then submit this row again.",
        ),
    )
    values = {
        "{cab}": pl.col("cab").str.slice(0, SHOWN),
        "{driver}": pl.col("driver").str.slice(0, SHOWN),
        "{day}": pl.col("trip_on").cast(pl.String),
        "{lease}": pl.col("lease_number"),
    }
    reason = pl.coalesce(pl.when(wrong).then(pl.lit(code)) for code, wrong, _ in verdicts)
    message = pl.coalesce(pl.when(wrong).then(_sentence(text, values)) for _, wrong, text in verdicts)
    return placed.with_columns(reason=reason, message=message)


def _sentence(text: str, values: dict[str, pl.Expr]) -> pl.Expr:
    names = sorted((name for name in values if name in text), key=text.index)
    for name in names:
        text = text.replace(name, "{}")
    return pl.format(text, *(values[name] for name in names))


def _weeks(placed: pl.DataFrame) -> pl.Expr:
    """The Sunday of every trip, by the one rule there is, asked once per day that occurs."""
    days = placed["trip_on"].unique()
    sundays = pl.Series([sunday_of(day) for day in days], dtype=pl.Date)
    return pl.col("trip_on").replace_strict(days, sundays, return_dtype=pl.Date)


def add_up(trips: pl.DataFrame) -> pl.DataFrame:
    """What the trips come to per account and week: card and prepaid earn, cash is taxed too."""
    assert trips.schema == TRIPS, trips.schema
    kind = pl.col("payment_type")
    earning, taxed = kind.is_in(EARNING), kind.is_in(TAXED)
    totals = trips.group_by("account_id", "week").agg(
        pl.col("gross_amount").filter(earning).sum().alias("earnings"),
        earning.sum().alias("card_trips"),
        (kind == "$").sum().alias("cash_trips"),
        (~taxed).sum().alias("other_trips"),
        *(pl.col(tax).filter(taxed).sum() for tax in TAXES),
        *((taxed & (pl.col(tax) != 0)).sum().alias(count) for tax, count in TAXES.items()),
    )
    return totals.select(pl.col(name).cast(kind) for name, kind in TOTALS.items())


def merge_totals(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """The totals of several stretches of one file as one, in the order of their accounts and weeks."""
    together = pl.concat([TOTALS.to_frame(), *parts]).group_by("account_id", "week").agg(pl.all().sum())
    return together.select(pl.col(name).cast(kind) for name, kind in TOTALS.items()).sort(
        "account_id", "week"
    )
