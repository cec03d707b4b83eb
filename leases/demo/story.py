"""What people did between the demo's weeks: charges, payments, voids, payouts. Each is done once, ever.

Everything goes through the services that the screens use. What is there already, by its reference, is left
alone, so a second telling changes nothing, and one that was cut short goes on where it stopped.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from batconnect.common.models import User
from batconnect.common.weeks import WEEK
from leases.models import Driver, Vehicle
from leases.services.saving import save_as
from ledger.models import DTR, Category, DriverAccount, InterimPayment, LedgerPosting
from ledger.services import obligations, payments, statements, voids
from ledger.services.statements import Handover

from . import payday
from .fleet import CABS, Cab
from .trips import WEEKS

CLERK, CHIEF = "demo-desk", "demo-office"


@dataclass(frozen=True)
class Charge:
    """Charged after the run of week `after` (0 the first), `days` after that week's Saturday."""

    after: int
    days: int
    cab: int
    category: Category
    product: str
    amount: str
    reference: str
    description: str
    happened: int = 0  # days before it was entered


@dataclass(frozen=True)
class Payment:
    """Taken at the desk; what is not named in `allocations` goes to the lease."""

    after: int
    days: int
    cab: int
    amount: str
    method: str
    reference: str
    allocations: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Void:
    after: int
    days: int
    category: Category
    reference: str
    reason: str


@dataclass(frozen=True)
class Expiry:
    """A date the office wrote down, close enough for the DTR to warn of it."""

    after: int
    cab: int
    of: str
    expires_on: date


MISC, EZPASS, PVB = Category.MISC, Category.EZPASS, Category.PVB
EVENTS: tuple[Charge | Payment | Void | Expiry, ...] = (
    Charge(0, 2, 3, MISC, "Cleaning", "45.00", "DEMO-MISC-1", "Cleaning, coffee on the back seat", 1),
    Charge(0, 2, 7, MISC, "Lost Key", "120.00", "DEMO-MISC-2", "Lost key"),
    Charge(0, 3, 12, EZPASS, "", "30.00", "DEMO-TOLL-1", "Verrazzano-Narrows Bridge", 4),
    Charge(1, 2, 9, MISC, "Damage", "250.00", "DEMO-MISC-3", "Damage, left mirror"),
    Payment(1, 3, 9, "180.00", "CHECK", "1001", (("MISC:DEMO-MISC-3", "100.00"),)),
    Charge(2, 2, 20, MISC, "Late Return", "35.00", "DEMO-MISC-4", "Late return"),
    Void(2, 4, MISC, "DEMO-MISC-4", "Charged to the wrong cab; this one came back on time."),
    Charge(3, 2, 31, PVB, "", "65.00", "DEMO-PVB-1", "No standing, W 44 St", 12),
    Payment(3, 3, 19, "60.00", "CASH", ""),
    Charge(4, 2, 6, MISC, "Towing", "185.00", "DEMO-MISC-5", "Towing from the Bronx", 1),
    Charge(4, 2, 1, MISC, "Car Wash", "18.00", "DEMO-MISC-6", "Car wash"),
    Charge(4, 3, 1, EZPASS, "", "6.94", "DEMO-TOLL-2", "Queens-Midtown Tunnel", 8),
    Payment(4, 4, 1, "25.00", "CASH", "", (("DEMO-MISC-6", "18.00"),)),
    Void(4, 3, EZPASS, "DEMO-TOLL-1", "Read from a plate that is not ours; the agency took it back."),
    Expiry(4, 1, "licence", date(2026, 11, 18)),
    Expiry(4, 28, "licence", date(2026, 10, 30)),
    Expiry(4, 15, "inspection", date(2026, 11, 25)),
)
BY_THE_OFFICE = 2  # this week is paid with a batch and checks, some of which come back; the others in one go


def tell(*, after: int) -> int:
    """Do what happened after the run of one of the demo's weeks; returns how many things were new."""
    clerk = _person(CLERK, "Desk")
    week = WEEKS[after]
    done = sum(
        _DOERS[type(event)](event, week + timedelta(days=6), clerk)
        for event in EVENTS
        if event.after == after
    )
    if after == BY_THE_OFFICE:
        done += payday.pay_week(week, clerk=clerk, chief=_person(CHIEF, "Office"))
    elif week != WEEKS[-1]:
        done += _pay_out(week, clerk)
    return done


def _charge(event: Charge, saturday: date, clerk: User) -> bool:
    if _posting(event.category, event.reference):
        return False
    on = saturday + timedelta(days=event.days)
    obligations.create_obligation(
        account=_account(event.cab),
        category=event.category,
        product=event.product,
        amount=Decimal(event.amount),
        reference_id=event.reference,
        description=event.description,
        event_on=on - timedelta(days=event.happened),
        actor=clerk,
        on=on,
    )
    return True


def _pay(event: Payment, saturday: date, clerk: User) -> bool:
    account, on = _account(event.cab), saturday + timedelta(days=event.days)
    if InterimPayment.objects.filter(account=account, received_on=on, amount=event.amount).exists():
        return False
    payments.apply_interim_payment(
        account=account,
        amount=Decimal(event.amount),
        allocations={reference: Decimal(amount) for reference, amount in event.allocations},
        method=event.method,
        method_reference=event.reference,
        actor=clerk,
        on=on,
    )
    return True


def _void(event: Void, saturday: date, clerk: User) -> bool:
    posting = _posting(event.category, event.reference)
    if posting is None or posting.status == LedgerPosting.Status.VOIDED:
        return False
    on = saturday + timedelta(days=event.days)
    voids.void_posting(posting_id=posting.pk, reason=event.reason, actor=clerk, on=on)
    return True


def _write_down(event: Expiry, saturday: date, clerk: User) -> bool:
    cab = CABS[event.cab - 1]
    kept, field = _expiring(event.of, cab)
    if getattr(kept, field) == event.expires_on:
        return False
    setattr(kept, field, event.expires_on)
    save_as(kept, clerk, update_fields=[field])
    return True


def _expiring(of: str, cab: Cab) -> tuple[Driver | Vehicle, str]:
    if of == "licence":
        return Driver.objects.get(tlc_license=cab.tlc_license), "license_expires_on"
    return Vehicle.objects.get(vin=cab.vin), "inspection_expires_on"


_DOERS: dict[type, Callable[[Any, date, User], bool]] = {
    Charge: _charge,
    Payment: _pay,
    Void: _void,
    Expiry: _write_down,
}


def _pay_out(week: date, clerk: User) -> int:
    """Hand the week's net pay over by ACH on the Tuesday after it."""
    tuesday = week + WEEK + timedelta(days=2)
    unpaid = DTR.objects.filter(week=week, net_pay__gt=0, payments=None).order_by("number")
    handovers = [Handover(key, f"ACH {tuesday}") for key in unpaid.values_list("pk", flat=True)]
    if handovers:
        statements.pay_dtrs(handovers=handovers, on=tuesday, method="ACH", actor=clerk)
    return len(handovers)


def _account(cab: int) -> DriverAccount:
    return DriverAccount.objects.get(driver__tlc_license=CABS[cab - 1].tlc_license)


def _posting(category: Category, reference: str) -> LedgerPosting | None:
    return LedgerPosting.objects.filter(category=category, reference_id=reference, reversal_for=None).first()


def _person(username: str, last_name: str) -> User:
    person, created = User.objects.get_or_create(
        username=username, defaults={"first_name": "Demo", "last_name": last_name}
    )
    if created:
        person.set_unusable_password()
        person.save()
    return person
