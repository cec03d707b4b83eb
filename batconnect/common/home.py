"""What apps show on the home page, beside what the ledger shows there itself.

    # in the app's admin package, where it is imported at start
    def _disputes(user: User) -> list[Tile]:
        waiting = Dispute.objects.filter(decided_at=None).count()
        return [Tile("Disputes to decide", waiting, list_url(Dispute, "status__exact=OPEN"))]

    register_tile(_disputes, permission="tolls.view_dispute")

A tile is one thing that waits for a person: how many, and the list of them. Nothing waiting (0) is shown as "None". It
is asked for each time the page is opened, so it costs one or two indexed queries, never a scan: count at most some
thousand. Whoever lacks the permission is not asked about it. A table (`register_table`) is for what has no number: a
few rows, the newest first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .models import User
from .screens import Table


@dataclass(frozen=True)
class Tile:
    """`url` leads to the list; `note` is a word or two after the label, such as the age of the oldest."""

    label: str
    count: int
    url: str
    note: str = ""


Tiles = Callable[[User], Sequence[Tile]]
Tables = Callable[[User], Table]

_tiles: dict[str, tuple[str, Tiles]] = {}
_tables: dict[str, tuple[str, Tables]] = {}


def register_tile(tiles: Tiles, *, permission: str) -> None:
    """Have `tiles(user)` shown to those with the permission. Registered again, it is there once."""
    _tiles[_name(tiles)] = (permission, tiles)


def register_table(table: Tables, *, permission: str) -> None:
    """Have `table(user)` shown below the tiles to those with the permission."""
    _tables[_name(table)] = (permission, table)


def tiles_for(user: User) -> list[Tile]:
    """Every tile that this user may see, in the order in which they were registered."""
    return [
        tile for permission, tiles in _tiles.values() if user.has_perm(permission) for tile in tiles(user)
    ]


def tables_for(user: User) -> list[Table]:
    return [table(user) for permission, table in _tables.values() if user.has_perm(permission)]


def _name(function: Callable[..., object]) -> str:
    return f"{function.__module__}.{function.__qualname__}"
