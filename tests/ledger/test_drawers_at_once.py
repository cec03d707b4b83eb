"""The desk at one moment: two closes and a payment, a check that bounces twice, two opening files; one counts."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from django.db import connections, transaction

from ledger.models import DrawerClose, DrawerMovement, LedgerPosting
from ledger.services.credits import grant_credit
from ledger.services.drawers import DrawerClosed, bounce_check
from ledger.services.errors import DrawerHoldsLess
from ledger.services.opening_balances import OpeningImported, import_opening_balances
from ledger.services.statements import pay_dtr
from ledger.services.voids import AlreadyVoided
from tests.factories import make_user
from tests.ledger.desk_stories import MONDAY, WHY, asked, close, float_in, take
from tests.ledger.factories import broken_proofs, make_account
from tests.ledger.payout_stories import net_pay

ROUNDS = 5


@pytest.mark.slow
def test_a_drawer_is_closed_once_and_nothing_falls_between(committing_database: str) -> None:
    account, chief = make_account(), make_user()
    for _ in range(ROUNDS):
        ann, barrier = make_user(), Barrier(3)
        take(account, "100.00", ann)

        def at_once(what: str, ann: Any = ann, barrier: Barrier = barrier) -> str:
            barrier.wait()
            try:
                if what == "pay":
                    return take(account, "10.00", ann).number
                return close(ann, "100.00", reason=WHY, actor=chief).number
            except DrawerClosed:
                return "closed"
            finally:
                connections.close_all()

        with ThreadPoolExecutor(3) as pool:
            *closes, payment = pool.map(at_once, ("close", "close", "pay"))

        done = DrawerClose.objects.get(drawer_id=ann.pk)
        assert sorted(closes) == sorted([done.number, "closed"])
        moved = DrawerMovement.objects.get(reference=payment)
        inside = done.expected_cash == Decimal("110.00")
        assert moved.day == (MONDAY if inside else MONDAY + timedelta(days=1))
        assert done.difference == (Decimal("-10.00") if inside else Decimal("0.00"))
    # Its check comes back, and two people record that.
    check, barrier = take(account, "70.00", ann := make_user(), method="CHECK"), Barrier(2)
    close(ann, "0.00", [check.number])

    def bounce(_: int) -> str:
        barrier.wait()
        try:
            bounce_check(payment_number=check.number, reason=WHY, actor=ann, on=MONDAY)
        except AlreadyVoided:
            return "voided before"
        finally:
            connections.close_all()
        return "done"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(bounce, range(2))) == ["done", "voided before"]
    assert broken_proofs() == []


@pytest.mark.slow
def test_a_payout_waits_for_the_one_before_and_then_sees_what_it_left(committing_database: str) -> None:
    """60 of credit paid back and 60 of net pay, of 100: two drivers', and numbered apart, so nothing but the drawer
    keeps them apart. Whichever is first, the other one begins before it is committed."""
    chief = make_user()
    for dtr, order in zip(
        net_pay("60.00", "60.00"), (("refund", "net pay"), ("net pay", "refund")), strict=True
    ):
        ann, account, barrier = make_user(), make_account(), Barrier(2)
        take(account, "60.00", chief)
        float_in(ann, "100.00")

        def pay_out(what: str, ann: Any = ann, account: Any = account, dtr: Any = dtr) -> None:
            if what == "net pay":
                pay_dtr(dtr=dtr, on=MONDAY, method="CASH", actor=ann)
            else:
                refund = asked("REFUND", account, "60.00", method="CASH")
                grant_credit(refund, actor=ann, approved_by=chief, on=MONDAY)

        def first(barrier: Barrier = barrier, what: str = order[0], pay_out: Any = pay_out) -> str:
            try:
                with transaction.atomic():
                    pay_out(what)
                    barrier.wait()
                    time.sleep(0.3)
            finally:
                connections.close_all()
            return "paid"

        def second(barrier: Barrier = barrier, what: str = order[1], pay_out: Any = pay_out) -> str:
            try:
                barrier.wait()
                pay_out(what)
            except DrawerHoldsLess as error:
                return str(error.details["holds"])
            finally:
                connections.close_all()
            return "paid"

        with ThreadPoolExecutor(2) as pool:
            assert [each.result() for each in (pool.submit(first), pool.submit(second))] == ["paid", "40.00"]
    assert broken_proofs() == []


@pytest.mark.slow
def test_of_two_files_of_opening_balances_one_is_imported(committing_database: str) -> None:
    """They are of other drivers and have other references, so nothing but the import itself keeps them apart."""
    clerk, barrier = make_user(), Barrier(2)
    rows = [
        f"{account.driver.tlc_license},{account.lease.number},LEASE,10.00,OLD-{at},2019-02-20"
        for at, account in enumerate((make_account(), make_account()))
    ]

    def bring_in(row: str) -> str:
        barrier.wait()
        try:
            import_opening_balances(
                content=f"tlc_license,lease,category,amount,reference,event_date\n{row}".encode(),
                name="cut-over.csv",
                control_total=Decimal("10.00"),
                actor=clerk,
                on=MONDAY,
            )
        except OpeningImported:
            return "imported before"
        finally:
            connections.close_all()
        return "done"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(bring_in, rows)) == ["done", "imported before"]
    assert LedgerPosting.objects.filter(product="OPENING").count() == 1
    assert broken_proofs() == []
