"""Ten times the batch of `bulk`: it may take eleven times as long, and no more memory."""

import time
from typing import Any

from django.db import connection

from . import bulk

ROWS = 10_000_000
GOAL = 11.0  # times one million


def measure() -> dict[str, Any]:
    """One million, then ten million on top of them, in one database."""
    one = bulk.measure(bulk.ROWS, with_limit=False)
    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")
    time.sleep(1)
    ten = bulk.measure(ROWS, with_limit=False, first=bulk.ROWS + 1)
    return {
        **ten,
        "one_million_seconds": one["seconds"],
        "times_one_million": round(ten["seconds"] / one["seconds"], 2),
        "limit_times_one_million": GOAL,
        "within_limit": ten["seconds"] <= GOAL * one["seconds"] and ten["peak_worker_mib"] <= 2048,
    }
