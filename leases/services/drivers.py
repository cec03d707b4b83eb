"""Additional drivers of a lease: who may drive besides its driver, from when to when.

Whatever they earn and owe is settled with the lease's driver, so no money moves here: a trip, toll or ticket leads to
the lease by the cab, and to its driver's account whoever of them drove.
"""

from datetime import date

from django.db import connection, transaction
from django.db.models import Q

from batconnect.common import audit
from batconnect.common.errors import ConflictingState
from batconnect.common.models import User
from leases.models import Driver, Lease, LeaseDriver
from ledger.services.reasons import checked_reason

from .agreements import NotActive, OutsideLease, check_order, check_within, lease_dates
from .billing import locked_lease
from .saving import facts, save_as


class AlreadyOnLease(ConflictingState):
    code = "lease.driver_already_on"
    message = "{driver} is already a driver of lease {number} on some of these days."


class NotAdded(ConflictingState):
    code = "lease.driver_not_on"
    message = "{driver} is no additional driver of lease {number} any more; there is nothing to end."


class DriverDaysStay(ConflictingState):
    code = "lease.driver_days_stay"
    message = (
        "{driver} is known to have driven on lease {number}, or the week is closed, through {kept}. "
        "Choose {kept} or later as the last day."
    )


@transaction.atomic
def add_driver(
    *, lease: Lease, driver: Driver, starts_on: date, ends_on: date | None, actor: User
) -> LeaseDriver:
    """Let another driver drive on this lease; what they earn and owe is the lease's driver's.

    `ends_on` None is until the lease ends. Raises AlreadyOnLease, OutsideLease, DatesReversed, NotActive,
    LeaseCancelled.
    """
    check_order(starts_on, ends_on)
    lease = locked_lease(lease)
    for day in (starts_on, ends_on):
        if day is not None:
            check_within(lease, day)
    if not driver.is_active:
        raise NotActive(what=f"Driver {driver}")
    overlaps = lease.additional_drivers.filter(
        Q(ends_on__isnull=True) | Q(ends_on__gte=starts_on), driver=driver, withdrawn=False
    )
    if ends_on is not None:
        overlaps = overlaps.filter(starts_on__lte=ends_on)
    if driver.pk == lease.driver_id or overlaps.exists():
        raise AlreadyOnLease(driver=driver, number=lease.number)
    added = LeaseDriver(lease=lease, driver=driver, starts_on=starts_on, ends_on=ends_on)
    save_as(added, actor)
    audit.record(
        actor=actor,
        action="lease.driver_added",
        subject=f"lease:{lease.pk}",
        after={"driver": driver.tlc_license, **facts(added, "starts_on", "ends_on")},
    )
    return added


@transaction.atomic
def end_driver(*, added: LeaseDriver, ends_on: date | None, reason: str, actor: User) -> LeaseDriver:
    """Let an additional driver drive no more after `ends_on`; None withdraws one that was entered by mistake.

    Days that the driver drove, and days of closed weeks, stay. Raises NotAdded, DriverDaysStay, OutsideLease,
    LeaseCancelled, ReasonLength.
    """
    reason = checked_reason(reason)
    lease = locked_lease(added.lease)
    added = LeaseDriver.objects.select_for_update(no_key=True).select_related("driver").get(pk=added.pk)
    if added.withdrawn or (ends_on is not None and added.ends_on is not None and ends_on >= added.ends_on):
        raise NotAdded(driver=added.driver, number=lease.number)
    if ends_on is not None and ends_on < added.starts_on:
        raise OutsideLease(**{**lease_dates(lease), "starts_on": added.starts_on}, day=ends_on)
    kept = _kept_through(added)
    if kept is not None and (ends_on is None or ends_on < kept):
        raise DriverDaysStay(driver=added.driver, number=lease.number, kept=kept)
    before = facts(added, "starts_on", "ends_on")
    if ends_on is None:
        added.withdrawn = True
    else:
        added.ends_on = ends_on
    save_as(added, actor)
    audit.record(
        actor=actor,
        action="lease.driver_ended",
        subject=f"lease:{lease.pk}",
        before={"driver": added.driver.tlc_license, **before},
        after={
            "driver": added.driver.tlc_license,
            **facts(added, "starts_on", "ends_on", "withdrawn"),
            "reason": reason,
        },
    )
    return added


def _kept_through(added: LeaseDriver) -> date | None:
    """The last of the days of this row that stay, if any does. No week closes before the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_hold_calendar()")
        cursor.execute(
            "SELECT greatest(ledger_closed_through(), lease_driver_drove(%s, %s, %s))",
            [added.lease_id, added.driver_id, added.starts_on],
        )
        found: tuple[date | None] = cursor.fetchone()
    kept = found[0]
    if kept is None or kept < added.starts_on:
        return None
    return kept if added.ends_on is None else min(kept, added.ends_on)
