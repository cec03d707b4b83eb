"""The screens of paying drivers, from the pay list to the bank's returns, with rights and without."""

import logging
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from batconnect.common.models import User
from batconnect.common.screens import admin_url, list_url
from ledger.admin import payout_checks, payout_parts
from ledger.admin.payout_parts import today
from ledger.models import DTR, DTRPayment, PayoutBatch, PayoutCheck, PayoutInstruction, PayoutReturn
from ledger.services.payouts import ach_batches, holds
from tests.api.conftest import PAYOUTS
from tests.factories import make_user
from tests.ledger.desk_stories import float_in
from tests.ledger.factories import SUNDAY, broken_proofs
from tests.ledger.payout_stories import MONDAY as PAY_DAY
from tests.ledger.payout_stories import ROUTING, entry_lines, net_pay, paid_by, return_file, return_line

pytestmark = pytest.mark.django_db
RIGHTS = (*PAYOUTS, "ledger.view_dtr", "ledger.pay_dtr")
BANK = {"routing_number": ROUTING, "account_number": "77001122", "account_type": "CHECKING"}


def signed_in(*permissions: str) -> Client:
    client = Client()
    client.force_login(make_user(permissions=permissions or RIGHTS))
    return client


def page(name: str, *args: Any) -> str:
    return reverse(f"admin:ledger_{name}", args=args)


def shown(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, (address, answer.status_code)
    return answer.content.decode()


def send(client: Client, address: str, **fields: Any) -> str:
    """Send a page's form, twice with its token as a double click does; returns the page that it leads to."""
    html = shown(client, address)
    token = re.search(r'name="token" value="(\w+)"', html)
    assert token, "the page has no form"
    answers = [client.post(address, {**fields, "token": token[1]}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [302, 302], answers[0].content.decode()
    assert answers[0]["Location"] == answers[1]["Location"]
    return shown(client, answers[1]["Location"])


def test_a_week_is_paid_on_screen_every_button_clicked_twice():
    ach, check, cash, held = net_pay(
        "300.00", "20.00", "7.00", "5.00", names=["Ann Lee", "Bo Ray", "Cy Tan", "Di Fox"]
    )
    clerk, chief = signed_in(), signed_in()
    for dtr, method in ((ach, "ACH"), (check, "CHECK")):
        send(
            clerk, page("payoutinstruction_add"), licence=dtr.driver.tlc_license, method=method,
            **(BANK if method == "ACH" else {}),
        )  # fmt: skip
        row = PayoutInstruction.objects.get(driver=dtr.driver)
        assert "somebody else has to decide" in shown(clerk, admin_url(row))
        send(chief, page("payoutinstruction_approve", row.pk))
    send(clerk, page("payoutbatch_hold", held.pk), kind="DISPUTED", reason="Says he drove more")
    pay = shown(clerk, f"{page('payoutbatch_pay')}?week={SUNDAY}")
    for text in ("Ann Lee", "••••1122", "Disputed: Says he drove more", "300.00", "Nobody entered"):
        assert text in pay
    assert "77001122" not in pay

    assert "is prepared" in send(clerk, page("payoutbatch_pay_ach"))
    batch = PayoutBatch.objects.get()
    assert "somebody else has to approve" in shown(clerk, page("payoutbatch_approve", batch.pk)).lower()
    assert "Download" not in shown(clerk, admin_url(batch))
    send(chief, page("payoutbatch_approve", batch.pk))
    send(clerk, page("payoutbatch_file", batch.pk))
    content = clerk.get(page("payoutbatch_download", batch.pk)).content
    assert b"77001122" in content and "77001122" not in shown(clerk, admin_url(batch))
    send(clerk, page("payoutbatch_sent", batch.pk), **_on())
    send(clerk, page("payoutbatch_settled", batch.pk), **_on())
    assert "settled" in shown(clerk, page("payoutbatch_reverse", batch.pk))

    issued = send(clerk, page("payoutbatch_pay_checks"))
    assert "1001" in issued and "Then checks" not in issued
    receipt = DTRPayment.objects.filter(method="CASH")
    refused = clerk.post(page("payoutbatch_pay_cash", cash.pk), {"token": "early"})
    assert "Have cash put into it first" in refused.text and not receipt.exists()
    float_in(User.objects.get(pk=clerk.session["_auth_user_id"]), "7.00")
    assert "In your drawer" in shown(clerk, page("payoutbatch_pay"))
    handed = send(clerk, page("payoutbatch_pay_cash", cash.pk))
    printed = page("payoutbatch_receipt", receipt.get().pk)
    assert printed in handed and clerk.get(printed).content.startswith(b"%PDF")
    assert signed_in("ledger.view_dtr", "ledger.view_payoutbatch").get(printed).status_code == 403
    assert DTRPayment.objects.count() == 3
    one = PayoutCheck.objects.get()
    send(clerk, page("payoutcheck_reissue", one.pk), reason="Lost in the mail")
    second = PayoutCheck.objects.get(reissue_of=one)
    send(clerk, page("payoutcheck_void", second.pk), reason="Lost once more")
    assert clerk.get(f"{page('payoutcheck_pdf')}?from=1001&to=1002").content.startswith(b"%PDF")
    send(clerk, page("payoutcheck_book"), first_number="20001")
    send(clerk, page("payoutbatch_pay_check", check.pk))
    send(clerk, page("payoutcheck_clear", PayoutCheck.objects.get(number=20001).pk), **_on())
    send(clerk, page("payoutbatch_release", held.pk), reason="He counted again")

    (line,) = entry_lines(content)
    other = line[:79] + "061999990999999"
    back = return_file(
        *return_line(line, code="R02", trace=line[79:94]), *return_line(other, code="R01", trace=other[79:94])
    )
    preview = clerk.post(
        page("payoutreturn_upload"), {"file": SimpleUploadedFile("back.ach", back)}
    ).content.decode()
    assert (
        "bank details blocked" in preview and "no transfer of ours" in preview and "77001122" not in preview
    )
    fields = dict(re.findall(r'name="(kept|name|token)" value="([^"]*)"', preview))
    for _ in range(2):
        assert clerk.post(page("payoutreturn_take_in"), fields).status_code == 302
    waiting = PayoutReturn.objects.get(state="OPEN")
    send(clerk, page("payoutreturn_handle", waiting.pk), reason="Not of our bank")
    for model in (PayoutBatch, PayoutCheck, PayoutReturn, PayoutInstruction):
        assert "77001122" not in shown(clerk, list_url(model))
        for row in model.objects.all():
            assert "77001122" not in shown(clerk, admin_url(row))
    assert "blocked" in shown(clerk, f"{page('payoutbatch_pay')}?week={SUNDAY}")
    assert broken_proofs() == []


def _on() -> dict[str, str]:
    return {"on": today().isoformat()}


def test_the_pay_list_is_searched_and_paged_and_its_figures_are_of_all(monkeypatch: pytest.MonkeyPatch):
    for dtr in net_pay("300.00", "20.00", "7.00", names=["Ann Lee", "Bo Ray", "Cy Tan"]):
        paid_by(dtr)
    client = signed_in()
    found = shown(client, f"{page('payoutbatch_pay')}?q=bo ray")
    assert "Bo Ray" in found and "Ann Lee" not in found and "327.00" in found
    monkeypatch.setattr(payout_parts, "MOST_ROWS", 2)
    first, second = (shown(client, f"{page('payoutbatch_pay')}?ach={number}") for number in (1, 2))
    assert "1 to 2 of 3." in first and "Cy Tan" not in first and "327.00" in first
    assert "Cy Tan" in second and "Bo Ray" not in second and "327.00" in second
    batch = ach_batches.create_batch(actor=make_user(), on=PAY_DAY)
    last = shown(client, f"{admin_url(batch)}?page=2")
    assert "Cy Tan" in last and "Bo Ray" not in last and "327.00" in last


def test_an_error_in_bank_details_does_not_write_the_account_again():
    (dtr,) = net_pay("300.00")
    client = signed_in()
    answer = client.post(
        page("payoutinstruction_add"),
        {"licence": dtr.driver.tlc_license, "method": "ACH", "routing_number": "123456789",
         "account_number": "77001122", "account_type": "CHECKING", "token": "x"},
    )  # fmt: skip
    html = answer.content.decode()
    assert "no routing number" in html and "77001122" not in html and "123456789" not in html


def test_a_draft_is_changed_and_reversed_on_screen():
    first, second = net_pay("300.00", "20.00")
    paid_by(first), paid_by(second)
    client = signed_in()
    batch = ach_batches.create_batch(actor=make_user(), on=PAY_DAY)
    send(client, page("payoutbatch_takeout", batch.pk), dtr=second.number, reason="He wants a check")
    send(client, page("payoutbatch_reverse", batch.pk), reason="The bank is closed")
    assert DTR.objects.filter(status="FINALIZED").count() == 2
    holds.hold(dtr=first, kind="HOLD", reason="Left with our radio", actor=make_user())
    assert "Release" in shown(client, admin_url(first)) and "Issue a check" in shown(
        client, admin_url(second)
    )
    assert client.post(page("payoutbatch_pay_cash", first.pk), {"token": "t"}).status_code == 200
    assert not DTRPayment.objects.exists()


def test_without_the_right_nothing_opens(caplog):
    caplog.set_level(logging.ERROR, logger="django.request")  # writing forty refusals out takes half a minute
    (dtr,) = net_pay("300.00")
    paid_by(dtr)
    batch = ach_batches.create_batch(actor=make_user(), on=PAY_DAY)
    reader = signed_in("ledger.view_payoutbatch", "ledger.view_payoutcheck", "ledger.view_payoutreturn")
    assert "Prepare" not in shown(reader, page("payoutbatch_pay"))
    closed = [
        page("payoutbatch_pay_ach"), page("payoutbatch_pay_checks"), page("payoutbatch_pay_cash", dtr.pk),
        page("payoutbatch_pay_check", dtr.pk), page("payoutbatch_hold", dtr.pk), page("payoutbatch_release", dtr.pk),
        *(page(f"payoutbatch_{name}", batch.pk) for name in
          ("approve", "file", "download", "sent", "settled", "takeout", "reverse")),
        page("payoutcheck_book"), page("payoutcheck_print"), page("payoutcheck_pdf"), page("payoutreturn_upload"),
        page("payoutreturn_take_in"), page("payoutreturn_single"), page("payoutinstruction_add"),
    ]  # fmt: skip
    for address in closed:
        assert reader.get(address).status_code == 403, address
        assert reader.post(address, {"token": "t"}).status_code == 403, address


def test_checks_that_do_not_fit_on_one_page_are_printed_from_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for dtr in net_pay("20.00", "30.00", "40.00"):
        paid_by(dtr, "CHECK")
    monkeypatch.setattr(payout_checks, "MOST_PRINTED", 2)
    clerk = signed_in()
    first = send(clerk, page("payoutbatch_pay_checks"))
    assert "Checks 1001 to 1002" in first and "Then checks 1003 to 1003" in first
    following = shown(clerk, f"{page('payoutcheck_print')}?from=1003&to=1003")
    assert "Check 1003" in following and "Then checks" not in following
