"""What somebody should look at before a week is run: it would be settled without it, and late afterwards.

Warnings hold nothing up. Other apps announce their own (`register_week_warnings`), so that this knows none of them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import Count, F, Q, QuerySet, Sum

from batconnect.common.money import ZERO
from batconnect.common.weeks import WEEK

from ..models import ParkedRow, TripTotal

# A week with so much less than the one before is more likely a missing file than a quiet week.
MISSING_SHARE = Decimal("0.25")


@dataclass(frozen=True)
class WeekWarning:
    """What is wrong in one sentence; `what` names the kind of thing, for whoever knows the list of it."""

    what: str
    sentence: str


Warnings = Callable[[date], Iterator[WeekWarning]]
_others: list[Warnings] = []


def register_week_warnings(warnings: Warnings) -> None:
    """Announce another app's warnings about a week (its Sunday); called once, from its `ready`."""
    if warnings not in _others:
        _others.append(warnings)


def week_warnings(week: date) -> list[WeekWarning]:
    """All that is known before the run of a week, named by its Sunday."""
    return [*_trips(week), *_parked(), *(warning for of_app in _others for warning in of_app(week))]


def not_journalised() -> QuerySet[TripTotal]:
    """Trips by account and week of which some have no entry yet; they settle when all have."""
    return TripTotal.objects.filter(settled_week=None).exclude(journalised=F("earnings"))


def _trips(week: date) -> Iterator[WeekWarning]:
    here, before = _earned(week), _earned(week - WEEK)
    if here is None:
        yield WeekWarning("import", "No trip that started in this week is imported.")
    elif before and here < before * (1 - MISSING_SHARE):
        yield WeekWarning(
            "import",
            f"Card trips came to {here:,.2f}, and to {before:,.2f} the week before: is a file of trips missing?",
        )
    counted = (
        not_journalised()
        .filter(week__lte=week)
        .aggregate(leases=Count("account", distinct=True), amount=Sum(F("earnings") - F("journalised")))
    )
    if counted["leases"]:
        leases = "1 lease" if counted["leases"] == 1 else f"{counted['leases']:,} leases"
        yield WeekWarning(
            "journal",
            f"Trips of {leases}, {counted['amount']:,.2f}, are not journalised and would not be "
            "settled. Start a bulk run over their months first.",
        )


def _earned(week: date) -> Decimal | None:
    """What the card trips of a week came to; None without any trip."""
    total = TripTotal.objects.filter(week=week).aggregate(earned=Sum("earnings"), rows=Count("pk"))
    return (total["earned"] or ZERO) if total["rows"] else None


def _parked() -> Iterator[WeekWarning]:
    parked = ParkedRow.objects.aggregate(waiting=Count("pk", filter=Q(status=ParkedRow.Status.PARKED)))[
        "waiting"
    ]
    if parked:
        rows = "1 row of the trip files is" if parked == 1 else f"{parked:,} rows of the trip files are"
        yield WeekWarning("parked", f"{rows} parked: corrected after the run, they are settled late.")
