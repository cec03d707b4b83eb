"""Reconciliation in the background: the job a person starts, and the hour at which sources are reconciled daily.

And the hourly fetch of trips from the card processor.
"""

import logging
from datetime import date, datetime, timedelta
from typing import Any

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from batconnect.common.audit import system_user
from batconnect.common.errors import BatConnectError
from batconnect.common.models import User
from batconnect.common.weeks import NEW_YORK, local_date
from batconnect.jobs.models import JobRun
from batconnect.jobs.progress import Progress
from batconnect.jobs.services import register_job, start_job

from .models import ReconJob, ReconSource
from .selectors.fetches import fetch_answer
from .services.curb_fetches import fetch_trips
from .services.runs import JOB, run_started, start_recon

FETCH = "fetch_curb"

logger = logging.getLogger(__name__)


@shared_task(name="recon.tasks.run_due_sources")
def run_due_sources() -> list[str]:
    """Every hour: start the reconciliation of yesterday for each source whose hour it is."""
    return start_due(timezone.now().astimezone(NEW_YORK).hour, today=local_date(timezone.now()))


def start_due(hour: int, *, today: date) -> list[str]:
    """Names of the sources started. One that cannot be started is logged, and the others are."""
    started = []
    for source in ReconSource.objects.filter(active=True, schedule_hour=hour).select_related(
        "currency", "model"
    ):
        try:
            start_recon(source=source, on=today - timedelta(days=1), actor=system_user(), today=today)
        except BatConnectError as error:
            logger.warning("reconciliation of %s was not started: %s", source.name, error)
        else:
            started.append(source.name)
    return started


def _run(parameters: dict[str, Any], actor: User, progress: Progress) -> dict[str, Any]:
    job = ReconJob.objects.select_related("source__currency", "source__model", "started_by").get(
        pk=parameters["job"]
    )
    done = run_started(
        job=job, file_path=parameters["file_path"], upload=parameters["upload"], progress=progress
    )
    return {"source": job.source.name, "date": job.date, "variance": str(done.variance), **done.counts}


@shared_task(name="recon.tasks.fetch_curb_trips")
def fetch_curb_trips() -> str:
    """Every hour: start a fetch of trips; empty where no address is set."""
    return str(start_fetch(actor=system_user()).pk) if settings.CURB_TRIPS_URL else ""


def start_fetch(*, actor: User, begin: datetime | None = None, end: datetime | None = None) -> JobRun:
    """Have a worker fetch trips; an equal fetch that waits or runs is returned instead."""
    return start_job(kind=FETCH, parameters={"from": begin, "to": end}, actor=actor)


def _fetch(parameters: dict[str, Any], actor: User, progress: Progress) -> dict[str, Any]:
    begin, end = (parameters[name] and datetime.fromisoformat(parameters[name]) for name in ("from", "to"))
    fetch = fetch_trips(actor=actor, now=timezone.now(), begin=begin, end=end, progress=progress)
    return fetch_answer(fetch)


register_job(JOB, _run, "Reconciliation")
register_job(FETCH, _fetch, "Fetch trips from the processor")
