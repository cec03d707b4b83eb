"""Reconciliation over HTTP: started, followed, read, its exceptions worked; and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from batconnect.jobs.models import JobRun
from batconnect.jobs.services import run_job
from recon.models import ReconJob, ReconMatch

from .conftest import READ, WORK
from .stories import HEADER, SEED_ROWS, bank_file, key_of, make_source, post, post_seed, reconcile

pytestmark = pytest.mark.django_db
RUN = {"source": "bank_csv", "date": "2025-07-13"}


def send(client: APIClient, path: str, body: Any, key: str | None = None) -> Any:
    headers = {"HTTP_IDEMPOTENCY_KEY": key} if key else {}
    return client.post(path, json.dumps(body), content_type="application/json", **headers)


def work() -> JobRun:
    """What a worker does with the one job there is."""
    job = JobRun.objects.get(kind="run_recon")
    run_job(job_id=job.pk)
    job.refresh_from_db()
    return job


def test_a_file_below_the_import_folder_is_reconciled_in_the_background(
    api: APIClient, imports: Path
) -> None:
    make_source(name="bank_csv")
    entries = post_seed()
    bank_file(imports, SEED_ROWS, name="bank_dump.csv")
    started = send(api, "/recon/run", {**RUN, "file_path": "bank_dump.csv"}, key="one")
    assert (started.status_code, started.json()["status"]) == (202, "PENDING")
    assert send(api, "/recon/run/", {**RUN, "file_path": "bank_dump.csv"}, key="one").json() == started.json()
    (waiting,) = api.get("/recon/status/2025-07-13").json()["items"]
    assert (waiting["source"], waiting["status"]) == ("bank_csv", "PENDING")

    assert work().status == "SUCCEEDED"
    (done,) = api.get("/recon/status/2025-07-13/").json()["items"]
    assert (done["status"], done["file_name"], done["variance"]) == ("COMPLETED", "bank_dump.csv", "0.00")
    summary = api.get("/recon/summary/2025-07-13/bank_csv").json()
    assert summary["counts"]["external"]["matched"] == summary["counts"]["ledger"]["matched"] == 3
    assert (summary["external_total"], summary["open_exceptions"]) == ("185.50", 0)
    assert api.get("/recon/summary/2025-07-13").json()["items"] == [summary]

    logs = api.get(
        "/recon/logs", {**RUN, "matched": "true", "side": "external", "sort_by": "score", "sort_order": "asc"}
    )
    fuzzy, *exact = logs.json()["items"]
    assert (fuzzy["key"], fuzzy["score"], fuzzy["rule"]) == ("B-77", "0.87", "score")
    assert fuzzy["partners"] == [key_of(entries[2])]
    assert [row["rule"] for row in exact] == ["exact", "exact"]
    assert api.get("/recon/logs", {**RUN, "matched": "false"}).json()["total_items"] == 0


def test_a_file_that_is_sent_is_reconciled(api: APIClient) -> None:
    make_source(name="bank_csv")
    post_seed()
    content = "\n".join([HEADER, *SEED_ROWS]).encode()
    started = api.post("/recon/run", {**RUN, "file": SimpleUploadedFile("dump.csv", content)})
    assert started.status_code == 202, started.json()
    assert work().status == "SUCCEEDED"
    assert ReconJob.objects.get().file_name == "dump.csv"


def test_the_usual_file_of_a_day_needs_no_name(api: APIClient, imports: Path) -> None:
    make_source(name="bank_csv", file_pattern="bank/{date}.csv")
    post_seed()
    (imports / "bank").mkdir()
    bank_file(imports / "bank", SEED_ROWS, name="2025-07-13.csv")
    assert send(api, "/recon/run", RUN).status_code == 202
    assert work().status == "SUCCEEDED"
    assert send(api, "/recon/run", {**RUN, "date": "2025-07-12"}).json()["error"] == "recon.file_path"


@pytest.mark.parametrize(
    "path",
    [
        "../secret.csv",
        "/etc/hostname",
        "link.csv",
        "folder",
        "nothing.csv",
        "a/../../secret.csv",
        "~/x",
        "a\0b",
    ],
)
def test_no_path_leads_out_of_the_import_folder(api: APIClient, imports: Path, path: str) -> None:
    make_source(name="bank_csv")
    secret = bank_file(imports.parent, SEED_ROWS, name="secret.csv")
    (imports / "link.csv").symlink_to(secret.path)
    (imports / "folder").mkdir()
    answer = send(api, "/recon/run", {**RUN, "file_path": path})
    assert answer.status_code == 400, answer.json()
    assert answer.json()["error"] in ("recon.file_path", "request.invalid")
    assert not ReconJob.objects.exists()


def test_a_bad_row_fails_the_job_and_says_where(api: APIClient, imports: Path) -> None:
    make_source(name="bank_csv")
    bank_file(imports, [SEED_ROWS[0], SEED_ROWS[1].replace("60.50", "sixty")])
    send(api, "/recon/run", {**RUN, "file_path": "bank.csv"})
    assert work().error_code == "recon.bad_row"
    (job,) = api.get("/recon/status/2025-07-13").json()["items"]
    assert job["status"] == "FAILED"
    assert job["error"]["message"].startswith("Row 3, column amount: 'sixty' is not an amount")
    assert api.get("/recon/summary/2025-07-13/bank_csv").json()["error"] == "recon.unknown_job"


def test_what_is_refused_at_once(api: APIClient, imports: Path) -> None:
    make_source(name="bank_csv")
    make_source(name="retired", active=False)
    bank_file(imports, SEED_ROWS)
    for body, status, code in (
        ({**RUN, "source": "nobody"}, 404, "recon.unknown_source"),
        (RUN, 400, "recon.no_file"),
        ({**RUN, "source": "retired"}, 409, "recon.inactive"),
        ({**RUN, "date": "2999-01-01"}, 400, "recon.dated_ahead"),
        ({**RUN, "date": "13.7.2025"}, 400, "request.invalid"),
        ({**RUN, "more": "x"}, 400, "request.invalid"),
    ):
        answer = send(api, "/recon/run", body)
        assert (answer.status_code, answer.json()["error"]) == (status, code), body
    for path in ("/recon/status/2025-13-01", "/recon/summary/2025-07-13/nobody", "/recon/exceptions/1"):
        assert api.get(path).status_code == 404
    assert api.get("/recon/logs", {"matched": "maybe"}).status_code == 400


def test_a_second_start_while_one_is_at_work_is_refused(api: APIClient, imports: Path) -> None:
    make_source(name="bank_csv")
    bank_file(imports, SEED_ROWS)
    body = {**RUN, "file_path": "bank.csv"}
    assert send(api, "/recon/run", body).status_code == 202
    again = send(api, "/recon/run", body)
    assert (again.status_code, again.json()["error"]) == (409, "recon.at_work")


def test_a_job_whose_worker_was_lost_gives_way(api: APIClient, imports: Path) -> None:
    make_source(name="bank_csv")
    bank_file(imports, SEED_ROWS)
    body = {**RUN, "file_path": "bank.csv"}
    send(api, "/recon/run", body)
    JobRun.objects.update(status="FAILED", error="It was started 5 times.")
    assert send(api, "/recon/run", body).status_code == 202
    assert list(ReconJob.objects.order_by("id").values_list("status", flat=True)) == ["FAILED", "PENDING"]


def test_a_run_in_the_background_that_finds_nothing_new_says_so(api: APIClient, imports: Path) -> None:
    source = make_source(name="bank_csv")
    post_seed()
    first = reconcile(source, bank_file(imports, SEED_ROWS))
    send(api, "/recon/run", {**RUN, "file_path": "bank.csv"})
    assert work().status == "SUCCEEDED"
    assert ReconJob.objects.get(repeats=first).counts == first.counts
    assert api.get("/recon/summary/2025-07-13/bank_csv").json()["job_id"] == first.pk


# --- exceptions -----------------------------------------------------------------------------------------------


@pytest.fixture
def doubtful(api: APIClient, tmp_path: Path) -> dict[str, Any]:
    """One pair that is suggested, one row outside that nobody knows, one line that nobody paid."""
    source = make_source(name="bank_csv", write_off_limit="10.00", match_from="0.950", suggest_from="0.800")
    post("25.00", at="2025-07-13T11:00:00-04:00", reference="T3", description="CURB CARD")
    post("7.00", at="2025-07-13T04:00:00-04:00", reference="T9", description="LATE")
    rows = [SEED_ROWS[2], "B-80,2025-07-13T20:00:00-04:00,44.00,USD,,UNKNOWN"]
    reconcile(source, bank_file(tmp_path, rows))
    return {row["key"]: row for row in api.get("/recon/exceptions", {"per_page": "50"}).json()["items"]}


def test_exceptions_are_listed_with_what_comes_nearest(api: APIClient, doubtful: Any) -> None:
    assert len(doubtful) == 4
    suggested, lost = doubtful["B-77"], doubtful["B-80"]
    assert (suggested["outcome"], suggested["score"]) == ("suggested", "0.87")
    assert (lost["outcome"], lost["failed"]) == ("unmatched", "amount,time,taken")
    shown = api.get(f"/recon/exceptions/{suggested['log_id']}").json()
    assert [row["key"] for row in shown["candidates"]] == suggested["partners"]
    assert api.get("/recon/exceptions", {"outcome": "suggested"}).json()["total_items"] == 2


def test_accepting_over_http_takes_both_rows_out_of_the_list(api: APIClient, doubtful: Any) -> None:
    path = f"/recon/exceptions/{doubtful['B-77']['log_id']}/accept"
    made = send(api, path, {"note": "Same trip"}, key="a")
    assert made.status_code == 200, made.json()
    assert (made.json()["status"], made.json()["external"]) == ("ACTIVE", ["B-77"])
    assert send(api, path, {"note": "Same trip"}, key="a").headers["Idempotent-Replayed"] == "true"
    assert send(api, path, {}).json()["error"] == "recon.changed"
    assert api.get("/recon/exceptions").json()["total_items"] == 2


def test_rejecting_commenting_matching_and_writing_off_over_http(api: APIClient, doubtful: Any) -> None:
    first = f"/recon/exceptions/{doubtful['B-77']['log_id']}"
    assert send(api, f"{first}/reject", {"reason": "short"}).json()["error"] == "reason.length"
    assert send(api, f"{first}/reject", {"reason": "It is another driver's"}).json()["status"] == "REJECTED"
    assert api.get(first).json()["turned_down"] is True
    said = send(api, f"{first}/comment", {"text": "Asked CURB about it"})
    assert said.status_code == 201
    assert [note["text"] for note in api.get(first).json()["notes"]] == ["Asked CURB about it"]
    late = next(row for row in doubtful.values() if row["description"] == "LATE")
    written = send(api, f"/recon/exceptions/{late['log_id']}/write-off", {"reason": "Too small to chase"})
    assert written.status_code == 200, written.json()
    assert written.json()["je_number"].startswith("JE-") and written.json()["difference"] == "0.00"
    by_hand = {
        "source": "bank_csv", "external": ["B-80"], "ledger": doubtful["B-77"]["partners"],
        "reason": "The bank joined two trips",
    }  # fmt: skip
    matched = send(api, "/recon/exceptions/match", by_hand).json()
    assert (matched["rule"], matched["difference"]) == ("hand", "19.00")
    undo = {"match_id": matched["match_id"], "reason": "It did not, after all"}
    assert send(api, "/recon/exceptions/undo", undo).json()["status"] == "UNDONE"
    assert send(api, "/recon/exceptions/undo", undo).json()["error"] == "recon.already_undone"


@pytest.mark.parametrize("permission", WORK)
def test_each_door_opens_to_its_own_permission_alone(
    client_with: Any, doubtful: Any, permission: str
) -> None:
    one = f"/recon/exceptions/{doubtful['B-77']['log_id']}"
    doors = {
        "recon.run_recon": [("post", "/recon/run")],
        "recon.view_reconjob": [("get", "/recon/status/2025-07-13"), ("get", "/recon/summary/2025-07-13")],
        "recon.view_reconlog": [("get", "/recon/logs"), ("get", "/recon/exceptions"), ("get", one)],
        "recon.decide_exception": [("post", f"{one}/accept"), ("post", "/recon/exceptions/match"),
                                   ("post", "/recon/exceptions/undo"), ("post", f"{one}/comment")],
        "recon.write_off": [("post", f"{one}/write-off")],
    }  # fmt: skip
    stranger = client_with(*(other for other in WORK if other != permission))
    for method, path in doors[permission]:
        assert getattr(stranger, method)(path).status_code == 403, path
    assert ReconMatch.objects.count() == 0
    assert len(READ) == 2
