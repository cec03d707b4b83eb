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

from . import machine

WEEK = date(2026, 9, 6)
FLEET = (Path(__file__).parent / "fleet.sql").read_text()
GOAL_SECONDS_PER_LEASE = 15 / 20_000


def measure(*, leases: int = 20_000, items: int = 30, trips: int = 60) -> dict[str, Any]:
    """Make the fleet, run its week once, prove the ledger, and report seconds per phase."""
    slower = machine.factor()
    made = time.perf_counter()
    make_fleet(leases=leases, items=items, trips=trips)
    with connection.cursor() as cursor:
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
    limit = leases * GOAL_SECONDS_PER_LEASE * slower
    proofs = list(run_proofs())
    return {
        "input": f"{leases} leases x {items} open items, {trips} trips, 5 taxes, 1 installment",
        "seconds": round(seconds, 2),
        "goal_seconds": round(leases * GOAL_SECONDS_PER_LEASE, 2),
        "machine_factor": round(slower, 2),
        "limit_seconds": round(limit, 2),
        "within_limit": seconds <= limit,
        "phases": {step: round(value, 2) for step, value in phases.items()},
        "allocations": LedgerAllocation.objects.count(),
        "dtrs": DTR.objects.count(),
        "setup_seconds": round(made, 1),
        "proofs_ok": all(proof.ok for proof in proofs),
        "broken": [proof.detail for proof in proofs if not proof.ok],
        "result": result,
    }


def make_fleet(*, leases: int, items: int, trips: int) -> None:
    """`leases` leases, each with `items` open items, one installment due and `trips` trips in `WEEK`."""
    parameters = {
        "leases": leases, "items": items, "trips": trips, "week": WEEK, "starts_on": WEEK + timedelta(days=7),
    }  # fmt: skip
    with connection.cursor() as cursor:
        for statement in FLEET.split(";\n"):
            if statement.strip():
                cursor.execute(statement, parameters)
