"""An account's events one after another, in the order they were made, each with what the account stood at after it.

The log is what happened: postings and allocations of a driver account, journal lines of an account of the chart. Read
through a cursor on the server, so an account of any length takes the same memory.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.db import connection, transaction

from batconnect.common.errors import BatConnectError

from ..models import Account, DriverAccount
from .archives import check_whole_ledger

ROWS_AT_ONCE = 2_000

# What was made in one statement has one moment: postings come before the allocations that need them.
_DRIVER_EVENTS = """
SELECT made_at, kind, number, dated, what, amount,
       sum(moves) OVER events AS balance, sum(debits) OVER events AS open_debits,
       sum(credits) OVER events AS open_credits
  FROM (
    SELECT created_at AS made_at, 1 AS rank, 'posting' AS kind, seq AS number, effective_on AS dated,
           category || ' ' || reference_id || CASE WHEN reversal_for_id IS NULL THEN '' ELSE ' (reversal)' END AS what,
           amount, amount AS moves, greatest(amount, 0) AS debits, least(amount, 0) AS credits
      FROM ledger_posting WHERE account_id = %(account)s
    UNION ALL
    SELECT a.created_at, 2, 'allocation', a.id, a.effective_on,
           c.category || ' ' || c.reference_id || ' pays ' || d.category || ' ' || d.reference_id
             || CASE WHEN a.undoes_id IS NULL THEN '' ELSE ' (undone)' END,
           a.amount, 0, -a.amount, a.amount
      FROM ledger_allocation a
      JOIN ledger_posting c ON c.id = a.credit_id
      JOIN ledger_posting d ON d.id = a.debit_id
     WHERE a.account_id = %(account)s
  ) events
WINDOW events AS (ORDER BY made_at, rank, number ROWS UNBOUNDED PRECEDING)
 ORDER BY made_at, rank, number
"""
_JOURNAL_EVENTS = """
SELECT h.created_at, lower(h.origin), h.je_number, l.je_date,
       concat_ws(' ', nullif(h.reference, ''), nullif(h.description, ''), p.category, p.reference_id,
                 CASE WHEN h.reverses_id IS NOT NULL THEN '(reversal)' END),
       l.side, round(l.amount, c.exponent),
       round(sum(CASE WHEN (l.side = 'DR') = (a.type IN ('ASSET', 'EXPENSE')) THEN l.amount ELSE -l.amount END)
               OVER (ORDER BY l.entry_id, l.line_number ROWS UNBOUNDED PRECEDING), c.exponent)
  FROM ledger_entry_line l
  JOIN ledger_entry_header h ON h.id = l.entry_id AND h.je_date = l.je_date AND h.batch_id = l.batch_id
  JOIN chart_of_accounts a ON a.id = l.account_id
  JOIN currency c ON c.code = a.currency_id
  LEFT JOIN ledger_posting p ON p.id = h.posting_id
 WHERE l.account_id = %(account)s
 ORDER BY l.entry_id, l.line_number
"""


class NoSuchAccount(BatConnectError):
    code, status = "replay.no_account", 404
    message = "There is no {kind} {account}."


@dataclass(frozen=True)
class DriverEvent:
    """One posting or allocation; after it the account owes `balance`, which is what its open items add up to."""

    made_at: str
    kind: str
    number: int
    dated: str
    what: str
    amount: str
    balance: str
    open_debits: str
    open_credits: str


@dataclass(frozen=True)
class JournalEvent:
    """One line of the account; `balance` counts in the account's normal direction."""

    made_at: str
    origin: str
    je_number: str
    dated: str
    what: str
    side: str
    amount: str
    balance: str


Event = DriverEvent | JournalEvent


def replay_driver_account(account_id: int) -> Iterator[Event]:
    """The events of one driver account. Raises NoSuchAccount at once."""
    if not DriverAccount.objects.filter(pk=account_id).exists():
        raise NoSuchAccount(kind="driver account", account=account_id)
    return _events(DriverEvent, _DRIVER_EVENTS, account_id)


def replay_account(code: str) -> Iterator[Event]:
    """The events of one account of the chart. Raises NoSuchAccount and MonthIsArchived at once."""
    account_id = Account.objects.filter(code=code).values_list("pk", flat=True).first()
    if account_id is None:
        raise NoSuchAccount(kind="account of the chart", account=code)
    check_whole_ledger()
    return _events(JournalEvent, _JOURNAL_EVENTS, account_id)


def as_dict(event: Event) -> dict[str, Any]:
    return asdict(event)


def _events(kind: type[Event], query: str, account_id: int) -> Iterator[Event]:
    with transaction.atomic():
        connection.ensure_connection()
        with connection.chunked_cursor() as cursor:
            cursor.execute(query, {"account": account_id})
            while rows := cursor.fetchmany(ROWS_AT_ONCE):
                for row in rows:
                    yield kind(*_texts(row))


def _texts(row: Sequence[Any]) -> list[Any]:
    made_at, *rest = row
    return [made_at.isoformat(), *(value if isinstance(value, int | str) else str(value) for value in rest)]
