"""Run the proofs. `verify_ledger` does."""

from collections.abc import Iterator
from typing import Any

from django.db import connection

from .batches import BATCH_CHECKS
from .check import Check, Proof
from .control_accounts import CONTROL_CHECKS
from .journal import JOURNAL_CHECKS
from .payouts import PAYOUT_CHECKS
from .subledger import SUBLEDGER_CHECKS

ARCHIVES_READ = "archived months are what was taken out"
_ARCHIVES = """
SELECT to_char(month, 'YYYY-MM'), to_regclass('pg_temp.archived_ledger_entry_line') IS NOT NULL
  FROM archived_month WHERE dropped_at IS NOT NULL AND restored_at IS NULL ORDER BY month
"""
_DIFFERENT_ARCHIVES = "SELECT wrong FROM ledger_archive_differences() LIMIT 1"

CHECKS: tuple[Check, ...] = (
    *SUBLEDGER_CHECKS,
    *JOURNAL_CHECKS,
    *CONTROL_CHECKS,
    *PAYOUT_CHECKS,
    *BATCH_CHECKS,
)


def run_proofs() -> Iterator[Proof]:
    """Run every proof, on one consistent view of the ledger if the caller holds one, and yield its outcome."""
    with connection.cursor() as cursor:
        if connection.in_atomic_block:
            # They add whole tables up: in memory, not in files beside them. The setting ends with the transaction.
            cursor.execute("SELECT set_config('work_mem', '128MB', true)")
        cursor.execute(_ARCHIVES)
        if archives := cursor.fetchall():
            proof = _archives_read(cursor, archives)
            yield proof
            if not proof.ok:
                return  # without them nothing adds up
        for check in CHECKS:
            cursor.execute(check.query)
            broken = cursor.fetchone()
            if broken:
                yield Proof(check.name, False, broken[0])
                continue
            cursor.execute(f"SELECT count(*) FROM {check.table}")
            yield Proof(check.name, True, f"{cursor.fetchone()[0]:,} {check.counted}")


def _archives_read(cursor: Any, archives: list[tuple[str, bool]]) -> Proof:
    """Whether the rows of all archived months are in this session, and are those that were taken out."""
    for month, is_open in archives:
        if not is_open:
            return Proof(ARCHIVES_READ, False, f"{month} is archived, and was not read from its files")
    cursor.execute(_DIFFERENT_ARCHIVES)
    different = cursor.fetchone()
    if different:
        return Proof(ARCHIVES_READ, False, different[0])
    return Proof(ARCHIVES_READ, True, f"{len(archives):,} archives")
