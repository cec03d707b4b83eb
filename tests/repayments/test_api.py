"""Repairs and loans over HTTP: entered, listed, decided about, each POST once however often it is sent."""

import csv
import io
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from batconnect.common.weeks import local_date, saturday_of
from leases.models import Lease
from ledger.models import LedgerPosting
from repairs.models import RepairInvoice
from tests.factories import make_driver, make_user
from tests.ledger.factories import account_of, balance
from tests.misc_expenses.expense_stories import client_of, send

from .repayment_stories import REASON, WEEK, free_lease, on_1300, sound

pytestmark = pytest.mark.django_db
REPAIRS = (
    "view_repairinvoice",
    "add_repairinvoice",
    "change_repairinvoice",
    "cancel_repairinvoice",
    "export_repairinvoice",
)
LOANS = (
    "view_driverloan", "add_driverloan", "change_driverloan", "cancel_driverloan", "export_driverloan",
    "pay_out_driverloan", "forgive_driverloan",
)  # fmt: skip
MAY = (*(f"repairs.{name}" for name in REPAIRS), *(f"loans.{name}" for name in LOANS))


@pytest.fixture
def client(db: None) -> Any:
    return client_of(make_user(permissions=MAY))


def today() -> Any:
    return local_date(timezone.now())


def next_saturday() -> Any:
    return saturday_of(today()) + WEEK


def repair_data(lease: Lease, **changes: Any) -> dict[str, Any]:
    return {
        "driver_id": lease.driver_id,
        "lease_id": lease.pk,
        "vendor": "Queens Brakes",
        "invoice_number": "Q-1",
        "invoice_date": today().isoformat(),
        "amount": "200.50",
        "description": "Brake pads",
        "charge_driver": True,
        "first_due_on": next_saturday().isoformat(),
        **changes,
    }


def loan_data(lease: Lease, **changes: Any) -> dict[str, Any]:
    return {
        "driver_id": lease.driver_id,
        "lease_id": lease.pk,
        "amount": "600.00",
        "rate": "10.00",
        "loan_date": today().isoformat(),
        "first_due_on": next_saturday().isoformat(),
        "method": "CASH",
        **changes,
    }


def made(client: Any, path: str, data: dict[str, Any]) -> dict[str, Any]:
    answer = send(client, path, data)
    assert answer.status_code == 201, answer.json()
    return dict(answer.json())


def test_half_a_character_that_the_answer_would_repeat_is_refused(client: Any) -> None:
    answer = send(client, "/loans", loan_data(free_lease(), method="\ud800"))
    assert (answer.status_code, answer.json()["error"]) == (400, "request.invalid")


def test_a_repair_is_entered_once_under_its_key_and_shown_with_its_schedule(client: Any) -> None:
    lease = free_lease()
    data = repair_data(lease)
    first, again = send(client, "/repairs", data, key="a"), send(client, "/repairs", data, key="a")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json() and RepairInvoice.objects.count() == 1
    number = first.json()["number"]
    shown = client.get(f"/repairs/{number}").json()
    assert [(row["amount"], row["left"], row["status"]) for row in shown["installments"]] == [
        ("100.00", "100.50", "SCHEDULED"),
        ("100.00", "0.50", "SCHEDULED"),
        ("0.50", "0.00", "SCHEDULED"),
    ]
    assert (shown["status"], shown["scheduled"], shown["vendor"]) == ("OPEN", "200.50", "Queens Brakes")
    assert send(client, "/repairs", data).json()["error"] == "repair.invoice_entered"


def test_a_repair_on_another_lease_says_who_pays(client: Any) -> None:
    lease = free_lease("long-term")
    answer = send(client, "/repairs", repair_data(lease))
    assert (answer.status_code, answer.json()["error"]) == (409, "repair.not_dov")
    fleet = made(client, "/repairs", repair_data(lease, charge_driver=False, first_due_on=None))
    assert (fleet["status"], fleet["billed"], fleet["installments"]) == ("CLOSED", "0.00", [])


def test_a_loan_is_drafted_paid_out_held_released_and_paid_off(client: Any) -> None:
    lease = free_lease()
    number = made(client, "/loans", loan_data(lease))["number"]
    assert on_1300() == 0
    path = f"/loans/{number}"
    paid = send(client, f"{path}/pay-out", {}, key="p").json()
    assert (paid["status"], paid["movements"][0]["movement"], on_1300()) == (
        "OPEN",
        "PAID_OUT",
        Decimal("600.00"),
    )
    assert send(client, f"{path}/pay-out", {}, key="p").json() == paid
    assert send(client, f"{path}/pay-out", {}).json()["error"] == "repayment.status"
    assert send(client, f"{path}/hold", {"reason": REASON}).json()["status"] == "HOLD"
    assert client.get(path).json()["state_reason"] == REASON
    assert send(client, f"{path}/release", {"choice": "SHIFT", "weeks": 2}).json()["status"] == "OPEN"
    rows = client.get(path).json()["installments"]
    assert [row["status"] for row in rows] == ["CANCELLED"] * 3 + ["SCHEDULED"] * 3
    assert rows[3]["due_on"] == (next_saturday() + 2 * WEEK).isoformat()
    asked = {"weekly_amount": "300.00", "reason": REASON}
    rows = send(client, f"{path}/reschedule", asked).json()["installments"][6:]
    assert [row["principal"] for row in rows] == ["300.00", "300.00"]

    preview = client.get(f"{path}/payoff").json()
    assert preview["charged_at_once"] == "600.00"  # no day has passed since the loan date
    assert len(preview["cancels"]) == 2 and LedgerPosting.objects.count() == 0
    done = send(client, f"{path}/payoff", {}, key="x").json()
    assert send(client, f"{path}/payoff", {}, key="x").json() == done
    assert (done["open_amount"], done["scheduled"], on_1300()) == ("600.00", "0.00", 0)
    assert balance(account_of(lease)) == Decimal("600.00")
    assert sound()


def test_a_large_loan_takes_somebody_who_may_approve_and_did_not_enter_it(client: Any) -> None:
    number = made(client, "/loans", loan_data(free_lease(), amount="1200.00"))["number"]
    answer = send(client, f"/loans/{number}/pay-out", {})
    assert (answer.status_code, answer.json()["error"]) == (403, "loan.may_not_approve")
    manager = client_of(make_user(permissions=(*MAY, "loans.approve_driverloan")))
    assert send(manager, f"/loans/{number}/pay-out", {}).json()["status"] == "OPEN"
    forgiven = send(manager, f"/loans/{number}/forgive", {"reason": REASON}).json()
    assert (forgiven["forgiven"], forgiven["status"], on_1300()) == ("1200.00", "CLOSED", 0)
    assert sound()


def test_drafts_and_repairs_are_cancelled_with_a_reason_and_loans_paid_out_are_not(client: Any) -> None:
    lease = free_lease()
    draft, paid = (made(client, "/loans", loan_data(lease))["number"] for _ in range(2))
    send(client, f"/loans/{paid}/pay-out", {})
    assert send(client, f"/loans/{draft}/cancel", {"reason": "no"}).json()["error"] == "reason.length"
    assert send(client, f"/loans/{draft}/cancel", {"reason": REASON}).json()["status"] == "CANCELLED"
    assert send(client, f"/loans/{paid}/cancel", {"reason": REASON}).json()["error"] == "loan.paid_out"
    number = made(client, "/repairs", repair_data(lease, as_draft=True))["number"]
    assert send(client, f"/repairs/{number}/confirm", {}).json()["status"] == "OPEN"
    assert send(client, f"/repairs/{number}/cancel", {"reason": REASON}).json()["status"] == "CANCELLED"


def test_lists_filter_and_files_hold_the_same_at_a_fixed_cost(
    client: Any, django_assert_num_queries: Any
) -> None:
    ann, ben = free_lease(driver=make_driver(name="Ann Lee")), free_lease(driver=make_driver(name="Ben Roe"))
    for number, lease in enumerate((ann, ann, ben)):
        made(client, "/repairs", repair_data(lease, invoice_number=f"Q-{number}", as_draft=lease is ben))
        made(client, "/loans", loan_data(lease))
    found = client.get("/repairs", {"driver_name": "ann", "status": "OPEN", "vendor": "queens"}).json()
    assert (found["total_items"], {row["driver_name"] for row in found["items"]}) == (2, {"Ann Lee"})
    assert client.get("/repairs", {"status": "DRAFT"}).json()["items"][0]["driver_name"] == "Ben Roe"
    # Session, user, two of rights, a bounded transaction (four), count, keys and rows: however many there are.
    with django_assert_num_queries(11):
        client.get("/loans", {"lease_id": ann.pk})
    text = b"".join(
        client.get("/loans/export", {"format": "csv", "driver_name": "ben"}).streaming_content
    ).decode()
    assert "Ben Roe" in text and "Ann Lee" not in text and "DLN-" in text
    assert len(list(csv.reader(io.StringIO(text)))) >= 2
    assert client.get("/repairs/export", {"format": "excel"}).status_code == 200
    assert client.get("/repairs", {"state": "OPEN"}).status_code == 400


def test_who_may_not_is_told_so(client: Any) -> None:
    number = made(client, "/repairs", repair_data(free_lease()))["number"]
    reader = client_of(make_user(permissions=("repairs.view_repairinvoice",)))
    assert reader.get(f"/repairs/{number}").status_code == 200
    for what in ("hold", "release", "payoff", "reschedule", "cancel", "repost", "confirm"):
        assert send(reader, f"/repairs/{number}/{what}", {}).status_code == 403
    assert client.get("/repairs/RPR-2020-99999").status_code == 404
    assert client.get(f"/loans/{number}").status_code == 404


def test_what_makes_no_sense_is_refused_with_a_code(client: Any) -> None:
    lease = free_lease()
    for changes, code in [
        ({"first_due_on": (next_saturday() + timedelta(days=1)).isoformat()}, "repayment.not_a_saturday"),
        ({"amount": "100000.00"}, "repayment.amount"),
        ({"rate": "25.01"}, "repayment.rate"),
        ({"rate": "-1"}, "request.invalid"),
        ({"method": "CARD"}, "request.invalid"),
        ({"lease_id": 1}, "repayment.lease"),
        ({"purpose": 5}, "request.invalid"),
    ]:
        answer = send(client, "/loans", loan_data(lease, **changes))
        assert answer.status_code in (400, 404) and answer.json()["error"] == code, answer.json()
