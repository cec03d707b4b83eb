"""Each proof of the sub-ledger notices what it is there for: a row changed, in a transaction rolled back."""

from typing import Any

import pytest
from django.db import connection

from ledger.selectors.proofs import run_proofs
from ledger.selectors.proofs.subledger import SUBLEDGER_CHECKS

from .lived_in import LivedIn, execute, live_in

pytestmark = pytest.mark.django_db

# The proof, what is done behind its back, and what it must name.
TAMPERING = {
    "postings = open items = running balance": (
        "UPDATE driver_account SET balance = balance + 0.01 WHERE id = %(account)s",
        "account {account} ",
    ),
    "open items rebuilt from allocations": (
        "UPDATE ledger_balance SET balance = balance - 0.01 WHERE reference_id = 'TOLL-1'",
        "EZPASS TOLL-1 of account {account}: open 14.99, from its allocations 15.00",
    ),
    "no item crosses zero": (
        "ALTER TABLE ledger_balance DROP CONSTRAINT ledger_balance_between_zero_and_original;"
        " UPDATE ledger_balance SET balance = -0.01 WHERE reference_id = 'TOLL-1'",
        "EZPASS TOLL-1 of account {account}: -0.01 open of 25.00",
    ),
    "payment references are those in force": (
        "UPDATE ledger_balance SET applied_payment_refs = '{}' WHERE reference_id = 'TOLL-1'",
        "EZPASS TOLL-1 of account {account}",
    ),
    "voided means reversed once": (
        "UPDATE ledger_posting SET status = 'VOIDED' WHERE reference_id = 'TOLL-1'",
        "EZPASS TOLL-1 of account {account}: VOIDED with 0 reversals",
    ),
    "allocations fit their items": (
        "UPDATE ledger_allocation SET effective_on = effective_on - 30"
        " WHERE debit_id = (SELECT id FROM ledger_posting WHERE reference_id = 'TOLL-1')",
        "of account {account}: it is dated before an item",
    ),
    "references are used once": (
        "DROP INDEX ledger_posting_reference_once;"
        " UPDATE ledger_posting SET category = 'EZPASS', reference_id = 'TOLL-1' WHERE reference_id = 'MISC-1'",
        "EZPASS TOLL-1 was posted 2 times",
    ),
    "trips are counted as they came": (
        "UPDATE txn_source_parent SET fare = fare + 1, gross_amount = gross_amount + 1",
        "account {account}, week 2019-03-03",
    ),
    "trips are loaded once": ("DELETE FROM source_row_seen", "loaded, but not remembered as seen"),
    "settled trips = taxes and earnings posted": (
        "UPDATE trip_total SET settled_week = NULL",
        "account {account}, week 2019-03-03",
    ),
    "statements add up and follow each other": (
        "UPDATE dtr SET figures = jsonb_set(figures, '{categories,1,charges}', '\"300.01\"') WHERE id = %(report)s",
        "{number} LEASE: 0.00 and 0.01 give 0.01, not 0.00",
    ),
    "statements lead to today's open items": (
        "UPDATE dtr SET open_debits = open_debits + 1 WHERE id = %(report)s",
        "account {account}: {number} left 1.00",
    ),
    "payouts are those of the DTRs": (
        "DELETE FROM dtr_payment",
        "{number}: PAID, and its payments say otherwise",
    ),
    "weeks are closed in order and stay closed": (
        "UPDATE ledger_posting SET effective_on = '2019-03-04', created_at = now() + interval '1 hour'"
        " WHERE reference_id = 'TOLL-1'",
        "EZPASS TOLL-1 is dated 2019-03-04, in a week closed before it was posted",
    ),
}


@pytest.fixture
def ledger() -> LivedIn:
    return live_in()


def test_there_is_a_case_for_each_proof() -> None:
    assert [name for name, *_ in SUBLEDGER_CHECKS] == list(TAMPERING)


@pytest.mark.parametrize("name", TAMPERING)
def test_the_proof_names_what_was_tampered_with(name: str, ledger: LivedIn) -> None:
    assert [proof for proof in run_proofs() if not proof.ok] == []
    tampering, named = TAMPERING[name]
    facts: dict[str, Any] = {
        "account": ledger.account.pk,
        "report": ledger.report.pk,
        "number": ledger.report.number,
    }
    execute("SET CONSTRAINTS ALL IMMEDIATE")  # or the table could not be altered in this transaction
    execute("SET LOCAL session_replication_role = replica")
    for statement in tampering.split(";"):
        with connection.cursor() as cursor:
            cursor.execute(statement, facts if "%(" in statement else None)
            assert cursor.rowcount != 0, "nothing was tampered with"

    details = {proof.name: proof.detail for proof in run_proofs() if not proof.ok}

    assert named.format(**facts) in details.get(name, "the proof holds")
