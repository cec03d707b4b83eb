"""Two people at the same moment: one journal is decided once, and one entry gets one reversal."""

import threading
from collections.abc import Callable
from typing import Any

from django.db import connections

from ledger.models import EntryHeader, ManualJournal
from ledger.services import journals
from ledger.services.errors import LedgerError

from .journal_stories import TODAY, accountant, controller, enter, moved, submit


def at_once(*acts: Callable[[], Any]) -> list[str]:
    """Do all of these at the same moment; returns the code of what each was refused with, or nothing."""
    ready = threading.Barrier(len(acts))
    outcomes: list[str] = []

    def do(act: Callable[[], Any]) -> None:
        try:
            ready.wait(10)
            act()
            outcomes.append("")
        except LedgerError as error:
            outcomes.append(error.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=do, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return sorted(outcomes)


def test_one_journal_is_approved_once_and_one_entry_reversed_once(committing_database: str) -> None:
    number, people = submit().number, [controller() for _ in range(4)]
    approvals = [lambda p=p: journals.approve_journal(number=number, actor=p) for p in people]
    assert at_once(*approvals) == ["", *["journal.decided"] * 3]
    assert EntryHeader.objects.count() == 1

    entry, askers = enter(), [accountant() for _ in range(4)]
    why = "It was the fee of another account."
    reversals = [
        lambda p=p: journals.reverse_journal(je_number=entry.je_number, reason=why, actor=p, on=TODAY)
        for p in askers
    ]
    assert at_once(*reversals) == ["", *["journal.reversal_waiting"] * 3]
    assert ManualJournal.objects.filter(reverses_id=entry.pk).count() == 1
    assert moved("5200") == 70
