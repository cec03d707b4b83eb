"""One account's balance, now or as it was, and its events: the lines that moved it.

Amounts are in the account's normal direction: what makes it larger is positive.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.core import signing
from django.db import connection

from batconnect.common.errors import BatConnectError
from batconnect.common.weeks import local_date

from ..models import Account, GuardedBalance
from .account_balances import account_balances, check_not_archived, one_moment
from .bulk_lines import moved_from

LAST_DAY = date(9998, 12, 31)  # no entry is dated ahead, so this is now
LONGEST_CURSOR = 300
_SALT = "ledger.events"

# The last month that was closed by that moment and is closed still: what its snapshot counts was all there then.
_CLOSED_BEFORE = """
SELECT m.month, (m.month + interval '1 month')::date
  FROM accounting_month m
 WHERE m.status = 'CLOSED' AND m.month + interval '1 month' <= %(day)s
   AND EXISTS (SELECT FROM account_balance_snapshot s WHERE s.month = m.month)
   AND (SELECT max(e.created_at) FROM accounting_month_event e WHERE e.month_id = m.month) <= %(moment)s
 ORDER BY m.month DESC LIMIT 1
"""
_MONTHS_WITH_SNAPSHOTS = """
SELECT DISTINCT month FROM account_balance_snapshot WHERE month >= %(first)s AND month <= %(day)s ORDER BY month
"""
# Nothing is dated ahead of the day it is entered, so what was there at a moment is dated no later than its day. What a
# large bulk run brought was there, all of it, when the run was posted.
_AT_MOMENT = """
SELECT coalesce((SELECT sum(closing) FROM account_balance_snapshot
                  WHERE month = %(month)s AND account_id = %(account)s), 0)
     + coalesce((
         SELECT sum(CASE l.side WHEN 'DR' THEN l.amount ELSE -l.amount END)
           FROM ledger_entry_line l
           JOIN ledger_entry_header h ON h.id = l.entry_id AND h.je_date = l.je_date AND h.batch_id = l.batch_id
          WHERE l.account_id = %(account)s AND l.je_date >= %(first)s AND l.je_date <= %(day)s
            AND h.je_date >= %(first)s AND h.je_date <= %(day)s AND h.created_at <= %(moment)s
            AND l.batch_id = 0 AND h.batch_id = 0
       ), 0)
     + coalesce((
         SELECT sum(t.debits) - sum(t.credits)
           FROM batch_account_total t JOIN journal_run r ON r.id = t.batch_id AND r.posted_at <= %(moment)s
          WHERE t.account_id = %(account)s AND t.je_date >= %(first)s AND t.je_date <= %(day)s
       ), 0)
"""
# Of what came online.
_MOVED_FROM = """
SELECT coalesce(sum(CASE side WHEN 'DR' THEN amount ELSE -amount END), 0)
  FROM ledger_entry_line
 WHERE account_id = %(account)s AND batch_id = 0 AND entry_id >= %(entry)s
   AND (entry_id, line_number) >= (%(entry)s, %(line)s)
"""
# `balance` is what the account has after the first line that is read.
_EVENTS = """
WITH page AS MATERIALIZED (
  SELECT l.entry_id, l.line_number, l.je_date, l.batch_id, l.side, l.amount, l.fund,
         CASE WHEN (l.side = 'DR') = %(debit_normal)s THEN l.amount ELSE -l.amount END AS change
    FROM ledger_entry_line l
   WHERE l.account_id = %(account)s AND l.entry_id <= %(entry)s
     AND (l.entry_id, l.line_number) < (%(entry)s, %(line)s)
   ORDER BY l.entry_id DESC, l.line_number DESC
   LIMIT %(limit)s
)
SELECT p.entry_id, p.line_number, h.je_number, h.je_date, h.event_on, h.origin, p.side, p.fund, p.amount, p.change,
       %(balance)s::numeric - coalesce(sum(p.change) OVER (
         ORDER BY p.entry_id DESC, p.line_number DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
       ), 0) AS balance_after,
       h.description, h.reference, h.metadata, h.created_at
  FROM page p
  JOIN ledger_entry_header h ON h.id = p.entry_id AND h.je_date = p.je_date AND h.batch_id = p.batch_id
 ORDER BY p.entry_id DESC, p.line_number DESC
"""
_NEWEST = (2**62, 0)


class BadCursor(BatConnectError):
    code, status = "events.bad_cursor", 400
    message = "This cursor is not one that was answered for this account; begin without one."


@dataclass(frozen=True)
class Events:
    """Some of an account's lines, newest first, and the cursor for those before; None when there are none."""

    items: list[dict[str, Any]]
    next_cursor: str | None


def balance_of(account: Account, *, as_of: date | datetime | None = None) -> Decimal:
    """What the account has, with its currency's decimals.

    as_of: None is now; a date counts entries with an accounting date up to it; a moment counts those entered by
    then, whatever their date. Raises MonthArchived when lines are needed that were moved out of the database.
    """
    if isinstance(as_of, datetime):
        with one_moment():
            return _at_moment(account, as_of)
    if as_of is None:
        guarded = GuardedBalance.objects.filter(pk=account.pk).values_list("balance", flat=True).first()
        if guarded is not None:
            return _rounded(account, guarded)
    day = as_of or LAST_DAY
    # From the first of the month: a month that is closed and over by that day is then read from its snapshot.
    rows = account_balances(start=day.replace(day=1), end=day, account_ids=[account.pk])
    return _directed(account, sum((row.closing for row in rows), Decimal(0)))


def events_of(account: Account, *, limit: int, cursor: str | None = None) -> Events:
    """Lines of an account, newest first, each with the balance after it. Raises BadCursor.

    "After" is in the order of the entries' numbers. For a guarded account that is the order in which they came, and
    the cursor brings the balance along, so that no page costs more than the first. Other accounts' entries may come
    in another order than that of their numbers; what newer lines moved is added up for each page.
    """
    entry, line, last = _read_cursor(account, cursor)
    with one_moment(), connection.cursor() as db:
        parameters: dict[str, Any] = {
            "account": account.pk,
            "debit_normal": account.is_debit_normal,
            "entry": entry,
            "line": line,
            "balance": _balance_before(account, entry, line) if last is None else last,
            "limit": limit + 1,
        }
        db.execute(_EVENTS, parameters)
        names = [column.name for column in db.description]
        rows = [dict(zip(names, row, strict=True)) for row in db.fetchall()]
    shown = rows[:limit]
    for row in shown:
        for name in ("amount", "change", "balance_after"):
            row[name] = _rounded(account, row[name])
        row["metadata"] = row["metadata"] and json.loads(row["metadata"])
    if len(rows) <= limit:
        return Events(shown, None)
    return Events(shown, _write_cursor(account, shown[-1]))


def _balance_before(account: Account, entry: int, line: int) -> Decimal:
    """What the account has now, less what the lines from this place on moved, in its normal direction."""
    now = balance_of(account)
    if (entry, line) == _NEWEST:
        return now
    with connection.cursor() as cursor:
        cursor.execute(_MOVED_FROM, {"account": account.pk, "entry": entry, "line": line})
        (online,) = cursor.fetchone()
    return now - _directed(account, online + moved_from(account.pk, entry, line))


def _at_moment(account: Account, moment: datetime) -> Decimal:
    day = local_date(moment)
    with connection.cursor() as cursor:
        cursor.execute(_CLOSED_BEFORE, {"day": day, "moment": moment})
        month, first = cursor.fetchone() or (None, date(1, 1, 1))
        cursor.execute(_MONTHS_WITH_SNAPSHOTS, {"first": first, "day": day})
        check_not_archived([found for (found,) in cursor.fetchall()])
        parameters = {"account": account.pk, "month": month, "first": first, "day": day, "moment": moment}
        cursor.execute(_AT_MOMENT, parameters)
        (debits_less_credits,) = cursor.fetchone()
    return _directed(account, debits_less_credits)


def _directed(account: Account, debits_less_credits: Decimal) -> Decimal:
    return _rounded(account, debits_less_credits if account.is_debit_normal else -debits_less_credits)


def _rounded(account: Account, amount: Decimal) -> Decimal:
    """With the currency's decimals; lines have no finer amounts. Zero has no sign."""
    return amount.quantize(Decimal(1).scaleb(-account.currency.exponent)) + 0


def _write_cursor(account: Account, row: Mapping[str, Any]) -> str:
    before = row["balance_after"] - row["change"] if account.overdraft_limit is not None else None
    return signing.dumps(
        [account.pk, row["entry_id"], row["line_number"], None if before is None else str(before)], salt=_SALT
    )


def _read_cursor(account: Account, cursor: str | None) -> tuple[int, int, Decimal | None]:
    if cursor is None:
        return *_NEWEST, None
    try:
        account_id, entry, line, last = signing.loads(cursor, salt=_SALT)
    except (signing.BadSignature, ValueError):
        raise BadCursor from None
    if account_id != account.pk:
        raise BadCursor
    return entry, line, None if last is None else Decimal(last)
