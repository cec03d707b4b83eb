"""A week's trips into money: taxes owed, earnings credited, debts paid, the rest paid out.

Everything here is set-based over the accounts given, whose locks the caller holds, and dated the Saturday of
the week being run.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from ..models import Category
from .allocations import run_waterfall
from .errors import translated
from .postings import Posted, insert_columns

# One TAXES posting per tax that is not zero, and one EARNINGS credit; a week whose card reversals exceed its
# fares turns out an EARNINGS debit by the same arithmetic.
SETTLED_TRIPS = """
SELECT t.account_id, m.category, m.amount, concat_ws('/', %(week)s::date, l.number, nullif(m.product, '')), m.product
  FROM (
    SELECT account_id, sum(earnings) AS earnings, sum(mta_tax) AS mta, sum(improvement_surcharge) AS improvement,
           sum(congestion_fee) AS congestion, sum(airport_fee) AS airport, sum(cbd_toll) AS cbd
      FROM trip_total
     WHERE account_id = ANY(%(accounts)s) AND settled_week = %(week)s
     GROUP BY account_id
  ) t
  JOIN driver_account a ON a.id = t.account_id
  JOIN lease l ON l.id = a.lease_id
  CROSS JOIN LATERAL (VALUES
    ('TAXES', 'MTA', t.mta), ('TAXES', 'IMPROVEMENT', t.improvement), ('TAXES', 'CONGESTION', t.congestion),
    ('TAXES', 'AIRPORT', t.airport), ('TAXES', 'CBD', t.cbd), ('EARNINGS', '', -t.earnings)
  ) AS m(category, product, amount)
 WHERE m.amount <> 0
 ORDER BY t.account_id, m.category DESC, m.product
"""

MARK_SETTLED = """
UPDATE trip_total SET settled_week = %(week)s
 WHERE account_id = ANY(%(accounts)s) AND settled_week IS NULL AND week <= %(week)s AND journalised = earnings
"""

NET_PAY = """
SELECT b.account_id, 'PAYOUT', -sum(b.balance), %(week)s::date || '/' || min(l.number), ''
  FROM ledger_balance b
  JOIN driver_account a ON a.id = b.account_id
  JOIN lease l ON l.id = a.lease_id
 WHERE b.account_id = ANY(%(accounts)s) AND b.status = 'OPEN' AND b.original_amount < 0
   AND b.category = ANY(%(paid_out)s) AND b.effective_on <= %(saturday)s
 GROUP BY b.account_id
 ORDER BY b.account_id
"""

# What is left of these is the driver's net pay; other credits stay open until somebody decides.
PAID_OUT = (Category.EARNINGS, Category.TAXES)


def apply_weekly_earnings(*, account_ids: Sequence[int], week: date, actor_id: int) -> Mapping[int, Decimal]:
    """Settle the week's trips of these accounts, let the credits pay the debts, and post what is left as PAYOUT.

    Trips of earlier weeks that were not settled yet come along. Returns what was allocated to debts, by
    account, payouts not counted. Source: domain.md, open-item accounting and the weekly run.
    """
    saturday = week + timedelta(days=6)
    parameters: dict[str, Any] = {
        "accounts": list(account_ids),
        "week": week,
        "saturday": saturday,
        "created_by": actor_id,
        "paid_out": list(PAID_OUT),
    }
    with translated(), connection.cursor() as cursor:
        # Marked first, then summed by the mark: an import may commit more trips between two statements, and
        # those must be neither in the one nor in the other.
        cursor.execute(MARK_SETTLED, parameters)
    _post(SETTLED_TRIPS, parameters)
    allocated = run_waterfall(account_ids=account_ids, dated=saturday, actor_id=actor_id)
    paid_accounts, payouts = _post(NET_PAY, parameters)
    if payouts:
        run_waterfall(
            account_ids=paid_accounts,
            dated=saturday,
            actor_id=actor_id,
            credit_categories=PAID_OUT,
            debit_ids=[payout.posting_id for payout in payouts],
        )
    return allocated


def _post(query: str, parameters: Mapping[str, Any]) -> tuple[Sequence[int], list[Posted]]:
    """Post what a query gives, dated the week's Saturday; returns the rows' accounts and the postings, in order."""
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        rows = cursor.fetchall()
    if not rows:
        return (), []
    accounts, categories, amounts, references, products = zip(*rows, strict=True)
    saturday = [parameters["saturday"]] * len(rows)
    posted = insert_columns(
        {
            "account_id": list(accounts),
            "category": list(categories),
            "amount": list(amounts),
            "reference_id": list(references),
            "product": list(products),
            "event_on": saturday,
            "due_on": saturday,
        },
        actor_id=parameters["created_by"],
        on=parameters["saturday"],
        accounting_date=parameters["saturday"],
        run_week=parameters["week"],
    )
    return accounts, posted
