"""DTRs as paper: seconds of one core for a report with sixty trips. Goal: 0.5 each, spread over workers."""

import time
from datetime import timedelta
from typing import Any

from batconnect.common.audit import system_user
from ledger.models import DTR
from ledger.services import weekly_close
from ledger.services.dtr_pdf import render_dtr_pdf

from . import machine
from .weekly_run import WEEK, make_fleet

GOAL_SECONDS = 0.5


def measure(*, leases: int = 12, trips: int = 60) -> dict[str, Any]:
    """Render each DTR of a small fleet's week by itself; the first one, which loads fonts, is not counted."""
    slower = machine.factor()
    make_fleet(leases=leases, items=10, trips=trips)
    weekly_close.run_week(week=WEEK, today=WEEK + timedelta(days=7), actor=system_user(), workers=1)
    seconds = []
    for report in DTR.objects.order_by("number").prefetch_related("payments"):
        started = time.process_time()
        render_dtr_pdf(report)
        seconds.append(time.process_time() - started)
    each = sorted(seconds[1:])[len(seconds) // 2]
    return {
        "input": f"{leases - 1} DTRs of {trips} trips, one after another",
        "core_seconds_each": round(each, 2),
        "goal_seconds": GOAL_SECONDS,
        "machine_factor": round(slower, 2),
        "within_limit": each <= GOAL_SECONDS * slower,
    }
