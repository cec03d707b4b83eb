"""Things for tests to work with, made as the product makes them; names come from a counter."""

from datetime import date
from decimal import Decimal
from itertools import count
from typing import Any

from django.contrib.auth.models import Permission
from django.db import connection

from batconnect.common.audit import system_user
from batconnect.common.models import User
from leases import services
from leases.models import Driver, Lease, LeaseType, Medallion, Vehicle

_numbers = count(1)


def make_user(*, username: str | None = None, **perms: Any) -> User:
    """A member of staff. `permissions=["leases.add_lease"]` grants those; the rest are fields of User."""
    granted = perms.pop("permissions", ())
    fields = {"is_staff": True, **perms}
    user = User.objects.create_user(username=username or f"clerk{next(_numbers)}", **fields)
    for name in granted:
        app_label, codename = name.split(".")
        permission = Permission.objects.get(content_type__app_label=app_label, codename=codename)
        user.user_permissions.add(permission)
    return user


def make_driver(**fields: Any) -> Driver:
    number = next(_numbers)
    defaults = {"tlc_license": f"{6_000_000 + number}", "name": f"Driver {number}"}
    return Driver.objects.create(**{**defaults, **fields})


def make_medallion(**fields: Any) -> Medallion:
    return Medallion.objects.create(**{"number": f"T{next(_numbers):04}", **fields})


def make_vehicle(**fields: Any) -> Vehicle:
    number = next(_numbers)
    return Vehicle.objects.create(**{"vin": f"VIN{number:014}", "plate": f"T{number:06}C", **fields})


def make_lease(
    *,
    weekly_fee: Decimal | str = "500.00",
    starts_on: date = date(2019, 2, 24),
    ends_on: date | None = None,
    driver: Driver | None = None,
    medallion: Medallion | None = None,
    vehicle: Vehicle | None = None,
    lease_type: str = LeaseType.LONG_TERM,
    actor: User | None = None,
) -> Lease:
    """A lease by the service, with its account and its vehicle on the medallion; 2019-02-24 is a Sunday."""
    return services.create_lease(
        driver=driver or make_driver(),
        medallion=medallion or make_medallion(),
        vehicle=vehicle or make_vehicle(),
        lease_type=lease_type,
        starts_on=starts_on,
        ends_on=ends_on,
        weekly_fee=Decimal(weekly_fee),
        actor=actor or system_user(),
    )


def cancelled_before(lease: Lease) -> None:
    """As if the lease had been cancelled before it began, years ago: the database lets nobody do that afterwards."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("UPDATE lease SET status = 'CANCELLED', ends_on = NULL WHERE id = %s", [lease.pk])
        cursor.execute("SET session_replication_role = DEFAULT")
