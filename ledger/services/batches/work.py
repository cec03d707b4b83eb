"""One worker's part of a run: it takes what nobody else holds, until the run has ended or cannot go on.

Any number may be at work, on any number of machines. A worker may die anywhere: its locks go with its connection,
and what it was at is taken again by another. A database that restarts is waited for; what it lost of the unlogged
staging is staged again.
"""

import json
import time
from collections.abc import Callable

from django.db import DatabaseError, InterfaceError, OperationalError, connection

from batconnect.common.errors import BatConnectError
from batconnect.common.transactions import RETRIED, sqlstate
from ledger.models import JournalRun, RunState
from ledger.selectors.batches import run_progress, run_timings

from . import steps
from .clock import peak_memory
from .errors import UnknownRun
from .outcomes import WRONG_STATE, foreseen, has_ended, has_stopped, stop
from .staging import Templates

Progress = Callable[[str, int, int], None]

SHORTEST_WAIT, LONGEST_WAIT = 0.02, 1.0  # seconds between two looks at what others hold
RECONNECT_FOR = 60.0  # seconds that a lost database is waited for
MOST_FAILURES = 20  # of the database, or of steps that did not fit, with nothing done in between
MOST_LOST = 20  # connections of one worker: then it is something that the run does

_NOTE = """
UPDATE journal_run
   SET timings = timings || %(timings)s::jsonb
                 || jsonb_build_object('peak_mib', greatest(%(mib)s, (timings ->> 'peak_mib')::int))
 WHERE id = %(run)s
"""


def work_on_run(*, run_id: int, progress: Progress | None = None) -> JournalRun:
    """Work on a run until nothing is left for this worker: it is POSTED or FAILED, or waits to be resumed.

    A run that stops says so itself (`state`, `error_code`, `error`). Raises UnknownRun; OperationalError when the
    database stays away; and what nobody foresaw, which leaves the run to be resumed.
    """
    worker = _Worker(run_id, progress or _silent)
    while True:
        run = worker.turn()
        if run is not None:
            return run


class _Worker:
    def __init__(self, run_id: int, progress: Progress) -> None:
        self._run_id = run_id
        self._progress = progress
        self._templates = Templates()
        self._wait = SHORTEST_WAIT
        self._failures, self._lost = 0, 0
        self._lost_at: float | None = None

    def turn(self) -> JournalRun | None:
        """One step, or one wait; the run, if nothing is left to do."""
        run: JournalRun | None = None
        try:
            run = self._look()
            if has_ended(run) or has_stopped(run):
                self._leave(run)
                return run
            if self._step(run):
                self._wait, self._failures, self._lost_at = SHORTEST_WAIT, 0, None
                told = run_progress(run)
                self._progress(told["step"], told["done"], told["total"])
            else:
                self._pause()
        except (OperationalError, InterfaceError) as error:
            self._reconnect(error)
        except DatabaseError as error:
            self._refused(run, error)
        except BatConnectError as error:
            if run is None:
                raise
            self._stop(run, error)
        return None

    def _look(self) -> JournalRun:
        run = JournalRun.objects.select_related("started_by").filter(pk=self._run_id).first()
        if run is None:
            raise UnknownRun(run=self._run_id)
        return run

    def _step(self, run: JournalRun) -> bool:
        """Do the next thing there is to do; False if others are at all of it."""
        if run.state in (RunState.PENDING, RunState.STAGED):
            if steps.is_done(run, RunState.VALIDATED, RunState.POSTED):
                return steps.advance(run)
            return steps.prepare_shard(run, self._templates)
        if run.dry_run:
            return steps.finish_dry_run(run)
        if not run.large:
            return steps.attach(run)
        if not steps.is_done(run, RunState.POSTED):
            return steps.post_shard(run)
        if not steps.is_indexed(run):
            return steps.index_part(run)
        return steps.attach(run)

    def _pause(self) -> None:
        time.sleep(self._wait)
        self._wait = min(self._wait * 2, LONGEST_WAIT)

    def _reconnect(self, error: Exception) -> None:
        """After a deadlock the step is simply taken again; after a lost connection it is first made anew."""
        self._failures += 1
        if connection.in_atomic_block or self._failures > MOST_FAILURES:
            raise error
        if sqlstate(error) not in RETRIED:
            now = time.monotonic()
            self._lost_at, self._lost = self._lost_at or now, self._lost + 1
            if now - self._lost_at > RECONNECT_FOR or self._lost > MOST_LOST:
                raise error
            connection.close()
        self._pause()

    def _refused(self, run: JournalRun | None, error: DatabaseError) -> None:
        if sqlstate(error) == WRONG_STATE:  # another worker was faster
            self._failures += 1
            if self._failures > MOST_FAILURES:
                raise error
            self._pause()
            return
        known = None if run is None else foreseen(run, error)
        if run is None or (known is None and not has_ended(self._look())):
            raise error
        if known is not None:  # else it was given up meanwhile, and what it had staged is gone
            self._stop(run, known)

    def _stop(self, run: JournalRun, error: BatConnectError) -> None:
        try:
            stop(run, error)
        except (OperationalError, InterfaceError) as lost:
            self._reconnect(lost)
        except DatabaseError as late:
            if sqlstate(late) != WRONG_STATE:  # another worker has stopped it
                raise

    def _leave(self, run: JournalRun) -> None:
        """Note how much memory was needed, and once it has ended, how long everything took."""
        timings = json.dumps(run_timings(run)) if has_ended(run) else "{}"
        with connection.cursor() as cursor:
            cursor.execute(_NOTE, {"mib": peak_memory(), "timings": timings, "run": run.pk})
        run.refresh_from_db()


def _silent(step: str, done: int, total: int) -> None:
    """No one is watching."""
