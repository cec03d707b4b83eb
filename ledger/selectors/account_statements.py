"""One account's lines with its running balance: what it began with, each line and what it comes from, its end.

Pages are keyset pages: a line's place is (je_date, entry, line number), and a page is looked for month by month,
so that neither a long account nor a page far back costs more than the month it lies in; and what large bulk runs
brought, only where they say that it lies (`bulk_lines`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection

from batconnect.common.errors import BatConnectError

from ..models import Account, Category
from .account_balances import (
    AccountBalance,
    account_balances,
    check_not_archived,
    last_day_of,
    one_moment,
    usable_months,
)
from .bulk_lines import moved_on_day, stretches_of_days
from .trial_balance import check_fund

_LINES = """
SELECT l.je_date, l.entry_id, l.line_number, l.batch_id, l.fund, l.side, l.amount
  FROM ledger_entry_line l
 WHERE l.account_id = %(account)s AND {where} {narrowed}
 ORDER BY l.je_date, l.entry_id, l.line_number
"""
_DAYS = "l.je_date >= %(first)s AND l.je_date <= %(last)s"
# What came online, and what bulk runs brought in each of the stretches named.
_PAGE_OF_LINES = """
SELECT * FROM ({pieces}) found ORDER BY je_date, entry_id, line_number LIMIT %(limit)s
"""
# A trip's month is that of the day it happened, which names its partition.
_WITH_ORIGINS = """
WITH lines AS MATERIALIZED ({lines})
SELECT l.je_date, l.entry_id, l.line_number, l.fund, l.side, round(l.amount, %(exponent)s), h.je_number, h.origin,
       h.event_on, coalesce(nullif(p.description, ''), nullif(h.description, ''), t.description, '') AS description,
       coalesce(p.reference_id, nullif(h.reference, ''), s.source_rowid, ''), p.id, p.category,
       p.reversal_for_id IS NOT NULL OR h.reverses_id IS NOT NULL, d.id, d.name
  FROM lines l
  LEFT JOIN LATERAL (
    SELECT h.* FROM ledger_entry_header h
     WHERE h.id = l.entry_id AND h.je_date = l.je_date AND h.batch_id = l.batch_id
       AND h.je_date >= %(first)s AND h.je_date <= %(last)s OFFSET 0
  ) h ON true
  LEFT JOIN ledger_posting p ON p.id = h.posting_id
  LEFT JOIN journal_template t ON t.id = h.template_id
  LEFT JOIN LATERAL (
    SELECT s.source_rowid, s.driver_id FROM txn_source_parent s
     WHERE s.id = h.source_id AND s.txn_month = date_trunc('month', h.event_on::timestamp)::date OFFSET 0
  ) s ON h.source_id IS NOT NULL
  LEFT JOIN driver d ON d.id = coalesce(p.driver_id, s.driver_id)
 ORDER BY l.je_date, l.entry_id, l.line_number
"""
# What moved on the cursor's own day, up to and including its line, online.
_MOVED_ON_DAY = """
SELECT coalesce(sum(CASE side WHEN 'DR' THEN amount ELSE -amount END), 0)
  FROM ledger_entry_line
 WHERE account_id = %(account)s AND je_date = %(day)s AND (entry_id, line_number) <= (%(entry)s, %(line)s)
   AND batch_id = 0 {narrowed}
"""

_COUNT = """
SELECT count(*) FROM (
  SELECT FROM ledger_entry_line
   WHERE account_id = %(account)s AND je_date >= %(first)s AND je_date <= %(last)s {narrowed} LIMIT %(most)s
) lines
"""
_MONTHS_KEPT = """
SELECT to_date(right(c.relname, 6), 'YYYYMM')
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
 WHERE i.inhparent = 'ledger_entry_line'::regclass ORDER BY 1
"""


class UnknownAccount(BatConnectError):
    code, status = "report.unknown_account", 404
    message = "There is no account {account} in the chart of accounts."


class BadCursor(BatConnectError):
    code, status = "report.bad_cursor", 400
    message = "This cursor is not one that a statement of this period gave; leave it out to begin anew."


class Place(NamedTuple):
    """Where a line stands in its account."""

    je_date: date
    entry_id: int
    line_number: int

    def cursor(self) -> str:
        return f"{self.je_date.isoformat()}.{self.entry_id}.{self.line_number}"

    @classmethod
    def read(cls, cursor: str) -> "Place":
        """Raises BadCursor."""
        parts = cursor.split(".")
        try:
            if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts[1:]):
                raise ValueError
            place = cls(date.fromisoformat(parts[0]), int(parts[1]), int(parts[2]))
        except ValueError:
            raise BadCursor from None
        if place.entry_id >= 2**63 or place.line_number >= 2**15:
            raise BadCursor
        return place


@dataclass(frozen=True)
class StatementLine:
    """One line of the journal. `amount` is positive, `balance` what the account had after it: debits minus credits.

    `reference` and `description` are those of the posting, the entry or the trip it comes from.
    """

    je_date: date
    entry_id: int
    line_number: int
    fund: str
    side: str
    amount: Decimal
    je_number: str
    origin: str
    event_on: date
    description: str
    reference: str
    posting_id: Any
    category: str | None
    is_reversal: bool
    driver_id: int | None
    driver_name: str | None
    balance: Decimal

    @property
    def debit(self) -> Decimal | None:
        return self.amount if self.side == "DR" else None

    @property
    def credit(self) -> Decimal | None:
        return self.amount if self.side == "CR" else None

    @property
    def category_label(self) -> str:
        return str(Category(self.category).label) if self.category else ""

    @property
    def place(self) -> Place:
        return Place(self.je_date, self.entry_id, self.line_number)


@dataclass(frozen=True)
class Statement:
    """The whole period's figures, and one page of its lines; `balance_before` is that above the page's first line."""

    account: Account
    start: date
    end: date
    fund: str | None
    figures: AccountBalance
    balance_before: Decimal
    lines: Sequence[StatementLine]
    next_cursor: str | None


def account_statement(
    *,
    account: Account,
    start: date,
    end: date,
    fund: str | None = None,
    cursor: str | None = None,
    limit: int = 100,
) -> Statement:
    """A page of an account's lines from `start` to `end`, both included, in order.

    cursor: the `next_cursor` of the page before. Raises BadCursor, UnknownFund, MonthArchived.
    """
    after = Place.read(cursor) if cursor else None
    if after and not start <= after.je_date <= end:
        raise BadCursor
    with one_moment():
        _check_lines_kept(start, end)
        figures = _figures(account, start, end, fund)
        before = figures.opening if after is None else _balance_at(account, after, fund)
        lines = _page(account, start, end, fund, after, limit + 1, before)
    more = len(lines) > limit
    lines = lines[:limit]
    return Statement(
        account, start, end, fund, figures, before, lines, lines[-1].place.cursor() if more else None
    )


def stream_statement(
    *, account: Account, start: date, end: date, fund: str | None = None, size: int = 2_000
) -> tuple[Decimal, Iterator[StatementLine]]:
    """The opening balance, and every line through a server-side cursor."""
    with one_moment():
        _check_lines_kept(start, end)
        opening = _figures(account, start, end, fund).opening
    return opening, _streamed(account, start, end, fund, opening, size)


def count_lines(*, account: Account, start: date, end: date, fund: str | None, most: int) -> int:
    """How many lines there are, counting up to `most`."""
    with connection.cursor() as cursor:
        cursor.execute(
            _COUNT.format(narrowed=_narrowed(fund)),
            {"account": account.pk, "first": start, "last": end, "fund": fund, "most": most},
        )
        return int(cursor.fetchone()[0])


def find_account(name: str) -> Account:
    """The account of this code, or of this API id. Raises UnknownAccount."""
    accounts = Account.objects.select_related("currency")
    found = accounts.filter(code=name).first()
    if found is None and len(name) == 36 and set(name.lower()) <= set("0123456789abcdef-"):
        found = accounts.filter(uid=name).first() if name.count("-") == 4 else None
    if found is None:
        raise UnknownAccount(account=name)
    return found


def _check_lines_kept(start: date, end: date) -> None:
    months = usable_months(start, end)
    check_not_archived([month for month in months if month <= end and start <= last_day_of(month)])


def _figures(account: Account, start: date, end: date, fund: str | None) -> AccountBalance:
    """The account's sums over the period; of all its funds together when none is asked for."""
    rows = account_balances(start=start, end=end, fund=fund, account_ids=[account.pk])
    if fund is not None and not rows:
        check_fund(fund)
    zero = Decimal(0).scaleb(-account.currency.exponent)
    return AccountBalance(
        account_id=account.pk,
        code=account.code,
        name=account.name,
        type=account.type,
        currency=account.currency.code,
        fund=fund or "",
        opening=sum((row.opening for row in rows), zero),
        debits=sum((row.debits for row in rows), zero),
        credits=sum((row.credits for row in rows), zero),
    )


def _balance_at(account: Account, place: Place, fund: str | None) -> Decimal:
    """The balance after the line at that place."""
    opening = _figures(account, place.je_date, place.je_date, fund).opening
    with connection.cursor() as cursor:
        cursor.execute(
            _MOVED_ON_DAY.format(narrowed=_narrowed(fund)),
            {
                "account": account.pk,
                "day": place.je_date,
                "entry": place.entry_id,
                "line": place.line_number,
                "fund": fund,
            },
        )
        (online,) = cursor.fetchone()
    bulk = moved_on_day(account.pk, place.je_date, place.entry_id, place.line_number, fund=fund)
    return opening + round(online + bulk, account.currency.exponent)


def _page(
    account: Account,
    start: date,
    end: date,
    fund: str | None,
    after: Place | None,
    wanted: int,
    balance: Decimal,
) -> list[StatementLine]:
    """Up to `wanted` lines: of the first month, then of twice as many months at a time until there are enough."""
    lines: list[StatementLine] = []
    months = [
        month for month in _months_kept() if month <= end and last_day_of(month) >= (after or (start,))[0]
    ]
    span, place = 1, after
    while months and len(lines) < wanted:
        taken, months = months[:span], months[span:]
        first, last = max(start, taken[0]), min(end, last_day_of(taken[-1]))
        with connection.cursor() as cursor:
            left = wanted - len(lines)
            cursor.execute(
                _page_sql(account, first, last, fund, place, left),
                {**_parameters(account, first, last, fund, place), "limit": left},
            )
            for row in cursor.fetchall():
                balance += row[5] if row[4] == "DR" else -row[5]
                lines.append(StatementLine(*[*row, balance]))
        place, span = None, span * 2
    return lines


def _months_kept() -> list[date]:
    """The months whose lines are in the database, in order."""
    with connection.cursor() as cursor:
        cursor.execute(_MONTHS_KEPT)
        return [month for (month,) in cursor.fetchall()]


def _streamed(
    account: Account, start: date, end: date, fund: str | None, balance: Decimal, size: int
) -> Iterator[StatementLine]:
    with connection.chunked_cursor() as cursor:
        lines = _LINES.format(where=_DAYS, narrowed=_narrowed(fund))
        cursor.execute(_WITH_ORIGINS.format(lines=lines), _parameters(account, start, end, fund, None))
        while rows := cursor.fetchmany(size):
            for row in rows:
                balance += row[5] if row[4] == "DR" else -row[5]
                yield StatementLine(*[*row, balance])


def _page_sql(
    account: Account, first: date, last: date, fund: str | None, after: Place | None, wanted: int
) -> str:
    narrowed = _narrowed(fund)
    if after is not None:
        narrowed += " AND (l.je_date, l.entry_id, l.line_number) > (%(day)s, %(entry)s, %(line)s)"
    stretches = stretches_of_days(
        account.pk,
        first,
        last,
        fund=fund,
        after=None if after is None else (after.je_date, after.entry_id),
        lines=wanted,
    )
    pieces = [
        f"({_LINES.format(where=where, narrowed=narrowed)} LIMIT %(limit)s)"
        for where in [f"{_DAYS} AND l.batch_id = 0", *(stretch.sql() for stretch in stretches)]
    ]
    return _WITH_ORIGINS.format(lines=_PAGE_OF_LINES.format(pieces=" UNION ALL ".join(pieces)))


def _parameters(
    account: Account, first: date, last: date, fund: str | None, after: Place | None
) -> dict[str, Any]:
    return {
        "account": account.pk,
        "first": first,
        "last": last,
        "fund": fund,
        "exponent": account.currency.exponent,
        "day": after.je_date if after else None,
        "entry": after.entry_id if after else None,
        "line": after.line_number if after else None,
    }


def _narrowed(fund: str | None) -> str:
    return "" if fund is None else " AND fund = %(fund)s"
