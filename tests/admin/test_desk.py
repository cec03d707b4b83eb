"""The desk's own screens: the drawer counted and closed, cash put in, a check that bounced, the opening balances."""

import re
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from batconnect.common.models import User
from batconnect.common.weeks import local_date
from ledger.models import DrawerClose, DrawerMovement, LedgerPosting, OpeningImport
from ledger.services import credits
from tests.factories import make_user
from tests.ledger.desk_stories import asked, close, take
from tests.ledger.factories import balance, broken_proofs, make_account

pytestmark = pytest.mark.django_db
TODAY = "/admin/ledger/drawerclose/today/"
FLOAT = "/admin/ledger/drawerclose/float/"
UPLOAD = "/admin/ledger/openingimport/upload/"


def on() -> Any:
    return local_date(timezone.now())


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def hidden(page: Any) -> dict[str, Any]:
    """What a page of confirmation carries along."""
    found: dict[str, Any] = {}
    for name, value in re.findall(
        r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.content.decode()
    ):
        if name != "csrfmiddlewaretoken":
            found[name] = [*found.get(name, []), value]
    return found


@pytest.fixture
def ann(db: None) -> User:
    """A cashier with 80.00 in cash and a check of 70.00 in her drawer."""
    return make_user(permissions=("ledger.close_drawer", "ledger.view_interimpayment"))


@pytest.fixture
def check(ann: User) -> Any:
    account = make_account()
    take(account, "80.00", ann, on=on())
    return take(account, "70.00", ann, method="CHECK", number="<118>", on=on())


def test_a_drawer_is_compared_before_it_is_closed_and_closed_once(ann: User, check: Any) -> None:
    client = client_of(ann)
    page = client.get(TODAY)
    text = page.content.decode()
    assert "80.00" in text and "70.00" in text and check.number in text and "&lt;118&gt;" in text
    short = {"counted_cash": "75.00", "kept": "25", "reason": "", "checks": [check.number]}
    assert "5.00 short" in client.post(TODAY, short).content.decode()
    shown = client.post(TODAY, {**short, "reason": "Gave too much change at noon"})
    text = shown.content.decode()
    assert "5.00 short" in text and "120.00" in text and not DrawerClose.objects.exists()
    sent = hidden(shown)
    answer = client.post(TODAY, sent)
    done = DrawerClose.objects.get()
    assert answer.status_code == 302 and answer["Location"].endswith(f"/{done.pk}/change/")
    assert (done.banked, done.kept, done.difference) == (
        Decimal("120.00"),
        Decimal("25.00"),
        Decimal("-5.00"),
    )
    again = client.post(TODAY, sent, follow=True)
    assert "is closed for" in again.content.decode() and DrawerClose.objects.count() == 1
    assert "Gave too much change" in client.get(answer["Location"]).content.decode()
    slips = [client.get(f"/admin/ledger/drawerclose/{done.pk}/slip/") for _ in range(2)]
    assert slips[0].content.startswith(b"%PDF") and slips[0].content == slips[1].content
    assert broken_proofs() == []


def test_what_came_in_between_looking_and_closing_is_looked_at_again(ann: User, check: Any) -> None:
    client = client_of(ann)
    count = {"counted_cash": "80.00", "kept": "0", "reason": "", "checks": [check.number]}
    sent = hidden(client.post(TODAY, count))
    take(check.account, "10.00", ann, on=on())
    page = client.post(TODAY, sent).content.decode()
    assert "should hold 90.00 in cash and 70.00 in checks" in page and not DrawerClose.objects.exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"counted_cash": ""}, "This field is required"),
        ({"counted_cash": "1e2"}, "not an amount"),
        ({"counted_cash": "-1"}, "holds nothing or more"),
        ({"kept": "80.01"}, "cannot stay in a drawer"),
        ({"checks": ["INTPAY-2019-99999"]}, "is no check that should be"),
    ],
)
def test_a_wrong_count_is_told_beside_the_form(ann: User, check: Any, change: Any, words: str) -> None:
    count = {"counted_cash": "80.00", "kept": "0", "reason": "", "checks": [check.number], **change}
    assert words in client_of(ann).post(TODAY, count).content.decode()
    assert not DrawerClose.objects.exists()


def test_who_may_see_whose_drawer(ann: User, check: Any) -> None:
    bob = make_user(permissions=("ledger.close_drawer",))
    assert client_of(bob).get(f"{TODAY}?cashier={ann.username}").status_code == 403
    assert client_of(make_user()).get(TODAY).status_code == 403
    chief = client_of(make_user(permissions=("ledger.close_other_drawer", "ledger.view_drawerclose")))
    assert check.number in chief.get(f"{TODAY}?cashier={ann.username}").content.decode()
    assert chief.get(f"{TODAY}?cashier=nobody").status_code == 404
    done = close(ann, "80.00", [check.number], on=on())
    listed, page = "/admin/ledger/drawerclose/", f"/admin/ledger/drawerclose/{done.pk}/change/"
    assert done.number in chief.get(listed).content.decode()
    assert done.number in client_of(ann).get(listed).content.decode()
    assert done.number not in client_of(bob).get(listed).content.decode()
    assert done.number not in client_of(bob).get(page, follow=True).content.decode()
    assert client_of(bob).get(f"/admin/ledger/drawerclose/{done.pk}/slip/").status_code == 404


def test_cash_is_put_in_once_however_often_it_is_clicked(ann: User) -> None:
    chief = client_of(make_user(permissions=("ledger.fund_drawer", "ledger.view_drawerclose")))
    assert "no such user" in chief.post(FLOAT, {"username": "nobody", "amount": "50"}).content.decode()
    sent = hidden(chief.post(FLOAT, {"username": ann.username, "amount": "50"}))
    assert not DrawerMovement.objects.exists()
    for _ in range(2):
        assert chief.post(FLOAT, sent).status_code == 302
    assert DrawerMovement.objects.get().amount == Decimal("50.00")
    assert client_of(ann).get(FLOAT).status_code == 403


def test_a_banked_check_is_recorded_as_bounced_from_its_receipt(ann: User, check: Any) -> None:
    chief = client_of(
        make_user(
            permissions=("ledger.bounce_check", "ledger.view_interimpayment", "ledger.view_ledgerposting")
        )
    )
    receipt = f"/admin/ledger/interimpayment/{check.pk}/change/"
    assert "Check bounced" not in chief.get(receipt).content.decode()
    close(ann, "80.00", [check.number], on=on())
    bounce = f"/admin/ledger/drawerclose/bounce/{check.pk}/"
    assert bounce in chief.get(receipt).content.decode()
    assert "10 to 500" in chief.post(bounce, {"reason": "nsf"}).content.decode()
    assert chief.post(bounce, {"reason": "Insufficient funds"}).status_code == 302
    assert LedgerPosting.objects.get(pk=check.posting_id).status == "VOIDED"
    assert bounce not in chief.get(receipt).content.decode()
    assert client_of(ann).get(bounce).status_code == 403
    assert broken_proofs() == []


def test_a_decided_credit_has_a_page_and_a_place_in_the_list(ann: User) -> None:
    account = make_account()
    done = credits.grant_credit(asked("ADJUSTMENT", account, "5.00"), actor=ann, on=on())
    chief = client_of(make_user(permissions=("ledger.view_creditdecision",)))
    listed = chief.get("/admin/ledger/creditdecision/", {"q": done.number}).content.decode()
    assert done.number in listed and done.reason in listed
    page = chief.get(f"/admin/ledger/creditdecision/{done.pk}/change/").content.decode()
    assert done.reason in page and "below the amount" in page
    assert client_of(ann).get("/admin/ledger/creditdecision/").status_code == 403


def opening(*rows: str) -> SimpleUploadedFile:
    header = "tlc_license,lease,category,amount,reference,event_date"
    return SimpleUploadedFile("cut-over.csv", "\n".join([header, *rows]).encode(), "text/csv")


def test_opening_balances_are_looked_at_and_then_imported_once(db: None) -> None:
    account = make_account()
    who = f"{account.driver.tlc_license},{account.lease.number}"
    chief = client_of(make_user(permissions=("ledger.import_opening", "ledger.view_openingimport")))
    wrong = chief.post(
        UPLOAD,
        {"file": opening(f"{who},LEASE,500.00,OLD-1,2019-02-20", f"{who},LEASE,x,OLD-2,2019-02-20"),
         "control_total": "500.00"},
    ).content.decode()  # fmt: skip
    assert "1 of 2 rows are wrong" in wrong and "not an amount" in wrong and "Import the opening" not in wrong
    off = chief.post(
        UPLOAD, {"file": opening(f"{who},LEASE,500.00,OLD-1,2019-02-20"), "control_total": "500.01"}
    ).content.decode()
    assert "differ by -0.01" in off and "Import the opening" not in off
    shown = chief.post(
        UPLOAD, {"file": opening(f"{who},LEASE,500.00,OLD-1,2019-02-20"), "control_total": "500.00"}
    )
    assert "500.00" in shown.content.decode() and balance(account) == 0
    sent = hidden(shown)
    assert chief.post(UPLOAD, {**sent, "sha256": "../../etc/passwd"}).status_code == 302
    assert not OpeningImport.objects.exists()
    for _ in range(2):
        assert chief.post(UPLOAD, sent).status_code == 302
    done = OpeningImport.objects.get()
    assert balance(account) == Decimal("500.00")
    assert chief.get(UPLOAD)["Location"].endswith(f"/{done.pk}/change/")
    assert "cut-over.csv" in chief.get(f"/admin/ledger/openingimport/{done.pk}/change/").content.decode()
    assert client_of(make_user()).get(UPLOAD).status_code == 403
    assert broken_proofs() == []
