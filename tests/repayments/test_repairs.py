"""Repairs: on a driver-owned vehicle the driver repays them by the week; otherwise the fleet pays and nothing posts."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from ledger.models import LedgerPosting
from ledger.services import voids
from ledger.services.obligations import ReservedReference
from repairs import services as repairs
from repairs.models import RepairInvoice
from repayments.models import Kind
from repayments.services import decisions, errors, schedules
from tests.factories import make_user, make_vehicle
from tests.ledger.factories import account_of, balance, charge

from .repayment_stories import (
    REASON,
    SUNDAY,
    WEDNESDAY,
    WEEK,
    decide,
    free_lease,
    hold,
    pay_off,
    plan_of,
    posting_of,
    release,
    repair,
    run,
    schedule_of,
    sound,
    statuses,
)

pytestmark = pytest.mark.django_db
D = Decimal


def cancel(invoice: Any) -> Any:
    return decide(invoice, lambda plan: decisions.cancel(plan, reason=REASON))


def test_a_repair_of_200_50_is_posted_by_the_weekly_runs() -> None:
    lease = free_lease()
    invoice = repair(lease)
    assert invoice.number == "RPR-2025-00001"
    assert schedule_of(invoice) == [
        ("10-11", "100.00", "0.00", "100.50"),
        ("10-18", "100.00", "0.00", "0.50"),
        ("10-25", "0.50", "0.00", "0.00"),
    ]
    for number, amount in enumerate(["100.00", "100.00", "0.50"], 1):
        run(SUNDAY + (number - 1) * WEEK)
        posting = posting_of(invoice, number)
        assert (posting.category, posting.amount, posting.reference_id) == (
            "REPAIR",
            D(amount),
            f"{invoice.number}/{number}",
        )
        assert posting.components is None
    assert balance(account_of(lease)) == D("200.50")
    assert sound()


def test_on_any_other_lease_it_is_refused_and_the_fleet_pays() -> None:
    lease = free_lease("long-term")
    with pytest.raises(repairs.NotDriversVehicle, match="paid by the fleet"):
        repair(lease)
    invoice = repair(lease, charge_driver=False, first_due_on=None)
    assert (plan_of(invoice).status, statuses(invoice), invoice.charged_to_driver) == ("CLOSED", "", False)
    run(SUNDAY)
    assert not LedgerPosting.objects.exists()
    for refused in (hold, lambda one: pay_off(one, on=WEDNESDAY)):
        with pytest.raises(errors.WrongStatus):
            refused(invoice)
    cancel(invoice)
    assert plan_of(invoice).status == "CANCELLED"
    assert sound()


def test_a_draft_waits_until_it_is_confirmed() -> None:
    invoice = repair(as_draft=True)
    run(SUNDAY)
    assert (plan_of(invoice).status, statuses(invoice)) == ("DRAFT", "sss")
    repairs.confirm_repair(number=invoice.number, actor=make_user(), on=date(2025, 10, 6))
    run(SUNDAY + WEEK)  # late: the first is posted with the second
    assert (plan_of(invoice).status, statuses(invoice)) == ("OPEN", "oos")
    with pytest.raises(errors.WrongStatus):
        repairs.confirm_repair(number=invoice.number, actor=make_user(), on=date(2025, 10, 6))
    assert sound()


def test_a_vendors_invoice_is_entered_once_until_it_is_cancelled() -> None:
    invoice = repair(invoice_number="Q-77")
    with pytest.raises(repairs.InvoiceEntered, match=invoice.number):
        repair(vendor="QUEENS brakes ", invoice_number="q-77")
    cancel(invoice)
    assert repair(invoice_number="Q-77").number == "RPR-2025-00002"


def test_a_repair_is_cancelled_while_nothing_of_it_stands_posted() -> None:
    invoice = repair()
    run(SUNDAY)
    with pytest.raises(errors.SomethingPosted, match="has 1 posted"):
        cancel(invoice)
    voids.void_posting(
        posting_id=posting_of(invoice, 1).pk, reason=REASON, actor=make_user(), on=date(2025, 10, 7)
    )
    cancel(invoice)
    assert (plan_of(invoice).status, statuses(invoice)) == ("CANCELLED", "vcc")
    with pytest.raises(errors.NoLongerOwed):
        schedules.repost(
            kind=Kind.REPAIR,
            number=invoice.number,
            position=1,
            reason=REASON,
            actor=make_user(),
            on=date(2025, 10, 7),
        )
    assert sound()


def test_a_voided_installment_may_be_left_so_and_the_repair_closes() -> None:
    lease = free_lease()
    invoice = repair(lease, "150.00")
    run(SUNDAY)
    voids.void_posting(
        posting_id=posting_of(invoice, 1).pk, reason=REASON, actor=make_user(), on=date(2025, 10, 7)
    )
    assert (statuses(invoice), plan_of(invoice).status, balance(account_of(lease))) == (
        "v",
        "CLOSED",
        D("0.00"),
    )


def test_a_corrected_installment_is_followed() -> None:
    invoice = repair(amount="150.00")
    run(SUNDAY)
    voids.replace_posting(
        posting_id=posting_of(invoice, 1).pk,
        amount=D("120.00"),
        reason=REASON,
        actor=make_user(),
        on=date(2025, 10, 7),
    )
    (row,) = plan_of(invoice).rows
    assert (row.standing.status, row.standing.charged, row.standing.open_amount) == (
        "POSTED",
        D("120.00"),
        D("120.00"),
    )
    assert row.standing.current_posting.reference_id == f"{invoice.number}/1/2"
    assert sound()


def test_hold_shift_and_payoff_of_a_repair_bear_no_interest() -> None:
    invoice = repair(amount="450.00")
    hold(invoice)
    run(SUNDAY)
    release(invoice, "SHIFT", on=date(2025, 10, 7))
    assert [row[0] for row in schedule_of(invoice)] == ["10-18", "10-25", "11-01", "11-08", "11-15"]
    pay_off(invoice, on=date(2025, 10, 8))
    assert posting_of(invoice, 11).amount == D("450.00")
    assert sound()


def test_references_of_the_schedule_are_nobody_elses() -> None:
    with pytest.raises(ReservedReference):
        charge(account_of(free_lease()), "REPAIR", "10.00", "RPR-2025-00001/1", on=WEDNESDAY)


def test_repairs_of_a_lease_fall_due_at_once() -> None:
    lease = free_lease(ends_on=date(2025, 10, 4))
    invoice = repair(lease)
    (posting,) = repairs.fall_due(lease=lease, on=date(2025, 11, 5), actor=make_user())
    assert (posting.reference_id, posting.amount) == (f"{invoice.number}/4", D("200.50"))
    assert (statuses(invoice), plan_of(invoice).rows[0].cancelled_because) == ("ccco", "FELL_DUE")
    assert sound()


def test_an_invoice_that_makes_no_sense_is_refused() -> None:
    lease = free_lease()
    for asked, refused in [
        ({"amount": "100000.00"}, errors.AmountOutOfRange),
        ({"amount": "0.00"}, errors.AmountOutOfRange),
        ({"invoice_date": date(2025, 10, 2)}, errors.DatedAhead),
        ({"first_due_on": None}, repairs.FirstDueMissing),
        ({"vendor": " "}, repairs.TextMissing),
        ({"description": ""}, repairs.TextMissing),
    ]:
        with pytest.raises(refused):
            repair(lease, **asked)
    assert not RepairInvoice.objects.exists()


def test_the_vehicle_must_have_been_on_the_lease() -> None:
    lease = free_lease()
    with pytest.raises(repairs.VehicleNotOnLease):
        repair(lease, vehicle_id=make_vehicle().pk)
    assert repair(lease, vehicle_id=lease.vehicle_id).vehicle_id == lease.vehicle_id
