"""Whom to charge: the driver and lease behind a TLC licence, a medallion or a VIN, and what is owed there."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from django.db.models import Q, QuerySet

from batconnect.common.errors import BatConnectError
from leases.models import Driver, Lease, Medallion, Vehicle
from ledger.selectors.account_items import account_of_lease, owed_by_category

MOST_FOUND = 12
KEYS = ("tlc_license", "medallion", "vin")


class NamedWrongly(BatConnectError):
    code, status = "misc_expense.search", 400
    message = "Search by one of tlc_license, medallion and vin."


class NobodyFound(BatConnectError):
    code, status = "misc_expense.nobody", 404
    message = "There is no {kind} {key}."


class NoActiveLease(BatConnectError):
    code, status = "misc_expense.no_active_lease", 409
    message = "{whose} has no active lease on {day}, so nothing can be charged there."


class LeaseNotTheirs(BatConnectError):
    code, status = "misc_expense.lease", 404
    message = "That driver has no such lease."


def active_leases(day: date) -> QuerySet[Lease]:
    return Lease.objects.on(day).select_related("driver", "medallion", "vehicle")


def find_leases(*, query: Mapping[str, str], on: date) -> Sequence[Lease]:
    """The active leases behind one whole licence, medallion or VIN. Raises NamedWrongly, NobodyFound, NoActiveLease."""
    given = {name: value for name, value in query.items() if name in KEYS and value}
    if len(given) != 1:
        raise NamedWrongly
    ((name, key),) = given.items()
    kind, model, field = {
        "tlc_license": ("driver with licence", Driver, "tlc_license"),
        "medallion": ("medallion", Medallion, "number"),
        "vin": ("vehicle", Vehicle, "vin"),
    }[name]
    named = model._default_manager.filter(**{f"{field}__iexact": key}).first()
    if named is None:
        raise NobodyFound(kind=kind, key=key)
    found = active_leases(on).filter(
        {
            "tlc_license": Q(driver=named),
            "medallion": Q(medallion=named),
            "vin": carrying(Q(vehicle=named), named),
        }[name]
    )
    leases = list(found.distinct().order_by("pk"))
    if not leases:
        raise NoActiveLease(whose=_told(named), day=on)
    return leases


def carrying(own: Q, vehicle: Any) -> Q:
    """Leases whose cab the vehicle is now: a swapped one leads through its medallion."""
    return own | Q(medallion__assignments__vehicle=vehicle, medallion__assignments__ended_at__isnull=True)


def checked_lease(*, driver_id: int, lease_id: int, on: date) -> Lease:
    """The lease, if it is that driver's and runs on the day. Raises LeaseNotTheirs, NoActiveLease."""
    lease = (
        Lease.objects.select_related("driver", "medallion").filter(pk=lease_id, driver_id=driver_id).first()
    )
    if lease is None:
        raise LeaseNotTheirs
    if not Lease.objects.on(on).filter(pk=lease_id).exists():
        raise NoActiveLease(whose=f"{lease.driver} (lease {lease.number})", day=on)
    return lease


def matching(term: str, *, on: date) -> list[tuple[Driver, Lease | None]]:
    """Drivers as somebody types: by the start of a licence, medallion or VIN, or part of a name.

    Who has no active lease is found too, without one, so that it can be said.
    """
    term = term.strip()
    if len(term) < 2 or not term.isprintable():
        return []
    leases = list(
        active_leases(on)
        .filter(
            Q(driver__tlc_license__istartswith=term)
            | Q(driver__name__icontains=term)
            | Q(medallion__number__istartswith=term)
            | Q(vehicle__vin__istartswith=term)
            | Q(vehicle__plate__istartswith=term)
            | Q(
                medallion__assignments__vehicle__vin__istartswith=term,
                medallion__assignments__ended_at__isnull=True,
            )
        )
        .order_by("pk")
        .distinct()[:MOST_FOUND]
    )
    without = (
        Driver.objects.filter(Q(tlc_license__istartswith=term) | Q(name__icontains=term))
        .exclude(leases__in=active_leases(on))
        .order_by("tlc_license")[: MOST_FOUND - len(leases)]
    )
    return [*((lease.driver, lease) for lease in leases), *((driver, None) for driver in without)]


def lease_facts(lease: Lease) -> dict[str, Any]:
    """A lease as the screen and the API show it, with what is owed on it; JSON-ready."""
    account = account_of_lease(lease.pk, lease.driver_id)
    return {
        "driver_id": lease.driver_id,
        "driver_name": lease.driver.name,
        "tlc_license": lease.driver.tlc_license,
        "lease_id": lease.pk,
        "lease_number": lease.number,
        "lease_type": lease.get_lease_type_display(),
        "starts_on": lease.starts_on.isoformat(),
        "ends_on": lease.ends_on and lease.ends_on.isoformat(),
        "medallion_no": lease.medallion.number,
        "vehicle_vin": lease.vehicle.vin,
        "vehicle_plate": lease.vehicle.plate,
        "balance": str(account.balance) if account else "0.00",
        "owed": owed_by_category(account.pk) if account else [],
    }


def _told(named: Any) -> str:
    return f"Medallion {named}" if isinstance(named, Medallion) else str(named)
