"""Two people, or a person and the weekly run, at the same repayment at the same moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, connections, transaction

from batconnect.common.errors import BatConnectError
from leases.services import create_lease, renew_lease
from leases.services.billing import locked_lease
from ledger.models import LedgerPosting
from tests.factories import make_driver, make_user
from tests.ledger.factories import broken_proofs

from .repayment_stories import (
    FIRST_DUE,
    SUNDAY,
    WEDNESDAY,
    WEEK,
    free_lease,
    hold,
    lend,
    on_1300,
    pay_off,
    plan_of,
    repair,
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


def test_who_changes_a_lease_keeps_nobody_from_referring_to_it(committing_database: str) -> None:
    """Whoever holds the account refers to the lease as he commits: the two would wait for each other."""
    lease, actor = free_lease(), make_user()

    def enter() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")
        repair(lease, as_draft=True, actor=actor)

    with transaction.atomic():
        locked_lease(lease)
        assert at_once(enter) == ["done"]


def test_a_medallion_is_leased_once_when_a_renewal_and_another_lease_come_together(
    committing_database: str,
) -> None:
    actor = make_user()
    for _ in range(3):
        lease, driver = free_lease(ends_on=WEDNESDAY), make_driver()

        def renew(lease: Any = lease) -> None:
            renew_lease(lease=lease, actor=actor, on=WEDNESDAY)

        def lease_out(lease: Any = lease, driver: Any = driver) -> None:
            create_lease(
                driver=driver, medallion=lease.medallion, vehicle=lease.vehicle, starts_on=WEDNESDAY + WEEK,
                weekly_fee=Decimal("0.00"), actor=actor,
            )  # fmt: skip

        assert at_once(renew, lease_out) == ["done", "lease.medallion_leased"]
