"""Which months were moved out of the database, and the clear answer to whoever asks for what is in one."""

from collections.abc import Iterable
from datetime import date

from django.db import connection

from batconnect.common.errors import BatConnectError

from ..models import ArchivedMonth

_MONTHS_HERE = """
SELECT DISTINCT to_date(right(c.relname, 6), 'YYYYMM')
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
 WHERE i.inhparent = ANY(ARRAY(SELECT ('public.' || t)::regclass::oid FROM unnest(ledger_archive_tables(%s)) t))
 ORDER BY 1
"""


_NOT_READ = """
SELECT to_char(month, 'YYYY-MM') FROM archived_month
 WHERE kind = 'LEDGER' AND dropped_at IS NOT NULL AND restored_at IS NULL
   AND to_regclass('pg_temp.archived_ledger_entry_line') IS NULL
 ORDER BY month LIMIT 1
"""


class MonthIsArchived(BatConnectError):
    code, status = "archive.month_away", 409
    message = (
        "The {what} of {month} are archived. Whoever runs this system can bring them back with restore_month."
    )


def months_here(kind: str) -> list[date]:
    """The months that have a partition in the database, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(_MONTHS_HERE, [kind])
        return [month for (month,) in cursor.fetchall()]


def archives_away() -> list[ArchivedMonth]:
    """The archives whose rows are in their files alone, oldest month first."""
    away = ArchivedMonth.objects.filter(dropped_at__isnull=False, restored_at__isnull=True)
    return list(away.order_by("month", "kind"))


def is_away(kind: str, day: date) -> bool:
    """Whether the month of this day is in files alone."""
    return ArchivedMonth.objects.filter(
        kind=kind, month=day.replace(day=1), dropped_at__isnull=False, restored_at__isnull=True
    ).exists()


def check_whole_ledger() -> None:
    """Raises MonthIsArchived when entries are in files alone and were not read into this session.

    For reads that begin with the first entry there is: `services.archives.whole_ledger` brings in what is away.
    """
    with connection.cursor() as cursor:
        cursor.execute(_NOT_READ)
        found = cursor.fetchone()
    if found is not None:
        raise MonthIsArchived(what="entries", month=found[0])


def check_entries_here(days: Iterable[date]) -> None:
    """Raises MonthIsArchived for the first of these days whose journal entries are in files alone."""
    for month in sorted({day.replace(day=1) for day in days}):
        if is_away(ArchivedMonth.Kind.LEDGER, month):
            raise MonthIsArchived(what="entries", month=f"{month:%Y-%m}")
