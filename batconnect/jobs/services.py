"""Start long work, run it in a worker, and take up again what lost its worker.

The `JobRun` row is the truth: the broker only says "look at this job". So a broker that is down, a message
that is lost or delivered twice, and a worker that dies change nothing but the time until the job is done.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models.functions import Now

from batconnect.celery import app
from batconnect.common.errors import BatConnectError
from batconnect.common.models import User

from .models import JobRun
from .progress import JobTakenOver, Progress

ATTEMPTS = 5
RUN_TASK = "batconnect.jobs.tasks.run_job"

logger = logging.getLogger(__name__)


class UnknownJobKind(BatConnectError):
    code, status = "job.unknown_kind", 400
    message = "There is no job named {kind}."


Handler = Callable[[dict[str, Any], User, Progress], dict[str, Any]]


@dataclass(frozen=True)
class JobKind:
    """A registered job: what runs it and what people call it."""

    kind: str
    handler: Handler
    label: str


_kinds: dict[str, JobKind] = {}

# One worker wins; `attempts` is the token by which all later writes of a worker are known to be its own.
_CLAIM = """
UPDATE job_run
   SET status = 'RUNNING', attempts = attempts + 1, step = '', done = 0, total = 0,
       started_at = coalesce(started_at, statement_timestamp()), heartbeat_at = statement_timestamp()
 WHERE id = %(job)s AND attempts < %(attempts)s
   AND (status = 'PENDING'
        OR status = 'RUNNING' AND heartbeat_at < statement_timestamp() - interval '60 seconds')
RETURNING attempts
"""
_GIVE_UP = """
UPDATE job_run
   SET status = 'FAILED', ended_at = statement_timestamp(), error_code = 'job.gave_up', error = %(error)s
 WHERE attempts >= %(attempts)s
   AND (status = 'PENDING'
        OR status = 'RUNNING' AND heartbeat_at < statement_timestamp() - interval '60 seconds')
RETURNING id
"""
# A waiting job's heartbeat is the last time a worker was asked to take it.
_DUE = """
UPDATE job_run
   SET heartbeat_at = CASE WHEN status = 'PENDING' THEN statement_timestamp() ELSE heartbeat_at END
 WHERE status = 'PENDING'
       AND coalesce(heartbeat_at, created_at) < statement_timestamp() - interval '30 seconds'
    OR status = 'RUNNING' AND heartbeat_at < statement_timestamp() - interval '60 seconds'
RETURNING id
"""
_GAVE_UP = (
    "The job was started {attempts} times and its worker was lost each time, so it was given up. "
    "What was finished is kept; it can be started again."
)
_UNEXPECTED = (
    "The job stopped on an error nobody foresaw. What was not finished was not kept, and the job can be "
    "started again. The technical details are in the server's log, under job {job}."
)


def register_job(kind: str, handler: Handler, label: str) -> None:
    """Announce a job; called when the module that owns it is imported. Handlers must be idempotent."""
    _kinds[kind] = JobKind(kind=kind, handler=handler, label=label)


def kind_label(kind: str) -> str:
    registered = _kinds.get(kind)
    return registered.label if registered else kind.replace("_", " ").capitalize()


@transaction.atomic
def start_job(*, kind: str, parameters: Mapping[str, Any], actor: User) -> JobRun:
    """Record a job and have a worker take it once this transaction is through.

    While an equal job (kind and parameters) is waiting or running, that one is returned: a second click
    starts nothing. Raises UnknownJobKind.
    """
    if kind not in _kinds:
        raise UnknownJobKind(kind=kind)
    plain = json.loads(json.dumps(dict(parameters), cls=DjangoJSONEncoder, sort_keys=True))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
            [f"job_run {kind} {json.dumps(plain, sort_keys=True)}"],
        )
    live = JobRun.objects.filter(
        kind=kind, parameters=plain, status__in=[JobRun.Status.PENDING, JobRun.Status.RUNNING]
    ).first()
    if live is not None:
        return live
    job = JobRun.objects.create(kind=kind, parameters=plain, started_by=actor)
    transaction.on_commit(lambda: dispatch(job_id=job.pk))
    return job


def dispatch(*, job_id: UUID) -> None:
    """Ask for a worker. A broker that is down is only logged: the sweeper asks again."""
    try:
        app.send_task(RUN_TASK, args=[str(job_id)], retry=False)
    except Exception:
        logger.warning("job %s waits: the broker could not be reached", job_id, exc_info=True)


def run_job(*, job_id: UUID) -> bool:
    """Claim the job and run it to its end; False when it was not there to take. Never raises for the job."""
    attempt = _claim(job_id)
    if attempt is None:
        return False
    job = JobRun.objects.select_related("started_by").get(pk=job_id)
    try:
        with Progress(job_id=job_id, attempt=attempt) as progress:
            if attempt > 1:
                progress.log(f"Taken up again (attempt {attempt} of {ATTEMPTS}).")
            result = _handler(job.kind)(job.parameters, job.started_by, progress)
    except JobTakenOver:
        logger.warning("job %s was taken over from this worker", job_id)
    except BatConnectError as error:
        _finish(job_id, attempt, status=JobRun.Status.FAILED, error_code=error.code, error=str(error))
    except (OperationalError, InterfaceError):
        # The database went away or two runs met: not the job's fault, so the sweeper tries it again.
        logger.warning("job %s lost its database; it will be tried again", job_id, exc_info=True)
        connection.close_if_unusable_or_obsolete()
        _hand_back(job_id, attempt)
    except Exception:
        logger.exception("job %s (%s) failed", job_id, job.kind)
        _finish(
            job_id,
            attempt,
            status=JobRun.Status.FAILED,
            error_code="job.unexpected",
            error=_UNEXPECTED.format(job=job_id),
        )
    else:
        plain = json.loads(json.dumps(result, cls=DjangoJSONEncoder))
        _finish(job_id, attempt, status=JobRun.Status.SUCCEEDED, result=plain, error_code="", error="")
    return True


def sweep_jobs() -> int:
    """Ask for a worker for every job that waits too long or lost its own; give up after five attempts."""
    with connection.cursor() as cursor:
        cursor.execute(_GIVE_UP, {"attempts": ATTEMPTS, "error": _GAVE_UP.format(attempts=ATTEMPTS)})
        cursor.execute(_DUE)
        due = [row[0] for row in cursor.fetchall()]
    for job_id in due:
        transaction.on_commit(lambda job_id=job_id: dispatch(job_id=job_id))  # type: ignore[misc]
    return len(due)


def _claim(job_id: UUID) -> int | None:
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"job": job_id, "attempts": ATTEMPTS})
        row = cursor.fetchone()
    return row[0] if row else None


def _handler(kind: str) -> Handler:
    if kind not in _kinds:
        raise UnknownJobKind(kind=kind)
    return _kinds[kind].handler


def _finish(job_id: UUID, attempt: int, **values: Any) -> None:
    JobRun.objects.filter(pk=job_id, attempts=attempt, status=JobRun.Status.RUNNING).update(
        ended_at=Now(), **values
    )


def _hand_back(job_id: UUID, attempt: int) -> None:
    try:
        JobRun.objects.filter(pk=job_id, attempts=attempt, status=JobRun.Status.RUNNING).update(
            status=JobRun.Status.PENDING
        )
    except (OperationalError, InterfaceError):
        logger.warning("job %s stays as it is until its heartbeat is stale", job_id)
