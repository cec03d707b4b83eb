"""Whose toll or ticket was it: the vehicle's trips around a moment, scored in whole hundredths.

    time      inside the trip 50, within 15 minutes of it 40, within the window 30
    driver    the vehicle's trips within two hours of the event are all the trip's driver's 30, most of them 20, else 10
    evidence  tolls: the trip has a toll itself 20, else 10; tickets: the vehicle was on that lease 20, else 0

At 90 and more the event is assigned, from 50 a person reviews a suggestion, below that a person assigns. The window
is 30 minutes around a trip for tolls and two hours for tickets; its ends belong to it.

Where it is known on which lease the vehicle was at that very minute (`lease_id` of the events), a trip of another lease
is suggested at most: between two trips the vehicle may have changed hands.
"""

from dataclasses import dataclass
from typing import Literal

import polars as pl

from .cells import Dimension, Index
from .rows import MICROSECONDS

Kind = Literal["toll", "ticket"]

MINUTE = 60 * MICROSECONDS
CLOSE = 15 * MINUTE
SAME_DRIVER_WITHIN = 120 * MINUTE
WINDOWS: dict[Kind, int] = {"toll": 30 * MINUTE, "ticket": 120 * MINUTE}
INSIDE, NEAR, AROUND = 50, 40, 30
ALL_HIS, MOSTLY_HIS, HARDLY_HIS = 30, 20, 10
TOLL, NO_TOLL = 20, 10
ON_LEASE, NOT_ON_LEASE = 20, 0
ASSIGN_AT, SUGGEST_AT = 90, 50
ASSIGNED, SUGGESTED, UNASSIGNED = "assigned", "suggested", "unassigned"


@dataclass(frozen=True)
class Attribution:
    """best: one line per event, in the order they came: id, trip, driver_id, vehicle_id, score (Int32, hundredths; 0
    without a candidate), end (assigned, suggested, unassigned), time, driver, evidence (Int32, the parts of the
    score), distance (Duration, 0 inside the trip), elsewhere (Boolean: the trip is not of the lease the vehicle was
    on), runner_up (Int32, the next best candidate's score; null if there is none), candidates (UInt32).

    all: every candidate, the best first, with the same parts.
    """

    best: pl.DataFrame
    all: pl.DataFrame


def attribute(events: pl.DataFrame, trips: pl.DataFrame, *, kind: Kind) -> Attribution:
    """Score each event against the trips of its vehicle.

    events: id, vehicle_id (null: not one of ours), occurred_at. trips: id, vehicle_id, driver_id, started_at,
    ended_at, and has_toll (Boolean) for tolls or on_lease (Boolean: its driver had the vehicle on lease) for tickets.
    Both may have lease_id: of an event, the lease the vehicle was on at that minute (null: none); then that is what
    `on_lease` is told by. Times are Datetime with a time zone; ids are of any type, unique, and of vehicles and leases
    the same type in both.
    """
    spans = trips.select("vehicle_id", **_micros("started_at", "ended_at")).with_row_index("row")
    moments = events.select("vehicle_id", **_micros("occurred_at")).with_row_index("row")
    around = _around(spans, moments, max(WINDOWS[kind], SAME_DRIVER_WITHIN))
    around = around.with_columns(
        driver_id=trips["driver_id"].gather(around["trip_row"]), elsewhere=_elsewhere(events, trips, around)
    )
    nearby = pl.col("distance") <= SAME_DRIVER_WITHIN
    his = nearby.sum().over("event", "driver_id") / nearby.sum().over("event")
    scored = around.with_columns(
        time=pl.when(pl.col("distance") == 0)
        .then(INSIDE)
        .when(pl.col("distance") <= CLOSE)
        .then(NEAR)
        .otherwise(AROUND),
        driver=pl.when(his == 1).then(ALL_HIS).when(his > 0.5).then(MOSTLY_HIS).otherwise(HARDLY_HIS),
        evidence=_evidence(events, trips, around, kind),
    ).filter(pl.col("distance") <= WINDOWS[kind])
    parts = ["time", "driver", "evidence"]
    ranked = (
        scored.with_columns(pl.col(parts).cast(pl.Int32))
        .with_columns(score=pl.sum_horizontal(parts))
        .with_columns(trip=trips["id"].gather(scored["trip_row"]), id=events["id"].gather(scored["event"]))
        # The nearer trip, then the earlier one, of those that score alike.
        .sort(
            "event", "score", "distance", "started_at", "trip", descending=[False, True, False, False, False]
        )
    )
    return Attribution(_best(events, ranked, parts), _told(ranked, parts))


def _around(spans: pl.DataFrame, moments: pl.DataFrame, reach: int) -> pl.DataFrame:
    """Trips of the same vehicle within reach of each moment: event, trip_row, started_at, distance (microseconds)."""
    stretches = spans.with_columns(
        at=pl.col("started_at"), at_low=pl.col("started_at") - reach, at_high=pl.col("ended_at") + reach
    )
    points = moments.with_columns(at=pl.col("occurred_at"))
    index = Index(points, keys=("vehicle_id",), dimensions=(Dimension("at", float(2 * reach)),), crowd=None)
    pairs = index.reach(stretches).pairs
    started, ended = (spans[name].gather(pairs["left"]) for name in ("started_at", "ended_at"))
    at = moments["occurred_at"].gather(pairs["right"])
    return pl.DataFrame(
        {"event": pairs["right"], "trip_row": pairs["left"], "started_at": started}
    ).with_columns(distance=pl.max_horizontal(started - at, at - ended, pl.lit(0)))


def _evidence(events: pl.DataFrame, trips: pl.DataFrame, around: pl.DataFrame, kind: Kind) -> pl.Expr:
    if kind == "ticket" and _leases_known(events, trips):
        return pl.when("elsewhere").then(NOT_ON_LEASE).otherwise(ON_LEASE)
    column, yes, no = ("has_toll", TOLL, NO_TOLL) if kind == "toll" else ("on_lease", ON_LEASE, NOT_ON_LEASE)
    told = trips.select(pl.when(pl.col(column).fill_null(False)).then(yes).otherwise(no)).to_series()
    return pl.lit(told.gather(around["trip_row"]))


def _elsewhere(events: pl.DataFrame, trips: pl.DataFrame, around: pl.DataFrame) -> pl.Series:
    """Whether each trip is of another lease than the vehicle was on; where that is not known, of none."""
    if not _leases_known(events, trips):
        return pl.repeat(False, around.height, dtype=pl.Boolean, eager=True)
    return trips["lease_id"].gather(around["trip_row"]).ne_missing(events["lease_id"].gather(around["event"]))


def _leases_known(events: pl.DataFrame, trips: pl.DataFrame) -> bool:
    return "lease_id" in events.columns and "lease_id" in trips.columns


def _micros(*columns: str) -> dict[str, pl.Expr]:
    return {column: pl.col(column).dt.convert_time_zone("UTC").dt.epoch("us") for column in columns}


def _told(ranked: pl.DataFrame, parts: list[str]) -> pl.DataFrame:
    return ranked.select(
        "id", "trip", "driver_id", "score", *parts, pl.col("distance").cast(pl.Duration("us")), "elsewhere"
    )


def _best(events: pl.DataFrame, ranked: pl.DataFrame, parts: list[str]) -> pl.DataFrame:
    first = ranked.group_by("event", maintain_order=True).agg(
        pl.first("trip", "driver_id", "score", *parts, "distance", "elsewhere"),
        runner_up=pl.col("score").get(1, null_on_oob=True),
        candidates=pl.len(),
    )
    end = (
        pl.when((pl.col("score") >= ASSIGN_AT) & ~pl.col("elsewhere"))
        .then(pl.lit(ASSIGNED))
        .when(pl.col("score") >= SUGGEST_AT)
        .then(pl.lit(SUGGESTED))
        .otherwise(pl.lit(UNASSIGNED))
    )
    return (
        events.select("id", "vehicle_id")
        .with_row_index("event")
        .join(first, on="event", how="left", maintain_order="left")
        .with_columns(
            pl.col("score", *parts, "candidates").fill_null(0), pl.col("elsewhere").fill_null(False)
        )
        .select(
            "id",
            "vehicle_id",
            "trip",
            "driver_id",
            "score",
            end.alias("end"),
            *parts,
            pl.col("distance").cast(pl.Duration("us")),
            "elsewhere",
            "runner_up",
            "candidates",
        )
    )
