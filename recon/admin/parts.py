"""Pieces that several screens of reconciliation show."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.http import HttpRequest

from batconnect.common.models import AuditEntry
from batconnect.common.screens import Cell, Table, admin_url, moment, money, money_cell
from ledger.selectors.journal import entries_numbered

from ..models import ReconJob, ReconLog, Side
from ..selectors.summaries import money_text

JOB_TONES = {"PENDING": "info", "RUNNING": "warning", "COMPLETED": "success", "FAILED": "danger"}
OUTCOME_TONES = {"matched": "success", "suggested": "info", "ambiguous": "warning", "unmatched": "danger"}
MATCH_TONES = {"ACTIVE": "success", "UNDONE": "warning", "SUPERSEDED": "info", "REJECTED": "danger"}
MOST_CANDIDATES = 4
FAILURES = {
    "currency": "another currency",
    "account": "another account",
    "sign": "money the other way",
    "amount": "amount too far off",
    "time": "too long between",
    "text": "nothing in common",
    "score": "not alike enough",
    "taken": "has a better partner",
    "contested": "one of several",
    "nothing": "the other side is empty",
    "rejected": "rejected by a person",
    "reference": "another reference",
}


def shown_money(value: Decimal | None) -> str:
    """As everywhere, with more decimals only where there are any."""
    if value is None:
        return money(None)
    text = money_text(value) or ""
    places = len(text.partition(".")[2])
    return f"{value:,.{places}f}".replace("-", "\N{MINUS SIGN}")


def failure_words(failed: str) -> str:
    return ", ".join(FAILURES.get(name, name) for name in failed.split(",") if name) or "–"


def score_text(score: Decimal | None) -> str:
    return "–" if score is None else f"{score:.2f}"


def key_cell(log: ReconLog) -> Cell:
    """A row's name; a journal line leads to its entry."""
    if log.side == Side.LEDGER:
        return line_cell(log.key)
    return Cell(log.key)


def line_cell(key: str) -> Cell:
    entry = entries_numbered(key.partition("/")[0]).first()
    return Cell(key, admin_url(entry) if entry is not None else "")


def side_by_side(log: ReconLog, candidates: Sequence[ReconLog]) -> Table:
    """A row and what it may belong to, field by field."""
    rows = [log, *candidates[:MOST_CANDIDATES]]
    other = "ledger" if log.side == Side.EXTERNAL else "outside"
    heading = "Suggested" if log.partners else "Nearest"
    titles = ["This row", *(f"{heading} in {other}" for _ in rows[1:])]

    def money_look(one: ReconLog) -> str:
        return "" if one is log or one.amount == log.amount else "warn"

    told = [
        [Cell("Name"), *(key_cell(one) for one in rows)],
        [Cell("Amount"), *(Cell(shown_money(one.amount), look=money_look(one)) for one in rows)],
        [Cell("When"), *(Cell(moment(one.occurred_at)) for one in rows)],
        [Cell("Reference"), *(Cell(one.reference or "–") for one in rows)],
        [Cell("Description"), *(Cell(one.description or "–") for one in rows)],
        [Cell("Ended as"), *(Cell(one.get_outcome_display()) for one in rows)],
    ]
    more = len(candidates) - MOST_CANDIDATES
    together = shown_money(sum((one.amount for one in candidates), Decimal(0)))
    note = f"And {more:,} more; all of them together come to {together}." if more > 0 else ""
    return Table("Side by side", ["", *titles], told, note=note)


def exceptions_table(logs: Sequence[ReconLog], total: int, more: str) -> Table:
    rows = [
        [
            Cell(log.key, admin_url(log)),
            Cell(log.get_side_display()),
            money_cell(log.amount),
            Cell(log.description or log.reference or "–", look="long"),
            Cell(log.get_outcome_display()),
            Cell(score_text(log.score)),
            Cell("may still come" if log.waiting else (failure_words(log.failed) if log.failed else "–")),
            Cell(f"{log.age_days} d", look="warn" if log.age_days > 7 else ""),
        ]
        for log in logs
    ]
    return Table(
        "What needs a person",
        ["Row", "Side", "#Amount", "Description", "Ended as", "Score", "Why", "Age"],
        rows,
        empty="Nothing is open.",
        more=Cell(f"All {total:,}", more) if total > len(rows) else None,
    )


def counts_table(job: ReconJob) -> Table:
    names = ("rows", "matched", "suggested", "ambiguous", "unmatched", "waiting")
    rows = [
        [Cell(label), *(Cell(f"{job.counts[side].get(name, 0):,}", look="money") for name in names)]
        for side, label in (("external", "Outside"), ("ledger", "Ledger"))
        if side in job.counts
    ]
    headers = ["Side", "#Rows", "#Matched", "#Suggested", "#Ambiguous", "#Unmatched", "#May still come"]
    return Table("How the rows ended", headers, rows, empty="It has not come to that.")


def audit_table(subject: str) -> Table:
    entries = AuditEntry.objects.filter(subject=subject).select_related("actor").order_by("-id")[:20]
    rows = [[Cell(moment(one.at)), Cell(str(one.actor)), Cell(one.action, admin_url(one))] for one in entries]
    return Table("Audit trail", ["When", "Who", "What"], rows)


def may(request: HttpRequest, permission: str) -> bool:
    return bool(request.user.has_perm(f"recon.{permission}"))


def actor_of(request: HttpRequest) -> Any:
    return request.user
