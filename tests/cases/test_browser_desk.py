"""A cashier closes the drawer, and a write-off goes through two people: in a real browser."""

from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from batconnect.common.weeks import local_date
from ledger.models import CreditDecision, DrawerClose
from tests.factories import make_driver, make_lease, make_medallion, make_user
from tests.ledger.desk_stories import take
from tests.ledger.factories import account_of, broken_proofs, charge, open_items

from .desk import PHONE, Desk, look, pick, turn

pytestmark = [pytest.mark.browser, pytest.mark.slow]
BASE = ("cases.view_case", "cases.process_case", "ledger.view_ledgerposting", "ledger.view_driveraccount")


@pytest.fixture
def account(desk: Desk) -> Any:
    """Owes a lease week of 35.00 and a key of 50.00."""
    number = CreditDecision.objects.count() + DrawerClose.objects.count()
    found = account_of(
        make_lease(
            weekly_fee="0.00",
            driver=make_driver(tlc_license=f"77{number:05}", name=f"Cy Moss {number}"),
            medallion=make_medallion(number=f"8X{number:02}"),
        )
    )
    charge(found, "LEASE", "35.00", f"WEEK-{number}")
    charge(found, "MISC", "50.00", f"KEY-{number}", description="Lost Key")
    return found


def test_a_cashier_counts_the_drawer_sees_what_is_short_and_closes_it(desk: Desk, account: Any) -> None:
    ann = make_user(permissions=("ledger.close_drawer", "ledger.view_interimpayment"), username="ann")
    on = local_date(timezone.now())
    take(account, "80.00", ann, on=on)
    check = take(account, "70.00", ann, method="CHECK", number="118", on=on)
    seat = desk.seat(ann)
    page = seat.tab("/admin/ledger/drawerclose/today/")
    look(page, "drawer-1-today")
    page.get_by_label("Cash counted").fill("75")
    page.get_by_label("118").check()
    page.get_by_label("Stays in the drawer").fill("25")
    turn(page, page.get_by_role("button", name="Compare"))
    expect(page.get_by_role("alert")).to_contain_text("5.00 short")
    look(page, "drawer-2-short")
    expect(page.get_by_label("118")).to_be_checked()
    page.get_by_label("If something is over or short").fill("Gave too much change at noon")
    turn(page, page.get_by_role("button", name="Compare"))
    expect(page.get_by_role("heading", name="Close the drawer of ann")).to_be_visible()
    look(page, "drawer-3-confirm")
    page.get_by_role("button", name="Close the drawer").dblclick()
    page.wait_for_url("**/change/")
    look(page, "drawer-4-closed")
    done = DrawerClose.objects.get(drawer_id=ann.pk)
    assert (done.banked, done.difference) == (Decimal("120.00"), Decimal("-5.00"))
    assert [row["payment"] for row in done.checks if row["present"]] == [check.number]
    assert broken_proofs() == []
    phone = desk.seat(ann, viewport=PHONE, color_scheme="dark")
    look(phone.tab("/admin/ledger/drawerclose/today/"), "drawer-5-phone-dark")
    look(phone.tab("/admin/ledger/drawerclose/"), "drawer-6-phone-list")
    for one in (seat, phone):
        one.context.close()


@pytest.mark.thorough
def test_a_write_off_is_put_to_items_and_approved_by_somebody_else(desk: Desk, account: Any) -> None:
    asker = desk.seat(make_user(permissions=(*BASE, "ledger.write_off"), username="bo"))
    page = asker.tab("/admin/cases/case/start/WOFF/")
    pick(page, account.driver.tlc_license)
    page.locator("tr[data-item]", has_text="KEY-").click()
    expect(page.locator("[data-placed]")).to_have_text("50.00")
    page.get_by_label("Why").fill("He left town owing this, and nobody finds him")
    look(page, "woff-1-form")
    turn(page, page.get_by_role("button", name="See what it does"))
    expect(page.get_by_text("needs a second person")).to_be_visible()
    look(page, "woff-2-confirm")
    page.get_by_role("button", name="Write it off").dblclick()
    page.wait_for_url("**/done/")
    look(page, "woff-3-waits")
    address = page.url.replace("/done/", "/work/")
    boss = desk.seat(
        make_user(permissions=(*BASE, "ledger.write_off", "cases.approve_case")),
        viewport=PHONE,
        color_scheme="dark",
    )
    page = boss.tab(address)
    page.get_by_label("Decision").select_option("APPROVE")
    look(page, "woff-4-decide-phone-dark")
    turn(page, page.get_by_role("button", name="Look once more"))
    page.get_by_role("button", name="Decide so").click()
    page.wait_for_url("**/done/")
    look(page, "woff-5-done-phone-dark")
    done = CreditDecision.objects.get(account=account)
    assert (done.amount, done.asked_by.username) == (Decimal("50.00"), "bo")
    assert list(open_items(account).values()) == [Decimal("35.00")] and broken_proofs() == []
    for one in (asker, boss):
        one.context.close()
