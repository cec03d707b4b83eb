"""A misc expense, from the opened case to the ledger, over HTTP."""

from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from batconnect.cases.models import Case, CaseEvent
from batconnect.common.models import AuditEntry, IdempotencyKey
from batconnect.common.weeks import local_date
from leases.models import Lease
from ledger.models import EntryLine, LedgerBalance, LedgerPosting
from misc_expenses.models import MiscellaneousExpense
from tests.factories import make_driver, make_lease, make_medallion, make_vehicle
from tests.ledger.factories import account_of, balance, broken_proofs, charge

from .expense_stories import charged, clerk, client_of, entered, open_case, process, send


@pytest.fixture
def lease(db: None) -> Lease:
    return make_lease(
        weekly_fee="0.00",
        driver=make_driver(tlc_license="5551234", name="Ann Lee"),
        medallion=make_medallion(number="4P58"),
        vehicle=make_vehicle(vin="1FTESTVIN00000042"),
    )


@pytest.fixture
def client(lease: Lease) -> Any:
    return client_of(clerk())


def nothing_charged() -> bool:
    return not (MiscellaneousExpense.objects.exists() or LedgerPosting.objects.exists())


def test_a_lost_key_is_charged_at_once_and_the_case_is_closed(client: Any, lease: Lease) -> None:
    opened = send(client, "/payments/miscellaneous-expenses/create-case").json()
    assert (opened["status"], opened["step_id"]) == ("OPEN", "MISCEXP-001")
    case_no = opened["case_no"]
    assert case_no.startswith("MISCEXP") and len(case_no) == len("MISCEXP000001")

    shown = client.get(f"/bpm/case/{case_no}/MISCEXP-001", {"tlc_license": "5551234"}).json()["step"]
    assert [row["lease_id"] for row in shown["leases"]] == [lease.pk]
    assert shown["leases"][0]["balance"] == "0.00" and "Chargeback" in shown["categories"]

    answer = process(client, case_no, entered(lease))
    body = answer.json()
    year = local_date(timezone.now()).year
    expense = MiscellaneousExpense.objects.get()
    assert (answer.status_code, body["status"]) == (200, "CLOSED"), body
    assert expense.expense_id == f"MISC-{year}-00001" == body["result"]["expense_id"]
    posting = LedgerPosting.objects.get()
    assert (posting.category, posting.product, posting.reference_id, posting.amount) == (
        "MISC", "Lost Key", expense.expense_id, Decimal("50.00"),
    )  # fmt: skip
    assert str(posting.event_on) == "2026-03-02" and expense.posting_id == posting.pk
    item = LedgerBalance.objects.get()
    assert (item.balance, item.status) == (Decimal("50.00"), "OPEN")
    lines = {line.account.code: line.side for line in EntryLine.objects.select_related("account")}
    assert lines == {"1200": "DR", "4200": "CR"}
    assert balance(account_of(lease)) == Decimal("50.00") and broken_proofs() == []


def test_a_chargeback_goes_to_the_card_processor(client: Any, lease: Lease) -> None:
    charged(client, lease, category="Chargeback")
    assert {line.account.code for line in EntryLine.objects.select_related("account")} == {"1200", "1100"}


@pytest.mark.parametrize(
    "query", [{"tlc_license": "5551234"}, {"medallion": "4p58"}, {"vin": "1FTESTVIN00000042"}]
)
def test_the_driver_is_found_by_licence_medallion_or_vin(
    client: Any, lease: Lease, query: dict[str, str]
) -> None:
    charge(account_of(lease), "EZPASS", "12.50", "TOLL-1")
    row = client.get(f"/bpm/case/{open_case(client)}/MISCEXP-001", query).json()["step"]["leases"][0]
    assert (row["driver_name"], row["medallion_no"], row["balance"]) == ("Ann Lee", "4P58", "12.50")
    assert row["owed"] == [{"category": "EZPASS", "label": "E-ZPass tolls", "amount": "12.50", "items": "1"}]


@pytest.mark.parametrize(
    ("query", "status", "error"),
    [
        ({"tlc_license": "999"}, 404, "misc_expense.nobody"),
        ({"medallion": "9Z99"}, 404, "misc_expense.nobody"),
        ({"vin": "NOSUCH"}, 404, "misc_expense.nobody"),
        ({"tlc_license": "5551234", "medallion": "4P58"}, 400, "misc_expense.search"),
        ({"licence": "5551234"}, 400, "request.invalid"),
        ({"tlc_license": ""}, 400, "request.invalid"),
    ],
)
def test_a_search_that_finds_nobody_says_so(
    client: Any, lease: Lease, query: dict[str, str], status: int, error: str
) -> None:
    answer = client.get(f"/bpm/case/{open_case(client)}/MISCEXP-001", query)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_a_driver_without_an_active_lease_is_told_apart_and_not_charged(client: Any, lease: Lease) -> None:
    from datetime import date

    ended = make_lease(weekly_fee="0.00", ends_on=date(2019, 3, 9), driver=make_driver(tlc_license="5550000"))
    case_no = open_case(client)
    answer = client.get(f"/bpm/case/{case_no}/MISCEXP-001", {"tlc_license": "5550000"})
    assert (answer.status_code, answer.json()["error"]) == (409, "misc_expense.no_active_lease")
    answer = process(client, case_no, entered(ended))
    assert (answer.status_code, answer.json()["error"]) == (409, "misc_expense.no_active_lease")
    assert "has no active lease" in answer.json()["message"]
    assert nothing_charged()


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"amount": "0"}, 400, "case.bad_data"),
        ({"amount": "0.01"}, 200, None),
        ({"amount": "99999.99"}, 200, None),
        ({"amount": "100000.00"}, 400, "misc_expense.amount"),
        ({"amount": "1.005"}, 400, "case.bad_data"),
        ({"amount": "-5"}, 400, "case.bad_data"),
        ({"amount": True}, 400, "case.bad_data"),
        ({"amount": None}, 400, "case.bad_data"),
        ({"category": "Lost keys"}, 400, "case.bad_data"),
        ({"category": ["Lost Key"]}, 400, "case.bad_data"),
        ({"expense_date": "2999-01-01"}, 400, "misc_expense.future_date"),
        ({"expense_date": "yesterday"}, 400, "case.bad_data"),
        ({"driver_id": 2**63}, 400, "case.bad_data"),
        ({"lease_id": 1}, 404, "misc_expense.lease"),
        ({"notes": "x" * 501}, 400, "case.bad_data"),
        ({"notes": "a\x00b"}, 400, "case.bad_data"),
        ({"notes": "\ud800"}, 400, "case.bad_data"),
        ({"status": "VOIDED"}, 400, "case.bad_data"),
    ],
)  # fmt: skip
def test_what_is_out_of_range_is_refused_and_the_case_stays_open(
    client: Any, lease: Lease, change: dict[str, Any], status: int, error: str | None
) -> None:
    case_no = open_case(client)
    if change.get("lease_id") == 1:
        change = {"lease_id": make_lease(weekly_fee="0.00").pk}
    answer = process(client, case_no, entered(lease, **change))
    body = answer.json()
    assert (answer.status_code, body.get("error")) == (status, error), body
    case = Case.objects.get(case_no=case_no)
    assert case.status == ("CLOSED" if status == 200 else "OPEN")
    assert nothing_charged() is (status != 200)


def test_tomorrow_is_refused_and_today_is_not(client: Any, lease: Lease) -> None:
    from datetime import timedelta

    today = local_date(timezone.now())
    tomorrow = (today + timedelta(days=1)).isoformat()
    case_no = open_case(client)
    assert process(client, case_no, entered(lease, expense_date=tomorrow)).status_code == 400
    assert process(client, case_no, entered(lease, expense_date=today.isoformat())).status_code == 200


def test_a_failed_step_keeps_what_was_entered_and_why_and_can_be_done_again(
    client: Any, lease: Lease
) -> None:
    case_no = open_case(client)
    wrong = entered(lease, amount="100000.00")
    assert process(client, case_no, wrong, key="k").status_code == 400
    shown = client.get(f"/bpm/case/{case_no}").json()
    assert shown["status"] == "OPEN" and shown["data"] == wrong
    assert shown["error"] == "misc_expense.amount" and "99,999.99" in shown["message"]
    failed = CaseEvent.objects.get(action="failed")
    assert (failed.step, failed.after["error"], failed.after["data"]) == (
        "MISCEXP-001", "misc_expense.amount", wrong,
    )  # fmt: skip
    assert not IdempotencyKey.objects.exclude(scope__contains="create-case").exists()

    assert process(client, case_no, entered(lease), key="k").status_code == 200
    shown = client.get(f"/bpm/case/{case_no}").json()
    assert (shown["status"], shown["error"], shown["message"]) == ("CLOSED", "", "")


def test_a_failure_in_the_ledger_leaves_no_half(client: Any, lease: Lease) -> None:
    from django.db import connection

    # The next number is taken already, by a charge somebody entered by hand.
    charge(account_of(lease), "MISC", "1.00", f"MISC-{local_date(timezone.now()).year}-00001")
    case_no = open_case(client)
    answer = process(client, case_no, entered(lease))
    assert (answer.status_code, answer.json()["error"]) == (409, "posting.duplicate_reference")
    assert not MiscellaneousExpense.objects.exists() and LedgerPosting.objects.count() == 1
    assert Case.objects.get(case_no=case_no).error_code == "posting.duplicate_reference"
    assert not AuditEntry.objects.filter(action="misc_expense.created").exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM number_counter WHERE prefix = 'MISC'")
        assert cursor.fetchone() == (0,)


def test_sent_twice_it_is_one_charge_and_the_second_is_told_what_was_made(client: Any, lease: Lease) -> None:
    case_no = open_case(client)
    first = process(client, case_no, entered(lease))
    second = process(client, case_no, entered(lease))
    assert (second.status_code, second.json()["error"]) == (409, "case.ended")
    made = MiscellaneousExpense.objects.get().expense_id
    assert second.json()["details"]["result"]["expense_id"] == made == first.json()["result"]["expense_id"]
    assert made in second.json()["message"]
    assert LedgerPosting.objects.count() == 1


def test_with_a_key_the_second_answer_is_the_first(client: Any, lease: Lease) -> None:
    case_no = open_case(client)
    first = process(client, case_no, entered(lease), key="desk-1")
    again = process(client, case_no, entered(lease), key="desk-1")
    assert first.json() == again.json() and again.headers["Idempotent-Replayed"] == "true"
    other = process(client, case_no, entered(lease, amount="51.00"), key="desk-1")
    assert (other.status_code, other.json()["error"]) == (422, "idempotency.key_reused")
    assert LedgerPosting.objects.count() == 1


def test_the_trail_tells_who_in_which_role_did_what(lease: Lease) -> None:
    from django.contrib.auth.models import Group

    user = clerk()
    user.groups.add(Group.objects.create(name="Night desk"))
    client = client_of(user)
    case_no = open_case(client)
    process(client, case_no, entered(lease, amount="100000.00"))
    process(client, case_no, entered(lease))
    trail = client.get(f"/bpm/case/{case_no}/audit").json()["items"]
    assert [(row["action"], row["who"], row["role"], row["automatic"]) for row in trail] == [
        ("opened", user.username, "Night desk", False),
        ("failed", user.username, "Night desk", False),
        ("processed", user.username, "Night desk", False),
    ]
    assert trail[2]["before"] == {"status": "OPEN", "step": "MISCEXP-001"}
    expense = MiscellaneousExpense.objects.get()
    assert trail[2]["after"]["status"] == "CLOSED"
    assert trail[2]["after"]["result"]["posting_id"] == str(expense.posting_id)
    entry = AuditEntry.objects.get(action="misc_expense.created")
    assert (entry.case_no, entry.subject) == (case_no, f"misc_expense:{expense.expense_id}")


def test_a_registered_rule_is_asked_and_its_refusal_is_told(
    client: Any, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    from batconnect.common.errors import BatConnectError
    from misc_expenses import services

    class AboveCap(BatConnectError):
        code, status = "lease.cap", 409
        message = "{amount} would take the week above the cap of {cap}."

    def cap(*, lease: Lease, category: str, amount: Decimal, event_on: Any) -> None:
        if category == "Late Return" and amount > 75:
            raise AboveCap(amount=amount, cap="75.00")

    monkeypatch.setattr(services, "_checks", [])
    services.register_check(cap)
    services.register_check(cap)
    case_no = open_case(client)
    answer = process(client, case_no, entered(lease, category="Late Return", amount="75.01"))
    assert (answer.status_code, answer.json()["error"]) == (409, "lease.cap")
    assert "cap of 75.00" in answer.json()["message"] and nothing_charged()
    assert process(client, case_no, entered(lease, category="Late Return", amount="75.00")).status_code == 200
