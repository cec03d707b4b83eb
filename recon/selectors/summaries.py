"""Jobs as the API, the command line and the screens tell them."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from ..models import ReconJob

CENT = Decimal("0.01")


def money_text(value: Decimal | None, decimals: int = 2) -> str | None:
    """With the currency's decimals, or as many as the value needs beyond."""
    if value is None:
        return None
    plain = value.normalize()
    exponent = plain.as_tuple().exponent
    places = max(decimals, -exponent if isinstance(exponent, int) else 0)
    return f"{value:.{places}f}"


def jobs_of(on: date, source: str = "") -> Sequence[ReconJob]:
    """The last job of each source for a day, as it stands: at work, failed, or in force."""
    jobs = ReconJob.objects.filter(date=on).select_related("source__currency").order_by("source__name", "-id")
    if source:
        jobs = jobs.filter(source__name=source)
    return list(jobs.distinct("source__name"))


def job_in_force(on: date, source: str) -> ReconJob | None:
    """The completed job of a source and day that none superseded."""
    return (
        ReconJob.objects.filter(
            source__name=source, date=on, status=ReconJob.Status.COMPLETED, superseded_by=None, repeats=None
        )
        .select_related("source__currency")
        .first()
    )


def job_answer(job: ReconJob) -> dict[str, Any]:
    """A job as JSON-ready values."""
    decimals = job.source.currency.exponent
    return {
        "job_id": job.pk,
        "source": job.source.name,
        "date": str(job.date),
        "status": job.status,
        "error": {"code": job.error_code, "message": job.error} if job.error else None,
        "file_name": job.file_name,
        "currency": job.source.currency_id,
        "counts": job.counts,
        "external_total": money_text(job.external_total, decimals),
        "ledger_total": money_text(job.ledger_total, decimals),
        "variance": money_text(job.variance, decimals),
        "oldest_unmatched": str(job.oldest_unmatched) if job.oldest_unmatched else None,
        "model_version": job.model_version,
        "started_at": job.started_at.isoformat() if job.started_at else None,
        "ended_at": job.ended_at.isoformat() if job.ended_at else None,
    }
