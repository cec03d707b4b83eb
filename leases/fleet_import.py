"""Bring a fleet in from files: medallions, vehicles, drivers, and a lease for every driver named.

All or nothing, and safe to repeat: what is there already and the same is left alone. Reading and checking the
files is in `fleet_files`; leases are made by the same service that the screens use.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from django.db import connection, models, transaction
from simple_history.utils import bulk_create_with_history, bulk_update_with_history

from batconnect.common import audit, locks
from batconnect.common.errors import BatConnectError, ConflictingState
from batconnect.common.models import User
from batconnect.common.weeks import NEW_YORK

from .fleet_files import FleetCab, FleetDriver, read_cabs, read_drivers
from .models import Driver, Lease, LeaseType, Medallion, Vehicle, VehicleAssignment
from .services import assign_vehicle, checked_fee, create_lease

Kept = TypeVar("Kept", bound=models.Model)


class LeasedOtherwise(ConflictingState):
    code = "fleet_import.leased_otherwise"
    message = (
        "{file}, row {row}, column medallion_no: medallion {medallion} is already on lease {number} of "
        "{driver} from {starts_on} at {weekly_fee} a week, not from {asked_on} at {asked_fee} for "
        "{asked_driver}. Change that lease first, or leave this driver out."
    )


class RowRefused(BatConnectError):
    """A row that the rules of leases refuse; carries the refusal's own code."""

    status = 409
    message = "{file}, row {row}, column {column}: {problem}"

    def __init__(self, *, cause: BatConnectError, **details: Any) -> None:
        self.code = cause.code  # type: ignore[misc]
        super().__init__(problem=str(cause), **details)


@dataclass
class Counts:
    """What became of the rows of one kind."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0


@dataclass(frozen=True)
class FleetImported:
    medallions: Counts
    vehicles: Counts
    drivers: Counts
    leases: Counts

    @property
    def changed(self) -> bool:
        kinds = (self.medallions, self.vehicles, self.drivers, self.leases)
        return any(kind.created or kind.updated for kind in kinds)

    def as_dict(self) -> dict[str, dict[str, int]]:
        return asdict(self)


@transaction.atomic
def import_fleet(
    *, medallions: Path, drivers: Path, lease_from: date, weekly_fee: Decimal, actor: User
) -> FleetImported:
    """Bring in both files; every driver named gets an open-ended long-term lease on their cab.

    Vehicles are put on their medallions from midnight of `lease_from`, New York. Raises BadFleetFile,
    UnreadableFleetFile, FeeNegative, LeasedOtherwise, RowRefused, and then writes nothing.
    """
    fee = checked_fee(weekly_fee)
    cabs = read_cabs(medallions)
    people = read_drivers(drivers, cabs)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [locks.FLEET_IMPORT])

    permits, medallion_counts = _upsert(Medallion, "number", [_medallion(cab) for cab in cabs], actor)
    cars, vehicle_counts = _upsert(Vehicle, "vin", [_vehicle(cab) for cab in cabs], actor)
    _put_on_medallions(medallions, cabs, permits, cars, lease_from, actor)
    licences, driver_counts = _upsert(
        Driver, "tlc_license", [{"tlc_license": d.tlc_license, "name": d.name} for d in people], actor
    )
    lease_counts = _lease_out(drivers, people, licences, permits, cars, lease_from, fee, actor)
    result = FleetImported(medallion_counts, vehicle_counts, driver_counts, lease_counts)
    if result.changed:
        audit.record(actor=actor, action="fleet.imported", subject="fleet:import", after=result.as_dict())
    return result


def _medallion(cab: FleetCab) -> dict[str, Any]:
    return {"number": cab.number, "medallion_type": cab.medallion_type, "fleet": cab.fleet}


def _vehicle(cab: FleetCab) -> dict[str, Any]:
    return {
        "vin": cab.vin,
        "plate": cab.plate,
        "vehicle_type": cab.vehicle_type,
        "model_year": cab.model_year,
    }


def _upsert(
    model: type[Kept], key: str, rows: Sequence[Mapping[str, Any]], actor: User
) -> tuple[dict[str, Kept], Counts]:
    """Make what is missing, change what differs, in a few statements; returns all of them by key."""
    stored = model._default_manager.filter(**{f"{key}__in": [row[key] for row in rows]})
    known: dict[str, Kept] = {getattr(kept, key): kept for kept in stored}
    fresh, changed = [], []
    for row in rows:
        kept = known.get(row[key])
        if kept is None:
            fresh.append(model(**row))
        elif any(getattr(kept, name) != value for name, value in row.items()):
            for name, value in row.items():
                setattr(kept, name, value)
            changed.append(kept)
    if fresh:
        for kept in bulk_create_with_history(fresh, model, default_user=actor):
            known[getattr(kept, key)] = kept
    if changed:
        names = [name for name in rows[0] if name != key]
        bulk_update_with_history(changed, model, fields=names, default_user=actor)
    return known, Counts(len(fresh), len(changed), len(rows) - len(fresh) - len(changed))


def _put_on_medallions(
    path: Path,
    cabs: Sequence[FleetCab],
    permits: Mapping[str, Medallion],
    cars: Mapping[str, Vehicle],
    lease_from: date,
    actor: User,
) -> None:
    """Vehicles that were never on their medallion are put on it; any that was is left as it is."""
    started_at = datetime.combine(lease_from, time.min, tzinfo=NEW_YORK)
    existing = VehicleAssignment.objects.values_list("medallion_id", "vehicle_id")
    pairs, permits_taken, cars_taken = set(existing), {m for m, _ in existing}, {v for _, v in existing}
    fresh = []
    for cab in cabs:
        medallion, vehicle = permits[cab.number], cars[cab.vin]
        if (medallion.pk, vehicle.pk) in pairs:
            continue
        if medallion.pk in permits_taken or vehicle.pk in cars_taken:
            # Rare, and only the service can tell whether the times allow it.
            with _naming(path, cab.row, "vin"):
                assign_vehicle(medallion=medallion, vehicle=vehicle, started_at=started_at, actor=actor)
        else:
            fresh.append(VehicleAssignment(medallion=medallion, vehicle=vehicle, started_at=started_at))
    if fresh:
        bulk_create_with_history(fresh, VehicleAssignment, default_user=actor)


def _lease_out(
    path: Path,
    people: Sequence[FleetDriver],
    licences: Mapping[str, Driver],
    permits: Mapping[str, Medallion],
    cars: Mapping[str, Vehicle],
    lease_from: date,
    weekly_fee: Decimal,
    actor: User,
) -> Counts:
    """A lease for every driver that has none yet; one that differs from what is asked is refused."""
    counts = Counts()
    running = {
        lease.medallion_id: lease
        for lease in Lease.objects.on(lease_from).select_related("driver").prefetch_related("fees")
    }
    for person in people:
        driver, medallion = licences[person.tlc_license], permits[person.cab.number]
        lease = running.get(medallion.pk)
        if lease is not None:
            _check_same(path, person, lease, driver, lease_from, weekly_fee)
            counts.unchanged += 1
            continue
        with _naming(path, person.row, "medallion_no"):
            create_lease(
                driver=driver,
                medallion=medallion,
                vehicle=cars[person.cab.vin],
                lease_type=LeaseType.LONG_TERM,
                starts_on=lease_from,
                weekly_fee=weekly_fee,
                actor=actor,
            )
        counts.created += 1
    return counts


def _check_same(
    path: Path, person: FleetDriver, lease: Lease, driver: Driver, lease_from: date, weekly_fee: Decimal
) -> None:
    """The fee asked for is the one the lease began with: later changes are no reason to refuse a repeat."""
    first_fee = min(lease.fees.all(), key=lambda fee: fee.effective_from).weekly_fee
    if (lease.driver_id, lease.starts_on, first_fee) != (driver.pk, lease_from, weekly_fee):
        raise LeasedOtherwise(
            file=path,
            row=person.row,
            medallion=person.cab.number,
            number=lease.number,
            driver=lease.driver,
            starts_on=lease.starts_on,
            weekly_fee=first_fee,
            asked_on=lease_from,
            asked_fee=weekly_fee,
            asked_driver=driver,
        )


@contextmanager
def _naming(path: Path, row: int, column: str) -> Iterator[None]:
    """Let a refusal name the row it is about."""
    try:
        yield
    except BatConnectError as error:
        raise RowRefused(cause=error, file=path, row=row, column=column) from error
