"""The Celery application: `celery -A batconnect worker` and `celery -A batconnect beat`."""

import os
import re
from pathlib import Path
from typing import Any

from celery import Celery
from celery.exceptions import WorkerShutdown
from celery.signals import worker_before_create_process

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "batconnect.settings")
app = Celery("batconnect")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

_POLARS_AT_WORK = re.compile(r"polars-\d+\Z")
_THREADS = Path("/proc/self/task")


@worker_before_create_process.connect
def refuse_to_fork_used_polars(**_: Any) -> None:
    """A worker's processes are forks, and a fork of a process in which Polars worked hangs at its first frame.

    The process that forks runs no task and only imports, which does no harm; it starts Polars' threads only if an
    imported module works on a frame. That is a mistake to be seen when the worker starts, not when it hangs.
    """
    if polars_was_used():
        raise WorkerShutdown(
            "Polars was used before the worker's processes were forked: a module works on a frame as it is "
            "imported. Correct that, or start the worker with --pool solo or --pool threads."
        )


def polars_was_used() -> bool:
    """Whether Polars has started the threads it works with in this process; Linux says, other systems do not."""
    names = (_name(thread) for thread in _THREADS.iterdir()) if _THREADS.is_dir() else iter(())
    return any(_POLARS_AT_WORK.match(name) for name in names)


def _name(thread: Path) -> str:
    try:
        return (thread / "comm").read_text().strip()
    except OSError:  # it ended meanwhile
        return ""
