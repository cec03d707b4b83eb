"""A deposit is released early and refunded by a cashier who clicks twice: in a real browser."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from batconnect.common.models import User
from batconnect.common.weeks import local_date
from leases.deposit_models import DepositRefund, DepositRelease
from leases.models import Lease
from tests.factories import make_driver, make_user
from tests.leases.deposit_stories import NEXT_SATURDAY, figures, lease_with_deposit, post_parts
from tests.leases.test_deposit_api import ALL
from tests.ledger.factories import SATURDAY, account_of, broken_proofs, charge, pay

from .desk import PHONE, Desk, look, turn

pytestmark = [pytest.mark.browser, pytest.mark.slow]
LIST = "/admin/leases/leasedeposit/"
MAY = (
    *ALL,
    "leases.view_lease",
    "ledger.view_ledgerposting",
    "ledger.view_driveraccount",
    "jobs.view_jobrun",
)


@pytest.fixture
def lease(desk: Desk) -> Lease:
    """500 in two parts, 250 collected, 30 in hand, and tickets of 100 and 20; it ended three days ago."""
    today = local_date(timezone.now())
    found = lease_with_deposit(
        "500.00",
        (SATURDAY, NEXT_SATURDAY),
        driver=make_driver(name=f"Ann Lee {Lease.objects.count()}"),
    )
    post_parts()
    account = account_of(found)
    pay(account, "250.00", {f"{found.number}/D1": "250.00"})
    pay(account, "30.00")
    charge(account, "PVB", "100.00", f"PVB-40001{found.pk}")
    charge(account, "TLC", "20.00", f"TLC-77{found.pk}")
    Lease.objects.filter(pk=found.pk).update(ends_on=today - timedelta(days=3), status="ENDED")
    return found


@pytest.mark.thorough
def test_a_deposit_is_released_early_and_refunded_once_however_often_it_is_clicked(
    desk: Desk, lease: Lease
) -> None:
    lease_with_deposit(ends_on=None)
    clerk = make_user(permissions=MAY)
    fits_a_phone_at_night(desk, lease, clerk)
    seat = desk.seat(clerk)
    tab = seat.tab(LIST)
    expect(tab.get_by_text("Ann Lee")).to_be_visible()
    look(tab, "deposit_list")
    tab.goto(f"{LIST}{lease.deposit.pk}/change/")
    look(tab, "deposit_before")
    turn(tab, tab.get_by_role("link", name="Release…"))
    expect(tab.get_by_text("before its hold ends", exact=True)).to_be_visible()
    look(tab, "deposit_release")
    other = seat.tab(tab.url)  # a second tab with the same question
    tab.get_by_label("Reason").fill("short")
    turn(tab, tab.get_by_role("button", name="Release the deposit"))
    expect(tab.get_by_role("alert").or_(tab.locator(".errorlist, .text-red-600")).first).to_be_visible()
    tab.get_by_label("Reason").fill("The driver leaves the city")
    tab.get_by_role("button", name="Release the deposit").dblclick()
    expect(tab.get_by_text("Record refund…")).to_be_visible()
    look(tab, "deposit_released")
    other.get_by_label("Reason").fill("The driver leaves the city")
    turn(other, other.get_by_role("button", name="Release the deposit"))
    expect(other.get_by_text("was released on")).to_be_visible()
    look(other, "deposit_release_refused")
    assert (
        DepositRelease.objects.filter(deposit__lease=lease).count() == 1
        and figures(lease)["to_refund"] == "160.00"
    )

    turn(tab, tab.get_by_role("link", name="Record refund…"))
    tab.get_by_label("Check number or ACH reference").fill("1042")
    look(tab, "deposit_refund")
    tab.get_by_role("button", name="Record the refund").dblclick()
    expect(tab.get_by_text("Refunded").first).to_be_visible()
    look(tab, "deposit_refunded")
    tab.go_back()
    tab.get_by_label("Check number or ACH reference").fill("1043")
    tab.get_by_role("button", name="Record the refund").click()
    expect(tab.get_by_text("is left to pay back")).to_be_visible()
    assert DepositRefund.objects.count() == 1 and broken_proofs() == []
    seat.context.close()


def fits_a_phone_at_night(desk: Desk, lease: Lease, clerk: User) -> None:
    seat = desk.seat(clerk, viewport=PHONE, color_scheme="dark")
    tab = seat.tab(LIST)
    look(tab, "deposit_phone_list")
    for name in ("change", "release", "terms"):
        tab.goto(f"{LIST}{lease.deposit.pk}/{name}/")
        look(tab, f"deposit_phone_{name}")
    for name in ("agree", "expired"):
        tab.goto(f"{LIST}{name}/")
        look(tab, f"deposit_phone_{name}")
    seat.context.close()
