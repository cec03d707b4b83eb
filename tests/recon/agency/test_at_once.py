"""Two at the same moment: an item is decided once, a file is loaded once, a revision takes its place once."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import connections

from batconnect.common.audit import system_user
from batconnect.common.errors import BatConnectError
from ledger.models import LedgerPosting
from recon.models import AgencyItem
from recon.services.agency import deciding, revising
from tests.ledger.factories import account_of, broken_proofs

from .stories import TODAY, charged_on, drove, item, load_tolls, make_cab, stands, toll

WHY = "Seen on the paper trip sheet"


def at_once(*acts: Callable[[], Any]) -> list[str]:
    """Do all of these at the same moment; returns the code of what each was refused with, or nothing."""
    ready = threading.Barrier(len(acts))
    outcomes: list[str] = []

    def do(act: Callable[[], Any]) -> None:
        try:
            ready.wait(10)
            act()
            outcomes.append("")
        except BatConnectError as error:
            outcomes.append(error.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=do, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return sorted(outcomes)


def test_what_comes_twice_at_once_happens_once(committing_database: str, tmp_path: Path) -> None:
    ana, ben = make_cab(), make_cab("T999999C", "Ben Ode")
    drove(ana, "11:45", "12:15", toll=True)
    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        folder.mkdir()
    rows = (toll("T1"), toll("T2", "12:40"))
    assert at_once(*(lambda f=f: load_tolls(f, *rows) for f in folders)) == ["", ""]
    assert (AgencyItem.objects.count(), LedgerPosting.objects.count()) == (2, 1)

    actor = system_user()
    found = item("T2")
    common = {"item_id": found.pk, "reason": WHY, "actor": actor, "on": TODAY, "seen": found.decision_id}
    refused = at_once(
        lambda: deciding.accept(item_ids=[found.pk], actor=actor, on=TODAY, seen=[found.decision_id]),
        lambda: deciding.assign(**common, lease_id=ben.pk),
        lambda: deciding.dismiss(**common),
        lambda: deciding.take_as_fleet_cost(**common),
    )
    assert refused == ["", *["agency.changed"] * 3] and item("T2").decision.place == 2

    load_tolls(tmp_path, toll("T1", amount="$-7.12"))
    new, old = item("T1", 2), item("T1")
    both = at_once(
        lambda: revising.accept_revision(item_id=new.pk, reason=WHY, actor=actor, on=TODAY),
        lambda: deciding.reassign(item_id=old.pk, lease_id=ben.pk, reason=WHY, actor=actor, on=TODAY),
        lambda: deciding.dismiss(item_id=old.pk, reason=WHY, actor=actor, on=TODAY),
    )
    assert both[0] == "" and stands("T1")[0] in ("REVISED", "DISMISSED")
    charged = {**charged_on(account_of(ana)), **charged_on(account_of(ben))}
    assert sum(reference.startswith("T1") for reference in charged) <= 1
    assert broken_proofs() == []
