"""The home page: what apps put there, for whom, and what reconciliation does."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from batconnect.common import home
from batconnect.common.home import Tile, register_table, register_tile, tables_for, tiles_for
from batconnect.common.screens import Cell, Table
from tests.factories import make_user

from .stories import make_source, reconcile
from .test_admin import page
from .test_settlements import FRIDAY, MONDAY, OF_FRIDAY, told, trips

pytestmark = pytest.mark.django_db


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty one."""
    monkeypatch.setattr(home, "_tiles", {})
    monkeypatch.setattr(home, "_tables", {})


def test_a_tile_is_shown_to_those_who_may_and_the_others_are_not_asked_about(registry: None) -> None:
    asked: list[Any] = []

    def tiles(user: Any) -> list[Tile]:
        asked.append(user)
        return [Tile("Tolls to review", 3, "/tolls/", "oldest 4 d")]

    register_tile(tiles, permission="recon.view_reconlog")
    register_tile(tiles, permission="recon.view_reconlog")
    register_table(lambda user: Table("Last", ["Name"], [[Cell("x")]]), permission="recon.view_reconjob")
    may, may_not = make_user(permissions=("recon.view_reconlog",)), make_user()
    assert [tile.label for tile in tiles_for(may)] == ["Tolls to review"]
    assert tiles_for(may_not) == [] and tables_for(may) == [] and asked == [may]


def test_reconciliation_tells_what_is_open_and_how_each_source_stands(client: Client, tmp_path: Path) -> None:
    source = make_source(name="curb_cards", title="Card settlements", adapter="curb_settlement")
    trips(tmp_path, FRIDAY)
    twice = OF_FRIDAY.replace("S-0301", "S-0301-B")
    reconcile(source, told(tmp_path, OF_FRIDAY, twice), on=MONDAY)
    seen = ("recon.view_reconlog", "recon.view_curbsettlement", "recon.view_curbfetch", "recon.view_reconjob")
    client.force_login(make_user(permissions=seen))
    shown = page(client, "/admin/")
    for words in ("Rows to reconcile", "Card settlements held", "?status=HELD", "Fetches of trips failed"):
        assert words in shown
    # The day's settlement and its two trips, which are suggested; the trips of the held one may still come.
    assert ">3</a>" in shown and "oldest 3 d" in shown
    assert "Reconciliation, source by source" in shown and "Mar 4, 2019" in shown
    client.force_login(make_user())
    assert "Rows to reconcile" not in page(client, "/admin/")
