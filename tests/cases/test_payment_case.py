"""INTPAY over HTTP: items as the cashier says, the rest by rule, and a receipt."""

from decimal import Decimal
from typing import Any

import pytest

from batconnect.cases.models import Case
from ledger.models import DriverAccount, InterimPayment
from tests.factories import make_user
from tests.ledger.factories import balance, broken_proofs, charge, make_account, open_items, pay
from tests.misc_expenses.expense_stories import client_of, send

CASHIER = ("cases.view_case", "cases.process_case", "ledger.take_payment")


@pytest.fixture
def account(db: None) -> DriverAccount:
    """Owes a lease week of 35.00 and a key of 50.00."""
    found = make_account()
    charge(found, "LEASE", "35.00", "WEEK-1")
    charge(found, "MISC", "50.00", "KEY-1")
    return found


@pytest.fixture
def client(db: None) -> Any:
    return client_of(make_user(permissions=CASHIER))


def opened(client: Any) -> str:
    return str(send(client, "/bpm/cases", {"flow": "INTPAY"}).json()["case_no"])


def paid(account: DriverAccount, amount: str = "100.00", **more: Any) -> dict[str, Any]:
    return {
        "driver_id": account.driver_id,
        "lease_id": account.lease_id,
        "total_payment_amount": amount,
        "payment_method": "CASH",
        **more,
    }


def take(client: Any, case_no: str, data: dict[str, Any], key: str | None = None) -> Any:
    return send(client, f"/bpm/case/{case_no}", {"step_id": "INTPAY-001", "data": data}, key)


def test_a_split_payment_pays_what_was_said_then_the_lease_then_stays_credit(
    client: Any, account: DriverAccount
) -> None:
    case_no = opened(client)
    query = {"tlc_license": account.lease.driver.tlc_license}
    (found,) = client.get(f"/bpm/case/{case_no}/INTPAY-001", query).json()["step"]["accounts"]
    assert {item["reference_id"]: item["balance"] for item in found["open_items"]} == {
        "WEEK-1": "35.00",
        "KEY-1": "50.00",
    }
    body = take(client, case_no, paid(account, allocations={"MISC:KEY-1": "50.00"})).json()
    payment = InterimPayment.objects.get()
    assert body["status"] == "CLOSED" and body["result"]["receipt_number"] == payment.number
    assert [row["amount"] for row in body["result"]["allocations"]] == ["50.00", "35.00"]
    assert (body["result"]["unallocated_amount"], body["result"]["balance_before"]) == ("15.00", "85.00")
    assert balance(account) == Decimal("-15.00")
    assert open_items(account) == {f"INTERIM_PAYMENT:{payment.number}": Decimal("-15.00")}
    assert broken_proofs() == []


@pytest.mark.parametrize(
    ("method", "reference", "status"),
    [("CASH", "", 200), ("CHECK", "", 400), ("CHECK", "1042", 200), ("ACH", "", 400), ("ACH", "A-7", 200),
     ("CARD", "", 200), ("BITCOIN", "", 400)],
)  # fmt: skip
def test_a_check_has_a_number_and_an_ach_a_reference(
    client: Any, account: DriverAccount, method: str, reference: str, status: int
) -> None:
    data = paid(account, payment_method=method, method_reference=reference)
    assert take(client, opened(client), data).status_code == status
    assert InterimPayment.objects.count() == (1 if status == 200 else 0)


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"allocations": {"KEY-1": "50.01"}}, 400, "payment.over_allocated"),
        ({"total_payment_amount": "49.99", "allocations": {"KEY-1": "50.00"}}, 400,
         "payment.allocated_more_than_paid"),
        ({"allocations": {"NOSUCH": "1.00"}}, 400, "payment.unknown_reference"),
        ({"total_payment_amount": "0"}, 400, "case.bad_data"),
        ({"allocations": {"KEY-1": "-1"}}, 400, "case.bad_data"),
        ({"lease_id": 2**62}, 404, "account.unknown"),
    ],
)  # fmt: skip
def test_a_refused_payment_leaves_the_case_open_with_what_was_entered(
    client: Any, account: DriverAccount, change: dict[str, Any], status: int, error: str
) -> None:
    case_no = opened(client)
    data = paid(account, **change)
    answer = take(client, case_no, data, key="k")
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    case = Case.objects.get(case_no=case_no)
    assert (case.status, case.error_code, case.data) == ("OPEN", error, data)
    assert balance(account) == Decimal("85.00") and not InterimPayment.objects.exists()


def test_an_item_paid_meanwhile_is_refused_and_the_next_try_goes_through(
    client: Any, account: DriverAccount
) -> None:
    case_no = opened(client)
    pay(account, "30.00", {"KEY-1": "30.00"})
    assert take(client, case_no, paid(account, allocations={"KEY-1": "50.00"})).status_code == 400
    assert take(client, case_no, paid(account, allocations={"KEY-1": "20.00"})).status_code == 200


def test_sent_twice_it_is_one_payment(client: Any, account: DriverAccount) -> None:
    case_no = opened(client)
    answers = [take(client, case_no, paid(account), key="desk") for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert take(client, case_no, paid(account)).json()["error"] == "case.ended"
    assert InterimPayment.objects.count() == 1


def test_the_receipt_is_a_page_and_the_same_pdf_each_time(client: Any, account: DriverAccount) -> None:
    case_no = opened(client)
    take(client, case_no, paid(account, payment_method="CHECK", method_reference="<b>1042</b>"))
    base = f"/admin/cases/case/no/{case_no}"
    page = client.get(f"{base}/done/").content.decode()
    assert InterimPayment.objects.get().number in page and "&lt;b&gt;1042" in page
    first, second = (client.get(f"{base}/paper/") for _ in range(2))
    assert first.content.startswith(b"%PDF") and first.content == second.content
    assert first.headers["Content-Type"] == "application/pdf"
    stranger = client_of(make_user(permissions=("cases.view_case",)))
    assert stranger.get(f"{base}/paper/").status_code == 404
    assert client.get(f"/admin/cases/case/no/{opened(client)}/paper/").status_code == 404
