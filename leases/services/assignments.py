"""Which vehicle carries which medallion, to the minute. Swaps are an end and a new assignment."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from batconnect.common import audit
from batconnect.common.errors import BatConnectError, ConflictingState
from batconnect.common.models import User
from batconnect.common.weeks import NEW_YORK
from leases.models import Lease, Medallion, Vehicle, VehicleAssignment

from . import caps
from .saving import facts, save_as


class VehicleAssigned(ConflictingState):
    code = "vehicle.assigned"
    message = (
        "Vehicle {vin} is on medallion {medallion} from {starts} until {ends}. End that assignment first, or "
        "choose another vehicle, medallion or time."
    )


class AssignmentEnded(ConflictingState):
    code = "vehicle.assignment_ended"
    message = "The assignment ended on {ended}; it cannot be ended again."


class SameVehicle(ConflictingState):
    code = "vehicle.same"
    message = "Vehicle {vin} is on medallion {medallion} already; choose the one that takes its place."


class SwappedAhead(BatConnectError):
    code, status = "vehicle.swap_ahead", 400
    message = "{at} is ahead of now; enter a swap when it has happened."


class VehicleNotActive(ConflictingState):
    code = "vehicle.not_active"
    message = "Vehicle {vehicle} is not active and cannot be put on a lease."


class NotRunning(ConflictingState):
    code = "lease.not_running"
    message = "Lease {number} does not run on {day}, so its vehicle is not swapped then."


class AssignmentEndsTooEarly(ConflictingState):
    code, status = "vehicle.assignment_ends_too_early", 400
    message = "The assignment began on {started}; it cannot end at or before that."


@transaction.atomic
def assign_vehicle(
    *, medallion: Medallion, vehicle: Vehicle, started_at: datetime, actor: User
) -> VehicleAssignment:
    """Put a vehicle on a medallion from `started_at` on, until somebody ends it.

    Raises VehicleAssigned when either of the two is taken at any moment from then on.
    """
    lock_pair(medallion=medallion, vehicle=vehicle)
    taken = overlapping(medallion=medallion, vehicle=vehicle, since=started_at).first()
    if taken is not None:
        raise VehicleAssigned(
            vin=taken.vehicle.vin,
            medallion=taken.medallion.number,
            starts=_told(taken.started_at),
            ends=_told(taken.ended_at) if taken.ended_at else "further notice",
        )
    assignment = VehicleAssignment(medallion=medallion, vehicle=vehicle, started_at=started_at)
    save_as(assignment, actor)
    # What is posted from now on names the vehicle that is now on the cab.
    for lease in Lease.objects.on(started_at.astimezone(NEW_YORK).date()).filter(medallion=medallion):
        if lease.vehicle_id != vehicle.pk:
            lease.vehicle = vehicle
            save_as(lease, actor, update_fields=["vehicle"])
    audit.record(
        actor=actor,
        action="vehicle.assigned",
        subject=f"vehicle:{vehicle.pk}",
        after={"medallion": medallion.number, "started_at": started_at.isoformat()},
    )
    return assignment


@transaction.atomic
def end_assignment(*, assignment: VehicleAssignment, ended_at: datetime, actor: User) -> VehicleAssignment:
    """Take the vehicle off its medallion. Raises AssignmentEnded, AssignmentEndsTooEarly."""
    assignment = VehicleAssignment.objects.select_for_update().get(pk=assignment.pk)
    if assignment.ended_at is not None:
        raise AssignmentEnded(ended=_told(assignment.ended_at))
    if ended_at <= assignment.started_at:
        raise AssignmentEndsTooEarly(started=_told(assignment.started_at))
    before = facts(assignment, "ended_at")
    assignment.ended_at = ended_at
    save_as(assignment, actor, update_fields=["ended_at"])
    audit.record(
        actor=actor,
        action="vehicle.unassigned",
        subject=f"vehicle:{assignment.vehicle_id}",
        before=before,
        after=facts(assignment, "ended_at"),
    )
    return assignment


@dataclass(frozen=True)
class Swap:
    """A swap as it was done: which vehicle went and which came, at which minute."""

    lease: Lease
    went: Vehicle | None
    came: Vehicle
    at: datetime


@transaction.atomic
def swap_vehicle(*, lease: Lease, vehicle: Vehicle, at: datetime, actor: User, now: datetime) -> Swap:
    """Put another vehicle on the lease's medallion at a minute; the lease stays as it is, and so does what it costs.

    Plates lead to the lease through both vehicles, each in its time. Raises SwappedAhead, SameVehicle, NotRunning,
    VehicleNotActive, VehicleAssigned, AssignmentEndsTooEarly, FeeAboveCap (caps go by the vehicle's type).
    """
    at = at.replace(second=0, microsecond=0)
    if at > now:
        raise SwappedAhead(at=_told(at))
    lock_pair(medallion=lease.medallion, vehicle=vehicle)
    lease = Lease.objects.select_for_update(no_key=True).get(pk=lease.pk)
    vehicle.refresh_from_db()
    day = at.astimezone(NEW_YORK).date()
    if not Lease.objects.on(day).filter(pk=lease.pk).exists():
        raise NotRunning(number=lease.number, day=day)
    if not vehicle.is_active:
        raise VehicleNotActive(vehicle=vehicle)
    carried = (
        VehicleAssignment.objects.select_related("vehicle", "medallion")
        .filter(medallion=lease.medallion, ended_at__isnull=True)
        .first()
    )
    if carried is not None and carried.vehicle_id == vehicle.pk:
        raise SameVehicle(vin=vehicle.vin, medallion=carried.medallion.number)
    if carried is not None:
        end_assignment(assignment=carried, ended_at=at, actor=actor)
    assign_vehicle(medallion=lease.medallion, vehicle=vehicle, started_at=at, actor=actor)
    lease.refresh_from_db()
    caps.check_fees(lease=lease, since=day)
    return Swap(lease=lease, went=carried.vehicle if carried else None, came=vehicle, at=at)


def lock_pair(*, medallion: Medallion, vehicle: Vehicle) -> None:
    """Whoever leases or assigns either of the two waits; always the medallion first."""
    Medallion.objects.select_for_update(no_key=True).get(pk=medallion.pk)
    Vehicle.objects.select_for_update(no_key=True).get(pk=vehicle.pk)


def overlapping(*, medallion: Medallion, vehicle: Vehicle, since: datetime) -> QuerySet[VehicleAssignment]:
    """Assignments of either of the two that hold at or after `since`, earliest first."""
    return (
        VehicleAssignment.objects.select_related("medallion", "vehicle")
        .filter(Q(medallion=medallion) | Q(vehicle=vehicle))
        .filter(Q(ended_at__isnull=True) | Q(ended_at__gt=since))
        .order_by("started_at")
    )


def _told(moment: datetime) -> str:
    return f"{timezone.localtime(moment, NEW_YORK):%Y-%m-%d %H:%M}"
