"""Days on which the Federal Reserve settles: weekdays that are none of its holidays.

Its holidays are the federal ones. One on a Sunday is kept on the Monday; one on a Saturday is not kept on the Friday.
"""

from datetime import date, timedelta
from functools import lru_cache

import holidays

SUNDAY, MONDAY = 6, 0


@lru_cache(maxsize=8)
def _holidays_of(year: int) -> frozenset[date]:
    federal = holidays.country_holidays("US", years=year, observed=False)
    return frozenset(day + timedelta(days=1) if day.weekday() == SUNDAY else day for day in federal)


def is_banking_day(day: date) -> bool:
    return day.weekday() < 5 and day not in _holidays_of(day.year)


def next_banking_day(day: date) -> date:
    """The first banking day after `day`."""
    following = day + timedelta(days=1)
    while not is_banking_day(following):
        following += timedelta(days=1)
    return following
