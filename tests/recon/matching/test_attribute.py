"""Whose toll or ticket it was, in whole hundredths."""

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from recon.matching.attribute import Kind, attribute

from .makers import NOON

NEW_YORK = "America/New_York"
MOMENT = pl.Datetime("us", "UTC")
EVENTS = {"id": pl.String, "vehicle_id": pl.String, "occurred_at": MOMENT}
TRIPS = {
    "id": pl.String,
    "vehicle_id": pl.String,
    "driver_id": pl.String,
    "started_at": MOMENT,
    "ended_at": MOMENT,
    "has_toll": pl.Boolean,
    "on_lease": pl.Boolean,
}


def trip(
    key: str,
    start: int,
    end: int,
    *,
    driver: str = "ANA",
    toll: bool = False,
    lease: bool = True,
    cab: str = "1T54",
) -> tuple[object, ...]:
    """A trip from so many minutes after noon to so many."""
    minute = timedelta(minutes=1)
    return key, cab, driver, NOON + start * minute, NOON + end * minute, toll, lease


def score(
    *trips: tuple[object, ...], kind: Kind = "toll", at: float = 0, cab: str | None = "1T54"
) -> dict[str, object]:
    """What becomes of an event so many minutes after noon."""
    events = pl.DataFrame([("T", cab, NOON + timedelta(minutes=at))], schema=EVENTS, orient="row")
    found = attribute(events, pl.DataFrame(list(trips), schema=TRIPS, orient="row"), kind=kind)
    return found.best.row(0, named=True)


def parts(found: dict[str, object]) -> tuple[object, ...]:
    return tuple(found[name] for name in ("time", "driver", "evidence", "score", "end"))


def test_inside_a_trip_with_a_toll_of_the_only_driver_is_certain() -> None:
    found = score(trip("A", -5, 5, toll=True))
    assert parts(found) == (50, 30, 20, 100, "assigned")
    assert (found["trip"], found["driver_id"], found["distance"]) == ("A", "ANA", timedelta())


def test_inside_a_trip_without_a_toll_is_just_enough() -> None:
    assert parts(score(trip("A", -5, 5))) == (50, 30, 10, 90, "assigned")


@pytest.mark.parametrize(
    ("minutes", "time"),
    [(0, 50), (-10, 50), (1 / 60, 40), (15, 40), (15 + 1 / 60, 30), (30, 30), (-25, 40), (-40, 30)],
)
def test_the_time_counts_by_the_distance_to_the_trip(minutes: float, time: int) -> None:
    found = score(trip("A", -10, 0), at=minutes)
    assert found["time"] == time


def test_half_an_hour_is_the_end_for_tolls_and_two_hours_for_tickets() -> None:
    late = 30 + 1 / 60
    assert parts(score(trip("A", -10, 0), at=late)) == (0, 0, 0, 0, "unassigned")
    assert parts(score(trip("A", -10, 0), at=late, kind="ticket")) == (30, 30, 20, 80, "suggested")
    assert score(trip("A", -10, 0), at=120, kind="ticket")["score"] == 80
    assert score(trip("A", -10, 0), at=120 + 1 / 60, kind="ticket")["trip"] is None


def test_the_driver_counts_by_the_share_of_the_trips_around() -> None:
    inside = trip("A", -5, 5)
    mostly = score(inside, trip("B", 10, 20), trip("C", 30, 40, driver="BEN"))
    assert (mostly["trip"], mostly["driver"]) == ("A", 20)
    half = score(inside, trip("C", 30, 40, driver="BEN"))
    assert half["driver"] == 10
    long_ago = score(inside, trip("C", -150, -121, driver="BEN"))
    assert long_ago["driver"] == 30
    another_cab = score(inside, trip("C", 10, 20, driver="BEN", cab="2P55"))
    assert another_cab["driver"] == 30


def test_between_two_drivers_a_person_decides() -> None:
    found = score(trip("A", -30, -5, toll=True), trip("B", 10, 20, driver="BEN", toll=True))
    assert parts(found) == (40, 10, 20, 70, "suggested")
    assert (found["trip"], found["runner_up"], found["candidates"]) == ("A", 70, 2)  # the nearer one


def test_a_ticket_counts_the_lease() -> None:
    assert parts(score(trip("A", -5, 5), kind="ticket")) == (50, 30, 20, 100, "assigned")
    assert parts(score(trip("A", -5, 5, lease=False), kind="ticket")) == (50, 30, 0, 80, "suggested")
    far = (trip("A", -90, -80, lease=False), trip("B", 85, 95, driver="BEN", lease=False))
    assert parts(score(*far, kind="ticket")) == (30, 10, 0, 40, "unassigned")


def leased(
    *trips: tuple[tuple[object, ...], str], on: str | None, kind: Kind = "toll", at: float = 0
) -> dict[str, object]:
    """As `score`, where it is known which lease a trip was on, and on which the vehicle was at that minute."""
    events = pl.DataFrame(
        [("T", "1T54", NOON + timedelta(minutes=at), on)],
        schema={**EVENTS, "lease_id": pl.String},
        orient="row",
    )
    rows = [(*one, lease) for one, lease in trips]
    frame = pl.DataFrame(rows, schema={**TRIPS, "lease_id": pl.String}, orient="row")
    return attribute(events, frame, kind=kind).best.row(0, named=True)


def test_a_trip_of_another_lease_than_the_vehicle_was_on_is_suggested_at_most() -> None:
    inside = (trip("A", -5, 5, toll=True), "L1")
    assert parts(leased(inside, on="L1"))[-2:] == (100, "assigned")
    assert parts(leased(inside, on="L2"))[-2:] == (100, "suggested")
    assert parts(leased(inside, on=None))[-2:] == (100, "suggested")
    assert leased(inside, on="L2")["elsewhere"] is True and leased(inside, on="L1")["elsewhere"] is False


def test_a_ticket_counts_the_lease_that_the_vehicle_was_on_then() -> None:
    inside = (trip("A", -5, 5, lease=False), "L1")
    assert parts(leased(inside, on="L1", kind="ticket")) == (50, 30, 20, 100, "assigned")
    assert parts(leased(inside, on="L2", kind="ticket")) == (50, 30, 0, 80, "suggested")
    # Before the swap L1's trip is nearer, and L2's counts for more.
    two = ((trip("A", -5, 5), "L1"), (trip("B", 20, 30, driver="BEN"), "L2"))
    found = leased(*two, on="L2", kind="ticket", at=10)
    assert (found["trip"], found["score"]) == ("B", 70)


def test_a_vehicle_nobody_knows_has_no_candidates() -> None:
    assert parts(score(trip("A", -5, 5), cab=None)) == (0, 0, 0, 0, "unassigned")
    assert score(trip("A", -5, 5), cab="9L60")["trip"] is None
    assert score()["candidates"] == 0


def test_the_order_of_the_trips_changes_nothing() -> None:
    trips = [trip("A", -30, -10), trip("B", 10, 30), trip("C", 12, 30)]
    assert score(*trips) == score(*reversed(trips))
    assert score(*trips)["trip"] == "A"


def test_every_toll_on_a_plate_of_ours_finds_the_trip_it_was_made_from(shared_data: Path) -> None:
    fleet = pl.read_csv(shared_data / "medallions.csv").filter(pl.col("fleet") == "BIG APPLE")
    local = (
        pl.col("START_DATE", "END_DATE")
        .str.to_datetime("%m/%d/%Y %H:%M:%S")
        .dt.replace_time_zone(NEW_YORK, ambiguous="earliest")
    )
    trips = (
        pl.read_csv(shared_data / "curb_trips_2019-03.csv", infer_schema=False)
        .with_columns(local)
        .select(
            id="ROWID",
            vehicle_id="CABNUMBER",
            driver_id="DRIVER",
            started_at="START_DATE",
            ended_at="END_DATE",
            has_toll=pl.col("TRIPTOLL").str.to_decimal(scale=2) > 0,
        )
    )
    statement = pl.read_csv(shared_data / "ezpass_statement_2019-03.csv", infer_schema=False)
    events = statement.select(
        id="Lane Txn ID",
        plate=pl.col("Tag/Plate #").str.strip_prefix("NY "),
        occurred_at=pl.format("{} {}", "Date", "Exit Time")
        .str.to_datetime("%m/%d/%Y %I:%M:%S %p")
        .dt.replace_time_zone(NEW_YORK, ambiguous="earliest"),
    ).join(fleet.select("plate", vehicle_id="medallion_no"), on="plate", how="left", maintain_order="left")
    found = attribute(events, trips, kind="toll").best
    truth = pl.read_csv(shared_data / "ezpass_truth.csv", infer_schema=False)
    known = found.join(truth, left_on="id", right_on="Lane Txn ID").drop_nulls("vehicle_id")
    assert known.height == 486
    assert known.filter(pl.col("trip") != pl.col("ROWID")).is_empty()
    assert set(known["end"]) == {"assigned"}
    assert found.filter(pl.col("vehicle_id").is_null())["score"].unique().to_list() == [0]
