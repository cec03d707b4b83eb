"""Partitions of the months to come, made before anything is posted in them.

A month is also made when its first row arrives; but then that row's transaction holds up the others of the month
until it ends.
"""

from datetime import date

from django.db import connection

MONTHS_AHEAD = 2

_MAKE = """
SELECT ensure_journal_month(month::date), ensure_txn_source_month(month::date)
  FROM generate_series(
         date_trunc('month', %(today)s::timestamp),
         date_trunc('month', %(today)s::timestamp) + %(ahead)s * interval '1 month',
         interval '1 month'
       ) AS month
"""


def make_months_ahead(*, today: date) -> int:
    """Make the partitions of this month and the next two where they are missing; returns how many months it saw to."""
    with connection.cursor() as cursor:
        cursor.execute(_MAKE, {"today": today, "ahead": MONTHS_AHEAD})
        return len(cursor.fetchall())
