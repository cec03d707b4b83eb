"""ADJ, WOFF and REFUND over HTTP and through their screens: one person below the limit, two above, never the same."""

from decimal import Decimal
from typing import Any

import pytest

from batconnect.cases.models import Case
from batconnect.common.models import User
from ledger.models import CreditDecision, DriverAccount
from tests.factories import make_user
from tests.ledger.desk_stories import cashier, float_in, take
from tests.ledger.factories import balance, broken_proofs, charge, make_account, open_items, pay
from tests.misc_expenses.expense_stories import client_of, send

WHY = "The cab stood in the shop for two days"
CLERK = (
    "cases.view_case", "cases.process_case", "ledger.grant_adjustment", "ledger.write_off", "ledger.refund_credit",
)  # fmt: skip
APPROVER = (*CLERK, "cases.approve_case")


@pytest.fixture
def account(db: None, settings: Any) -> DriverAccount:
    """Owes a lease week of 35.00 and a key of 50.00."""
    settings.ADJUSTMENT_APPROVAL_ABOVE = Decimal("20.00")
    settings.WRITE_OFF_APPROVAL_ABOVE = Decimal("0.00")
    found = make_account()
    charge(found, "LEASE", "35.00", "WEEK-1")
    charge(found, "MISC", "50.00", "KEY-1")
    return found


def clerk() -> User:
    return make_user(permissions=CLERK)


def boss() -> User:
    return make_user(permissions=APPROVER)


def asked(account: DriverAccount, **more: Any) -> dict[str, Any]:
    return {"driver_id": account.driver_id, "lease_id": account.lease_id, "reason": WHY, **more}


def opened(client: Any, flow: str) -> str:
    return str(send(client, "/bpm/cases", {"flow": flow}).json()["case_no"])


def do(client: Any, case_no: str, step: str, data: dict[str, Any], key: str | None = None) -> Any:
    return send(client, f"/bpm/case/{case_no}", {"step_id": step, "data": data}, key)


def test_a_small_adjustment_is_granted_at_once(account: DriverAccount) -> None:
    client = client_of(clerk())
    case_no = opened(client, "ADJ")
    shown = client.get(f"/bpm/case/{case_no}/ADJ-001", {"lease_id": account.lease_id}).json()["step"]
    assert shown["accounts"][0]["refundable"] == "0.00"
    body = do(client, case_no, "ADJ-001", asked(account, amount="20.00", allocations={"KEY-1": "15"})).json()
    assert (body["status"], body["result"]["number"]) == ("CLOSED", CreditDecision.objects.get().number)
    assert (body["result"]["balance_before"], body["result"]["balance_after"]) == ("85.00", "65.00")
    assert open_items(account)["MISC:KEY-1"] == Decimal("35.00")
    assert CreditDecision.objects.get().case_no == case_no
    assert broken_proofs() == []
    page = client.get(f"/admin/cases/case/no/{case_no}/done/").content.decode()
    assert "is posted" in page and "KEY-1" in page


def test_a_large_one_waits_for_somebody_else_who_sees_it_as_it_is_then(account: DriverAccount) -> None:
    asker, approver = boss(), boss()
    client, other = client_of(asker), client_of(approver)
    case_no = opened(client, "WOFF")
    body = do(client, case_no, "WOFF-001", asked(account, allocations={"KEY-1": "50.00"})).json()
    assert (body["status"], body["step_id"]) == ("OPEN", "WOFF-002")
    assert balance(account) == Decimal("85.00")
    own = do(client, case_no, "WOFF-002", {"decision": "APPROVE"})
    assert (own.status_code, own.json()["error"]) == (403, "case.own_approval")
    lacking = do(client_of(clerk()), case_no, "WOFF-002", {"decision": "APPROVE"})
    assert (lacking.status_code, lacking.json()["error"]) == (403, "case.not_permitted")

    # Paid in part meanwhile: what was asked for is more than is open now.
    pay(account, "30.00", {"KEY-1": "30.00"})
    late = do(other, case_no, "WOFF-002", {"decision": "APPROVE"})
    assert (late.status_code, late.json()["error"]) == (400, "payment.over_allocated")
    assert Case.objects.get(case_no=case_no).error_code == "payment.over_allocated"
    turned = do(other, case_no, "WOFF-002", {"decision": "REJECT", "note": "Paid in part meanwhile"})
    assert turned.json()["status"] == "CANCELLED" and not CreditDecision.objects.exists()

    again = opened(client, "WOFF")
    do(client, again, "WOFF-001", asked(account, allocations={"KEY-1": "20.00"}))
    seen = other.get(f"/bpm/case/{again}/WOFF-002").json()["step"]
    assert (seen["asked"]["asked_by"], seen["plan"]["amount"]) == (asker.username, "20.00")
    answers = [do(other, again, "WOFF-002", {"decision": "APPROVE"}, key="once") for _ in range(2)]
    assert answers[0].json() == answers[1].json() and answers[0].json()["status"] == "CLOSED"
    done = CreditDecision.objects.get()
    assert (done.asked_by, done.approved_by, done.amount) == (asker, approver, Decimal("20.00"))
    assert open_items(account) == {"LEASE:WEEK-1": Decimal("35.00")}
    assert broken_proofs() == []


def test_credit_is_paid_back_on_request_by_two_people(account: DriverAccount) -> None:
    take(account, "100.00", cashier(), allocations={"KEY-1": "50.00"})  # 35 to the lease, 15 stay
    ann = clerk()
    client, other = client_of(ann), client_of(boss())
    case_no = opened(client, "REFUND")
    body = do(client, case_no, "REFUND-001", asked(account, amount="15.00", method="CASH")).json()
    refused = do(other, case_no, "REFUND-002", {"decision": "APPROVE"}).json()
    assert refused["error"] == "drawer.holds_less" and ann.username in refused["message"]
    float_in(ann, "15.00")
    assert body["step_id"] == "REFUND-002"
    assert do(other, case_no, "REFUND-002", {"decision": "APPROVE"}).json()["status"] == "CLOSED"
    assert (open_items(account), balance(account)) == ({}, Decimal("0.00"))
    assert broken_proofs() == []


@pytest.mark.parametrize(
    ("flow", "change", "status", "error"),
    [
        ("ADJ", {"amount": "0"}, 400, "case.bad_data"),
        ("ADJ", {"amount": "10.00", "reason": "because"}, 400, "reason.length"),
        ("ADJ", {"amount": "10.00", "allocations": {"KEY-1": "10.01"}}, 400, "adjustment.allocated_more"),
        ("ADJ", {"amount": "60.00", "allocations": {"KEY-1": "50.01"}}, 400, "payment.over_allocated"),
        ("ADJ", {"amount": "10.00", "lease_id": 2**62}, 404, "account.unknown"),
        ("WOFF", {"allocations": {}}, 400, "write_off.nothing_named"),
        ("WOFF", {"allocations": {"NOSUCH": "1.00"}}, 400, "payment.unknown_reference"),
        ("REFUND", {"amount": "10.00", "method": "CASH"}, 409, "refund.more_than_credit"),
        ("REFUND", {"amount": "10.00", "method": "CHECK"}, 400, "payment.method_reference"),
        ("REFUND", {"amount": "10.00", "method": "CARD"}, 400, "case.bad_data"),
    ],
)
def test_what_cannot_be_done_says_why_and_posts_nothing(
    account: DriverAccount, flow: str, change: dict[str, Any], status: int, error: str
) -> None:
    client = client_of(clerk())
    case_no = opened(client, flow)
    answer = do(client, case_no, f"{flow}-001", asked(account, **change))
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.json()
    assert Case.objects.get(case_no=case_no).status == "OPEN" and not CreditDecision.objects.exists()
    assert balance(account) == Decimal("85.00")


@pytest.mark.parametrize("flow", ["ADJ", "WOFF", "REFUND"])
def test_without_the_permission_there_is_no_case(account: DriverAccount, flow: str) -> None:
    client = client_of(
        make_user(permissions=("cases.view_case", "cases.process_case", "ledger.take_payment"))
    )
    assert send(client, "/bpm/cases", {"flow": flow}).status_code == 403
    assert client.get(f"/admin/cases/case/start/{flow}/").status_code == 403
