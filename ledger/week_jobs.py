"""The weekly run as a person starts and watches it; screens and API alike come through here.

The run itself is `ledger.services.weekly_close`, and what a worker does `ledger.tasks`.
"""

from datetime import date

from django.db.models import QuerySet

from batconnect.common.models import User
from batconnect.common.weeks import WEEK, sunday_of
from batconnect.jobs.models import JobRun
from batconnect.jobs.services import start_job
from ledger import tasks
from ledger.services import weekly_close
from ledger.services.errors import LedgerError

LIVE = (JobRun.Status.PENDING, JobRun.Status.RUNNING)


class NothingToRun(LedgerError):
    code, status = "week.nothing_to_run", 409
    message = "Every week that has ended is closed. The week of {week} can be run from {first_day} on."


def start_week(*, week: date | None, dry_run: bool, actor: User, today: date) -> JobRun:
    """Have a worker run a week, or try it out (`dry_run`); None is the next one to run.

    The same, asked again while it waits or works, is that job. What is known to be refused by the run is refused here
    already. Raises NothingToRun, RunInProgress, and as `weekly_close.check_week`.
    """
    week = week or weekly_close.week_to_run(today=today)
    if week is None:
        raise NothingToRun(week=sunday_of(today), first_day=sunday_of(today) + WEEK)
    weekly_close.check_week(week=week, today=today)
    same = jobs_of(week, dry_run=dry_run).filter(status__in=LIVE).exists()
    if not same and at_work() is not None:
        raise weekly_close.RunInProgress
    return start_job(kind=tasks.WEEKLY_RUN, parameters={"week": week, "dry_run": dry_run}, actor=actor)


def at_work() -> JobRun | None:
    """The job that runs a week, tries one out, or is about to; those that beat starts too."""
    kinds = (tasks.WEEKLY_RUN, tasks.INSTALLMENTS, tasks.EARNINGS)
    return JobRun.objects.filter(kind__in=kinds, status__in=LIVE).first()


def jobs_of(week: date, *, dry_run: bool) -> QuerySet[JobRun]:
    """What people started for a week, the newest first."""
    return JobRun.objects.filter(
        kind=tasks.WEEKLY_RUN, parameters={"week": str(week), "dry_run": dry_run}
    ).select_related("started_by")
