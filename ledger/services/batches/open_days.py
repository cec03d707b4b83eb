"""Which days take the entries of a run.

Trips take the first open day where their own is closed; other rows are entered on their own day or not at all. The
database asks again when a run is posted, under the calendar's lock.
"""

from datetime import date
from typing import Any

from django.db import connection
from django.utils import timezone

from batconnect.common.weeks import local_date

from .errors import DayAhead, DayClosed
from .scope import ROWS, Scope

_FIRST_OPEN_DAY = "SELECT ledger_posting_date('0001-01-01', NULL)"
_CLOSED_THROUGH = "SELECT greatest(ledger_closed_through(), ledger_months_closed_through())"
# The condition of ledger_headers_inserted, for what does not follow the weeks.
_CLOSED = """
SELECT min(d.day)
  FROM ({days}) d
  LEFT JOIN accounting_month m ON m.month = date_trunc('month', d.day::timestamp)::date
 WHERE d.day <= ledger_months_closed_through()
    OR (d.day <= ledger_closed_through() AND m.status IS DISTINCT FROM 'REOPENED')
"""


def first_open_day() -> date:
    with connection.cursor() as cursor:
        cursor.execute(_FIRST_OPEN_DAY)
        (day,) = cursor.fetchone()
    return day


def refuse_days(scope: Scope, limits: tuple[int, int], *, earliest: date | None, latest: date | None) -> None:
    """Raise DayClosed or DayAhead if rows of a scope, dated from `earliest` to `latest`, are on such days."""
    if earliest is None or latest is None:
        return
    if latest > local_date(timezone.now()):
        raise DayAhead(date=latest)
    closed_through = _closed_through()
    if closed_through is not None and earliest <= closed_through:
        days = f"SELECT DISTINCT s.bank_value_date AS day {ROWS}"
        _refuse(days, scope.parameters(*limits), closed_through)


def refuse_closed_day(day: date) -> None:
    """Raise DayClosed if what does not follow the weeks cannot be entered on a day."""
    closed_through = _closed_through()
    if closed_through is not None and day <= closed_through:
        _refuse("SELECT %(day)s::date AS day", {"day": day}, closed_through)


def _refuse(days: str, parameters: dict[str, Any], closed_through: date) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_CLOSED.format(days=days), parameters)
        (day,) = cursor.fetchone()
    if day is not None:
        raise DayClosed(date=day, closed_through=closed_through)


def _closed_through() -> date | None:
    with connection.cursor() as cursor:
        cursor.execute(_CLOSED_THROUGH)
        (day,) = cursor.fetchone()
    return day
