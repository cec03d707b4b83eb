"""A clerk charges a driver who stands at the desk: in a real browser, with everything that goes wrong there."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from batconnect.cases.models import Case
from batconnect.common.models import User
from batconnect.common.weeks import local_date
from leases.models import Lease
from ledger.models import LedgerPosting
from misc_expenses.models import MiscellaneousExpense
from tests.factories import make_driver, make_lease, make_medallion, make_user, make_vehicle
from tests.ledger.factories import account_of, balance, broken_proofs, charge
from tests.misc_expenses.expense_stories import CLERK

from .desk import PHONE, Desk, Seat, look, pick, turn

pytestmark = [pytest.mark.browser, pytest.mark.slow]
START = "/admin/cases/case/start/MISCEXP/"


@pytest.fixture
def clerk(desk: Desk) -> User:
    return make_user(
        permissions=(*CLERK, "ledger.view_ledgerposting", "ledger.view_driveraccount", "leases.view_lease")
    )


@pytest.fixture
def seat(desk: Desk, clerk: User) -> Any:
    seat = desk.seat(clerk)
    yield seat
    seat.context.close()


@pytest.fixture
def lease(desk: Desk) -> Lease:
    number = Lease.objects.count()
    found = make_lease(
        weekly_fee="0.00",
        driver=make_driver(tlc_license=f"77{number:05}", name=f"Ann Lee {number}"),
        medallion=make_medallion(number=f"4P{number:02}"),
        vehicle=make_vehicle(vin=f"1FMCU9DESK{number:07}"),
    )
    charge(account_of(found), "EZPASS", "12.50")
    return found


def find(page: Page, text: str) -> Any:
    """Type into the search box; the hits come by themselves."""
    page.get_by_role("combobox").press_sequentially(text, delay=15)
    return page.locator(".bc-hit")


def fill(page: Page, *, category: str = "Lost Key", amount: str = "50.00", on: str = "2026-03-02") -> None:
    page.get_by_label("Category").select_option(category)
    page.get_by_label("Amount").fill(amount)
    page.get_by_label("When it happened").fill(on)
    page.get_by_label("Note").fill("Key lost at the airport")


def preview(page: Page) -> None:
    turn(page, page.get_by_role("button", name="See what it does"))


def at_form(seat: Seat, lease: Lease) -> Page:
    """A tab with a new case about this lease, at its form."""
    page = seat.tab(START)
    pick(page, lease.driver.tlc_license)
    # Who works by keyboard does not pass the menu first.
    expect(page.get_by_label("Category")).to_be_focused()
    return page


def at_confirmation(seat: Seat, lease: Lease, **entered: str) -> Page:
    page = at_form(seat, lease)
    fill(page, **entered)
    preview(page)
    expect(page.get_by_role("button", name="Charge the driver")).to_be_visible()
    return page


def expenses(lease: Lease) -> int:
    return MiscellaneousExpense.objects.filter(lease=lease).count()


def test_the_driver_is_found_while_the_clerk_types(seat: Seat, lease: Lease) -> None:
    page = seat.tab(START)
    for typed in (
        lease.driver.tlc_license[:6],
        lease.medallion.number.lower(),
        lease.vehicle.vin,
        lease.driver.name,
    ):
        page.get_by_role("combobox").fill("")
        expect(page.locator(".bc-hit")).to_have_count(0)
        expect(find(page, typed).filter(has_text=lease.driver.tlc_license)).to_have_count(1)
    assert not Case.objects.filter(subject__contains=lease.driver.name).exists()


def test_a_charge_from_search_to_success_by_keyboard_alone(seat: Seat, lease: Lease) -> None:
    page = seat.tab(START)
    look(page, "misc-1-start")
    # The answer to all that is typed: one that came later would put the list up anew, and the focus would be gone.
    with page.expect_response(lambda answer: answer.url.endswith(f"q={lease.driver.tlc_license}")):
        hits = find(page, lease.driver.tlc_license)
    expect(hits).to_have_count(1)
    look(page, "misc-2-found")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/work/")
    expect(page.get_by_text("E-ZPass tolls")).to_be_visible()
    look(page, "misc-3-form")
    fill(page)
    page.get_by_label("Amount").press("Enter")
    expect(page.get_by_role("heading", name="Charge Ann Lee")).to_be_visible()
    for figure in ("50.00", "12.50", "62.50"):
        expect(page.locator(".bc-figures").get_by_text(figure, exact=True)).to_be_visible()
    look(page, "misc-4-confirm")
    assert expenses(lease) == 0
    page.get_by_role("button", name="Charge the driver").press("Enter")
    page.wait_for_url("**/done/")
    expense = MiscellaneousExpense.objects.get(lease=lease)
    expect(page.get_by_role("heading", name=f"{expense.expense_id} is charged")).to_be_visible()
    expect(page.get_by_role("link", name="Charge another")).to_be_visible()
    expect(page.locator(".bc-title")).to_contain_text(expense.case_no)
    look(page, "misc-5-done")
    assert balance(account_of(lease)) == Decimal("62.50") and broken_proofs() == []


def test_clicked_twice_it_is_one_charge(seat: Seat, lease: Lease) -> None:
    page = at_confirmation(seat, lease)
    page.get_by_role("button", name="Charge the driver").dblclick()
    page.wait_for_url("**/done/")
    assert expenses(lease) == 1


def test_back_and_confirm_again_leads_to_what_was_made(seat: Seat, lease: Lease) -> None:
    page = at_confirmation(seat, lease)
    page.get_by_role("button", name="Charge the driver").click()
    page.wait_for_url("**/done/")
    page.go_back()  # to the confirmation, which now leads on again
    expect(page.get_by_text("nothing was done again")).to_be_visible()
    expect(page.get_by_role("heading", name="is charged")).to_be_visible()
    assert expenses(lease) == 1


def test_of_two_tabs_the_second_is_told(seat: Seat, lease: Lease) -> None:
    first = at_confirmation(seat, lease)
    second = seat.tab(first.url.replace("/confirm/", "/work/"))
    fill(second, amount="75.00")
    preview(second)
    expect(second.get_by_role("button", name="Charge the driver")).to_be_visible()
    first.get_by_role("button", name="Charge the driver").click()
    first.wait_for_url("**/done/")
    second.get_by_role("button", name="Charge the driver").click()
    second.wait_for_url("**/done/")
    expect(second.get_by_text("nothing was done again")).to_be_visible()
    look(second, "misc-6-second-tab")
    assert [row.amount for row in MiscellaneousExpense.objects.filter(lease=lease)] == [Decimal("50.00")]


def test_an_expired_session_charges_nothing_and_keeps_what_was_typed(
    seat: Seat, clerk: User, lease: Lease
) -> None:
    page = at_confirmation(seat, lease, amount="61.25")
    work = page.url.replace("/confirm/", "/work/")
    seat.end_session()
    page.get_by_role("button", name="Charge the driver").click()
    page.wait_for_url("**/login/**")
    assert expenses(lease) == 0
    seat.log_in(clerk)
    page.goto(work)
    expect(page.get_by_label("Amount")).to_have_value("61.25")
    expect(page.get_by_label("Category")).to_have_value("Lost Key")
    preview(page)
    page.get_by_role("button", name="Charge the driver").click()
    page.wait_for_url("**/done/")
    assert expenses(lease) == 1


def test_a_driver_without_a_lease_is_shown_and_cannot_be_chosen(seat: Seat, desk: Desk) -> None:
    driver = make_driver(name="Zoe Nolease")
    page = seat.tab(START)
    hit = find(page, "Zoe No")
    expect(hit).to_have_count(1)
    expect(hit).to_be_disabled()
    expect(hit).to_contain_text("No active lease")
    look(page, "misc-7-no-lease")
    assert not LedgerPosting.objects.filter(driver=driver).exists()


def test_a_lease_that_ended_meanwhile_is_refused_at_the_form(seat: Seat, lease: Lease) -> None:
    page = at_confirmation(seat, lease)
    Lease.objects.filter(pk=lease.pk).update(ends_on=date(2026, 3, 9), status="ENDED")
    page.get_by_role("button", name="Charge the driver").click()
    expect(page.get_by_role("alert")).to_contain_text("has no active lease")
    assert expenses(lease) == 0
    case = Case.objects.get(subject__contains=lease.driver.name)
    assert (case.status, case.error_code) == ("OPEN", "misc_expense.no_active_lease")


def test_wrong_input_is_said_where_it_stands_and_what_was_typed_stays(seat: Seat, lease: Lease) -> None:
    page = at_form(seat, lease)
    tomorrow = (local_date(timezone.now()) + timedelta(days=1)).isoformat()
    for entered, said in (
        ({"amount": "100,000.00"}, "0.01 to 99,999.99"),
        ({"amount": "0"}, "more than zero"),
        ({"amount": "fifty"}, "is not an amount"),
        ({"amount": ""}, "Fill this in"),
        ({"category": ""}, "Choose one"),
        ({"on": tomorrow}, "not dated ahead of today"),
    ):
        fill(page, **entered)
        preview(page)
        expect(page.locator(".bc-problem, .bc-errors").first).to_contain_text(said)
        expect(page.get_by_label("Note")).to_have_value("Key lost at the airport")
        if entered == {"amount": "fifty"}:
            look(page, "misc-8-wrong")
    assert expenses(lease) == 0


@pytest.mark.parametrize("scheme", [pytest.param("light", marks=pytest.mark.thorough), "dark"])
def test_on_a_phone_and_in_the_dark(desk: Desk, clerk: User, lease: Lease, scheme: str) -> None:
    seat = desk.seat(clerk, viewport=PHONE, color_scheme=scheme)
    page = at_form(seat, lease)
    look(page, f"misc-phone-{scheme}-form")
    fill(page)
    preview(page)
    look(page, f"misc-phone-{scheme}-confirm")
    page.get_by_role("button", name="Charge the driver").click()
    page.wait_for_url("**/done/")
    look(page, f"misc-phone-{scheme}-done")
    turn(page, page.get_by_role("link", name=Case.objects.get(subject__contains=lease.driver.name).case_no))
    look(page, f"misc-phone-{scheme}-case")
    page.goto("/admin/cases/case/")
    expect(page.locator("#result_list")).to_be_visible()
    seat.context.close()


@pytest.mark.thorough
def test_the_lists_show_what_is_overdue(seat: Seat, desk: Desk, clerk: User, lease: Lease) -> None:
    from batconnect.cases.services.opening import open_case

    late = open_case(
        prefix="MISCEXP", actor=clerk, at=timezone.now() - timedelta(hours=25), subject="Left lying"
    )
    page = seat.tab("/admin/cases/case/?whose=overdue")
    expect(page.locator("#result_list")).to_contain_text(late.case_no)
    expect(page.locator("#result_list")).to_contain_text("Overdue since")
    look(page, "cases-list")
    page.goto(f"/admin/cases/case/{late.pk}/change/")
    expect(page.locator(".bc-title")).to_contain_text("overdue")
    look(page, "cases-one")
    page.goto("/admin/misc_expenses/miscellaneousexpense/")
    look(page, "misc-list")
