"""Sunday morning: what beat starts, who it runs as, and in which order weeks that are due are run."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from batconnect.celery import app
from batconnect.common.weeks import local_date, sunday_of
from batconnect.jobs.models import JobRun
from batconnect.jobs.services import run_job
from ledger import tasks
from ledger.models import WeeklyRun
from tests.ledger.factories import make_account, run

pytestmark = pytest.mark.django_db
WEEK = timedelta(days=7)


@pytest.fixture
def last_week() -> date:
    """The Sunday of the week that ended last."""
    return sunday_of(local_date(timezone.now())) - WEEK


def _closed_through(week: date) -> None:
    make_account(weekly_fee="100.00", starts_on=week)
    run(week, today=week + WEEK)


def _run_only_job() -> dict[str, Any]:
    job = JobRun.objects.get()
    run_job(job_id=job.pk)
    job.refresh_from_db()
    assert (job.status, job.started_by.username) == ("SUCCEEDED", "system"), job.error
    return job.result or {}


def test_the_schedule_is_seeded_for_new_york_sundays() -> None:
    seeded = {
        row.task: (row.crontab.hour, row.crontab.minute, row.crontab.day_of_week, str(row.crontab.timezone))
        for row in PeriodicTask.objects.filter(crontab__isnull=False, enabled=True)
    }
    assert seeded["ledger.tasks.post_scheduled_installments"] == ("5", "0", "0", "America/New_York")
    assert seeded["ledger.tasks.apply_earnings_for_dtr"] == ("5", "10", "0", "America/New_York")
    sweep = PeriodicTask.objects.get(task="batconnect.jobs.tasks.sweep_jobs")
    assert (sweep.interval.every, sweep.interval.period) == (1, "minutes")


def test_every_scheduled_task_is_one_the_worker_knows() -> None:
    app.loader.import_default_modules()
    assert {row.task for row in PeriodicTask.objects.all()} - {"celery.backend_cleanup"} <= set(app.tasks)


def test_weeks_that_are_due_are_run_oldest_first(last_week: date) -> None:
    _closed_through(last_week - 2 * WEEK)
    tasks.apply_earnings_for_dtr()
    result = _run_only_job()
    assert [row["week"] for row in result["weeks"]] == [str(last_week - WEEK), str(last_week)]
    assert WeeklyRun.objects.filter(status="CLOSED").count() == 3


def test_installments_are_posted_for_the_oldest_open_week_only(last_week: date) -> None:
    _closed_through(last_week - 2 * WEEK)
    tasks.post_scheduled_installments()
    assert _run_only_job() == {"week": str(last_week - WEEK), "installments_posted": 1}
    assert WeeklyRun.objects.get(week=last_week - WEEK).status == "INSTALLMENTS_POSTED"
    assert not WeeklyRun.objects.filter(week=last_week).exists()


@pytest.mark.parametrize("task", [tasks.post_scheduled_installments, tasks.apply_earnings_for_dtr])
def test_nothing_to_do_is_said(last_week: date, task: Any) -> None:
    _closed_through(last_week)
    task()
    assert _run_only_job() == {"message": tasks.NOTHING_TO_DO}
