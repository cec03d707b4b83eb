"""Paying drivers in a browser: two people, every button clicked twice, and what it looks like."""

import pytest
from playwright.sync_api import Page, expect

from ledger.models import DTRPayment, PayoutBatch, PayoutCheck
from tests.api.conftest import PAYOUTS
from tests.factories import make_user
from tests.ledger.factories import broken_proofs
from tests.ledger.payout_stories import net_pay, paid_by

from .desk import PHONE, Desk, look, turn

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NAMES = ["Ann Lee", "Bo Ray", "Cy Tan", "Di Fox"]


def twice(page: Page, name: str, leads_to: str) -> None:
    page.get_by_role("button", name=name, exact=True).dblclick()
    page.wait_for_url(leads_to)


def test_a_batch_goes_from_the_pay_list_to_the_bank_and_every_double_click_is_one(desk: Desk) -> None:
    first, second, check, nothing = net_pay("1300.00", "220.50", "80.25", "5.00", names=NAMES)
    paid_by(first), paid_by(second, savings=True), paid_by(check, "CHECK")
    clerk, chief = (make_user(permissions=(*PAYOUTS, "ledger.view_dtr")) for _ in range(2))

    page = desk.seat(clerk).tab("/admin/ledger/payoutbatch/pay/")
    expect(page.get_by_text("Nobody entered how the driver is paid")).to_be_visible()
    look(page, "pay-1-list")
    turn(page, page.get_by_role("link", name="Prepare an ACH batch…"))
    look(page, "pay-2-prepare")
    twice(page, "Prepare this batch", "**/change/")
    batch = PayoutBatch.objects.get()
    expect(page.get_by_text("somebody else has to approve it").first).to_be_visible()
    look(page, "pay-3-draft")

    other = desk.seat(chief, color_scheme="dark").tab(f"/admin/ledger/payoutbatch/{batch.pk}/approve/")
    look(other, "pay-4-approve-dark")
    twice(other, "Approve", "**/change/")
    page.reload()
    turn(page, page.get_by_role("link", name="Make the file…"))
    twice(page, "Make the file", "**/change/")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the file").click()
    assert download.value.suggested_filename == f"ach-{batch.number}.txt"
    turn(page, page.get_by_role("link", name="Mark as sent…"))
    look(page, "pay-5-sent")
    twice(page, "Mark as sent", "**/change/")
    look(page, "pay-6-after")
    assert DTRPayment.objects.count() == 2

    page.goto("/admin/ledger/payoutbatch/pay/")
    turn(page, page.get_by_role("link", name="Issue checks…"))
    twice(page, "Issue these checks", "**/print/**")
    look(page, "pay-7-checks")
    assert PayoutCheck.objects.count() == 1
    page.goto("/admin/ledger/payoutcheck/")
    look(page, "pay-8-register")
    page.goto("/admin/ledger/payoutreturn/upload/")
    look(page, "pay-9-returns")

    phone = desk.seat(clerk, viewport=PHONE, color_scheme="dark").tab("/admin/ledger/payoutbatch/pay/")
    look(phone, "pay-phone-list")
    phone.goto(f"/admin/ledger/payoutbatch/{batch.pk}/change/")
    look(phone, "pay-phone-batch")
    phone.goto("/admin/ledger/payoutinstruction/add/")
    look(phone, "pay-phone-method")
    assert nothing.payout_id and broken_proofs() == []
