"""How a run stops: for good (FAILED), or until it is resumed, with a code and a sentence on it either way."""

import json
from datetime import date
from typing import Any

from django.db import DatabaseError, connection, transaction

from batconnect.common import audit
from batconnect.common.errors import BatConnectError
from batconnect.common.transactions import sqlstate
from ledger.engine import ledger_poster
from ledger.models import JournalRun, Origin
from ledger.models.batches import ENDED, RunState

from .errors import ClaimedMeanwhile, DayClosed, DayPassed, PolicyChanged, SettledMeanwhile, Unsound

WRONG_STATE = "BC011"  # the step does not fit: another worker was faster
# What does away with the run as it was planned, and not with the run: resumed, it starts over.
STARTS_OVER = (PolicyChanged.code, DayPassed.code)

NAMED = 20  # rows that a sentence names
_CLAIMED = """
SELECT count(*), (array_agg(h.source_id ORDER BY h.source_id))[1:%(named)s]
  FROM je_header_staging h
  JOIN source_row_journalised j ON j.source_id = h.source_id
 WHERE h.shard_id IN (SELECT id FROM journal_run_shard WHERE run_id = %(run)s)
"""


def has_ended(run: JournalRun) -> bool:
    """Whether nothing is left to do, now or ever."""
    tried = run.dry_run and run.state == RunState.VALIDATED and "effect" in run.layers
    return run.state in ENDED or tried


def has_stopped(run: JournalRun) -> bool:
    """Whether it waits for a person to resume it."""
    return bool(run.error_code)


def stop(run: JournalRun, error: BatConnectError) -> None:
    """Note why a run does not go on. It fails of it, unless it can start over."""
    with transaction.atomic(), connection.cursor() as cursor:
        if error.code in STARTS_OVER:
            JournalRun.objects.filter(pk=run.pk).exclude(state__in=ENDED).update(
                error_code=error.code, error=str(error)
            )
        else:
            ledger_poster.fail_run(cursor, run.pk, error.code, str(error))
            record_failure(run, error.code, str(error))


def record_failure(run: JournalRun, code: str, error: str) -> None:
    audit.record(
        actor=run.started_by,
        action="batch.failed",
        subject=f"journal_run:{run.pk}",
        after={"code": code, "error": error},
    )


def foreseen(run: JournalRun, error: DatabaseError) -> BatConnectError | None:
    """What the database refused of a run, as an error of ours; None where it is nothing that a run fails of."""
    diagnostics: Any = getattr(error.__cause__, "diag", None)
    state = sqlstate(error)
    detail = json.loads(diagnostics.message_detail or "{}") if state in ("BC001", "BC012", "BC014") else {}
    if state == "BC001":
        kind = DayPassed if run.origin == Origin.TRIP else DayClosed
        return kind(date=date.fromisoformat(detail["date"]), closed_through=detail["closed_through"])
    if state == "BC012":
        return ClaimedMeanwhile(count=detail["count"], rows=", ".join(map(str, detail["rows"])))
    if getattr(diagnostics, "constraint_name", None) == "source_row_journalised_pkey":
        return ClaimedMeanwhile(**_claimed(run))
    if state == "BC014":
        return SettledMeanwhile(count=detail["count"], rows=_totals(detail["rows"]))
    if state.startswith("BC") and state != WRONG_STATE:
        return Unsound(problems=diagnostics.message_primary)
    return None


def _claimed(run: JournalRun) -> dict[str, Any]:
    """The rows of a small run, whose staging is still there, that have an entry by now."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIMED, {"run": run.pk, "named": NAMED})
        count, rows = cursor.fetchone()
    return {"count": count, "rows": ", ".join(map(str, rows))}


def _totals(rows: list[dict[str, Any]]) -> str:
    return ", ".join(f"account {row['account']} in the week of {row['week']}" for row in rows)
