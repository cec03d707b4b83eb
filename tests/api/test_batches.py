"""Bulk runs over HTTP: a month or a file becomes a run, the run is followed to its end, and taken back."""

import csv
import io
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from batconnect.common.audit import system_user
from batconnect.jobs.models import JobRun
from ledger.models import EntryHeader, ImportBatch, JournalRun, SourceTransaction
from ledger.services.packs import install_pack
from tests.api.test_exports import cells
from tests.factories import make_lease
from tests.ledger import batch_stories as story
from tests.ledger.batch_files import WHY, as_csv, as_parquet, sound, unbalanced, unroutable, work
from tests.ledger.trip_files import trip, written

NOBODYS = "00000000-0000-4000-8000-000000000000"  # an upload that nobody made
pytestmark = pytest.mark.django_db
URL = "/ledger/batches/"
MARCH = {"pack": "takaful", "month": "2019-03"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path / "batches"


@pytest.fixture
def client(client_with: Any) -> APIClient:
    install_pack(name="takaful", actor=system_user())
    return client_with("ledger.view_journalrun", "ledger.post_batch", "ledger.reverse_batch")


def start(client: APIClient, **body: Any) -> Any:
    return client.post(URL, {**MARCH, **body}, format="json")


def send(client: APIClient, content: bytes, name: str = "rows.csv", key: str = "", **fields: Any) -> Any:
    body = {"pack": "takaful", "file": SimpleUploadedFile(name, content), **fields}
    headers = {"HTTP_IDEMPOTENCY_KEY": key} if key else {}
    return client.post(URL, body, format="multipart", **headers)


def shown(client: APIClient, run_id: int) -> dict[str, Any]:
    return dict(client.get(f"{URL}{run_id}").json())


def upload_of(client: APIClient, answer: Any) -> dict[str, Any]:
    return dict(client.get(f"{URL}uploads/{answer.json()['upload_id']}").json())


# --- a month ------------------------------------------------------------------------------------------------


def test_a_month_is_posted_and_shown_with_its_totals_layer_by_layer(client: APIClient) -> None:
    story.takaful(30)
    answer = start(client)
    assert answer.status_code == 202, answer.content
    started = answer.json()
    run_id = started["run_id"]
    assert (started["state"], started["upload_id"]) == ("PENDING", None)
    before = shown(client, run_id)
    assert (before["standing"], before["effect"], before["job"]["status"]) == ("WAITING", None, "PENDING")
    assert before["progress"] == {
        "step": "Staging and validating", "done": 0, "total": 30, "percent": 0, "shards": {"PENDING": 1},
    }  # fmt: skip

    (job,) = work()
    assert (job.status, str(job.pk)) == ("SUCCEEDED", started["job_id"])
    run = shown(client, run_id)
    assert (run["state"], run["standing"], run["entries"], run["rejects"]) == ("POSTED", "POSTED", 30, 0)
    assert (run["pack"], run["origin"], run["month"], run["error"]) == ("takaful", "BATCH", "2019-03", None)
    assert run["progress"]["percent"] == 100 and run["timings"]["wall"] > 0
    assert run["layers"]["frame"] == run["layers"]["staging"] == run["layers"]["ledger"]
    assert {row["fund"] for row in run["effect"]} >= {"OP"}
    assert sum(Decimal(row["debits"]) for row in run["effect"]) == Decimal(run["debits"])
    assert sum(Decimal(row["debits"]) - Decimal(row["credits"]) for row in run["effect"]) == 0
    assert EntryHeader.objects.count() == 30

    listed = client.get(URL).json()
    assert [row["run_id"] for row in listed["items"]] == [run_id] and listed["total_items"] == 1
    assert client.get(f"{URL}?state=FAILED").json()["total_items"] == 0
    assert client.get(f"{URL}?month=2019-03&pack=takaful").json()["total_items"] == 1


def test_a_dry_run_shows_the_effect_and_posts_nothing(client: APIClient) -> None:
    story.takaful(30)
    run_id = start(client, dry_run=True).json()["run_id"]
    work()
    run = shown(client, run_id)
    assert (run["state"], run["standing"], run["dry_run"]) == ("VALIDATED", "TRIED", True)
    assert sum(Decimal(row["debits"]) for row in run["effect"]) == Decimal(run["debits"]) > 0
    assert EntryHeader.objects.count() == 0


def test_the_same_key_is_one_run_and_another_run_beside_it_is_refused(client: APIClient) -> None:
    story.takaful(30)
    key = {"HTTP_IDEMPOTENCY_KEY": uuid.uuid4().hex}
    first, again = (client.post(URL, MARCH, format="json", **key) for _ in range(2))
    assert (first.json(), again.headers["Idempotent-Replayed"]) == (again.json(), "true")
    assert client.post(URL, {**MARCH, "dry_run": True}, format="json", **key).status_code == 422
    beside = start(client)
    assert (beside.status_code, beside.json()["error"]) == (409, "batch.in_progress")
    work()
    done = start(client)
    assert (done.status_code, done.json()["error"]) == (409, "batch.nothing_to_do")
    assert JournalRun.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "request.invalid"),
        ({"pack": "takaful"}, 400, "request.invalid"),
        ({"pack": "takaful", "month": "2019-3"}, 400, "request.invalid"),
        ({"pack": "takaful", "month": "2019-13"}, 400, "request.invalid"),
        ({"pack": "takaful", "month": "0000-01"}, 400, "request.invalid"),
        ({**MARCH, "dry_run": "true"}, 400, "request.invalid"),
        ({**MARCH, "dry_run": 1}, 400, "request.invalid"),
        ({**MARCH, "file": "rows.csv"}, 400, "request.invalid"),
        ({**MARCH, "large": True}, 400, "request.invalid"),
        ({**MARCH, "pack": "nothing"}, 400, "pack.unknown"),
        ({**MARCH, "pack": "../../etc/passwd"}, 400, "pack.unknown"),
        ({"pack": "takaful", "month": "1901-01"}, 409, "batch.nothing_to_do"),
        ({"pack": "takaful", "month": "9999-12"}, 409, "batch.nothing_to_do"),
    ],
)
def test_what_cannot_be_started_is_refused(
    client: APIClient, body: dict[str, Any], status: int, code: str
) -> None:
    answer = client.post(URL, body, format="json")
    assert (answer.status_code, answer.json()["error"]) == (status, code), answer.content
    assert not JournalRun.objects.exists() and not JobRun.objects.exists()


# --- a file -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_file", [as_csv, as_parquet])
def test_a_file_is_loaded_and_posted_and_not_kept(client: APIClient, folder: Path, as_file: Any) -> None:
    answer = send(client, as_file(sound()), "r/../../März 2019.csv")
    assert (answer.status_code, answer.json()["run_id"]) == (202, None), answer.content
    assert upload_of(client, answer)["job"]["status"] == "PENDING"
    assert len(list(folder.iterdir())) == 2 and "rz" not in "".join(map(str, folder.iterdir()))
    loading, posting = work()
    upload = upload_of(client, answer)
    assert (upload["rows"], upload["accepted"], upload["error"]) == (20, 20, None)
    run = shown(client, upload["run_id"])
    assert (run["state"], run["entries"], run["file_name"]) == ("POSTED", 20, "März 2019.csv")
    assert (run["import_batch"], run["month"]) == (upload["import_batch"], None)
    assert (loading.status, posting.status) == ("SUCCEEDED", "SUCCEEDED")
    assert not list(folder.iterdir())


def test_a_file_sent_twice_is_posted_once(client: APIClient, folder: Path) -> None:
    key = uuid.uuid4().hex
    first, again = (send(client, as_csv(sound()), key=key) for _ in range(2))
    assert first.json() == again.json() and again.headers["Idempotent-Replayed"] == "true"
    assert len(list(folder.iterdir())) == 2, "the copy of the second is not kept"
    assert send(client, as_csv(sound(21)), key=key).status_code == 422
    assert len(list(folder.iterdir())) == 2
    assert len(work()) == 2
    another = send(client, as_csv(sound()))
    work()
    upload = upload_of(client, another)
    assert (upload["error"]["code"], upload["run_id"]) == ("batch.nothing_to_do", None)
    assert EntryHeader.objects.count() == 20


def test_a_file_with_a_wrong_row_is_refused_whole_and_every_fault_is_in_its_file(
    client: APIClient, folder: Path
) -> None:
    answer = send(client, as_csv(unbalanced()))
    work()
    upload = upload_of(client, answer)
    assert (upload["error"]["code"], upload["run_id"]) == ("batch.file_rejected", None)
    assert (upload["job"]["status"], upload["rejected"]) == ("FAILED", None)
    assert not SourceTransaction.objects.exists() and not list(folder.iterdir())
    rejects = client.get(f"{URL}uploads/{upload['upload_id']}/rejects")
    rows = list(csv.DictReader(io.StringIO(b"".join(rejects).decode("utf-8-sig"))))
    assert [(row["Row"], row["Column"], row["File"]) for row in rows] == [
        (str(number), "gross_amount", "rows.csv") for number in (2, 3, 4)
    ]
    assert all(row["Value"] and row["What is wrong"] for row in rows)


def test_the_valid_rows_alone_are_posted_and_both_kinds_of_rejects_told(client: APIClient) -> None:
    frame = unbalanced(20, 2).with_columns(
        product_code=unroutable(20, 5)["product_code"]  # the first two are refused by the file's own rules
    )
    answer = send(client, as_csv(frame), accept_valid="true")
    work()
    run = shown(client, upload_of(client, answer)["run_id"])
    assert (run["state"], run["source_rows"], run["entries"], run["rejects"]) == ("POSTED", 18, 15, 3)
    page = client.get(f"{URL}{run['run_id']}/rejects?per_page=2&page=2").json()
    assert (page["total_items"], page["total_pages"]) == (5, 3)
    rows = client.get(f"{URL}{run['run_id']}/rejects").json()["items"]
    assert [row["row_number"] for row in rows] == [2, 3, 4, 5, 6] and rows[2:4] == page["items"]
    assert [row["column"] for row in rows] == ["gross_amount"] * 2 + [""] * 3
    assert {row["file"] for row in rows} == {"rows.csv"}
    assert [row["source_rowid"] for row in rows] == frame["source_rowid"].to_list()[:5]
    assert "HOME01" in rows[-1]["message"]


def test_rejects_are_taken_as_files_of_plain_text_and_numbers(client: APIClient) -> None:
    bad = unroutable(20, 1).with_columns(
        source_rowid=sound()["source_rowid"].str.replace("T000000001", "=1+1")
    )
    answer = send(client, as_csv(bad), name="=cmd.csv", accept_valid="true")
    work()
    run_id = upload_of(client, answer)["run_id"]
    as_text = client.get(f"{URL}{run_id}/rejects?format=csv")
    assert as_text.headers["Content-Disposition"] == f'attachment; filename="rejects-run-{run_id}.csv"'
    (row,) = csv.DictReader(io.StringIO(b"".join(as_text).decode("utf-8-sig")))
    assert (row["File"], row["Row id"], row["Row"]) == ("'=cmd.csv", "'=1+1", "2")
    found = cells(b"".join(client.get(f"{URL}{run_id}/rejects?format=excel")))
    assert [found[cell][1] for cell in ("A1", "B1", "C1")] == ["File", "Row", "Row id"]
    assert [found[cell][1] for cell in ("A2", "B2", "C2")] == ["=cmd.csv", "2", "=1+1"]
    assert [found[cell][0] for cell in ("A2", "B2", "C2")] == ["inlineStr", "n", "inlineStr"]


def test_a_strict_run_of_rows_that_no_template_takes_posts_nothing(client: APIClient) -> None:
    answer = send(client, as_csv(unroutable()))
    jobs = work()
    run = shown(client, upload_of(client, answer)["run_id"])
    assert (run["state"], run["standing"], run["entries"]) == ("FAILED", "FAILED", 17)
    assert run["error"]["code"] == jobs[-1].error_code == "batch.rejects"
    assert run["effect"] is None and EntryHeader.objects.count() == 0
    assert client.get(f"{URL}{run['run_id']}/rejects").json()["total_items"] == 3


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"file": ""}, "request.invalid"),
        ({"dry_run": "yes"}, "request.invalid"),
        ({"month": "2019-03"}, "request.invalid"),
        ({"pack": ["takaful", "taxi"]}, "request.invalid"),
        ({"pack": "x" * 41}, "request.invalid"),
    ],
)
def test_a_form_that_says_something_else_is_refused_and_keeps_no_file(
    client: APIClient, folder: Path, fields: dict[str, Any], code: str
) -> None:
    answer = send(client, as_csv(sound()), **fields)
    assert (answer.status_code, answer.json()["error"]) == (400, code), answer.content
    assert not folder.exists() or not list(folder.iterdir())


def test_a_file_above_the_limit_is_read_off_and_refused(
    client: APIClient, folder: Path, settings: Any
) -> None:
    content = as_csv(sound())
    settings.BATCH_UPLOAD_MAX_BYTES = len(content)
    assert send(client, content).status_code == 202
    settings.BATCH_UPLOAD_MAX_BYTES = len(content) - 1
    answer = send(client, content)
    assert (answer.status_code, answer.json()["error"]) == (413, "batch.file_too_large")
    settings.BATCH_UPLOAD_MAX_BYTES = 10
    answer = send(client, b"x" * 2_000_000)
    assert (answer.status_code, answer.json()["error"]) == (413, "batch.file_too_large")
    assert len(list(folder.iterdir())) == 2, "that of the first alone"


@pytest.mark.parametrize("content", [b"", b"PAR1", b"\x00" * 5_000, b"a,b\n1,2\n", "é,ü\n".encode("latin-1")])
def test_a_file_of_another_shape_is_refused_by_its_job(client: APIClient, content: bytes) -> None:
    answer = send(client, content)
    if answer.status_code == 400:  # an empty one is refused at once
        assert answer.json()["error"] == "request.invalid"
        return
    work()
    upload = upload_of(client, answer)
    assert upload["job"]["status"] == "FAILED" and upload["error"]["code"].startswith("file."), upload
    assert not ImportBatch.objects.exists()


def test_trips_come_as_a_file_too(client: APIClient) -> None:
    lease = make_lease(weekly_fee="0.00")
    days = {"START_DATE": "03/04/2019 00:03:29", "END_DATE": "03/04/2019 00:13:32"}
    rows = written([trip(lease, **days), trip(lease, **days), trip(lease, **days, TOTAL_AMOUNT="99.99")])
    answer = send(client, rows, "trips.csv", pack="taxi")
    work()
    upload = upload_of(client, answer)
    assert (upload["accepted"], upload["rejected"]) == (2, 1), upload
    run = shown(client, upload["run_id"])
    assert (run["state"], run["origin"], run["entries"]) == ("POSTED", "TRIP", 2)


# --- what is done to a run ----------------------------------------------------------------------------------


def act(client: APIClient, run_id: int, what: str, **body: Any) -> Any:
    return client.post(f"{URL}{run_id}/{what}", body, format="json")


def test_a_posted_run_is_reversed_once_and_its_rows_may_be_posted_again(client: APIClient) -> None:
    story.takaful(30)
    run_id = start(client).json()["run_id"]
    early = act(client, run_id, "reverse", reason=WHY)
    assert (early.status_code, early.json()["error"]) == (409, "batch.not_reversible")
    work()
    for reason in ("", "too short", "x" * 501):
        assert act(client, run_id, "reverse", reason=reason).status_code == 400
    answer = act(client, run_id, "reverse", reason=WHY)
    assert answer.status_code == 202, answer.content
    mirror = answer.json()["run_id"]
    work()
    assert shown(client, mirror)["reverses_run"] == run_id
    assert shown(client, mirror)["reason"] == WHY
    original = shown(client, run_id)
    assert (original["standing"], original["reversed_by"]) == ("REVERSED", mirror)
    assert story.balance_of("1010") == 0
    again = act(client, run_id, "reverse", reason=WHY)
    assert (again.status_code, again.json()["error"]) == (409, "batch.already_reversed")
    assert start(client).status_code == 202


def test_a_run_whose_worker_was_lost_is_resumed_and_a_discarded_one_is_not(client: APIClient) -> None:
    story.takaful(30)
    started = start(client).json()
    run_id = started["run_id"]
    busy = act(client, run_id, "resume")
    assert (busy.status_code, busy.json()["error"]) == (409, "batch.at_work")
    JobRun.objects.update(status="FAILED", error="Its worker was lost five times.")
    assert shown(client, run_id)["standing"] == "STOPPED"
    answer = act(client, run_id, "resume")
    assert answer.status_code == 202 and answer.json()["job_id"] != started["job_id"]
    JobRun.objects.filter(status="PENDING").delete()
    for reason in ("", "too short"):
        assert act(client, run_id, "discard", reason=reason).status_code == 400
    gone = act(client, run_id, "discard", reason=WHY)
    assert (gone.status_code, gone.json()["state"], gone.json()["standing"]) == (200, "FAILED", "DISCARDED")
    late = act(client, run_id, "resume")
    assert (late.status_code, late.json()["error"]) == (409, "batch.not_resumable")
    assert start(client).status_code == 202, "its rows are free"


def test_a_posted_run_is_neither_resumed_nor_discarded(client: APIClient) -> None:
    story.takaful(30)
    run_id = start(client).json()["run_id"]
    work()
    assert act(client, run_id, "resume").json()["error"] == "batch.not_resumable"
    assert act(client, run_id, "discard", reason=WHY).json()["error"] == "batch.not_discardable"
    assert shown(client, run_id)["state"] == "POSTED"


@pytest.mark.parametrize(
    "path", ["99", "99/rejects", f"uploads/{NOBODYS}", f"uploads/{NOBODYS}/rejects", "x", "-1"]
)
def test_what_is_not_there_is_not_found(client: APIClient, path: str) -> None:
    assert client.get(URL + path).status_code == 404


def test_starting_and_reversing_take_a_permission_each(client_with: Any) -> None:
    story.takaful(30)
    assert start(client_with("ledger.view_journalrun", "ledger.reverse_batch")).status_code == 403
    run_id = start(client_with("ledger.post_batch")).json()["run_id"]
    work()
    stranger = client_with("ledger.view_journalrun", "ledger.post_batch")
    assert act(stranger, run_id, "reverse", reason=WHY).status_code == 403
    assert client_with("ledger.post_batch").get(f"{URL}{run_id}").status_code == 403
    assert act(client_with("ledger.reverse_batch"), run_id, "reverse", reason=WHY).status_code == 202
