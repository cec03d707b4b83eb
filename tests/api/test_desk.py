"""The desk over HTTP: the drawer and its close, checks that bounced, and the lists for the accountant."""

from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from batconnect.common.weeks import local_date
from ledger.models import DrawerClose, DriverAccount
from ledger.services import credits
from tests.factories import make_user
from tests.ledger.desk_stories import asked, take
from tests.ledger.factories import broken_proofs, charge, make_account
from tests.misc_expenses.expense_stories import client_of, send

pytestmark = pytest.mark.django_db
CASHIER = ("ledger.take_payment", "ledger.close_drawer")
ACCOUNTANT = (
    "ledger.view_drawerclose", "ledger.fund_drawer", "ledger.bounce_check", "ledger.close_drawer",
    "ledger.close_other_drawer", "ledger.view_creditdecision",
)  # fmt: skip


@pytest.fixture
def account(db: None) -> DriverAccount:
    return make_account()


def today() -> Any:
    return local_date(timezone.now())


def test_a_drawer_is_looked_at_counted_and_closed_once(account: DriverAccount) -> None:
    ann = make_user(permissions=CASHIER)
    take(account, "80.00", ann, on=today())
    check = take(account, "70.00", ann, method="CHECK", number="118", on=today())
    client = client_of(ann)
    seen = client.get("/ledger/drawer").json()
    assert (seen["expected_cash"], seen["expected_checks"], seen["closed"]) == ("80.00", "70.00", False)
    assert seen["checks"][0]["payment"] == check.number
    assert seen["movements"] == {"PAYMENT:CASH": "80.00", "PAYMENT:CHECK": "70.00"}
    count = {"counted_cash": "75.00", "checks_present": [check.number], "kept": "25.00"}
    short = send(client, "/ledger/drawer/close", count)
    assert (short.status_code, short.json()["error"]) == (400, "drawer.reason")
    count["reason"] = "Gave too much change at noon"
    answers = [send(client, "/ledger/drawer/close", count, key="close") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert (answers[0].json()["difference"], answers[0].json()["banked"]) == ("-5.00", "120.00")
    again = send(client, "/ledger/drawer/close", count)
    assert (again.status_code, again.json()["error"]) == (409, "drawer.closed")
    assert client.get("/ledger/drawer").json()["closed"] is True
    assert broken_proofs() == []


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"counted_cash": "-1"}, "invalid"),
        ({"counted_cash": "x"}, "invalid"),
        ({"kept": "80.01"}, "drawer.kept"),
        ({"checks_present": ["INTPAY-2019-00000"]}, "drawer.unknown_check"),
        ({"surplus": "1"}, "invalid"),
    ],
)
def test_a_wrong_count_is_refused(account: DriverAccount, change: dict[str, Any], error: str) -> None:
    ann = make_user(permissions=CASHIER)
    take(account, "80.00", ann, on=today())
    answer = send(client_of(ann), "/ledger/drawer/close", {"counted_cash": "80.00", **change})
    assert answer.status_code == 400 and error.lower() in answer.json()["error"].lower(), answer.json()
    assert not DrawerClose.objects.exists()


def test_another_cashiers_drawer_takes_the_permission(account: DriverAccount) -> None:
    ann, bob = make_user(permissions=CASHIER), make_user(permissions=CASHIER)
    take(account, "80.00", ann, on=today())
    count = {"counted_cash": "80.00", "cashier": ann.username}
    refused = send(client_of(bob), "/ledger/drawer/close", count)
    assert (refused.status_code, refused.json()["error"]) == (403, "drawer.not_yours")
    chief = client_of(make_user(permissions=ACCOUNTANT))
    assert send(chief, "/ledger/drawer/close", {**count, "cashier": "nobody"}).status_code == 404
    done = send(chief, "/ledger/drawer/close", count).json()
    assert done["cashier"] == ann.username and done["closed_by"] != ann.username
    page = chief.get("/ledger/drawer/closes", {"cashier": ann.username}).json()
    assert [row["number"] for row in page["items"]] == [done["number"]]
    assert chief.get("/ledger/drawer/closes", {"end_date": "2019-01-01"}).json()["items"] == []
    assert client_of(ann).get("/ledger/drawer/closes").status_code == 403


def test_cash_is_put_in_and_a_banked_check_bounces(account: DriverAccount) -> None:
    ann, chief = make_user(permissions=CASHIER), client_of(make_user(permissions=ACCOUNTANT))
    put = send(chief, "/ledger/drawer/float", {"cashier": ann.username, "amount": "50.00"}, key="f").json()
    send(chief, "/ledger/drawer/float", {"cashier": ann.username, "amount": "50.00"}, key="f")
    assert put["expected_cash"] == "50.00"
    charge(account, "LEASE", "70.00", "L1")
    check = take(account, "70.00", ann, method="CHECK", on=today())
    path = f"/ledger/interim-payment/{check.number}/bounced"
    early = send(chief, path, {"reason": "Insufficient funds"})
    assert (early.status_code, early.json()["error"]) == (409, "check.not_banked")
    close = {"counted_cash": "50.00", "checks_present": [check.number], "kept": "50.00"}
    assert send(client_of(ann), "/ledger/drawer/close", close).status_code == 201
    assert send(client_of(ann), path, {"reason": "Insufficient funds"}).status_code == 403
    done = send(chief, path, {"reason": "Insufficient funds"})
    assert done.status_code == 200 and done.json()["original_posting_id"] == str(check.posting_id)
    assert send(chief, path, {"reason": "Insufficient funds"}).status_code == 409
    assert broken_proofs() == []


def test_decided_credits_are_listed(account: DriverAccount, django_assert_max_num_queries: Any) -> None:
    ann = make_user()
    for amount in ("5.00", "6.00"):
        credits.grant_credit(asked("ADJUSTMENT", account, amount), actor=ann, on=today())
    chief = client_of(make_user(permissions=ACCOUNTANT))
    with django_assert_max_num_queries(12):
        rows = chief.get("/ledger/credits", {"kind": "ADJUSTMENT"}).json()["items"]
    assert [(row["amount"], row["asked_by"], row["status"]) for row in rows] == [
        ("6.00", ann.username, "POSTED"), ("5.00", ann.username, "POSTED"),
    ]  # fmt: skip
    assert Decimal(rows[0]["amount"]) == Decimal("6.00")
    assert chief.get("/ledger/credits", {"kind": "REFUND"}).json()["total_items"] == 0
    assert client_of(ann).get("/ledger/credits").status_code == 403
