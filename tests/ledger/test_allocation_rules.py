"""The rules of allocations in `0002_posting_rules.sql`, each tried with raw SQL."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from batconnect.common.audit import system_user
from ledger.models import LedgerAllocation, LedgerPosting

from .factories import MONDAY_AFTER, SATURDAY, SUNDAY, WEEK, broken_proofs, charge, pay
from .lived_in import LivedIn, execute, insertion, live_in, refused

pytestmark = pytest.mark.django_db

Change = Callable[[LivedIn], dict[str, Any]]
NOBODY = 10**9


@pytest.fixture
def ledger() -> LivedIn:
    return live_in()


def allocation(ledger: LivedIn, **changes: Any) -> dict[str, Any]:
    """Two dollars of a fresh payment for the toll, dated the day of both, but for the changes."""
    return {
        "account_id": ledger.account.pk,
        "credit_id": pay(ledger.account, "5.00").pk,
        "debit_id": ledger.toll.pk,
        "amount": Decimal("2.00"),
        "effective_on": MONDAY_AFTER,
        "undoes_id": None,
        "created_by_id": system_user().pk,
        **changes,
    }


def refused_allocation(**columns: Any) -> str:
    return refused(insertion("ledger_allocation", **columns), **columns)


def inserted(**columns: Any) -> int:
    execute(insertion("ledger_allocation", **columns), **columns)
    return LedgerAllocation.objects.latest("pk").pk


UNFIT: dict[str, tuple[Change, str]] = {
    "another account's debit": (
        lambda it: {"debit_id": LedgerPosting.objects.get(reference_id="MISC-1").pk},
        "of its own account",
    ),
    "another account's name": (lambda it: {"account_id": it.neighbour.pk}, "of its own account"),
    "a credit for a credit": (lambda it: {"debit_id": it.payment.pk}, "needs a credit and a debit"),
    "a debit by a debit": (lambda it: {"credit_id": it.ticket.pk}, "needs a credit and a debit"),
    "an item that is not": (lambda it: {"debit_id": uuid.uuid4()}, "needs a credit and a debit"),
    "more than the debit has open": (
        lambda it: {"amount": Decimal("15.01"), "credit_id": pay(it.account, "50.00").pk},
        "ledger_balance_between_zero_and_original",
    ),
    "more than the credit has open": (
        lambda it: {"amount": Decimal("5.01")},
        "ledger_balance_between_zero_and_original",
    ),
    "a date before its items": (lambda it: {"effective_on": SUNDAY + WEEK}, "before its items or an earlier"),
    "a date in a closed week": (lambda it: {"effective_on": SATURDAY}, "closed through 2019-03-09"),
    "nothing": (lambda it: {"amount": 0}, "ledger_allocation_negative_only_to_undo"),
    "less than nothing, undoing nothing": (
        lambda it: {"amount": Decimal("-2.00")},
        "ledger_allocation_negative_only_to_undo",
    ),
}


@pytest.mark.parametrize("case", UNFIT)
def test_an_allocation_is_refused_with(case: str, ledger: LivedIn) -> None:
    change, said = UNFIT[case]
    assert said in refused_allocation(**allocation(ledger, **change(ledger)))


def test_an_allocation_is_not_dated_before_an_earlier_one_of_its_items(ledger: LivedIn) -> None:
    later = allocation(ledger, effective_on=MONDAY_AFTER + timedelta(days=3))
    inserted(**later)
    assert "before its items or an earlier" in refused_allocation(**{**later, "effective_on": MONDAY_AFTER})
    inserted(**later)


def test_nor_in_the_same_statement(ledger: LivedIn) -> None:
    columns = allocation(ledger)
    statement = insertion("ledger_allocation", **columns)
    rows = statement.replace("VALUES (", "SELECT ").removesuffix(")").replace(
        "%(effective_on)s", "%(effective_on)s::date + day"
    ) + " FROM unnest(ARRAY[2, 1]) AS day"  # fmt: skip
    rows = rows.replace("%(undoes_id)s", "%(undoes_id)s::bigint").replace("%(amount)s", "%(amount)s / 2")
    assert "not in the order of their dates" in refused(rows, **columns)


def test_an_undo_mirrors_what_it_undoes_and_does_so_once(ledger: LivedIn) -> None:
    columns = allocation(ledger)
    undo = {**columns, "amount": Decimal("-2.00"), "undoes_id": inserted(**columns)}
    for change in (
        {"amount": Decimal("-1.00")},
        {"credit_id": pay(ledger.account, "5.00").pk},
        {"undoes_id": NOBODY},
        {"debit_id": charge(ledger.account, "MISC", "9.00", on=MONDAY_AFTER).pk},
    ):
        assert "an undo must mirror" in refused_allocation(**{**undo, **change})
    assert "negative_only_to_undo" in refused_allocation(**{**undo, "amount": Decimal("2.00")})
    inserted(**undo)
    assert broken_proofs() == []
    inserted(**{**columns, "effective_on": MONDAY_AFTER})
    assert "ledger_allocation_undone_once" in refused_allocation(**undo)
