"""What follows from postings is written by nothing else; weeks, trips and DTRs change as they may, or not at all."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from batconnect.common.audit import system_user
from ledger.services import statements, voids

from .factories import MONDAY_AFTER, SATURDAY, SUNDAY, WEEK, broken_proofs, drive
from .lived_in import LivedIn, execute, insertion, live_in, refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def ledger() -> LivedIn:
    return live_in()


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
    again = "UPDATE trip_total SET settled_week = '2019-03-10' WHERE settled_week IS NOT NULL"
    change = f"UPDATE trip_total SET {{}} WHERE id = {late.pk}"
    assert "only moves between" in refused(change.format("earnings = 11"))
    assert "only moves between" in refused(change.format("mta_tax = 1, settled_week = '2019-03-10'"))
    assert "of their week or a later one" in refused(change.format("settled_week = '2019-03-03'"))
    assert "only moves between" in refused(again)
    assert "never deleted" in refused("DELETE FROM trip_total")
    assert "never deleted" in refused("TRUNCATE trip_total")
    assert "arrive unsettled" in refused(
        'INSERT INTO trip_total SELECT (jsonb_populate_record(t, \'{"id": 0, "settled_week": "2019-03-10"}\')).*'
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
    statements.return_payment(dtr=ledger.report, on=MONDAY_AFTER, reason="ACH came back", actor=system_user())
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
