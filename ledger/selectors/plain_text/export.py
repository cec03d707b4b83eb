"""What an export holds, in the order it is written: accounts, opening balances, entries, balances to be asserted.

Month after month, through a cursor on the server, so that it takes the same memory for a year as for a day. What
the balances are said to be comes from sums of the database, not from the entries written: so a reader's check says
something.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db import connection

from batconnect.common.errors import BatConnectError
from ledger.models import Account

from ..account_balances import one_moment
from ..archives import check_whole_ledger
from .formats import Beancount, Entry, Format, Hledger, Sum
from .names import account_name

FORMATS: dict[str, Callable[[], Format]] = {"hledger": Hledger, "beancount": Beancount}
ROWS_AT_ONCE = 5_000
ZERO = Decimal(0)

_PERIOD = "SELECT min(je_date), max(je_date) FROM ledger_entry_header"
_MOVED = """
SELECT account_id, sum(CASE side WHEN 'DR' THEN amount ELSE -amount END)
  FROM ledger_entry_line WHERE je_date >= %s AND je_date <= %s GROUP BY account_id
"""
_BEFORE = """
SELECT account_id, sum(CASE side WHEN 'DR' THEN amount ELSE -amount END)
  FROM ledger_entry_line WHERE je_date < %s GROUP BY account_id
"""
_ENTRIES = """
SELECT h.id, h.je_number, h.je_date, h.origin, h.event_on, h.reference, h.description, h.reverses_id,
       h.reverses_date, h.source_id, p.category, p.reference_id, p.account_id, p.description, l.account_id, l.side,
       l.amount, l.fund
  FROM ledger_entry_header h
  JOIN ledger_entry_line l
    ON l.entry_id = h.id AND l.je_date = h.je_date AND l.batch_id = h.batch_id AND l.je_date >= %(first)s
   AND l.je_date <= %(last)s
  LEFT JOIN ledger_posting p ON p.id = h.posting_id
 WHERE h.je_date >= %(first)s AND h.je_date <= %(last)s
 ORDER BY h.je_date, h.id, l.line_number
"""


class UnknownFormat(BatConnectError):
    code, status = "export.unknown_format", 400
    message = "There is no format {name}; choose one of {choices}."


class PeriodBackwards(BatConnectError):
    code, status = "export.period_backwards", 400
    message = "The period ends on {end}, before it begins on {start}."


@dataclass(frozen=True)
class _Account:
    name: str
    currency: str
    places: int

    def sum(self, amount: Decimal, fund: str = "") -> Sum:
        # A finer amount than the currency has is shown as it is: hiding it would be the second mistake.
        places = max(self.places, -int(amount.normalize().as_tuple().exponent))
        return Sum(self.name, amount.quantize(Decimal(1).scaleb(-places)), self.currency, fund)


def export_journal(*, format_name: str, start: date | None = None, end: date | None = None) -> Iterator[str]:
    """The journal from `start` to `end` (both included) as pieces of text. With `start`, balances are brought forward.

    Raises UnknownFormat, PeriodBackwards and MonthIsArchived, before anything is given out.
    """
    if format_name not in FORMATS:
        raise UnknownFormat(name=format_name, choices=", ".join(FORMATS))
    if start and end and end < start:
        raise PeriodBackwards(start=start, end=end)
    check_whole_ledger()
    return _export(FORMATS[format_name](), start, end)


def _export(written: Format, start: date | None, end: date | None) -> Iterator[str]:
    with one_moment():
        found = _rows(_PERIOD, [])[0]
        first = start or found[0] or date(2000, 1, 1)
        last = end or max(found[1] or first, first)
        yield written.beginning(f"Journal of BAT Connect, {first} to {last}")
        accounts = _accounts()
        for currency, places in sorted({(account.currency, account.places) for account in accounts.values()}):
            yield written.commodity(currency, places, first)
        yield "\n"
        for account in accounts.values():
            yield written.account(account.name, account.currency, first)
        standing = dict(_rows(_BEFORE, [first]))
        brought_forward = [accounts[pk].sum(amount) for pk, amount in sorted(standing.items()) if amount]
        if brought_forward:
            yield from written.opening(first, brought_forward)
        # Ends of months without an entry need no telling.
        days = (max(first, found[0] or first), min(last, found[1] or last))
        for month_first, month_last in _months(*days):
            yield from _entries(written, accounts, month_first, month_last)
            moved = _rows(_MOVED, [month_first, month_last])
            for pk, amount in moved:
                standing[pk] = standing.get(pk, ZERO) + amount
            if month_last < last:
                yield from written.balances(
                    month_last, [accounts[pk].sum(standing[pk]) for pk, _ in sorted(moved)]
                )
        yield from written.balances(
            last, [account.sum(standing.get(pk, ZERO)) for pk, account in accounts.items()]
        )


def _accounts() -> dict[int, _Account]:
    """Every account of the chart, by its id, in the order of their codes."""
    rows = Account.objects.order_by("code").values_list(
        "pk", "type", "code", "name", "currency_id", "currency__exponent"
    )
    return {
        pk: _Account(account_name(pk=pk, account_type=kind, code=code, name=name), currency, places)
        for pk, kind, code, name, currency, places in rows.iterator()
    }


def _months(first: date, last: date) -> Iterator[tuple[date, date]]:
    """The stretches of the months between two days."""
    while first <= last:
        next_month = (first.replace(day=1) + timedelta(days=32)).replace(day=1)
        yield first, min(last, next_month - timedelta(days=1))
        first = next_month


def _entries(written: Format, accounts: dict[int, _Account], first: date, last: date) -> Iterator[str]:
    connection.ensure_connection()
    with connection.chunked_cursor() as cursor:
        cursor.execute(_ENTRIES, {"first": first, "last": last})
        for _, rows in groupby(_fetched(cursor), key=itemgetter(0)):
            yield written.entry(_entry(accounts, list(rows)))


def _fetched(cursor: Any) -> Iterator[Sequence[Any]]:
    while rows := cursor.fetchmany(ROWS_AT_ONCE):
        yield from rows


def _entry(accounts: dict[int, _Account], rows: Sequence[Sequence[Any]]) -> Entry:
    (
        _, je_number, on, origin, event_on, reference, description, reverses_id, reverses_date, source_id, category,
        posting_reference, driver_account, posting_description, *_,
    ) = rows[0]  # fmt: skip
    if category:
        reference = f"{category}:{posting_reference}"
        description = posting_description or f"{category} {posting_reference}"
    facts = [("origin", origin), ("reference", reference)]
    if driver_account:
        facts.append(("driver_account", str(driver_account)))
    if source_id:
        facts.append(("source_row", str(source_id)))
    if event_on != on:
        facts.append(("event_on", str(event_on)))
    if reverses_id:
        facts.append(("reverses", f"JE-{reverses_date:%Y%m}-{reverses_id}"))
    return Entry(
        je_number=je_number,
        on=on,
        narration=description or reference or origin.capitalize(),
        facts=[(name, value) for name, value in facts if value],
        lines=[
            accounts[pk].sum(amount if side == "DR" else -amount, "" if fund == "OP" else fund)
            for *_, pk, side, amount, fund in rows
        ],
    )


def _rows(query: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchall()
