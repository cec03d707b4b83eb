"""The weekly schedule of leases: which days cost what, and when it is due.

A week is billed in stretches: the days of one week at one price; suspended days are in none. `weekly_schedule` says
what a lease's stretches are, in plain Python; `make_installments` writes them for all leases at once, in one
statement. The two are held together by a property test. Nothing here posts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.db import connection, transaction

from batconnect.common import locks
from batconnect.common.money import prorate
from batconnect.common.weeks import WEEK, saturday_of, sunday_of

DAY = timedelta(days=1)
FIRST_DAY, LAST_DAY = (
    date(2000, 1, 1),
    date(2100, 12, 31),
)  # of a lease: weeks are counted from it, and past it
Days = tuple[date, date | None]

_MAKE = """
-- Every stretch, due by the last day asked for, that lies after what each lease already has.
INSERT INTO lease_installment
  (lease_id, week, period_start, period_end, days, weekly_fee, amount, due_on, reference_id)
WITH open_lease AS (
  SELECT l.id, l.number,
         coalesce(made.through + 1, l.starts_on) AS first_day,
         least(l.ends_on, %(last_day)s::date) AS last_day
    FROM lease l
    LEFT JOIN LATERAL (
      -- Stretches do not overlap, so the last one to start is the last one to end. What was replaced does not count:
      -- whoever replaced it made what stands instead.
      SELECT i.period_end AS through
        FROM lease_installment i
       WHERE i.lease_id = l.id AND i.replaced = 0
       ORDER BY i.period_start DESC
       LIMIT 1
    ) made ON true
   WHERE l.status <> 'CANCELLED'
     AND l.starts_on <= %(last_day)s::date
     AND (%(lease_id)s::bigint IS NULL OR l.id = %(lease_id)s::bigint)
),
-- The weeks that are missing, each from its Sunday; `dow` is 0 on Sundays.
week AS (
  SELECT o.id, o.number, o.first_day, o.last_day,
         o.first_day - extract(dow FROM o.first_day)::int + 7 * n AS sunday
    FROM open_lease o
   CROSS JOIN LATERAL generate_series(
     0, (o.last_day - o.first_day + extract(dow FROM o.first_day)::int) / 7
   ) AS n
   WHERE o.first_day <= o.last_day
),
fee_row AS (
  SELECT f.lease_id, f.weekly_fee, f.effective_from,
         lag(f.weekly_fee) OVER (PARTITION BY f.lease_id ORDER BY f.effective_from) AS former_fee
    FROM lease_fee f
   WHERE %(lease_id)s::bigint IS NULL OR f.lease_id = %(lease_id)s::bigint
),
-- A row that repeats the price before it is no change, and splits no week.
fee AS (
  SELECT f.lease_id, f.weekly_fee, f.effective_from,
         lead(f.effective_from, 1, 'infinity') OVER later AS until
    FROM fee_row f
   WHERE f.weekly_fee IS DISTINCT FROM f.former_fee
  WINDOW later AS (PARTITION BY f.lease_id ORDER BY f.effective_from)
),
priced AS (
  SELECT w.id, w.number, w.sunday, f.weekly_fee,
         greatest(w.first_day, w.sunday, f.effective_from) AS first_day,
         least(w.last_day, w.sunday + 6, f.until - 1) AS last_day
    FROM week w
    JOIN fee f ON f.lease_id = w.id
),
suspended AS (
  SELECT s.lease_id, range_agg(daterange(s.starts_on, s.ends_on, '[]')) AS days
    FROM lease_suspension s
   WHERE NOT s.withdrawn AND (%(lease_id)s::bigint IS NULL OR s.lease_id = %(lease_id)s::bigint)
   GROUP BY s.lease_id
),
stretch AS (
  SELECT p.id, p.number, p.sunday, p.weekly_fee, p.first_day AS period_start, p.last_day AS period_end
    FROM priced p
    LEFT JOIN suspended u ON u.lease_id = p.id
   WHERE p.first_day <= p.last_day AND u.lease_id IS NULL
  UNION ALL
  SELECT p.id, p.number, p.sunday, p.weekly_fee, lower(part.days), upper(part.days) - 1
    FROM priced p
    JOIN suspended u ON u.lease_id = p.id
   CROSS JOIN LATERAL unnest(datemultirange(daterange(p.first_day, p.last_day, '[]')) - u.days) AS part (days)
   WHERE p.first_day <= p.last_day
),
-- Rows that other terms took the place of; a reference is used once, so what stands there now takes the next number.
gone AS (
  SELECT i.lease_id, i.period_start, count(*) AS times
    FROM lease_installment i
   WHERE i.replaced > 0
   GROUP BY i.lease_id, i.period_start
)
SELECT p.id, p.sunday, p.period_start, p.period_end, p.days, p.weekly_fee, p.amount, p.sunday + 6, p.reference
  FROM (
    SELECT s.*, s.period_end - s.period_start + 1 AS days,
           round(s.weekly_fee * (s.period_end - s.period_start + 1) / 7, 2) AS amount,
           s.number || '/' || to_char(s.period_start, 'YYYY-MM-DD') || coalesce('.' || gone.times + 1, '') AS reference
      FROM stretch s
      LEFT JOIN gone ON gone.lease_id = s.id AND gone.period_start = s.period_start
  ) p
 WHERE p.amount > 0
 -- Sorted by what no index has: so every look-up above is done before the first row goes in, and none of them
 -- wades through the rows of this very statement.
 ORDER BY p.reference COLLATE "C"
ON CONFLICT (lease_id, period_start, replaced) DO NOTHING
"""


@dataclass(frozen=True)
class Stretch:
    """Days of one week at one price, and what they cost."""

    week: date
    period_start: date
    period_end: date
    weekly_fee: Decimal
    amount: Decimal

    @property
    def days(self) -> int:
        return (self.period_end - self.period_start).days + 1

    @property
    def due_on(self) -> date:
        return saturday_of(self.week)


def weekly_schedule(
    *,
    starts_on: date,
    ends_on: date | None,
    fees: Sequence[tuple[date, Decimal]],
    through: date,
    suspensions: Sequence[Days] = (),
) -> list[Stretch]:
    """The stretches of a lease that are due on or before `through`, in order of date.

    fees: (effective from, weekly fee) in order of date, the first from `starts_on`. suspensions: (first day, last day
    or None) that are free. A stretch that costs nothing is left out.
    """
    last_day = last_billed_day(through)
    if ends_on is not None:
        last_day = min(last_day, ends_on)
    stretches = []
    for first, last, fee in _priced(fees, last_day):
        for week in _weeks(first, last):
            for start, end in _free_of(suspensions, max(first, week), min(last, saturday_of(week))):
                amount = prorate(fee, (end - start).days + 1)
                if amount > 0:
                    stretches.append(Stretch(week, start, end, fee, amount))
    return stretches


def reference_of(number: str, first_day: date, replaced: int) -> str:
    """The reference of a lease's stretch from a day on, when so many of that day were replaced before."""
    return f"{number}/{first_day}" + (f".{replaced + 1}" if replaced else "")


def make_installments(*, through: date, lease_id: int | None = None) -> int:
    """Write the stretches due on or before `through` that do not exist yet; returns how many were written.

    For every lease, or the one named. Safe to repeat, and safe beside itself. A lease entered late gets its
    earlier weeks too.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_MAKE, {"last_day": last_billed_day(through), "lease_id": lease_id})
        return cursor.rowcount


def share_schedule() -> None:
    """Keep what installments rest on from changing until the caller's transaction ends."""
    _lock("pg_advisory_xact_lock_shared")


def hold_schedule() -> None:
    """Wait for whoever makes or posts installments, and keep them waiting until the transaction ends."""
    _lock("pg_advisory_xact_lock")


def last_billed_day(through: date) -> date:
    """The last day of the last week that is due, whole, on or before `through`: its Saturday."""
    saturday = saturday_of(through)
    return saturday if saturday == through else saturday - WEEK


def _priced(fees: Sequence[tuple[date, Decimal]], last_day: date) -> Iterator[tuple[date, date, Decimal]]:
    """(first day, last day, fee) for as long as each fee holds; a repeated fee is no change."""
    changes = [fees[n] for n in range(len(fees)) if n == 0 or fees[n][1] != fees[n - 1][1]]
    for place, (effective_from, fee) in enumerate(changes):
        following = changes[place + 1][0] - DAY if place + 1 < len(changes) else last_day
        if effective_from <= min(following, last_day):
            yield effective_from, min(following, last_day), fee


def _free_of(suspensions: Sequence[Days], first: date, last: date) -> list[tuple[date, date]]:
    """What is left of the days from `first` to `last` without the suspended ones."""
    left = [(first, last)]
    for off, back in suspensions:
        cut = []
        for start, end in left:
            if off > end or (back is not None and back < start):
                cut.append((start, end))
                continue
            if start < off:
                cut.append((start, off - DAY))
            if back is not None and back < end:
                cut.append((back + DAY, end))
        left = cut
    return left


def _weeks(first: date, last: date) -> Iterator[date]:
    week = sunday_of(first)
    while week <= last:
        yield week
        week += WEEK


def _lock(function: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s)", [locks.LEASE_SCHEDULE])
