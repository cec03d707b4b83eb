"""Sealing: closed blocks of the logs hashed into a chain, off the way of whoever posts.

Nobody waits for it. It reads how far the logs' sequences have come, waits until every transaction that was writing
a log at that moment has ended, and seals up to there: no row can appear below any more (decision 016). A bulk run that
is posted is sealed whole: its entries came at once, and none is added to them. A block is a
transaction of its own, so sealing that was killed goes on where it was. What was sealed is compared by
`ledger.selectors.seals`.
"""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction

from batconnect.common import audit, locks
from batconnect.common.models import User

from ..models import LedgerSeal
from ..selectors.sealed_rows import (
    DIGEST,
    GENESIS,
    LINES_PER_ENTRY,
    LOGS,
    MARKS,
    ONLINE,
    Stretch,
    chained,
    hashed_rows,
    stretches_of_runs,
)
from .errors import LedgerError

BLOCK_ROWS = 10_000
BLOCKS_AT_ONCE = 20  # in one transaction; so that a table without an index on its key is read seldom
PATIENCE = 600.0  # seconds to wait for whoever was writing when sealing began
END = 2**62  # a key above every row's


class StillWriting(LedgerError):
    code, status = "seal.still_writing", 409
    message = (
        "{count} transactions have been writing the ledger for {seconds} seconds; nothing was sealed. "
        "Run it again when they have ended."
    )


@dataclass
class Sealed:
    """What one sealing added: blocks and rows by log."""

    blocks: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {"blocks": self.blocks, "rows": self.rows}


# Whoever inserts holds such a lock on the table before he draws a key, and until his transaction ends.
_WRITERS = """
SELECT DISTINCT l.virtualtransaction
  FROM pg_locks l
 WHERE l.locktype = 'relation' AND l.granted AND l.pid IS DISTINCT FROM pg_backend_pid()
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
   AND l.relation IN (
         SELECT p.relid::oid FROM unnest(%s::text[]) AS t(name)
          CROSS JOIN LATERAL pg_partition_tree(t.name::regclass) p
         UNION ALL SELECT name::regclass::oid FROM unnest(%s::text[]) AS t(name)
       )
"""


def seal_ledger(*, actor: User, patience: float = PATIENCE) -> Sealed:
    """Seal everything that can no longer be added to, and return what was sealed.

    `patience`: seconds to wait for transactions that are writing now. Raises StillWriting.
    """
    reached = {log: _reached(spec.sequence) for log, spec in LOGS.items()}
    reached[LedgerSeal.Log.LINES] = (reached[LedgerSeal.Log.LINES] + 1) * LINES_PER_ENTRY - 1
    _wait_for_writers(patience)
    sealed = Sealed()
    for log, stretch in _logs_and_stretches():
        through = reached[log] if stretch == ONLINE else END
        while made := _seal_blocks(log, stretch, through=through, actor=actor):
            sealed.blocks[log] = sealed.blocks.get(log, 0) + len(made)
            sealed.rows[log] = sealed.rows.get(log, 0) + sum(seal.rows for seal in made)
    if sealed.blocks:
        audit.record(actor=actor, action="ledger.sealed", subject="ledger", after=sealed.as_dict())
    return sealed


def _reached(sequence: str) -> int:
    """The last key that was given out, whether its row is there yet or not."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT last_value FROM {sequence}")  # noqa: S608 (named in sealed_rows)
        return int(cursor.fetchone()[0])


def _wait_for_writers(patience: float) -> None:
    """Until every transaction has ended that may hold a key and has not shown its row yet."""
    tables = sorted({spec.table for spec in LOGS.values()})
    give_up_at, pause = time.monotonic() + patience, 0.01
    waited_for = remaining = _writers(tables)
    while remaining:
        if time.monotonic() > give_up_at:
            raise StillWriting(count=len(remaining), seconds=round(patience))
        time.sleep(pause)
        pause = min(pause * 2, 0.5)
        remaining = waited_for & _writers(tables)


def _writers(tables: list[str]) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(_WRITERS, [tables, tables])
        return {name for (name,) in cursor.fetchall()}


def _logs_and_stretches() -> Iterator[tuple[LedgerSeal.Log, Stretch]]:
    runs = stretches_of_runs()
    for log, spec in LOGS.items():
        yield log, ONLINE
        if spec.batched:
            yield from ((log, stretch) for stretch in runs)


@transaction.atomic
def _seal_blocks(log: LedgerSeal.Log, stretch: Stretch, *, through: int, actor: User) -> list[LedgerSeal]:
    """Seal the next blocks of one stretch of a log; none when all is sealed that far."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [locks.LEDGER_SEAL])
        # Asked anew, under the lock: somebody else may be sealing too.
        last = LedgerSeal.objects.filter(log=log).only("block", "chain").order_by("-block").first()
        after = (
            LedgerSeal.objects.filter(log=log, batch_id=stretch.batch_id)
            .order_by("-last_key")
            .values_list("last_key", flat=True)
            .first()
        )
        parameters = {
            "after": 0 if after is None else after,
            "through": through,
            "limit": BLOCK_ROWS * BLOCKS_AT_ONCE,
            "size": BLOCK_ROWS,
        }
        cursor.execute(_blocks(log, stretch), parameters)
        found = cursor.fetchall()
    number, previous = (last.block, last.chain) if last else (0, GENESIS)
    made = []
    for first_key, last_key, rows, digest, marks in found:
        number += 1
        seal = LedgerSeal(
            log=log, block=number, batch_id=stretch.batch_id, first_key=first_key, last_key=last_key, rows=rows,
            digest=digest, marks=bytes(marks), sealed_by=actor,
        )  # fmt: skip
        seal.chain = previous = chained(previous, seal, hashlib.sha256(seal.marks).hexdigest())
        made.append(seal)
    return LedgerSeal.objects.bulk_create(made)


def _blocks(log: LedgerSeal.Log, stretch: Stretch) -> str:
    return f"""
SELECT min(key), max(key), count(*), {DIGEST}, {MARKS}
  FROM (
    SELECT key, hash, (row_number() OVER (ORDER BY key, hash) - 1) / %(size)s AS part
      FROM ({hashed_rows(log, stretch, limited=True)}) hashed
  ) parts
 GROUP BY part ORDER BY part
"""  # noqa: S608 (constants of sealed_rows)
