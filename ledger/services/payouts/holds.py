"""Holding a DTR's payment back, with a reason, and releasing it."""

from django.utils import timezone

from batconnect.common import audit
from batconnect.common.models import User
from batconnect.common.transactions import money_transaction

from ...models import DTR, PayoutHold, PayoutItem
from ..accounts import lock_accounts
from ..errors import LedgerError, translated
from ..reasons import checked_reason
from ..statements import AlreadyPaid, NothingToPay, PaidAnotherWay


class AlreadyHeld(LedgerError):
    code, status = "payout_hold.held", 409
    message = "{number} is held back already: {reason}"


class NotHeld(LedgerError):
    code, status = "payout_hold.not_held", 409
    message = "{number} is not held back."


class UnknownHold(LedgerError):
    code, status = "payout_hold.kind", 400
    message = "A payment is held back as HOLD or DISPUTED."


@money_transaction
def hold(*, dtr: DTR, kind: str, reason: str, actor: User) -> PayoutHold:
    """Hold an unpaid DTR back.

    Raises UnknownHold, ReasonLength, AlreadyPaid, NothingToPay, PaidAnotherWay, AlreadyHeld.
    """
    if kind not in PayoutHold.Kind.values:
        raise UnknownHold
    reason = checked_reason(reason)
    lock_accounts([dtr.account_id])
    dtr = DTR.objects.get(pk=dtr.pk)
    if dtr.payout_id is None:
        raise NothingToPay(number=dtr.number)
    if dtr.status == DTR.Status.PAID:
        raise AlreadyPaid(number=dtr.number)
    if PayoutItem.objects.filter(dtr=dtr, state=PayoutItem.State.PENDING).exists():
        raise PaidAnotherWay(number=dtr.number)
    held = PayoutHold.objects.filter(dtr=dtr, released_at=None).first()
    if held is not None:
        raise AlreadyHeld(number=dtr.number, reason=held.reason)
    with translated():
        placed = PayoutHold.objects.create(dtr=dtr, kind=kind, reason=reason, placed_by=actor)
    audit.record(
        actor=actor,
        action="dtr.held_back",
        subject=f"dtr:{dtr.number}",
        after={"kind": kind, "reason": reason},
    )
    return placed


@money_transaction
def release(*, dtr: DTR, reason: str, actor: User) -> PayoutHold:
    """Release a DTR that is held back, and say why. Raises ReasonLength, NotHeld."""
    reason = checked_reason(reason)
    lock_accounts([dtr.account_id])
    held = PayoutHold.objects.filter(dtr=dtr, released_at=None).first()
    if held is None:
        raise NotHeld(number=dtr.number)
    held.released_by, held.released_at, held.release_reason = actor, timezone.now(), reason
    with translated():
        held.save(update_fields=["released_by", "released_at", "release_reason"])
    audit.record(actor=actor, action="dtr.released", subject=f"dtr:{dtr.number}", after={"reason": reason})
    return held
