"""The weekly run of a whole fleet: installments, settlement, allocation, DTR data. Goal: 15 s for 20,000 leases."""

import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from django.db import connection

from batconnect.common.audit import system_user
from ledger.models import DTR, LedgerAllocation
from ledger.selectors.proofs import run_proofs
from ledger.services import weekly_close

WEEK = date(2026, 9, 6)
FLEET = (Path(__file__).parent / "fleet.sql").read_text()
# What the limit is measured on: the rows the run writes, put into bare tables by COPY-speed inserts.
GOAL_SECONDS_PER_LEASE = 15 / 20_000


def measure(*, leases: int = 20_000, items: int = 30, trips: int = 60) -> dict[str, Any]:
    """Make the fleet, run its week once, prove the ledger, and report seconds per phase."""
    made = time.perf_counter()
    with connection.cursor() as cursor:
        parameters = {
            "leases": leases, "items": items, "trips": trips, "week": WEEK, "starts_on": WEEK + timedelta(days=7),
        }  # fmt: skip
        for statement in FLEET.split(";\n"):
            if statement.strip():
                cursor.execute(statement, parameters)
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")
    made = time.perf_counter() - made

    phases: dict[str, float] = {}
    started = last = time.perf_counter()

    def progress(step: str, done: int, total: int) -> None:
        nonlocal last
        now = time.perf_counter()
        phases[step] = phases.get(step, 0.0) + now - last
        last = now

    result = weekly_close.run_week(
        week=WEEK, today=WEEK + timedelta(days=7), actor=system_user(), progress=progress
    )
    seconds = time.perf_counter() - started
    proofs = list(run_proofs())
    return {
        "benchmark": "weekly_run",
        "input": f"{leases} leases x {items} open items, {trips} trips, 5 taxes, 1 installment",
        "seconds": round(seconds, 2),
        "limit_seconds": round(leases * GOAL_SECONDS_PER_LEASE, 2),
        "within_limit": seconds <= leases * GOAL_SECONDS_PER_LEASE,
        "phases": {step: round(value, 2) for step, value in phases.items()},
        "allocations": LedgerAllocation.objects.count(),
        "dtrs": DTR.objects.count(),
        "setup_seconds": round(made, 1),
        "proofs_ok": all(proof.ok for proof in proofs),
        "broken": [proof.detail for proof in proofs if not proof.ok],
        "result": result,
    }
