"""Journals over HTTP: written, approved, looked up, reversed; once each, and by two people."""

import json
import re
from typing import Any

import pytest
from rest_framework.test import APIClient

from ledger.models import EntryHeader, ManualJournal
from ledger.services import months
from tests.factories import make_lease, make_user
from tests.ledger.factories import SUNDAY, WEEK, charge, make_account, run
from tests.ledger.journal_stories import enter, moved, written
from tests.ledger.trip_files import load, trip

LINES = [
    {"account": "5200", "side": "DR", "amount": "35.00"},
    {"account": "1010", "side": "CR", "amount": "35.00"},
]
FEE = {"description": "Bank fee of March", "je_date": "2019-03-12", "lines": LINES}
WHY = "It was the fee of another account."


@pytest.fixture
def ann(client_with: Any) -> APIClient:
    return client_with("ledger.enter_journal", "ledger.view_entryheader")


@pytest.fixture
def bob(client_with: Any) -> APIClient:
    return client_with("ledger.approve_journal", "ledger.view_entryheader")


def post(client: APIClient, path: str, body: Any, key: str | None = None) -> Any:
    headers = {"HTTP_IDEMPOTENCY_KEY": key} if key else {}
    return client.post(path, json.dumps(body), content_type="application/json", **headers)


def test_a_bank_fee_from_being_written_to_being_reversed(ann: APIClient, bob: APIClient) -> None:
    answer = post(ann, "/ledger/journal/", {**FEE, "metadata": {"page": "2"}})
    body = answer.json()
    assert answer.status_code == 201, body
    assert re.fullmatch(r"MJ-[0-9]{4}-00001", body["number"])
    assert (body["status"], body["je_number"]) == ("SUBMITTED", None)
    assert body["lines"] == [
        {"line_number": 1, "account": "5200", "account_name": "Processor fees", "side": "DR", "amount": "35.00",
         "fund": "OP", "currency": "USD"},
        {"line_number": 2, "account": "1010", "account_name": "Bank", "side": "CR", "amount": "35.00",
         "fund": "OP", "currency": "USD"},
    ]  # fmt: skip
    assert body["totals"] == [{"currency": "USD", "fund": "OP", "debits": "35.00", "credits": "35.00"}]
    number = body["number"]

    approved = post(bob, f"/ledger/journal/{number}/approve", {"note": "Seen"}).json()
    je_number = approved["je_number"]
    assert (approved["status"], approved["decision_note"]) == ("POSTED", "Seen")
    assert ann.get(f"/ledger/journal/{number}/").json() == approved

    entry = bob.get(f"/ledger/journal/{je_number}").json()
    assert entry["lines"] == body["lines"] and entry["totals"] == body["totals"]
    assert (entry["origin"], entry["manual_journal"], entry["reversed_by"]) == ("MANUAL", number, None)
    assert entry["metadata"] == {"page": "2"}

    mirror = post(ann, f"/ledger/journal/{je_number}/reverse", {"reason": WHY}).json()
    assert (mirror["status"], mirror["reverses"], mirror["reason"]) == ("SUBMITTED", je_number, WHY)
    assert bob.get(f"/ledger/journal/{je_number}").json()["reversal_waiting"] == mirror["number"]
    again = post(ann, f"/ledger/journal/{je_number}/reverse", {"reason": WHY})
    assert (again.status_code, again.json()["error"]) == (409, "journal.reversal_waiting")

    done = post(bob, f"/ledger/journal/{mirror['number']}/approve", {}).json()
    assert bob.get(f"/ledger/journal/{je_number}").json()["reversed_by"] == done["je_number"]
    assert bob.get(f"/ledger/journal/{done['je_number']}").json()["reverses"] == je_number
    assert moved("5200") == 0


def test_amounts_may_be_json_numbers_and_are_read_exactly(ann: APIClient) -> None:
    raw = (
        '{"description": "Fee", "je_date": "2019-03-12", "lines": ['
        '{"account": "5200", "side": "DR", "amount": 100.1}, {"account": "1010", "side": "CR", "amount": 100.10}]}'
    )
    answer = ann.post("/ledger/journal", raw, content_type="application/json")
    assert (answer.status_code, answer.json()["totals"][0]["debits"]) == (201, "100.10")


@pytest.mark.parametrize(
    ("change", "status", "error", "said"),
    [
        ({"lines": []}, 400, "request.invalid", "lines"),
        ({"lines": LINES[:1]}, 400, "request.invalid", "lines"),
        ({"lines": LINES * 251}, 400, "request.invalid", "lines"),
        ({"lines": {"account": "5200"}}, 400, "request.invalid", "lines"),
        ({"lines": [1, 2]}, 400, "request.invalid", "lines"),
        (
            {"lines": [LINES[0], {**LINES[1], "amount": "34.99"}]},
            400,
            "journal.unbalanced",
            "the difference is 0.01",
        ),
        ({"lines": [LINES[0], {**LINES[1], "amount": "1e2"}]}, 400, "journal.line_amount", "Line 2"),
        ({"lines": [LINES[0], {**LINES[1], "amount": None}]}, 400, "request.invalid", "amount"),
        ({"lines": [LINES[0], {**LINES[1], "amount": {}}]}, 400, "journal.line_amount", "Line 2"),
        ({"lines": [LINES[0], {**LINES[1], "amount": -35}]}, 400, "journal.line_amount", "Line 2"),
        (
            {"lines": [LINES[0], {**LINES[1], "account": "7777"}]},
            400,
            "journal.line_account_unknown",
            "Line 2",
        ),
        (
            {"lines": [LINES[0], {**LINES[1], "account": "1200"}]},
            409,
            "journal.line_control_account",
            "Line 2",
        ),
        ({"lines": [LINES[0], {**LINES[1], "side": "dr"}]}, 400, "request.invalid", "side"),
        ({"lines": [LINES[0], {**LINES[1], "memo": "x"}]}, 400, "request.invalid", "memo"),
        ({"lines": [LINES[0], {**LINES[1], "account": "10\x0010"}]}, 400, "request.invalid", "account"),
        ({"lines": [LINES[0], {**LINES[1], "currency": "EUR"}]}, 400, "journal.line_currency", "Line 2"),
        ({"lines": [LINES[0], {**LINES[1], "fund": "XX"}]}, 400, "journal.line_fund", "Line 2"),
        ({"description": ""}, 400, "request.invalid", "description"),
        ({"description": "x" * 161}, 400, "request.invalid", "description"),
        ({"je_date": "2999-01-01"}, 400, "posting.dated_ahead", "2999"),
        ({"je_date": "1900-01-01"}, 400, "journal.too_far_back", "1900"),
        ({"je_date": "2019-3-1"}, 400, "request.invalid", "je_date"),
        ({"metadata": {"a\x00": "x"}}, 400, "request.invalid", "metadata"),
        ({"metadata": {"a": "\ud800"}}, 400, "request.invalid", "metadata"),
        ({"metadata": {"a": 1.5}}, 400, "request.invalid", "metadata"),
        ({"metadata": ["a"]}, 400, "request.invalid", "metadata"),
        ({"amount": "5"}, 400, "request.invalid", "amount"),
    ],
)
def test_a_bad_journal_is_refused_whole(
    ann: APIClient, change: dict[str, Any], status: int, error: str, said: str
) -> None:
    before = written()
    answer = post(ann, "/ledger/journal", {**FEE, **change}, key="k1")
    body = answer.json()
    assert (answer.status_code, body["error"]) == (status, error), body
    assert said in body["message"] or said in str(body["details"]), body
    assert written() == before


def test_the_same_request_twice_is_one_journal_one_entry_and_one_reversal(
    ann: APIClient, bob: APIClient
) -> None:
    first, second = (post(ann, "/ledger/journal", FEE, key="k1") for _ in range(2))
    assert first.json() == second.json() and second.headers["Idempotent-Replayed"] == "true"
    other = {**FEE, "description": "Another"}
    assert post(ann, "/ledger/journal", other, key="k1").status_code == 422
    number = first.json()["number"]
    approvals = [post(bob, f"/ledger/journal/{number}/approve", {}, key="k1").json() for _ in range(2)]
    assert approvals[0] == approvals[1]
    path = f"/ledger/journal/{approvals[0]['je_number']}/reverse"
    reversals = [post(ann, path, {"reason": WHY}, key="k1").json()["number"] for _ in range(2)]
    assert reversals[0] == reversals[1]
    assert (ManualJournal.objects.count(), EntryHeader.objects.count()) == (2, 1)


def test_nobody_approves_or_rejects_his_own(client_with: Any) -> None:
    both = client_with("ledger.enter_journal", "ledger.approve_journal")
    number = post(both, "/ledger/journal", FEE).json()["number"]
    before = written()
    for path, body in (("approve", {}), ("reject", {"note": "I was mistaken here."})):
        answer = post(both, f"/ledger/journal/{number}/{path}", body)
        assert (answer.status_code, answer.json()["error"]) == (403, "journal.own")
    assert written() == before


def test_a_rejected_journal_says_who_and_why_and_is_decided(ann: APIClient, bob: APIClient) -> None:
    number = post(ann, "/ledger/journal", FEE).json()["number"]
    assert post(bob, f"/ledger/journal/{number}/reject", {"note": "short"}).status_code == 400
    body = post(bob, f"/ledger/journal/{number}/reject", {"note": "The statement says 53.00."}).json()
    assert (body["status"], body["decision_note"], body["je_number"]) == (
        "REJECTED", "The statement says 53.00.", None,
    )  # fmt: skip
    answer = post(bob, f"/ledger/journal/{number}/approve", {})
    assert (answer.status_code, answer.json()["error"]) == (409, "journal.decided")


def test_each_method_needs_its_own_permission(client_with: Any, ann: APIClient, bob: APIClient) -> None:
    number = post(ann, "/ledger/journal", FEE).json()["number"]
    entry = enter()
    before = written()
    nobody = client_with("ledger.view_ledgerposting")
    reject = {"note": "Not ours, I am afraid."}
    for client, path, body in (
        (bob, "/ledger/journal", FEE),
        (nobody, "/ledger/journal", FEE),
        (ann, f"/ledger/journal/{number}/approve", {}),
        (ann, f"/ledger/journal/{number}/reject", reject),
        (bob, f"/ledger/journal/{entry.je_number}/reverse", {"reason": WHY}),
    ):
        assert post(client, path, body).status_code == 403, path
    assert nobody.get(f"/ledger/journal/{number}").status_code == 403
    assert APIClient().get(f"/ledger/journal/{number}").status_code == 401
    assert written() == before


@pytest.mark.parametrize(
    "number",
    ["JE-201903-1", "JE-201913-1", "JE-999912-1", "JE-000001-1", "JE-201903-" + "9" * 18, "JE-201903-" + "9" * 30,
     "MJ-2019-00099", "MJ-0000-00000", "je-201903-1", "JE-201903-1%00"],
)  # fmt: skip
def test_numbers_that_nobody_has_are_not_found(ann: APIClient, db: None, number: str) -> None:
    answer = ann.get(f"/ledger/journal/{number}")
    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")
    assert post(ann, f"/ledger/journal/{number}/reverse", {"reason": WHY}).status_code == 404


def test_any_entry_leads_to_what_it_comes_from(ann: APIClient, tmp_path: Any) -> None:
    lease = make_lease(weekly_fee="0.00")
    source = trip(lease)
    load(tmp_path, source)
    run(SUNDAY - WEEK)
    entries = {entry.origin: entry for entry in EntryHeader.objects.order_by("id")}

    told = ann.get(f"/ledger/journal/{entries['TRIP'].je_number}").json()
    row = told["source_row"]
    assert (row["source"], row["file_name"], row["row_number"]) == ("curb", "trips.csv", 1) or row[
        "file_name"
    ]
    assert told["template"] == "TRIP_CARD/1"
    assert {(line["account"], line["side"], line["amount"]) for line in told["lines"]} == {
        ("1100", "DR", "15.80"), ("2300", "CR", "15.80"),
    }  # fmt: skip

    told = ann.get(f"/ledger/journal/{entries['POSTING'].je_number}").json()
    assert told["posting_id"] == str(entries["POSTING"].posting_id) and ":" in told["posting_reference"]
    answer = post(ann, f"/ledger/journal/{entries['POSTING'].je_number}/reverse", {"reason": WHY})
    assert (answer.status_code, answer.json()["error"]) == (409, "journal.not_reversible")
    assert "Void the posting instead" in answer.json()["message"]


def test_a_closed_month_takes_no_journal_and_a_reopened_one_does(ann: APIClient) -> None:
    charge(make_account(), "MISC", "10.00", on=SUNDAY)
    for number in range(4):
        run(SUNDAY + number * WEEK)
    march, today, chief = SUNDAY.replace(day=1), SUNDAY + 6 * WEEK, make_user()
    months.close_month(month=march, actor=chief, on=today)
    answer = post(ann, "/ledger/journal", FEE)
    assert (answer.status_code, answer.json()["error"]) == (409, "period.closed")
    months.reopen_month(month=march, reason=WHY, actor=chief)
    assert post(ann, "/ledger/journal", FEE).status_code == 201
    months.close_month(month=march, actor=chief, on=today)
    assert post(ann, "/ledger/journal", FEE).status_code == 409
