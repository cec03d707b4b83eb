"""Lending money to drivers: drafted, paid out, forgiven. How it is repaid is `repayments`' to know."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from django.conf import settings

from batconnect.common.errors import BatConnectError, ConflictingState
from batconnect.common.models import User
from batconnect.common.money import BadAmount, parse_amount
from batconnect.common.transactions import money_transaction
from leases.models import Lease
from ledger.models import LedgerPosting, Origin, OutgoingMethod
from ledger.services.entries import Entered
from ledger.services.house_events import enter_house_event
from ledger.services.reasons import checked_reason
from repayments.matrix import Planned
from repayments.models import HIGHEST_RATE, Because, Kind, State, Status
from repayments.services import decisions, schedules
from repayments.services.decisions import Change, need
from repayments.services.errors import RateOutOfRange
from repayments.services.plans import Plan, lock_plan

from .models import DriverLoan, LoanMovement

LONGEST_REFERENCE, LONGEST_PURPOSE = 60, 500
NO_INTEREST = Decimal("0.00")


class NoActiveLease(ConflictingState):
    code = "loan.no_active_lease"
    message = "Lease {lease} does not run on {day}, so nothing is lent on it."


class BadMethod(BatConnectError):
    code, status = "loan.method", 400
    message = "{method} is no way to pay out; choose CASH, CHECK or ACH."


class ReferenceMissing(BatConnectError):
    code, status = "loan.method_reference", 400
    message = "Give the {what}, in 1 to {longest} printable characters."


class SecondPersonNeeded(ConflictingState):
    code = "loan.second_person"
    message = (
        "{number} is {amount}; above {limit} somebody else than {entered_by}, who entered it, has to {do} it."
    )


class DecidedInCase(ConflictingState):
    code = "loan.decided_in_case"
    message = "{number} waits in case {case_no}; decide it there."


class PaidOut(ConflictingState):
    code = "loan.paid_out"
    message = "{number} was paid out, so it is not cancelled: pay it off, or forgive what is left of it."


class NothingToForgive(ConflictingState):
    code = "loan.nothing_to_forgive"
    message = (
        "Nothing of {number} is left to forgive. What is posted is the driver's debt: write that off instead."
    )


@money_transaction
def create_loan(
    *,
    driver_id: int,
    lease_id: int,
    amount: Decimal,
    rate: Decimal,
    loan_date: date,
    first_due_on: date,
    method: str,
    actor: User,
    on: date,
    method_reference: str = "",
    purpose: str = "",
    case_no: str = "",
) -> DriverLoan:
    """Draft a loan with its schedule; nothing moves before it is paid out.

    amount: US dollars, 0.01 to 99,999.99; rate: per cent a year, 0.00 to 25.00. Raises as `check_loan`.
    """
    lease, planned = check_loan(
        driver_id=driver_id,
        lease_id=lease_id,
        amount=amount,
        rate=rate,
        loan_date=loan_date,
        first_due_on=first_due_on,
        method=method,
        method_reference=method_reference,
        on=on,
    )
    return schedules.make_repayment(
        DriverLoan,
        kind=Kind.LOAN,
        lease=lease,
        amount=schedules.checked_amount(amount),
        rate=_checked_rate(rate),
        starts_on=loan_date,
        planned=planned,
        actor=actor,
        on=on,
        case_no=case_no,
        method=method,
        method_reference=method_reference.strip(),
        purpose=purpose.strip()[:LONGEST_PURPOSE],
    )


def check_loan(
    *,
    driver_id: int,
    lease_id: int,
    amount: Decimal,
    rate: Decimal,
    loan_date: date,
    first_due_on: date,
    method: str,
    on: date,
    method_reference: str = "",
) -> tuple[Lease, list[Planned]]:
    """The lease and the schedule a loan would get; also asked before a confirmation is shown.

    Raises UnknownLease, NoActiveLease, BadMethod, ReferenceMissing, AmountOutOfRange, RateOutOfRange, DatedAhead,
    NotASaturday, DueTooEarly, DueTooLate.
    """
    lease = schedules.checked_lease(driver_id=driver_id, lease_id=lease_id)
    _check_runs(lease, on=on)
    schedules.checked_past(loan_date, on=on)
    if method not in OutgoingMethod.values:
        raise BadMethod(method=method)
    reference = method_reference.strip()
    if method != OutgoingMethod.CASH and not (
        0 < len(reference) <= LONGEST_REFERENCE and reference.isprintable()
    ):
        what = "number of the check" if method == OutgoingMethod.CHECK else "reference of the ACH payment"
        raise ReferenceMissing(what=what, longest=LONGEST_REFERENCE)
    planned = schedules.first_schedule(
        amount=schedules.checked_amount(amount),
        rate=_checked_rate(rate),
        starts_on=loan_date,
        first_due_on=first_due_on,
        on=on,
    )
    return lease, planned


def needs_approval(amount: Decimal) -> bool:
    return amount > settings.LOAN_APPROVAL_ABOVE


@money_transaction
def pay_out(*, number: str, actor: User, on: date, case_no: str = "") -> DriverLoan:
    """Hand the money over: the loan is open, and in the books from its date on (or the first open day after it).

    Raises UnknownRepayment, WrongStatus, DecidedInCase, NoActiveLease when the lease ended since it was drafted, and
    SecondPersonNeeded for a large one of one's own.
    """
    plan = lock_plan(kind=Kind.LOAN, number=number)
    loan = DriverLoan.objects.get(pk=plan.repayment.pk)
    change = paying_out(plan)
    if loan.case_no and loan.case_no != case_no:
        raise DecidedInCase(number=number, case_no=loan.case_no)
    _check_runs(plan.repayment.lease, on=on)
    large = needs_approval(loan.amount)
    if large:
        _refuse_own(plan, actor, "approve")
    schedules.apply(plan, change, actor=actor, on=on, case_no=case_no)
    entered = enter_house_event(
        "LOAN_PAID_OUT",
        amount=loan.amount,
        on=loan.starts_on,
        actor=actor,
        reference=number,
        origin=Origin.LOAN,
        channel=loan.method,
        description=f"{loan.get_method_display()} {loan.method_reference}".strip(),
    )
    _record(
        loan,
        LoanMovement.Movement.PAID_OUT,
        loan.amount,
        entered,
        actor,
        approved_by=actor if large else None,
    )
    return DriverLoan.objects.get(pk=loan.pk)


def paying_out(plan: Plan) -> Change:
    """A draft becomes open, and its amount is handed over. Raises WrongStatus."""
    need(plan, Status.DRAFT, what="paid out")
    return Change(action="paid_out", state=State.OPEN, pays_out=plan.repayment.amount)


@money_transaction
def forgive(*, number: str, reason: str, actor: User, on: date) -> DriverLoan:
    """Book what is neither posted nor repaid as bad debt, and cancel what is scheduled.

    What is posted already stays the driver's debt. Raises as `forgiving`, and SecondPersonNeeded for a large one.
    """
    plan = lock_plan(kind=Kind.LOAN, number=number)
    change = forgiving(plan, reason=reason)
    if needs_approval(change.forgives):
        _refuse_own(plan, actor, "forgive")
    schedules.apply(plan, change, actor=actor, on=on)
    entered = enter_house_event(
        "LOAN_FORGIVEN",
        amount=change.forgives,
        on=on,
        actor=actor,
        reference=number,
        origin=Origin.LOAN,
        description=change.reason[:160],
    )
    loan = DriverLoan.objects.get(pk=plan.repayment.pk)
    _record(loan, LoanMovement.Movement.FORGIVEN, change.forgives, entered, actor, reason=change.reason)
    return loan


def forgiving(plan: Plan, *, reason: str) -> Change:
    """What forgiving changes: principal that is scheduled, and that of voided installments.

    Raises WrongStatus, NothingToForgive, ReasonLength.
    """
    need(plan, Status.OPEN, Status.HOLD, what="forgiven")
    left = plan.remaining + max(plan.repayment.standing.adrift, Decimal("0.00"))
    if not left:
        raise NothingToForgive(number=plan.number)
    return Change(
        action="forgiven",
        state=State.OPEN,
        reason=checked_reason(reason),
        cancels=plan.scheduled,
        because=Because.FORGIVEN,
        forgives=left,
        waives=plan.remaining,
    )


def cancelling(plan: Plan, *, reason: str) -> Change:
    """Only a draft of a loan is cancelled. Raises PaidOut, WrongStatus, ReasonLength."""
    if plan.status in (Status.OPEN, Status.HOLD):
        raise PaidOut(number=plan.number)
    need(plan, Status.DRAFT, what="cancelled")
    return decisions.cancel(plan, reason=reason)


def cancel_draft(*, number: str, reason: str, actor: User, on: date, case_no: str = "") -> None:
    """Raises UnknownRepayment and as `cancelling`."""
    schedules.carry_out(
        kind=Kind.LOAN,
        number=number,
        decide=lambda plan: cancelling(plan, reason=reason),
        actor=actor,
        on=on,
        case_no=case_no,
    )


def fall_due(*, lease: Lease, on: date, actor: User) -> list[LedgerPosting]:
    """Charge at once what is still scheduled of a lease's loans, with the interest to the day; for the deposit."""
    return schedules.fall_due(kind=Kind.LOAN, lease=lease, on=on, actor=actor)


def fall_due_on(*, leases: Sequence[Lease], actor: User, on: date) -> None:
    """`fall_due` for those of these leases that have anything scheduled: what the release of their deposits asks."""
    for lease in schedules.with_something_scheduled(kind=Kind.LOAN, leases=leases):
        fall_due(lease=lease, on=on, actor=actor)


def _check_runs(lease: Lease, *, on: date) -> None:
    if not Lease.objects.on(on).filter(pk=lease.pk).exists():
        raise NoActiveLease(lease=lease.number, day=on)


def _checked_rate(rate: Decimal) -> Decimal:
    try:
        rate = parse_amount(rate)
    except BadAmount:
        raise RateOutOfRange(rate=rate, highest=HIGHEST_RATE) from None
    if not 0 <= rate <= HIGHEST_RATE:
        raise RateOutOfRange(rate=rate, highest=HIGHEST_RATE)
    return rate


def _refuse_own(plan: Plan, actor: User, do: str) -> None:
    if actor.pk == plan.repayment.created_by_id:
        raise SecondPersonNeeded(
            number=plan.number,
            amount=plan.repayment.amount,
            limit=settings.LOAN_APPROVAL_ABOVE,
            entered_by=plan.repayment.created_by.username,
            do=do,
        )


def _record(
    loan: DriverLoan,
    movement: LoanMovement.Movement,
    amount: Decimal,
    entered: Entered,
    actor: User,
    *,
    reason: str = "",
    approved_by: User | None = None,
) -> LoanMovement:
    return LoanMovement.objects.create(
        loan=loan,
        movement=movement,
        amount=amount,
        entry_id=entered.entry_id,
        je_date=entered.je_date,
        je_number=entered.je_number,
        reason=reason,
        approved_by=approved_by,
        created_by=actor,
    )
