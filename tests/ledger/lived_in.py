"""A ledger with some of everything in it, and raw SQL that goes past the services, for tests of what must stand."""

from dataclasses import dataclass
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from batconnect.common.audit import system_user
from ledger.models import DTR, DriverAccount, LedgerPosting
from ledger.services import statements, voids

from .factories import MONDAY_AFTER, charge, drive, make_account, pay, run


@dataclass(frozen=True)
class LivedIn:
    """One account after a closed week: a toll half paid, a ticket voided, net pay handed over; and a neighbour."""

    account: DriverAccount
    neighbour: DriverAccount
    toll: LedgerPosting
    ticket: LedgerPosting
    reversal: LedgerPosting
    payment: LedgerPosting
    report: DTR


def live_in() -> LivedIn:
    account, neighbour = make_account(), make_account()
    charge(account, "LEASE", "300.00", "LEASE-1")
    drive(account, "560.00", {"MTA": "40.00"})
    run()
    report = DTR.objects.get(account=account)
    statements.pay_dtr(dtr=report, on=MONDAY_AFTER, method="ACH", actor=system_user())
    toll = charge(account, "EZPASS", "25.00", "TOLL-1", on=MONDAY_AFTER)
    ticket = charge(account, "PVB", "65.00", "TICKET-1", on=MONDAY_AFTER)
    payment = pay(account, "10.00", {"TOLL-1": "10.00"})
    reversal = voids.void_posting(
        posting_id=ticket.pk, reason="Another cab's ticket", actor=system_user(), on=MONDAY_AFTER
    )
    charge(neighbour, "MISC", "50.00", "MISC-1", on=MONDAY_AFTER)
    pay(neighbour, "20.00", on=MONDAY_AFTER)
    return LivedIn(
        account, neighbour, toll, LedgerPosting.objects.get(pk=ticket.pk), reversal, payment, report
    )


def execute(statement: str, **parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)


def refused(statement: str, **parameters: Any) -> str:
    """Run a statement that the database has to refuse; returns what it said."""
    execute(
        "SET CONSTRAINTS ALL IMMEDIATE"
    )  # what is pending would refuse a TRUNCATE before its trigger does
    with pytest.raises(DatabaseError) as caught, transaction.atomic():
        execute(statement, **parameters)
    return str(caught.value)


def insertion(table: str, **values: Any) -> str:
    """An INSERT of exactly these columns, its parameters named after them."""
    return f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(f'%({name})s' for name in values)})"


def posting_insertion(**values: Any) -> str:
    """An INSERT of a posting with exactly these columns, and of the entry it has to come with."""
    execute("SELECT ensure_journal_month(%(day)s)", day=values["effective_on"])
    return f"""
    WITH posted AS (
      {insertion("ledger_posting", **values)} RETURNING id, effective_on, event_on, amount, created_by_id
    ),
    entered AS (
      INSERT INTO ledger_entry_header (id, je_date, origin, posting_id, event_on, line_count, total, created_by_id)
      SELECT nextval('ledger_entry_id_seq'), effective_on, 'POSTING', id, event_on, 2, abs(amount), created_by_id
        FROM posted
      RETURNING id, je_date
    )
    INSERT INTO ledger_entry_line (entry_id, line_number, je_date, account_id, currency, side, amount)
    SELECT e.id, l.number, e.je_date, a.id, 'USD', CASE WHEN p.amount * l.sign > 0 THEN 'DR' ELSE 'CR' END,
           abs(p.amount)
      FROM posted p, entered e, (VALUES (1, '1200', 1), (2, '4200', -1)) AS l(number, code, sign)
      JOIN chart_of_accounts a ON a.code = l.code
    """
