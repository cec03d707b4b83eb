"""The rules of `0002_posting_rules.sql`, each tried with raw SQL: what no service would write is refused as well."""

import uuid
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from batconnect.common.audit import system_user
from ledger.models import LedgerAllocation, LedgerPosting
from ledger.services import statements, voids

from .factories import MONDAY_AFTER, SATURDAY, SUNDAY, WEEK, broken_proofs, charge, drive, pay, run
from .lived_in import LivedIn, execute, insertion, live_in, refused

pytestmark = pytest.mark.django_db

Change = Callable[[LivedIn], dict[str, Any]]
NOBODY = 10**9


@pytest.fixture
def ledger() -> LivedIn:
    return live_in()


def posting(ledger: LivedIn, **changes: Any) -> dict[str, Any]:
    """The columns of a charge as a service would insert it, but for the changes."""
    lease = ledger.account.lease
    return {
        "account_id": ledger.account.pk,
        "driver_id": ledger.account.driver_id,
        "lease_id": lease.pk,
        "vehicle_id": lease.vehicle_id,
        "medallion_id": lease.medallion_id,
        "category": "MISC",
        "amount": Decimal("30.00"),
        "reference_id": "RAW-1",
        "effective_on": MONDAY_AFTER,
        "event_on": MONDAY_AFTER,
        "due_on": MONDAY_AFTER,
        "created_by_id": system_user().pk,
        **changes,
    }


def reversal(ledger: LivedIn, of: LedgerPosting, **changes: Any) -> dict[str, Any]:
    as_it_should_be = {
        "category": of.category,
        "amount": -of.amount,
        "reference_id": of.reference_id,
        "reversal_for_id": of.pk,
    }
    return posting(ledger, **{**as_it_should_be, **changes})


def refused_posting(**columns: Any) -> str:
    return refused(insertion("ledger_posting", **columns), **columns)


# --- postings -----------------------------------------------------------------------------------------------


def test_the_posting_these_tests_spoil_is_good_as_it_is(ledger: LivedIn) -> None:
    for columns in (posting(ledger), reversal(ledger, ledger.payment, due_on=MONDAY_AFTER)):
        execute(insertion("ledger_posting", **columns), **columns)


SPOILT: dict[str, tuple[Change, str]] = {
    "in a closed week": (lambda it: {"effective_on": SATURDAY}, "weeks are closed through 2019-03-09"),
    "an event in the future": (lambda it: {"event_on": date.today() + timedelta(days=2)}, "in the future"),
    "dated in the future": (lambda it: {"effective_on": date.today() + timedelta(days=2)}, "in the future"),
    "no such account": (lambda it: {"account_id": NOBODY}, "does not exist or fit"),
    "another account's driver": (lambda it: {"driver_id": it.neighbour.driver_id}, "does not exist or fit"),
    "another account's lease": (lambda it: {"lease_id": it.neighbour.lease_id}, "does not exist or fit"),
    "an unknown vehicle": (lambda it: {"vehicle_id": NOBODY}, "does not exist or fit"),
    "an unknown medallion": (lambda it: {"medallion_id": NOBODY}, "does not exist or fit"),
    "an unknown user": (lambda it: {"created_by_id": NOBODY}, "does not exist or fit"),
    "nothing": (lambda it: {"amount": 0}, "ledger_posting_not_zero"),
    "no reference": (lambda it: {"reference_id": ""}, "ledger_posting_has_reference"),
    "a debit never due": (lambda it: {"due_on": None}, "ledger_posting_debit_has_due_date"),
    "a fraction too large": (lambda it: {"amount": Decimal(10) ** 12}, "overflow"),
    "born voided": (lambda it: {"status": "VOIDED"}, "begins as POSTED"),
    "a reference of its category": (
        lambda it: {"category": "EZPASS", "reference_id": "TOLL-1"},
        "ledger_posting_reference_once",
    ),
    "a voided reference": (
        lambda it: {"category": "PVB", "reference_id": "TICKET-1"},
        "ledger_posting_reference_once",
    ),
    "a neighbour's reference": (lambda it: {"reference_id": "MISC-1"}, "ledger_posting_reference_once"),
    "replacing what stands": (
        lambda it: {"category": "EZPASS", "replaces_id": it.toll.pk},
        "not a voided one of its category",
    ),
    "replacing another category": (
        lambda it: {"replaces_id": it.ticket.pk},
        "not a voided one of its category",
    ),
    "replacing nothing there is": (lambda it: {"replaces_id": uuid.uuid4()}, "not a voided one of its category"),
    "reversing and replacing": (
        lambda it: {"replaces_id": it.ticket.pk, "reversal_for_id": it.toll.pk},
        "ledger_posting_reverses_or_replaces",
    ),
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_posting_is_refused_with(case: str, ledger: LivedIn) -> None:
    change, said = SPOILT[case]
    assert said in refused_posting(**posting(ledger, **change(ledger)))


def test_a_posting_has_one_replacement(ledger: LivedIn) -> None:
    first = posting(ledger, category="PVB", reference_id="TICKET-1/2", replaces_id=ledger.ticket.pk)
    execute(insertion("ledger_posting", **first), **first)
    assert "ledger_posting_one_replacement" in refused_posting(**{**first, "reference_id": "TICKET-1/3"})


def test_a_reversal_is_the_opposite_of_one_standing_original_on_its_account(ledger: LivedIn) -> None:
    other = posting(ledger, account_id=ledger.neighbour.pk, driver_id=ledger.neighbour.driver_id,
                    lease_id=ledger.neighbour.lease_id)  # fmt: skip
    place = {name: other[name] for name in ("account_id", "driver_id", "lease_id")}
    for change in (
        {"amount": Decimal("-24.99")},
        {"amount": ledger.toll.amount},
        {"category": "MISC"},
        {"reference_id": "TOLL-2"},
        {"reversal_for_id": uuid.uuid4()},
        place,
    ):
        assert "is not the opposite of an original" in refused_posting(**reversal(ledger, ledger.toll, **change))
    assert "ledger_posting_one_reversal" in refused_posting(**reversal(ledger, ledger.ticket))
    assert "is not the opposite of an original" in refused_posting(**reversal(ledger, ledger.reversal))


def test_a_payout_that_was_paid_is_not_voided(ledger: LivedIn) -> None:
    payout = ledger.report.payout
    assert payout is not None
    assert "a payout that was paid cannot be voided" in refused_posting(**reversal(ledger, payout))
    statements.return_payment(dtr=ledger.report, on=MONDAY_AFTER, reason="ACH came back", actor=system_user())
    columns = reversal(ledger, payout)
    execute(insertion("ledger_posting", **columns), **columns)


# --- allocations --------------------------------------------------------------------------------------------


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
    "a date in a closed week": (lambda it: {"effective_on": SATURDAY}, "weeks are closed through"),
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


# --- what follows from postings and allocations, and is written by them alone -------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE driver_account SET balance = 0",
        "UPDATE ledger_balance SET balance = 0",
        "UPDATE ledger_balance SET applied_payment_refs = '{}'",
        "INSERT INTO ledger_balance SELECT * FROM ledger_balance",
        "UPDATE ledger_posting SET status = 'VOIDED'",
        "UPDATE dtr SET status = 'PAID'",
        "UPDATE dtr SET figures = '{}'",
    ],
)
def test_nothing_is_written_past_postings_and_allocations(statement: str, ledger: LivedIn) -> None:
    if statement.startswith("INSERT"):
        statement = (
            "INSERT INTO ledger_balance (posting_id, account_id, category, reference_id, original_amount, balance,"
            " effective_on, created_at) SELECT uuid7(), account_id, category, 'MINE', original_amount, balance,"
            " effective_on, created_at FROM ledger_balance"
        )
    assert "it follows from postings and allocations" in refused(statement)


def test_an_account_opens_at_zero_for_a_lease_and_its_driver(ledger: LivedIn) -> None:
    opened = {"driver_id": ledger.account.driver_id, "lease_id": ledger.account.lease_id, "balance": 0}
    statement = insertion("driver_account", **opened)
    assert "opens at zero" in refused(statement, **{**opened, "balance": Decimal("0.01")})
    other_lease = {**opened, "lease_id": ledger.neighbour.lease_id}
    assert "that lease's driver" in refused(statement, **other_lease)
    assert "driver_account_once" in refused(statement, **opened)


# --- weeks, trips, DTRs -------------------------------------------------------------------------------------


def closing(week: date) -> dict[str, Any]:
    return {
        "week": week, "status": "CLOSED", "started_at": MONDAY_AFTER, "started_by_id": system_user().pk,
        "installments_posted": 0, "closed_at": MONDAY_AFTER, "result": "{}",
    }  # fmt: skip


def test_weeks_close_once_in_order_after_they_have_ended(ledger: LivedIn) -> None:
    statement = insertion("weekly_run", **closing(SUNDAY))
    assert "the last closed one is 2019-03-03" in refused(statement, **closing(SUNDAY + 2 * WEEK))
    assert "the last closed one is 2019-03-03" in refused(statement, **closing(SUNDAY - WEEK))
    assert "the last closed one is 2019-03-03" in refused(statement, **closing(SUNDAY))
    assert "weekly_run_starts_on_sunday" in refused(
        statement, **{**closing(SATURDAY), "status": "OPEN", "closed_at": None, "result": None}
    )
    assert "closed_has_result" in refused(statement, **{**closing(SUNDAY + WEEK), "result": None})
    assert "the week of 2019-03-03 is closed" in refused("UPDATE weekly_run SET status = 'OPEN'")


def test_a_week_that_has_not_ended_does_not_close() -> None:
    this_week = date.today() - timedelta(days=(date.today().weekday() + 1) % 7)
    columns = closing(this_week - WEEK)
    execute(insertion("weekly_run", **columns), **columns)  # the first close ever names its week
    assert "has not ended" in refused(insertion("weekly_run", **columns), **{**columns, "week": this_week})


def test_a_trip_total_never_changes_and_is_settled_by_its_week_or_a_later_one(ledger: LivedIn) -> None:
    late = drive(ledger.account, "10.00", week=SUNDAY + WEEK)
    change = f"UPDATE trip_total SET {{}} WHERE id = {late.pk}"
    assert "only moves between" in refused(change.format("earnings = 11"))
    assert "only moves between" in refused(change.format("mta_tax = 1, settled_week = '2019-03-10'"))
    assert "of their week or a later one" in refused(change.format("settled_week = '2019-03-03'"))
    assert "only moves between" in refused("UPDATE trip_total SET settled_week = '2019-03-10' WHERE settled_week IS NOT NULL")
    assert "never deleted" in refused("DELETE FROM trip_total")
    assert "never deleted" in refused("TRUNCATE trip_total")
    assert "arrive unsettled" in refused(
        "INSERT INTO trip_total SELECT (jsonb_populate_record(t, '{\"id\": 0, \"settled_week\": \"2019-03-10\"}')).*"
        " FROM trip_total t"
    )


def test_a_dtr_is_paid_and_returned_by_turns_for_its_net_pay(ledger: LivedIn) -> None:
    paid = {
        "dtr_id": ledger.report.pk, "kind": "PAID", "method": "CASH", "method_reference": "",
        "amount": ledger.report.net_pay, "on": MONDAY_AFTER, "reason": "", "created_at": MONDAY_AFTER,
        "created_by_id": system_user().pk,
    }  # fmt: skip
    statement = insertion("dtr_payment", **paid).replace(", on,", ', "on",')
    assert "not in a state to be paid" in refused(statement, **paid)
    returned = {**paid, "kind": "RETURNED"}
    assert "not in a state to be returned" in refused(statement, **{**returned, "amount": Decimal("1.00")})
    assert "ahead of today" in refused(statement, **{**returned, "on": date.today() + timedelta(days=2)})
    assert "before its last payment" in refused(statement, **{**returned, "on": SUNDAY})
    execute(statement, **returned)
    assert "not in a state to be returned" in refused(statement, **returned)
    assert "not in a state to be paid" in refused(statement, **{**paid, "amount": Decimal("219.99")})
    payout = ledger.report.payout
    assert payout is not None
    voids.void_posting(posting_id=payout.pk, reason="Paid by mistake", actor=system_user(), on=MONDAY_AFTER)
    assert "not in a state to be paid" in refused(statement, **paid)
    assert broken_proofs() == []


def test_there_is_one_dtr_per_account_and_week_and_no_net_pay_without_payout(ledger: LivedIn) -> None:
    copy = "INSERT INTO dtr SELECT (jsonb_populate_record(d, %(changes)s::jsonb)).* FROM dtr d WHERE id = %(report)s"
    for changes, said in (
        ('{"id": 0, "number": "DTR-1", "payout_id": null}', "dtr_net_pay_has_payout"),
        ('{"id": 0, "number": "DTR-1", "net_pay": -1}', "dtr_net_pay"),
        ('{"id": 0, "number": "DTR-1"}', "duplicate key"),
        ('{"id": 0, "number": "DTR-1", "payout_id": null, "net_pay": 0}', "dtr_one_per_account_and_week"),
    ):
        assert said in refused(copy, changes=changes, report=ledger.report.pk)


def test_the_next_week_takes_a_day_of_its_own_only(ledger: LivedIn) -> None:
    """The boundary: the Saturday is closed, the Sunday after it is open, and closes with the next run."""
    columns = posting(ledger, effective_on=SATURDAY + timedelta(days=1))
    execute(insertion("ledger_posting", **columns), **columns)
    run(SUNDAY + WEEK)
    columns["reference_id"] = "RAW-2"
    assert "weeks are closed through 2019-03-16" in refused_posting(**columns)
