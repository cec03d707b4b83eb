"""The screens of reconciliation: what they show, whom they let decide, and what a refusal looks like."""

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from batconnect.jobs.models import JobRun
from batconnect.jobs.services import run_job
from recon.models import ReconJob, ReconMatch, ReconModel, ReconSource
from tests.factories import make_user

from .conftest import WORK
from .stories import HEADER, SEED_ROWS, bank_file, log_of, make_source, post_seed, reconcile
from .test_runs import line

pytestmark = pytest.mark.django_db
WHY = "Seen on the paper statement"
SEE = tuple(
    f"recon.view_{name}" for name in ("reconjob", "reconlog", "reconmatch", "reconsource", "reconmodel")
)


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(
        make_user(permissions=(*WORK, *SEE[2:], "recon.change_reconsource", "recon.add_reconsource"))
    )
    return client


@pytest.fixture
def job(tmp_path: Path) -> ReconJob:
    source = make_source(name="curb", title="CURB settlements", match_from="0.990", suggest_from="0.800",
                         write_off_limit="20.00")  # fmt: skip
    post_seed()
    return reconcile(source, bank_file(tmp_path, [*SEED_ROWS, line("X", "12.00", text="UNKNOWN")]))


def page(client: Client, path: str, **sent: Any) -> str:
    answer = client.post(path, sent, follow=True) if sent else client.get(path, follow=True)
    assert answer.status_code == 200, path
    return answer.content.decode()


def url(record: Any, action: str = "change") -> str:
    return f"/admin/recon/{record._meta.model_name}/{record.pk}/{action}/"


def test_every_list_and_page_opens(staff: Client, job: ReconJob) -> None:
    assert "curb" in page(staff, "/admin/recon/reconjob/")
    shown = page(staff, url(job))
    assert "What needs a person" in shown and "197.50" in shown
    assert "B-77" in page(staff, "/admin/recon/reconlog/")
    assert page(staff, f"/admin/recon/reconlog/?job__id__exact={job.pk}&q=B-77").count("B-77") > 0
    assert "exact" in page(staff, "/admin/recon/reconmatch/").lower()
    assert "CURB CARD" in page(staff, url(ReconMatch.objects.earliest("id")))
    assert "curb" in page(staff, "/admin/recon/reconsource/")
    assert "mapping" in page(staff, url(job.source)).lower()
    page(staff, "/admin/recon/reconmodel/")


def test_a_row_is_shown_beside_what_it_may_belong_to(staff: Client, job: ReconJob) -> None:
    shown = page(staff, url(log_of(job, "B-77")))
    for words in (
        *["Side by side", "0.87", "CURB TAXI", "CURB CARD", "Accept…", "Reject…", "Write off…"],
        "amount equal (+0.4)",
    ):
        assert words in shown, words
    lost = page(staff, url(log_of(job, "X")))
    assert "Nearest in ledger" in lost and "Accept…" not in lost


def test_accepting_rejecting_commenting_and_taking_back(staff: Client, job: ReconJob) -> None:
    log = log_of(job, "B-77")
    assert "Asked the bank" in page(staff, url(log, "comment"), reason="Asked the bank")
    assert "Say why in 10" in page(staff, url(log, "reject"), reason="no")
    assert "this is the match" in page(staff, url(log, "accept"), step="go")
    match = ReconMatch.objects.latest("id")
    assert "Look at it again" in page(staff, url(log, "accept"), step="go")
    assert "open again" in page(staff, url(match, "undo"), reason=WHY)
    assert "will not be suggested again" in page(staff, url(log, "reject"), reason=WHY)


def test_matching_by_hand_and_writing_off(staff: Client, job: ReconJob) -> None:
    log = log_of(job, "X")
    assert "is no row of" in page(staff, url(log, "match"), others="JE-202507-99999999/1", reason=WHY)
    line_key = log_of(job, "B-77").partners[0]
    assert "Matched by hand" in page(staff, url(log, "match"), others=line_key, reason=WHY)
    made = ReconMatch.objects.latest("id")
    assert "Write off the difference" in page(staff, url(made))
    assert "Written off" in page(staff, url(made, "write-off"), reason=WHY)
    assert ReconMatch.objects.filter(rule="write_off", status="ACTIVE").exists()


@pytest.mark.parametrize("action", ["accept", "reject", "match", "comment", "write-off"])
def test_who_may_only_look_decides_nothing(client: Client, job: ReconJob, action: str) -> None:
    client.force_login(make_user(permissions=SEE))
    log = log_of(job, "B-77")
    assert "Accept…" not in page(client, url(log))
    assert client.post(url(log, action), {"reason": WHY}).status_code == 403
    assert client.get("/admin/recon/reconjob/start/").status_code == 403
    assert client.post(url(ReconMatch.objects.earliest("id"), "undo"), {"reason": WHY}).status_code == 403


def test_a_day_is_reconciled_from_a_file_that_is_sent(staff: Client) -> None:
    source = make_source(name="curb")
    post_seed()
    file = SimpleUploadedFile("march.csv", "\n".join([HEADER, *SEED_ROWS]).encode())
    shown = page(staff, "/admin/recon/reconjob/start/", source=source.pk, date="2025-07-13", file=file)
    assert "is being reconciled" in shown
    run_job(job_id=JobRun.objects.get().pk)
    assert ReconJob.objects.get().counts["external"]["matched"] == 3


def test_a_failed_job_says_why(staff: Client, tmp_path: Path) -> None:
    source = make_source()
    with pytest.raises(Exception, match="ten"):
        reconcile(source, bank_file(tmp_path, [line("A", "ten")]))
    assert "is not an amount" in page(staff, url(ReconJob.objects.get()))


def test_a_source_is_checked_before_it_is_kept(staff: Client) -> None:
    from ledger.models import Account

    values = {
        "name": "lender", "title": "", "active": "on", "adapter": "csv", "mapping": "{}", "file_pattern": "",
        "schedule_hour": "", "currency": "USD", "accounts": [Account.objects.get(code="1100").pk], "reaches_back": "45",
        "write_off_limit": "0.00",
    }  # fmt: skip
    assert "names time and amount" in page(staff, "/admin/recon/reconsource/add/", **values)
    good = {**values, "mapping": '{"columns": {"time": "t", "amount": "a"}}'}
    page(staff, "/admin/recon/reconsource/add/", **good)
    source = ReconSource.objects.get(name="lender")
    assert source.history.count() >= 1
    assert staff.post(url(source, "delete"), {"post": "yes"}).status_code == 403


def test_a_model_is_tried_before_it_is_used(staff: Client, job: ReconJob) -> None:
    from batconnect.common.audit import system_user
    from recon.matching.models import DefaultModel

    model = DefaultModel(amount_weight=0.5, text_weight=0.2)
    kept = ReconModel.objects.create(
        version=model.version, kind="default", parameters=model.to_dict(), created_by=system_user()
    )
    path = url(job.source, "model")
    assert "Matched by this one" in page(staff, path, model=kept.pk, step="try")
    job.source.refresh_from_db()
    assert job.source.model is None
    assert "from now on" in page(staff, path, model=kept.pk, step="activate")
    job.source.refresh_from_db()
    assert job.source.model == kept
    assert "too few to learn from" in page(staff, path, model="", step="learn")
