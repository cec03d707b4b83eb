"""The pages of cases: who may open which, that looking changes nothing, that two clicks are one effect."""

import pytest
from django.test import Client
from django.utils import timezone

from batconnect.cases.models import Case, CaseDocument, CaseEvent
from batconnect.cases.registry import flows
from batconnect.cases.services.opening import open_case
from ledger.models import LedgerPosting
from tests.factories import make_lease, make_user
from tests.misc_expenses.expense_stories import CLERK, clerk

CASES = "/admin/cases/case/"
PAGES = ("", "work/", "confirm/", "done/", "paper/", "assign/", "cancel/", "comment/", "attach/")


def pages_of(case: Case) -> list[str]:
    return [f"{CASES}no/{case.case_no}/{page}" for page in PAGES] + [f"{CASES}{case.pk}/change/"]


@pytest.fixture
def case(db: None) -> Case:
    return open_case(prefix="MISCEXP", actor=clerk(), at=timezone.now(), subject="Ann Lee")


def logged_in(*permissions: str) -> Client:
    client = Client()
    client.force_login(make_user(permissions=permissions))
    return client


def test_nobody_sees_a_page_without_the_right_to_it(case: Case) -> None:
    stranger = logged_in("cases.view_case", "cases.process_case", "ledger.take_payment")
    nobody = logged_in()
    for page in pages_of(case):
        assert Client().get(page).status_code == 302  # to the login
        assert nobody.get(page).status_code == 403, page
        assert stranger.get(page).status_code in (302, 404), page  # another flow's: as if it were not there
        assert case.case_no not in stranger.get(page).content.decode()
    reader = logged_in("cases.view_case", "cases.view_all_cases")
    for page in pages_of(case):
        working = page.rstrip("/").rsplit("/", 1)[1] in (
            "work",
            "confirm",
            "assign",
            "cancel",
            "comment",
            "attach",
        )
        assert (reader.get(page).status_code == 403) is working, page


@pytest.mark.parametrize("flow", [flow.prefix for flow in flows()])
def test_a_start_page_needs_its_flow(db: None, flow: str) -> None:
    step = next(one for one in flows() if one.prefix == flow).steps[0]
    needed = ("cases.process_case", step.permission)
    assert logged_in(*needed).get(f"{CASES}start/{flow}/").status_code == 200
    assert logged_in(*needed).get(f"{CASES}find/{step.id}/", {"q": "ab"}).json() == {"found": []}
    for missing in needed:
        client = logged_in(*(name for name in needed if name != missing))
        assert client.get(f"{CASES}start/{flow}/").status_code == 403
        assert client.get(f"{CASES}find/{step.id}/", {"q": "ab"}).status_code == 403
    assert logged_in(*needed).get(f"{CASES}start/NOSUCH/").status_code == 404


def test_looking_changes_nothing(case: Case) -> None:
    make_lease(weekly_fee="0.00")
    client = Client()
    client.force_login(case.opened_by)
    for page in [*pages_of(case), f"{CASES}start/MISCEXP/?q=dr", f"{CASES}find/MISCEXP-001/?q=dr", CASES]:
        assert client.get(page).status_code in (200, 302, 404), page
    assert Case.objects.count() == 1 and CaseEvent.objects.count() == 1 and not LedgerPosting.objects.exists()


def test_a_hit_clicked_twice_opens_one_case(db: None) -> None:
    lease = make_lease(weekly_fee="0.00")
    client = logged_in(*CLERK)
    posts = [
        client.post(f"{CASES}start/MISCEXP/", {"pick": str(lease.pk), "token": "t"})["Location"]
        for _ in range(2)
    ]
    assert posts[0] == posts[1] and Case.objects.count() == 1
    for bad in ("", "x", "999999999", "9" * 40, "²"):
        answer = client.post(f"{CASES}start/MISCEXP/", {"pick": bad})
        assert answer.status_code == 200 and "no such lease" in answer.content.decode()
    assert Case.objects.count() == 1


def test_two_posts_of_one_confirmation_lead_to_one_charge(db: None) -> None:
    """As a browser without scripts would send them."""
    lease = make_lease(weekly_fee="0.00")
    client = logged_in(*CLERK)
    work = client.post(f"{CASES}start/MISCEXP/", {"pick": str(lease.pk), "token": "t"})["Location"]
    typed = {
        "driver_id": str(lease.driver_id), "lease_id": str(lease.pk), "category": "Towing", "amount": "1,250.00",
        "expense_date": "2026-03-02", "notes": "<script>alert(1)</script>",
    }  # fmt: skip
    confirm = client.post(work, typed)["Location"]
    page = client.get(confirm)
    assert "1,250.00" in page.content.decode() and "<script>alert(1)" not in page.content.decode()
    sent = {"kept": page.context["kept"], "token": page.context["token"], "step": "MISCEXP-001"}
    answers = [client.post(confirm, sent)["Location"] for _ in range(2)]
    assert answers[0] == answers[1] and answers[0].endswith("/done/")
    assert LedgerPosting.objects.count() == 1
    assert client.get(confirm)["Location"] == answers[0]
    garbage = client.post(confirm, {"kept": "[" * 5000, "token": "z"})
    assert garbage.status_code == 302 and LedgerPosting.objects.count() == 1


def test_a_case_is_handed_on_commented_documented_and_cancelled_here(case: Case) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    client, other = Client(), clerk()
    client.force_login(case.opened_by)
    base = f"{CASES}no/{case.case_no}/"
    for page, data in (
        ("comment/", {"text": "He found the key."}),
        ("attach/", {"file": SimpleUploadedFile("r.pdf", b"%PDF-1.7")}),
        ("assign/", {"username": other.username}),
    ):
        assert client.post(base + page, data).status_code == 302, page
    document = CaseDocument.objects.get()
    answer = client.get(f"{base}document/{document.pk}/")
    assert b"".join(answer.streaming_content) == b"%PDF-1.7"  # type: ignore[attr-defined]
    assert client.get(f"{base}document/{document.pk + 1}/").status_code == 404
    short = client.post(f"{base}cancel/", {"reason": "no"})
    assert "Say why in 10 to 500 characters" in short.content.decode()
    assert client.post(f"{base}cancel/", {"reason": "The driver left the desk."}).status_code == 302
    page = client.get(f"{CASES}{case.pk}/change/").content.decode()
    for text in ("He found the key.", "r.pdf", other.username, "The driver left the desk."):
        assert text in page
