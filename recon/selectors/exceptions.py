"""What needs a person: rows of jobs in force that are in no active match, and what was said of them."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from ..models import (
    CurbSettlement,
    Outcome,
    ReconJob,
    ReconLog,
    ReconMatchRow,
    ReconNote,
    ReconSource,
    SettlementStatus,
)

LATE = "late"


def jobs_in_force(source: ReconSource | None = None) -> QuerySet[ReconJob]:
    """The last completed job of each source; earlier dates are in it, as far as they are open."""
    jobs = ReconJob.objects.filter(
        status=ReconJob.Status.COMPLETED, superseded_by=None, repeats=None
    ).order_by("source_id", "-date", "-id")
    if source is not None:
        jobs = jobs.filter(source=source)
    return jobs.distinct("source_id")


def open_exceptions(job_ids: Sequence[int] | None = None) -> QuerySet[ReconLog]:
    """Logs whose row has no partner yet; of the last job of each source, unless said otherwise.

    `turned_down`: a person rejected what was suggested for it. Settlements that were dismissed or taken back need
    nobody any more.
    """
    jobs = list(jobs_in_force().values_list("pk", flat=True)) if job_ids is None else list(job_ids)
    of_row = Q(side="external", external_row_id=OuterRef("external_row_id")) | Q(
        side="ledger", line_id=OuterRef("line_id")
    )
    held = ReconMatchRow.objects.filter(of_row, active=True)
    settlements: Any = CurbSettlement.objects.with_status()
    gone = settlements.filter(
        external_row_id=OuterRef("external_row_id"),
        status__in=[SettlementStatus.DISMISSED, SettlementStatus.REVERSED],
    )
    turned_down = ReconMatchRow.objects.filter(
        of_row, match__status="REJECTED", match__source=OuterRef("job__source_id")
    )
    return (
        ReconLog.objects.filter(job_id__in=jobs)
        .exclude(outcome=Outcome.MATCHED)
        .filter(~Exists(held), ~Exists(gone))
        .annotate(turned_down=Exists(turned_down), source_name=F("job__source__name"))
    )


def notes_of(log: ReconLog) -> QuerySet[ReconNote]:
    return ReconNote.objects.filter(source=log.job.source_id, side=log.side, key=log.key).select_related(
        "created_by"
    )


def partner_logs(log: ReconLog) -> list[ReconLog]:
    """The rows that a row is suggested with, or comes nearest to, in the same job."""
    other = "ledger" if log.side == "external" else "external"
    keys = log.partners or ([log.nearest] if log.nearest else [])
    found = {one.key: one for one in ReconLog.objects.filter(job_id=log.job_id, side=other, key__in=keys)}
    return [found[key] for key in keys if key in found]


def precision_by_score(source: ReconSource) -> list[dict[str, Any]]:
    """Of what people decided, how much they accepted, by score in tenths; help for choosing a threshold."""
    from django.db import connection

    query = """
    SELECT floor(m.score * 10) / 10 AS score, count(*) FILTER (WHERE m.status <> 'REJECTED') AS accepted,
           count(*) FILTER (WHERE m.status = 'REJECTED') AS rejected
      FROM recon_match m
     WHERE m.source_id = %s AND m.score IS NOT NULL AND m.decided_by_id IS NOT NULL AND m.status <> 'UNDONE'
     GROUP BY 1 ORDER BY 1 DESC
    """
    with connection.cursor() as cursor:
        cursor.execute(query, [source.pk])
        return [
            {
                "score": score, "accepted": accepted, "rejected": rejected,
                "precision": round(accepted / (accepted + rejected), 3),
            }
            for score, accepted, rejected in cursor.fetchall()
        ]  # fmt: skip
