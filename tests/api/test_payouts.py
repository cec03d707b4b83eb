"""Paying drivers over HTTP: the whole way once, keys, and what is refused."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from ledger.models import DTR, DTRPayment, PayoutItem
from ledger.services.payouts import bank_details
from tests.api.conftest import PAYOUTS
from tests.factories import make_user
from tests.ledger.desk_stories import float_in
from tests.ledger.factories import SUNDAY, broken_proofs
from tests.ledger.payout_stories import ROUTING, entry_lines, net_pay, paid_by, return_file, return_line

pytestmark = pytest.mark.django_db


def client_of(user: Any = None) -> APIClient:
    client = APIClient()
    client.force_authenticate(user or make_user(permissions=PAYOUTS))
    return client


def post(client: APIClient, path: str, body: Any = None, key: str = "", expect: int = 200) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    answer = client.post(f"/payments/{path}", body or {}, format="json", headers=headers)
    assert answer.status_code == expect, answer.content
    return answer.json()


def test_a_week_is_paid_over_http_and_a_return_taken_in():
    first, second = net_pay("300.00", "20.00")
    cashier = make_user(permissions=PAYOUTS)
    maker, other = client_of(cashier), client_of()
    asked = post(
        maker, f"drivers/{first.driver_id}/method",
        {"method": "ACH", "routing_number": ROUTING, "account_number": "77001122", "account_type": "CHECKING"},
        expect=201,
    )  # fmt: skip
    assert asked["account"] == "Checking ••••1122" and asked["state"] == "REQUESTED"
    post(maker, f"methods/{asked['id']}/approve", expect=403)
    post(other, f"methods/{asked['id']}/approve")
    post(
        maker,
        "holds",
        {"dtr_number": second.number, "kind": "HOLD", "reason": "Left with our radio"},
        expect=201,
    )
    listed = maker.get("/payments/pay-list", {"week": str(SUNDAY)}).json()
    assert (listed["free_total"], listed["held_total"]) == ("300.00", "20.00")
    post(maker, "holds/release", {"dtr_number": second.number, "reason": "The radio is back"})

    batch = post(maker, "batches", {"week": str(SUNDAY)}, key="one", expect=201)
    assert post(maker, "batches", {"week": str(SUNDAY)}, key="one", expect=201) == batch
    assert post(maker, "batches", {"week": str(SUNDAY)}, key="two", expect=409)["error"] == "payouts.nothing"
    path = f"batches/{batch['number']}"
    post(maker, f"{path}/approve", expect=403)
    post(other, f"{path}/approve")
    assert maker.get(f"/payments/{path}/file").status_code == 409
    post(maker, f"{path}/file")
    content = maker.get(f"/payments/{path}/file").content
    assert content == maker.get(f"/payments/{path}/file").content and b"77001122" in content
    post(maker, f"{path}/sent", {"on": "2999-01-01"}, expect=400)
    done = post(maker, f"{path}/sent", key="send")
    assert post(maker, f"{path}/sent", key="send") == done and done["state"] == "SENT"
    post(maker, f"{path}/sent", expect=409)
    post(maker, f"{path}/settled")

    (line,) = entry_lines(content)
    upload = SimpleUploadedFile("back.ach", return_file(*return_line(line, code="R02", trace=line[79:94])))
    taken = maker.post("/payments/returns/files", {"file": upload}, format="multipart")
    assert (taken.status_code, taken.json()["applied"]) == (201, 1)
    assert DTR.objects.get(pk=first.pk).status == "FINALIZED"
    (check,) = post(maker, "checks", {"dtr_numbers": [first.number]}, expect=201)["items"]
    assert maker.get(f"/payments/checks/{check['number']}/pdf").content.startswith(b"%PDF")
    again = post(maker, f"checks/{check['number']}/reissue", {"reason": "Lost in the mail"}, expect=201)
    assert again["reissue_of"] == check["number"]
    post(maker, f"checks/{again['number']}/cleared")
    post(maker, f"checks/{again['number']}/void", {"reason": "After it cleared"}, expect=409)
    empty = post(maker, "cash", {"dtr_number": second.number}, key="empty", expect=409)
    assert empty["error"] == "drawer.holds_less"
    float_in(cashier, "20.00")
    cash = post(maker, "cash", {"dtr_number": second.number}, key="cash", expect=201)
    assert post(maker, "cash", {"dtr_number": second.number}, key="cash", expect=201) == cash
    post(maker, "cash", {"dtr_number": second.number}, expect=409)
    assert maker.get(f"/payments/cash/{cash['receipt_number']}/pdf").status_code == 200
    assert DTRPayment.objects.filter(dtr=second).count() == 1
    for name in ("returns", "checks", "batches"):
        assert maker.get(f"/payments/{name}").json()["total_items"] >= 1
    assert broken_proofs() == []


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("batches", {"week": "2019-03-04"}, 400),
        ("batches", {}, 400),
        ("batches", {"week": "2019-03-03", "dtr_numbers": ["DTR-2019-00001"]}, 400),
        ("checks", {"dtr_numbers": ["DTR-2019-99999"]}, 409),
        ("cash", {"dtr_number": "DTR-2019-99999"}, 404),
        ("holds", {"dtr_number": "DTR-2019-99999", "kind": "HOLD", "reason": "It is not there"}, 404),
        ("holds", {"dtr_number": "DTR-2019-99999", "kind": "WHY", "reason": "It is not there"}, 400),
        ("returns", {"dtr_number": "DTR-2019-99999", "code": "R02"}, 404),
        ("drivers/999999/method", {"method": "CHECK"}, 404),
        ("drivers/999999/method", {"method": "ACH", "routing_number": "1", "account_number": "12345"}, 404),
        ("batches/1901-999/sent", {}, 404),
        ("checks/999999999999999/void", {"reason": "There is none of it"}, 404),
        ("returns/999999999999999999/handle", {"reason": "There is none of it"}, 404),
    ],
)
def test_what_is_wrong_is_refused_with_its_reason(path, body, status):
    assert post(client_of(), path, body, expect=status)["message"]


def test_a_file_that_is_none_is_refused_and_one_that_is_missing():
    client = client_of()
    wrong = client.post(
        "/payments/returns/files", {"file": SimpleUploadedFile("x", b"hello")}, format="multipart"
    )
    assert (wrong.status_code, wrong.json()["error"]) == (400, "payout_returns.unreadable")
    assert client.post("/payments/returns/files", {}, format="multipart").status_code == 400


def test_a_draft_is_changed_and_reversed_over_http():
    first, second = net_pay("300.00", "20.00")
    paid_by(first), paid_by(second)
    client = client_of()
    number = post(client, "batches", {"dtr_numbers": [first.number, second.number]}, expect=201)["number"]
    out = {"dtr_number": second.number, "reason": "He wants a check"}
    assert post(client, f"batches/{number}/take-out", out)["payments"] == 1
    post(client, f"batches/{number}/take-out", out, expect=404)
    post(client, f"batches/{number}/reverse", {"reason": "short"}, expect=400)
    assert post(client, f"batches/{number}/reverse", {"reason": "Bank is closed"})["state"] == "REVERSED"
    assert set(PayoutItem.objects.values_list("state", flat=True)) == {"WITHDRAWN"}
    waiting = bank_details.request_method(driver_id=first.driver_id, method="CASH", actor=make_user())
    rejected = post(client, f"methods/{waiting.pk}/reject", {"reason": "He did not sign it"})
    assert rejected["state"] == "REJECTED"
