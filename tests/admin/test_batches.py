"""Bulk runs in the admin: start, preview, watch, read, resume, reverse, discard; each once, however often clicked."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from batconnect.common.audit import system_user
from batconnect.jobs.models import JobRun
from ledger.models import EntryHeader, ImportBatch, JournalRun, SourceTransaction
from ledger.services import batches
from ledger.services.packs import install_pack
from tests.factories import make_lease
from tests.ledger import batch_stories as story
from tests.ledger.batch_files import WHY, as_csv, sound, unbalanced, unroutable, work
from tests.ledger.trip_files import load, trip, written

pytestmark = pytest.mark.django_db
START = reverse("admin:ledger_journalrun_start")
RUNS = reverse("admin:ledger_journalrun_changelist")
MARCH = {"pack": "takaful", "month": "2019-03", "rejected": "strict"}
POST = "ledger.post_batch"
READ = "ledger.view_journalrun"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.MEDIA_ROOT = tmp_path
    install_pack(name="takaful", actor=system_user())
    return tmp_path / "batches"


def page_of(run: JournalRun | int, page: str = "change") -> str:
    return reverse(f"admin:ledger_journalrun_{page}", args=[run if isinstance(run, int) else run.pk])


def text(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def confirm(client: Client, **fields: Any) -> tuple[str, dict[str, str], str]:
    """The page that says what will happen: its address, what its button sends, and its text."""
    answer = client.post(START, {**MARCH, "mode": "post", **fields})
    assert answer.status_code == 302, text(answer)
    page = client.get(answer["Location"])
    assert page.status_code == 200
    return answer["Location"], {"token": page.context.get("token", "")}, text(page)


def posted(client: Client, **fields: Any) -> JournalRun:
    url, sent, _ = confirm(client, **fields)
    client.post(url, sent)
    work()
    return JournalRun.objects.latest("pk")


# --- starting -----------------------------------------------------------------------------------------------


def test_a_month_is_previewed_then_posted_once_however_often_it_is_clicked(chief: Client) -> None:
    story.takaful(30)
    assert "March 2019" in text(chief.get(START))
    url, sent, said = confirm(chief)
    assert "Post this run?" in said and "What will happen" in said
    assert "nothing is posted; all of them are listed" in said and "mirrored run, never deleted" in said
    assert not JournalRun.objects.exists() and not JobRun.objects.exists()

    answers = [chief.post(url, sent) for _ in range(2)]
    run = JournalRun.objects.get()
    assert [answer["Location"] for answer in answers] == [page_of(run)] * 2
    assert JobRun.objects.count() == 1
    beside = chief.post(url, {"token": "another page of the same"}, follow=True)
    assert beside.redirect_chain[-1][0] == page_of(run) and "is at work on March 2019 already" in text(beside)
    assert JournalRun.objects.count() == 1

    waiting = text(chief.get(page_of(run)))
    assert "Waiting for a worker" in waiting and page_of(run, "progress") in waiting
    work()
    page = text(chief.get(page_of(run)))
    assert "Posted" in page and "trial balance of its effect" in page and "in balance" in page
    assert (
        "Checksums, layer by layer" in page
        and "agree" in page
        and "Time by step" in page
        and "Shards" in page
    )
    assert f"{reverse('admin:ledger_entryheader_changelist')}?run={run.pk}" in page
    assert page_of(run, "reverse") in page and page_of(run, "discard") not in page
    done = text(chief.get(url))
    assert "Nothing to do: every takaful row of March 2019" in done and "Post it" not in done


def test_a_dry_run_shows_what_would_come_and_leads_to_posting_it(chief: Client) -> None:
    story.takaful(30)
    url, sent, _ = confirm(chief, mode="try")
    chief.post(url, sent)
    work()
    run = JournalRun.objects.get()
    assert chief.post(url, sent)["Location"] == page_of(run), "clicked again when it had ended"
    assert JournalRun.objects.count() == 1
    page = text(chief.get(page_of(run)))
    assert "Tried" in page and "What it would bring" in page and "Nothing of this is in the ledger" in page
    assert f"{START}?pack=takaful&amp;month=2019-03" in page
    form = chief.get(f"{START}?pack=takaful&month=2019-03").context["form"]
    assert form.initial == {"pack": "takaful", "month": "2019-03", "mode": "post"}
    assert EntryHeader.objects.count() == 0


def test_a_file_is_received_previewed_loaded_and_posted(chief: Client, folder: Path) -> None:
    content = as_csv(sound())
    url, sent, said = confirm(chief, month="", file=SimpleUploadedFile("premiums <b>.csv", content))
    assert "premiums &lt;b&gt;.csv" in said and "Load and post it" in said
    assert not SourceTransaction.objects.exists() and len(list(folder.iterdir())) == 2
    leads = {chief.post(url, sent)["Location"] for _ in range(2)}
    job = JobRun.objects.get()
    assert leads == {reverse("admin:ledger_journalrun_file", args=[job.pk])}
    watching = text(chief.get(leads.copy().pop()))
    assert reverse("admin:job_progress", args=[job.pk]) in watching
    work()
    run = JournalRun.objects.get()
    assert chief.get(leads.pop())["Location"] == page_of(run)
    assert (run.state, run.entries) == ("POSTED", 20)
    assert not list(folder.iterdir())
    later = chief.post(url, {"token": "another page of the same file"})
    assert later["Location"] == reverse("admin:ledger_journalrun_file", args=[job.pk])
    _, _, said = confirm(chief, month="", file=SimpleUploadedFile("again.csv", content))
    assert "Loaded before" in said


def test_a_large_file_of_trips_is_loaded_in_the_background_and_journalised_by_a_run(
    chief: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.admin.imports.AT_ONCE", 100)
    lease = make_lease()
    content = written([trip(lease), trip(lease, TOTAL_AMOUNT="1")])
    upload = reverse("admin:ledger_importbatch_upload")

    def send() -> str:
        answer = chief.post(upload, {"file": SimpleUploadedFile("march.csv", content)})
        assert "/file/" in answer["Location"]
        return str(answer["Location"])

    loading = send()
    assert not ImportBatch.objects.exists(), "nobody waits for it"
    assert "its trips get their entries by a bulk run" in text(chief.get(loading))
    work()
    run = JournalRun.objects.get()
    assert chief.get(loading)["Location"] == page_of(run)
    assert (run.state, run.entries, run.pack) == ("POSTED", 1, "taxi")
    batch = reverse("admin:ledger_importbatch_change", args=[run.import_batch_id])
    page = text(chief.get(batch))
    assert page_of(run) in page and "Parked rows of this file" in page and "trips that wait" not in page
    # Sent again, all of it is known: that is no failure.
    again = send()
    assert [job.status for job in work()] == ["SUCCEEDED"]
    assert "Nothing to do: every taxi row" in text(chief.get(again))
    assert JournalRun.objects.count() == 1


def test_trips_without_entries_lead_to_a_run_over_them(chief: Client, tmp_path: Path) -> None:
    batch = load(tmp_path, trip(make_lease()), journalise=False).batch_id
    page = text(chief.get(reverse("admin:ledger_importbatch_change", args=[batch])))
    assert f"{START}?pack=taxi" in page and "Journalise trips that wait" in page


def test_a_file_with_wrong_rows_is_refused_and_says_which(chief: Client) -> None:
    url, sent, _ = confirm(chief, month="", file=SimpleUploadedFile("rows.csv", as_csv(unbalanced())))
    loading = chief.post(url, sent)["Location"]
    work()
    page = text(chief.get(loading))
    assert "3 of 20 rows of rows.csv were rejected" in page and "gross_amount" in page
    assert "Wrong values are corrected in the file: send it again" in page
    batch = ImportBatch.objects.get()
    for address in (loading, reverse("admin:ledger_importbatch_change", args=[batch.pk])):
        assert reverse("admin:ledger_importbatch_rejects", args=[batch.pk, "xlsx"]) in text(
            chief.get(address)
        )
    rejects = chief.get(reverse("admin:ledger_importbatch_rejects", args=[batch.pk, "csv"]))
    rows = list(csv.DictReader(io.StringIO(b"".join(rejects).decode("utf-8-sig"))))
    assert [row["Row"] for row in rows] == ["2", "3", "4"]
    assert not JournalRun.objects.exists()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"month": ""}, "Choose a month, or send a file"),
        ({"file": SimpleUploadedFile("rows.csv", b"a,b\n")}, "Choose a month, or send a file"),
        ({"month": "1901-01"}, "Select a valid choice"),
        ({"pack": "nothing"}, "Select a valid choice"),
        ({"mode": "guess"}, "Select a valid choice"),
        ({"month": "", "file": SimpleUploadedFile("rows.csv", b"")}, "The submitted file is empty"),
    ],
)
def test_what_is_wrong_is_said_on_the_form(chief: Client, fields: dict[str, Any], said: str) -> None:
    story.takaful(30)
    answer = chief.post(START, {**MARCH, "mode": "post", **fields})
    assert answer.status_code == 200 and said in text(answer)


def test_a_file_above_the_limit_is_told_and_not_kept(chief: Client, folder: Path, settings: Any) -> None:
    settings.BATCH_UPLOAD_MAX_BYTES = 100
    answer = chief.post(
        START, {**MARCH, "month": "", "mode": "try", "file": SimpleUploadedFile("rows.csv", b"x" * 101)}
    )
    assert answer.status_code == 200 and "manage.py post_batch --file" in text(answer)
    assert not folder.exists() or not list(folder.iterdir())


@pytest.mark.parametrize(
    "query", ["", "pack=takaful", "pack=takaful&month=x", "pack=takaful&month=2019-03&upload=x"]
)
def test_a_confirmation_of_nothing_is_not_found(chief: Client, query: str) -> None:
    assert chief.get(f"{reverse('admin:ledger_journalrun_confirm')}?{query}").status_code == 404


@pytest.mark.parametrize("token", ["x", "../../../etc/passwd", "0" * 32])
def test_a_file_that_is_not_kept_has_to_be_sent_again(chief: Client, token: str) -> None:
    url = f"{reverse('admin:ledger_journalrun_confirm')}?pack=takaful&upload={token}"
    assert "Send it again" in text(chief.get(url))
    assert "Send it again" in text(chief.post(url, {"token": "t"}))
    assert not JobRun.objects.exists()


def test_the_form_s_token_is_checked_although_the_file_is_limited_before_it(chief: Client) -> None:
    story.takaful(30)
    client = Client(enforce_csrf_checks=True)
    client.cookies = chief.cookies
    assert client.post(START, {**MARCH, "mode": "post"}).status_code == 403


# --- one run ------------------------------------------------------------------------------------------------


def test_rejects_are_a_table_and_files(chief: Client) -> None:
    story.loaded(unroutable(80, 60))
    run = posted(chief, rejected="valid")
    page = text(chief.get(page_of(run)))
    assert "The first 20 of 60." in page and "HOME01" in page
    assert "change the templates, then start a run over their month" in page
    assert f"{START}?pack=takaful&amp;month=2019-03" in page and "Run over what was left out" in page
    address = {
        kind: reverse("admin:ledger_journalrun_rejects", args=[run.pk, kind]) for kind in ("csv", "xlsx")
    }
    assert all(url in page for url in address.values())
    rows = list(csv.DictReader(io.StringIO(b"".join(chief.get(address["csv"])).decode("utf-8-sig"))))
    assert len(rows) == 60 and rows[0]["What is wrong"]
    assert b"".join(chief.get(address["xlsx"]))[:2] == b"PK"
    assert chief.get(reverse("admin:ledger_journalrun_rejects", args=[run.pk, "exe"])).status_code == 404


def test_a_strict_run_that_failed_says_why_and_the_home_page_counts_it(chief: Client) -> None:
    story.loaded(unroutable())
    run = posted(chief)
    page = text(chief.get(page_of(run)))
    assert "Failed" in page and "3 rows were rejected" in page
    home = text(chief.get(reverse("admin:index")))
    assert f"{RUNS}?attention=failed" in home
    listed = chief.get(f"{RUNS}?attention=failed").context["cl"].result_list
    assert [each.pk for each in listed] == [run.pk]
    assert not chief.get(f"{RUNS}?attention=stopped").context["cl"].result_list


def test_a_run_that_stopped_waits_for_a_person_and_is_resumed_once(chief: Client) -> None:
    story.takaful(30)
    url, sent, _ = confirm(chief)
    chief.post(url, sent)
    run = JournalRun.objects.get()
    assert text(chief.get(page_of(run, "resume"), follow=True)).count("nothing was done") == 1, (
        "a worker will come"
    )
    JobRun.objects.update(status="FAILED", error="Its worker was lost five times.")
    assert [each.pk for each in chief.get(f"{RUNS}?attention=stopped").context["cl"].result_list] == [run.pk]
    page = text(chief.get(page_of(run)))
    assert "Stopped" in page and "Its worker was lost five times." in page and page_of(run, "resume") in page
    assert "Resume run" in text(chief.get(page_of(run, "resume")))
    for _ in range(2):
        assert chief.post(page_of(run, "resume"))["Location"] == page_of(run)
    assert JobRun.objects.filter(status="PENDING").count() == 1
    work()
    assert JournalRun.objects.get().state == "POSTED"


def test_a_run_is_reversed_with_a_reason_and_once(chief: Client) -> None:
    story.takaful(30)
    run = posted(chief)
    page = text(chief.get(page_of(run, "reverse")))
    assert "Nothing is deleted" in page and "would be taken back" in page
    assert "10 to 500 characters" in text(chief.post(page_of(run, "reverse"), {"reason": "too short"}))
    assert JournalRun.objects.count() == 1
    first = chief.post(page_of(run, "reverse"), {"reason": WHY})
    mirror = JournalRun.objects.get(reverses_run=run)
    assert first["Location"] == page_of(mirror)
    again = chief.post(page_of(run, "reverse"), {"reason": WHY})
    assert "at work" in text(again) if again.status_code == 200 else again["Location"] == page_of(mirror)
    work()
    assert chief.post(page_of(run, "reverse"), {"reason": WHY})["Location"] == page_of(mirror)
    assert JournalRun.objects.count() == 2 and story.balance_of("1010") == 0
    for address in (page_of(run), page_of(mirror)):
        shown = text(chief.get(address))
        assert page_of(mirror) in shown or page_of(run) in shown
        assert page_of(run, "reverse") not in shown
    assert WHY in text(chief.get(page_of(mirror)))


def test_a_run_is_discarded_with_a_reason_and_its_rows_are_free(chief: Client) -> None:
    story.takaful(30)
    url, sent, _ = confirm(chief)
    chief.post(url, sent)
    run = JournalRun.objects.get()
    assert "its rows are free" in text(chief.get(page_of(run, "discard")))
    for _ in range(2):
        assert chief.post(page_of(run, "discard"), {"reason": WHY})["Location"] == page_of(run)
    page = text(chief.get(page_of(run)))
    assert "Discarded" in page and WHY in page
    work()
    assert posted(chief).state == "POSTED"


def test_a_run_by_command_is_seen_at_work_while_a_worker_holds_it(chief: Client) -> None:
    story.takaful(30)
    run = batches.plan_run(pack="takaful", actor=system_user(), month=story.MARCH)
    shard = run.shards.get()
    assert "Stopped" in text(chief.get(page_of(run)))
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(7305110, %s)", [shard.pk])
        try:
            assert "At work" in text(chief.get(page_of(run)))
            assert not chief.get(f"{RUNS}?attention=stopped").context["cl"].result_list
        finally:
            cursor.execute("SELECT pg_advisory_unlock(7305110, %s)", [shard.pk])


def test_from_the_run_to_its_entries_to_the_source_row_to_the_file_and_back(chief: Client) -> None:
    story.loaded(sound(), file_name="premiums.csv")
    run = posted(chief)
    entries = (
        chief.get(reverse("admin:ledger_entryheader_changelist"), {"run": run.pk}).context["cl"].result_list
    )
    assert len(entries) == 20
    entry = entries[0]
    row = SourceTransaction.objects.get(pk=entry.source_id)
    entry_url = reverse("admin:ledger_entryheader_change", args=[entry.je_number])
    row_url = reverse("admin:ledger_sourcetransaction_change", args=[row.pk])
    file_url = reverse("admin:ledger_importbatch_change", args=[row.batch_id])
    assert row_url in text(chief.get(entry_url)) and page_of(run) in text(chief.get(entry_url))
    source = text(chief.get(row_url))
    assert file_url in source and entry_url in source and f"premiums.csv, row {row.row_number}" in source
    assert "premiums.csv" in text(chief.get(file_url))


# --- who may, and at what price -----------------------------------------------------------------------------


def test_each_page_takes_its_permission(clerk: Any) -> None:
    story.takaful(30)
    run = batches.plan_run(pack="takaful", actor=system_user(), month=story.MARCH)
    pages = {
        RUNS: READ,
        page_of(run): READ,
        page_of(run, "progress"): READ,
        reverse("admin:ledger_journalrun_rejects", args=[run.pk, "csv"]): READ,
        START: POST,
        f"{reverse('admin:ledger_journalrun_confirm')}?pack=takaful&month=2019-03": POST,
        page_of(run, "resume"): POST,
        page_of(run, "discard"): POST,
        page_of(run, "reverse"): "ledger.reverse_batch",
    }
    everything = {READ, POST, "ledger.reverse_batch"}
    for url, permission in pages.items():
        assert clerk(*(everything - {permission})).get(url).status_code == 403, url
        assert clerk(permission).get(url).status_code in (200, 302), url
    reader = text(clerk(READ).get(page_of(run)))
    assert page_of(run, "resume") not in reader and page_of(run, "discard") not in reader


def test_the_list_costs_the_same_however_long_and_the_page_whatever_it_did(chief: Client) -> None:
    def price(url: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert chief.get(url).status_code == 200
        return len(queries)

    story.takaful(10)
    run = posted(chief)
    price(RUNS), price(page_of(run))
    one = price(RUNS), price(page_of(run))
    for number in range(1, 4):
        story.loaded(sound(10, first=1 + number * 10))
        posted(chief)
    assert (price(RUNS), price(page_of(run))) == one
    assert one[0] <= 8 and one[1] <= 30
