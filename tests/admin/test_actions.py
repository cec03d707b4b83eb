"""What people do in the admin: void, pay out, import, correct, run a week, change the hierarchy."""

from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from batconnect.common.models import AuditEntry
from batconnect.jobs.models import JobRun
from batconnect.jobs.services import run_job
from ledger import tasks
from ledger.admin.hierarchy import order_of_payment
from ledger.models import DTR, CategoryRank, ImportBatch, LedgerBalance, LedgerPosting, ParkedRow, WeeklyRun
from tests.factories import make_lease
from tests.ledger.trip_files import trip, written

REASON = "Charged to the wrong driver."


def void_url(posting: LedgerPosting) -> str:
    return reverse("admin:ledger_ledgerposting_void", args=[posting.pk])


def test_voiding_shows_every_effect_first_and_leads_to_the_reversal(
    chief: Client, week: SimpleNamespace
) -> None:
    preview = chief.get(void_url(week.late)).content.decode()
    assert "Allocations that will be undone" in preview
    assert "INTPAY-2019-00001" in preview and "20.00" in preview
    week.late.refresh_from_db()
    assert week.late.status == "POSTED"

    answer = chief.post(void_url(week.late), {"reason": REASON, "accounting_date": ""})
    reversal = LedgerPosting.objects.get(reversal_for=week.late)
    assert answer["Location"] == reverse("admin:ledger_ledgerposting_change", args=[reversal.pk])
    week.late.refresh_from_db()
    assert week.late.status == "VOIDED"
    assert reversal.created_by.username == "chief"
    assert LedgerBalance.objects.get(reference_id="INTPAY-2019-00001").balance == -20


@pytest.mark.parametrize("reason", ["", "too short"])
def test_a_refused_void_says_why_on_the_form_and_changes_nothing(
    chief: Client, week: SimpleNamespace, reason: str
) -> None:
    answer = chief.post(void_url(week.late), {"reason": reason})
    assert answer.status_code == 200
    page = answer.content.decode()
    assert ("This field is required" if not reason else "Say why in 10 to 500 characters") in page
    assert not LedgerPosting.objects.filter(reversal_for=week.late).exists()


def test_earnings_are_not_voided_alone(chief: Client, week: SimpleNamespace) -> None:
    earnings = LedgerPosting.objects.get(category="EARNINGS")
    assert "taken back only as a whole" in chief.get(void_url(earnings)).content.decode()
    answer = chief.post(void_url(earnings), {"reason": REASON})
    assert answer.status_code == 200
    assert not LedgerPosting.objects.filter(reversal_for=earnings).exists()


def test_voiding_needs_its_permission(clerk: Any, week: SimpleNamespace) -> None:
    client = clerk("ledger.view_ledgerposting")
    page = client.get(reverse("admin:ledger_ledgerposting_change", args=[week.late.pk])).content.decode()
    assert void_url(week.late) not in page
    assert client.post(void_url(week.late), {"reason": REASON}).status_code == 403
    assert not LedgerPosting.objects.filter(reversal_for=week.late).exists()


def test_a_dtr_is_recorded_as_paid_and_then_as_returned(chief: Client, week: SimpleNamespace) -> None:
    pay, back = (reverse(f"admin:ledger_dtr_{name}", args=[week.dtr.pk]) for name in ("pay", "return"))
    refused = chief.post(pay, {"on": "2019-03-09", "method": "ACH"})
    assert "cannot be paid on" in refused.content.decode()

    assert chief.post(pay, {"on": "2019-03-12", "method": "ACH", "method_reference": "77"}).status_code == 302
    assert DTR.objects.get().status == "PAID"
    page = chief.get(reverse("admin:ledger_dtr_change", args=[week.dtr.pk])).content.decode()
    assert back in page and pay not in page

    assert chief.post(back, {"on": "2019-03-13", "reason": "The account was closed."}).status_code == 302
    assert DTR.objects.get().status == "FINALIZED"


def test_paying_needs_its_permission(clerk: Any, week: SimpleNamespace) -> None:
    client = clerk("ledger.view_dtr")
    pay = reverse("admin:ledger_dtr_pay", args=[week.dtr.pk])
    assert client.post(pay, {"on": "2019-03-12", "method": "CASH"}).status_code == 403
    assert DTR.objects.get().status == "FINALIZED"


def test_an_uploaded_file_is_loaded_and_its_result_shown(chief: Client) -> None:
    lease = make_lease()
    content = written([trip(lease), trip(lease), trip(lease, TOTAL_AMOUNT="1.00")])
    file = SimpleUploadedFile("march.csv", content, content_type="text/csv")
    answer = chief.post(reverse("admin:ledger_importbatch_upload"), {"file": file}, follow=True)
    batch = ImportBatch.objects.get()
    assert (batch.file_name, batch.accepted, batch.rejected) == ("march.csv", 2, 1)
    page = answer.content.decode()
    assert "2 of 3 rows were loaded" in page and "1 wait for a person" in page


def test_a_file_of_another_shape_is_refused_on_the_form(chief: Client) -> None:
    file = SimpleUploadedFile("photo.csv", b"\x89PNG\r\n\x1a\n", content_type="text/csv")
    answer = chief.post(reverse("admin:ledger_importbatch_upload"), {"file": file})
    assert answer.status_code == 200
    assert 'role="alert"' in answer.content.decode()
    assert not ImportBatch.objects.exists()


def test_a_parked_row_is_corrected_and_loaded(chief: Client, week: SimpleNamespace) -> None:
    row = ParkedRow.objects.get()
    correct = reverse("admin:ledger_parkedrow_correct", args=[row.pk])
    still = chief.post(correct, {**row.raw, "TOTAL_AMOUNT": "98.00"})
    assert "Still not accepted" in still.content.decode()

    assert chief.post(correct, {**row.raw, "TOTAL_AMOUNT": "15.80"}).status_code == 302
    row.refresh_from_db()
    assert (row.status, row.corrected) == ("RESOLVED", {"TOTAL_AMOUNT": "15.80"})


def test_a_parked_row_is_dismissed_with_a_note(chief: Client, week: SimpleNamespace) -> None:
    row = ParkedRow.objects.get()
    dismiss = reverse("admin:ledger_parkedrow_dismiss", args=[row.pk])
    assert "Say why the row is dismissed" in chief.post(dismiss, {"note": "no"}).content.decode()
    assert chief.post(dismiss, {"note": "A test of the meter."}).status_code == 302
    row.refresh_from_db()
    assert row.status == "DISMISSED"


def test_parked_rows_are_decided_only_with_permission(clerk: Any, week: SimpleNamespace) -> None:
    client = clerk("ledger.view_parkedrow")
    for page in ("correct", "dismiss"):
        address = reverse(f"admin:ledger_parkedrow_{page}", args=[ParkedRow.objects.get().pk])
        assert client.post(address, {"note": "A test of the meter."}).status_code == 403


# --- the weekly run -----------------------------------------------------------------------------------------

RUN = "admin:ledger_weeklyrun_run"


def test_a_run_clicked_twice_is_one_job(chief: Client, week: SimpleNamespace) -> None:
    JobRun.objects.all().delete()
    for _ in range(2):
        assert chief.post(reverse(RUN), {"run": "1"}).status_code == 302
    job = JobRun.objects.get()
    assert (job.kind, job.parameters) == (tasks.WEEKLY_RUN, {"week": "2019-03-10", "dry_run": False})
    page = chief.get(reverse(RUN)).content.decode()
    assert reverse("admin:job_progress", args=[job.pk]) in page
    assert "disabled" in page


def test_what_a_run_would_refuse_is_said_at_once(chief: Client, week: SimpleNamespace) -> None:
    JobRun.objects.all().delete()
    chief.post(reverse(RUN), {"run": "1"})
    beside = chief.post(reverse(RUN), {"preview": "1"}, follow=True)
    assert "A weekly run is at work already" in beside.content.decode()
    assert JobRun.objects.count() == 1


def test_a_preview_keeps_nothing_and_a_run_closes_the_week(chief: Client, week: SimpleNamespace) -> None:
    JobRun.objects.all().delete()
    chief.post(reverse(RUN), {"preview": "1"})
    run_job(job_id=JobRun.objects.get().pk)
    assert not WeeklyRun.objects.filter(week=date(2019, 3, 10)).exists()
    assert "nothing is kept" in chief.get(reverse(RUN)).content.decode()

    chief.post(reverse(RUN), {"run": "1"})
    run_job(job_id=JobRun.objects.get(parameters__dry_run=False).pk)
    assert WeeklyRun.objects.get(week=date(2019, 3, 10)).status == "CLOSED"
    page = chief.get(reverse(RUN)).content.decode()
    assert "Week of Mar 17, 2019" in page  # next
    assert "Run of the week of Mar 10, 2019" in page  # its result
    assert "week_from=2019-03-10" in page  # the way to its DTRs


def test_before_the_first_run_the_week_is_chosen(chief: Client) -> None:
    refused = chief.post(reverse(RUN), {"preview": "1", "week": "2019-03-04"})
    assert "is a Monday" in refused.content.decode()
    ahead = chief.post(reverse(RUN), {"run": "1", "week": "2099-12-27"}, follow=True)
    assert "run it from 2100-01-03 on" in ahead.content.decode()
    assert not JobRun.objects.exists()

    chief.post(reverse(RUN), {"preview": "1", "week": "2019-03-03"})
    assert JobRun.objects.get().parameters == {"week": "2019-03-03", "dry_run": True}


def test_a_failed_run_shows_its_sentence(chief: Client, week: SimpleNamespace) -> None:
    JobRun.objects.all().delete()
    chief.post(reverse(RUN), {"run": "1"})
    JobRun.objects.update(parameters={"week": "2019-03-17", "dry_run": False})
    run_job(job_id=JobRun.objects.get().pk)
    assert "Weeks close in order" in chief.get(reverse(RUN)).content.decode()


def test_progress_is_answered_as_json_to_those_who_may_see_it(clerk: Any, week: SimpleNamespace) -> None:
    JobRun.objects.update(status="RUNNING", step="Settling leases", done=20, total=40)
    address = reverse("admin:job_progress", args=[JobRun.objects.get().pk])
    assert clerk().get(address).status_code == 403
    state = clerk("jobs.view_jobrun").get(address).json()
    assert (state["step"], state["percent"], state["ended"]) == ("Settling leases", 50, False)


# --- the hierarchy ------------------------------------------------------------------------------------------


def test_the_hierarchy_is_changed_with_permission_and_the_change_is_kept(clerk: Any) -> None:
    rank = CategoryRank.objects.get(category="MISC", side="DEBIT")
    change = reverse("admin:ledger_categoryrank_change", args=[rank.pk])
    assert clerk("ledger.view_categoryrank").post(change, {"rank": "2"}).status_code == 403
    assert clerk("ledger.change_hierarchy").post(change, {"rank": "2"}).status_code == 302

    rank.refresh_from_db()
    assert rank.rank == 2
    assert rank.history.count() == 1
    entry = AuditEntry.objects.get(action="hierarchy.changed")
    assert (entry.before, entry.after) == ({"rank": 8}, {"rank": 2})
    debits = dict(order_of_payment())["Charges are paid in this order"]
    assert debits[1] == "E-ZPass tolls, Miscellaneous"


def test_ranks_are_neither_added_nor_deleted(chief: Client) -> None:
    rank = CategoryRank.objects.first()
    assert rank is not None
    assert chief.get(reverse("admin:ledger_categoryrank_add")).status_code == 403
    assert chief.post(reverse("admin:ledger_categoryrank_delete", args=[rank.pk]), {}).status_code == 403
