"""Bulk runs in the background: who starts one gets a job, and any number of workers share it.

A run has one job (`bulk_run`), which works on it and asks the broker for others to help; each takes shards that
nobody holds. Where they are does not matter, and neither does which of them are lost: the run is in the database, and
the last one left finishes it. A file is loaded by a job of its own (`bulk_file`), which then starts the run's.
"""

import logging
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

from celery import shared_task
from django.conf import settings
from django.db import transaction

from batconnect.celery import app
from batconnect.common.errors import BatConnectError
from batconnect.common.models import User
from batconnect.common.transactions import money_transaction
from batconnect.jobs.models import JobRun
from batconnect.jobs.progress import Progress
from batconnect.jobs.services import register_job, start_job
from ledger.models import JournalRun
from ledger.selectors.batch_standing import JOB, LIVE
from ledger.services import batches
from ledger.services.batch_uploads import find_upload, forget_upload
from ledger.services.batches.errors import FileRejected, NothingToDo, UnknownRun

BULK_RUN = JOB
BULK_FILE = "bulk_file"
HELP = "ledger.tasks.work_on_batch"
HELP_WANTED_FOR = 3600  # seconds; who comes later finds the run ended

logger = logging.getLogger(__name__)


class AtWork(BatConnectError):
    code, status = "batch.at_work", 409
    message = "Run {run} is being worked on; there is nothing to resume."


class RunFailed(BatConnectError):
    """What a run failed of, or waits for, under the run's own code."""

    message: ClassVar[str] = "{error}"

    def __init__(self, **details: Any) -> None:
        super().__init__(**details)
        self.code = details["code"]  # type: ignore[misc]


@dataclass(frozen=True)
class Started:
    """A run and the job that works on it."""

    run: JournalRun
    job: JobRun


@money_transaction
def start_month(*, pack: str, month: date, actor: User, dry_run: bool, accept_valid: bool) -> Started:
    """Plan a run over a month's rows that have no entry, and have it worked on. Raises as `plan_run`."""
    run = batches.plan_run(pack=pack, actor=actor, month=month, dry_run=dry_run, accept_valid=accept_valid)
    return Started(run, _work_on(run, actor))


def start_file(*, upload: str, pack: str, actor: User, dry_run: bool, accept_valid: bool) -> JobRun:
    """Have a received file loaded and a run over its rows worked on; once, however often it is asked.

    upload: its token. The job's `result` names the import and the run once they are there. Raises UploadGone.
    """
    parameters = {"pack": pack, "upload": upload, "dry_run": dry_run, "accept_valid": accept_valid}
    before = JobRun.objects.filter(kind=BULK_FILE, parameters=parameters).first()
    if before is not None:
        return before
    find_upload(upload)
    return start_job(kind=BULK_FILE, parameters=parameters, actor=actor)


@money_transaction
def resume(*, run_id: int, actor: User) -> Started:
    """Have a run that stopped worked on again. Raises AtWork, UnknownRun, NotResumable."""
    job = job_of(run_id)
    if job is not None and job.status in LIVE:
        raise AtWork(run=run_id)
    run = batches.reopen_run(run_id=run_id, actor=actor)
    return Started(run, _work_on(run, actor))


@money_transaction
def reverse(*, run_id: int, actor: User, reason: str, on: date | None = None) -> Started:
    """Plan the mirrored run of a posted one and have it worked on. Raises as `plan_reversal`."""
    run = batches.plan_reversal(run_id=run_id, actor=actor, reason=reason, on=on)
    return Started(run, _work_on(run, actor))


def job_of(run_id: int) -> JobRun | None:
    """The last job of a run; None of one that was only ever worked on from the command line."""
    return JobRun.objects.filter(kind=BULK_RUN, parameters={"run": run_id}).first()


def _work_on(run: JournalRun, actor: User) -> JobRun:
    return start_job(kind=BULK_RUN, parameters={"run": run.pk}, actor=actor)


# --- what workers do ----------------------------------------------------------------------------------------


@shared_task(name=HELP)
def work_on_batch(run_id: int) -> None:
    """Take shards of a run until none is left. A run that has ended, or is gone, is nothing to do."""
    try:
        batches.work_on_run(run_id=run_id)
    except UnknownRun:
        logger.warning("run %s is not known", run_id)


def _work_as_job(parameters: dict[str, Any], actor: User, progress: Progress) -> dict[str, Any]:
    run_id = parameters["run"]
    _ask_for_help(run_id, settings.BATCH_WORKERS - 1)
    run = batches.work_on_run(run_id=run_id, progress=progress)
    if run.error_code:
        raise RunFailed(code=run.error_code, error=run.error)
    return {
        "run": run.pk,
        "state": run.state,
        "source_rows": run.source_rows,
        "entries": run.entries,
        "lines": run.lines,
        "rejects": run.rejects,
        "debits": str(run.debits),
        "workers": run.shards.exclude(worker="").values("worker").distinct().count(),
    }


def _ask_for_help(run_id: int, helpers: int) -> None:
    """A broker that is down is only logged: the job does the work alone."""
    for _ in range(helpers):
        try:
            app.send_task(HELP, args=[run_id], retry=False, expires=HELP_WANTED_FOR)
        except Exception:
            logger.warning("run %s gets no help: the broker could not be reached", run_id, exc_info=True)
            return


def _load_as_job(parameters: dict[str, Any], actor: User, progress: Progress) -> dict[str, Any]:
    """Load a file, plan its run, start the run's job. Taken up again, it goes on from what was committed."""
    noted = (
        JobRun.objects.filter(kind=BULK_FILE, parameters=parameters).values_list("result", flat=True).first()
    )
    if noted and ("run" in noted or "message" in noted):
        return dict(noted)
    upload = find_upload(parameters["upload"])
    progress("Loading the file")
    try:
        batch = batches.load_file(
            pack=parameters["pack"],
            file=upload.path,
            file_name=upload.name,
            actor=actor,
            accept_valid=parameters["accept_valid"],
        )
    except FileRejected as refused:
        _note(parameters, {"import_batch": refused.details["batch"]})
        forget_upload(upload.token)
        raise
    result: dict[str, Any] = {
        "import_batch": batch.pk,
        "rows": batch.rows,
        "accepted": batch.accepted,
        "rejected": batch.rejected,
        "duplicates": batch.duplicates,
    }
    _note(parameters, result)
    progress("Planning the run")
    try:
        with transaction.atomic():
            run = batches.plan_run(
                pack=parameters["pack"],
                actor=actor,
                import_batch=batch,
                dry_run=parameters["dry_run"],
                accept_valid=parameters["accept_valid"],
            )
            _work_on(run, actor)
            result["run"] = run.pk
            _note(parameters, result)
    except NothingToDo as nothing:  # all of it was known, or none of it belongs into the journal
        result |= {"code": nothing.code, "message": str(nothing)}
        _note(parameters, result)
    forget_upload(upload.token)
    return result


def _note(parameters: dict[str, Any], result: dict[str, Any]) -> None:
    """Keep what is known already: who asks for the job sees it, and who takes it up again goes on from it."""
    JobRun.objects.filter(kind=BULK_FILE, parameters=parameters).update(result=result)


register_job(BULK_RUN, _work_as_job, "Bulk run")
register_job(BULK_FILE, _load_as_job, "Load a file for a bulk run")
