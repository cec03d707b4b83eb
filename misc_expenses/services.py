"""Charging a miscellaneous expense, and taking it back. Both are one call of the ledger and one record here."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal

from batconnect.common import audit
from batconnect.common.errors import BatConnectError
from batconnect.common.models import User
from batconnect.common.money import parse_amount
from batconnect.common.numbers import reserve_numbers
from batconnect.common.transactions import money_transaction
from leases.models import Lease
from ledger.models import Category, LedgerPosting
from ledger.services import obligations, voids
from ledger.services.accounts import open_account
from ledger.services.void_approval import check_alone

from .finding import checked_lease
from .models import LARGEST, SMALLEST, ExpenseCategory, MiscellaneousExpense

LONGEST_NOTES = 500


class UnknownCategory(BatConnectError):
    code, status = "misc_expense.category", 400
    message = "{category} is not a kind of expense; choose one of {choices}."


class AmountOutOfRange(BatConnectError):
    code, status = "misc_expense.amount", 400
    message = "{amount} is out of range; an expense is from {smallest} to {largest}."


class DatedAhead(BatConnectError):
    code, status = "misc_expense.future_date", 400
    message = "{date} is after {today}; an expense is not dated ahead of today."


class NotesTooLong(BatConnectError):
    code, status = "misc_expense.notes", 400
    message = "Notes have at most {longest} printable characters."


class UnknownExpense(BatConnectError):
    code, status = "misc_expense.unknown", 404
    message = "There is no miscellaneous expense {expense_id}."


# Looked at before a charge: each is called with the keywords lease, category, amount and event_on, and raises a
# BatConnectError to refuse it. The caps of leases are one.
ExpenseCheck = Callable[..., None]
_checks: list[ExpenseCheck] = []


def register_check(check: ExpenseCheck) -> None:
    """Announce a rule about expenses that belongs to another app; called once, from its `ready`."""
    if check not in _checks:
        _checks.append(check)


@money_transaction
def create_misc_expense(
    *,
    driver_id: int,
    lease_id: int,
    category: str,
    amount: Decimal,
    expense_date: date,
    actor: User,
    on: date,
    notes: str = "",
    case_no: str = "",
) -> MiscellaneousExpense:
    """Charge a driver on an active lease: number, debit posting, open item, record and audit in one transaction.

    amount: US dollars, 0.01 to 99,999.99. Raises the errors above, LeaseNotTheirs, NoActiveLease, what a registered
    check raises, and what `create_obligation` raises. Source: domain.md, misc expenses.
    """
    amount = _checked(category=category, amount=amount, expense_date=expense_date, notes=notes, on=on)
    lease = check_lease_and_rules(
        driver_id=driver_id,
        lease_id=lease_id,
        category=category,
        amount=amount,
        expense_date=expense_date,
        on=on,
    )
    (expense_id,) = reserve_numbers(prefix="MISC", year=on.year, count=1)
    posting = obligations.create_obligation(
        account=open_account(driver_id=driver_id, lease_id=lease_id),
        category=Category.MISC,
        amount=amount,
        reference_id=expense_id,
        actor=actor,
        on=on,
        event_on=expense_date,
        product=category,
        description=category,
    )
    expense = MiscellaneousExpense.objects.create(
        expense_id=expense_id,
        account_id=posting.account_id,
        driver_id=driver_id,
        lease=lease,
        vehicle_id=posting.vehicle_id,
        medallion_id=posting.medallion_id,
        category=category,
        amount=amount,
        expense_date=expense_date,
        entered_on=on,
        notes=notes.strip(),
        posting=posting,
        case_no=case_no,
        created_by=actor,
    )
    audit.record(
        actor=actor,
        action="misc_expense.created",
        subject=f"misc_expense:{expense_id}",
        after={
            "category": category,
            "amount": str(amount),
            "driver": driver_id,
            "lease": lease.number,
            "posting": str(posting.pk),
        },
        case_no=case_no,
    )
    return expense


@money_transaction
def void_misc_expense(*, expense_id: str, reason: str, actor: User, on: date) -> LedgerPosting:
    """Void the charge as it stands now, and return its reversal.

    Raises UnknownExpense, NeedsApproval for one that takes a second person, and as `voids.void_posting`.
    """
    expense = MiscellaneousExpense.objects.with_status().filter(expense_id=expense_id).first()
    if expense is None:
        raise UnknownExpense(expense_id=expense_id)
    posting_id = expense.current_posting_id  # type: ignore[attr-defined]
    check_alone(posting_id)
    reversal = voids.void_posting(posting_id=posting_id, reason=reason, actor=actor, on=on)
    audit.record(
        actor=actor,
        action="misc_expense.voided",
        subject=f"misc_expense:{expense_id}",
        after={"reversal": str(reversal.pk), "reason": reversal.reason},
        case_no=expense.case_no,
    )
    return reversal


def check_lease_and_rules(
    *, driver_id: int, lease_id: int, category: str, amount: Decimal, expense_date: date, on: date
) -> Lease:
    """The lease, if this may be charged on it; also asked before a confirmation is shown."""
    _checked(category=category, amount=amount, expense_date=expense_date, notes="", on=on)
    lease = checked_lease(driver_id=driver_id, lease_id=lease_id, on=on)
    for check in _checks:
        check(lease=lease, category=category, amount=amount, event_on=expense_date)
    return lease


def _checked(*, category: str, amount: Decimal, expense_date: date, notes: str, on: date) -> Decimal:
    if category not in ExpenseCategory.values:
        raise UnknownCategory(category=category, choices=", ".join(ExpenseCategory.values))
    amount = parse_amount(amount)
    if not SMALLEST <= amount <= LARGEST:
        raise AmountOutOfRange(amount=amount, smallest=SMALLEST, largest=f"{LARGEST:,}")
    if expense_date > on:
        raise DatedAhead(date=expense_date, today=on)
    if len(notes) > LONGEST_NOTES or "\0" in notes:
        raise NotesTooLong(longest=LONGEST_NOTES)
    return amount
