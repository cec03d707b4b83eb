"""A lease is changed at the desk while the driver waits: in a real browser, each effect seen before it happens."""

from datetime import date
from decimal import Decimal

import pytest
from playwright.sync_api import Page, expect

from leases.models import Lease, LeaseCap
from tests.factories import make_driver, make_lease, make_medallion, make_user, make_vehicle
from tests.ledger.factories import SUNDAY, account_of, balance, broken_proofs, drive, run

from .desk import PHONE, Desk, look, turn

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def lease(desk: Desk) -> Lease:
    """Charged for the weeks of March 3 and March 10, 2019; 700 of that is paid."""
    LeaseCap.objects.create(
        lease_type="long-term", effective_from=date(2019, 1, 1), weekly_cap=Decimal("560.00")
    )
    made = make_lease(
        weekly_fee="500.00",
        starts_on=SUNDAY,
        driver=make_driver(tlc_license="7700001", name="Ann Lee"),
        medallion=make_medallion(number="4P58"),
        vehicle=make_vehicle(vin="1FMCU9DESK0000001", plate="T700001C"),
    )
    drive(account_of(made), "700.00")
    run()
    return made


def press(page: Page, name: str) -> None:
    turn(page, page.get_by_role("link", name=name, exact=True))


def ask(page: Page) -> None:
    turn(page, page.get_by_role("button", name="See what it does"))


@pytest.mark.thorough
def test_a_fee_is_changed_and_the_lease_ended_early_at_the_desk(desk: Desk, lease: Lease) -> None:
    chief = make_user(username="chief", is_superuser=True)
    seat = desk.seat(chief)
    home = f"/admin/leases/lease/{lease.pk}/change/"
    page = seat.tab(home)
    look(page, "lease")

    press(page, "Change fee")
    page.get_by_label("Weekly fee").fill("590")
    page.get_by_label("From").fill("2019-03-13")
    look(page, "lease-fee-form")
    ask(page)
    expect(page.get_by_role("alert")).to_contain_text("Rule 58-21 caps lease")
    look(page, "lease-fee-refused")
    page.get_by_label("Weekly fee").fill("550")
    ask(page)
    expect(page.get_by_text("Driver owes afterwards")).to_be_visible()
    look(page, "lease-fee-effect")
    turn(page, page.get_by_role("button", name="Back to the form"))
    expect(page.get_by_label("Weekly fee")).to_have_value("550")
    ask(page)
    page.get_by_role("button", name="Change the fee").dblclick()
    page.wait_for_url(f"**{home}")
    expect(page.get_by_text("The driver owes 328.58 now.")).to_be_visible()
    look(page, "lease-after-fee")
    assert lease.fees.count() == 2

    press(page, "Suspend")
    page.get_by_label("First free day").fill("2019-03-14")
    page.get_by_label("Last free day").fill("2019-03-14")
    page.get_by_label("Reason").fill("Cab in the shop")
    ask(page)
    look(page, "lease-suspend-effect")
    page.get_by_role("button", name="Suspend").click()
    page.wait_for_url(f"**{home}")

    press(page, "Swap vehicle")
    expect(page.get_by_text("When it was swapped")).to_be_visible()
    look(page, "lease-swap-form")
    page.goto(home)
    press(page, "End early")
    page.get_by_label("Last day").fill("2019-03-12")
    page.locator("textarea[name=reason]").fill("Asked for at the desk")
    look(page, "lease-end-form")
    ask(page)
    look(page, "lease-end-effect")
    page.get_by_role("button", name="End the lease").click()
    page.wait_for_url(f"**{home}")
    look(page, "lease-ended")
    page.set_viewport_size(PHONE)
    look(page, "lease-ended-phone")
    page.emulate_media(color_scheme="dark")
    page.goto(f"/admin/leases/lease/{lease.pk}/renew/")
    page.get_by_label("New last day").fill("2019-03-31")
    ask(page)
    expect(page.get_by_text("Driver owes afterwards")).to_be_visible()
    look(page, "lease-renew-phone-dark")
    seat.context.close()

    # 1,000 charged and 700 paid; three days of the week are left: 500 + 214.29 + 500 - 700.
    assert balance(account_of(lease)) == Decimal("514.29")
    assert broken_proofs() == []
