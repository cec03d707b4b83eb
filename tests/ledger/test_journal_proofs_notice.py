"""Each proof of the journal notices what it is there for, and names it: tampering, in a transaction rolled back."""

from pathlib import Path
from typing import Any

import pytest

from ledger.models import AccountingMonth, BalanceSnapshot, EntryHeader, MonthEvent
from ledger.selectors.proofs import run_proofs
from ledger.selectors.proofs.control_accounts import CONTROL_CHECKS
from ledger.selectors.proofs.journal import JOURNAL_CHECKS

from .factories import broken_proofs, system_user
from .journal_story import Story, account, behind_the_triggers, entry_of, tell

pytestmark = pytest.mark.django_db

TOLL_LINES = "entry_id = %(toll)s AND je_date = '2019-03-11'"

# The proof, what is done behind its back, and what it must say.
TAMPERING: dict[str, list[tuple[str, str]]] = {
    "entries balance and are complete": [
        (
            f"UPDATE ledger_entry_line SET amount = amount + 0.01 WHERE {TOLL_LINES} AND line_number = 1",
            "JE-201903-{toll}: debits 25.01, credits 25.00; not balanced in USD",
        ),
        (
            f"UPDATE ledger_entry_line SET amount = amount + 0.01 WHERE {TOLL_LINES}",
            "JE-201903-{toll}: lines of 25.01; its header says 25.00",
        ),
        (
            f"DELETE FROM ledger_entry_line WHERE {TOLL_LINES}",
            "JE-201903-{toll} has no lines; its header says 2",
        ),
        (
            f"UPDATE ledger_entry_line SET line_number = 3 WHERE {TOLL_LINES} AND line_number = 2",
            "JE-201903-{toll} has 2 lines numbered 1 to 3; its header says 2",
        ),
        (
            "DELETE FROM ledger_entry_header WHERE id = %(toll)s",
            "entry {toll} of 2019-03-11 has 2 lines and no header",
        ),
    ],
    "lines name accounts that take them": [
        (
            f"UPDATE ledger_entry_line SET account_id = -7 WHERE {TOLL_LINES} AND line_number = 2",
            "JE-201903-{toll}, line 2: account -7 does not exist",
        ),
        (
            f"UPDATE ledger_entry_line SET currency = 'EUR' WHERE {TOLL_LINES} AND line_number = 1",
            "JE-201903-{toll}, line 1: 25.00 EUR on account 1200, which is in USD",
        ),
        (
            "UPDATE ledger_entry_header SET origin = 'MANUAL', posting_id = NULL WHERE id = %(toll)s",
            "JE-201903-{toll}, line 1: 25.00 on control account 1200 by an entry of origin MANUAL",
        ),
    ],
    "every posting has its entry": [
        (
            "UPDATE ledger_entry_header SET posting_id = NULL, origin = 'BATCH' WHERE id = %(toll)s",
            "EZPASS TOLL-1 of account {paid}: 25.00 posted, no journal entry",
        ),
        (
            "UPDATE ledger_posting SET amount = 25.01 WHERE reference_id = 'TOLL-1'",
            "EZPASS TOLL-1 of account {paid} is 25.01, and its entry JE-201903-{toll} has 25.00 on 1200",
        ),
        (
            "UPDATE ledger_posting SET effective_on = '2019-03-12' WHERE reference_id = 'TOLL-1'",
            "EZPASS TOLL-1 of account {paid} is of 2019-03-12, its entry JE-201903-{toll} of 2019-03-11",
        ),
        (
            "DELETE FROM ledger_posting WHERE reference_id = 'TOLL-1'",
            "JE-201903-{toll} is the entry of posting {toll_posting}, which is not there",
        ),
    ],
    "trips are journalised as they came": [
        (
            "UPDATE txn_source_parent SET fare = fare + 1, gross_amount = gross_amount + 1 WHERE id = %(row)s",
            "JE-201903-{trip}: trip curb {rowid} brought 16.80, and its entry has 15.80 on 2300",
        ),
        (
            "UPDATE txn_source_parent SET product_code = '$' WHERE id = %(row)s",
            "JE-201903-{trip}: trip curb {rowid} was not paid by card, and has an entry of 15.80",
        ),
        (
            "UPDATE trip_total SET journalised = 0 WHERE settled_week IS NULL",
            "account {unpaid}, week 2019-03-10, batch {batch}: 0.00 of its trips is counted as journalised, their "
            "entries say 15.80",
        ),
    ],
    "entries are reversed once, by their mirror": [
        (
            "UPDATE ledger_entry_line SET amount = 41 WHERE entry_id = %(reversal)s",
            "JE-201903-{reversal} does not mirror JE-201903-{reversed}: together they leave ",
        ),
        (
            "DELETE FROM ledger_entry_reversal",
            "JE-201903-{reversal} reverses JE-201903-{reversed}, which is not marked as reversed by it",
        ),
        (
            "UPDATE ledger_entry_header SET reverses_id = NULL, reverses_date = NULL WHERE id = %(reversal)s",
            "entry {reversed} is marked as reversed by entry {reversal}, which does not reverse it",
        ),
    ],
    "guarded balances = their lines": [
        (
            "UPDATE guarded_balance SET balance = balance + 0.01",
            'account W-1 Ann "Wallet"; Ltd.: balance 15.01 with floor 0.00; its lines give 15.00, its limit 0.00',
        ),
        ("DELETE FROM guarded_balance", 'account W-1 Ann "Wallet"; Ltd.: balance missing'),
    ],
    "snapshots = the lines of their months": [
        (
            "UPDATE account_balance_snapshot SET opening = opening + 1, closing = closing + 1"
            " WHERE account_id = %(bank)s",
            "2019-03, account 1010, fund OP: 1.00 + ",
        ),
        (
            "DELETE FROM account_balance_snapshot WHERE account_id = %(bank)s",
            "2019-03, account 1010, fund OP: no snapshot; its lines give ",
        ),
    ],
    "no entry in a month closed before it": [
        (
            "UPDATE ledger_entry_header SET created_at = now() + interval '1 hour' WHERE id = %(toll)s",
            "JE-201903-{toll} is dated 2019-03-11 and was made at ",
        ),
    ],
    "1200 = the driver accounts": [
        (
            "UPDATE driver_account SET balance = balance + 0.01 WHERE id = %(unpaid)s",
            "the first that differs is account {unpaid} (",
        ),
        (
            "UPDATE ledger_entry_header SET posting_id = uuid7() WHERE id = %(toll)s",
            "the first that differs is account {paid} (",
        ),
    ],
    "1300 = loan principal not yet posted": [
        (
            'UPDATE ledger_posting SET components = \'{"principal": "11.00", "interest": "1.50"}\''
            " WHERE reference_id = 'LOAN-1'",
            "1300 stands at -10.00, loan principal not yet posted at -11.00; the first that differs is LOAN LOAN-1 of "
            "account {unpaid}: it has -10.00, and should have -11.00",
        ),
    ],
    "2100 = deposits posted - applied - refunded": [
        (
            "UPDATE ledger_entry_line SET account_id = (SELECT id FROM chart_of_accounts WHERE code = '2100')"
            f" WHERE {TOLL_LINES} AND line_number = 2",
            "2100 stands at 30.00, deposits posted - applied - refunded at 5.00; the first that differs is EZPASS "
            "TOLL-1 of account {paid}: it has 25.00, and should have 0.00",
        ),
        (
            "UPDATE ledger_entry_line SET account_id = (SELECT id FROM chart_of_accounts WHERE code = '2100')"
            " WHERE entry_id = %(reversed)s AND side = 'CR'",
            "the first that differs is JE-201903-{reversed} of 40.00 on it, of origin MANUAL",
        ),
    ],
    "2300 = trips journalised and not yet settled": [
        (
            "UPDATE ledger_entry_line SET amount = 15.81 WHERE entry_id = %(trip)s",
            "2300 stands at 15.81, trips not settled yet at 15.80; the first that differs is account {unpaid}, week "
            "2019-03-10: 15.80 of its trips is journalised, and they put 15.81 on 2300",
        ),
        (
            "UPDATE trip_total SET settled_week = NULL WHERE account_id = %(paid)s",
            "the first that differs is account {paid}, week 2019-03-03: its run settled trips of 0, and EARNINGS took "
            "47.40 off 2300",
        ),
    ],
    "1020 = what the drawers hold": [
        (
            "UPDATE drawer_movement SET amount = amount + 0.01 WHERE kind = 'PAYMENT'",
            "INTPAY-2019-00001: 1020 has 10.00, the drawer 10.01",
        ),
        (
            "DELETE FROM drawer_movement WHERE kind = 'PAYMENT'",
            "drawer of user nobody, JE-",
        ),
    ],
    "2500 = net pay of unpaid DTRs": [
        (
            "UPDATE dtr SET status = 'FINALIZED' WHERE number = '{report}'",
            "the first that differs is {report} (finalized, last paid 2019-03-11): 2500 has 0.00, owed is {net_pay}",
        ),
        (
            "UPDATE ledger_entry_header SET reference = 'DTR-0' WHERE origin = 'DTR'",
            "the first that differs is {report} (paid, last paid 2019-03-11): 2500 has {net_pay}, owed is 0.00",
        ),
    ],
}


@pytest.fixture
def story(tmp_path: Path) -> Story:
    told = tell(tmp_path)
    close_march()
    return told


def close_march() -> None:
    """March as if it had been closed and its balances taken, whatever else closing a month asks for."""
    behind_the_triggers(
        "INSERT INTO accounting_month (month, status) VALUES ('2019-03-01', 'CLOSED')",
        """INSERT INTO account_balance_snapshot (month, account_id, fund, opening, debits, credits, closing)
           SELECT '2019-03-01', account_id, fund, 0, debits, credits, debits - credits
             FROM (SELECT account_id, fund, coalesce(sum(amount) FILTER (WHERE side = 'DR'), 0) AS debits,
                          coalesce(sum(amount) FILTER (WHERE side = 'CR'), 0) AS credits
                     FROM ledger_entry_line GROUP BY 1, 2) moved""",
    )
    month = AccountingMonth.objects.get()
    MonthEvent.objects.create(month=month, status="CLOSED", created_by=system_user())
    assert BalanceSnapshot.objects.exists()


def test_there_is_a_case_for_each_proof() -> None:
    assert {check.name for check in (*JOURNAL_CHECKS, *CONTROL_CHECKS)} == set(TAMPERING)


@pytest.mark.parametrize(
    ("name", "tampering", "named"),
    [
        pytest.param(name, *case, id=f"{name}, {number}")
        for name, cases in TAMPERING.items()
        for number, case in enumerate(cases, 1)
    ],
)
def test_the_proof_names_what_was_tampered_with(name: str, tampering: str, named: str, story: Story) -> None:
    assert broken_proofs() == []
    trip = EntryHeader.objects.filter(origin="TRIP").order_by("-id").first()
    reversal = EntryHeader.objects.get(reverses__isnull=False)
    assert trip is not None
    facts: dict[str, Any] = {
        "paid": story.paid.pk,
        "unpaid": story.unpaid.pk,
        "toll": entry_of(story.toll).pk,
        "toll_posting": story.toll.pk,
        "trip": trip.pk,
        "row": trip.source_id,
        "rowid": rowid_of(trip.source_id),
        "batch": batch_of(trip.source_id),
        "reversal": reversal.pk,
        "reversed": reversal.reverses_id,
        "bank": account("1010").pk,
        "report": story.report.number,
        "net_pay": story.report.net_pay,
    }
    behind_the_triggers(tampering.replace("{report}", story.report.number), **facts)

    details = {proof.name: proof.detail for proof in run_proofs() if not proof.ok}

    assert named.format(**facts) in details.get(name, "the proof holds")


def rowid_of(source_id: int | None) -> str:
    from ledger.models import SourceTransaction

    return SourceTransaction.objects.get(pk=source_id).source_rowid


def batch_of(source_id: int | None) -> int:
    from ledger.models import SourceTransaction

    return SourceTransaction.objects.get(pk=source_id).batch_id
