"""How fast this machine is, beside the one the goals were measured on: a million lines by COPY into a bare table.

Goals in seconds move with the machine. The same COPY took `REFERENCE_SECONDS` where they were set, so a goal is
multiplied by how much longer it takes here, in the same run.
"""

import io
import time

from django.db import connection

LINES = 1_000_000
REFERENCE_SECONDS = 6.9 / 8  # eight million lines of six columns, logged: 6.9 s


def copy_seconds() -> float:
    """The best of three COPYs of a million lines of six columns into a bare, logged table."""
    lines = io.StringIO()
    for n in range(LINES):
        lines.write(f"{n},{n % 97},DR,{n % 1013},{n % 100000}.25,2026-09-{n % 28 + 1:02}\n")
    text = lines.getvalue()
    return min(_copy(text) for _ in range(3))


def factor() -> float:
    """How many times longer the COPY takes here than where the goals were measured."""
    return copy_seconds() / REFERENCE_SECONDS


def _copy(text: str) -> float:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_copy")
        cursor.execute(
            "CREATE TABLE bench_copy (entry bigint, line int, side text, account int, amount numeric(20, 6), day date)"
        )
        started = time.perf_counter()
        with cursor.copy("COPY bench_copy FROM STDIN (FORMAT csv)") as copy:
            for start in range(0, len(text), 1 << 20):
                copy.write(text[start : start + (1 << 20)])
        seconds = time.perf_counter() - started
        cursor.execute("DROP TABLE bench_copy")
    return seconds
