"""What was staged, into the ledger: the database's functions for the steps of a bulk run, as typed calls.

Each takes a cursor of a connection to the ledger's database and is one statement. What is refused raises the
driver's error with the SQLSTATEs of `migrations/sql/0016_bulk_runs.sql`. A step takes what it needs in locks until
its transaction ends, so commit after each; `open_shard`, COPY and `shard_staged` may share one transaction.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

INDEX_PARTS = (2, 3, 1)  # longest first: the lines' key, the lines' index by account, the headers'
STAGING_LOST = "staging.lost"  # a crash emptied what was staged; the shard is PENDING again
# A worker holds these columns of a shard's leaves when it copies; the leaves know run and shard themselves.
HEADER_COLUMNS = (
    "entry_id", "source_id", "je_date", "event_on", "template_id", "line_count", "total", "reference", "description",
    "reverses_id", "reverses_date",
)  # fmt: skip
LINE_COLUMNS = (
    "entry_id", "line_number", "template_line", "je_date", "account_id", "currency", "fund", "amount",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ShardTotals:
    """What a worker staged: counts, and the totals of source rows and lines. `debits` in the lines' own units."""

    entries: int
    lines: int
    rejects: int
    skipped: int
    source_gross: Decimal
    source_ids_sum: int
    debits: Decimal
    keys_total: int
    weighted_total: Decimal


class Problem(NamedTuple):
    """One thing wrong with what was staged; `entry_id` where it is one entry."""

    code: str
    message: str
    entry_id: int | None


def header_leaf(shard_id: int) -> str:
    return f"je_header_staging_{shard_id}"


def line_leaf(shard_id: int) -> str:
    return f"je_line_staging_{shard_id}"


def open_shard(cursor: Any, shard_id: int) -> None:
    """Make the shard's staging leaves, or empty those of an attempt before; its rejects go too."""
    cursor.execute("SELECT ledger_open_shard(%s)", [shard_id])


def shard_staged(cursor: Any, shard_id: int, totals: ShardTotals, timings: Mapping[str, float]) -> None:
    """Say what was staged; the leaves take no change from here on, and the shard is STAGED."""
    t = totals
    cursor.execute(
        "SELECT ledger_shard_staged(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb)",
        [
            shard_id, t.entries, t.lines, t.rejects, t.skipped, t.source_gross, t.source_ids_sum, t.debits,
            t.keys_total, t.weighted_total, json.dumps(dict(timings)),
        ],
    )  # fmt: skip


def stage_reversal(cursor: Any, shard_id: int) -> None:
    """Stage the mirror of what the run that is reversed posted for the shard of the same number; it is STAGED then."""
    cursor.execute("SELECT ledger_stage_reversal(%s)", [shard_id])


def validate_shard(cursor: Any, shard_id: int) -> list[Problem]:
    """Everything wrong with a STAGED shard, some twenty of a kind; VALIDATED if nothing is."""
    cursor.execute("SELECT code, message, entry_id FROM ledger_validate_shard(%s)", [shard_id])
    return [Problem(*row) for row in cursor.fetchall()]


def run_staged(cursor: Any, run_id: int) -> str:
    """The run's state: STAGED, once every shard is."""
    return _text(cursor, "SELECT ledger_run_staged(%s)", run_id)


def run_validated(cursor: Any, run_id: int) -> str:
    """The run's state: VALIDATED once every shard is, or FAILED if rows were rejected and all were to be posted."""
    return _text(cursor, "SELECT ledger_run_validated(%s)", run_id)


def open_run_leaves(cursor: Any, run_id: int) -> None:
    """Make the partitions of a large VALIDATED run, one per month, not attached yet."""
    cursor.execute("SELECT ledger_open_run_leaves(%s)", [run_id])


def post_shard(cursor: Any, shard_id: int) -> str:
    """Move a VALIDATED shard into the run's partitions. POSTED; or PENDING, if a crash emptied its staging."""
    return _text(cursor, "SELECT ledger_post_shard(%s)", shard_id)


def index_run(cursor: Any, run_id: int, part: int) -> None:
    """Build one of INDEX_PARTS, each on a connection of its own if need be; done already, it does nothing."""
    cursor.execute("SELECT ledger_index_run(%s, %s)", [run_id, part])


def attach_run(cursor: Any, run_id: int, actor_id: int) -> None:
    """The last step: all of the run is in the ledger at once, and POSTED."""
    cursor.execute("SELECT ledger_attach_run(%s, %s)", [run_id, actor_id])


def discard_run(cursor: Any, run_id: int, reason: str) -> None:
    """Drop what a run left that is not POSTED; it is FAILED."""
    cursor.execute("SELECT ledger_discard_run(%s, %s)", [run_id, reason])


def fail_run(cursor: Any, run_id: int, code: str, error: str) -> None:
    """Give a run up for an error; what was staged is left to be looked at."""
    cursor.execute("SELECT ledger_fail_run(%s, %s, %s)", [run_id, code, error])


def restart_run(cursor: Any, run_id: int) -> None:
    """Every shard of a run that is not over is staged anew."""
    cursor.execute("SELECT ledger_restart_run(%s)", [run_id])


def drop_staging(cursor: Any, run_id: int) -> None:
    """Drop what was staged for a run that is over."""
    cursor.execute("SELECT ledger_drop_staging(%s)", [run_id])


def _text(cursor: Any, query: str, key: int) -> str:
    cursor.execute(query, [key])
    return str(cursor.fetchone()[0])
