"""The leases' background work: every morning, after any run of that day, deposits whose hold has ended are released."""

import time
from datetime import date, timedelta
from typing import Any

from celery import shared_task
from django.utils import timezone

from batconnect.common.audit import system_user
from batconnect.common.errors import BatConnectError
from batconnect.common.models import User
from batconnect.common.weeks import WEEK, local_date, sunday_of
from batconnect.jobs.progress import Progress
from batconnect.jobs.services import register_job, start_job
from ledger.models import WeeklyRun
from ledger.services import weekly_close

from .services.deposits import process_expired_deposit_holds as process

HOLDS = "process_expired_deposit_holds"
WAIT_FOR_RUN = timedelta(hours=1)
LOOK_AGAIN = 5.0  # seconds


class HoldsFailed(BatConnectError):
    code, status = "deposit.holds_failed", 500
    message = (
        "{failed} of {due} deposits could not be released; the others were. "
        "The first is of lease {lease}: {error}"
    )


class RunNotDone(BatConnectError):
    code, status = "deposit.run_not_done", 500
    message = (
        "Today's weekly run is not finished, and deposits are released after it. Nothing was released; the next "
        "daily job will, or start this again once the run is done."
    )


@shared_task(name="leases.tasks.process_expired_deposit_holds")
def process_expired_deposit_holds() -> str:
    """06:00 every day: start the job that releases deposits whose hold has ended."""
    return start_holds(system_user())


def start_holds(actor: User) -> str:
    """Start the job, or find the one of today that is at it; returns its id."""
    return str(start_job(kind=HOLDS, parameters={"today": _today()}, actor=actor).pk)


def _process(parameters: dict[str, Any], actor: User, progress: Progress) -> dict[str, Any]:
    today = date.fromisoformat(parameters["today"])
    _after_run_of(today, progress)
    holds = process(on=today, actor=actor, progress=progress)
    for one in holds.failed:
        progress.log(f"Lease {one.lease}: {one.message}")
    if holds.failed:
        first = holds.failed[0]
        raise HoldsFailed(
            failed=len(holds.failed),
            due=len(holds.failed) + len(holds.released),
            lease=first.lease,
            error=first.message,
        )
    return holds.as_dict()


def _after_run_of(today: date, progress: Progress) -> None:
    """Wait for a run that is at work, and on a Sunday for the one that is due. Raises RunNotDone."""
    give_up_at = time.monotonic() + WAIT_FOR_RUN.total_seconds()
    while weekly_close.run_at_work() or _run_is_due(today):
        if time.monotonic() > give_up_at:
            raise RunNotDone
        progress("Waiting for the weekly run")
        time.sleep(LOOK_AGAIN)


def _run_is_due(today: date) -> bool:
    """Whether today is a Sunday whose run is still to come: the weeks before are closed, and the last one is not."""
    last = sunday_of(today) - WEEK
    return (
        today == sunday_of(today)
        and weekly_close.week_to_run(today=today) == last
        and WeeklyRun.objects.exists()
    )


def _today() -> date:
    return local_date(timezone.now())


register_job(HOLDS, _process, "Release deposits whose hold has ended")
