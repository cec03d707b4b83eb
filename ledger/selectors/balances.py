"""Open items as lists show them, and what one driver owes, now or as of a past day.

As of a day, the sums are over postings and allocations with `effective_on` up to that day. They are computed
backwards from what is open now, by taking back what was allocated since: the same figure, read from the recent
rows alone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import F, QuerySet

from batconnect.common.money import ZERO

from ..models import DriverAccount, LedgerBalance
from .postings import Filters, accounts_of, dated_between, localized, postings_with_reference, with_reversals

_ROW = {
    "driver_id": F("posting__driver_id"),
    "driver_name": F("posting__driver__name"),
    "lease_id": F("posting__lease_id"),
    "lease_number": F("posting__lease__number"),
    "medallion_no": F("posting__medallion__number"),
    "vehicle_vin": F("posting__vehicle__vin"),
    "entry_type": F("posting__entry_type"),
    "description": F("posting__description"),
    "due_date": F("due_on"),
}
_FIELDS = (
    "posting_id",
    "category",
    "status",
    "reference_id",
    "original_amount",
    "balance",
    "effective_on",
    "last_allocated_on",
    "applied_payment_refs",
    "created_at",
)

# What the last day's allocations moved an item by, signed so that balance + moved is the balance before them.
_MOVED_LAST = """
SELECT b.posting_id, sum(CASE WHEN b.original_amount > 0 THEN a.amount ELSE -a.amount END)
  FROM ledger_balance b
  JOIN ledger_allocation a
    ON a.account_id = b.account_id AND a.effective_on = b.last_allocated_on
   AND b.posting_id IN (a.debit_id, a.credit_id)
 WHERE b.posting_id = ANY(%s)
 GROUP BY b.posting_id
"""

OPEN_NOW = """
SELECT account_id, category, due_on, balance AS open FROM ledger_balance WHERE status = 'OPEN' {of_accounts}
"""
# Items that are open still, or were closed since by a later allocation.
OPEN_AS_OF = """
SELECT b.account_id, b.category, b.due_on, b.balance + coalesce(since.amount, 0) AS open
  FROM ledger_balance b
  LEFT JOIN since ON since.item = b.posting_id
 WHERE b.status = 'OPEN' AND b.effective_on <= %(as_of)s {of_accounts}
UNION ALL
SELECT b.account_id, b.category, b.due_on, since.amount
  FROM since JOIN ledger_balance b ON b.posting_id = since.item
 WHERE b.status = 'CLOSED' AND b.effective_on <= %(as_of)s
"""
ALLOCATED_SINCE = """
SELECT item, sum(amount) AS amount
  FROM (
    SELECT debit_id AS item, amount FROM ledger_allocation WHERE effective_on > %(as_of)s {of_accounts}
    UNION ALL
    SELECT credit_id, -amount FROM ledger_allocation WHERE effective_on > %(as_of)s {of_accounts}
  ) moved
 GROUP BY item
"""

_BY_CATEGORY = """
WITH {open_items}
SELECT account_id, category, coalesce(sum(open) FILTER (WHERE open > 0), 0.00),
       coalesce(-sum(open) FILTER (WHERE open < 0), 0.00)
  FROM open_items WHERE open <> 0
 GROUP BY account_id, category ORDER BY account_id, category
"""


def filtered_balances(filters: Filters) -> QuerySet[LedgerBalance]:
    """Open items that match; `status` is OPEN or CLOSED, the dates are accounting dates, both included."""
    queryset = LedgerBalance.objects.order_by()
    accounts = accounts_of(filters)
    if accounts is not None:
        # Open items are indexed by account; closed ones are reached through their posting, which is too.
        path = "account__in" if filters.get("status") == LedgerBalance.Status.OPEN else "posting__account__in"
        queryset = queryset.filter(**{path: accounts})
    for name, path in (
        ("medallion_no", "posting__medallion__number"),
        ("vehicle_vin", "posting__vehicle__vin"),
        ("status", "status"),
        ("category", "category"),
        ("entry_type", "posting__entry_type"),
    ):
        if name in filters:
            queryset = queryset.filter(**{path: filters[name]})
    queryset = dated_between(queryset, filters)
    if "reference_id" in filters:
        queryset = queryset.filter(pk__in=with_reversals(postings_with_reference(filters["reference_id"])))
    return queryset


def rows_of_balances(ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """The rows of these open items, in any order."""
    rows = LedgerBalance.objects.order_by().filter(pk__in=ids).values(*_FIELDS, **_ROW)
    return _with_prior_balance(rows)


def stream_balances(queryset: QuerySet[LedgerBalance], size: int = 2_000) -> Iterator[dict[str, Any]]:
    """Every row of a query, in its order, through a server-side cursor."""
    rows = queryset.values(*_FIELDS, **_ROW).iterator(chunk_size=size)
    while chunk := list(islice(rows, size)):
        yield from _with_prior_balance(chunk)


def _with_prior_balance(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add `prior_balance`: what of the item was open before the allocations of its last allocation date.

    Never allocated: the same as its balance. All of one day's allocations and undoings count as one movement.
    """
    found = [localized(row) for row in rows]
    moved = _moved_last([row["posting_id"] for row in found if row["last_allocated_on"]])
    for row in found:
        row["prior_balance"] = row["balance"] + moved.get(row["posting_id"], ZERO)
    return found


def _moved_last(ids: Sequence[UUID]) -> Mapping[UUID, Decimal]:
    if not ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_MOVED_LAST, [list(ids)])
        return dict(cursor.fetchall())


def open_amount(posting_id: UUID) -> Decimal:
    """What of one posting is open, signed like it."""
    return LedgerBalance.objects.values_list("balance", flat=True).get(pk=posting_id)


def driver_balance(*, driver_id: int, as_of: date | None = None) -> dict[str, Any]:
    """What a driver owes and has in hand, by lease and category. `as_of` None is now: the open items.

    `balance` is debits minus credits, the running balance of the driver's accounts.
    """
    accounts = DriverAccount.objects.filter(driver_id=driver_id).order_by("id")
    leases: dict[int, dict[str, Any]] = {
        row["id"]: {"lease_id": row["lease_id"], "lease_number": row["lease__number"], "categories": []}
        for row in accounts.values("id", "lease_id", "lease__number")
    }
    if leases:
        with connection.cursor() as cursor:
            cursor.execute(
                _BY_CATEGORY.format(open_items=open_items(as_of=as_of, of_accounts=True)),
                {"as_of": as_of, "accounts": list(leases)},
            )
            for account_id, category, debits, credits in cursor.fetchall():
                leases[account_id]["categories"].append(_sums(debits, credits, category=category))
    for lease in leases.values():
        lease.update(_added(lease["categories"]))
    by_category: dict[str, list[dict[str, Any]]] = {}
    for line in (line for lease in leases.values() for line in lease["categories"]):
        by_category.setdefault(line["category"], []).append(line)
    return {
        **_added(leases.values()),
        "categories": [{"category": name, **_added(lines)} for name, lines in sorted(by_category.items())],
        "leases": list(leases.values()),
    }


def open_items(*, as_of: date | None, of_accounts: bool = False) -> str:
    """The common table expressions that end in `open_items`; parameters `as_of`, `accounts`."""
    clause = "AND {}account_id = ANY(%(accounts)s)" if of_accounts else ""
    plain, aliased = clause.format(""), clause.format("b.")
    if as_of is None:
        return f"open_items AS ({OPEN_NOW.format(of_accounts=plain)})"
    return (
        f"since AS MATERIALIZED ({ALLOCATED_SINCE.format(of_accounts=plain)}),"
        f" open_items AS ({OPEN_AS_OF.format(of_accounts=aliased)})"
    )


def _sums(debits: Decimal, credits: Decimal, **rest: Any) -> dict[str, Any]:
    return {**rest, "open_debits": debits, "open_credits": credits, "balance": debits - credits}


def _added(lines: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    found = list(lines)
    return _sums(
        sum((line["open_debits"] for line in found), ZERO),
        sum((line["open_credits"] for line in found), ZERO),
    )
