"""Reconciling a source for a date: read, load, match, log, in one transaction; or start that in the background.

A run that finds everything as the last one of its date left it writes nothing. One that finds something new
supersedes it: what both matched stays, the rest is matched anew, and the logs of both are kept.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from batconnect.common import audit
from batconnect.common.errors import BatConnectError
from batconnect.common.models import User
from batconnect.common.transactions import money_transaction
from batconnect.jobs.models import JobRun
from batconnect.jobs.services import start_job

from ..models import ReconJob, ReconSource
from ..selectors.rows import Population, population
from ..sources import Feed, Statement, get_adapter
from .alerts import alert_after
from .errors import ReconError, UnknownSource
from .files import Given, import_file, uploaded_file, usual_file
from .loading import Loaded, load
from .locking import hold_source
from .results import rejected_pairs, write_results
from .rules import SIDE_COLUMNS, match_population, rule_of
from .settlements import enter_settlements

JOB = "run_recon"
LOST = "Its worker was lost. Nothing was kept; it can be run again."
Telling = Callable[[str], Any]


class AtWork(ReconError):
    code, status = "recon.at_work", 409
    message = "{source} is being reconciled for {date} already."


class SourceInactive(ReconError):
    code, status = "recon.inactive", 409
    message = "{source} is not in use; switch it on first."


class DatedAhead(ReconError):
    code, status = "recon.dated_ahead", 400
    message = "{date} has not come yet; a day is reconciled once it is there."


@dataclass(frozen=True)
class _Input:
    """What a run was given to read; no statement where there was no file and none was needed."""

    statement: Statement | None
    file: Given | None


class _Unchanged(Exception):
    """Everything is as this job left it: undo what was prepared."""

    def __init__(self, job: ReconJob) -> None:
        super().__init__()
        self.job = job


def find_source(name: str) -> ReconSource:
    """Raises UnknownSource."""
    source = ReconSource.objects.select_related("currency", "model").filter(name=name).first()
    if source is None:
        raise UnknownSource(source=name[:60])
    return source


def run_recon(
    *,
    source: ReconSource,
    on: date,
    actor: User,
    file: Given | None = None,
    job: ReconJob | None = None,
    progress: Telling = lambda step: None,
) -> ReconJob:
    """Reconcile a source for a day. Returns the job in force: a new one, or the last where nothing changed.

    file: what to read; without one, the source's usual file, or its API. job: one that waits, from `start_recon`.
    Raises SourceInactive, NoFile, FileNotAllowed, SourceError, WrongRows, MonthIsArchived, AtWork; such a failure is
    kept as a FAILED job, and nothing else of it is. Source: seeds, recon engine.
    """
    if not source.active:
        raise SourceInactive(source=source.name)
    try:
        progress("Reading")
        given = _read(source, on, file)
        if job is not None:
            ReconJob.objects.filter(pk=job.pk).update(status=ReconJob.Status.RUNNING, started_at=Now())
        return _carry_out(source=source, on=on, actor=actor, given=given, waiting=job, progress=progress)
    except _Unchanged as unchanged:
        if job is not None:
            _close_repeated(job, unchanged.job)
        return unchanged.job
    except BatConnectError as error:
        if not isinstance(error, AtWork):
            _fail(source, on, actor, job, error, file)
        raise


def start_recon(
    *, source: ReconSource, on: date, actor: User, file_path: str = "", upload: str = "", today: date
) -> tuple[ReconJob, JobRun]:
    """Have a source reconciled by a worker; the job waits until one has time.

    file_path: below the import folder. upload: the token of a received file. Raises AtWork, SourceInactive,
    DatedAhead, NoFile, FileNotAllowed, UploadGone.
    """
    if not source.active:
        raise SourceInactive(source=source.name)
    if on > today:
        raise DatedAhead(date=on)
    if upload:
        uploaded_file(upload)
    elif file_path:
        import_file(file_path)
    else:
        usual_file(source, on)
    with transaction.atomic():
        _give_up_lost(source, on)
        job = _new_job(source, on, actor, status=ReconJob.Status.PENDING)
        parameters = {
            "job": job.pk, "source": source.name, "date": on, "file_path": file_path, "upload": upload,
        }  # fmt: skip
        return job, start_job(kind=JOB, parameters=parameters, actor=actor)


def run_started(
    *, job: ReconJob, file_path: str, upload: str, progress: Telling = lambda step: None
) -> ReconJob:
    """What a worker does with a job that waits; a job that has ended is left alone."""
    if job.status not in (ReconJob.Status.PENDING, ReconJob.Status.RUNNING):
        return job
    try:
        file = uploaded_file(upload) if upload else import_file(file_path) if file_path else None
    except BatConnectError as error:
        _fail(job.source, job.date, job.started_by, job, error, None)
        raise
    return run_recon(
        source=job.source, on=job.date, actor=job.started_by, file=file, job=job, progress=progress
    )


def _read(source: ReconSource, on: date, file: Given | None) -> _Input:
    adapter = get_adapter(source.adapter)
    file = file or usual_file(source, on)
    if file is None and adapter.reads_files:
        return _Input(None, None)
    feed = Feed(
        mapping=source.mapping,
        currency=source.currency.code,
        decimals=source.currency.exponent,
        on=on,
        path=file.path if file else None,
    )
    adapter.check(source.mapping)
    return _Input(adapter.read(feed), file)


@money_transaction
def _carry_out(
    *, source: ReconSource, on: date, actor: User, given: _Input, waiting: ReconJob | None, progress: Telling
) -> ReconJob:
    hold_source(source.pk)
    if waiting is None:
        _give_up_lost(source, on)
    job = waiting or _new_job(source, on, actor, status=ReconJob.Status.RUNNING)
    progress("Loading")
    loaded = load(given.statement, job) if given.statement is not None else Loaded(0, 0)
    enter_settlements(job, actor)
    rows = population(source, on)
    rejected = rejected_pairs(job)
    model = rule_of(source)
    fingerprint = _fingerprint(rows, rejected, source, model.version)
    current = _in_force(source, on)
    if current is not None and current.fingerprint == fingerprint:
        raise _Unchanged(current)
    progress("Matching")
    result = match_population(rows, model)
    progress("Writing")
    written = write_results(job, rows, result, rejected)
    if current is not None:
        ReconJob.objects.filter(pk=current.pk).update(superseded_by=job)
    counts = {**written.counts, "new_rows": loaded.new, "repeated_rows": loaded.again}
    ReconJob.objects.filter(pk=job.pk).update(
        status=ReconJob.Status.COMPLETED,
        file_name=given.file.name[-255:] if given.file else "",
        file_sha256=given.file.sha256 if given.file else "",
        counts=counts,
        external_total=written.external_total,
        ledger_total=written.ledger_total,
        variance=written.external_total - written.ledger_total,
        oldest_unmatched=written.oldest_unmatched,
        model_version=model.version,
        fingerprint=fingerprint,
        ended_at=Now(),
    )
    job = ReconJob.objects.select_related("source").get(pk=job.pk)
    audit.record(
        actor=actor,
        action="recon.completed",
        subject=f"recon_job:{job.pk}",
        after={"source": source.name, "date": str(on), "variance": str(job.variance), **counts},
    )
    alert_after(job)
    return job


def _new_job(source: ReconSource, on: date, actor: User, *, status: str) -> ReconJob:
    started = Now() if status == ReconJob.Status.RUNNING else None
    try:
        with transaction.atomic():
            return ReconJob.objects.create(
                source=source, date=on, status=status, started_by=actor, started_at=started
            )
    except IntegrityError as error:
        raise AtWork(source=source.name, date=on) from error


def _give_up_lost(source: ReconSource, on: date) -> None:
    """A job that waits or runs without a worker behind it is ended, so that another can be started."""
    for job in ReconJob.objects.filter(source=source, date=on, status__in=["PENDING", "RUNNING"]):
        live = JobRun.objects.filter(
            kind=JOB, parameters__job=job.pk, status__in=[JobRun.Status.PENDING, JobRun.Status.RUNNING]
        )
        if not live.exists():
            ReconJob.objects.filter(pk=job.pk).update(
                status=ReconJob.Status.FAILED, error_code="recon.lost", error=LOST, ended_at=Now()
            )


def _in_force(source: ReconSource, on: date) -> ReconJob | None:
    return ReconJob.objects.filter(
        source=source, date=on, status=ReconJob.Status.COMPLETED, superseded_by=None, repeats=None
    ).first()


def _fingerprint(rows: Population, rejected: set[tuple[str, str]], source: ReconSource, version: str) -> str:
    """Of all that a result follows from."""
    digest = hashlib.sha256(f"{version} {source.currency_id} {source.reversed_sign}".encode())
    for side in (rows.ledger, rows.external):
        told = side.sort("key").select(*SIDE_COLUMNS, "decided")
        # As text, in a fixed way of writing times, some thousand rows at a time.
        for part in told.iter_slices(50_000):
            digest.update(
                part.write_csv(include_header=False, datetime_format="%Y-%m-%dT%H:%M:%S%.6f").encode()
            )
        digest.update(b"\0")
    digest.update(json.dumps(sorted(rejected)).encode())
    return digest.hexdigest()


def _close_repeated(job: ReconJob, current: ReconJob) -> None:
    ReconJob.objects.filter(pk=job.pk).update(
        status=ReconJob.Status.COMPLETED,
        repeats=current,
        counts=current.counts,
        external_total=current.external_total,
        ledger_total=current.ledger_total,
        variance=current.variance,
        oldest_unmatched=current.oldest_unmatched,
        model_version=current.model_version,
        fingerprint=current.fingerprint,
        ended_at=Now(),
    )


@transaction.atomic
def _fail(
    source: ReconSource,
    on: date,
    actor: User,
    job: ReconJob | None,
    error: BatConnectError,
    file: Given | None,
) -> None:
    """Keep that it failed, and of what; the failure itself wrote nothing."""
    job = job or _new_job(source, on, actor, status=ReconJob.Status.PENDING)
    ReconJob.objects.filter(pk=job.pk).update(
        status=ReconJob.Status.FAILED,
        error_code=error.code,
        error=str(error),
        file_name=file.name[-255:] if file else "",
        ended_at=Now(),
    )
    audit.record(
        actor=actor,
        action="recon.failed",
        subject=f"recon_job:{job.pk}",
        after={"source": source.name, "date": str(on), "error": error.code, "message": str(error)},
    )
