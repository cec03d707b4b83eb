"""The weekly run over HTTP: tried out, run once, followed while it works, refused where it would be."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from batconnect.common.weeks import local_date, sunday_of
from batconnect.jobs.models import JobRun
from batconnect.jobs.services import run_job
from ledger import tasks
from ledger.models import DTR, DriverAccount, LedgerPosting, WeeklyRun
from tests.ledger.factories import SUNDAY, WEEK, broken_proofs, drive, make_account, run

pytestmark = pytest.mark.django_db
URL = "/ledger/weeks"
FIRST = f"{URL}/{SUNDAY}"
MARCH = {"week": str(SUNDAY)}
# 560.00 earned, 40.00 of it tax; a week's lease of 150.00 and the coming one's are due: 220.00 is net pay.
GIVES = {
    "leases": 1, "installments_posted": 2, "earnings": "560.00", "taxes": "40.00", "allocated": "340.00",
    "net_pay": "220.00", "open_receivables": "0.00", "dtrs": 1,
}  # fmt: skip


@pytest.fixture
def client(client_with: Any) -> APIClient:
    return client_with("ledger.view_weeklyrun", "ledger.run_week")


@pytest.fixture
def account(db: None) -> DriverAccount:
    found = make_account(weekly_fee="150.00", starts_on=SUNDAY)
    drive(found, "560.00", {"MTA": "40.00"})
    return found


def start(client: APIClient, key: str = "", **body: Any) -> Any:
    return client.post(URL, body, format="json", headers={"Idempotency-Key": key} if key else {})


def work() -> JobRun:
    """Do what waits, as a worker would."""
    job = JobRun.objects.get(status="PENDING")
    assert run_job(job_id=job.pk)
    job.refresh_from_db()
    return job


def shown(client: APIClient, path: str = FIRST) -> dict[str, Any]:
    return dict(client.get(path).json())


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def test_a_week_is_tried_out_then_run_and_its_figures_stay(client: APIClient, account: DriverAccount) -> None:
    tried = start(client, **MARCH, dry_run=True)
    assert tried.status_code == 202, tried.content
    assert (tried.json()["week"], tried.json()["dry_run"], tried.json()["status"]) == (
        "2019-03-03", True, "PENDING",
    )  # fmt: skip
    waiting = shown(client)
    assert (waiting["status"], waiting["run"], waiting["result"]) == (None, None, None)
    assert waiting["preview"]["job_id"] == waiting["at_work"]["job_id"] == tried.json()["job_id"]
    work()
    preview = shown(client)
    assert (preview["status"], preview["at_work"]) == (None, None)
    assert (preview["preview"]["status"], preview["preview"]["percent"]) == ("SUCCEEDED", 100)
    assert preview["preview"]["result"] == GIVES
    assert not WeeklyRun.objects.exists() and not LedgerPosting.objects.exists()

    started = start(client, **MARCH)
    assert (started.status_code, started.json()["dry_run"]) == (202, False)
    assert work().status == "SUCCEEDED"
    week = shown(client)
    assert (week["week"], week["ends_on"], week["status"]) == ("2019-03-03", "2019-03-09", "CLOSED")
    assert week["result"] == week["run"]["result"] == GIVES and week["installments_posted"] == 2
    assert week["run"]["job_id"] == started.json()["job_id"] and week["run"]["error"] is None
    assert week["warnings"] == [] and week["closed_at"] > week["started_at"]
    assert DTR.objects.get().net_pay == 220 and broken_proofs() == []


def test_weeks_are_listed_the_newest_first_at_the_same_cost(
    client: APIClient, account: DriverAccount, django_assert_num_queries: Any
) -> None:
    run()
    run(SUNDAY + WEEK)
    # Session, user, 2 of permissions; savepoint, time limit, count, page, its rows, limit back, release.
    with django_assert_num_queries(11):
        page = shown(client, URL)
    assert [row["week"] for row in page["items"]] == ["2019-03-10", "2019-03-03"]
    assert (page["total_items"], page["items"][1]["result"]) == (2, GIVES)
    assert [row["week"] for row in shown(client, f"{URL}?sort_order=asc&per_page=1")["items"]] == [
        "2019-03-03"
    ]
    assert shown(client, f"{URL}?status=OPEN")["items"] == []


def test_asked_again_while_it_waits_it_is_the_same_job(client: APIClient, account: DriverAccount) -> None:
    first, again = start(client, **MARCH), start(client, **MARCH)
    assert first.json() == again.json() and JobRun.objects.count() == 1
    JobRun.objects.update(status="RUNNING", step="Settling leases", done=20, total=40)
    assert start(client, **MARCH).json()["status"] == "RUNNING"
    at_work = shown(client)["at_work"]
    assert (at_work["step"], at_work["percent"]) == ("Settling leases", 50)
    assert refusal(start(client, **MARCH, dry_run=True)) == (409, "week.run_in_progress")
    assert JobRun.objects.count() == 1


def test_the_scheduled_run_is_seen_and_not_run_into(client: APIClient, account: DriverAccount) -> None:
    tasks.apply_earnings_for_dtr()
    scheduled = JobRun.objects.get()
    assert refusal(start(client, **MARCH)) == (409, "week.run_in_progress")
    next_one = sunday_of(local_date(timezone.now())) - WEEK
    found = shown(client, f"{URL}/{next_one}")
    assert (found["at_work"]["job_id"], found["status"], found["run"]) == (str(scheduled.pk), None, None)


def test_the_same_key_is_one_run_even_after_it_has_ended(client: APIClient, account: DriverAccount) -> None:
    key = uuid.uuid4().hex
    first = start(client, key, **MARCH)
    work()
    again = start(client, key, **MARCH)
    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["Idempotent-Replayed"] == "true" and JobRun.objects.count() == 1
    assert start(client, key, **MARCH, dry_run=True).status_code == 422


def test_the_next_week_is_run_where_none_is_named_and_a_closed_one_gives_what_is_kept(
    client: APIClient, account: DriverAccount
) -> None:
    run()
    assert start(client).json()["week"] == "2019-03-10"
    work()
    assert WeeklyRun.objects.filter(status="CLOSED").count() == 2
    start(client, **MARCH)
    job = work()
    assert (job.status, job.result) == ("SUCCEEDED", {"week": "2019-03-03", **GIVES})
    assert shown(client)["run"]["result"] == GIVES and DTR.objects.count() == 2


def test_what_cannot_be_run_is_refused_at_once(client: APIClient, account: DriverAccount) -> None:
    this_week = sunday_of(local_date(timezone.now()))
    for week, status, code in (
        ("2019-03-04", 400, "week.not_a_sunday"),
        (str(this_week), 409, "week.not_ended"),
        (str(this_week + timedelta(weeks=9)), 409, "week.not_ended"),
        ("0001-01-01", 400, "week.too_far"),
        ("9999-12-26", 400, "week.too_far"),
        ("2019-3-3", 400, "request.invalid"),
        (None, 400, "request.invalid"),
    ):
        assert refusal(start(client, week=week)) == (status, code), week
    run()
    assert refusal(start(client, week="2019-03-17")) == (409, "week.out_of_order")
    assert refusal(start(client, week="2019-02-24", dry_run=True)) == (409, "week.out_of_order")
    for body in ({"dry_run": "true"}, {"dry_run": 1}, {"sunday": "2019-03-03"}):
        assert refusal(start(client, **body)) == (400, "request.invalid"), body
    assert not JobRun.objects.exists()


def test_when_every_week_is_closed_there_is_nothing_to_run(client: APIClient) -> None:
    this_week = sunday_of(local_date(timezone.now()))
    make_account(weekly_fee="0.00", starts_on=this_week - WEEK)
    run(this_week - WEEK)
    answer = start(client)
    assert refusal(answer) == (409, "week.nothing_to_run")
    assert str(this_week + WEEK) in answer.json()["message"] and not JobRun.objects.exists()


def test_what_to_look_at_first_and_why_a_run_failed_are_told(
    client: APIClient, account: DriverAccount
) -> None:
    run()
    start(client)
    week = shown(client, f"{URL}/2019-03-10")
    assert [warning["what"] for warning in week["warnings"]] == ["import"]
    assert "No trip that started in this week" in week["warnings"][0]["message"]
    JobRun.objects.update(status="FAILED", error_code="week.run_in_progress", error="One is at work already.")
    failed = shown(client, f"{URL}/2019-03-10")["run"]
    assert (failed["status"], failed["result"]) == ("FAILED", None)
    assert failed["error"] == {"code": "week.run_in_progress", "message": "One is at work already."}
    assert start(client).status_code == 202, "it may be started again"


@pytest.mark.parametrize(
    ("path", "status"),
    [("2019-03-10", 404), ("2019-03-04", 400), ("0001-01-01", 400), ("2019-02-30", 404), ("next", 404)],
)
def test_a_week_that_nobody_began_is_not_there(client: APIClient, path: str, status: int) -> None:
    assert client.get(f"{URL}/{path}").status_code == status


def test_looking_and_running_take_a_permission_each(client_with: Any, account: DriverAccount) -> None:
    reader, runner = client_with("ledger.view_weeklyrun"), client_with("ledger.run_week")
    assert start(reader, **MARCH).status_code == 403 and not JobRun.objects.exists()
    assert start(runner, **MARCH).status_code == 202
    assert reader.get(FIRST).status_code == reader.get(URL).status_code == 200
    assert runner.get(FIRST).status_code == runner.get(URL).status_code == 403
