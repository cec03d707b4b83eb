"""The accounting months there are, and how far they are closed."""

from dataclasses import dataclass
from datetime import date

from django.db import connection

from ..models import AccountingMonth, MonthEvent
from .account_balances import next_month

# Months are asked one by one whether they have an entry: nothing is read but the first row of each.
_FIRST_MONTH = """
SELECT min(m.month)
  FROM (
    SELECT to_date(right(c.relname, 6), 'YYYYMM') AS month
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'ledger_entry_header'::regclass
  ) m
 WHERE EXISTS (
   SELECT FROM ledger_entry_header h
    WHERE h.je_date >= m.month AND h.je_date < (m.month + interval '1 month')::date
 )
"""


@dataclass(frozen=True)
class Month:
    """One month as it stands: CLOSED, REOPENED, or OPEN; with the last event, if it ever closed."""

    month: date
    status: str
    event: MonthEvent | None


def closed_through() -> date | None:
    """The last day of the last closed month."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_months_closed_through()")
        (through,) = cursor.fetchone()
    return through


def first_month() -> date | None:
    """The first month that has entries."""
    with connection.cursor() as cursor:
        cursor.execute(_FIRST_MONTH)
        (month,) = cursor.fetchone()
    return month


def months_until(today: date) -> list[Month]:
    """Every month from the first with entries, or the first closed, to today's; the newest first."""
    rows = dict(AccountingMonth.objects.values_list("month", "status"))
    first = min(filter(None, (first_month(), *rows)), default=today.replace(day=1))
    events: dict[date, MonthEvent] = {}
    for event in MonthEvent.objects.select_related("created_by").order_by("id"):
        events[event.month_id] = event
    found = []
    month = first.replace(day=1)
    through = closed_through()
    while month <= today:
        status = rows.get(month, "OPEN")
        if status == "OPEN" and through and month <= through:
            status = AccountingMonth.Status.CLOSED  # passed over: it had no entries
        found.append(Month(month, status, events.get(month)))
        month = next_month(month)
    return found[::-1]
