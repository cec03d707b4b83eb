"""What was posted before there was a journal gets its entries when the journal comes: the same, account by account."""

from decimal import Decimal

import pytest
from django.db import connection, connections

from batconnect.common.audit import system_user
from ledger.models import Account, EntryHeader, Origin
from ledger.services.entries import NewEntry, NewLine, enter
from tests.databases import run_manage

from .factories import MONDAY_AFTER, SUNDAY, WEEK, broken_proofs, charge, drive, make_account
from .lived_in import live_in

BALANCES = """
SELECT a.code, h.origin, l.je_date, count(*), sum(CASE l.side WHEN 'DR' THEN l.amount ELSE -l.amount END)
  FROM ledger_entry_line l
  JOIN ledger_entry_header h ON h.id = l.entry_id AND h.je_date = l.je_date
  JOIN chart_of_accounts a ON a.id = l.account_id
 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""


def balances() -> list[tuple[str, str, object, int, Decimal]]:
    with connection.cursor() as cursor:
        cursor.execute(BALANCES)
        return cursor.fetchall()


@pytest.mark.slow
@pytest.mark.thorough
def test_a_ledger_from_before_the_journal_ends_with_the_entries_it_would_have_had(
    committing_database: str,
) -> None:
    live_in()
    account = make_account()
    charge(
        account,
        "LOAN",
        "253.29",
        "LOAN-1",
        on=MONDAY_AFTER,
        components={"principal": "250.00", "interest": "3.29"},
    )
    charge(account, "MISC", "20.00", "BACK-1", on=MONDAY_AFTER, product="Chargeback")
    drive(account, "-12.00", week=SUNDAY + WEEK)
    as_posted = balances()
    assert {origin for _, origin, *_ in as_posted} == {"POSTING", "TRIP", "DTR"}

    connections.close_all()
    run_manage(committing_database, "migrate", "ledger", "0006", "--skip-checks")
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('ledger_entry_header')")
        assert cursor.fetchone() == (None,)
    connections.close_all()
    run_manage(committing_database, "migrate", "--skip-checks")

    assert balances() == as_posted
    assert EntryHeader.objects.filter(metadata__backfilled=True).count() == EntryHeader.objects.count()
    assert broken_proofs() == []


@pytest.mark.slow
@pytest.mark.thorough
def test_a_journal_that_could_not_be_made_anew_is_not_taken_away(committing_database: str) -> None:
    bank, fees = (Account.objects.get(code=code).pk for code in ("1010", "5200"))
    fee = NewEntry(
        je_date=MONDAY_AFTER, lines=[NewLine(fees, Decimal("12.00")), NewLine(bank, Decimal("-12.00"))]
    )
    enter([fee], origin=Origin.MANUAL, actor_id=system_user().pk)
    connections.close_all()

    refused = run_manage(committing_database, "migrate", "ledger", "0006", "--skip-checks", check=False)

    assert refused.returncode != 0 and "cannot be made anew" in refused.stderr
    assert EntryHeader.objects.count() == 1
