"""Payments and voids over HTTP, once each, whatever is sent twice."""

import threading
from collections import Counter
from datetime import date
from decimal import Decimal

import pytest
from django.db import connections
from rest_framework.test import APIClient

from batconnect.common.audit import system_user
from batconnect.common.models import IdempotencyKey
from ledger.models import DTR, InterimPayment, LedgerPosting
from ledger.services.statements import pay_dtr
from tests.factories import make_lease, make_user
from tests.ledger.factories import (
    account_of,
    balance,
    broken_proofs,
    charge,
    drive,
    make_account,
    open_items,
    run,
)

REASON = "entered for the wrong driver"


def payment_of(account, amount="100.00", **more):
    return {
        "driver_id": account.driver_id,
        "lease_id": account.lease_id,
        "total_payment_amount": amount,
        "payment_method": "CASH",
        **more,
    }


def post(client, path, body, key=None):
    return client.post(path, body, format="json", **({"HTTP_IDEMPOTENCY_KEY": key} if key else {}))


def test_a_payment_goes_where_the_cashier_said_and_the_receipt_tells(api, db):
    account = make_account()
    charge(account, "LEASE", "35.00", "LEASE-1")
    charge(account, "MISC", "50.00", "MISC-1")
    answer = post(api, "/ledger/interim-payment", payment_of(account, allocations={"MISC-1": "50.00"}))
    body = answer.json()
    assert answer.status_code == 201, body
    payment = InterimPayment.objects.get()
    assert body == {
        "receipt_number": payment.number,
        "posting_id": str(payment.posting_id),
        "driver_id": account.driver_id,
        "lease_id": account.lease_id,
        "payment_method": "CASH",
        "method_reference": "",
        "total_payment_amount": "100.00",
        "received_on": payment.received_on.isoformat(),
        "allocations": [
            {"category": "MISC", "reference_id": "MISC-1", "amount": "50.00"},
            {"category": "LEASE", "reference_id": "LEASE-1", "amount": "35.00"},
        ],
        "unallocated_amount": "15.00",
        "balance_after": "-15.00",
    }
    assert balance(account) == Decimal("-15.00") and broken_proofs() == []


def test_amounts_may_be_json_numbers_and_are_read_exactly(api, db):
    account = make_account()
    charge(account, "MISC", "100.10", "MISC-1")
    raw = (
        f'{{"driver_id": {account.driver_id}, "lease_id": {account.lease_id}, "total_payment_amount": 100.10,'
        ' "payment_method": "CASH", "allocations": {"MISC-1": 100.1}}'
    )
    answer = api.post("/ledger/interim-payment", raw, content_type="application/json")
    assert (answer.status_code, answer.json()["balance_after"]) == (201, "0.00")


@pytest.mark.parametrize(
    ("change", "status", "error", "field"),
    [
        ({"total_payment_amount": "0"}, 400, "request.invalid", "total_payment_amount"),
        ({"total_payment_amount": "-1.00"}, 400, "request.invalid", "total_payment_amount"),
        ({"total_payment_amount": "1.005"}, 400, "request.invalid", "total_payment_amount"),
        ({"total_payment_amount": "1e2"}, 400, "request.invalid", "total_payment_amount"),
        ({"total_payment_amount": "1" * 40}, 400, "request.invalid", "total_payment_amount"),
        ({"total_payment_amount": True}, 400, "request.invalid", "total_payment_amount"),
        ({"total_payment_amount": None}, 400, "request.invalid", "total_payment_amount"),
        ({"total_payment_amount": 10**4000}, 400, "request.invalid", "total_payment_amount"),
        ({"driver_id": "12"}, 400, "request.invalid", "driver_id"),
        ({"driver_id": 2**63}, 400, "request.invalid", "driver_id"),
        ({"driver_id": True}, 400, "request.invalid", "driver_id"),
        ({"lease_id": 2**63 - 1}, 404, "not_found", None),
        ({"payment_method": "BITCOIN"}, 400, "request.invalid", "payment_method"),
        ({"payment_method": "CHECK"}, 400, "payment.method_reference", None),
        ({"method_reference": "x" * 61}, 400, "request.invalid", "method_reference"),
        ({"method_reference": "a\x00"}, 400, "request.invalid", "method_reference"),
        ({"allocations": ["MISC-1"]}, 400, "request.invalid", "allocations"),
        ({"allocations": {"MISC-1": "-5"}}, 400, "request.invalid", "allocations"),
        ({"allocations": {"NONE\x00": "5"}}, 400, "payment.unknown_reference", None),
        ({"allocations": {"MISC-1": "50.01"}}, 400, "payment.over_allocated", None),
        ({"allocations": {f"R{n}": "1" for n in range(501)}}, 400, "request.invalid", "allocations"),
        ({"total_payment_amount": "10.00", "allocations": {"MISC-1": "20"}}, 400,
         "payment.allocated_more_than_paid", None),
        ({"amount": "5"}, 400, "request.invalid", "amount"),
    ],
)  # fmt: skip
def test_a_bad_payment_is_refused_whole(api, db, change, status, error, field):
    account = make_account()
    charge(account, "MISC", "50.00", "MISC-1")
    answer = post(api, "/ledger/interim-payment", {**payment_of(account), **change}, key="k1")
    body = answer.json()
    assert (answer.status_code, body["error"]) == (status, error), body
    assert set(body) == {"error", "message", "details"}
    assert field is None or field in body["details"]
    assert balance(account) == Decimal("50.00")
    assert not IdempotencyKey.objects.exists() and not InterimPayment.objects.exists()


def test_a_payment_for_a_lease_of_another_driver_is_not_found(api, db):
    account, other = make_account(), make_account()
    body = {**payment_of(account), "lease_id": other.lease_id}
    assert post(api, "/ledger/interim-payment", body).status_code == 404


def test_a_void_names_its_reversal(api, db):
    account = make_account()
    toll = charge(account, "EZPASS", "30.00", "TOLL-1")
    answer = post(api, f"/ledger/postings/{toll.pk}/void", {"reason": REASON})
    reversal = LedgerPosting.objects.get(reversal_for=toll)
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "message": "E-ZPass tolls TOLL-1 is voided.",
            "original_posting_id": str(toll.pk),
            "reversal_posting_id": str(reversal.pk),
        },
    )
    assert open_items(account) == {} and broken_proofs() == []


@pytest.mark.parametrize(
    ("reason", "status"),
    [("too short", 400), ("long enough", 200), ("x" * 501, 400), (12345678901, 400), (None, 400)],
)
def test_a_reason_has_ten_characters_at_least(api, db, reason, status):
    toll = charge(make_account(), "EZPASS", "30.00")
    assert post(api, f"/ledger/postings/{toll.pk}/void", {"reason": reason}).status_code == status


def test_what_cannot_be_voided(api, db):
    toll = charge(make_account(), "EZPASS", "30.00")
    path = f"/ledger/postings/{toll.pk}/void"
    reversal = post(api, path, {"reason": REASON}).json()["reversal_posting_id"]
    for void_path, status, error in (
        (path, 409, "posting.already_voided"),
        (f"/ledger/postings/{reversal}/void", 409, "posting.is_reversal"),
        ("/ledger/postings/00000000-0000-7000-8000-000000000000/void", 404, "posting.unknown"),
        ("/ledger/postings/not-a-uuid/void", 404, "not_found"),
    ):
        answer = post(api, void_path, {"reason": REASON})
        assert (answer.status_code, answer.json()["error"]) == (status, error)


@pytest.fixture
def settled(db):
    """A lease that earned 560.00 in a week that is closed, owed 40.00 of taxes and 100.00, and is paid the rest."""
    account = make_account()
    charge(account, "MISC", "100.00", "MISC-1")
    drive(account, "560.00", {"MTA": "40.00"})
    run()
    return DTR.objects.get(account=account)


def test_a_settlement_is_reversed_once_whatever_is_sent_twice(api, settled):
    path = f"/ledger/dtrs/{settled.number}/reverse-settlement"
    answer = post(api, path, {"reason": REASON}, key="k")
    body = answer.json()
    assert answer.status_code == 200, body
    reversals = {row.category: row for row in LedgerPosting.objects.filter(reversal_for__isnull=False)}
    assert body == {
        "message": f"The settlement of {settled.number} is reversed. Its trips go to the next run.",
        "dtr_number": settled.number,
        "week": "2019-03-03",
        "reversals": [
            {
                "category": category,
                "amount": amount,
                "original_posting_id": str(reversals[category].reversal_for_id),
                "reversal_posting_id": str(reversals[category].pk),
            }
            for category, amount in (("PAYOUT", "-420.00"), ("TAXES", "-40.00"), ("EARNINGS", "560.00"))
        ],
        "balance_after": "100.00",
    }
    again = post(api, f"{path}/", {"reason": REASON}, key="k")
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (body, "true")
    anew = post(api, path, {"reason": REASON})
    assert (anew.status_code, anew.json()["error"]) == (409, "settlement.already_reversed")
    assert open_items(settled.account) == {"MISC:MISC-1": Decimal("100.00")} and broken_proofs() == []


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"reason": "too short"}, 400, "void.reason"),
        ({"reason": " " * 20}, 400, "request.invalid"),
        ({"reason": "x" * 501}, 400, "request.invalid"),
        ({"reason": 12345678901}, 400, "request.invalid"),
        ({}, 400, "request.invalid"),
        ({"reason": REASON, "week": "2019-03-03"}, 400, "request.invalid"),
    ],
)
def test_a_settlement_is_not_reversed_without_a_reason(api, settled, body, status, error):
    answer = post(api, f"/ledger/dtrs/{settled.number}/reverse-settlement", body)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert not LedgerPosting.objects.filter(reversal_for__isnull=False).exists()


def test_what_settlement_cannot_be_reversed(api, settled):
    idle = make_account()
    charge(idle, "MISC", "5.00", on=date(2019, 3, 10))
    run(date(2019, 3, 10))
    nothing = DTR.objects.get(account=idle)
    for number, status, error in (
        (nothing.number, 404, "settlement.none"),
        ("DTR-2019-99999", 404, "not_found"),
        ("nonsense", 404, "not_found"),
    ):
        answer = post(api, f"/ledger/dtrs/{number}/reverse-settlement", {"reason": REASON})
        assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_a_payout_that_was_paid_stands(api, settled):
    pay_dtr(dtr=settled, on=date(2019, 3, 12), method="ACH", actor=system_user())
    answer = post(api, f"/ledger/dtrs/{settled.number}/reverse-settlement", {"reason": REASON})
    assert [row["category"] for row in answer.json()["reversals"]] == ["TAXES", "EARNINGS"]
    assert answer.json()["balance_after"] == "520.00"


def test_the_same_key_and_body_is_one_payment_and_one_answer(api, db):
    account = make_account()
    charge(account, "LEASE", "500.00")
    first = post(api, "/ledger/interim-payment", payment_of(account), key="desk-1")
    again = post(api, "/ledger/interim-payment/", payment_of(account), key="desk-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert "Idempotent-Replayed" not in first.headers and again.headers["Idempotent-Replayed"] == "true"
    assert balance(account) == Decimal("400.00")


def test_the_same_key_with_another_body_is_refused(api, db):
    account = make_account()
    post(api, "/ledger/interim-payment", payment_of(account), key="desk-1")
    answer = post(api, "/ledger/interim-payment", payment_of(account, "100.01"), key="desk-1")
    assert (answer.status_code, answer.json()["error"]) == (422, "idempotency.key_reused")
    assert balance(account) == Decimal("-100.00")


def test_a_key_belongs_to_its_user_and_path(api, client_with, db):
    account = make_account()
    toll = charge(account, "EZPASS", "30.00")
    other = client_with("ledger.take_payment")
    assert post(api, "/ledger/interim-payment", payment_of(account), key="k").status_code == 201
    assert post(other, "/ledger/interim-payment", payment_of(account), key="k").status_code == 201
    assert post(api, f"/ledger/postings/{toll.pk}/void", {"reason": REASON}, key="k").status_code == 200
    assert InterimPayment.objects.count() == 2


def test_a_refused_request_leaves_its_key_free(api, db):
    account = make_account()
    refused = payment_of(account, allocations={"MISC-1": "50.00"})
    assert post(api, "/ledger/interim-payment", refused, key="k").status_code == 400
    charge(account, "MISC", "50.00", "MISC-1")
    assert post(api, "/ledger/interim-payment", refused, key="k").status_code == 201


@pytest.mark.parametrize("key", ["", " ", "a b", "ключ", "x" * 256, "a\x00"])
def test_a_bad_key_is_refused(api, db, key):
    account = make_account()
    answer = api.post("/ledger/interim-payment", payment_of(account), format="json", HTTP_IDEMPOTENCY_KEY=key)
    assert (answer.status_code, "Idempotency-Key" in answer.json()["details"]) == (400, True)


def test_without_a_key_each_request_is_a_new_payment(api, db):
    account = make_account()
    for _ in range(2):
        assert post(api, "/ledger/interim-payment", payment_of(account)).status_code == 201
    assert InterimPayment.objects.count() == 2


@pytest.mark.slow
def test_twenty_copies_at_once_are_one_payment(committing_database, soak_factor):
    """Each key is sent twenty times at once; every copy gets the one answer, and one of them is the first."""
    user = make_user(permissions=("ledger.take_payment",))
    accounts = [account_of(make_lease(weekly_fee="0.00")) for _ in range(3 * soak_factor)]
    for account in accounts:
        charge(account, "LEASE", "500.00")
        answers = _at_once(20, user, payment_of(account, "100.00"), f"key-{account.pk}")
        assert Counter(status for status, _, _ in answers) == {201: 20}
        assert len({receipt for _, receipt, _ in answers}) == 1
        assert Counter(replayed for _, _, replayed in answers) == {None: 1, "true": 19}
        assert balance(account) == Decimal("400.00")
    assert InterimPayment.objects.count() == len(accounts)
    assert broken_proofs() == []


def _at_once(copies, user, body, key):
    answers, start = [], threading.Barrier(copies)

    def send():
        try:
            client = APIClient()
            client.force_authenticate(user)
            start.wait()
            answer = post(client, "/ledger/interim-payment", body, key=key)
            answers.append(
                (
                    answer.status_code,
                    answer.json().get("receipt_number"),
                    answer.headers.get("Idempotent-Replayed"),
                )
            )
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(copies)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers
