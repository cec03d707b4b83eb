"""How bulk runs stand, as people ask: at work, stopped, posted, tried, failed; and which of them need a person."""

from datetime import timedelta
from enum import StrEnum
from typing import Any

from django.db import connection
from django.db.models import BigIntegerField, Exists, OuterRef, Q, QuerySet
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from django.utils import timezone

from batconnect.common import locks
from batconnect.jobs.models import JobRun

from ..models import JournalRun, RunState
from ..models.batches import ENDED

JOB = "bulk_run"  # the kind of a run's job; its parameters are {"run": id}
LIVE = (JobRun.Status.PENDING, JobRun.Status.RUNNING)
RECENT = timedelta(days=7)

_TRIED = Q(state=RunState.VALIDATED, dry_run=True, layers__has_key="effect")
# A worker holds what it is at, whether a job or a command made it one.
_HELD = """
SELECT DISTINCT coalesce(s.run_id, l.objid::bigint)
  FROM pg_locks l
  LEFT JOIN journal_run_shard s ON l.classid::bigint = %(shard)s AND s.id = l.objid::bigint
 WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND l.classid::bigint = ANY(%(kinds)s)
"""


class Standing(StrEnum):
    """What a run is at, or has come to."""

    WAITING = "Waiting for a worker"
    AT_WORK = "At work"
    STOPPED = "Stopped"
    POSTED = "Posted"
    REVERSED = "Reversed"
    TRIED = "Tried"
    FAILED = "Failed"
    DISCARDED = "Discarded"

    @property
    def has_ended(self) -> bool:
        """Whether nothing more comes by itself or by being resumed."""
        return self not in (Standing.WAITING, Standing.AT_WORK, Standing.STOPPED)


def with_standing(runs: QuerySet[JournalRun]) -> QuerySet[Any, Any]:
    """Runs with what `standing` asks of each, in the same query."""
    jobs = JobRun.objects.filter(kind=JOB, status__in=LIVE).annotate(
        run=Cast(KT("parameters__run"), BigIntegerField())
    )
    mirrors = JournalRun.objects.filter(reverses_run=OuterRef("pk"), state=RunState.POSTED)
    return runs.annotate(
        job_waits=Exists(jobs.filter(run=OuterRef("pk"), status=JobRun.Status.PENDING)),
        job_runs=Exists(jobs.filter(run=OuterRef("pk"), status=JobRun.Status.RUNNING)),
        is_reversed=Exists(mirrors),
    )


def standing(run: Any) -> Standing:
    """How a run of `with_standing` stands."""
    if run.state == RunState.POSTED:
        return Standing.REVERSED if run.is_reversed else Standing.POSTED
    if run.state == RunState.FAILED:
        return Standing.FAILED if run.error_code else Standing.DISCARDED
    if run.dry_run and run.state == RunState.VALIDATED and "effect" in run.layers:
        return Standing.TRIED
    if run.job_runs:
        return Standing.AT_WORK
    if run.job_waits:
        return Standing.WAITING
    return Standing.AT_WORK if not run.error_code and run.pk in held_runs() else Standing.STOPPED


def waiting_runs() -> QuerySet[Any, Any]:
    """Runs that stopped half-way and wait for a person: to resume or to discard them."""
    unfinished = with_standing(JournalRun.objects.exclude(state__in=ENDED).exclude(_TRIED))
    return unfinished.filter(job_waits=False, job_runs=False).exclude(error_code="", pk__in=held_runs())


def failed_runs() -> QuerySet[JournalRun]:
    """Runs that failed lately."""
    since = timezone.now() - RECENT
    return JournalRun.objects.filter(state=RunState.FAILED, ended_at__gte=since).exclude(error_code="")


def held_runs() -> set[int]:
    """The runs that a worker is at in this moment."""
    kinds = [locks.BATCH_SHARD, locks.BATCH_RUN, *(locks.BATCH_INDEX + part for part in (1, 2, 3))]
    with connection.cursor() as cursor:
        cursor.execute(_HELD, {"shard": locks.BATCH_SHARD, "kinds": kinds})
        return {run for (run,) in cursor.fetchall()}
