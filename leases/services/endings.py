"""Ending a lease before its time: what was charged is prorated, and the cancellation fee is posted or waived."""

from datetime import date
from decimal import Decimal

from django.conf import settings

from batconnect.common import audit
from batconnect.common.errors import BatConnectError, ConflictingState
from batconnect.common.models import User
from batconnect.common.money import ZERO, parse_amount
from batconnect.common.transactions import money_transaction
from leases.models import Lease, LeaseTermination
from ledger.models import Category, DriverAccount, LedgerPosting
from ledger.services.obligations import create_obligation
from ledger.services.reasons import checked_reason

from .agreements import check_new_end, set_end
from .amounts import checked_size
from .billing import Effect, begun, completed, locked_lease, posting_line, rebill
from .saving import facts


class NotEarly(ConflictingState):
    code = "lease.not_early"
    message = "Lease {number} already ends on {ends_on}. To end it earlier, choose an earlier day."


class CancellationFeeNegative(BatConnectError):
    code, status = "lease.cancellation_fee_negative", 400
    message = "The cancellation fee is {fee}; it must be 0.00 or more."


class WaiverNeedsReason(BatConnectError):
    code, status = "lease.waiver_reason", 400
    message = "A cancellation fee of {fee} is due. Let it be charged, or say in 10 characters or more why it is waived."


class NothingToWaive(BatConnectError):
    code, status = "lease.nothing_to_waive", 400
    message = "No cancellation fee is due, so there is nothing to waive; leave the waiver's reason empty."


class WaiverNotAllowed(BatConnectError):
    code, status = "lease.waiver_not_allowed", 403
    message = (
        "A cancellation fee of {fee} is due. To charge less, or nothing, takes somebody who may waive cancellation "
        "fees; charge it, or ask one of them."
    )


def default_cancellation_fee(lease: Lease, ends_on: date) -> Decimal:
    """What ending on this day costs where nothing else was agreed: dollars, 0.00 from four weeks on.

    Once: nothing more while the fee of an earlier end stands charged, as when its day is put right.
    """
    charged = LedgerPosting.objects.filter(
        lease=lease,
        category=Category.CANCELLATION_FEE,
        status=LedgerPosting.Status.POSTED,
        reversal_for__isnull=True,
    )
    if charged.exists():
        return ZERO
    if (ends_on - lease.starts_on).days < settings.LEASE_CANCELLATION_DAYS:
        return Decimal(settings.LEASE_CANCELLATION_FEE)
    return ZERO


def check_waiver(
    *, lease: Lease, ends_on: date, cancellation_fee: Decimal | None, waiver_reason: str, actor: User
) -> None:
    """For the doors people come through: less than the default is for those who may. Raises WaiverNotAllowed."""
    default = default_cancellation_fee(lease, ends_on)
    less = cancellation_fee is not None and cancellation_fee < default
    if (less or waiver_reason.strip()) and not actor.has_perm("leases.waive_cancellation_fee"):
        raise WaiverNotAllowed(fee=default)


@money_transaction
def terminate_lease(
    *,
    lease: Lease,
    ends_on: date,
    reason: str,
    actor: User,
    on: date,
    cancellation_fee: Decimal | None = None,
    waiver_reason: str = "",
) -> Effect:
    """End a lease early; `ends_on` is its last day and counts.

    What was charged past that day is replaced by its prorated part, dated `on`; what was scheduled is cancelled.
    cancellation_fee: dollars as agreed; None is the default, `default_cancellation_fee`. With a `waiver_reason` the
    fee that would be due is not posted. Raises NotEarly, OutsideLease, LeaseEndsEarlier, LeaseCancelled,
    CancellationFeeNegative, AmountTooLarge, WaiverNeedsReason, NothingToWaive, ReasonLength. Source: domain.md, leases.
    """
    reason, waiver_reason = checked_reason(reason), waiver_reason.strip()
    lease = locked_lease(lease)
    check_new_end(lease, ends_on)
    if lease.ends_on == ends_on:
        raise NotEarly(number=lease.number, ends_on=ends_on)
    fee = _due(lease, ends_on, cancellation_fee, waiver_reason)
    effect = begun(lease)
    agreed_end = lease.ends_on
    set_end(lease, ends_on, actor)
    rebill(effect, since=ends_on, reason=reason, actor=actor, on=on)
    posting = None
    effect.cancellation_fee, effect.waived = fee, bool(waiver_reason)
    if fee > 0 and not waiver_reason:
        times = lease.terminations.count()
        posting = create_obligation(
            account=DriverAccount.objects.get(lease=lease, driver=lease.driver_id),
            category=Category.CANCELLATION_FEE,
            amount=fee,
            reference_id=f"{lease.number}/END" + (f".{times + 1}" if times else ""),
            actor=actor,
            on=on,
            event_on=min(ends_on, on),
            description=f"Lease {lease.number} ended early, on {ends_on}",
        )
        effect.posted.append(posting_line(posting))
    termination = LeaseTermination.objects.create(
        lease=lease,
        ends_on=ends_on,
        agreed_end=agreed_end,
        reason=reason,
        cancellation_fee=fee,
        waiver_reason=waiver_reason,
        posting_id=posting.pk if posting else None,
        entered_on=on,
        created_by=actor,
    )
    audit.record(
        actor=actor,
        action="lease.terminated",
        subject=f"lease:{lease.pk}",
        after=facts(
            termination, "ends_on", "agreed_end", "reason", "cancellation_fee", "waiver_reason", "posting_id"
        ),
    )
    return completed(effect)


def _due(lease: Lease, ends_on: date, agreed: Decimal | None, waiver_reason: str) -> Decimal:
    """The fee that is due, waived or not. A default that is set aside is a waiver, and needs its reason."""
    default = default_cancellation_fee(lease, ends_on)
    fee = default if agreed is None else parse_amount(agreed)
    if fee < 0:
        raise CancellationFeeNegative(fee=fee)
    checked_size(fee)
    if fee == 0 and default > 0:
        fee = default
        if not waiver_reason:
            raise WaiverNeedsReason(fee=fee)
    if waiver_reason:
        if fee == 0:
            raise NothingToWaive
        checked_reason(waiver_reason)
    return fee
