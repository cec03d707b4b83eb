"""How long the ledger takes to prove itself: each proof, sealing, checking the seals, and the journal as a file."""

import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from django.db import connection

LEASES, ITEMS, TRIPS = 20_000, 25, 34
WEEK = date(2019, 3, 3)
FLEET = (Path(__file__).parent / "fleet.sql").read_text()


def measure() -> dict[str, Any]:
    from batconnect.common.audit import system_user
    from ledger.models import EntryLine
    from ledger.selectors.plain_text import export_journal
    from ledger.selectors.proofs import run_proofs
    from ledger.selectors.seals import check_seals
    from ledger.services.projections import rebuild_projections
    from ledger.services.seals import seal_ledger

    with connection.cursor() as cursor:
        parameters = {
            "leases": LEASES,
            "items": ITEMS,
            "trips": TRIPS,
            "week": WEEK,
            "starts_on": "2018-12-30",
        }
        cursor.execute(FLEET, parameters)
        cursor.execute("VACUUM ANALYZE")
    proofs: dict[str, float] = {}
    started = time.perf_counter()
    for proof in run_proofs():
        assert proof.ok, proof
        proofs[proof.name] = round(time.perf_counter() - started, 2)
        started = time.perf_counter()
    return {
        "leases": LEASES,
        "lines": EntryLine.objects.count(),
        "proofs_s": round(sum(proofs.values()), 1),
        "slowest_proofs_s": dict(sorted(proofs.items(), key=lambda item: -item[1])[:6]),
        "seal_s": timed(lambda: seal_ledger(actor=system_user())),
        "check_seals_s": timed(lambda: [proof.ok for proof in check_seals()]),
        "rebuild_dry_run_s": timed(lambda: rebuild_projections(actor=system_user(), dry_run=True)),
        "export_hledger_s": timed(lambda: sum(map(len, export_journal(format_name="hledger")))),
    }


def timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return round(time.perf_counter() - started, 1)
