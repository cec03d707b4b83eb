"""What apps show on the home page, beside what the ledger shows there itself.

    # in the app's admin package, where it is imported at start
    def _disputes(user: User) -> list[Tile]:
        waiting = Dispute.objects.filter(decided_at=None).count()
        return [Tile("Disputes to decide", waiting, list_url(Dispute, "status__exact=OPEN"))]

    register_tile(_disputes, permission="tolls.view_dispute")

A tile is one thing that waits for a person: how many, and the list of them. Those where nothing waits (0) are named
together in one sentence below. It
is asked for each time the page is opened, so it costs one or two indexed queries, never a scan: count at most some
thousand. Whoever lacks the permission is not asked about it. A table (`register_table`) is for what has no number: a
few rows, the newest first. A trend (`register_trend`) is for numbers that mean something only beside those of the
weeks before: charts, and the same numbers as a table for whoever cannot see them.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .models import User
from .screens import Table


@dataclass(frozen=True)
class Tile:
    """`url` leads to the list; `note` is a word or two after the label, such as the age of the oldest.

    `more`: there are more than were counted.
    """

    label: str
    count: int
    url: str
    note: str = ""
    more: bool = False

    @property
    def shown(self) -> str:
        return f"{self.count:,}{'+' if self.more else ''}"


@dataclass(frozen=True)
class Series:
    """Amounts over time, one per label of its chart, as strings ("1250.00"); None where there is none."""

    label: str
    colour: str
    amounts: Sequence[str | None]


@dataclass(frozen=True)
class Chart:
    """`kind` is `bar` or `line`; `told` says in words what is seen, for whoever cannot see it."""

    title: str
    kind: str
    labels: Sequence[str]
    series: Sequence[Series]
    told: str

    @property
    def data(self) -> str:
        """As chart.js reads it. It takes amounts as strings, so none becomes a float here."""
        return json.dumps(
            {
                "labels": list(self.labels),
                "datasets": [
                    {
                        "label": series.label,
                        "data": list(series.amounts),
                        "backgroundColor": series.colour,
                        "borderColor": series.colour,
                        "borderRadius": 2,
                        "borderWidth": 2 if self.kind == "line" else 0,
                        "pointRadius": 3,
                        "tension": 0,
                    }
                    for series in self.series
                ],
            }
        )

    @property
    def options(self) -> str:
        """Colours of text and lines are not set here: the page sets them to the theme's, light or dark."""
        return json.dumps(
            {
                "animation": False,
                "responsive": True,
                "maintainAspectRatio": False,
                "locale": "en-US",
                "interaction": {"mode": "index", "intersect": False},
                "plugins": {
                    "legend": {
                        "display": len(self.series) > 1,  # one line is named by the title
                        "align": "start",
                        "labels": {"boxHeight": 10, "boxWidth": 10},
                    },
                },
                "scales": {
                    "x": {"grid": {"display": False}, "ticks": {"maxRotation": 0}},
                    "y": {"beginAtZero": True, "border": {"display": False}, "ticks": {"maxTicksLimit": 6}},
                },
            }
        )


@dataclass(frozen=True)
class Trend:
    """Charts side by side, and one table with all their numbers."""

    title: str
    charts: Sequence[Chart]
    table: Table
    note: str = ""


Tiles = Callable[[User], Sequence[Tile]]
Tables = Callable[[User], Table]
Trends = Callable[[User], Trend | None]

_tiles: dict[str, tuple[str, Tiles]] = {}
_tables: dict[str, tuple[str, Tables]] = {}
_trends: dict[str, tuple[str, Trends]] = {}


def register_tile(tiles: Tiles, *, permission: str) -> None:
    """Have `tiles(user)` shown to those with the permission. Registered again, it is there once."""
    _tiles[_name(tiles)] = (permission, tiles)


def register_table(table: Tables, *, permission: str) -> None:
    """Have `table(user)` shown below the tiles to those with the permission."""
    _tables[_name(table)] = (permission, table)


def register_trend(trend: Trends, *, permission: str) -> None:
    """Have `trend(user)` shown above the tiles to those with the permission, unless it is None: nothing to see yet."""
    _trends[_name(trend)] = (permission, trend)


def tiles_for(user: User) -> list[Tile]:
    """Every tile that this user may see, in the order in which they were registered."""
    return [
        tile for permission, tiles in _tiles.values() if user.has_perm(permission) for tile in tiles(user)
    ]


def tables_for(user: User) -> list[Table]:
    return [table(user) for permission, table in _tables.values() if user.has_perm(permission)]


def trends_for(user: User) -> list[Trend]:
    found = [trend(user) for permission, trend in _trends.values() if user.has_perm(permission)]
    return [trend for trend in found if trend is not None]


def _name(function: Callable[..., object]) -> str:
    return f"{function.__module__}.{function.__qualname__}"
