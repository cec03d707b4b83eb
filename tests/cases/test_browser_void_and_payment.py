"""A manager's void, a large one with a second person, and a cashier's split payment: in a real browser."""

import re
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from batconnect.cases.models import Case
from ledger.models import DriverAccount, InterimPayment, LedgerPosting
from tests.factories import make_driver, make_lease, make_medallion, make_user
from tests.ledger.factories import account_of, balance, broken_proofs, charge, pay

from .desk import PHONE, Desk, Seat, look, pick, turn

pytestmark = [pytest.mark.browser, pytest.mark.slow]
BASE = ("cases.view_case", "cases.process_case", "ledger.view_ledgerposting", "ledger.view_driveraccount")
MANAGER = (*BASE, "ledger.void_posting")
APPROVER = (*MANAGER, "cases.approve_case")
CASHIER = (*BASE, "ledger.take_payment", "ledger.view_interimpayment")
WHY = "Charged to the wrong driver"


@pytest.fixture
def seat_of(desk: Desk) -> Any:
    seats: list[Seat] = []

    def sit(*permissions: str, **options: Any) -> Seat:
        seats.append(desk.seat(make_user(permissions=permissions), **options))
        return seats[-1]

    yield sit
    for seat in seats:
        seat.context.close()


@pytest.fixture
def account(desk: Desk) -> DriverAccount:
    """Owes a toll of 25.00, a lease week of 35.00 and a key of 50.00."""
    number = DriverAccount.objects.count()
    found = account_of(
        make_lease(
            weekly_fee="0.00",
            driver=make_driver(tlc_license=f"88{number:05}", name=f"Bo Ray {number}"),
            medallion=make_medallion(number=f"7Y{number:02}"),
        )
    )
    charge(found, "EZPASS", "25.00", f"TOLL-{number}", description="GWB, 4:12 PM")
    charge(found, "LEASE", "35.00", f"WEEK-{number}")
    charge(found, "MISC", "50.00", f"KEY-{number}", description="Lost Key")
    return found


def start(seat: Seat, prefix: str, text: str) -> Page:
    page = seat.tab(f"/admin/cases/case/start/{prefix}/")
    pick(page, text)
    return page


def preview(page: Page) -> None:
    turn(page, page.get_by_role("button", name="See what it does"))


def test_a_void_shows_each_allocation_it_undoes_and_is_done_once(
    seat_of: Any, account: DriverAccount
) -> None:
    toll = LedgerPosting.objects.get(account=account, category="EZPASS")
    pay(account, "20.00", {toll.reference_id: "20.00"})
    page = start(seat_of(*MANAGER), "VOID", toll.reference_id)
    undone = page.get_by_role("region", name="Allocations that will be undone")
    expect(undone).to_contain_text("INTPAY-2019-")
    expect(undone).to_contain_text("−20.00")
    for figure in ("25.00", "−25.00", "90.00", "65.00"):
        expect(page.locator(".bc-figures").get_by_text(figure, exact=True)).to_be_visible()
    look(page, "void-1-form")
    page.get_by_label("Why").fill("too short")
    preview(page)
    expect(page.get_by_role("alert")).to_contain_text("10 to 500 characters")
    page.get_by_label("Why").fill(WHY)
    preview(page)
    expect(page.get_by_role("heading", name="Void E-ZPass tolls")).to_be_visible()
    look(page, "void-2-confirm")
    page.get_by_role("button", name="Void this posting").dblclick()
    page.wait_for_url("**/done/")
    look(page, "void-3-done")
    expect(page.get_by_role("heading", name="is voided")).to_be_visible()
    assert LedgerPosting.objects.filter(reversal_for=toll).count() == 1
    assert balance(account) == Decimal("65.00") and broken_proofs() == []


def test_a_large_void_takes_two_people(seat_of: Any, account: DriverAccount) -> None:
    damage = charge(account, "MISC", "1000.01", f"DAMAGE-{account.pk}")
    asking = seat_of(*APPROVER)
    page = start(asking, "VOID", damage.reference_id)
    expect(page.get_by_text("needs a second person")).to_be_visible()
    page.get_by_label("Why").fill(WHY)
    preview(page)
    page.get_by_role("button", name="Void this posting").click()
    page.wait_for_url("**/done/")
    expect(page.get_by_role("heading", name="waits for a second person")).to_be_visible()
    look(page, "void-4-waits")
    case = Case.objects.get(subject__contains=damage.reference_id)
    assert not LedgerPosting.objects.filter(reversal_for=damage).exists()
    page.goto(f"/admin/cases/case/no/{case.case_no}/work/")
    expect(page.get_by_role("alert")).to_contain_text("is your own")

    page = seat_of(*APPROVER).tab(f"/admin/cases/case/no/{case.case_no}/work/")
    expect(page.get_by_text(WHY)).to_be_visible()
    page.get_by_label("Decision").select_option("APPROVE")
    look(page, "void-5-decide")
    turn(page, page.get_by_role("button", name="Look once more"))
    page.get_by_role("button", name="Decide so").click()
    page.wait_for_url("**/done/")
    expect(page.get_by_text("Approved by")).to_be_visible()
    look(page, "void-6-approved")
    assert LedgerPosting.objects.get(reversal_for=damage).amount == Decimal("-1000.01")
    assert broken_proofs() == []


def test_a_split_payment_by_clicking_items_with_the_remainder_live(
    seat_of: Any, account: DriverAccount
) -> None:
    page = start(seat_of(*CASHIER), "INTPAY", account.driver.tlc_license)
    page.get_by_label("Amount paid").fill("100.00")
    left = page.locator("[data-left]")
    expect(left).to_have_text("100.00")
    page.get_by_role("button", name="Miscellaneous KEY").click()
    expect(page.get_by_label("Put to Miscellaneous KEY")).to_have_value("50.00")
    expect(left).to_have_text("50.00")
    expect(page.locator("[data-rule]")).to_have_text(
        "35.00 of the remainder goes to the lease, oldest first; 15.00 stays as a credit for the driver."
    )
    page.get_by_label("Put to E-ZPass tolls").fill("25.01")
    expect(page.locator("[data-rule]")).to_have_text("More than is open is put to an item.")
    look(page, "pay-1-over")
    preview(page)
    expect(page.get_by_role("alert")).to_contain_text("25.00 open; 25.01 cannot be allocated")
    page.get_by_label("Put to E-ZPass tolls").fill("")
    page.get_by_label("Paid by").select_option("CHECK")
    preview(page)
    expect(page.get_by_role("alert")).to_contain_text("needs its check number")
    page.get_by_label("Check number or ACH reference").fill("1042")
    look(page, "pay-2-form")
    preview(page)
    where = page.get_by_role("region", name="Where it goes")
    expect(where).to_contain_text("KEY-")
    expect(where).to_contain_text("WEEK-")
    look(page, "pay-3-confirm")
    page.get_by_role("button", name="Take the payment").dblclick()
    page.wait_for_url("**/done/")
    payment = InterimPayment.objects.get(account=account)
    expect(page.get_by_role("heading", name=f"Receipt {payment.number}")).to_be_visible()
    look(page, "pay-4-receipt")
    answer = page.request.get(page.get_by_role("link", name="Receipt as PDF").get_attribute("href") or "")
    assert answer.body().startswith(b"%PDF") and answer.headers["content-type"] == "application/pdf"
    assert {row["reference_id"]: row["amount"] for row in payment.allocations} == {
        f"KEY-{payment.allocations[0]['reference_id'][4:]}": "50.00",
        payment.allocations[1]["reference_id"]: "35.00",
    }
    assert balance(account) == Decimal("10.00") and broken_proofs() == []


def test_an_item_paid_meanwhile_is_refused_and_shown_as_it_is_now(
    seat_of: Any, account: DriverAccount
) -> None:
    page = start(seat_of(*CASHIER), "INTPAY", account.driver.tlc_license)
    page.get_by_label("Amount paid").fill("50.00")
    page.get_by_role("button", name="Miscellaneous KEY").click()
    preview(page)
    key = LedgerPosting.objects.get(account=account, category="MISC")
    pay(account, "30.00", {key.reference_id: "30.00"})
    turn(page, page.get_by_role("button", name="Take the payment"))
    expect(page).to_have_url(re.compile("/work/"))
    expect(page.get_by_role("alert").last).to_contain_text("20.00 open; 50.00 cannot be allocated")
    look(page, "pay-5-meanwhile")
    expect(page.locator("tr[data-item]").filter(has_text="KEY")).to_contain_text("20.00")
    assert InterimPayment.objects.filter(account=account).count() == 1


@pytest.mark.parametrize("scheme", [pytest.param("light", marks=pytest.mark.thorough), "dark"])
def test_a_payment_on_a_phone_and_in_the_dark(seat_of: Any, account: DriverAccount, scheme: str) -> None:
    page = start(seat_of(*CASHIER, viewport=PHONE, color_scheme=scheme), "INTPAY", account.driver.tlc_license)
    page.get_by_label("Amount paid").fill("60.00")
    page.get_by_role("button", name="E-ZPass tolls TOLL").click()
    look(page, f"pay-phone-{scheme}")
    preview(page)
    look(page, f"pay-phone-{scheme}-confirm")
    page.get_by_role("button", name="Take the payment").click()
    page.wait_for_url("**/done/")
    assert balance(account) == Decimal("50.00")
