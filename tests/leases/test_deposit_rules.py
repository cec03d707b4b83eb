"""The database's own rules about deposits, each tried to be broken past the services; killed halves; two at once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, OperationalError, connection, connections, transaction

from batconnect.common.audit import system_user
from batconnect.common.transactions import sqlstate
from leases.deposit_models import DepositPart, DepositRefund, DepositRelease, LeaseDeposit
from leases.models import Lease
from leases.services.deposits import holds, record_refund
from ledger.models import LedgerPosting, Origin
from ledger.services.errors import Refused
from ledger.services.house_events import enter_house_event
from ledger.services.postings import NewPosting, insert_postings
from tests.factories import make_lease
from tests.ledger.factories import SATURDAY, account_of, balance, broken_proofs, charge, open_items, pay

from .deposit_stories import (
    ENDED,
    HELD_UNTIL,
    NEXT_SATURDAY,
    figures,
    lease_with_deposit,
    post_parts,
    release_expired,
)

DAY = timedelta(days=1)


def refused(state: str, make: Any) -> None:
    with pytest.raises(DatabaseError) as caught, transaction.atomic():
        make()
    assert sqlstate(caught.value) == state, caught.value


def collected(amount: str = "100.00") -> Lease:
    lease = lease_with_deposit(amount)
    post_parts()
    pay(account_of(lease), amount, {f"{lease.number}/D1": amount})
    return lease


def release(lease: Lease, **changes: Any) -> DepositRelease:
    values = {
        "released_on": HELD_UNTIL, "fell_due": 0, "cancelled": 0, "collected": 100, "applied": 0, "refundable": 100,
        "created_by": system_user(), **changes,
    }  # fmt: skip
    return DepositRelease.objects.create(deposit=lease.deposit, **values)


def test_a_deposit_is_on_its_own_leases_account(db: None) -> None:
    lease, other = make_lease(), make_lease()
    refused(
        "BC035",
        lambda: LeaseDeposit.objects.create(lease=lease, account=account_of(other), created_by=system_user()),
    )


def test_a_part_is_one_of_two_named_after_its_lease_and_begins_unposted(db: None) -> None:
    lease = lease_with_deposit()
    deposit = lease.deposit
    values = {"deposit": deposit, "due_on": SATURDAY, "amount": 1}

    def part(number: int, reference: str = "", **more: Any) -> Any:
        reference = reference or f"{lease.number}/D{number}"
        return lambda: DepositPart.objects.create(number=number, reference_id=reference, **{**values, **more})

    refused("23514", part(3))
    refused("23505", part(1))
    refused("BC035", part(2, reference=f"{lease.number}/D9"))
    refused("23514", part(2, amount=0))
    refused("23514", part(2, amount=100_000))
    stray = charge(account_of(lease), "DEPOSIT", "1.00", "STRAY")
    refused("BC035", part(2, posting_id=stray.pk))
    # Another posting than its own is not taken for it either.
    refused("BC035", lambda: deposit.parts.update(posting_id=stray.pk))


def test_a_posted_part_stays_as_it_is(db: None) -> None:
    lease = lease_with_deposit()
    post_parts()
    refused("BC035", lambda: lease.deposit.parts.update(amount=1))
    refused("BC035", lambda: lease.deposit.parts.all().delete())
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        refused("P0001", lambda: cursor.execute("TRUNCATE deposit_part"))
        refused("P0001", lambda: cursor.execute("DELETE FROM lease_deposit"))


def test_a_released_deposits_parts_stay_as_they_are(db: None) -> None:
    lease = lease_with_deposit("500.00", (SATURDAY, date(2019, 6, 1)))
    release_expired()
    refused("BC035", lambda: lease.deposit.parts.filter(number=2).update(due_on=SATURDAY))
    refused("BC035", lambda: lease.deposit.parts.filter(number=2).delete())


def test_a_release_comes_after_the_lease_and_its_hold_once(db: None) -> None:
    lease = collected()
    refused("BC036", lambda: release(lease, released_on=HELD_UNTIL - DAY))
    refused("BC036", lambda: release(lease, released_on=ENDED, reason="The driver leaves town"))
    refused("BC036", lambda: release(lease, released_on=date(2099, 1, 1)))
    Lease.objects.filter(pk=lease.pk).update(ends_on=None)
    refused("BC036", lambda: release(lease))
    Lease.objects.filter(pk=lease.pk).update(ends_on=ENDED)
    release(lease)
    refused("23505", lambda: release(lease))
    refused("P0001", lambda: DepositRelease.objects.update(refundable=0, applied=100))


def test_a_releases_figures_are_the_ledgers(db: None) -> None:
    lease = collected()
    refused("BC036", lambda: release(lease, collected=99, refundable=99))
    refused("23514", lambda: release(lease, collected=150))
    refused("BC036", lambda: release(lease, applied=40, refundable=60))
    refused("23514", lambda: release(lease, collected=140, applied=40))
    stray = charge(account_of(lease), "MISC", "40.00")
    refused("BC036", lambda: release(lease, applied=40, refundable=60, posting=stray))
    charge(account_of(lease), "DEPOSIT", "10.00", "MORE")
    refused("BC036", lambda: release(lease))


def test_no_more_is_applied_than_was_collected(db: None) -> None:
    lease = collected()
    row = NewPosting(
        account_id=account_of(lease).pk, category="DEPOSIT_APPLIED", amount=Decimal("-100.01"), reference_id="X",
        event_on=ENDED,
    )  # fmt: skip
    with pytest.raises(Refused, match="more of the deposit than was collected"), transaction.atomic():
        insert_postings([row], actor_id=system_user().pk, on=ENDED)


def test_a_refund_is_what_is_left_whole_once_and_with_its_entry(db: None) -> None:
    lease = collected()
    release_expired()
    made = lease.deposit.release

    def refund(amount: str, *, entry: str = "", **changes: Any) -> Any:
        def make() -> DepositRefund:
            entered = enter_house_event(
                "DEPOSIT_REFUNDED", amount=Decimal(entry or amount), on=HELD_UNTIL, actor=system_user(),
                reference=lease.number, origin=Origin.DEPOSIT,
            )  # fmt: skip
            values = {
                "release": made, "amount": Decimal(amount), "paid_on": HELD_UNTIL, "method": "ACH",
                "method_reference": "TR-1", "entry_id": entered.entry_id, "entry_date": entered.je_date,
                "created_by": system_user(), **changes,
            }  # fmt: skip
            return DepositRefund.objects.create(**values)

        return make

    refused("BC037", refund("99.99"))
    refused("BC037", refund("100.01"))
    refused("BC037", refund("100.00", entry="50.00"))
    refused("BC037", refund("100.00", entry_id=1))
    refused("BC037", refund("100.00", paid_on=HELD_UNTIL - DAY))
    refused("BC037", refund("100.00", paid_on=date(2099, 1, 1)))
    refused("23514", refund("100.00", method="CASH"))
    refused("23514", refund("100.00", method_reference=""))
    record_refund(lease=lease, method="ACH", method_reference="1", actor=system_user(), on=HELD_UNTIL)
    refused("BC037", refund("100.00"))
    paid = DepositRefund.objects.get()
    refused("BC037", refund("99.00", returns=paid, reason="It came back to us"))
    refused("BC037", refund("100.00", returns=paid, reason="It came back to us"))  # its entry pays out
    refused("P0001", lambda: DepositRefund.objects.update(amount=1))
    assert broken_proofs() == []


# --- killed, and two at once ----------------------------------------------------------------------------------------


@pytest.fixture
def expired(committing_database: str) -> list[Lease]:
    """Three leases whose hold has ended, 250 of 500 collected, each with a ticket of 100."""
    leases = [lease_with_deposit("500.00", (SATURDAY, NEXT_SATURDAY)) for _ in range(3)]
    post_parts()
    for lease in leases:
        pay(account_of(lease), "250.00", {f"{lease.number}/D1": "250.00"})
        charge(account_of(lease), "PVB", "100.00", on=date(2019, 3, 20))
    return leases


def released_once(leases: list[Lease]) -> None:
    for lease in leases:
        account = account_of(lease)
        assert open_items(account) == {} and balance(account) == 0
        assert figures(lease)["applied"] == "100.00" and figures(lease)["to_refund"] == "150.00"
    assert LedgerPosting.objects.filter(category="DEPOSIT_APPLIED").count() == len(leases)
    assert LedgerPosting.objects.filter(category="DEPOSIT", reversal_for__isnull=False).count() == len(leases)
    assert broken_proofs() == []


# Where a release dies: a part is cancelled, the deposit is applied, it pays, it is recorded, it is told.
STEPS = (
    ("ledger_posting", "NEW.reversal_for_id IS NOT NULL"),
    ("ledger_posting", "NEW.category = 'DEPOSIT_APPLIED'"),
    ("ledger_allocation", "true"),
    ("deposit_release", "true"),
    ("audit_entry", "NEW.action = 'deposit.released'"),
)


@contextmanager
def dying_at(table: str, row: str) -> Iterator[None]:
    """Whoever inserts such a row loses the connection at that moment, as a killed process does."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION dies() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$"
        )
        cursor.execute(
            f"CREATE TRIGGER dies AFTER INSERT ON {table} FOR EACH ROW WHEN ({row}) EXECUTE FUNCTION dies()"
        )
    yield
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER dies ON {table}; DROP FUNCTION dies()")


@pytest.mark.slow
def test_killed_in_the_middle_it_did_nothing_and_two_workers_then_release_each_once(
    expired: list[Lease], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = LedgerPosting.objects.count()
    monkeypatch.setattr(holds, "CHUNK", 2)
    for table, row in STEPS:
        with dying_at(table, row), pytest.raises(OperationalError):
            release_expired()
        assert LedgerPosting.objects.count() == before and not DepositRelease.objects.exists(), (table, row)

    start = threading.Barrier(2)
    done: list[holds.Holds] = []

    def work() -> None:
        try:
            start.wait()
            done.append(release_expired())
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sum(len(one.released) for one in done) == 3 and [one.failed for one in done] == [[], []]
    released_once(expired)
