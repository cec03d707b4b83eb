"""How the weeks went, for the home page: what was earned, charged, collected and paid out, and what stayed owed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.formats import date_format

from batconnect.common.home import Chart, Series, Trend, register_trend
from batconnect.common.models import User
from batconnect.common.money import ZERO
from batconnect.common.screens import Cell, Table, admin_url, day, money, money_cell
from ledger.models import WeeklyRun

from .weekly_runs import week_dtrs

MOST_WEEKS = 12
# At least 3:1 against the light and the dark background alike.
BLUE, AMBER, GREEN, VIOLET, RED = "#2f80c3", "#b7791f", "#2f8f5b", "#8f68c9", "#cf4a6c"


@dataclass(frozen=True)
class WeekSums:
    """One closed week, of all leases together: what is owed stands at its end, all else is its own."""

    week: date
    earned: Decimal
    charged: Decimal
    collected: Decimal
    paid_out: Decimal
    owed: Decimal


def week_sums(*, most: int = MOST_WEEKS) -> list[WeekSums]:
    """The last `most` closed weeks, oldest first: one query of as many rows, however large the fleet."""
    found = WeeklyRun.objects.filter(status=WeeklyRun.Status.CLOSED).order_by("-week")
    # One week more, for what was owed when the first that is shown began.
    return sums_of(list(found.values_list("week", "result")[: most + 1])[::-1])[-most:]


def sums_of(runs: Sequence[tuple[date, Mapping[str, Any] | None]]) -> list[WeekSums]:
    """What closed weeks kept as their results, in their order.

    Weeks closed before `charged` was kept tell it less what was voided, forgiven or paid at the desk meanwhile: what is
    open now and was not before, and what earnings paid.
    """
    before, sums = ZERO, []
    for week, result in runs:
        assert result, "a closed week has its result"
        owed, collected = Decimal(result["open_receivables"]), Decimal(result["allocated"])
        sums.append(
            WeekSums(
                week=week,
                earned=Decimal(result["earnings"]),
                charged=Decimal(result["charged"]) if "charged" in result else owed - before + collected,
                collected=collected,
                paid_out=Decimal(result["net_pay"]),
                owed=owed,
            )
        )
        before = owed
    return sums


def _weeks(user: User) -> Trend | None:
    weeks = week_sums()
    if len(weeks) < 2:
        return None
    labels = [date_format(sums.week, "M j") for sums in weeks]
    moved = (
        ("Earned", BLUE, [sums.earned for sums in weeks]),
        ("Charged", AMBER, [sums.charged for sums in weeks]),
        ("Collected", GREEN, [sums.collected for sums in weeks]),
        ("Paid out", VIOLET, [sums.paid_out for sums in weeks]),
    )
    owed = ("Owed by drivers", RED, [sums.owed for sums in weeks])
    return Trend(
        title=f"The last {len(weeks)} weeks",
        charts=[
            _chart("Week by week", "bar", labels, moved, weeks),
            _chart("Owed by drivers at the end of each week", "line", labels, (owed,), weeks),
        ],
        table=_table(weeks),
        note=(
            "Charged is all that the week's DTRs charged, taxes included. Collected is what earnings paid of debts; "
            "the rest was paid at the desk, voided or forgiven, or is still owed."
        ),
    )


def _chart(
    title: str,
    kind: str,
    labels: Sequence[str],
    lines: Sequence[tuple[str, str, Sequence[Decimal]]],
    weeks: Sequence[WeekSums],
) -> Chart:
    told = "; ".join(f"{name} {money(amounts[0])}, then {money(amounts[-1])}" for name, _, amounts in lines)
    return Chart(
        title=title,
        kind=kind,
        labels=labels,
        series=[Series(name, colour, [str(amount) for amount in amounts]) for name, colour, amounts in lines],
        told=f"{title}, from the week of {day(weeks[0].week)} to that of {day(weeks[-1].week)}: {told}. "
        "All numbers are in the table below.",
    )


def _table(weeks: Sequence[WeekSums]) -> Table:
    return Table(
        "Week by week",
        ["Week", "#Earned", "#Charged", "#Collected", "#Paid out", "#Owed at its end"],
        [
            [
                Cell(day(sums.week), admin_url(WeeklyRun, sums.week)),
                money_cell(sums.earned, week_dtrs(sums.week)),
                *(money_cell(amount) for amount in (sums.charged, sums.collected, sums.paid_out, sums.owed)),
            ]
            for sums in reversed(weeks)
        ],
    )


register_trend(_weeks, permission="ledger.view_weeklyrun")
