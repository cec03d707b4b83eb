"""People who write and approve journals, and journals for tests to begin with."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection

from batconnect.common.models import User
from ledger.models import EntryHeader, EntryLine, ManualJournal
from ledger.services import journals
from tests.factories import make_user

FEE_DAY = date(2019, 3, 12)
TODAY = date(2019, 4, 3)


def accountant(**fields: Any) -> User:
    return make_user(permissions=("ledger.enter_journal",), **fields)


def controller(**fields: Any) -> User:
    return make_user(permissions=("ledger.approve_journal",), **fields)


def line(account: str, side: str, amount: Any, **more: Any) -> dict[str, Any]:
    return {"account": account, "side": side, "amount": amount, **more}


def bank_fee(amount: str = "35.00") -> list[dict[str, Any]]:
    """The bank took a fee: fleet cost against the bank."""
    return [line("5200", "DR", amount), line("1010", "CR", amount)]


def submit(
    *, lines: list[dict[str, Any]] | None = None, by: User | None = None, je_date: date = FEE_DAY, **more: Any
) -> ManualJournal:
    fields = {"description": "Bank fee of March", "on": TODAY, **more}
    return journals.submit_journal(
        lines=bank_fee() if lines is None else lines, actor=by or accountant(), je_date=je_date, **fields
    )


def enter(*, by: User | None = None, approver: User | None = None, **more: Any) -> EntryHeader:
    """A journal written by one and approved by another; returns its entry."""
    journal = journals.approve_journal(number=submit(by=by, **more).number, actor=approver or controller())
    return EntryHeader.objects.get(pk=journal.entry_id)


def moved(code: str) -> Decimal:
    """Debits minus credits on an account, over everything."""
    lines = EntryLine.objects.filter(account__code=code).values_list("side", "amount")
    return sum((amount if side == "DR" else -amount for side, amount in lines), Decimal(0))


def written() -> Mapping[str, int]:
    """How much is in each table that journals write to: what a refusal must leave as it was."""
    tables = (
        "manual_journal", "ledger_entry_header", "ledger_entry_line", "ledger_entry_reversal", "audit_entry",
        "accounting_month", "accounting_month_event", "account_balance_snapshot",
    )  # fmt: skip
    with connection.cursor() as cursor:
        counts = {}
        for table in tables:
            cursor.execute(f"SELECT count(*) FROM {table}")
            counts[table] = cursor.fetchone()[0]
    return counts
