"""Who works on what: advisory locks of the worker's connection.

They go with the connection, so what a lost worker held is free at once, and nothing has to be cleaned up.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def held(kind: int, key: int) -> Iterator[bool]:
    """Hold a shard (`locks.BATCH_SHARD`) or a step of a run; False if another connection holds it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [kind, key])
        (got,) = cursor.fetchone()
    try:
        yield got
    finally:
        # After a lost connection there is nothing to unlock: the server has done it.
        if got and _is_alive():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [kind, key])


def worker_name() -> str:
    """What a shard says about who took it last."""
    return f"{socket.gethostname()}:{os.getpid()}"[:100]


def _is_alive() -> bool:
    if connection.connection is None or connection.connection.closed:
        return False
    # In a transaction that failed nothing can be said; its end frees nothing, but the session will.
    return not connection.needs_rollback and connection.is_usable()
