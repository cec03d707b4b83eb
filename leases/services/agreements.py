"""Leases: made, and run out on a day.

What changes of the terms of a lease that runs do is in `terms` and `endings`.
"""

from datetime import date, datetime, time
from decimal import Decimal

from django.db import transaction
from django.db.models import Q
from django.utils.text import capfirst

from batconnect.common import audit
from batconnect.common.errors import BatConnectError, ConflictingState
from batconnect.common.models import User
from batconnect.common.money import parse_amount
from batconnect.common.weeks import NEW_YORK
from leases import schedule
from leases.models import (
    Driver,
    Lease,
    LeaseFee,
    LeaseType,
    Medallion,
    Vehicle,
    VehicleAssignment,
)
from ledger.services import accounts

from . import assignments, caps
from .amounts import checked_size
from .billing import begun, locked_lease, posted_past, rebill
from .deposits.terms import DepositTerms, agree_deposit
from .saving import facts, save_as


class FeeMissing(BatConnectError):
    code, status = "lease.fee_missing", 400
    message = "A lease needs a weekly fee; enter 0 for a lease that costs nothing."


class FeeNegative(BatConnectError):
    code, status = "lease.fee_negative", 400
    message = "The weekly fee is {weekly_fee}; it must be 0.00 or more."


class NotActive(ConflictingState):
    code = "lease.not_active"
    message = "{what} is not active and cannot be put on a lease."


class MedallionLeased(ConflictingState):
    code = "lease.medallion_leased"
    message = (
        "Medallion {medallion} is on lease {number} from {starts_on} until {ends_on}. End that lease first, "
        "or choose other dates."
    )


class DatesReversed(BatConnectError):
    code, status = "lease.dates_reversed", 400
    message = "The last day, {ends_on}, comes before the first, {starts_on}."


class DayTooFar(BatConnectError):
    code, status = "lease.day_too_far", 400
    message = "{day} is no day of a lease; choose one from {first} to {last}."


class OutsideLease(BatConnectError):
    code, status = "lease.outside_dates", 400
    message = "{day} is outside lease {number}, which runs from {starts_on} until {ends_on}."


class LeaseEndsEarlier(ConflictingState):
    code = "lease.ends_earlier"
    message = "Lease {number} already ends on {ends_on}; make a new lease for the days after."


class PostedPastEnd(ConflictingState):
    code = "lease.posted_past_end"
    message = (
        "Lease {number} is already charged through {posted_through}, which is past {ends_on}. End it early instead: "
        "that replaces what was charged by its prorated part."
    )


@transaction.atomic
def create_lease(
    *,
    driver: Driver,
    medallion: Medallion,
    vehicle: Vehicle,
    lease_type: str = LeaseType.LONG_TERM,
    starts_on: date,
    ends_on: date | None = None,
    weekly_fee: Decimal | None,
    actor: User,
    deposit: DepositTerms | None = None,
) -> Lease:
    """Lease a medallion and vehicle to a driver, and open the account that lease is settled on.

    weekly_fee: US dollars, 0.00 or more. `deposit` is agreed with it, if one is given (`agree_deposit`). A vehicle
    that is not on the medallion is put on it from midnight of the first day, New York. Raises FeeMissing,
    FeeNegative, DatesReversed, DayTooFar, NotActive, MedallionLeased, VehicleAssigned, FeeAboveCap.
    """
    fee = checked_fee(weekly_fee)
    check_order(starts_on, ends_on)
    check_near(starts_on, ends_on)
    assignments.lock_pair(medallion=medallion, vehicle=vehicle)
    for what in (driver, medallion, vehicle):
        if not what.is_active:
            raise NotActive(what=f"{capfirst(what._meta.verbose_name)} {what}")
    check_medallion_free(medallion, starts_on, ends_on)
    lease = Lease(
        driver=driver,
        medallion=medallion,
        vehicle=vehicle,
        lease_type=lease_type,
        starts_on=starts_on,
        ends_on=ends_on,
    )
    save_as(lease, actor)
    caps.check_fee(lease=lease, weekly_fee=fee, first_day=starts_on, last_day=ends_on)
    save_as(LeaseFee(lease=lease, effective_from=starts_on, weekly_fee=fee), actor)
    _put_vehicle_on(medallion, vehicle, starts_on, actor)
    accounts.open_account(driver_id=driver.pk, lease_id=lease.pk)
    audit.record(
        actor=actor,
        action="lease.created",
        subject=f"lease:{lease.pk}",
        after={
            **facts(lease, "number", "lease_type", "starts_on", "ends_on"),
            "driver": driver.tlc_license,
            "medallion": medallion.number,
            "vehicle": vehicle.vin,
            "weekly_fee": str(fee),
        },
    )
    if deposit is not None:
        agree_deposit(lease=lease, terms=deposit, actor=actor)
    return lease


@transaction.atomic
def end_lease(*, lease: Lease, ends_on: date, actor: User) -> Lease:
    """Let a lease run out; `ends_on` is its last day and counts, so its last week is prorated. No money moves.

    Raises PostedPastEnd when a later day was already charged (`endings.terminate_lease` ends it all the same);
    LeaseEndsEarlier, OutsideLease, LeaseCancelled.
    """
    given, lease = lease, locked_lease(lease)
    check_new_end(lease, ends_on)
    posted_through = posted_past(lease, ends_on)
    if posted_through is not None:
        raise PostedPastEnd(number=lease.number, posted_through=posted_through, ends_on=ends_on)
    effect = begun(lease)
    set_end(lease, ends_on, actor)
    rebill(effect, since=ends_on, reason="The lease runs out.", actor=actor, on=ends_on)
    given.status, given.ends_on = lease.status, lease.ends_on  # what the caller holds stays true
    return given


def check_new_end(lease: Lease, ends_on: date) -> None:
    """Raises OutsideLease, LeaseEndsEarlier."""
    if ends_on < lease.starts_on:
        raise OutsideLease(**lease_dates(lease), day=ends_on)
    if lease.ends_on is not None and lease.ends_on < ends_on:
        raise LeaseEndsEarlier(number=lease.number, ends_on=lease.ends_on)


def set_end(lease: Lease, ends_on: date, actor: User) -> None:
    """Write the last day and say so in the audit trail; what follows from it is the caller's."""
    before = facts(lease, "status", "ends_on")
    lease.status, lease.ends_on = Lease.Status.ENDED, ends_on
    save_as(lease, actor, update_fields=["status", "ends_on"])
    audit.record(
        actor=actor,
        action="lease.ended",
        subject=f"lease:{lease.pk}",
        before=before,
        after=facts(lease, "status", "ends_on"),
    )


def checked_fee(weekly_fee: Decimal | None) -> Decimal:
    """A weekly fee in dollars and cents, 0.00 or more. Raises FeeMissing, FeeNegative, AmountTooLarge, BadAmount."""
    if weekly_fee is None:
        raise FeeMissing
    fee = parse_amount(weekly_fee)
    if fee < 0:
        raise FeeNegative(weekly_fee=fee)
    return checked_size(fee)


def check_order(starts_on: date, ends_on: date | None) -> None:
    """Raises DatesReversed."""
    if ends_on is not None and ends_on < starts_on:
        raise DatesReversed(starts_on=starts_on, ends_on=ends_on)


def check_near(*days: date | None) -> None:
    """Raises DayTooFar for one that weeks could not be counted from."""
    for day in days:
        if day is not None and not schedule.FIRST_DAY <= day <= schedule.LAST_DAY:
            raise DayTooFar(day=day, first=schedule.FIRST_DAY, last=schedule.LAST_DAY)


def check_medallion_free(
    medallion: Medallion, starts_on: date, ends_on: date | None, *, but: int | None = None
) -> None:
    """Raises MedallionLeased when another lease than `but` has the medallion on one of these days."""
    others = medallion.leases.exclude(Q(status=Lease.Status.CANCELLED) | Q(pk=but)).filter(
        Q(ends_on__isnull=True) | Q(ends_on__gte=starts_on)
    )
    if ends_on is not None:
        others = others.filter(starts_on__lte=ends_on)
    other = others.order_by("starts_on").first()
    if other is not None:
        raise MedallionLeased(medallion=medallion.number, **lease_dates(other))


def _put_vehicle_on(medallion: Medallion, vehicle: Vehicle, starts_on: date, actor: User) -> None:
    """Nothing to do where the vehicle is on the medallion at some time of the first day."""
    first_moment = datetime.combine(starts_on, time.min, tzinfo=NEW_YORK)
    next_day = datetime.combine(starts_on + schedule.DAY, time.min, tzinfo=NEW_YORK)
    on_it = VehicleAssignment.objects.filter(
        Q(ended_at__isnull=True) | Q(ended_at__gt=first_moment),
        medallion=medallion,
        vehicle=vehicle,
        started_at__lt=next_day,
    )
    if not on_it.exists():
        assignments.assign_vehicle(medallion=medallion, vehicle=vehicle, started_at=first_moment, actor=actor)


def check_within(lease: Lease, day: date) -> None:
    if day < lease.starts_on or (lease.ends_on is not None and day > lease.ends_on):
        raise OutsideLease(**lease_dates(lease), day=day)


def lease_dates(lease: Lease) -> dict[str, object]:
    return {
        "number": lease.number,
        "starts_on": lease.starts_on,
        "ends_on": lease.ends_on or "further notice",
    }
