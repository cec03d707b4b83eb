"""Cases over HTTP: who sees and does what, hand on, cancel, comment, attach; and what the database holds."""

import threading
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, connection, connections, transaction
from django.utils import timezone

from batconnect.cases.models import Case, CaseDocument, CaseEvent
from batconnect.cases.registry import flows
from batconnect.cases.services.opening import open_case
from batconnect.common.models import User
from ledger.models import LedgerPosting
from misc_expenses.models import MiscellaneousExpense
from tests.factories import make_lease, make_user
from tests.ledger.factories import broken_proofs
from tests.misc_expenses.expense_stories import CLERK, charged, clerk, client_of, entered, process, send

PDF = b"%PDF-1.7 a receipt"


def case_by(user: User, **ago: float) -> Case:
    return open_case(prefix="MISCEXP", actor=user, at=timezone.now() - timedelta(**ago), subject="Ann Lee")


def upload(client: Any, case_no: str, name: str, content: bytes, key: str | None = None) -> Any:
    headers = {"HTTP_IDEMPOTENCY_KEY": key} if key else {}
    file = SimpleUploadedFile(name, content)
    return client.post(f"/bpm/case/{case_no}/documents", {"file": file}, format="multipart", **headers)


# --- who may --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [step for flow in flows() for step in flow.steps], ids=lambda step: step.id)
def test_a_step_asks_for_each_of_its_permissions(db: None, step: Any) -> None:
    """The matrix of steps: with all permissions it answers, without any one of them it refuses."""
    needed = ["cases.view_case", "cases.process_case", step.permission]
    needed += ["cases.approve_case"] if step.approval else []
    prefix = step.id.partition("-")[0]
    opener = make_user(is_superuser=True)
    case = open_case(prefix=prefix, actor=opener, at=timezone.now())
    Case.objects.filter(pk=case.pk).update(assigned_to=None, step=step.id)
    body = {"step_id": step.id, "data": {}}
    path = f"/bpm/case/{case.case_no}"
    full = client_of(make_user(permissions=needed))
    assert full.get(f"{path}/{step.id}").status_code == 200
    assert send(full, path, body).status_code == 400  # allowed, and the data is looked at
    for missing in needed:
        client = client_of(make_user(permissions=[name for name in needed if name != missing]))
        answer = send(client, path, body)
        assert answer.status_code in (403, 404), (missing, answer.json())
        assert client.get(f"{path}/{step.id}").status_code in (403, 404) or missing == "none"
    assert CaseEvent.objects.filter(action="processed").count() == 0


def test_a_case_is_seen_by_those_it_concerns(db: None) -> None:
    opener, colleague = clerk(), clerk()
    other_flow = make_user(permissions=("cases.view_case", "cases.process_case", "ledger.take_payment"))
    auditor = make_user(permissions=("cases.view_case", "cases.view_all_cases"))
    blind = make_user(permissions=("cases.process_case", "misc_expenses.add_miscellaneousexpense"))
    case = case_by(opener)
    seen = {
        name: client_of(user).get(f"/bpm/case/{case.case_no}").status_code
        for name, user in (
            ("opener", opener), ("colleague", colleague), ("other flow", other_flow), ("auditor", auditor),
            ("blind", blind),
        )
    }  # fmt: skip
    assert seen == {"opener": 200, "colleague": 200, "other flow": 404, "auditor": 200, "blind": 403}
    assert client_of(other_flow).get("/bpm/cases").json()["total_items"] == 0
    assert client_of(auditor).get("/bpm/cases").json()["total_items"] == 1
    assert (
        send(client_of(auditor), f"/bpm/case/{case.case_no}", {"step_id": "x", "data": {}}).status_code == 403
    )


def test_a_flow_is_opened_by_who_may_do_its_first_step(db: None) -> None:
    client = client_of(clerk())
    assert send(client, "/bpm/cases", {"flow": "MISCEXP"}).status_code == 201
    assert send(client, "/bpm/cases", {"flow": "VOID"}).status_code == 403
    assert send(client, "/bpm/cases", {"flow": "NOSUCH"}).status_code == 404
    key = [send(client, "/bpm/cases", {"flow": "MISCEXP"}, key="once").json()["case_no"] for _ in range(2)]
    assert key[0] == key[1] and Case.objects.count() == 2


def test_what_is_assigned_to_another_is_left_alone(db: None) -> None:
    lease, opener, colleague = make_lease(weekly_fee="0.00"), clerk(), clerk()
    case = case_by(opener)
    refused = process(client_of(colleague), case.case_no, entered(lease))
    assert (refused.status_code, refused.json()["error"]) == (403, "case.assigned_to_another")
    path = f"/bpm/case/{case.case_no}/assign"
    assert send(client_of(colleague), path, {"username": colleague.username}).status_code == 403
    handed = send(client_of(opener), path, {"username": colleague.username, "note": "Lunch"})
    assert handed.json()["assigned_to"] == colleague.username
    assert process(client_of(colleague), case.case_no, entered(lease)).status_code == 200
    event = CaseEvent.objects.get(action="assigned")
    assert (event.before, event.after) == (
        {"assigned_to": opener.username},
        {"assigned_to": colleague.username, "note": "Lunch"},
    )
    assert send(client_of(opener), path, {"username": ""}).status_code == 409  # it has ended


def test_a_case_goes_to_nobody_who_could_not_do_it(db: None) -> None:
    opener = clerk()
    path = f"/bpm/case/{case_by(opener).case_no}/assign"
    unable = make_user(permissions=("cases.view_case",))
    for name, status, error in (
        (unable.username, 409, "case.assignee_may_not"),
        ("nobody-called-so", 404, "case.unknown_person"),
    ):
        answer = send(client_of(opener), path, {"username": name})
        assert (answer.status_code, answer.json()["error"]) == (status, error)
    chief = make_user(
        permissions=("cases.view_case", "cases.view_all_cases", "cases.process_case", "cases.assign_case")
    )
    assert send(client_of(chief), path, {"username": clerk().username}).status_code == 200


def test_a_cancelled_case_stays_so_and_says_why(db: None) -> None:
    lease, opener = make_lease(weekly_fee="0.00"), clerk()
    case = case_by(opener)
    client, path = client_of(opener), f"/bpm/case/{case.case_no}/cancel"
    assert send(client, path, {"reason": "too short"}).status_code == 400
    assert send(client_of(clerk()), path, {"reason": "Not mine to do at all"}).status_code == 403
    assert send(client, path, {"reason": "The driver left the desk"}).json()["status"] == "CANCELLED"
    for again in (
        send(client, path, {"reason": "The driver left the desk"}),
        process(client, case.case_no, entered(lease)),
    ):
        assert (again.status_code, again.json()["error"]) == (409, "case.ended")
    assert not LedgerPosting.objects.exists()


# --- lists ----------------------------------------------------------------------------------------------------


def test_cases_are_listed_by_what_people_ask_for(db: None) -> None:
    user = clerk()
    late, fresh = case_by(user, hours=24, minutes=1), case_by(user, hours=23)
    client = client_of(user)
    for query, expected in (
        ({}, [fresh, late]),
        ({"overdue": "true"}, [late]),
        ({"overdue": "false"}, [fresh]),
        ({"status": "CLOSED"}, []),
        ({"flow": "MISCEXP", "sort_by": "due_at", "sort_order": "asc"}, [late, fresh]),
        ({"assigned_to": user.username}, [fresh, late]),
        ({"unassigned": "true"}, []),
        ({"step_id": "MISCEXP-001"}, [fresh, late]),
        ({"opened_to": "2019-01-01"}, []),
    ):
        rows = client.get("/bpm/cases", query).json()["items"]
        assert [row["case_no"] for row in rows] == [case.case_no for case in expected], query
    assert client.get("/bpm/cases", {"overdue": "yes"}).status_code == 400
    row = client.get(f"/bpm/case/{late.case_no}").json()
    assert row["overdue"] is True and row["due_at"][-6:] in ("-05:00", "-04:00")


def test_a_page_of_cases_costs_the_same_however_many(db: None, django_assert_max_num_queries: Any) -> None:
    user = clerk()
    for _ in range(5):
        case_by(user)
    client = client_of(user)
    # Session, user, two for permissions; savepoint, timeouts, count, keys, rows.
    with django_assert_max_num_queries(11):
        assert len(client.get("/bpm/cases").json()["items"]) == 5


# --- beside the steps -----------------------------------------------------------------------------------------


def test_comments_stand_beside_the_case(db: None) -> None:
    user = clerk()
    case = case_by(user)
    client, path = client_of(user), f"/bpm/case/{case.case_no}/comments"
    assert send(client, path, {"text": "He found the key."}).status_code == 201
    for bad in ("", " ", "x" * 2001, "a\x00b", "\ud800"):
        assert send(client, path, {"text": bad}).status_code == 400, bad
    (row,) = client.get(path).json()["items"]
    assert (row["text"], row["author"]) == ("He found the key.", user.username)


def test_a_document_is_kept_in_private_and_downloaded_as_it_was(db: None) -> None:
    user = clerk()
    case = case_by(user)
    client, path = client_of(user), f"/bpm/case/{case.case_no}/documents"
    made = upload(client, case.case_no, "../../etc/receipt.PDF", PDF)
    assert made.status_code == 201, made.json()
    assert made.json()["name"] == "receipt.PDF" and made.json()["size"] == len(PDF)
    document = CaseDocument.objects.get()
    assert document.file.name.startswith(f"cases/{case.case_no}/") and "receipt" not in document.file.name
    answer = client.get(f"{path}/{document.pk}")
    assert b"".join(answer.streaming_content) == PDF  # type: ignore[attr-defined]
    assert answer.headers["Content-Disposition"] == 'attachment; filename="receipt.PDF"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    stranger = client_of(make_user(permissions=("cases.view_case", "ledger.take_payment")))
    assert stranger.get(f"{path}/{document.pk}").status_code == 404
    other = case_by(user)
    assert client.get(f"/bpm/case/{other.case_no}/documents/{document.pk}").status_code == 404
    again = upload(client, case.case_no, "copy.pdf", PDF)
    assert (again.status_code, again.json()["error"]) == (409, "document.duplicate")
    assert CaseEvent.objects.get(action="attached").after["sha256"] == document.sha256


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("virus.exe", b"MZ", "document.type"),
        ("page.html", b"<script>", "document.type"),
        ("picture.svg", b"<svg/>", "document.type"),
        ("receipt.pdf", b"<html>", "document.content"),
        ("notes.txt", b"\xff\xfe\x00", "document.content"),
        ("large.pdf", PDF * 10, "document.too_large"),
        ("empty.pdf", b"", None),
        ("none", PDF, "document.type"),
    ],
)
def test_what_is_not_kept(db: None, settings: Any, name: str, content: bytes, error: str | None) -> None:
    settings.CASE_DOCUMENT_MAX_BYTES = 100
    user = clerk()
    answer = upload(client_of(user), case_by(user).case_no, name, content)
    assert answer.status_code == 400 and answer.json()["error"] == (error or "request.invalid")
    assert not CaseDocument.objects.exists()


# --- at once --------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("same_key", [True, False])
def test_twelve_clicks_at_once_are_one_charge(committing_database: str, same_key: bool) -> None:
    user, lease = clerk(), make_lease(weekly_fee="0.00")
    case = case_by(user)
    answers: list[tuple[int, str]] = []
    start = threading.Barrier(12)

    def click(number: int) -> None:
        try:
            client = client_of(user)
            start.wait()
            key = "one" if same_key else f"key-{number}"
            answer = process(client, case.case_no, entered(lease), key=key)
            answers.append((answer.status_code, answer.json().get("error", "")))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=click, args=[number]) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = {(200, ""): 12} if same_key else {(200, ""): 1, (409, "case.ended"): 11}
    assert Counter(answers) == expected
    assert MiscellaneousExpense.objects.count() == LedgerPosting.objects.count() == 1
    assert CaseEvent.objects.filter(action="processed").count() == 1
    assert CaseEvent.objects.filter(action="failed").count() == 0
    assert broken_proofs() == []


@pytest.mark.slow
def test_a_failure_is_kept_when_everything_else_is_rolled_back(committing_database: str) -> None:
    """With real commits: the charge, its number and its key are gone, the reason is not."""
    from batconnect.common.models import IdempotencyKey

    user, lease = clerk(), make_lease(weekly_fee="0.00")
    case = case_by(user)
    answer = process(client_of(user), case.case_no, entered(lease, amount="100000.00"), key="k")
    assert answer.status_code == 400
    connections.close_all()
    kept = Case.objects.get(pk=case.pk)
    assert (kept.status, kept.error_code, kept.data["amount"]) == ("OPEN", "misc_expense.amount", "100000.00")
    assert CaseEvent.objects.filter(case=case, action="failed").count() == 1
    assert not IdempotencyKey.objects.exists() and not LedgerPosting.objects.exists()


# --- what the database holds ----------------------------------------------------------------------------------


def refused(statement: str, *parameters: Any) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(DatabaseError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, parameters)
    return str(caught.value)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE bpm_case_event SET role = 'x'",
        "DELETE FROM bpm_case_event",
        "TRUNCATE bpm_case_event",
        "UPDATE bpm_case_comment SET text = 'x'",
        "DELETE FROM bpm_case_comment",
        "UPDATE bpm_case_document SET name = 'x'",
        "DELETE FROM bpm_case_document",
        "DELETE FROM bpm_case",
        "TRUNCATE bpm_case CASCADE",
        "UPDATE bpm_case SET status = 'OPEN', closed_at = NULL, closed_by_id = NULL",
        "UPDATE bpm_case SET subject = 'x'",
    ],
)
def test_history_stands(db: None, statement: str) -> None:
    user = clerk()
    outcome = charged(client_of(user), make_lease(weekly_fee="0.00"))
    client = client_of(user)
    send(client, f"/bpm/case/{outcome['case_no']}/comments", {"text": "Seen"})
    upload(client, outcome["case_no"], "a.pdf", PDF)
    refused(statement)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("closed_at = now()", "bpm_case_closed_by_somebody"),
        ("status = 'CLOSED'", "bpm_case_closed_by_somebody"),
        (
            "status = 'CANCELLED', closed_at = now(), closed_by_id = opened_by_id",
            "bpm_case_cancelled_for_a_reason",
        ),
        ("due_at = opened_at", "bpm_case_due_after_opened"),
        ("approved_by_id = opened_by_id", "bpm_case_approved_by_another"),
        ("requested_by_id = %s, approved_by_id = %s", "bpm_case_approved_by_another"),
        ("approved_by_id = %s", "bpm_case_approved_by_another"),
        ("case_no = 'MISCEXP900000'", "Cannot update"),
        ("opened_by_id = %s", "Cannot update"),
    ],
)
def test_a_case_keeps_its_rules(db: None, change: str, rule: str) -> None:
    case_by(clerk())
    other = make_user(permissions=CLERK).pk
    assert rule in refused(f"UPDATE bpm_case SET {change}", *[other] * change.count("%s"))
