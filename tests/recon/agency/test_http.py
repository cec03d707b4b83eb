"""Tolls and violations over HTTP, and on the screens without a browser: who may what, and what is answered."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from batconnect.cases.services.opening import open_case
from leases.models import Lease
from ledger.models import LedgerPosting
from recon.models import AgencyDecision, AgencyFile, AgencyItem
from recon.selectors.agency import waiting_counts
from recon.sources import tolls, violations
from tests.factories import make_user
from tests.ledger.factories import account_of, broken_proofs

from .conftest import DECIDES, SUMMONSES
from .stories import (
    charged_on,
    csv_of,
    drove,
    item,
    load_summonses,
    load_tolls,
    make_cab,
    stands,
    summons,
    toll,
)

pytestmark = pytest.mark.django_db
WHY = "Seen on the paper trip sheet"
SCREEN = "/admin/recon/agencyitem/"


@pytest.fixture
def ana() -> Lease:
    lease = make_cab()
    drove(lease, "11:45", "12:15", toll=True)
    return lease


def client_of(*permissions: str) -> APIClient:
    client = APIClient()
    client.force_login(make_user(permissions=permissions))
    return client


def send(client: APIClient, path: str, body: Any, key: str = "") -> Any:
    headers = {"HTTP_IDEMPOTENCY_KEY": key} if key else {}
    return client.post(path, json.dumps(body), content_type="application/json", **headers)


def upload(client: APIClient, path: str, text: str, key: str = "") -> Any:
    headers = {"HTTP_IDEMPOTENCY_KEY": key} if key else {}
    return client.post(path, {"file": SimpleUploadedFile("statement.csv", text.encode())}, **headers)


def test_a_statement_is_sent_listed_and_decided(ana: Lease) -> None:
    api = client_of(*DECIDES)
    text = csv_of(
        tolls.COLUMNS, [toll("T1"), toll("T2", "12:40"), toll("T3", "12:41"), toll("B", amount="six")]
    )
    answer = upload(api, "/recon/tolls/import", text, "k1")
    body = answer.json()
    assert (answer.status_code, body["new"], body["rejected"]) == (201, 3, 1), body
    assert body["ended"] == {
        "POSTED": {"rows": 1, "amount": "6.12"},
        "REVIEW": {"rows": 2, "amount": "12.24"},
    }
    assert body["rejects"][0]["column"] == "Amount"
    again = upload(api, "/recon/tolls/import/", text, "k1")
    assert again.json() == body and again.headers["Idempotent-Replayed"] == "true"
    assert AgencyFile.objects.count() == 1

    listed = api.get("/recon/tolls", {"waiting": "true", "sort_by": "number", "sort_order": "asc"}).json()
    assert [row["number"] for row in listed["items"]] == ["T2", "T3"] and listed["total_items"] == 2
    row = listed["items"][0]
    assert (row["amount"], row["score"], row["money"], row["suggested_lease_id"]) == (
        "6.12",
        80,
        "NONE",
        ana.pk,
    )
    shown = api.get(f"/recon/tolls/{row['item_id']}").json()
    assert shown["possible"] == ["accept", "assign", "dispute", "dismiss", "fleet-cost"]
    assert shown["candidates"][0]["time"] == 30 and shown["raw"]["Amount"] == "$-6.12"
    assert api.get("/recon/tolls", {"score_from": "90"}).json()["items"][0]["money"] == "OPEN"

    decide = f"/recon/tolls/{row['item_id']}/decide"
    asked = {"action": "assign", "lease_id": ana.pk, "reason": WHY, "seen": row["decision_id"]}
    done = send(api, decide, asked, "k2")
    assert (done.status_code, done.json()["state"], done.json()["open_amount"]) == (200, "POSTED", "6.12")
    assert send(api, decide, asked, "k2").json() == done.json() and LedgerPosting.objects.count() == 2
    late = send(api, decide, asked)
    assert (late.status_code, late.json()["error"]) == (409, "agency.changed")
    many = {"items": [{"item_id": item("T3").pk, "seen": item("T3").decision_id}]}
    assert send(api, "/recon/tolls/accept", many, "k3").json() == {"accepted": 1, "items": [item("T3").pk]}
    undo = send(api, f"/recon/tolls/{item('T3').pk}/decide", {"action": "undo", "reason": WHY}).json()
    assert (undo["state"], undo["posting_id"]) == ("REVIEW", None)
    assert charged_on(account_of(ana)) == {"T1": "6.12", "T2": "6.12"} and broken_proofs() == []


def test_tickets_have_their_own_door(ana: Lease, tmp_path: Path) -> None:
    api = client_of(*DECIDES)
    text = csv_of(violations.COLUMNS, [summons("S1", due="0", paid="65")])
    assert upload(api, "/recon/violations/import", text).status_code == 201
    load_tolls(tmp_path, toll("T1"))
    (row,) = api.get("/recon/violations", {"kind": "PVB"}).json()["items"]
    path = f"/recon/violations/{row['item_id']}"
    assert api.get(f"/recon/tolls/{row['item_id']}").json()["error"] == "agency.unknown"
    assert send(api, f"{path}/decide", {"action": "accept"}).json()["error"] == "agency.payer"
    done = send(api, f"{path}/decide", {"action": "accept", "payer": "FLEET"}).json()
    assert (done["state"], done["charged_amount"], done["lease_id"]) == ("POSTED", "65.00", ana.pk)
    reduced = send(api, f"{path}/decide", {"action": "reduce", "amount": "40.00", "reason": WHY}).json()
    assert (reduced["charged_amount"], reduced["money"]) == ("40.00", "OPEN")


def test_who_may_not_is_refused_and_nothing_happens(ana: Lease, tmp_path: Path) -> None:
    load_tolls(tmp_path, toll("T1", "12:40"))
    found = item("T1")
    looks = client_of("recon.view_agencyitem")
    nobody = client_of("recon.view_reconlog")
    text = csv_of(tolls.COLUMNS, [toll("T9")])
    for client, gets in ((looks, 200), (nobody, 403)):
        assert client.get("/recon/tolls").status_code == gets
        assert client.get(f"/recon/tolls/{found.pk}").status_code == gets
        assert send(client, f"/recon/tolls/{found.pk}/decide", {"action": "accept"}).status_code == 403
        assert send(client, "/recon/tolls/accept", {"items": [{"item_id": found.pk}]}).status_code == 403
        assert upload(client, "/recon/tolls/import", text).status_code == 403
    # Each refusal of a screen is logged at length, which takes its time.
    assert nobody.get(f"{SCREEN}{found.pk}/change/").status_code == 403
    assert looks.post(f"{SCREEN}{found.pk}/accept/", {"seen": found.decision_id}).status_code == 403
    assert (
        looks.post(f"{SCREEN}many/accept/", {"items": f"{found.pk}:{found.decision_id}"}).status_code == 403
    )
    assert looks.get("/admin/recon/agencyfile/upload/").status_code == 403
    assert APIClient().get("/recon/tolls").status_code == 401
    assert "Accept…" not in looks.get(f"{SCREEN}{found.pk}/change/").content.decode()
    assert stands("T1") == ("REVIEW", "NONE")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"action": "assign", "reason": WHY}, "request.invalid"),
        ({"action": "reduce", "reason": WHY, "amount": "-1"}, "request.invalid"),
        ({"action": "burn"}, "request.invalid"),
        ({"action": "accept", "note": "x"}, "request.invalid"),
        ({"action": "dismiss", "reason": "short"}, "reason.length"),
        ({"action": "assign", "lease_id": 2**62, "reason": WHY}, "agency.unknown_lease"),
        ({"action": "credit", "toll_number": "T1", "reason": WHY}, "agency.not_possible"),
        ({"action": "undo", "reason": WHY}, "agency.not_possible"),
    ],
)
def test_what_cannot_be_is_told(ana: Lease, tmp_path: Path, body: Any, error: str) -> None:
    load_tolls(tmp_path, toll("T1", "12:40"), toll("T0"))
    if body.get("toll_number"):
        body = {**body, "toll_number": "T0"}
    answer = send(client_of(*DECIDES), f"/recon/tolls/{item('T1').pk}/decide", body)
    assert answer.status_code in (400, 404, 409) and answer.json()["error"] == error, answer.json()


def test_files_that_are_none_are_refused(ana: Lease) -> None:
    api = client_of(*DECIDES)
    for text in ("", "a,b\n1,2\n", csv_of(tolls.COLUMNS, [toll("T1")]).replace("12:00:00 PM,", "")):
        answer = upload(api, "/recon/tolls/import", text)
        assert answer.status_code == 400, answer.json()
    assert api.post("/recon/tolls/import").json()["error"] == "request.invalid"
    assert not AgencyFile.objects.exists()


def test_a_summons_goes_through_its_case_and_waits_or_is_charged(ana: Lease) -> None:
    clerk = make_user(permissions=SUMMONSES)
    client = APIClient()
    client.force_login(clerk)
    data = {
        "number": "tlc-77",
        "plate": "T768624C",
        "issue_date": "2019-03-05",
        "issue_time": "12:05",
        "amount": "100",
    }

    def process(**changed: Any) -> Any:
        case = open_case(prefix="TLC", actor=clerk, at=timezone.now())
        return send(client, f"/bpm/case/{case.case_no}", {"step_id": "TLC-001", "data": {**data, **changed}})

    done = process().json()
    assert done["status"] == "CLOSED" and done["result"]["state"] == "POSTED", done
    assert charged_on(account_of(ana)) == {"TLC-77": "100.00"}
    posting = LedgerPosting.objects.get()
    assert (posting.category, str(posting.event_on)) == ("TLC", "2019-03-05")
    assert process(number="TLC-77").json()["error"] == "agency.number_known"
    waits = process(number="TLC-78", issue_time="18:05").json()
    assert waits["result"]["state"] == "UNASSIGNED" and stands("TLC-78") == ("UNASSIGNED", "NONE")
    assert item("TLC-78").case_no == waits["case_no"]
    for wrong in (
        {"number": "A/1"}, {"plate": "T-7"}, {"amount": "0"}, {"issue_time": "25:00"}, {"issue_date": "2999-01-01"},
        {"issue_date": "2019-03-10", "issue_time": "02:30"}, {"issue_date": "0001-01-01"},
        {"issue_date": "9999-12-31", "issue_time": "23:30"},
    ):  # fmt: skip
        assert process(**{"number": "TLC-79", **wrong}).status_code == 400, wrong
    assert waiting_counts() == {"REVIEW": 0, "UNASSIGNED": 1, "CREDIT": 0}
    assert AgencyItem.objects.count() == 2 and broken_proofs() == []


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(make_user(permissions=(*DECIDES, "ledger.view_ledgerposting")))
    return client


def page(client: Client, path: str, **sent: Any) -> str:
    answer = client.post(path, sent, follow=True) if sent else client.get(path, follow=True)
    assert answer.status_code == 200, path
    return answer.content.decode()


def test_every_decision_has_its_page_and_its_effect(staff: Client, ana: Lease, tmp_path: Path) -> None:
    ben = make_cab("T999999C", "Ben Ode")
    load_tolls(
        tmp_path, toll("T1"), toll("T2", "12:40"), toll("T3", plate="NY Z00013Z"), toll("C1", amount="$1.00")
    )
    load_tolls(tmp_path, toll("T3", amount="$-7.00", plate="NY Z00013Z"))

    def act(number: str, action: str, *, version: int = 1, query: str = "", **sent: Any) -> str:
        found = item(number, version)
        path = f"{SCREEN}{found.pk}/{action}/{query}"
        assert 'role="alert"' not in page(staff, path)
        return page(staff, path, seen=found.decision_id, reason=WHY, **sent)

    assert "Charged: T2 is posted." in act("T2", "accept")
    assert "Look for the lease above." in page(staff, f"{SCREEN}{item('T3').pk}/assign/")
    assert ben.number in page(staff, f"{SCREEN}{item('T3').pk}/assign/?q=Ben")
    assert "Charged: T3 is posted." in act("T3", "assign", query=f"?lease={ben.pk}")
    assert "Moved: T3" in act("T3", "reassign", query=f"?lease={ana.pk}")
    assert "Reduced: T3" in act("T3", "reduce", amount="2.00")
    assert "The new figures of T3" in act("T3", "revision", version=2)
    assert "The credit C1 is given." in act("C1", "credit", toll_number="T1")
    assert "Held" in act("T1", "dispute")
    assert "Entered as a cost of the fleet: T1." in act("T1", "fleet-cost")
    assert "Taken back: T1" in act("T1", "undo")
    assert "Dismissed" in act("T1", "dismiss")
    old = AgencyDecision.objects.filter(item__number="T2").earliest("place").pk
    told = page(staff, f"{SCREEN}{item('T2').pk}/dismiss/", seen=old, reason=WHY)
    assert "was decided about meanwhile: it is posted now" in told
    assert charged_on(account_of(ana)) == {"T2": "6.12", "T3/4": "7.00"}
    shown = page(staff, f"{SCREEN}{item('T3', 2).pk}/change/")
    assert "Figures under this number" in shown and "What was decided" in shown
    assert broken_proofs() == []


def test_lists_filters_files_and_many_at_once(staff: Client, ana: Lease, tmp_path: Path) -> None:
    load_summonses(
        tmp_path, summons("S1", due="0", paid="65"), summons("S2", "12:40"), summons("S3", plate="X1")
    )
    for query in (
        "?state__exact=REVIEW",
        "?kind__exact=PVB",
        "?q=T768",
        "?score_from=80&score_to=95",
        "?o=2.-7",
    ):
        assert "S2" in page(staff, SCREEN + query), query
    file = AgencyFile.objects.get()
    assert "How its rows stand now" in page(staff, f"/admin/recon/agencyfile/{file.pk}/change/")
    assert "S3" in page(staff, f"{SCREEN}?file__exact={file.pk}")
    many = [str(item(number).pk) for number in ("S1", "S2")]
    asked = page(staff, SCREEN, action="accept_selected", _selected_action=many)
    assert "Accept 2 tolls and tickets?" in asked
    pairs = ",".join(f"{item(number).pk}:{item(number).decision_id}" for number in ("S1", "S2"))
    assert "Say by whom" in page(staff, f"{SCREEN}many/accept/", items=pairs, payer="UNKNOWN")
    assert "2 accepted." in page(staff, f"{SCREEN}many/accept/", items=pairs, payer="FLEET")
    left = f"{item('S3').pk}:{item('S3').decision_id}"
    assert "Say why in 10" in page(staff, f"{SCREEN}many/dismiss/", items=left, reason="no")
    assert "1 dismissed." in page(staff, f"{SCREEN}many/dismiss/", items=left, reason=WHY)
    assert "Look again at what waits?" in page(staff, f"{SCREEN}look/")
    assert "Nothing new is known." in page(staff, f"{SCREEN}look/", go="1")
    assert charged_on(account_of(ana)) == {"S1": "65.00", "S2": "65.00"}


@pytest.mark.parametrize("items", ["²:1", "9" * 5000, ",".join(f"{n}:1" for n in range(1, 502)), ""])
def test_what_is_no_selection_is_asked_again(staff: Client, items: str) -> None:
    answer = staff.post(f"{SCREEN}many/accept/", {"items": items})
    assert answer.status_code == 200 and not AgencyDecision.objects.exists()
