"""How each driver is paid: entered by one person, decided by another, blocked by what the bank sends back.

Account numbers go in here and come out in `BankAccount` alone, which never shows them; whatever is written elsewhere
(audit trail, errors, screens) has the last four digits.
"""

import re
import uuid
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from batconnect.common import audit
from batconnect.common.models import User
from batconnect.common.transactions import money_transaction
from ledger.engine.nacha import routing_checksum_holds

from ...models import PayoutInstruction, PayoutMethod, PayoutReturn
from ..errors import LedgerError
from ..reasons import checked_reason
from .sealing import is_current, seal, unseal

_ACCOUNT = re.compile(r"[0-9A-Za-z-]{4,17}\Z")


class BadRoutingNumber(LedgerError):
    code, status = "bank_details.routing_number", 400
    message = (
        "This is no routing number: it has nine digits, and the last one checks the others. Read it again."
    )


class BadAccountNumber(LedgerError):
    code, status = "bank_details.account_number", 400
    message = "An account number has 4 to 17 digits, letters or hyphens, and no blanks."


class UnknownPayoutMethod(LedgerError):
    code, status = "payout_method.unknown", 400
    message = "A driver is paid by one of {choices}; an ACH account is CHECKING or SAVINGS."


class AlreadyWaiting(LedgerError):
    code, status = "payout_method.waiting", 409
    message = "A change for this driver is waiting already; have it approved or rejected first."


class NoSuchRequest(LedgerError):
    code, status = "payout_method.unknown_request", 404
    message = "There is no such payment method."


class RequestDecided(LedgerError):
    code, status = "payout_method.decided", 409
    message = "This payment method is no longer waiting: it is {status}."


class OwnRequest(LedgerError):
    code, status = "payout_method.own", 403
    message = "You entered this payment method; somebody else has to decide on it."


@dataclass(frozen=True)
class BankAccount:
    """An account in clear, for the file that goes to the bank."""

    routing_number: str = field(repr=False)
    account_number: str = field(repr=False)
    account_type: str


def check_details(*, method: str, routing_number: str, account_number: str, account_type: str) -> None:
    """Raises UnknownPayoutMethod, BadRoutingNumber, BadAccountNumber; none of them says what was entered."""
    if method not in PayoutMethod.values:
        raise UnknownPayoutMethod(choices=", ".join(PayoutMethod.values))
    if method != PayoutMethod.ACH:
        return
    if account_type not in PayoutInstruction.AccountType.values:
        raise UnknownPayoutMethod(choices=", ".join(PayoutMethod.values))
    if not routing_checksum_holds(routing_number):
        raise BadRoutingNumber
    if not _ACCOUNT.match(account_number):
        raise BadAccountNumber


@money_transaction
def request_method(
    *,
    driver_id: int,
    method: str,
    actor: User,
    routing_number: str = "",
    account_number: str = "",
    account_type: str = "",
) -> PayoutInstruction:
    """Enter how a driver is to be paid, for somebody else to approve. Raises as `check_details`, AlreadyWaiting."""
    routing_number, account_number = routing_number.strip(), account_number.strip()
    check_details(
        method=method, routing_number=routing_number, account_number=account_number, account_type=account_type
    )
    row = PayoutInstruction(pk=uuid.uuid4(), driver_id=driver_id, method=method, requested_by=actor)
    if method == PayoutMethod.ACH:
        row.account_type = account_type
        row.routing_last4, row.account_last4 = routing_number[-4:], account_number[-4:]
        row.sealed = seal(f"{routing_number} {account_number}", about=_about(row))
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        if "payout_instruction_one_waiting" not in str(error):
            raise
        # Not chained: the database's own message may quote the row.
        raise AlreadyWaiting from None
    _tell(row, "payout_method.requested", actor)
    return row


@money_transaction
def approve_method(*, instruction_id: uuid.UUID, actor: User, note: str = "") -> PayoutInstruction:
    """Put a waiting method in force, in the place of the driver's former one.

    Raises NoSuchRequest, RequestDecided, OwnRequest.
    """
    row = _waiting(instruction_id, actor)
    former = PayoutInstruction.objects.select_for_update().filter(
        driver_id=row.driver_id, state__in=["ACTIVE", "BLOCKED"]
    )
    for one in former:
        one.state = PayoutInstruction.State.REPLACED
        one.save(update_fields=["state"])
    _decide(row, PayoutInstruction.State.ACTIVE, actor, note.strip()[:500])
    return row


@money_transaction
def reject_method(*, instruction_id: uuid.UUID, actor: User, note: str) -> PayoutInstruction:
    """Turn a waiting method down; the former stays. Raises as `approve_method`, ReasonLength."""
    note = checked_reason(note)
    row = _waiting(instruction_id, actor)
    _decide(row, PayoutInstruction.State.REJECTED, actor, note)
    return row


def block(instruction: PayoutInstruction, *, why: str, actor: User) -> bool:
    """Block bank details that are in force; False when they are not (any more). For the caller's transaction."""
    row = PayoutInstruction.objects.select_for_update().get(pk=instruction.pk)
    if row.state != PayoutInstruction.State.ACTIVE:
        return False
    row.state, row.blocked_at, row.blocked_why = PayoutInstruction.State.BLOCKED, timezone.now(), why[:200]
    row.save(update_fields=["state", "blocked_at", "blocked_why"])
    _tell(row, "payout_method.blocked", actor, why=why)
    return True


def opened(instruction: PayoutInstruction) -> BankAccount:
    """The account, in clear. Raises CannotOpen."""
    routing_number, _, account_number = unseal(instruction.sealed, about=_about(instruction)).partition(" ")
    return BankAccount(routing_number, account_number, instruction.account_type)


@money_transaction
def reseal(*, actor: User) -> int:
    """Bring all bank details under the first key; returns how many were under another. Raises CannotOpen."""
    done = 0
    for model, about in ((PayoutInstruction, _about), (PayoutReturn, about_return)):
        rows: Any = model.objects.select_for_update().exclude(sealed="")
        for row in rows.iterator():
            if not is_current(row.sealed):
                row.sealed = seal(unseal(row.sealed, about=about(row)), about=about(row))
                row.save(update_fields=["sealed"])
                done += 1
    audit.record(
        actor=actor, action="payout_method.resealed", subject="payout_method:all", after={"count": done}
    )
    return done


def about_return(row: PayoutReturn) -> str:
    """What a notification's corrected details are bound to."""
    return f"payout_return:{row.key}"


def _about(row: PayoutInstruction) -> str:
    return f"payout_instruction:{row.pk}:{row.driver_id}"


def _waiting(instruction_id: uuid.UUID, actor: User) -> PayoutInstruction:
    row = (
        PayoutInstruction.objects.select_for_update(of=("self",))
        .select_related("driver")
        .filter(pk=instruction_id)
        .first()
    )
    if row is None:
        raise NoSuchRequest
    if row.state != PayoutInstruction.State.REQUESTED:
        raise RequestDecided(status=row.get_state_display().lower())
    if row.requested_by_id == actor.pk:
        raise OwnRequest
    return row


def _decide(row: PayoutInstruction, state: str, actor: User, note: str) -> None:
    row.state, row.decided_by, row.decided_at, row.decision_note = state, actor, timezone.now(), note
    row.save(update_fields=["state", "decided_by", "decided_at", "decision_note"])
    approved = state == PayoutInstruction.State.ACTIVE
    _tell(row, "payout_method.approved" if approved else "payout_method.rejected", actor, note=note)


def _tell(row: PayoutInstruction, action: str, actor: User, **more: str) -> None:
    audit.record(
        actor=actor,
        action=action,
        subject=f"driver:{row.driver_id}",
        after={"method": row.method, "account": row.masked, "state": row.state, **more},
    )
