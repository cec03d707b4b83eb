"""The demo's lease caps: examples, so that the feature is seen. The city's own figures are for the office to enter.

Every demo lease costs 450.00 a week, below its cap: a fee above that is refused, and so is a late return that takes its
week above it. One that is known to come shows how a change of the rule is entered ahead of its day.
"""

from datetime import date
from decimal import Decimal

from batconnect.common.audit import system_user
from leases.models import LeaseCap, LeaseType
from leases.services import add_cap
from ledger.models import WeeklyRun

SINCE, NEXT = date(2026, 1, 1), date(2027, 7, 1)
CAPS = (
    (LeaseType.LONG_TERM, "", SINCE, "500.00"),
    (LeaseType.LONG_TERM, "WAV", SINCE, "530.00"),
    (LeaseType.LONG_TERM, "BEV", SINCE, "545.00"),
    (LeaseType.SHIFT, "", SINCE, "420.00"),
    (LeaseType.MEDALLION_ONLY, "", SINCE, "350.00"),
    (LeaseType.LONG_TERM, "", NEXT, "515.00"),
)


def enter_caps() -> int:
    """Enter the caps of a fleet that has none and closed no week yet; returns how many."""
    if LeaseCap.objects.exists() or WeeklyRun.objects.filter(status=WeeklyRun.Status.CLOSED).exists():
        return 0
    for lease_type, vehicle_type, since, weekly_cap in CAPS:
        add_cap(
            lease_type=lease_type,
            vehicle_type=vehicle_type,
            effective_from=since,
            weekly_cap=Decimal(weekly_cap),
            actor=system_user(),
        )
    return len(CAPS)
