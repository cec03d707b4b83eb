"""The ledger's background work: the two steps of Sunday morning, the weekly run a person starts, DTRs as a file.

Each is a job (`batconnect.jobs`), so that its progress, result and failure can be seen afterwards. The
scheduled ones run by the system user. Rules are in `ledger.services.weekly_close`.
"""

import time
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from typing import Any, TypeVar

from celery import shared_task
from django.utils import timezone

from batconnect.common.audit import system_user
from batconnect.common.errors import BatConnectError
from batconnect.common.models import User
from batconnect.common.weeks import local_date
from batconnect.jobs.progress import Progress
from batconnect.jobs.services import register_job, start_job
from ledger.batch_jobs import work_on_batch
from ledger.selectors.seals import heads
from ledger.services import archives, partitions, seals, weekly_close

WEEKLY_RUN = "weekly_run"
INSTALLMENTS = "post_scheduled_installments"
EARNINGS = "apply_earnings_for_dtr"
DTR_FILE = "dtr_file"
SEAL = "seal_ledger"
ROTATE = "rotate_partitions"
WAIT_FOR_OTHER_RUN = timedelta(hours=1)
NOTHING_TO_DO = "Nothing to do: every week that has ended is closed."

__all__ = ["work_on_batch"]  # bulk runs have a module of their own; workers find it through this one

Result = TypeVar("Result")


class WeekStillOpen(BatConnectError):
    code, status = "week.still_open", 500
    message = "The week of {week} was run and is still open. Nothing more was run; please look at its run."


@shared_task(name="ledger.tasks.post_scheduled_installments")
def post_scheduled_installments() -> str:
    """05:00 on Sundays: start the job that posts the installments of the oldest open week."""
    return _start_scheduled(INSTALLMENTS)


@shared_task(name="ledger.tasks.apply_earnings_for_dtr")
def apply_earnings_for_dtr() -> str:
    """05:10 on Sundays: start the job that runs every week that has ended, oldest first."""
    return _start_scheduled(EARNINGS)


@shared_task(name="ledger.tasks.seal_ledger")
def seal_ledger() -> str:
    """Every night: start the job that seals what was posted since the last one."""
    return _start_scheduled(SEAL)


@shared_task(name="ledger.tasks.make_months_ahead")
def make_months_ahead() -> int:
    """Every night: see to it that the partitions of the coming months are there."""
    return partitions.make_months_ahead(today=_today())


@shared_task(name="ledger.tasks.rotate_partitions")
def rotate_partitions() -> str:
    """Every night, after the sealing: start the job that archives the months beyond retention."""
    return _start_scheduled(ROTATE)


def _start_scheduled(kind: str) -> str:
    return str(start_job(kind=kind, parameters={"today": _today()}, actor=system_user()).pk)


def _today() -> date:
    return local_date(timezone.now())


def _post_installments(parameters: dict[str, Any], actor: User, progress: Progress) -> dict[str, Any]:
    week = weekly_close.week_to_run(today=_today())
    if week is None:
        return {"message": NOTHING_TO_DO}
    post = partial(
        weekly_close.post_scheduled_installments, week=week, today=_today(), actor=actor, progress=progress
    )
    posted = _after_other_run(post, progress)
    return {"week": week, "installments_posted": posted}


def _apply_earnings(parameters: dict[str, Any], actor: User, progress: Progress) -> dict[str, Any]:
    """Weeks close in order, so a run that was missed comes before the week just ended."""
    results: list[dict[str, Any]] = []
    while (week := weekly_close.week_to_run(today=_today())) is not None:
        if results and results[-1]["week"] == str(week):
            raise WeekStillOpen(week=week)
        progress.log(f"Running the week of {week}")
        run = partial(weekly_close.run_week, week=week, today=_today(), actor=actor, progress=progress)
        results.append(_after_other_run(run, progress))
    return {"weeks": results} if results else {"message": NOTHING_TO_DO}


def _after_other_run(work: Callable[[], Result], progress: Progress) -> Result:
    """The two scheduled steps, and a person's run, may meet: the scheduled one waits its turn."""
    give_up_at = time.monotonic() + WAIT_FOR_OTHER_RUN.total_seconds()
    while True:
        try:
            return work()
        except weekly_close.RunInProgress:
            if time.monotonic() > give_up_at:
                raise
            progress("Waiting for the run that is at work")
            time.sleep(5)


def _run_week(parameters: dict[str, Any], actor: User, progress: Progress) -> dict[str, Any]:
    return weekly_close.run_week(
        week=date.fromisoformat(parameters["week"]),
        today=_today(),
        actor=actor,
        dry_run=bool(parameters.get("dry_run", False)),
        progress=progress,
    )


def _seal_ledger(parameters: dict[str, Any], actor: User, progress: Progress) -> dict[str, Any]:
    progress("Sealing the ledger")
    sealed = seals.seal_ledger(actor=actor)
    return {**sealed.as_dict(), "heads": [str(head) for head in heads()]}


def _rotate_partitions(parameters: dict[str, Any], actor: User, progress: Progress) -> dict[str, Any]:
    rotation = archives.rotate_partitions(
        today=_today(), actor=actor, dry_run=bool(parameters.get("dry_run", False)), progress=progress
    )
    for step in rotation.steps:
        progress.log(str(step))
    return rotation.as_dict()


def _make_dtr_file(parameters: dict[str, Any], actor: User, progress: Progress) -> dict[str, Any]:
    from ledger.models import DTR
    from ledger.services.dtr_export import make_week_file  # loads Pango: only who prints needs it

    week = date.fromisoformat(parameters["week"])
    total = DTR.objects.filter(week=week).count()
    progress("Laying out DTRs", 0, total)
    made = make_week_file(
        week=week,
        file_format=parameters["format"],
        workers=1,  # a worker's process may start no others
        progress=lambda done: progress("Laying out DTRs", done, total),
    )
    return {"week": week, "dtrs": made.dtrs, "file": made.out.name, "bytes": made.out.stat().st_size}


register_job(WEEKLY_RUN, _run_week, "Weekly run")
register_job(INSTALLMENTS, _post_installments, "Post scheduled installments")
register_job(EARNINGS, _apply_earnings, "Apply earnings and make DTRs")
register_job(DTR_FILE, _make_dtr_file, "DTRs as a file")
register_job(SEAL, _seal_ledger, "Seal the ledger")
register_job(ROTATE, _rotate_partitions, "Rotate the partitions")
