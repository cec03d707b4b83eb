"""A repair and a loan at the desk, in a real browser: entered, held, released and paid off."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from batconnect.common.weeks import local_date, saturday_of
from loans.models import DriverLoan
from repairs.models import RepairInvoice
from tests.factories import make_driver, make_lease, make_medallion, make_user
from tests.ledger.factories import account_of, balance, broken_proofs

from .desk import PHONE, Desk, look, pick, turn

pytestmark = [pytest.mark.browser, pytest.mark.slow]
MAY = (
    "cases.view_case",
    "cases.process_case",
    "ledger.view_driveraccount",
    "ledger.view_ledgerposting",
    *(f"repairs.{name}_repairinvoice" for name in ("view", "add", "change", "cancel")),
    *(f"loans.{name}_driverloan" for name in ("view", "add", "change", "pay_out", "forgive")),
)


def found(seat: Any, flow: str, licence: str) -> Any:
    """A tab with a new case about this driver, at its form."""
    page = seat.tab(f"/admin/cases/case/start/{flow}/")
    pick(page, licence)
    return page


@pytest.mark.thorough
def test_a_loan_is_lent_held_shifted_and_paid_off_at_the_desk(desk: Desk) -> None:
    lease = make_lease(
        weekly_fee="0.00",
        driver=make_driver(tlc_license="7788001", name="Ann Lee"),
        medallion=make_medallion(number="7L01"),
    )
    seat = desk.seat(make_user(permissions=MAY))
    page = found(seat, "DLN", "7788001")
    today = local_date(timezone.now())
    page.get_by_label("Amount").fill("900.00")
    page.get_by_label("Interest, per cent a year").fill("10")
    page.get_by_label("First installment due").fill((saturday_of(today) + timedelta(days=8)).isoformat())
    expect(page.get_by_label("Check number or ACH reference")).to_be_hidden()
    page.get_by_label("How it is paid out").select_option("CHECK")
    page.get_by_label("Check number or ACH reference").fill("4711")
    page.get_by_label("For (optional)").fill("Rent deposit of the driver's new flat")
    turn(page, page.get_by_role("button", name="See the schedule"))
    expect(page.locator(".bc-errors")).to_contain_text("is a Sunday; installments are due on Saturdays")
    look(page, "loan-1-wrong")
    page.get_by_label("First installment due").fill((saturday_of(today) + timedelta(days=7)).isoformat())
    turn(page, page.get_by_role("button", name="See the schedule"))
    expect(page.get_by_role("heading", name="Lend Ann Lee 900.00?")).to_be_visible()
    look(page, "loan-2-confirm")
    page.get_by_role("button", name="Lend it").dblclick()
    page.wait_for_url("**/done/")
    loan = DriverLoan.objects.get(lease=lease)
    expect(page.get_by_role("heading", name=f"{loan.number} is paid out")).to_be_visible()
    look(page, "loan-3-done")

    page.get_by_role("link", name="Its page").click()
    expect(page.get_by_role("heading", name="In the books")).to_be_visible()
    look(page, "loan-4-page")
    page.get_by_role("link", name="Put on hold…").click()
    page.get_by_label("Why").fill("The driver is in hospital.")
    turn(page, page.get_by_role("button", name="See what it does"))
    expect(page.get_by_text("The driver is in hospital.")).to_be_visible()
    look(page, "loan-5-hold")
    page.get_by_role("button", name="Put on hold").click()
    expect(page.locator(".bc-title")).to_contain_text("On hold")
    turn(page, page.get_by_role("link", name="Release…"))
    expect(page.get_by_label("Weeks to shift by")).to_be_hidden()
    page.get_by_label("How it goes on").select_option("SHIFT")
    page.get_by_label("Weeks to shift by").fill("2")
    look(page, "loan-6-release")
    turn(page, page.get_by_role("button", name="See what it does"))
    expect(page.get_by_role("heading", name="The new schedule")).to_be_visible()
    look(page, "loan-7-shift")
    page.get_by_role("button", name="Release").click()
    expect(page.get_by_role("heading", name="No longer in force")).to_be_visible()
    look(page, "loan-8-shifted")
    turn(page, page.get_by_role("link", name="Pay off…"))
    page.get_by_role("button", name="Pay off").dblclick()
    expect(page.get_by_text("all that remained is charged").first).to_be_visible()
    assert balance(account_of(lease)) == Decimal("900.00")  # lent today, so no interest yet
    page.goto("/admin/loans/driverloan/")
    look(page, "loan-9-list")
    assert broken_proofs() == []
    seat.context.close()


@pytest.mark.thorough
def test_a_repair_is_entered_on_a_phone_in_the_dark(desk: Desk) -> None:
    lease = make_lease(
        weekly_fee="0.00",
        lease_type="dov",
        driver=make_driver(tlc_license="7788002", name="Ben Roe"),
        medallion=make_medallion(number="7R02"),
    )
    seat = desk.seat(make_user(permissions=MAY), viewport=PHONE, color_scheme="dark")
    page = found(seat, "RPR", "7788002")
    look(page, "repair-1-form")
    page.get_by_label("Vendor", exact=True).fill("Queens Brakes")
    page.get_by_label("Vendor's invoice").fill("Q-4711")
    page.get_by_label("Amount").fill("200.50")
    page.get_by_label("What was done").fill("Brake pads and discs, front")
    page.get_by_label("Who pays").select_option("fleet")
    expect(page.get_by_label("First installment due")).to_be_hidden()
    page.get_by_label("Who pays").select_option("driver")
    turn(page, page.get_by_role("button", name="See the schedule"))
    expect(page.get_by_role("heading", name="Charge Ben Roe 200.50?")).to_be_visible()
    look(page, "repair-2-confirm")
    page.get_by_role("button", name="Enter this repair").click()
    page.wait_for_url("**/done/")
    look(page, "repair-3-done")
    invoice = RepairInvoice.objects.get(lease=lease)
    page.get_by_role("link", name="Its page").click()
    expect(page.get_by_role("link", name="Reschedule…")).to_be_visible()
    look(page, "repair-4-page")
    page.get_by_role("link", name="Reschedule…").click()
    expect(page.get_by_label("Principal a week")).to_be_visible()
    look(page, "repair-5-reschedule")
    page.goto("/admin/repairs/repairinvoice/")
    look(page, "repair-6-list")
    assert invoice.installments.count() == 3
    seat.context.close()
