"""Entering repair invoices, and deciding about them. How they are repaid is `repayments`' to know."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from django.db import DatabaseError
from django.db.models import Q, QuerySet

from batconnect.common.errors import BatConnectError, ConflictingState
from batconnect.common.models import User
from batconnect.common.transactions import money_transaction, sqlstate
from leases.models import Lease, LeaseType, Vehicle
from ledger.models import LedgerPosting
from repayments.matrix import Planned
from repayments.models import Kind
from repayments.services import decisions, schedules

from .models import RepairInvoice

LONGEST_VENDOR, LONGEST_INVOICE, LONGEST_DESCRIPTION = 120, 60, 500


class NotDriversVehicle(ConflictingState):
    code = "repair.not_dov"
    message = (
        "Lease {lease} is {lease_type}: a repair is charged to the driver on a driver-owned vehicle only. "
        "Enter it as paid by the fleet."
    )


class InvoiceEntered(ConflictingState):
    code = "repair.invoice_entered"
    message = "Invoice {invoice_number} of {vendor} is entered already, as {number}."


class VehicleNotOnLease(BatConnectError):
    code, status = "repair.vehicle", 400
    message = "That vehicle was never on lease {lease}; choose one that was."


class FirstDueMissing(BatConnectError):
    code, status = "repair.first_due", 400
    message = "Choose the Saturday on which the first installment is due."


class TextMissing(BatConnectError):
    code, status = "repair.text", 400
    message = "{what} is 1 to {longest} printable characters."


@money_transaction
def create_repair(
    *,
    driver_id: int,
    lease_id: int,
    vendor: str,
    invoice_number: str,
    invoice_date: date,
    amount: Decimal,
    description: str,
    charge_driver: bool,
    actor: User,
    on: date,
    first_due_on: date | None = None,
    vehicle_id: int | None = None,
    as_draft: bool = False,
    case_no: str = "",
) -> RepairInvoice:
    """Enter an invoice; charged to the driver, it gets a schedule by the matrix, and posts when that is due.

    amount: US dollars, 0.01 to 99,999.99. Unless `as_draft` it is open at once. Ended leases are charged too. Raises
    the errors above, and those of `check_repair`.
    """
    lease, planned = check_repair(
        driver_id=driver_id,
        lease_id=lease_id,
        invoice_date=invoice_date,
        amount=amount,
        charge_driver=charge_driver,
        first_due_on=first_due_on,
        vehicle_id=vehicle_id,
        vendor=vendor,
        invoice_number=invoice_number,
        description=description,
        on=on,
    )
    try:
        invoice = schedules.make_repayment(
            RepairInvoice,
            kind=Kind.REPAIR,
            lease=lease,
            amount=schedules.checked_amount(amount),
            starts_on=invoice_date,
            planned=planned,
            actor=actor,
            on=on,
            case_no=case_no,
            vendor=vendor.strip(),
            invoice_number=invoice_number.strip(),
            vehicle_id=vehicle_id or lease.vehicle_id,
            description=description.strip(),
        )
    except DatabaseError as error:
        if sqlstate(error) != "BC045":
            raise
        raise _entered(vendor, invoice_number, error.__cause__.diag.message_detail) from error  # type: ignore[union-attr]
    if not as_draft:
        confirm_repair(number=invoice.number, actor=actor, on=on, case_no=case_no)
    return RepairInvoice.objects.get(pk=invoice.pk)


def check_repair(
    *,
    driver_id: int,
    lease_id: int,
    vendor: str,
    invoice_number: str,
    invoice_date: date,
    amount: Decimal,
    description: str,
    charge_driver: bool,
    on: date,
    first_due_on: date | None = None,
    vehicle_id: int | None = None,
) -> tuple[Lease, list[Planned]]:
    """The lease and the schedule it would get; also asked before a confirmation is shown.

    Raises UnknownLease, NotDriversVehicle, VehicleNotOnLease, FirstDueMissing, TextMissing, InvoiceEntered,
    AmountOutOfRange, DatedAhead, NotASaturday, DueTooEarly, DueTooLate.
    """
    lease = schedules.checked_lease(driver_id=driver_id, lease_id=lease_id)
    amount = schedules.checked_amount(amount)
    schedules.checked_past(invoice_date, on=on)
    _check_text("The vendor", vendor, LONGEST_VENDOR)
    _check_text("The vendor's invoice number", invoice_number, LONGEST_INVOICE)
    _check_text("The description", description, LONGEST_DESCRIPTION)
    if vehicle_id is not None and not vehicles_of(lease).filter(pk=vehicle_id).exists():
        raise VehicleNotOnLease(lease=lease.number)
    entered = RepairInvoice.objects.filter(
        vendor__iexact=vendor.strip(), invoice_number__iexact=invoice_number.strip()
    ).exclude(state="CANCELLED")
    other = entered.first()
    if other is not None:
        raise _entered(vendor, invoice_number, other.number)
    if not charge_driver:
        return lease, []
    if lease.lease_type != LeaseType.DOV:
        raise NotDriversVehicle(lease=lease.number, lease_type=lease.get_lease_type_display().lower())
    if first_due_on is None:
        raise FirstDueMissing
    planned = schedules.first_schedule(
        amount=amount, rate=Decimal("0.00"), starts_on=invoice_date, first_due_on=first_due_on, on=on
    )
    return lease, planned


def vehicles_of(lease: Lease) -> QuerySet[Vehicle]:
    """The vehicles that were on the lease: its own, and those its medallion carried while it ran."""
    carried = Q(assignments__medallion_id=lease.medallion_id) & (
        Q(assignments__ended_at__isnull=True) | Q(assignments__ended_at__date__gte=lease.starts_on)
    )
    if lease.ends_on is not None:
        carried &= Q(assignments__started_at__date__lte=lease.ends_on)
    return Vehicle.objects.filter(Q(pk=lease.vehicle_id) | carried).distinct().order_by("pk")


def confirm_repair(*, number: str, actor: User, on: date, case_no: str = "") -> None:
    """A draft becomes open. Raises UnknownRepayment, WrongStatus."""
    schedules.carry_out(
        kind=Kind.REPAIR, number=number, decide=decisions.confirm, actor=actor, on=on, case_no=case_no
    )


def fall_due(*, lease: Lease, on: date, actor: User) -> list[LedgerPosting]:
    """Charge at once what is still scheduled of a lease's repairs, and cancel the rest; for the deposit's release."""
    return schedules.fall_due(kind=Kind.REPAIR, lease=lease, on=on, actor=actor)


def fall_due_on(*, leases: Sequence[Lease], actor: User, on: date) -> None:
    """`fall_due` for those of these leases that have anything scheduled: what the release of their deposits asks."""
    for lease in schedules.with_something_scheduled(kind=Kind.REPAIR, leases=leases):
        fall_due(lease=lease, on=on, actor=actor)


def _check_text(what: str, text: str, longest: int) -> None:
    if not 0 < len(text.strip()) <= longest or "\0" in text:
        raise TextMissing(what=what, longest=longest)


def _entered(vendor: str, invoice_number: str, number: str | None) -> InvoiceEntered:
    return InvoiceEntered(vendor=vendor.strip(), invoice_number=invoice_number.strip(), number=number)
