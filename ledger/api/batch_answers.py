"""Bulk runs, their uploads and jobs as the API answers them; the shapes are in `batch_schemas`."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone

from batconnect.common.idempotency import Answer
from batconnect.jobs.models import JobRun
from ledger.batch_jobs import Started, job_of

from ..models import JournalRun, RunState
from ..selectors.batch_standing import Standing, standing
from ..selectors.batches import run_effect, run_progress, run_timings

_MOMENTS = ("staged_at", "validated_at", "posted_at")


def started(done: Started) -> Answer:
    """A run whose job is asked for."""
    return Answer(
        202,
        {
            "run_id": done.run.pk,
            "upload_id": None,
            "job_id": done.job.pk,
            "state": done.run.state,
            "message": f"Run {done.run.pk} of {done.run.source_rows:,} rows is taken up as soon as a worker is free.",
        },
    )


def received(job: JobRun) -> Answer:
    """A file whose loading is asked for."""
    return Answer(
        202,
        {
            "run_id": None,
            "upload_id": job.pk,
            "job_id": job.pk,
            "state": RunState.PENDING,
            "message": "The file is received. It is loaded, and its run planned, as soon as a worker is free.",
        },
    )


def run_row(run: JournalRun) -> dict[str, Any]:
    """A run of `with_standing`, as `BatchRow`."""
    return {
        "run_id": run.pk,
        "pack": run.pack,
        "origin": run.origin,
        "month": run.month and f"{run.month:%Y-%m}",
        "import_batch": run.import_batch_id,
        "file_name": run.import_batch.file_name if run.import_batch else None,
        "state": run.state,
        "standing": standing(run).name,
        "dry_run": run.dry_run,
        "accept_valid": run.accept_valid,
        "reverses_run": run.reverses_run_id,
        "source_rows": run.source_rows,
        "entries": run.entries,
        "lines": run.lines,
        "rejects": run.rejects,
        "skipped": run.skipped,
        "debits": _sum(run.debits),
        "error": {"code": run.error_code, "message": run.error} if run.error_code else None,
        "reason": run.reason,
        "started_by_name": run.started_by.username,
        "created_at": timezone.localtime(run.created_at),
        "ended_at": _local(run.ended_at),
    }


def run_detail(run: JournalRun) -> dict[str, Any]:
    """A run of `with_standing`, as `BatchDetail`."""
    now = run_progress(run)
    job = job_of(run.pk)
    mirror = run.reversals.filter(state=RunState.POSTED).values_list("pk", flat=True).first()
    return {
        **run_row(run),
        "large": run.large,
        "reversed_by": mirror,
        **{name: _local(getattr(run, name)) for name in _MOMENTS},
        "progress": {
            "step": now["step"],
            "done": now["done"],
            "total": now["total"],
            "percent": percent_of(now),
            "shards": now["shards"],
        },
        "job": job_progress(job) if job else None,
        "layers": {name: _plain(totals) for name, totals in run.layers.items() if name != "effect"},
        "timings": run_timings(run),
        "effect": _effect(run),
    }


def upload_detail(job: JobRun) -> dict[str, Any]:
    """The job that loads a file, as `BatchUpload`."""
    result = job.result or {}
    failed = (job.error_code, job.error) if job.error_code else (result.get("code"), result.get("message"))
    return {
        "upload_id": job.pk,
        **{name: job.parameters[name] for name in ("pack", "dry_run", "accept_valid")},
        "job": job_progress(job),
        "error": {"code": failed[0], "message": failed[1]} if failed[0] else None,
        **{name: result.get(name) for name in ("import_batch", "rows", "accepted", "rejected", "duplicates")},
        "run_id": result.get("run"),
        "created_at": timezone.localtime(job.created_at),
    }


def job_progress(job: JobRun) -> dict[str, Any]:
    return {
        "job_id": job.pk,
        "status": job.status,
        "step": job.step,
        "done": job.done,
        "total": job.total,
        "percent": 100 if job.status == JobRun.Status.SUCCEEDED else job.percent,
        "attempts": job.attempts,
    }


def percent_of(progress: dict[str, Any]) -> int:
    return int(progress["done"] * 100 // progress["total"]) if progress["total"] else 0


def _effect(run: JournalRun) -> list[dict[str, Any]] | None:
    if standing(run) not in (Standing.POSTED, Standing.REVERSED, Standing.TRIED):
        return None
    return [
        {**row, "debits": _sum(row["debits"]), "credits": _sum(row["credits"])} for row in run_effect(run)
    ]


def _sum(value: Decimal) -> str:
    """All six decimals are kept only where they say something."""
    whole = f"{value:.6f}"
    return whole[:-4] if whole.endswith("0000") else whole


def _plain(totals: dict[str, Any]) -> dict[str, Any]:
    """Totals of any size as text, for a program's numbers end at 2^53."""
    return {name: str(value) for name, value in totals.items()}


def _local(moment: datetime | None) -> datetime | None:
    return timezone.localtime(moment) if moment else None
