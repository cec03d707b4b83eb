"""Changes of a running lease's terms: another fee, suspended days, a new end. Each tells its whole effect.

A change is told what it does by `billing.rebill`; asked through `billing.previewed`, it only tells.
"""

from datetime import date
from decimal import Decimal

from django.db.models import Q

from batconnect.common import audit
from batconnect.common.errors import BatConnectError, ConflictingState
from batconnect.common.models import User
from batconnect.common.transactions import money_transaction
from leases import schedule
from leases.models import Lease, LeaseFee, LeaseSuspension
from ledger.services.reasons import checked_reason

from . import caps
from .agreements import (
    DatesReversed,
    OutsideLease,
    check_medallion_free,
    check_near,
    check_within,
    checked_fee,
    create_lease,
    lease_dates,
)
from .assignments import lock_pair
from .billing import Effect, begun, completed, locked_lease, rebill
from .saving import facts, save_as


class FeeUnchanged(ConflictingState):
    code = "lease.fee_unchanged"
    message = "Lease {number} already costs {weekly_fee} a week on {effective_from}."


class AlreadySuspended(ConflictingState):
    code = "lease.already_suspended"
    message = "Lease {number} is already suspended from {starts_on} until {ends_on}; choose other days."


class NotSuspended(ConflictingState):
    code = "lease.not_suspended"
    message = "Lease {number} is not suspended on {day} or later, so there is nothing to resume."


class NothingToRenew(ConflictingState):
    code = "lease.nothing_to_renew"
    message = "Lease {number} has no last day; it goes on by itself."


class NotLater(BatConnectError):
    code, status = "lease.end_not_later", 400
    message = (
        "Lease {number} ends on {ends_on}; a renewal ends on a later day. To end it sooner, end it early."
    )


@money_transaction
def change_fee(
    *,
    lease: Lease,
    weekly_fee: Decimal,
    effective_from: date,
    actor: User,
    on: date,
    reason: str = "",
) -> Effect:
    """Charge another weekly fee from a day on; a week that day lies in is billed as two items.

    Holds until the next change that is already entered, if any. Days that were charged are charged anew: what was
    posted is replaced, dated `on`. Raises FeeMissing, FeeNegative, FeeUnchanged, OutsideLease, LeaseCancelled,
    FeeAboveCap, WeekAboveCap, ReasonLength. Source: domain.md, leases.
    """
    fee = checked_fee(weekly_fee)
    reason = checked_reason(reason or f"The weekly fee is {fee} from {effective_from} on.")
    lease = locked_lease(lease)
    check_within(lease, effective_from)
    former = lease.fees.filter(effective_from__lte=effective_from).order_by("effective_from").last()
    if former is not None and former.weekly_fee == fee:
        raise FeeUnchanged(number=lease.number, weekly_fee=fee, effective_from=effective_from)
    following = lease.fees.filter(effective_from__gt=effective_from).order_by("effective_from").first()
    last_days = [following.effective_from - schedule.DAY if following else None, lease.ends_on]
    caps.check_fee(
        lease=lease,
        weekly_fee=fee,
        first_day=effective_from,
        last_day=min((day for day in last_days if day), default=None),
    )
    effect = begun(lease)
    row = lease.fees.filter(effective_from=effective_from).first()
    row = row or LeaseFee(lease=lease, effective_from=effective_from)
    row.weekly_fee = fee
    save_as(row, actor)
    caps.check_weeks(lease=lease, since=effective_from)
    rebill(effect, since=effective_from, reason=reason, actor=actor, on=on)
    audit.record(
        actor=actor,
        action="lease.fee_changed",
        subject=f"lease:{lease.pk}",
        before={"weekly_fee": str(former.weekly_fee) if former else None},
        after={**facts(row, "weekly_fee", "effective_from"), "reason": reason},
    )
    return completed(effect)


@money_transaction
def suspend_lease(
    *, lease: Lease, starts_on: date, ends_on: date | None = None, reason: str, actor: User, on: date
) -> Effect:
    """Bill nothing from `starts_on` to `ends_on`, both included; without a last day, until somebody resumes it.

    Days that were charged are taken back: what was posted is replaced by what its other days cost. Raises
    AlreadySuspended, OutsideLease, DatesReversed, LeaseCancelled, ReasonLength. Source: domain.md, leases.
    """
    reason = checked_reason(reason)
    if ends_on is not None and ends_on < starts_on:
        raise DatesReversed(starts_on=starts_on, ends_on=ends_on)
    lease = locked_lease(lease)
    for day in (starts_on, ends_on):
        if day is not None:
            check_within(lease, day)
    others = lease.suspensions.filter(Q(ends_on__isnull=True) | Q(ends_on__gte=starts_on), withdrawn=False)
    if ends_on is not None:
        others = others.filter(starts_on__lte=ends_on)
    other = others.order_by("starts_on").first()
    if other is not None:
        raise AlreadySuspended(
            number=lease.number, starts_on=other.starts_on, ends_on=other.ends_on or "further notice"
        )
    effect = begun(lease)
    row = LeaseSuspension(lease=lease, starts_on=starts_on, ends_on=ends_on, reason=reason)
    save_as(row, actor)
    rebill(effect, since=starts_on, reason=reason, actor=actor, on=on)
    audit.record(
        actor=actor,
        action="lease.suspended",
        subject=f"lease:{lease.pk}",
        after=facts(row, "starts_on", "ends_on", "reason"),
    )
    return completed(effect)


@money_transaction
def resume_lease(*, lease: Lease, resumes_on: date, reason: str, actor: User, on: date) -> Effect:
    """Bill again from `resumes_on` on: the suspension of that day ends on the day before.

    One that begins on that day, or the next one after it where the day is not suspended, is withdrawn. Raises
    NotSuspended, LeaseCancelled, ReasonLength. Source: domain.md, leases.
    """
    reason = checked_reason(reason)
    lease = locked_lease(lease)
    found = lease.suspensions.filter(
        Q(ends_on__isnull=True) | Q(ends_on__gte=resumes_on), withdrawn=False
    ).order_by("starts_on")
    row = found.first()
    if row is None:
        raise NotSuspended(number=lease.number, day=resumes_on)
    effect = begun(lease)
    before = facts(row, "starts_on", "ends_on")
    if row.starts_on >= resumes_on:
        row.withdrawn = True
    else:
        row.ends_on = resumes_on - schedule.DAY
    save_as(row, actor)
    rebill(effect, since=max(resumes_on, row.starts_on), reason=reason, actor=actor, on=on)
    audit.record(
        actor=actor,
        action="lease.resumed",
        subject=f"lease:{lease.pk}",
        before=before,
        after={**facts(row, "starts_on", "ends_on", "withdrawn"), "reason": reason},
    )
    return completed(effect)


@money_transaction
def renew_lease(
    *, lease: Lease, ends_on: date | None = None, reason: str = "", actor: User, on: date
) -> Effect:
    """Let a lease go on: to a later last day, or without one. An early end is taken back in the same way.

    The fee stays; a cancellation fee that was posted stays too, until somebody voids it. Raises NothingToRenew,
    NotLater, DayTooFar, MedallionLeased, LeaseCancelled, FeeAboveCap, ReasonLength.
    """
    lock_pair(medallion=lease.medallion, vehicle=lease.vehicle)  # as everybody does: before the lease
    lease = locked_lease(lease)
    if lease.ends_on is None:
        raise NothingToRenew(number=lease.number)
    if ends_on is not None and ends_on <= lease.ends_on:
        raise NotLater(number=lease.number, ends_on=lease.ends_on)
    check_near(ends_on)
    reason = checked_reason(reason or f"Renewed until {ends_on or 'further notice'}.")
    since = lease.ends_on + schedule.DAY
    check_medallion_free(lease.medallion, since, ends_on, but=lease.pk)
    effect = begun(lease)
    before = facts(lease, "status", "ends_on")
    lease.status, lease.ends_on = Lease.Status.ACTIVE, ends_on
    save_as(lease, actor, update_fields=["status", "ends_on"])
    caps.check_fees(lease=lease, since=since)
    rebill(effect, since=since, reason=reason, actor=actor, on=on)
    audit.record(
        actor=actor,
        action="lease.renewed",
        subject=f"lease:{lease.pk}",
        before=before,
        after={**facts(lease, "status", "ends_on"), "reason": reason},
    )
    return completed(effect)


@money_transaction
def follow_lease(*, lease: Lease, weekly_fee: Decimal, ends_on: date | None = None, actor: User) -> Lease:
    """A following lease from the day after this one's last, for the same driver, medallion, vehicle and kind.

    It has a number, an account and a fee of its own. Raises OutsideLease when this lease has no last day, and as
    `create_lease`.
    """
    lock_pair(medallion=lease.medallion, vehicle=lease.vehicle)  # as everybody does: before the lease
    lease = locked_lease(lease)
    if lease.ends_on is None:
        raise OutsideLease(**lease_dates(lease), day="the day after its last")
    return create_lease(
        driver=lease.driver,
        medallion=lease.medallion,
        vehicle=lease.vehicle,
        lease_type=lease.lease_type,
        starts_on=lease.ends_on + schedule.DAY,
        ends_on=ends_on,
        weekly_fee=weekly_fee,
        actor=actor,
    )
