"""Rows of reconciliation as the endpoints answer them."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Count, Q

from ledger.selectors.journal import je_number

from ..models import ReconJob, ReconLog, ReconMatch
from ..selectors.exceptions import notes_of, open_exceptions, partner_logs
from ..selectors.summaries import job_answer, money_text
from ..services.rules import line_key


def log_row(log: ReconLog) -> dict[str, Any]:
    decimals = log.job.source.currency.exponent
    return {
        "log_id": log.pk,
        "job_id": log.job_id,
        "source": log.job.source.name,
        "date": log.job.date,
        "side": log.side,
        "key": log.key,
        "amount": money_text(log.amount, decimals),
        "currency": log.currency,
        "occurred_at": log.occurred_at,
        "reference": log.reference,
        "description": log.description,
        "outcome": log.outcome,
        "rule": log.rule,
        "score": None if log.score is None else f"{log.score.normalize():f}",
        "reasons": log.reasons,
        "partners": log.partners,
        "nearest": log.nearest,
        "failed": log.failed,
        "difference": money_text(log.difference, decimals),
        "delay_seconds": log.delay,
        "waiting": log.waiting,
        "age_days": log.age_days,
    }


def exception_detail(log: ReconLog, *, turned_down: bool) -> dict[str, Any]:
    candidates = partner_logs(log)
    for one in candidates:
        one.job = log.job
    return {
        **log_row(log),
        "turned_down": turned_down,
        "candidates": [log_row(one) for one in candidates],
        "notes": [
            {"text": note.text, "created_by": note.created_by.username, "created_at": note.created_at}
            for note in notes_of(log)
        ],
    }


def summaries(jobs: Sequence[ReconJob]) -> list[dict[str, Any]]:
    open_now = {
        row["job_id"]: row
        for row in open_exceptions([job.pk for job in jobs])
        .order_by()
        .values("job_id")
        .annotate(late=Count("pk", filter=Q(waiting=False)), wait=Count("pk", filter=Q(waiting=True)))
    }
    none = {"late": 0, "wait": 0}
    return [
        {
            **job_answer(job),
            "open_exceptions": open_now.get(job.pk, none)["late"],
            "waiting": open_now.get(job.pk, none)["wait"],
        }
        for job in jobs
    ]


def match_answer(match: ReconMatch) -> dict[str, Any]:
    rows = list(match.rows.select_related("external_row"))
    return {
        "match_id": match.pk,
        "status": match.status,
        "rule": match.rule,
        "score": None if match.score is None else f"{match.score.normalize():f}",
        "difference": money_text(match.difference, match.source.currency.exponent),
        "external": [row.external_row.external_id for row in rows if row.external_row is not None],
        "ledger": [line_key(row.line_id, row.line_date) for row in rows if row.line_id is not None],
        "je_number": je_number(match.entry_id, match.entry_date)
        if match.entry_id and match.entry_date
        else None,
        "note": match.note,
    }
