"""A week's DTRs as a file, from the admin: made by a job, downloaded by those who may read DTRs."""

import io
import os
import zipfile
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from batconnect.jobs.models import JobRun
from batconnect.jobs.services import run_job
from ledger import tasks
from ledger.services import dtr_export, dtr_pdf
from ledger.services.dtr_pdf import render_dtr_pdf

FILES = reverse("admin:ledger_weeklyrun_files", args=["2019-03-03"])


def file_url(file_format: str, week: str = "2019-03-03") -> str:
    return reverse("admin:ledger_weeklyrun_file", args=[week, file_format])


@pytest.fixture(autouse=True)
def _no_files_left_over(tmp_path: Any, settings: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def make(client: Client, file_format: str) -> JobRun:
    assert client.post(FILES, {"format": file_format}).status_code == 302
    job = JobRun.objects.get(kind=tasks.DTR_FILE, parameters__format=file_format, status="PENDING")
    run_job(job_id=job.pk)
    job.refresh_from_db()
    return job


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def test_the_zip_is_made_by_a_job_and_holds_each_dtr(chief: Client, week: SimpleNamespace) -> None:
    assert "Not made yet" in chief.get(FILES).content.decode()
    job = make(chief, "zip")
    assert (job.status, job.started_by.username) == ("SUCCEEDED", "chief")
    assert job.result is not None and (job.result["dtrs"], job.result["file"]) == (1, "DTRs-2019-03-03.zip")

    page = chief.get(FILES).content.decode()
    assert file_url("zip") in page and file_url("pdf") not in page
    answer = chief.get(file_url("zip"))
    assert answer["Content-Disposition"] == 'attachment; filename="DTRs-2019-03-03.zip"'
    content = body(answer)
    assert len(content) == job.result["bytes"]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"{week.dtr.number}.pdf"]
        assert archive.read(f"{week.dtr.number}.pdf") == render_dtr_pdf(week.dtr)

    make(chief, "zip")
    assert body(chief.get(file_url("zip"))) == content
    assert [path.name for path in (settings.MEDIA_ROOT / "dtrs").iterdir()] == ["DTRs-2019-03-03.zip"]


def test_one_pdf_of_them_all(chief: Client, week: SimpleNamespace) -> None:
    make(chief, "pdf")
    answer = chief.get(file_url("pdf"))
    assert answer["Content-Type"] == "application/pdf"
    assert body(answer) == render_dtr_pdf(week.dtr)


def test_clicked_twice_is_one_job(chief: Client, week: SimpleNamespace) -> None:
    for _ in range(2):
        chief.post(FILES, {"format": "zip"})
    job = JobRun.objects.get(kind=tasks.DTR_FILE)
    page = chief.get(FILES).content.decode()
    assert reverse("admin:job_progress", args=[job.pk]) in page and "disabled" in page


@pytest.mark.parametrize("file_format", ["", "exe", "../zip"])
def test_another_format_starts_nothing(chief: Client, week: SimpleNamespace, file_format: str) -> None:
    chief.post(FILES, {"format": file_format})
    assert not JobRun.objects.filter(kind=tasks.DTR_FILE).exists()
    assert chief.get(f"{FILES}exe/").status_code == 404


def test_only_who_may_read_dtrs_makes_and_downloads_them(clerk: Any, week: SimpleNamespace) -> None:
    make(clerk("ledger.view_dtr"), "zip")
    assert clerk("ledger.view_dtr").get(file_url("zip")).status_code == 200
    stranger = clerk("ledger.run_week", "ledger.view_weeklyrun", "jobs.view_jobrun")
    for answer in (
        stranger.get(FILES),
        stranger.post(FILES, {"format": "pdf"}),
        stranger.get(file_url("zip")),
    ):
        assert answer.status_code == 403
    assert JobRun.objects.filter(kind=tasks.DTR_FILE).count() == 1
    closed = stranger.get(reverse("admin:ledger_weeklyrun_change", args=["2019-03-03"])).content.decode()
    assert FILES not in closed


@pytest.mark.parametrize("week_name", ["2019-03-10", "2019-03-04", "nonsense", "0000-99-99"])
def test_a_week_that_is_not_closed_has_no_files(chief: Client, week: SimpleNamespace, week_name: str) -> None:
    files = reverse("admin:ledger_weeklyrun_files", args=[week_name])
    assert chief.get(files).status_code == 404
    assert chief.post(files, {"format": "zip"}).status_code == 404
    assert chief.get(file_url("zip", week_name)).status_code == 404


def test_a_file_that_is_no_longer_kept_is_made_again(chief: Client, week: SimpleNamespace) -> None:
    make(chief, "zip")
    path = settings.MEDIA_ROOT / "dtrs" / "DTRs-2019-03-03.zip"
    old = path.stat().st_mtime - dtr_export.KEPT.total_seconds() - 60
    left_behind = path.parent / ".part-killed"
    left_behind.mkdir()
    for stale in (path, left_behind):
        os.utime(stale, (old, old))
    make(chief, "pdf")
    assert [kept.name for kept in path.parent.iterdir()] == ["DTRs-2019-03-03.pdf"]
    assert "No longer kept" in chief.get(FILES).content.decode()
    answer = chief.get(file_url("zip"), follow=True)
    assert answer.status_code == 200 and "Make it again" in answer.content.decode()


def test_too_many_for_one_pdf_are_told_before_and_refused_by_the_job(
    chief: Client, week: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dtr_pdf, "MOST_IN_ONE_FILE", 0)
    monkeypatch.setattr("ledger.admin.dtr_files.MOST_IN_ONE_FILE", 0)
    assert "One PDF takes at most 0 DTRs; take the ZIP." in chief.get(FILES).content.decode()
    job = make(chief, "pdf")
    assert (job.status, job.error_code) == ("FAILED", "dtr.too_many_for_one_file")
    assert not list((settings.MEDIA_ROOT / "dtrs").iterdir())


def test_the_run_and_the_closed_week_lead_there(chief: Client, week: SimpleNamespace) -> None:
    JobRun.objects.filter(kind=tasks.WEEKLY_RUN).update(
        status="SUCCEEDED", parameters={"week": "2019-03-03", "dry_run": False}, result={"dtrs": 1}
    )
    assert FILES in chief.get(reverse("admin:ledger_weeklyrun_run")).content.decode()
    assert FILES in chief.get(reverse("admin:ledger_weeklyrun_change", args=["2019-03-03"])).content.decode()
