"""Receivables by how long they are past due, for everyone, now or as of a past day.

Per account: open debits in buckets of days past due, open credits in a column of their own. The balance of a
row is its debits minus its credits, so the total is the sum of all driver accounts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection

from .balances import open_items

# name → first and last day past due; a debit with a later due date is not due.
BUCKETS = {
    "not_due": (None, 0),
    "days_1_7": (1, 7),
    "days_8_14": (8, 14),
    "days_15_28": (15, 28),
    "days_29_plus": (29, None),
}
COLUMNS = (*BUCKETS, "open_debits", "open_credits", "balance")
LABELS = {
    "not_due": "Not due",
    "days_1_7": "1 to 7 days",
    "days_8_14": "8 to 14 days",
    "days_15_28": "15 to 28 days",
    "days_29_plus": "29 days and more",
    "open_debits": "Owed",
    "open_credits": "In hand",
    "balance": "Balance",
}
_SORTS = {
    "driver_name": "d.name",
    "lease_number": "l.number",
    **{name: f"a.{name}" for name in COLUMNS},
}
SORTS = tuple(_SORTS)


def _bucket(name: str) -> str:
    first, last = BUCKETS[name]
    bounds = [f"%(day)s::date - due_on >= {first}"] if first is not None else []
    bounds += [f"%(day)s::date - due_on <= {last}"] if last is not None else []
    return f"coalesce(sum(open) FILTER (WHERE open > 0 AND {' AND '.join(bounds)}), 0.00) AS {name}"


_AGED = f"""
SELECT account_id,
       {", ".join(_bucket(name) for name in BUCKETS)},
       coalesce(sum(open) FILTER (WHERE open > 0), 0.00) AS open_debits,
       coalesce(-sum(open) FILTER (WHERE open < 0), 0.00) AS open_credits,
       coalesce(sum(open), 0.00) AS balance
  FROM open_items WHERE open <> 0
 GROUP BY account_id
"""  # noqa: S608  (made of the constants above)
_TOTALS = f"SELECT count(*), {', '.join(f'coalesce(sum({name}), 0.00)' for name in COLUMNS)} FROM aged"  # noqa: S608
_PAGE = f"""
SELECT d.id, d.name, l.id, l.number, {", ".join(f"a.{name}" for name in COLUMNS)}
  FROM aged a
  JOIN driver_account account ON account.id = a.account_id
  JOIN driver d ON d.id = account.driver_id
  JOIN lease l ON l.id = account.lease_id
 ORDER BY {{sort}}, a.account_id
 LIMIT %(limit)s OFFSET %(offset)s
"""  # noqa: S608


@dataclass(frozen=True)
class Aging:
    """The report as screens and files show it: rows by balance, the largest first, of all `accounts` that have any."""

    as_of: date
    accounts: int
    totals: dict[str, Any]
    rows: Sequence[dict[str, Any]]


def aging_totals(*, today: date) -> dict[str, Any]:
    """What everybody owes now by how long it is past due: the totals of `aging`, by COLUMNS."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH {open_items(as_of=None)}, aged AS ({_AGED}) {_TOTALS}", {"as_of": None, "day": today}
        )
        _, *totals = cursor.fetchone()
    return dict(zip(COLUMNS, totals, strict=True))


def aging_report(*, as_of: date, today: date, offset: int = 0, limit: int | None = None) -> Aging:
    """Receivables by age on a day; from today on, as they are now."""
    count, totals, rows = aging(
        today=as_of, as_of=as_of if as_of < today else None, offset=offset, limit=limit
    )
    return Aging(as_of, count, totals, rows)


def aging(
    *,
    today: date,
    as_of: date | None = None,
    sort_by: str = "balance",
    descending: bool = True,
    offset: int = 0,
    limit: int | None = None,
) -> tuple[int, dict[str, Any], Sequence[dict[str, Any]]]:
    """How many accounts have anything open, the totals over all of them, and the rows asked for.

    `as_of` None is now: the open items, aged as of `today`.
    """
    prefix = f"WITH {open_items(as_of=as_of)}, aged AS ({_AGED}) "
    sort = f"{_SORTS[sort_by]} {'DESC' if descending else 'ASC'}"
    parameters = {"as_of": as_of, "day": as_of or today, "limit": limit, "offset": offset}
    with connection.cursor() as cursor:
        cursor.execute(prefix + _TOTALS, parameters)
        count, *totals = cursor.fetchone()
        cursor.execute(prefix + _PAGE.format(sort=sort), parameters)
        names = ("driver_id", "driver_name", "lease_id", "lease_number", *COLUMNS)
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return count, dict(zip(COLUMNS, totals, strict=True)), rows
