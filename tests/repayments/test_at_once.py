"""Two people, or a person and the weekly run, at the same repayment at the same moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connections

from batconnect.common.errors import BatConnectError
from ledger.models import LedgerPosting
from tests.ledger.factories import broken_proofs

from .repayment_stories import (
    FIRST_DUE,
    SUNDAY,
    WEDNESDAY,
    hold,
    lend,
    on_1300,
    pay_off,
    plan_of,
    run,
    statuses,
)

pytestmark = pytest.mark.slow


def at_once(*doings: Callable[[], Any]) -> list[str]:
    """What became of each, all begun together: `done`, or the code of its refusal."""
    start = Barrier(len(doings))

    def one(doing: Callable[[], Any]) -> str:
        try:
            start.wait()
            doing()
            return "done"
        except BatConnectError as error:
            return error.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(doings)) as pool:
        return sorted(pool.map(one, doings))


def test_it_happens_once_and_the_schedule_stays_whole(committing_database: str) -> None:
    loans = [lend() for _ in range(6)]
    for loan in loans[:3]:
        told = at_once(*(lambda loan=loan: pay_off(loan, on=WEDNESDAY) for _ in range(3)))
        assert told == ["done", "repayment.nothing_scheduled", "repayment.nothing_scheduled"]
    # While the run posts what is due: a hold before it keeps the installment back, one after it finds it posted.
    held = [lambda loan=loan: hold(loan, on=FIRST_DUE) for loan in loans[3:]]
    assert at_once(lambda: run(SUNDAY), *held) == ["done"] * 4
    for loan in loans[3:]:
        assert statuses(loan) in ("sssss", "ossss") and plan_of(loan).status == "HOLD"
    posted = sum(statuses(loan) == "ossss" for loan in loans[3:])
    assert LedgerPosting.objects.count() == 3 + posted
    assert on_1300() == 3 * 1200 - posted * 250
    assert broken_proofs() == []
