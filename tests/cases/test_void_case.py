"""VOID over HTTP: every effect is seen first, a reason is given, and a large one takes two people."""

from decimal import Decimal
from typing import Any

import pytest

from batconnect.cases.models import Case
from batconnect.common.models import User
from ledger.models import DriverAccount, LedgerPosting
from tests.factories import make_user
from tests.ledger.factories import balance, broken_proofs, charge, drive, make_account, open_items, pay, run
from tests.misc_expenses.expense_stories import client_of, send

MANAGER = ("cases.view_case", "cases.process_case", "ledger.void_posting")
APPROVER = (*MANAGER, "cases.approve_case")
WHY = "Charged to the wrong driver"


@pytest.fixture
def account(db: None) -> DriverAccount:
    return make_account()


def manager() -> User:
    return make_user(permissions=APPROVER)


def opened(client: Any, flow: str = "VOID") -> str:
    return str(send(client, "/bpm/cases", {"flow": flow}).json()["case_no"])


def do(client: Any, case_no: str, step: str, **data: Any) -> Any:
    return send(client, f"/bpm/case/{case_no}", {"step_id": step, "data": data})


def test_the_worked_example_is_voided_with_every_effect_shown_first(account: DriverAccount) -> None:
    """domain.md's toll of 30, paid by earnings: owed −15 becomes −45, and 30 of earnings are free again."""
    for category, amount, reference in (
        ("EZPASS", "25.00", "T1"), ("EZPASS", "30.00", "T2"), ("LEASE", "500.00", "L1"), ("MISC", "50.00", "M1"),
    ):  # fmt: skip
        charge(account, category, amount, reference)
    drive(account, "560.00", {"MTA": "40.00"})
    run()
    pay(account, "100.00", {"M1": "50.00"})
    assert balance(account) == Decimal("-15.00")
    client = client_of(manager())
    case_no = opened(client)
    shown = client.get(f"/bpm/case/{case_no}/VOID-001", {"reference_id": "T2"}).json()["step"]["preview"]
    assert (shown["balance_before"], shown["balance_after"]) == ("-15.00", "-45.00")
    (undone,) = shown["undone"]
    assert (undone["category"], undone["amount"], undone["open_before"], undone["open_after"]) == (
        "EARNINGS", "30.00", "0.00", "-30.00",
    )  # fmt: skip
    answer = do(client, case_no, "VOID-001", posting_id=shown["posting_id"], reason=WHY)
    body = answer.json()
    assert (answer.status_code, body["status"]) == (200, "CLOSED"), body
    assert body["result"]["undone"] == shown["undone"]
    assert (body["result"]["balance_before"], body["result"]["balance_after"]) == ("-15.00", "-45.00")
    assert balance(account) == Decimal("-45.00") and "EZPASS:T2" not in open_items(account)
    assert broken_proofs() == []
    again = do(client, case_no, "VOID-001", posting_id=shown["posting_id"], reason=WHY)
    assert (again.status_code, again.json()["error"]) == (409, "case.ended")


@pytest.mark.parametrize("key", ["tlc_license", "medallion", "vin"])
def test_postings_of_a_driver_are_offered(account: DriverAccount, key: str) -> None:
    charge(account, "MISC", "10.00", "M1")
    charge(make_account(), "MISC", "10.00", "OTHER")
    lease = account.lease
    value = {
        "tlc_license": lease.driver.tlc_license,
        "medallion": lease.medallion.number,
        "vin": lease.vehicle.vin,
    }[key]
    client = client_of(manager())
    case_no = opened(client)
    rows = client.get(f"/bpm/case/{case_no}/VOID-001", {key: value}).json()["step"]["candidates"]
    assert [row["reference_id"] for row in rows] == ["M1"]
    assert client.get(f"/bpm/case/{case_no}/VOID-001", {key: "NOBODY"}).status_code == 404
    assert client.get(f"/bpm/case/{case_no}/VOID-001", {"reference_id": "NOSUCH"}).status_code == 404


def test_what_cannot_be_voided_says_why_and_leaves_the_case_open(account: DriverAccount) -> None:
    drive(account, "560.00", {"MTA": "40.00"})
    run()
    earnings = LedgerPosting.objects.get(category="EARNINGS")
    misc = charge(account, "MISC", "10.00")
    client = client_of(manager())
    for data, status, error in (
        ({"posting_id": str(earnings.pk), "reason": WHY}, 409, "void.settlement"),
        ({"posting_id": str(misc.pk), "reason": "too short"}, 400, "reason.length"),
        ({"posting_id": "00000000-0000-7000-8000-000000000000", "reason": WHY}, 404, "posting.unknown"),
        ({"posting_id": "x", "reason": WHY}, 400, "case.bad_data"),
        ({"posting_id": str(misc.pk), "reason": WHY, "accounting_date": "2019-03-05"}, 409, "period.closed"),
        (
            {"posting_id": str(misc.pk), "reason": WHY, "accounting_date": "2999-01-01"},
            400,
            "posting.dated_ahead",
        ),
    ):
        case_no = opened(client)
        answer = do(client, case_no, "VOID-001", **data)
        assert (answer.status_code, answer.json()["error"]) == (status, error)
        case = Case.objects.get(case_no=case_no)
        assert (case.status, case.error_code, case.data) == ("OPEN", error, data)
    assert not LedgerPosting.objects.filter(reversal_for__isnull=False).exists()


@pytest.fixture
def limit(settings: Any) -> None:
    settings.VOID_APPROVAL_ABOVE = Decimal("100.00")


def test_up_to_the_limit_one_person_is_enough(account: DriverAccount, limit: None) -> None:
    small = charge(account, "MISC", "100.00")
    client = client_of(make_user(permissions=MANAGER))
    assert (
        do(client, opened(client), "VOID-001", posting_id=str(small.pk), reason=WHY).json()["status"]
        == "CLOSED"
    )


def test_above_the_limit_nothing_is_posted_until_somebody_else_approves(
    account: DriverAccount, limit: None
) -> None:
    large = charge(account, "MISC", "100.01")
    asking, deciding = manager(), manager()
    client = client_of(asking)
    case_no = opened(client)
    answer = do(client, case_no, "VOID-001", posting_id=str(large.pk), reason=WHY)
    assert (answer.json()["status"], answer.json()["step_id"]) == ("OPEN", "VOID-002")
    assert balance(account) == Decimal("100.01")

    own = do(client, case_no, "VOID-002", decision="APPROVE")
    assert (own.status_code, own.json()["error"]) == (403, "case.own_approval")
    without = client_of(make_user(permissions=MANAGER))
    assert do(without, case_no, "VOID-002", decision="APPROVE").status_code == 403
    passed = do(client, case_no, "VOID-001", posting_id=str(large.pk), reason=WHY)
    assert (passed.status_code, passed.json()["error"]) == (409, "case.step_passed")
    assert balance(account) == Decimal("100.01")

    second = client_of(deciding)
    shown = second.get(f"/bpm/case/{case_no}/VOID-002").json()["step"]
    assert shown["asked"]["reason"] == WHY and shown["preview"]["balance_after"] == "0.00"
    done = do(second, case_no, "VOID-002", decision="APPROVE")
    assert done.json()["status"] == "CLOSED", done.json()
    assert balance(account) == 0 and broken_proofs() == []
    case = Case.objects.get(case_no=case_no)
    assert (case.requested_by, case.approved_by) == (asking, deciding)
    reversal = LedgerPosting.objects.get(reversal_for=large)
    assert (reversal.reason, reversal.created_by) == (WHY, deciding)


def test_a_rejected_void_posts_nothing_and_keeps_the_note(account: DriverAccount, limit: None) -> None:
    large = charge(account, "MISC", "100.01")
    client = client_of(manager())
    case_no = opened(client)
    do(client, case_no, "VOID-001", posting_id=str(large.pk), reason=WHY)
    second = client_of(manager())
    assert do(second, case_no, "VOID-002", decision="REJECT").status_code == 400
    assert do(second, case_no, "VOID-002", decision="MAYBE").status_code == 400
    note = "The driver did agree to it."
    assert do(second, case_no, "VOID-002", decision="REJECT", note=note).json()["status"] == "CANCELLED"
    case = Case.objects.get(case_no=case_no)
    assert (case.reason, case.approved_by) == (note, None)
    assert balance(account) == Decimal("100.01")


def test_what_was_voided_meanwhile_is_not_approved(account: DriverAccount, limit: None) -> None:
    from batconnect.common.audit import system_user
    from ledger.services.voids import void_posting
    from tests.ledger.factories import MONDAY_AFTER

    large = charge(account, "MISC", "100.01")
    client = client_of(manager())
    case_no = opened(client)
    do(client, case_no, "VOID-001", posting_id=str(large.pk), reason=WHY)
    void_posting(posting_id=large.pk, reason=WHY, actor=system_user(), on=MONDAY_AFTER)
    second = client_of(manager())
    answer = do(second, case_no, "VOID-002", decision="APPROVE")
    assert (answer.status_code, answer.json()["error"]) == (409, "posting.already_voided")
    assert Case.objects.get(case_no=case_no).status == "OPEN"
    note = "Somebody voided it before."
    assert do(second, case_no, "VOID-002", decision="REJECT", note=note).status_code == 200


def test_no_door_lets_one_person_void_a_large_posting(
    account: DriverAccount, limit: None, client: Any
) -> None:
    large = charge(account, "MISC", "100.01")
    user = make_user(permissions=("ledger.void_posting", "ledger.view_ledgerposting"))
    answer = send(client_of(user), f"/ledger/postings/{large.pk}/void", {"reason": WHY})
    assert (answer.status_code, answer.json()["error"]) == (409, "void.needs_approval")
    client.force_login(user)
    page = client.post(f"/admin/ledger/ledgerposting/{large.pk}/void/", {"reason": WHY})
    assert "approved by a second person" in page.content.decode()
    assert balance(account) == Decimal("100.01")
