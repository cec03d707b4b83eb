"""What the journal's accounts came to before a period, and what moved in it: the base of every report.

A closed month is read from its snapshot; the remaining days alone are added up, each stretch of days by itself, so
that the database leaves every other month's partition unread. Of those days, what came online (batch 0) is read by its
lines, and what large bulk runs brought by the sums that they keep for each day, account and fund: their lines, of
which there may be any number, are never read. Balances are debits minus credits, whatever the account's type.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection, transaction

from batconnect.common.errors import BatConnectError

from ..models import Account

DAY = timedelta(days=1)

# Only what is closed now is read from snapshots: a month that was reopened takes new lines.
_USABLE_MONTHS = """
SELECT m.month FROM accounting_month m
 WHERE m.status = 'CLOSED' AND EXISTS (SELECT FROM account_balance_snapshot s WHERE s.month = m.month)
 ORDER BY m.month
"""
_ARCHIVED = """
SELECT m.month FROM unnest(%s::date[]) AS m (month)
 WHERE to_regclass('ledger_entry_line_' || to_char(m.month, 'YYYYMM')) IS NULL
   AND EXISTS (
     SELECT FROM account_balance_snapshot s WHERE s.month = m.month AND (s.debits <> 0 OR s.credits <> 0)
   )
 ORDER BY m.month LIMIT 1
"""

_OPENING_OF_MONTH = """
SELECT account_id, fund, opening, 0, 0 FROM account_balance_snapshot WHERE month = {month} {narrowed}
"""
_CLOSING_OF_MONTH = """
SELECT account_id, fund, closing, 0, 0 FROM account_balance_snapshot WHERE month = {month} {narrowed}
"""
_MOVED_IN_MONTHS = """
SELECT account_id, fund, 0, debits, credits FROM account_balance_snapshot WHERE month = ANY({months}) {narrowed}
"""
_OPENING_OF_DAYS = """
SELECT account_id, fund, sum(debits) - sum(credits), 0, 0 FROM ({moved}) moved GROUP BY account_id, fund
"""
_MOVED_IN_DAYS = """
SELECT account_id, fund, 0, sum(debits), sum(credits) FROM ({moved}) moved GROUP BY account_id, fund
"""
# Named by its batch, what came online is one partition of each month.
_MOVED = """
SELECT account_id, fund, coalesce(sum(amount) FILTER (WHERE side = 'DR'), 0) AS debits,
       coalesce(sum(amount) FILTER (WHERE side = 'CR'), 0) AS credits
  FROM ledger_entry_line WHERE {days} AND batch_id = 0 {narrowed} GROUP BY account_id, fund
 UNION ALL
SELECT account_id, fund, sum(debits), sum(credits)
  FROM batch_account_total WHERE {days} {narrowed} GROUP BY account_id, fund
"""
_BALANCES = """
SELECT account_id, fund, sum(opening) AS opening, sum(debits) AS debits, sum(credits) AS credits
  FROM ({pieces}) AS pieces (account_id, fund, opening, debits, credits)
 GROUP BY account_id, fund
HAVING sum(opening) <> 0 OR sum(debits) <> 0 OR sum(credits) <> 0
"""
_NAMED = """
SELECT a.id, a.code, a.name, a.type, a.currency_id, b.fund, round(b.opening, c.exponent),
       round(b.debits, c.exponent), round(b.credits, c.exponent)
  FROM ({balances}) b
  JOIN chart_of_accounts a ON a.id = b.account_id
  JOIN currency c ON c.code = a.currency_id
 ORDER BY a.code, b.fund
 LIMIT %(most)s
"""


class MonthArchived(BatConnectError):
    code, status = "report.month_archived", 409
    message = "The lines of {month} are archived; ask for whole months there, or read its archive."


@dataclass(frozen=True)
class AccountBalance:
    """One account and fund over a period. Amounts have the decimals of their currency."""

    account_id: int
    code: str
    name: str
    type: str
    currency: str
    fund: str
    opening: Decimal
    debits: Decimal
    credits: Decimal

    @property
    def closing(self) -> Decimal:
        return self.opening + self.debits - self.credits

    def in_normal_direction(self, balance: Decimal) -> Decimal:
        """A balance as statements print it: what makes the account larger is positive."""
        return balance if self.type in Account.DEBIT_NORMAL else -balance


@dataclass(frozen=True)
class Days:
    """A stretch of days, both included; without a first day it goes back to the beginning."""

    first: date | None
    last: date

    def sql(self) -> str:
        """A condition on je_date, in constants: the planner then leaves other partitions out."""
        upper = f"je_date <= {_quoted(self.last)}"
        return upper if self.first is None else f"je_date >= {_quoted(self.first)} AND {upper}"


@dataclass(frozen=True)
class Sources:
    """Where the balances of a period are read: snapshots for the months they cover, lines for the other days."""

    opening_of: date | None
    closing_of: date | None
    days_before: Days | None
    months: Sequence[date]
    days_inside: Sequence[Days]


@contextmanager
def one_moment() -> Iterator[None]:
    """All reads inside see the ledger as it is at one moment, whatever is posted or closed meanwhile."""
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def account_balances(
    *,
    start: date,
    end: date,
    fund: str | None = None,
    account_ids: Sequence[int] | None = None,
    most: int | None = None,
) -> list[AccountBalance]:
    """Accounts and funds with anything to show for `start` to `end`, both included, by code and fund.

    `most` is the number of rows after which to stop. Raises MonthArchived when lines are needed that were moved out
    of the database.
    """
    with one_moment():
        sql = balances_sql(
            sources_of(start, end, usable_months(start, end)), fund=fund, account_ids=account_ids
        )
        with connection.cursor() as cursor:
            parameters = {"fund": fund, "accounts": list(account_ids or ()), "most": most}
            cursor.execute(_NAMED.format(balances=sql), parameters)
            return [AccountBalance(*row) for row in cursor.fetchall()]


def usable_months(start: date, end: date) -> list[date]:
    """The closed months that have snapshots, in order. Raises MonthArchived if a needed part of one is gone."""
    with connection.cursor() as cursor:
        cursor.execute(_USABLE_MONTHS)
        months = [month for (month,) in cursor.fetchall()]
    partly = [month for month in months if _overlaps(month, start, end) and not _covers(month, start, end)]
    check_not_archived(partly)
    return months


def check_not_archived(months: Sequence[date]) -> None:
    """Raises MonthArchived for the first of these months whose lines are no longer in the database."""
    if not months:
        return
    with connection.cursor() as cursor:
        cursor.execute(_ARCHIVED, [list(months)])
        found = cursor.fetchone()
    if found is not None:
        raise MonthArchived(month=f"{found[0]:%Y-%m}")


def sources_of(start: date, end: date, months: Sequence[date]) -> Sources:
    """What to read for a period when these months, in order, have snapshots."""
    own = month_of(start)
    earlier = [month for month in months if month < own]
    opening_of = own if own in months else None
    closing_of = earlier[-1] if earlier and opening_of is None else None
    first = opening_of or (next_month(closing_of) if closing_of else None)
    before = Days(first, start - DAY) if start > date.min and first != start else None
    whole = [month for month in months if _covers(month, start, end)]
    inside, reached = [], start
    for month in whole:
        if reached < month:
            inside.append(Days(reached, month - DAY))
        reached = next_month(month)
    if reached <= end:
        inside.append(Days(reached, end))
    return Sources(opening_of, closing_of, before, whole, inside)


def balances_sql(
    sources: Sources, *, fund: str | None = None, account_ids: Sequence[int] | None = None
) -> str:
    """SELECT account_id, fund, opening, debits, credits; parameters `fund` and `accounts` where they are given."""
    narrowed = "" if fund is None else "AND fund = %(fund)s "
    narrowed += "" if account_ids is None else "AND account_id = ANY(%(accounts)s)"
    pieces = []
    if sources.opening_of is not None:
        pieces.append(_OPENING_OF_MONTH.format(month=_quoted(sources.opening_of), narrowed=narrowed))
    if sources.closing_of is not None:
        pieces.append(_CLOSING_OF_MONTH.format(month=_quoted(sources.closing_of), narrowed=narrowed))
    if sources.days_before is not None:
        pieces.append(_OPENING_OF_DAYS.format(moved=moved_sql(sources.days_before, narrowed)))
    if sources.months:
        listed = ", ".join(_quoted(month) for month in sources.months)
        pieces.append(_MOVED_IN_MONTHS.format(months=f"ARRAY[{listed}]", narrowed=narrowed))
    pieces += [_MOVED_IN_DAYS.format(moved=moved_sql(days, narrowed)) for days in sources.days_inside]
    return _BALANCES.format(pieces=" UNION ALL ".join(pieces))


def moved_sql(days: Days, narrowed: str = "") -> str:
    """SELECT account_id, fund, debits, credits of some days, a row or two for each account and fund.

    `narrowed`: more conditions on account_id and fund, beginning with AND.
    """
    return _MOVED.format(days=days.sql(), narrowed=narrowed)


def month_of(day: date) -> date:
    return day.replace(day=1)


def next_month(month: date) -> date:
    return month_of(month + timedelta(days=31))


def last_day_of(month: date) -> date:
    """The last day of a month."""
    return next_month(month) - DAY


def _covers(month: date, start: date, end: date) -> bool:
    return start <= month and last_day_of(month) <= end


def _overlaps(month: date, start: date, end: date) -> bool:
    return month <= end and start <= last_day_of(month)


def _quoted(day: date) -> Any:
    """A date as a constant of SQL; a `date` is written in digits and dashes alone."""
    return f"'{day.isoformat()}'::date"
