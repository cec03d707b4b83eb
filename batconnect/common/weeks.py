"""Payment weeks: Sunday to Saturday, New York time. The only place that knows where a week starts.

A week is named by its Sunday, a plain `date`.
"""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from .errors import BatConnectError

NEW_YORK = ZoneInfo("America/New_York")
WEEK = timedelta(days=7)
INSTALLMENT_HORIZON = timedelta(days=13)
EARLIEST_YEAR, LATEST_YEAR = 2000, 2100  # leases lie between them; at the calendar's ends a week is not whole


class NotASunday(BatConnectError):
    code, status = "week.not_a_sunday", 400
    message = "{week} is a {weekday}; a week is named by its Sunday. Did you mean {sunday}?"


class WeekTooFar(BatConnectError):
    code, status = "week.too_far", 400
    message = "There is no week of {week}: name one from {earliest} to {latest}."


def sunday_of(day: date) -> date:
    """The Sunday that starts the week `day` lies in."""
    return day - timedelta(days=(day.weekday() + 1) % 7)


def saturday_of(day: date) -> date:
    """The Saturday that ends the week `day` lies in."""
    return sunday_of(day) + timedelta(days=6)


def local_date(moment: datetime) -> date:
    """The New York calendar date of an aware moment."""
    return moment.astimezone(NEW_YORK).date()


def installments_due_through(week: date) -> date:
    """The last due date the run of `week` posts: the Saturday after the Sunday it acts on."""
    return week + INSTALLMENT_HORIZON


def check_sunday(week: date) -> date:
    """Return `week`; raises NotASunday when it is another day, WeekTooFar when no lease can have it."""
    if not EARLIEST_YEAR <= week.year <= LATEST_YEAR:
        raise WeekTooFar(week=week, earliest=EARLIEST_YEAR, latest=LATEST_YEAR)
    if sunday_of(week) != week:
        raise NotASunday(week=week, weekday=f"{week:%A}", sunday=sunday_of(week))
    return week
