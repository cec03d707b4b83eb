"""RPR and DLN: a repair and a loan from the opened case to the schedule, and what is decided about them on screens."""

import re
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from batconnect.cases.models import Case
from leases.models import Lease
from loans.models import DriverLoan
from repairs.models import RepairInvoice
from tests.factories import make_driver, make_medallion, make_user
from tests.ledger.factories import account_of, balance
from tests.misc_expenses.expense_stories import client_of, send

from .repayment_stories import REASON, free_lease, on_1300, plan_of, sound, statuses
from .test_api import MAY, loan_data, next_saturday, repair_data

pytestmark = pytest.mark.django_db
DESK = (*MAY, "cases.view_case", "cases.process_case")
BOSS = (*DESK, "loans.approve_driverloan", "cases.approve_case")


@pytest.fixture
def lease(db: None) -> Lease:
    return free_lease(
        driver=make_driver(tlc_license="5551234", name="Ann Lee"), medallion=make_medallion(number="4P58")
    )


def opened(client: Any, flow: str) -> str:
    answer = send(client, "/bpm/cases", {"flow": flow})
    assert answer.status_code == 201, answer.json()
    return str(answer.json()["case_no"])


def process(client: Any, case_no: str, step: str, data: Any) -> Any:
    return send(client, f"/bpm/case/{case_no}", {"step_id": step, "data": data})


def test_a_repair_is_found_by_medallion_entered_and_open(lease: Lease) -> None:
    client = client_of(make_user(permissions=DESK))
    case_no = opened(client, "RPR")
    assert case_no.startswith("RPR")
    for query in ({"medallion": "4p58"}, {"tlc_license": "5551234"}, {"vin": lease.vehicle.vin}):
        (found,) = client.get(f"/bpm/case/{case_no}/RPR-001", query).json()["step"]["accounts"]
        assert (found["lease_id"], found["lease_type"]) == (lease.pk, "dov")
    nobody = client.get(f"/bpm/case/{case_no}/RPR-001", {"tlc_license": "000"})
    assert (nobody.status_code, nobody.json()["error"]) == (404, "repayment.nobody")
    done = process(client, case_no, "RPR-001", repair_data(lease)).json()
    invoice = RepairInvoice.objects.get()
    assert (done["status"], done["subject_ref"]) == ("CLOSED", f"repayment:{invoice.number}")
    assert [row["amount"] for row in done["result"]["installments"]] == ["100.00", "100.00", "0.50"]
    assert (invoice.case_no, plan_of(invoice).status) == (case_no, "OPEN")
    assert process(client, case_no, "RPR-001", repair_data(lease)).json()["error"] == "case.ended"


def test_a_step_that_is_refused_leaves_the_case_open_with_what_was_entered(lease: Lease) -> None:
    client = client_of(make_user(permissions=DESK))
    case_no = opened(client, "RPR")
    answer = process(client, case_no, "RPR-001", repair_data(lease, amount="0.00"))
    assert answer.status_code == 400
    Lease.objects.filter(pk=lease.pk).update(lease_type="long-term")
    assert process(client, case_no, "RPR-001", repair_data(lease)).json()["error"] == "repair.not_dov"
    case = Case.objects.get(case_no=case_no)
    assert (case.status, case.error_code, case.data["vendor"]) == ("OPEN", "repair.not_dov", "Queens Brakes")
    assert not RepairInvoice.objects.exists()


def test_a_small_loan_is_paid_out_at_once_where_the_clerk_may(lease: Lease) -> None:
    client = client_of(make_user(permissions=DESK))
    done = process(client, opened(client, "DLN"), "DLN-001", loan_data(lease)).json()
    assert (done["status"], done["result"]["paid_out"], on_1300()) == ("CLOSED", True, Decimal("600.00"))
    assert sound()


def test_a_large_loan_waits_for_a_second_person(lease: Lease) -> None:
    clerk, boss = make_user(permissions=BOSS), client_of(make_user(permissions=BOSS))
    client = client_of(clerk)
    case_no = opened(client, "DLN")
    done = process(client, case_no, "DLN-001", loan_data(lease, amount="1200.00")).json()
    assert (done["status"], done["step_id"], on_1300()) == ("OPEN", "DLN-002", 0)
    loan = DriverLoan.objects.get()
    # Neither who entered it, nor by another door.
    assert process(client, case_no, "DLN-002", {"decision": "APPROVE"}).json()["error"] == "case.own_approval"
    assert send(boss, f"/loans/{loan.number}/pay-out", {}).json()["error"] == "loan.decided_in_case"
    shown = boss.get(f"/bpm/case/{case_no}/DLN-002").json()["step"]["loan"]
    assert (shown["number"], shown["status"], len(shown["installments"])) == (loan.number, "DRAFT", 5)
    done = process(boss, case_no, "DLN-002", {"decision": "APPROVE"}).json()
    assert (done["status"], on_1300(), plan_of(loan).status) == ("CLOSED", Decimal("1200.00"), "OPEN")
    assert sound()


def test_a_loan_that_is_turned_down_is_cancelled(lease: Lease) -> None:
    client, boss = (client_of(make_user(permissions=BOSS)) for _ in range(2))
    case_no = opened(client, "DLN")
    process(client, case_no, "DLN-001", loan_data(lease, amount="1200.00"))
    assert process(boss, case_no, "DLN-002", {"decision": "REJECT"}).json()["error"] == "reason.length"
    done = process(boss, case_no, "DLN-002", {"decision": "REJECT", "note": REASON}).json()
    assert (done["status"], plan_of(DriverLoan.objects.get()).status, on_1300()) == (
        "CANCELLED",
        "CANCELLED",
        0,
    )


def test_a_clerk_who_may_not_pay_out_hands_even_a_small_loan_on(lease: Lease) -> None:
    may = [name for name in DESK if name != "loans.pay_out_driverloan"]
    client, boss = client_of(make_user(permissions=may)), client_of(make_user(permissions=BOSS))
    case_no = opened(client, "DLN")
    assert process(client, case_no, "DLN-001", loan_data(lease)).json()["step_id"] == "DLN-002"
    assert process(boss, case_no, "DLN-002", {"decision": "APPROVE"}).json()["status"] == "CLOSED"


# --- screens --------------------------------------------------------------------------------------------------


def desk(*more: str) -> Client:
    client = Client()
    client.force_login(make_user(permissions=(*DESK, *more)))
    return client


def loan_on_screen(client: Any, lease: Lease) -> DriverLoan:
    made = send(client_of(make_user(permissions=DESK)), "/loans", loan_data(lease)).json()
    return DriverLoan.objects.get(number=made["number"])


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, page
    return found[1].replace("&quot;", '"')


def confirmed(page: str) -> dict[str, str]:
    return {"step": "confirm", **{name: hidden(page, name) for name in ("kept", "seen", "token")}}


def test_what_changed_since_it_was_shown_is_shown_again(lease: Lease) -> None:
    client = desk()
    loan = loan_on_screen(client, lease)
    page = f"/admin/loans/driverloan/{loan.pk}/do"
    client.post(f"{page}/pay-out/", confirmed(client.get(f"{page}/pay-out/").content.decode()))
    shown = client.get(f"{page}/payoff/").content.decode()
    asked = {"weekly_amount": "300.00", "reason": REASON}
    send(client_of(make_user(permissions=DESK)), f"/loans/{loan.number}/reschedule", asked)
    answer = client.post(f"{page}/payoff/", confirmed(shown)).content.decode()
    assert "changed since you looked" in answer and balance(account_of(lease)) == 0
    assert client.post(f"{page}/payoff/", confirmed(answer)).status_code == 302
    assert balance(account_of(lease)) == Decimal("600.00")


def test_each_thing_to_do_shows_its_effect_and_happens_once_when_it_is_confirmed(lease: Lease) -> None:
    client = desk()
    loan = loan_on_screen(client, lease)
    page = f"/admin/loans/driverloan/{loan.pk}"
    text = client.get(f"{page}/change/").content.decode()
    assert "Pay out…" in text and "Hold" not in text

    shown = client.get(f"{page}/do/pay-out/").content.decode()
    assert "Scheduled now" in shown and on_1300() == 0
    kept = confirmed(shown)
    for _ in range(2):  # clicked twice
        assert client.post(f"{page}/do/pay-out/", kept).status_code == 302
    assert on_1300() == Decimal("600.00")

    shown = client.post(f"{page}/do/hold/", {"step": "preview", "reason": "short"}).content.decode()
    assert "Say why in 10 to 500 characters" in shown and "short" in shown
    shown = client.post(f"{page}/do/reschedule/", {
        "step": "preview", "weekly_amount": "300.00", "first_due_on": "", "reason": REASON,
    }).content.decode()  # fmt: skip
    assert "The new schedule" in shown and "300.00" in shown and statuses(loan) == "sss"
    kept = confirmed(shown)
    assert client.post(f"{page}/do/reschedule/", kept).status_code == 302
    assert statuses(loan) == "cccss"

    shown = client.get(f"{page}/do/payoff/").content.decode()
    assert "Charged at once" in shown and balance(account_of(lease)) == 0
    kept = confirmed(shown)
    done = client.post(f"{page}/do/payoff/", kept, follow=True).content.decode()
    assert "all that remained is charged" in done and "No longer in force" in done
    assert balance(account_of(lease)) == Decimal("600.00")
    assert "cannot be paid off" in client.get(f"{page}/do/payoff/").content.decode()
    assert sound()


def test_pages_lists_and_files_open_for_who_may(lease: Lease, django_assert_max_num_queries: Any) -> None:
    client = desk("ledger.view_driveraccount")
    loan = loan_on_screen(client, lease)
    send(client_of(make_user(permissions=DESK)), "/repairs", repair_data(lease))
    invoice = RepairInvoice.objects.get()
    for model, record, status in (
        ("loans/driverloan", loan, "DRAFT"),
        ("repairs/repairinvoice", invoice, "OPEN"),
    ):
        with django_assert_max_num_queries(20):
            listed = client.get(f"/admin/{model}/?status={status}").content.decode()
        assert record.number in listed and "Ann Lee" in listed
        shown = client.get(f"/admin/{model}/{record.pk}/change/").content.decode()
        assert f"{record.number}/1" in shown
        assert client.get(reverse(f"admin:{model.replace('/', '_')}_export_csv")).status_code == 200
        reader = Client()
        reader.force_login(make_user(permissions=(f"{model.split('/')[0]}.view_{model.split('/')[1]}",)))
        assert (
            "do/"
            not in reader.get(f"/admin/{model}/{record.pk}/change/").content.decode().split("bc-head")[1]
        )
        assert reader.get(f"/admin/{model}/{record.pk}/do/cancel/").status_code == 403
        assert reader.get(reverse(f"admin:{model.replace('/', '_')}_export_csv")).status_code == 403
    assert client.get(f"/admin/loans/driverloan/{loan.pk}/do/nothing/").status_code == 404
    assert client.get(f"/admin/loans/driverloan/{invoice.pk}/do/hold/").status_code == 404


def test_the_case_screens_show_the_schedule_before_anything_is_entered(lease: Lease) -> None:
    client = desk()
    start = "/admin/cases/case/start/DLN/"
    assert "Ann Lee" in client.get(start, {"q": "5551234"}).content.decode()
    work = client.post(start, {"pick": str(account_of(lease).pk), "token": "t"}).headers["Location"]
    form = {name: str(value) for name, value in loan_data(lease, first_due_on=next_saturday()).items()}
    page = client.post(work, form, follow=True).content.decode()
    assert "Lend Ann Lee 600.00?" in page and "Repaid in all" in page and not DriverLoan.objects.exists()
    done = client.post(
        work.replace("/work/", "/confirm/"),
        {"kept": hidden(page, "kept"), "token": hidden(page, "token"), "step": "DLN-001"},
        follow=True,
    ).content.decode()
    assert "is paid out" in done and on_1300() == Decimal("600.00")

    start = "/admin/cases/case/start/RPR/"
    work = client.post(start, {"pick": str(account_of(lease).pk), "token": "u"}).headers["Location"]
    form = {name: str(value) for name, value in repair_data(lease).items()}
    form |= {"payer": "driver", "then": "draft", "vehicle": str(lease.vehicle_id), "amount": "0"}
    wrong = client.post(work, form).content.decode()  # what was chosen stays chosen
    assert '<option value="draft" selected>' in wrong and "more than zero" in wrong
    form["amount"] = "200.50"
    page = client.post(work, form, follow=True).content.decode()
    assert "Charge Ann Lee 200.50?" in page and "a draft, to be confirmed" in page
    done = client.post(
        work.replace("/work/", "/confirm/"),
        {"kept": hidden(page, "kept"), "token": hidden(page, "token"), "step": "RPR-001"},
        follow=True,
    ).content.decode()
    assert "is entered" in done and plan_of(RepairInvoice.objects.get()).status == "DRAFT"
