"""A small fleet with some of everything in each week, and all that can be seen of it in a database.

Seeded once and copied, two such databases must stay alike to the cent, whatever happens to one of them.
"""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql

FIRST_WEEK = date(2019, 3, 3)
LEASES = 7

# Everything money is, by references instead of ids; numbers and moments aside.
_SEEN = {
    "accounts": "SELECT id, balance FROM driver_account",
    "postings": """
SELECT p.account_id, p.category, p.reference_id, p.reversal_for_id IS NOT NULL, p.amount, p.status, p.product,
       p.effective_on, p.event_on, p.due_on, p.run_week, p.vehicle_id, p.medallion_id, b.balance, b.last_allocated_on,
       ARRAY(SELECT o.category || ':' || o.reference_id FROM ledger_posting o
              WHERE o.id = ANY(b.applied_payment_refs) ORDER BY 1)
  FROM ledger_posting p FULL JOIN ledger_balance b ON b.posting_id = p.id""",
    "allocations": """
SELECT a.account_id, c.category, c.reference_id, d.category, d.reference_id, a.amount, a.effective_on,
       a.undoes_id IS NOT NULL
  FROM ledger_allocation a JOIN ledger_posting c ON c.id = a.credit_id JOIN ledger_posting d ON d.id = a.debit_id""",
    "reports": """
SELECT d.account_id, d.week, d.status, d.gross_earnings, d.taxes, d.allocated, d.net_pay, d.open_debits,
       d.open_credits, d.still_open::text, d.figures::text, d.charges::text, d.trip_log, p.reference_id, p.amount
  FROM dtr d LEFT JOIN ledger_posting p ON p.id = d.payout_id""",
    "weeks": "SELECT week, status, installments_posted, result::text FROM weekly_run",
    "totals": """
SELECT account_id, week, settled_week, earnings, card_trips, cash_trips, other_trips, mta_tax, improvement_surcharge,
       congestion_fee, airport_fee, cbd_toll FROM trip_total""",
    "trips": """
SELECT account_id, source_rowid, week, started_at, product_code, gross_amount, fare, tips, vehicle_id
  FROM txn_source_parent""",
    "seen": "SELECT source, source_rowid, figures_hash FROM source_row_seen",
    "parked": "SELECT source_rowid, row_number, reason, message, status, raw::text FROM parked_row",
    "imports": "SELECT file_name, sha256, rows, accepted, rejected, duplicates, card_earnings, taxes FROM import_batch",
    "installments": """
SELECT lease_id, period_start, period_end, amount, due_on, reference_id, posting_id IS NOT NULL
  FROM lease_installment""",
    "audit": """
SELECT action, count(*) FROM audit_entry WHERE action LIKE 'week.%' OR action LIKE 'trips.%' GROUP BY action""",
}


def everything(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """All of the above, in one consistent view."""
    with psycopg.connect(url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        return {
            name: sorted(connection.execute(sql.SQL(query)).fetchall(), key=repr)
            for name, query in _SEEN.items()
        }


def seed(weeks: int) -> None:
    """Leases of every kind, and for each week trips, charges and payments, dated in it."""
    from tests.factories import make_lease
    from tests.ledger.factories import account_of, charge, drive, pay

    fees = ["300.00", "0.00", "450.00", "123.45", "500.00", "0.00", "275.00"]
    leases = [
        make_lease(
            weekly_fee=fees[n],
            starts_on=FIRST_WEEK - timedelta(days=3 * n),
            ends_on=FIRST_WEEK + timedelta(weeks=5) if n == 2 else None,
        )
        for n in range(LEASES)
    ]
    for week in (FIRST_WEEK + timedelta(weeks=n) for n in range(weeks)):
        for n, lease in enumerate(leases):
            account, shift = account_of(lease), (week - FIRST_WEEK).days // 7 + n
            earned = Decimal(shift * 7919 % 90_000 - (20_000 if shift % 5 == 0 else 0)).scaleb(-2)
            drive(account, str(earned), {"MTA": "11.50", "CONGESTION": f"{shift % 4}.25"}, week=week)
            if shift % 3 == 0:
                charge(
                    account, "EZPASS", f"{shift + 5}.17", f"E-{week}-{n}", on=week + timedelta(days=shift % 7)
                )
            if shift % 4 == 1:
                charge(account, "MISC", "80.00", f"M-{week}-{n}", on=week + timedelta(days=2))
                pay(account, "95.00", {f"M-{week}-{n}": "50.00"}, on=week + timedelta(days=shift % 5 + 2))
