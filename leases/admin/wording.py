"""How days and moments of leases are told on screens."""

from datetime import date, datetime
from typing import Any

from batconnect.common.screens import NONE, day, moment


def days_told(line: Any) -> str:
    """`Mar 10 – Mar 12, 2019, 3 days`; of what has no days, nothing."""
    if line.period_start is None:
        return NONE
    count = f"{line.days} day" + ("s" if line.days != 1 else "")
    if line.period_start == line.period_end:
        return f"{day(line.period_start)}, {count}"
    return f"{line.period_start:%b} {line.period_start.day} – {day(line.period_end)}, {count}"


def span(first: date, last: date | None, *, still: str = "until further notice") -> str:
    return f"{day(first)} – {day(last)}" if last else f"from {day(first)} {still}"


def moment_told(at: datetime) -> str:
    return moment(at)
