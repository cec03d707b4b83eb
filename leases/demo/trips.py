"""Six weeks of trips as the processor would report them: the same ones each time, in whole cents.

Demand follows the hour and the day of the week; fares follow the city's meter; a cab never has two trips at
once. A few rows are what real files bring: reversals, disputes, rows that do not add up, rows a week late.
Only whole numbers are drawn, so every machine draws the same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from random import Random
from typing import TypeVar

from batconnect.common.weeks import WEEK

from .fleet import CABS, Cab, written

SEED = "batconnect demo 1"
FIRST_WEEK = date(2026, 9, 20)
WEEKS = tuple(FIRST_WEEK + WEEK * n for n in range(6))

COLUMNS = [
    "ROWID", "PERIOD", "DRIVER", "CABNUMBER", "START_DATE", "END_DATE", "TRIPFARE", "TRIPEXTRAS", "TRIPTIPS",
    "TRIPTOLL", "TAX", "IMPTAX", "CongFee", "airportFee", "cbdt", "TOTAL_AMOUNT", "PAYMENT_TYPE",
]  # fmt: skip

# Minutes a cab may wait for the next passenger, by the hour: short at the rush and in the evening.
LONGEST_WAIT = (
    34, 48, 66, 80, 70, 50, 38, 24, 20, 26, 34, 36, 34, 34, 32, 30, 24, 20, 18, 18, 22, 24, 26, 28,
)  # fmt: skip
# How likely a driver works on each day, Sunday first.
DAYS_OF_DAY_DRIVERS = (2, 6, 6, 6, 6, 7, 4)
DAYS_OF_NIGHT_DRIVERS = (3, 3, 4, 5, 7, 9, 9)

# The meter, in cents.
FLAG_DROP, EACH_FIFTH, JFK_FLAT = 300, 70, 7000
RUSH, NIGHT, JFK_RUSH, LGA_SURCHARGE = 250, 100, 500, 500
MTA, IMPROVEMENT, CONGESTION, CBD, AIRPORT, TUNNEL = 50, 100, 250, 75, 175, 694

WHERE = (("town", 885), ("lga", 55), ("jfk", 40), ("outer", 20))
PAID_BY = (("C", 755), ("$", 233), ("N", 6), ("D", 6))
TIP_PERCENT = ((0, 9), (10, 6), (15, 16), (20, 42), (25, 17), (30, 10))

Choice = TypeVar("Choice")


@dataclass(frozen=True)
class Trip:
    """One row of the file. Amounts are cents; `off_by` is what its total is wrong by."""

    cab: Cab
    started: datetime
    ended: datetime
    fare: int
    extras: int
    tips: int
    tolls: int
    mta: int
    improvement: int
    congestion: int
    airport: int
    cbd: int
    paid_by: str
    off_by: int = 0

    @property
    def amounts(self) -> tuple[int, ...]:
        return (
            self.fare, self.extras, self.tips, self.tolls,
            self.mta, self.improvement, self.congestion, self.airport, self.cbd,
        )  # fmt: skip

    def reversed(self) -> "Trip":
        """The card payment taken back."""
        fare, extras, tips, tolls, mta, improvement, congestion, airport, cbd = (-a for a in self.amounts)
        return replace(
            self, fare=fare, extras=extras, tips=tips, tolls=tolls, mta=mta, improvement=improvement,
            congestion=congestion, airport=airport, cbd=cbd,
        )  # fmt: skip


def trip_files() -> Iterator[tuple[date, str]]:
    """Each week with the text of its file, in order."""
    held_back: Sequence[Trip] = ()
    for index, week in enumerate(WEEKS):
        trips = sorted(
            (trip for cab in CABS for trip in _week_of(cab, week)),
            key=lambda trip: (trip.started, trip.cab.number),
        )
        delivered, late = _as_delivered(index, trips)
        rows = [*held_back, *delivered]
        held_back = late
        first_rowid = 9_000_001 + index * 100_000
        yield week, written(COLUMNS, [_row(first_rowid + n, trip) for n, trip in enumerate(rows)])


def _as_delivered(index: int, trips: list[Trip]) -> tuple[list[Trip], list[Trip]]:
    """What the week's file brings of the week's trips, with its flaws, and what comes with the next file."""
    late = trips[300::150] if index == 4 else []
    delivered = [trip for trip in trips if trip not in late]
    cards = [n for n, trip in enumerate(delivered) if trip.paid_by == "C"]
    if index in (1, 5):
        at = cards[40 + index]
        delivered.append(delivered[at].reversed())
    for nth, off_by in {1: ((7, 30), (110, -100)), 3: ((55, 250),), 5: ((21, -50),)}.get(index, ()):
        delivered[cards[nth]] = replace(delivered[cards[nth]], off_by=off_by)
    return delivered, late


def _week_of(cab: Cab, week: date) -> Iterator[Trip]:
    rng = Random(f"{SEED}/{cab.number}/{week}")  # noqa: S311
    week_ends = datetime.combine(week + WEEK, time.min)
    for day in _working_days(cab, rng):
        opens = 16 * 60 + 30 if cab.drives_nights else 5 * 60 + 15
        clock = datetime.combine(week, time.min) + timedelta(
            days=day, minutes=opens + rng.randrange(120), seconds=rng.randrange(60)
        )
        shift_ends = min(clock + timedelta(minutes=330 + rng.randrange(150)), week_ends)
        while True:
            clock += timedelta(seconds=180 + rng.randrange(LONGEST_WAIT[clock.hour] * 60))
            if clock >= shift_ends:
                break
            trip = _trip(cab, clock, rng)
            clock = trip.ended
            yield trip


def _working_days(cab: Cab, rng: Random) -> list[int]:
    weights = list(DAYS_OF_NIGHT_DRIVERS if cab.drives_nights else DAYS_OF_DAY_DRIVERS)
    chosen = []
    for _ in range(cab.shifts_a_week):
        day = _pick(tuple(enumerate(weights)), rng)
        chosen.append(day)
        weights[day] = 0
    return sorted(chosen)


def _trip(cab: Cab, started: datetime, rng: Random) -> Trip:
    where = _pick(WHERE, rng)
    fare, minutes = _ride(where, started, rng)
    at_airport = where in ("lga", "jfk") and rng.randrange(2) == 0
    in_zone = where != "outer" and rng.randrange(100) < 93
    paid_by = _pick(PAID_BY, rng)
    extras = _extras(where, started)
    percent = _pick(TIP_PERCENT, rng)
    tips = (fare + extras) * percent // 100 if paid_by == "C" else 0
    return Trip(
        cab=cab,
        started=started,
        ended=started + timedelta(minutes=minutes, seconds=rng.randrange(60)),
        fare=fare,
        extras=extras,
        tips=tips,
        tolls=TUNNEL if where in ("lga", "jfk") and rng.randrange(5) < 2 else 0,
        mta=MTA,
        improvement=IMPROVEMENT,
        congestion=CONGESTION if in_zone else 0,
        airport=AIRPORT if at_airport else 0,
        cbd=CBD if in_zone and rng.randrange(100) < 72 else 0,
        paid_by=paid_by,
    )


def _ride(where: str, started: datetime, rng: Random) -> tuple[int, int]:
    """Cents and minutes. Rides in town are mostly short; the meter counts fifths of a mile."""
    slow = 4 if 7 <= started.hour < 20 else 3
    if where == "jfk":
        return JFK_FLAT, 34 + rng.randrange(10 * slow)
    if where == "lga":
        fifths = 44 + rng.randrange(14)
        return FLAG_DROP + fifths * EACH_FIFTH, 20 + rng.randrange(6 * slow)
    longest = 34 if where == "town" else 60
    fifths = 3 + min(rng.randrange(longest), rng.randrange(longest))
    waits = rng.randrange(slow + 3)
    return FLAG_DROP + (fifths + waits) * EACH_FIFTH, 2 + fifths * slow // 3 + waits


def _extras(where: str, started: datetime) -> int:
    rush = started.weekday() < 5 and 16 <= started.hour < 20
    if where == "jfk":
        return JFK_RUSH if rush else 0
    by_hour = RUSH if rush else NIGHT if started.hour >= 20 or started.hour < 6 else 0
    return by_hour + (LGA_SURCHARGE if where == "lga" else 0)


def _pick(weighted: Sequence[tuple[Choice, int]], rng: Random) -> Choice:
    drawn = rng.randrange(sum(weight for _, weight in weighted))
    for choice, weight in weighted:
        drawn -= weight
        if drawn < 0:
            return choice
    raise AssertionError("the weights add up to what was drawn from")


def _row(rowid: int, trip: Trip) -> list[str]:
    return [
        str(rowid),
        f"{trip.started:%Y%m}",
        trip.cab.tlc_license,
        trip.cab.medallion,
        f"{trip.started:%m/%d/%Y %H:%M:%S}",
        f"{trip.ended:%m/%d/%Y %H:%M:%S}",
        *(_dollars(cents) for cents in trip.amounts),
        _dollars(sum(trip.amounts) + trip.off_by),
        trip.paid_by,
    ]


def _dollars(cents: int) -> str:
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02}"
