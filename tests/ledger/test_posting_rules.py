"""The rules of `0002_posting_rules.sql`, each tried with raw SQL: what no service would write is refused as well."""

import uuid
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from batconnect.common.audit import system_user
from ledger.models import LedgerPosting
from ledger.services import statements

from .factories import MONDAY_AFTER, SATURDAY, SUNDAY, WEEK, run
from .lived_in import LivedIn, execute, insertion, live_in, posting_insertion, refused

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
    return refused(posting_insertion(**columns), **columns)


# --- postings -----------------------------------------------------------------------------------------------


def test_the_posting_these_tests_spoil_is_good_as_it_is(ledger: LivedIn) -> None:
    for columns in (posting(ledger), reversal(ledger, ledger.payment, due_on=MONDAY_AFTER)):
        execute(posting_insertion(**columns), **columns)


SPOILT: dict[str, tuple[Change, str]] = {
    "in a closed week": (lambda it: {"effective_on": SATURDAY}, "closed through 2019-03-09"),
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
    "replacing nothing there is": (
        lambda it: {"replaces_id": uuid.uuid4()},
        "not a voided one of its category",
    ),
    "reversing and replacing": (
        lambda it: {"replaces_id": it.ticket.pk, "reversal_for_id": it.toll.pk},
        "ledger_posting_reverses_or_replaces",
    ),
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_posting_is_refused_with(case: str, ledger: LivedIn) -> None:
    change, said = SPOILT[case]
    assert said in refused_posting(**posting(ledger, **change(ledger)))


def test_a_posting_comes_with_its_entry(ledger: LivedIn) -> None:
    columns = posting(ledger)
    assert "posting RAW-1 comes without its journal entry" in refused(
        insertion("ledger_posting", **columns), **columns
    )


def test_a_posting_has_one_replacement(ledger: LivedIn) -> None:
    first = posting(ledger, category="PVB", reference_id="TICKET-1/2", replaces_id=ledger.ticket.pk)
    execute(posting_insertion(**first), **first)
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
        assert "is not the opposite of an original" in refused_posting(
            **reversal(ledger, ledger.toll, **change)
        )
    assert "ledger_posting_one_reversal" in refused_posting(**reversal(ledger, ledger.ticket))
    assert "is not the opposite of an original" in refused_posting(**reversal(ledger, ledger.reversal))


def test_a_payout_that_was_paid_is_not_voided(ledger: LivedIn) -> None:
    payout = ledger.report.payout
    assert payout is not None
    assert "a payout that was paid cannot be voided" in refused_posting(**reversal(ledger, payout))
    statements.return_payment(dtr=ledger.report, on=MONDAY_AFTER, reason="ACH came back", actor=system_user())
    columns = reversal(ledger, payout)
    execute(posting_insertion(**columns), **columns)


def test_the_next_week_takes_a_day_of_its_own_only(ledger: LivedIn) -> None:
    """The boundary: the Saturday is closed, the Sunday after it is open, and closes with the next run."""
    columns = posting(ledger, effective_on=SATURDAY + timedelta(days=1))
    execute(posting_insertion(**columns), **columns)
    run(SUNDAY + WEEK)
    columns["reference_id"] = "RAW-2"
    assert "closed through 2019-03-16" in refused_posting(**columns)
