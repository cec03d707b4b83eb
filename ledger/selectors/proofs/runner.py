"""Run the proofs. `verify_ledger` does."""

from collections.abc import Iterator

from django.db import connection

from .check import Check, Proof
from .control_accounts import CONTROL_CHECKS
from .journal import JOURNAL_CHECKS
from .subledger import SUBLEDGER_CHECKS

CHECKS: tuple[Check, ...] = (*SUBLEDGER_CHECKS, *JOURNAL_CHECKS, *CONTROL_CHECKS)


def run_proofs() -> Iterator[Proof]:
    """Run every proof, on one consistent view of the ledger if the caller holds one, and yield its outcome."""
    with connection.cursor() as cursor:
        if connection.in_atomic_block:
            # They add whole tables up: in memory, not in files beside them. The setting ends with the transaction.
            cursor.execute("SELECT set_config('work_mem', '128MB', true)")
        for check in CHECKS:
            cursor.execute(check.query)
            broken = cursor.fetchone()
            if broken:
                yield Proof(check.name, False, broken[0])
                continue
            cursor.execute(f"SELECT count(*) FROM {check.table}")
            yield Proof(check.name, True, f"{cursor.fetchone()[0]:,} {check.counted}")
