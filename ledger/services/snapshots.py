"""Month-end balances: one row per account and fund for each closed month, so that reports read no old lines.

They are projections. Taken when a month closes, dropped when it reopens, and made again from the lines at any
time; those of archived months from the totals that were recorded with their lines.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db import connection

from batconnect.common import audit
from batconnect.common.transactions import money_transaction

from ..models import Account, AccountingMonth, ArchivedAccountTotal, ArchivedMonth, BalanceSnapshot
from ..selectors.account_balances import (
    DAY,
    Days,
    balances_sql,
    last_day_of,
    moved_sql,
    next_month,
    sources_of,
    usable_months,
)
from .errors import LedgerError

ZERO = Decimal(0)

# Whoever posts holds this lock shared: with it, no line of the month is on its way.
_LOCK_CALENDAR = "SELECT pg_advisory_xact_lock(ledger_calendar_lock())"
_TAKE = """
INSERT INTO account_balance_snapshot (month, account_id, fund, opening, debits, credits, closing)
SELECT {month}::date, account_id, fund, opening, debits, credits, opening + debits - credits FROM ({balances}) b
"""
_MOVED = "SELECT account_id, fund, sum(debits), sum(credits) FROM ({moved}) moved GROUP BY account_id, fund"

Key = tuple[int, str]  # account id, fund
Figures = tuple[Decimal, Decimal, Decimal, Decimal]  # opening, debits, credits, closing


class MonthNotClosed(LedgerError):
    code, status = "snapshot.month_open", 409
    message = "{month} is not closed; month-end balances are taken of closed months alone."


@dataclass(frozen=True)
class SnapshotDifference:
    """A row that was not what the lines say. None: there was no such row, or there should be none."""

    month: date
    account: str
    fund: str
    stored: Figures | None
    computed: Figures | None


@money_transaction
def take_snapshots(*, month: date) -> int:
    """Keep what every account and fund came to by the end of a closed month; returns how many rows.

    month: its first day. Replaces what is there. Call it in the transaction that closes the month, after the month
    is CLOSED. Raises MonthNotClosed.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_CALENDAR)
        if month not in _closed_months():
            raise MonthNotClosed(month=f"{month:%Y-%m}")
        BalanceSnapshot.objects.filter(month=month).delete()
        end = last_day_of(month)
        earlier = [known for known in usable_months(month, end) if known < month]
        balances = balances_sql(sources_of(month, end, earlier))
        cursor.execute(_TAKE.format(month=f"'{month.isoformat()}'", balances=balances))
        return int(cursor.rowcount)


@money_transaction
def drop_snapshots(*, month: date) -> int:
    """Forget the balances of a month that reopens, and of those after it; returns how many rows."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_CALENDAR)
    return BalanceSnapshot.objects.filter(month__gte=month).delete()[0]


@money_transaction
def rebuild_snapshots(*, write: bool = True) -> list[SnapshotDifference]:
    """Compare the snapshots with the lines, put right what differs, and return what did.

    With `write=False` only compare. What was put right is in the audit trail. Rows of months that are not closed
    should not be there. Of an archived month, the totals recorded with its lines are counted.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_CALENDAR)
    differences = [*_strays(), *_wrong_rows()]
    if write and differences:
        codes = {account.code: account.pk for account in Account.objects.only("code")}
        for found in differences:
            _put_right(found, codes[found.account])
        audit.record(
            actor=audit.system_user(),
            action="snapshots.rebuilt",
            subject="snapshots",
            before={_name(found): _shown(found.stored) for found in differences},
            after={_name(found): _shown(found.computed) for found in differences},
        )
    return differences


def _closed_months() -> list[date]:
    closed = AccountingMonth.objects.filter(status=AccountingMonth.Status.CLOSED)
    return list(closed.order_by("month").values_list("month", flat=True))


def _strays() -> Iterator[SnapshotDifference]:
    """Rows of months that are not closed."""
    strays = BalanceSnapshot.objects.exclude(month__in=_closed_months()).select_related("account")
    for row in strays.order_by("month", "account__code", "fund"):
        yield SnapshotDifference(row.month, row.account.code, row.fund, _figures(row), None)


def _wrong_rows() -> Iterator[SnapshotDifference]:
    """Month after month: what is stored against what the lines add up to."""
    codes = dict(Account.objects.values_list("id", "code"))
    balances: dict[Key, Decimal] = {}
    counted_through: date | None = None
    for month in _closed_months():
        stored = _stored(month)
        # What lies between the closed months, or before the first; as a rule there is nothing.
        first = counted_through + DAY if counted_through else None
        if first is None or first < month:
            for key, (debits, credits) in _moved(Days(first, month - DAY)).items():
                balances[key] = balances.get(key, ZERO) + debits - credits
        computed = _expected(balances, _archived(month) or _moved(Days(month, last_day_of(month))))
        for key in sorted(stored.keys() | computed.keys(), key=lambda key: (codes[key[0]], key[1])):
            if stored.get(key) != computed.get(key):
                yield SnapshotDifference(month, codes[key[0]], key[1], stored.get(key), computed.get(key))
        balances = {key: figures[3] for key, figures in computed.items()}
        counted_through = next_month(month) - DAY


def _expected(
    openings: Mapping[Key, Decimal], moved: Mapping[Key, tuple[Decimal, Decimal]]
) -> dict[Key, Figures]:
    rows = {}
    for key in openings.keys() | moved.keys():
        opening, (debits, credits) = openings.get(key, ZERO), moved.get(key, (ZERO, ZERO))
        if opening or debits or credits:
            rows[key] = (opening, debits, credits, opening + debits - credits)
    return rows


def _moved(days: Days) -> dict[Key, tuple[Decimal, Decimal]]:
    with connection.cursor() as cursor:
        cursor.execute(_MOVED.format(moved=moved_sql(days)))
        return {(account_id, fund): (debits, credits) for account_id, fund, debits, credits in cursor}


def _stored(month: date) -> dict[Key, Figures]:
    return {(row.account_id, row.fund): _figures(row) for row in BalanceSnapshot.objects.filter(month=month)}


def _figures(row: BalanceSnapshot) -> Figures:
    return row.opening, row.debits, row.credits, row.closing


def _archived(month: date) -> dict[Key, tuple[Decimal, Decimal]]:
    """What moved in a month whose lines were archived, as it was recorded with them; empty for other months."""
    rows = ArchivedAccountTotal.objects.filter(
        archive__kind=ArchivedMonth.Kind.LEDGER,
        archive__month=month,
        archive__dropped_at__isnull=False,
        archive__restored_at__isnull=True,
    )
    return {(row.account_id, row.fund): (row.debits, row.credits) for row in rows}


def _put_right(found: SnapshotDifference, account_id: int) -> None:
    BalanceSnapshot.objects.filter(month=found.month, account_id=account_id, fund=found.fund).delete()
    if found.computed is not None:
        opening, debits, credits, closing = found.computed
        BalanceSnapshot.objects.create(
            month=found.month,
            account_id=account_id,
            fund=found.fund,
            opening=opening,
            debits=debits,
            credits=credits,
            closing=closing,
        )


def _name(found: SnapshotDifference) -> str:
    return f"{found.month:%Y-%m} {found.account} {found.fund}"


def _shown(figures: Figures | None) -> list[str] | None:
    return None if figures is None else [str(figure) for figure in figures]
