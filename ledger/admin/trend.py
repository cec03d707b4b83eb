"""The trend on the home page: what the last weeks brought and left, as bars side by side, drawn without a script."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from batconnect.common.money import ZERO
from batconnect.common.screens import money
from ledger.models import WeeklyRun

WEEKS = 12  # a season: more would be too thin for a phone
SERIES = (("earnings", "Earned"), ("net_pay", "To pay out"), ("open_receivables", "Owed by drivers"))
BAR, GAP, HEIGHT, LABEL = 16, 12, 140, 24  # of the drawing's own units


def week_trend() -> dict[str, Any] | None:
    """The drawing of the last closed weeks, the oldest first; None before there are two."""
    weeks = list(WeeklyRun.objects.filter(status=WeeklyRun.Status.CLOSED).order_by("-week")[:WEEKS])[::-1]
    if len(weeks) < 2:
        return None
    values = [[max(Decimal(run.result.get(name, "0")), ZERO) for name, _ in SERIES] for run in weeks]
    top = max(max(row) for row in values)
    width = len(SERIES) * BAR + GAP
    return {
        "width": len(weeks) * width,
        "height": HEIGHT + LABEL,
        "floor": HEIGHT,
        "top": money(top),
        "legend": [label for _, label in SERIES],
        "weeks": [
            {
                "label": f"{run.week:%b} {run.week.day}",
                "middle": at * width + len(SERIES) * BAR // 2,
                "bars": _bars(run.week, row, top, left=at * width),
            }
            for at, (run, row) in enumerate(zip(weeks, values, strict=True))
        ],
        "told": _told(weeks, values),
    }


def _bars(week: date, row: Sequence[Decimal], top: Decimal, *, left: int) -> list[Mapping[str, Any]]:
    bars = []
    for at, value in enumerate(row):
        # What there is of something shows, however little beside the rest.
        height = max(int(value * (HEIGHT - 4) / top), 1) if value else 0
        bars.append(
            {
                "x": left + at * BAR,
                "y": HEIGHT - height,
                "width": BAR - 2,
                "height": height,
                "kind": at + 1,
                "said": f"{SERIES[at][1]}, week of {week:%b} {week.day}: {money(value)}",
            }
        )
    return bars


def _told(weeks: Sequence[WeeklyRun], values: Sequence[Sequence[Decimal]]) -> str:
    """The same in words, for who cannot see it."""
    parts = [
        f"week of {run.week:%B} {run.week.day}: "
        + ", ".join(f"{label.lower()} {money(value)}" for (_, label), value in zip(SERIES, row, strict=True))
        for run, row in zip(weeks, values, strict=True)
    ]
    return "; ".join(parts)
