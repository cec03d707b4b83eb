"""Whose tolls and tickets were: plate → vehicle → medallion → lease, the trips around the moment, and the reasons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl

from ledger.models import ArchivedMonth
from ledger.selectors.archives import is_away

from ...matching.attribute import ASSIGNED, SUGGEST_AT, UNASSIGNED, WINDOWS, Kind, attribute
from ...models import AgencyItem, AgencyKind
from . import fleet

MOST_CANDIDATES = 5
MOMENT = fleet.MOMENT
LOOKED_AT: dict[str, Any] = {
    "id": pl.Int64,
    "kind": pl.String,
    "plate": pl.String,
    "plate_state": pl.String,
    "tag": pl.String,
    "occurred_at": MOMENT,
    "event_on": pl.Date,
}
# Where they are the best there is, in the words of domain.md's parts.
TIME = {50: "inside trip {trip}", 40: "within 15 minutes of trip {trip}", 30: "near trip {trip}"}
DRIVER = {
    30: "all trips within 2 hours are this driver's",
    20: "most trips within 2 hours are this driver's",
    10: "the trips within 2 hours are mostly another's",
}
TOLLS = {20: "the trip has a toll", 10: "the trip has no toll"}
TICKETS = {20: "the vehicle was on that lease", 0: "the vehicle was not on that lease"}


@dataclass(frozen=True)
class Finding:
    """What is known of whose an item was.

    score: hundredths; None where there was nothing to score (no vehicle, no time). account_id: the best candidate's.
    certain: it may be charged without a person.
    """

    vehicle_id: int | None = None
    lease_then_id: int | None = None
    trip_id: int | None = None
    account_id: int | None = None
    score: int | None = None
    certain: bool = False
    candidates: list[dict[str, Any]] = field(default_factory=list)
    reasons: str = ""

    @property
    def suggested(self) -> bool:
        return self.account_id is not None and (self.score or 0) >= SUGGEST_AT


def look(items: Sequence[AgencyItem]) -> dict[int, Finding]:
    """A finding for each item, by its id. Reads only."""
    rows = pl.DataFrame(
        [tuple(getattr(item, "pk" if name == "id" else name) for name in LOOKED_AT) for item in items],
        schema=LOOKED_AT,
        orient="row",
    )
    located = _located(rows)
    findings = {row["id"]: Finding(reasons=_why_unknown(row)) for row in located.iter_rows(named=True)}
    known = located.filter(pl.col("vehicle_id").is_not_null())
    for row in known.filter(pl.col("occurred_at").is_null()).iter_rows(named=True):
        findings[row["id"]] = Finding(
            vehicle_id=row["vehicle_id"],
            lease_then_id=row["lease_id"],
            reasons="It does not say at what time it was, so no trip can be told.",
        )
    timed = known.filter(pl.col("occurred_at").is_not_null())
    if timed.height:
        trips = fleet.trips_around(timed)
        is_toll = pl.col("kind") == AgencyKind.EZPASS
        findings |= _attributed(timed.filter(is_toll), trips, "toll")
        findings |= _attributed(timed.filter(~is_toll), trips, "ticket")
    return findings


def _located(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with vehicle_id, registered_in, carriers (vehicles with that plate) and lease_id.

    Of several vehicles with one plate, the one that was on a medallion at that minute is meant.
    """
    plates = fleet.vehicles_of_plates(rows.filter(pl.col("plate") != "")["plate"].unique().to_list())
    at = pl.col("occurred_at")
    covers = (pl.col("since") <= at) & (pl.col("until").is_null() | (at < pl.col("until")))
    joined = (
        rows.select("id", "plate", "occurred_at")
        .join(plates, on="plate")
        .with_columns(covers=covers.fill_null(False))
    )
    # One line for each item and vehicle, with the medallion it was on at that minute.
    vehicles = joined.group_by("id", "vehicle_id", "registered_in").agg(
        on=pl.col("covers").any(), medallion_id=pl.col("medallion_id").filter("covers").first()
    )
    chosen = (
        vehicles.with_columns(carriers=pl.len().over("id"), riding=pl.col("on").sum().over("id"))
        .filter(
            ((pl.col("riding") == 1) & pl.col("on")) | ((pl.col("riding") == 0) & (pl.col("carriers") == 1))
        )
        .select("id", "vehicle_id", "registered_in", "medallion_id")
    )
    carriers = vehicles.group_by("id").agg(carriers=pl.len())
    located = rows.join(chosen, on="id", how="left", maintain_order="left").join(
        carriers, on="id", how="left", maintain_order="left"
    )
    leases = fleet.leases_of_medallions(located["medallion_id"].drop_nulls().unique().to_list())
    day = pl.coalesce(at.dt.convert_time_zone("America/New_York").dt.date(), "event_on")
    runs = (pl.col("starts_on") <= day) & (pl.col("ends_on").is_null() | (day <= pl.col("ends_on")))
    held = located.join(leases, on="medallion_id").filter(runs).select("id", "lease_id")
    return located.join(held, on="id", how="left", maintain_order="left")


def _attributed(events: pl.DataFrame, trips: pl.DataFrame, kind: Kind) -> dict[int, Finding]:
    if events.is_empty():
        return {}
    found = attribute(
        events.select("id", "vehicle_id", "occurred_at", "lease_id"),
        trips.with_columns(on_lease=pl.lit(True)),
        kind=kind,
    )
    told = found.all.join(
        trips.select(
            trip="id", rowid="rowid", lease_id="lease_id", started_at="started_at", ended_at="ended_at"
        ),
        on="trip",
        how="left",
        maintain_order="left",
    )
    candidates: dict[int, list[dict[str, Any]]] = {}
    for row in told.iter_rows(named=True):
        mine = candidates.setdefault(row["id"], [])
        if len(mine) < MOST_CANDIDATES:
            mine.append(_candidate(row))
    lines = events.select("id", "plate_state", "registered_in", "event_on", "lease_id").join(
        found.best, on="id", maintain_order="left"
    )
    away: dict[date, bool] = {}
    return {
        row["id"]: Finding(
            vehicle_id=row["vehicle_id"],
            lease_then_id=row["lease_id"],
            trip_id=row["trip"],
            account_id=row["driver_id"],
            score=row["score"],
            certain=row["end"] == ASSIGNED,
            candidates=candidates.get(row["id"], []),
            reasons=_reasons(row, candidates.get(row["id"], []), kind, away),
        )
        for row in lines.iter_rows(named=True)
    }


def _candidate(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "trip_id": row["trip"],
        "trip": row["rowid"],
        "account_id": row["driver_id"],
        "lease_id": row["lease_id"],
        "started_at": row["started_at"].isoformat(),
        "ended_at": row["ended_at"].isoformat(),
        "score": row["score"],
        "time": row["time"],
        "driver": row["driver"],
        "evidence": row["evidence"],
        "seconds_away": int(row["distance"].total_seconds()),
        "another_lease": row["elsewhere"],
    }


def _reasons(
    row: Mapping[str, Any], candidates: Sequence[Mapping[str, Any]], kind: Kind, away: dict[date, bool]
) -> str:
    """Why, in one line for people."""
    parts = []
    if candidates:
        evidence = TOLLS if kind == "toll" else TICKETS
        words = (
            (TIME[row["time"]].format(trip=candidates[0]["trip"]), row["time"]),
            (DRIVER[row["driver"]], row["driver"]),
            (evidence[row["evidence"]], row["evidence"]),
        )
        parts.append("; ".join(f"{word} {part / 100:.2f}" for word, part in words))
        if row["runner_up"] == row["score"] and row["end"] != UNASSIGNED:
            parts.append("another trip scores the same")
        if row["elsewhere"]:
            parts.append("at that minute the vehicle was on another lease, or on none: a person decides")
    else:
        minutes = WINDOWS[kind] // 60_000_000
        parts.append(f"no trip of the vehicle within {minutes} minutes")
        month = row["event_on"].replace(day=1)
        if month not in away:
            away[month] = is_away(ArchivedMonth.Kind.SOURCE, month)
        if away[month]:
            parts.append(f"the trips of {month:%Y-%m} are archived: restore that month and look again")
    if row["plate_state"] and row["registered_in"] and row["plate_state"] != row["registered_in"]:
        parts.append(f"the plate is said to be of {row['plate_state']}, ours is of {row['registered_in']}")
    sentence = ". ".join(part[0].upper() + part[1:] for part in parts) + "."
    return sentence[:500]


def _why_unknown(row: Mapping[str, Any]) -> str:
    if row["tag"]:
        return f"Tag {row['tag']} is of no vehicle that we know."
    if not row["plate"]:
        return "It names no plate."
    if row["carriers"]:
        return f"{row['carriers']} vehicles carry the plate {row['plate']}; it cannot be told which."
    return f"No vehicle has the plate {row['plate_state']} {row['plate']}.".replace("  ", " ")
