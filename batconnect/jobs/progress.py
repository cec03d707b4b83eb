"""What a running job tells the outside while its own transaction is still open.

The work only sets fields in memory. A thread with a connection of its own writes them to the job's row, at
most four times a second, and refreshes the heartbeat while there is nothing new to tell.
"""

import logging
import threading
from types import TracebackType
from typing import Any
from uuid import UUID

from django.db import Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

WRITE_EVERY = 0.25  # seconds
HEARTBEAT_EVERY = 10.0
_LOG_LIMIT = 200_000  # characters; beyond it new lines are dropped

logger = logging.getLogger(__name__)

_WRITE = """
UPDATE job_run SET step = %(step)s, done = %(done)s, total = %(total)s, heartbeat_at = clock_timestamp(),
       log = CASE WHEN length(log) > %(limit)s THEN log ELSE log || %(lines)s END
 WHERE id = %(job)s AND attempts = %(attempt)s AND status = 'RUNNING'
RETURNING 1
"""
_ATTEMPTS = "SELECT attempts FROM job_run WHERE id = %s"


class JobTakenOver(Exception):
    """Another worker has taken this job up, because this one seemed dead: stop working."""


class Progress:
    """Call it with a step and how much of it is done; use `log` for a line worth keeping."""

    def __init__(self, *, job_id: UUID, attempt: int) -> None:
        self._job_id = job_id
        self._attempt = attempt
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._taken_over = False
        self._step, self._done, self._total = "", 0, 0
        self._lines: list[str] = []
        self._thread = threading.Thread(target=self._write_until_stopped, name=f"job-{job_id}", daemon=True)

    def __call__(self, step: str, done: int = 0, total: int = 0) -> None:
        """Say what the job does now. Raises JobTakenOver when it is no longer ours to do."""
        if self._taken_over:
            raise JobTakenOver
        with self._lock:
            if step != self._step:
                self._lines.append(_line(step))
            self._step, self._done, self._total = step, done, total
        self._wake.set()

    def log(self, line: str) -> None:
        with self._lock:
            self._lines.append(_line(line))
        self._wake.set()

    def __enter__(self) -> "Progress":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._wake.set()
        self._thread.join()

    def _write_until_stopped(self) -> None:
        connection = connections["default"].copy()
        try:
            while not self._stopping.is_set():
                self._wake.wait(HEARTBEAT_EVERY)
                self._wake.clear()
                self._write(connection)
                # Whatever is told in the meantime goes out together.
                self._stopping.wait(WRITE_EVERY)
            self._write(connection)
        finally:
            connection.close()
            connections.close_all()

    def _write(self, connection: BaseDatabaseWrapper) -> None:
        """One write; a database that cannot be reached just now must not end the work."""
        with self._lock:
            lines, self._lines = self._lines, []
            values: dict[str, Any] = {"step": self._step[:200], "done": self._done, "total": self._total}
        values |= {
            "lines": "".join(lines),
            "limit": _LOG_LIMIT,
            "job": self._job_id,
            "attempt": self._attempt,
        }
        try:
            with connection.cursor() as cursor:
                cursor.execute(_WRITE, values)
                if cursor.fetchone() is None:
                    cursor.execute(_ATTEMPTS, [self._job_id])
                    row = cursor.fetchone()
                    self._taken_over = row is not None and row[0] != self._attempt
        except Error:
            logger.warning("progress of job %s could not be written", self._job_id, exc_info=True)
            with self._lock:
                self._lines = lines + self._lines
            connection.close()


def _line(text: str) -> str:
    return f"{timezone.localtime():%H:%M:%S}  {text}\n"
