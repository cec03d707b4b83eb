"""The page of a bulk run: how it stands and how far it is, its facts and tables, and what can be done to it."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from batconnect.common.screens import Action, Cell, Detail, Table, admin_url, list_url, moment, money
from batconnect.jobs.models import JobRun
from ledger.batch_jobs import job_of
from ledger.models import EntryHeader, JournalRun, RunState
from ledger.selectors.batch_rejects import count_rejects
from ledger.selectors.batch_standing import Standing, standing
from ledger.selectors.batches import run_progress

from .bulk_run_tables import (
    SHARD_STATES,
    effect_table,
    layers_table,
    number,
    rejects_table,
    shards_table,
    timings_table,
)
from .posting_parts import audit_table

TONES = {
    Standing.WAITING: "info",
    Standing.AT_WORK: "warning",
    Standing.STOPPED: "danger",
    Standing.POSTED: "success",
    Standing.REVERSED: "info",
    Standing.TRIED: "success",
    Standing.FAILED: "danger",
    Standing.DISCARDED: "info",
}


def page_url(page: str, *args: Any) -> str:
    return reverse(f"admin:ledger_journalrun_{page}", args=args)


def name_of(run: JournalRun) -> str:
    return f"Run {run.pk}"


def subject(run: JournalRun) -> str:
    """takaful, March 2019 – takaful, rows.csv – reverses run 3."""
    scope = f"{run.month:%B %Y}" if run.month else (run.import_batch.file_name if run.import_batch else "")
    told = f"{run.pack}, {scope}"
    return f"{told}, takes back run {run.reverses_run_id}" if run.reverses_run_id else told


def detail_of(request: HttpRequest, run: Any) -> Detail:
    """The page of a run of `with_standing`."""
    now = standing(run)
    job = job_of(run.pk)
    state = progress_state(run, job)
    return Detail(
        title=name_of(run),
        subtitle=subject(run),
        badges=[
            (str(now), TONES[now]),
            *([("dry run", "info")] if run.dry_run else []),
            *([("reversal", "warning")] if run.reverses_run_id else []),
        ],
        figures=[
            ("Source rows", Cell(f"{run.source_rows:,}")),
            ("Entries", _entries(request, run)),
            (
                "Rejected",
                Cell(f"{run.rejects:,}", page_url("rejects", run.pk, "xlsx") if run.rejects else ""),
            ),
            ("Debits and credits", Cell(money(run.debits))),
        ],
        # Once it has ended well, its badge says it all.
        partials=["admin/jobs/progress.html"] if state["error"] or not state["ended"] else [],
        facts=_facts(run, job, now),
        tables=_tables(run, now),
        actions=_actions(request, run, now),
        context={"progress": state, "progress_url": page_url("progress", run.pk)},
    )


def progress_state(run: Any, job: JobRun | None) -> dict[str, Any]:
    """How far a run is, as the progress bar of jobs needs it."""
    now = standing(run)
    told = run_progress(run)
    shards = ", ".join(f"{count:,} {SHARD_STATES[state]}" for state, count in sorted(told["shards"].items()))
    status = {Standing.WAITING: "PENDING", Standing.AT_WORK: "RUNNING"}.get(now, "SUCCEEDED")
    if now in (Standing.STOPPED, Standing.FAILED):
        status = "FAILED"
    total = told["total"]
    return {
        "status": status,
        "label": str(now),
        "step": f"{told['step']} (shards: {shards})" if not now.has_ended and shards else told["step"],
        "done": told["done"],
        "total": total,
        "percent": 100 if status == "SUCCEEDED" else told["done"] * 100 // total if total else 0,
        "error": run.error or _why_stopped(now, job),
        "ended": status in ("SUCCEEDED", "FAILED"),
        "log": job.log if job else "",
    }


def _why_stopped(now: Standing, job: JobRun | None) -> str:
    if now is not Standing.STOPPED:
        return ""
    if job is not None and job.error:
        return job.error
    return "Nobody works on it. What was done so far is kept: resume it, or discard it."


def _entries(request: HttpRequest, run: JournalRun) -> Cell:
    text = f"{run.entries:,}"
    if run.state != RunState.POSTED or not request.user.has_perm("ledger.view_entryheader"):
        return Cell(text)
    return Cell(text, list_url(EntryHeader, f"run={run.pk}"))


def _facts(run: Any, job: JobRun | None, now: Standing) -> list[tuple[str, Cell]]:
    facts = [
        ("Started by", Cell(f"{run.started_by}, {moment(run.created_at)}")),
        (
            "A row that is rejected",
            Cell("is left out" if run.accept_valid else "keeps all from being posted"),
        ),
    ]
    if run.import_batch:
        facts.append(("File", Cell(run.import_batch.file_name, admin_url(run.import_batch))))
    if job is not None:
        facts.append(("Job", Cell(job.get_status_display(), admin_url(job))))
    if run.lines:
        facts.append(("Lines", number(run.lines)))
    if run.skipped:
        facts.append(("Rows that belong into no journal", number(run.skipped)))
    if run.posted_at:
        facts.append(("Posted", Cell(moment(run.posted_at))))
    if run.large is not None and run.state == RunState.POSTED:
        facts.append(("Lies", Cell("in partitions of its own" if run.large else "among the other entries")))
    if run.reverses_run_id:
        facts.append(
            ("Takes back", Cell(f"Run {run.reverses_run_id}", admin_url(JournalRun, run.reverses_run_id)))
        )
    for mirror in run.reversals.exclude(state=RunState.FAILED):
        facts.append(("Taken back by", Cell(f"Run {mirror.pk}", admin_url(mirror))))
    if run.reason:
        facts.append(("Discarded because" if now is Standing.DISCARDED else "Why", Cell(run.reason)))
    return facts


def _tables(run: Any, now: Standing) -> list[Table]:
    tables = []
    if now in (Standing.POSTED, Standing.REVERSED, Standing.TRIED):
        tables.append(effect_table(run, tried=now is Standing.TRIED))
    if run.layers.get("frame"):
        tables.append(layers_table(run))
    if now.has_ended or count_rejects(run):
        tables.append(rejects_table(run))
    if now.has_ended:
        tables.append(timings_table(run))
    tables.append(shards_table(run))
    tables.append(audit_table(f"journal_run:{run.pk}"))
    return tables


def _actions(request: HttpRequest, run: Any, now: Standing) -> list[Action]:
    actions = []
    if run.rejects or count_rejects(run):
        actions.append(Action("Rejects as Excel", page_url("rejects", run.pk, "xlsx")))
        actions.append(Action("Rejects as CSV", page_url("rejects", run.pk, "csv")))
    if request.user.has_perm("ledger.post_batch"):
        if now is Standing.STOPPED:
            actions.insert(0, Action("Resume…", page_url("resume", run.pk), look="primary"))
        if not now.has_ended:
            actions.append(Action("Discard…", page_url("discard", run.pk), look="danger"))
        if now is Standing.TRIED and run.month:
            query = f"pack={run.pack}&month={run.month:%Y-%m}"
            actions.insert(0, Action("Post this month…", f"{page_url('start')}?{query}", look="primary"))
        if now in (Standing.POSTED, Standing.FAILED) and run.rejects and not run.reverses_run_id:
            left = (
                run.shards.filter(rejects__gt=0)
                .order_by("number")
                .values_list("txn_month", flat=True)
                .first()
            )
            if left is not None:
                query = f"pack={run.pack}&month={left:%Y-%m}"
                actions.insert(0, Action("Run over what was left out…", f"{page_url('start')}?{query}"))
    reversible = now is Standing.POSTED and not run.reverses_run_id
    if reversible and request.user.has_perm("ledger.reverse_batch"):
        actions.append(Action("Reverse…", page_url("reverse", run.pk), look="danger"))
    return actions
