"""How days and moments of leases are told on screens."""

from datetime import date, datetime
from typing import Any

from batconnect.common.screens import day, moment


def days_told(line: Any) -> str:
    """`Mar 10 – Mar 12, 2019, 3 days`; what has no days is the cancellation fee."""
    if line.period_start is None:
        return "Cancellation fee"
    count = f"{line.days} day" + ("s" if line.days != 1 else "")
    if line.period_start == line.period_end:
        return f"{day(line.period_start)}, {count}"
    return f"{line.period_start:%b} {line.period_start.day} – {day(line.period_end)}, {count}"


def span(first: date, last: date | None, *, still: str = "until further notice") -> str:
    return f"{day(first)} – {day(last)}" if last else f"from {day(first)} {still}"


def moment_told(at: datetime) -> str:
    return moment(at)
