"""Bulk runs as people look at them: how far one is, what it brings to which account, and where an entry comes from."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Count, Sum

from ..models import (
    Account,
    ArchivedMonth,
    BatchAccountTotal,
    EntryHeader,
    EntryLine,
    JournalRun,
    JournalShard,
    RunState,
    SourceRowJournalised,
    SourceTransaction,
)
from ..models.batches import LARGEST_SHARD
from .archives import months_here
from .journal import je_number

STEPS = ("load", "expand", "stage", "validate", "post", "index_1", "index_2", "index_3", "attach")
_DONE_WITH_STAGING = (RunState.VALIDATED, RunState.POSTED)

_EFFECT = """
SELECT a.code AS account, a.name, l.fund, l.currency, sum(l.amount) FILTER (WHERE l.amount > 0) AS debits,
       -sum(l.amount) FILTER (WHERE l.amount < 0) AS credits
  FROM ({lines}) l JOIN chart_of_accounts a ON a.id = l.account_id
 GROUP BY a.code, a.name, l.fund, l.currency
 ORDER BY a.code, l.fund, l.currency
"""
_STAGED = """
SELECT account_id, fund, currency, amount FROM je_line_staging
 WHERE shard_id = ANY(%(shards)s)
"""
_ONLINE = """
SELECT l.account_id, l.fund, l.currency, CASE l.side WHEN 'DR' THEN l.amount ELSE -l.amount END AS amount
  FROM journal_run_shard s
  JOIN ledger_entry_line l ON l.entry_id > s.entry_base AND l.entry_id <= s.entry_base + %(block)s
 WHERE s.run_id = %(run)s AND l.batch_id = 0 AND l.je_date >= %(earliest)s AND l.je_date < %(after)s
"""
_STAGED_LINES = """
SELECT line_number, template_line, account_id, currency, fund, amount FROM je_line_staging
 WHERE shard_id = %s AND entry_id = %s ORDER BY line_number
"""
_SOURCE = "SELECT * FROM txn_source_parent WHERE id = %s AND txn_month = %s"
_WITH_ROWS = """
SELECT m FROM unnest(%s::date[]) m WHERE EXISTS (SELECT FROM txn_source_parent s WHERE s.txn_month = m) ORDER BY m DESC
"""


def run_progress(run: JournalRun) -> dict[str, Any]:
    """How far a run is now: state, shards by state, and of its present `step` the rows `done` of `total`."""
    shards: dict[str, int] = {}
    rows: dict[str, int] = {}
    for state, count, total in run.shards.values_list("state").annotate(Count("id"), Sum("source_rows")):
        shards[state], rows[state] = count, total
    now = JournalRun.objects.get(pk=run.pk)
    total = sum(rows.values())
    step, done = "Staging and validating", sum(rows.get(state, 0) for state in _DONE_WITH_STAGING)
    if now.state == RunState.POSTED:
        step, done = "Posted", total
    elif now.state == RunState.FAILED:
        step = "Failed"
    elif now.state == RunState.VALIDATED and now.dry_run:
        step = "Tried"
    elif now.state == RunState.VALIDATED and now.large:
        done = rows.get(RunState.POSTED, 0)
        step = "Posting" if done < total else "Indexing and attaching"
    elif now.state == RunState.VALIDATED:
        step = "Posting"
    return {
        "run": now.pk,
        "state": now.state,
        "error_code": now.error_code,
        "error": now.error,
        "step": step,
        "done": done,
        "total": total,
        "shards": shards,
        "entries": now.entries,
        "lines": now.lines,
        "rejects": now.reject_rows.count(),
        "seconds": _seconds(now),
    }


def run_timings(run: JournalRun) -> dict[str, float]:
    """Seconds by step, summed over workers; `wall` from planning to the end, `peak_mib` of the largest worker."""
    sums: dict[str, float] = {}
    for timings in run.shards.values_list("timings", flat=True):
        for step, seconds in timings.items():
            sums[step] = sums.get(step, 0.0) + seconds
    known = {**sums, **JournalRun.objects.values_list("timings", flat=True).get(pk=run.pk)}
    ordered = [step for step in STEPS if step in known] + sorted(set(known) - set(STEPS))
    return {step: round(known[step], 3) for step in ordered} | {"wall": _seconds(run)}


def run_effect(run: JournalRun) -> list[dict[str, Any]]:
    """What a run brings to the accounts, as a trial balance: account (code), name, fund, currency, debits, credits.

    Of a run that is not posted, what is staged of it; of a dry run, what would have come.
    """
    if run.dry_run and "effect" in run.layers:
        money = ("debits", "credits")
        return [{**row, **{name: Decimal(row[name]) for name in money}} for row in run.layers["effect"]]
    if run.state != RunState.POSTED:
        return staged_effect(run)
    if run.large:
        return _batch_effect(run)
    months = sorted(date.fromisoformat(month) for shard in run.shards.all() for month in shard.months)
    if not months:
        return []
    after = date(months[-1].year + months[-1].month // 12, months[-1].month % 12 + 1, 1)
    return _effect(_ONLINE, {"run": run.pk, "block": LARGEST_SHARD, "earliest": months[0], "after": after})


def staged_effect(run: JournalRun) -> list[dict[str, Any]]:
    """As `run_effect`, of what is staged."""
    return _effect(_STAGED, {"shards": list(run.shards.values_list("id", flat=True))})


def lineage(entry: EntryHeader) -> dict[str, Any] | None:
    """Where an entry of a bulk run comes from; None for one that was entered online.

    run, shard, source (the source row as a mapping, None once it is archived), lines (of the ledger) and staged (the
    lines as they were staged, none once the staging is dropped).
    """
    shard = (
        JournalShard.objects.select_related("run")
        .filter(entry_base__lt=entry.pk, entry_base__gte=entry.pk - LARGEST_SHARD)
        .first()
    )
    if shard is None:
        return None
    lines = EntryLine.objects.filter(
        entry_id=entry.pk, je_date=entry.je_date, batch_id=entry.batch_id
    ).order_by("line_number")
    source = _rows(_SOURCE, [entry.source_id, shard.txn_month])
    return {
        "run": shard.run,
        "shard": shard,
        "source": source[0] if source else None,
        "lines": list(lines),
        "staged": _rows(_STAGED_LINES, [shard.pk, entry.pk]),
    }


def entry_of_row(row: SourceTransaction) -> str | None:
    """The number of the entry that a source row has; None without one."""
    claim = SourceRowJournalised.objects.filter(pk=row.pk).first()
    return je_number(claim.entry_id, claim.je_date) if claim else None


def months_with_rows() -> list[date]:
    """The months of which there are source rows in the database, newest first."""
    with connection.cursor() as cursor:
        cursor.execute(_WITH_ROWS, [months_here(ArchivedMonth.Kind.SOURCE)])
        return [month for (month,) in cursor.fetchall()]


def _batch_effect(run: JournalRun) -> list[dict[str, Any]]:
    totals = (
        BatchAccountTotal.objects.filter(batch_id=run.pk)
        .values("account_id", "fund")
        .annotate(debit=Sum("debits"), credit=Sum("credits"))
    )
    found = list(totals)
    accounts = Account.objects.in_bulk([row["account_id"] for row in found])
    rows = [
        {
            "account": accounts[row["account_id"]].code,
            "name": accounts[row["account_id"]].name,
            "fund": row["fund"],
            "currency": accounts[row["account_id"]].currency_id,
            "debits": row["debit"],
            "credits": row["credit"],
        }
        for row in found
    ]
    return sorted(rows, key=lambda row: (row["account"], row["fund"]))


def _effect(lines: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = _rows(_EFFECT.format(lines=lines), parameters)
    return [
        {**row, "debits": row["debits"] or Decimal(0), "credits": row["credits"] or Decimal(0)}
        for row in rows
    ]


def _seconds(run: JournalRun) -> float:
    ends = [moment for moment in (run.ended_at, run.validated_at, run.staged_at) if moment]
    return round((ends[0] - run.created_at).total_seconds(), 3) if ends else 0.0


def _rows(statement: str, parameters: Sequence[Any] | Mapping[str, Any]) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
