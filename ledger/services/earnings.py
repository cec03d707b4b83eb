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
from .postings import posting_statement

# One TAXES posting per tax that is not zero, and one EARNINGS credit; a week whose card reversals exceed its
# fares turns out an EARNINGS debit by the same arithmetic.
ROWS_FROM_TRIPS = """
  SELECT row_number() OVER (ORDER BY t.account_id, m.category DESC, m.product) AS position,
         t.account_id, m.category, m.amount,
         concat_ws('/', %(week)s::date, l.number, nullif(m.product, '')) AS reference_id,
         m.product, NULL::jsonb AS components, ''::text AS description, NULL::uuid AS reversal_for_id,
         NULL::uuid AS replaces_id, %(saturday)s::date AS effective_on, %(saturday)s::date AS event_on,
         %(saturday)s::date AS due_on, %(week)s::date AS run_week, ''::text AS reason,
         NULL::bigint AS vehicle_id, NULL::bigint AS medallion_id
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
"""

POST_TRIPS = posting_statement(ROWS_FROM_TRIPS, then="SELECT count(*) FROM posted")

MARK_SETTLED = """
UPDATE trip_total SET settled_week = %(week)s
 WHERE account_id = ANY(%(accounts)s) AND settled_week IS NULL AND week <= %(week)s
"""

ROWS_FROM_NET_PAY = """
  SELECT row_number() OVER (ORDER BY b.account_id) AS position, b.account_id, 'PAYOUT'::text AS category,
         -sum(b.balance) AS amount, %(week)s::date || '/' || min(l.number) AS reference_id, ''::text AS product,
         NULL::jsonb AS components, ''::text AS description, NULL::uuid AS reversal_for_id,
         NULL::uuid AS replaces_id, %(saturday)s::date AS effective_on, %(saturday)s::date AS event_on,
         %(saturday)s::date AS due_on, %(week)s::date AS run_week, ''::text AS reason,
         NULL::bigint AS vehicle_id, NULL::bigint AS medallion_id
    FROM ledger_balance b
    JOIN driver_account a ON a.id = b.account_id
    JOIN lease l ON l.id = a.lease_id
   WHERE b.account_id = ANY(%(accounts)s) AND b.status = 'OPEN' AND b.original_amount < 0
     AND b.category = ANY(%(paid_out)s) AND b.effective_on <= %(saturday)s
   GROUP BY b.account_id
"""

POST_NET_PAY = posting_statement(ROWS_FROM_NET_PAY, then="SELECT id, account_id FROM posted")

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
        cursor.execute(POST_TRIPS, parameters)
    allocated = run_waterfall(account_ids=account_ids, dated=saturday, actor_id=actor_id)
    with translated(), connection.cursor() as cursor:
        cursor.execute(POST_NET_PAY, parameters)
        payouts = cursor.fetchall()
    if payouts:
        run_waterfall(
            account_ids=[account_id for _, account_id in payouts],
            dated=saturday,
            actor_id=actor_id,
            credit_categories=PAID_OUT,
            debit_ids=[posting_id for posting_id, _ in payouts],
        )
    return allocated
