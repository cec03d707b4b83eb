"""Several workers on one run: processes of their own, each with its own connection, watched by the one that started
them.
"""

import time
from typing import Any

from django.db import InterfaceError, OperationalError, connection

from batconnect.common import processes
from ledger.models import JournalRun
from ledger.selectors.batches import run_progress

from .work import Progress, work_on_run

LOOK_EVERY = 0.25  # seconds


def work_together(*, run_id: int, workers: int, progress: Progress | None = None) -> JournalRun:
    """Work on a run with several processes. What those that die leave, the others do, and in the end this one.

    Raises as `work_on_run`.
    """
    if workers > 1 and not connection.in_atomic_block:
        _watch(run_id, workers, progress)
    return work_on_run(run_id=run_id, progress=progress)


def _watch(run_id: int, workers: int, progress: Progress | None) -> None:
    children = [
        processes.start(
            "ledger.services.batches.work_on_run", name=f"run {run_id}, worker {number}", run_id=run_id
        )
        for number in range(1, workers + 1)
    ]
    try:
        told: tuple[Any, ...] = ()
        while any(child.is_alive() for child in children):
            now = _progress(run_id) if progress else told
            if progress and now and now != told:
                progress(*now)
                told = now
            time.sleep(LOOK_EVERY)
    finally:
        for child in children:
            if child.is_alive():
                child.terminate()
            child.join()


def _progress(run_id: int) -> tuple[Any, ...]:
    """What is told of a run; nothing while the database is away, which is the workers' to wait for."""
    try:
        now = run_progress(JournalRun.objects.get(pk=run_id))
    except (OperationalError, InterfaceError):
        connection.close()
        return ()
    return now["step"], now["done"], now["total"]
