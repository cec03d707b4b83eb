"""What is left of a released deposit is paid back by a person, who records how; and a payment that came back."""

from datetime import date

from batconnect.common import audit
from batconnect.common.errors import BatConnectError, ConflictingState
from batconnect.common.models import User
from batconnect.common.transactions import money_transaction
from leases.deposit_models import DepositRefund, DepositRelease
from leases.models import Lease
from ledger.services import deposits as ledger_deposits
from ledger.services.errors import translated
from ledger.services.reasons import checked_reason

from .terms import locked_deposit

LONGEST_METHOD_REFERENCE = 60


class NotReleased(ConflictingState):
    code = "deposit.not_released"
    message = "The deposit of lease {number} is still held; it is paid back after its release."


class NothingToRefund(ConflictingState):
    code = "deposit.nothing_to_refund"
    message = "Nothing of the deposit of lease {number} is left to pay back."


class NothingRefunded(ConflictingState):
    code = "deposit.nothing_refunded"
    message = "No refund of the deposit of lease {number} is out, so none can have come back."


class WhichRefund(BatConnectError):
    code, status = "deposit.which_refund", 400
    message = "More than one refund of the deposit of lease {number} is out; say which came back: {choices}."


class RefundNotOut(ConflictingState):
    code = "deposit.refund_not_out"
    message = "Refund {refund_id} is none of lease {number}'s, or it came back already. Those that are out: {choices}."


class RefundDated(BatConnectError):
    code, status = "deposit.refund_date", 400
    message = "A refund is dated from its release, {first}, through today, {today}; this is {day}."


class MethodReferenceTooLong(BatConnectError):
    code, status = "deposit.method_reference", 400
    message = "A check number or ACH reference has at most {longest} printable characters."


@money_transaction
def record_refund(
    *, lease: Lease, method: str, method_reference: str, actor: User, on: date, paid_on: date | None = None
) -> DepositRefund:
    """Record that all that is left of a released deposit was paid back, by CHECK or ACH.

    `on` is today; `paid_on` the day it was paid. Raises NoDeposit, NotReleased, NothingToRefund, RefundDated,
    UnknownMethod, MethodReferenceMissing, MethodReferenceTooLong.
    """
    deposit = locked_deposit(lease)
    if not deposit.is_released:
        raise NotReleased(number=lease.number)
    if deposit.to_refund <= 0:
        raise NothingToRefund(number=lease.number)
    reference = method_reference.strip()
    if len(reference) > LONGEST_METHOD_REFERENCE or not reference.isprintable():
        raise MethodReferenceTooLong(longest=LONGEST_METHOD_REFERENCE)
    paid = _checked_day(paid_on or on, first=deposit.release.released_on, on=on)
    entered = ledger_deposits.enter_refund(
        amount=deposit.to_refund,
        reference=f"{deposit.lease.number}/DEPOSIT",
        method=method,
        method_reference=reference,
        actor=actor,
        on=paid,
    )
    with translated():
        refund = DepositRefund.objects.create(
            release=deposit.release,
            amount=deposit.to_refund,
            paid_on=paid,
            method=method,
            method_reference=reference,
            entry_id=entered.entry_id,
            entry_date=entered.je_date,
            created_by=actor,
        )
    _record("deposit.refunded", refund, deposit.lease_id, actor)
    return refund


@money_transaction
def return_refund(
    *,
    lease: Lease,
    reason: str,
    actor: User,
    on: date,
    paid_on: date | None = None,
    refund_id: int | None = None,
) -> DepositRefund:
    """Record that a refund came back (a failed ACH, a stopped check): it is to be paid back again.

    `refund_id` names it; without one it is the only one that is out. Raises NoDeposit, NothingRefunded, WhichRefund,
    RefundNotOut, RefundDated, ReasonLength.
    """
    reason = checked_reason(reason)
    deposit = locked_deposit(lease)
    refund = _named(lease, refunds_out(deposit.release) if deposit.is_released else [], refund_id)
    came_back = _checked_day(paid_on or on, first=refund.paid_on, on=on)
    entered = ledger_deposits.enter_returned_refund(
        entry_id=refund.entry_id,
        entry_date=refund.entry_date,
        reference=f"{deposit.lease.number}/DEPOSIT",
        reason=reason,
        actor=actor,
        on=came_back,
    )
    with translated():
        returned = DepositRefund.objects.create(
            release=refund.release,
            amount=refund.amount,
            paid_on=came_back,
            method=refund.method,
            method_reference=refund.method_reference,
            returns=refund,
            reason=reason,
            entry_id=entered.entry_id,
            entry_date=entered.je_date,
            created_by=actor,
        )
    _record("deposit.refund_returned", returned, deposit.lease_id, actor)
    return returned


def refunds_out(release: DepositRelease) -> list[DepositRefund]:
    """The refunds that did not come back, the latest first."""
    refunds = DepositRefund.objects.filter(release=release, returns__isnull=True, returned_by__isnull=True)
    return list(refunds.order_by("-id"))


def refund_told(refund: DepositRefund) -> str:
    """How people know one: `150.00 by CHECK 1042 on 2025-10-01`."""
    return f"{refund.amount} by {refund.method} {refund.method_reference} on {refund.paid_on}"


def _named(lease: Lease, out: list[DepositRefund], refund_id: int | None) -> DepositRefund:
    if not out:
        raise NothingRefunded(number=lease.number)
    choices = "; ".join(f"{refund.pk} ({refund_told(refund)})" for refund in out)
    if refund_id is None:
        if len(out) > 1:
            raise WhichRefund(number=lease.number, choices=choices)
        return out[0]
    for refund in out:
        if refund.pk == refund_id:
            return refund
    raise RefundNotOut(refund_id=refund_id, number=lease.number, choices=choices)


def _checked_day(day: date, *, first: date, on: date) -> date:
    if not first <= day <= on:
        raise RefundDated(day=day, first=first, today=on)
    return day


def _record(action: str, refund: DepositRefund, lease_id: int, actor: User) -> None:
    audit.record(
        actor=actor,
        action=action,
        subject=f"lease:{lease_id}",
        after={
            "amount": str(refund.amount),
            "paid_on": str(refund.paid_on),
            "method": refund.method,
            "method_reference": refund.method_reference,
            "entry": refund.entry_id,
            "reason": refund.reason,
        },
    )
