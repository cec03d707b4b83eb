"""Cancelling a lease that was entered by mistake, before its first day: as if it had never been, but for its history.

What was scheduled of it does not come; its medallion, and the vehicle that was to come onto it, are free again.
"""

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from batconnect.common import audit
from batconnect.common.errors import ConflictingState
from batconnect.common.models import User
from batconnect.common.money import total
from batconnect.common.transactions import money_transaction
from batconnect.common.weeks import NEW_YORK
from leases.deposit_models import DepositPart, LeaseDeposit
from leases.models import Lease, LeaseCancellation, VehicleAssignment
from ledger.models import LedgerPosting
from ledger.services.reasons import checked_reason

from .assignments import lock_pair
from .billing import Effect, begun, completed, installment_line, locked_lease
from .deposits.due_now import fall_due, hold_schedules
from .deposits.releasing import release_locked
from .saving import facts, save_as


class LeaseBegun(ConflictingState):
    code = "lease.begun"
    message = "Lease {number} began on {starts_on}, so it is not cancelled any more. End it early instead."


class LeaseCharged(ConflictingState):
    code = "lease.charged"
    message = (
        "{what} of {amount} is on lease {number}, so it is not cancelled. Void that first; or let the lease end early, "
        "on its first day."
    )


class LeaseOwes(ConflictingState):
    code = "lease.owes"
    message = "{what} of {amount} is still to be charged on lease {number}, so it is not cancelled. Cancel that first."


@money_transaction
def cancel_lease(*, lease: Lease, reason: str, actor: User, on: date) -> Effect:
    """Cancel a lease before its first day, while nothing was posted or collected on it.

    Its installments and the parts of its deposit are cancelled with it, and stay to be read; the deposit is released
    with nothing in it. The assignment of its vehicle that was to begin with it is taken back. Raises LeaseBegun,
    LeaseCharged, LeaseOwes (a repair or loan that is not posted yet), LeaseCancelled, ReasonLength.
    """
    reason = checked_reason(reason)
    lock_pair(medallion=lease.medallion, vehicle=lease.vehicle)  # as everybody does: before the lease
    hold_schedules()
    lease = locked_lease(lease)
    if lease.starts_on <= on:
        raise LeaseBegun(number=lease.number, starts_on=lease.starts_on)
    effect = begun(lease)
    _check_nothing_stands(lease, LeaseCharged)
    before = facts(lease, "status", "starts_on", "ends_on")
    effect.cancelled += [installment_line(row) for row in lease.installments.filter(posting_id__isnull=True)]
    effect.deposit_cancelled = _deposit_left(lease)
    lease.status = Lease.Status.CANCELLED
    save_as(lease, actor, update_fields=["status"])
    LeaseCancellation.objects.create(lease=lease, reason=reason, cancelled_on=on, created_by=actor)
    effect.freed = _take_off(lease, actor)
    if LeaseDeposit.objects.filter(lease=lease).exists():
        release_locked(leases=[lease], actor=actor, on=on, reason=reason)
    else:
        fall_due(leases=[lease], actor=actor, on=on)
    # What fell due is what others had still to charge: it is refused, and with it all of this.
    _check_nothing_stands(lease, LeaseOwes)
    audit.record(
        actor=actor,
        action="lease.cancelled",
        subject=f"lease:{lease.pk}",
        before=before,
        after={**facts(lease, "status"), "reason": reason},
    )
    return completed(effect)


def _check_nothing_stands(lease: Lease, refusal: type[LeaseCharged] | type[LeaseOwes]) -> None:
    standing = (
        LedgerPosting.objects.filter(
            account__lease=lease, status=LedgerPosting.Status.POSTED, reversal_for__isnull=True
        )
        .order_by("seq")
        .first()
    )
    if standing is not None:
        what = f"{standing.get_category_display()} {standing.reference_id}"
        raise refusal(what=what, amount=abs(standing.amount), number=lease.number)


def _deposit_left(lease: Lease) -> Decimal:
    parts = DepositPart.objects.filter(deposit__lease=lease, posting_id__isnull=True)
    return total(parts.values_list("amount", flat=True))


def _take_off(lease: Lease, actor: User) -> bool:
    """Take the vehicle's assignment back that was to begin with the lease. Its history stays."""
    first_moment = datetime.combine(lease.starts_on, time.min, tzinfo=NEW_YORK)
    row: Any = VehicleAssignment.objects.filter(
        medallion_id=lease.medallion_id,
        vehicle_id=lease.vehicle_id,
        started_at=first_moment,
        ended_at__isnull=True,
    ).first()
    if row is None:
        return False
    row._history_user = actor
    audit.record(
        actor=actor,
        action="vehicle.assignment_withdrawn",
        subject=f"vehicle:{row.vehicle_id}",
        before={"medallion": lease.medallion.number, "started_at": row.started_at.isoformat()},
    )
    row.delete()
    return True
