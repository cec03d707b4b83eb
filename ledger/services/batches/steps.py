"""The steps of a run, each a transaction of the database that fits one state alone.

Each says whether it did something: what another connection holds is passed over, and what was done already is not
done again.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from batconnect.common import audit, locks
from ledger.engine import ledger_poster
from ledger.models import JournalRun, JournalShard
from ledger.models.batches import RunState
from ledger.selectors.batches import staged_effect

from .clock import Clock
from .errors import Unsound
from .holding import held, worker_name
from .outcomes import record_failure
from .staging import Templates, stage_shard

SHOWN = 5  # problems that an error names
# The index that is there when a part of ledger_index_run is done.
INDEXES = {1: ("header", "_pkey"), 2: ("line", "_pkey"), 3: ("line", "_account_idx")}

_ALL_THERE = """
SELECT coalesce(bool_and(to_regclass(
         ledger_run_leaf('ledger_entry_' || k.kind, m.month, %(run)s) || %(suffix)s) IS NOT NULL), true)
  FROM ledger_run_months(%(run)s) AS m(month), unnest(%(kinds)s::text[]) AS k(kind)
"""
_STAGED_LINES = """
SELECT count(*) FROM je_line_staging WHERE shard_id IN (SELECT id FROM journal_run_shard WHERE run_id = %s)
"""
_NOTE_ON_RUN = "UPDATE journal_run SET timings = timings || %s::jsonb WHERE id = %s"


def prepare_shard(run: JournalRun, templates: Templates) -> bool:
    """Stage and validate a shard that nobody holds. Raises what staging raises, and Unsound."""
    with _taken(run, RunState.PENDING, RunState.STAGED) as shard:
        if shard is None:
            return False
        clock = Clock()
        if shard.state == RunState.PENDING:
            if run.state != RunState.PENDING:
                return True  # what was staged is lost; the run has to be looked at again
            _take(shard)
            stage_shard(run, shard, templates, clock)
        _validate(shard, clock)
        return True


def post_shard(run: JournalRun) -> bool:
    """Move a validated shard into the run's own partitions."""
    if not _all_there(run, ("header", "line"), ""):
        return _alone(run, _open_leaves)
    with _taken(run, RunState.VALIDATED) as shard:
        if shard is None:
            return False
        clock = Clock()
        with clock("post"), transaction.atomic(), connection.cursor() as cursor:
            ledger_poster.post_shard(cursor, shard.pk)
        _note(shard, clock)
        return True


def index_part(run: JournalRun) -> bool:
    """Build one of the indexes of the run's partitions that nobody builds."""
    for part in ledger_poster.INDEX_PARTS:
        kind, suffix = INDEXES[part]
        if _all_there(run, (kind,), suffix):
            continue
        with held(locks.BATCH_INDEX + part, run.pk) as mine:
            if mine:
                clock = Clock()
                with clock(f"index_{part}"), transaction.atomic(), connection.cursor() as cursor:
                    ledger_poster.index_run(cursor, run.pk, part)
                _note_on_run(run, clock)
                return True
    return False


def is_indexed(run: JournalRun) -> bool:
    return all(_all_there(run, (kind,), suffix) for kind, suffix in INDEXES.values())


def advance(run: JournalRun) -> bool:
    """Move the run itself on, once its shards are."""
    return _alone(run, _advance)


def attach(run: JournalRun) -> bool:
    """The last step: everything is in the ledger at once."""
    return _alone(run, _attach)


def finish_dry_run(run: JournalRun) -> bool:
    """Keep what a dry run would bring to the accounts, and drop what it staged."""
    return _alone(run, _finish_dry_run)


def is_done(run: JournalRun, *states: str) -> bool:
    """Whether every shard of the run is in one of these states."""
    return not run.shards.exclude(state__in=states).exists()


def _advance(run: JournalRun) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        ledger_poster.run_staged(cursor, run.pk)
        if ledger_poster.run_validated(cursor, run.pk) == RunState.FAILED:
            run.refresh_from_db()
            record_failure(run, run.error_code, run.error)


def _open_leaves(run: JournalRun) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        ledger_poster.open_run_leaves(cursor, run.pk)


def _attach(run: JournalRun) -> None:
    if not run.large and _is_lost(run):
        _restart(run)
        return
    clock = Clock()
    with clock("attach"), transaction.atomic(), connection.cursor() as cursor:
        ledger_poster.attach_run(cursor, run.pk, run.started_by_id)
        posted = JournalRun.objects.get(pk=run.pk)
        audit.record(
            actor=run.started_by,
            action="batch.posted" if run.reverses_run_id is None else "batch.reversed",
            subject=f"journal_run:{run.pk}",
            after={
                "entries": posted.entries,
                "lines": posted.lines,
                "debits": str(posted.debits),
                "rejects": posted.rejects,
                "reverses_run": posted.reverses_run_id,
                "reason": posted.reason,
            },
        )
    _note_on_run(run, clock)


def _finish_dry_run(run: JournalRun) -> None:
    if _is_lost(run):
        _restart(run)
        return
    with transaction.atomic(), connection.cursor() as cursor:
        effect = [
            {**row, "debits": str(row["debits"]), "credits": str(row["credits"])}
            for row in staged_effect(run)
        ]
        JournalRun.objects.filter(pk=run.pk).update(layers={**run.layers, "effect": effect})
        ledger_poster.drop_staging(cursor, run.pk)
        audit.record(
            actor=run.started_by,
            action="batch.tried",
            subject=f"journal_run:{run.pk}",
            after={"entries": run.entries, "debits": str(run.debits), "rejects": run.rejects},
        )


def _is_lost(run: JournalRun) -> bool:
    """Whether a crash of the server emptied some of what was staged for a run that is not posted by shards."""
    with connection.cursor() as cursor:
        cursor.execute(_STAGED_LINES, [run.pk])
        return bool(cursor.fetchone()[0] != run.lines)


def _restart(run: JournalRun) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        ledger_poster.restart_run(cursor, run.pk)


def _validate(shard: JournalShard, clock: Clock) -> None:
    with clock("validate"), transaction.atomic(), connection.cursor() as cursor:
        problems = ledger_poster.validate_shard(cursor, shard.pk)
    _note(shard, clock)
    if problems and problems[0].code != ledger_poster.STAGING_LOST:
        more = f", and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise Unsound(problems="; ".join(each.message for each in problems[:SHOWN]) + more)


@contextmanager
def _taken(run: JournalRun, *states: str) -> Iterator[JournalShard | None]:
    """The first shard in one of these states that nobody else holds, held meanwhile; None if there is none."""
    for shard in run.shards.filter(state__in=states).order_by("number"):
        with held(locks.BATCH_SHARD, shard.pk) as mine:
            if not mine:
                continue
            shard.refresh_from_db()  # whoever held it may have done the work
            if shard.state in states:
                yield shard
                return
    yield None


def _alone(run: JournalRun, step: Any) -> bool:
    with held(locks.BATCH_RUN, run.pk) as mine:
        if mine:
            now = JournalRun.objects.get(pk=run.pk)
            if (now.state, now.layers) == (run.state, run.layers):  # else it was done meanwhile
                step(now)
        return mine


def _all_there(run: JournalRun, kinds: tuple[str, ...], suffix: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_ALL_THERE, {"run": run.pk, "suffix": suffix, "kinds": list(kinds)})
        return bool(cursor.fetchone()[0])


def _take(shard: JournalShard) -> None:
    JournalShard.objects.filter(pk=shard.pk).update(worker=worker_name(), taken_at=timezone.now())


def _note(shard: JournalShard, clock: Clock) -> None:
    """Add what was measured to the shard's timings."""
    timings = {**JournalShard.objects.values_list("timings", flat=True).get(pk=shard.pk), **clock.taken()}
    JournalShard.objects.filter(pk=shard.pk).update(timings=timings)


def _note_on_run(run: JournalRun, clock: Clock) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_NOTE_ON_RUN, [json.dumps(clock.taken()), run.pk])
