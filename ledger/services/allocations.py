"""Credits put to debits: the waterfall over whole fleets, chosen pairs, and undoing.

Callers hold the accounts' locks. Inserting an allocation moves both open items, inside the database.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from django.db import connection

from .errors import translated

# Each account's debits and credits are laid end to end in their orders, and where the two lines overlap, that
# much of the one pays the other. `dated` keeps out what is dated after the week being run.
# An allocation is never dated before an earlier one of either item: the running maximum along an account's
# own order sees to that, for every item's allocations follow each other there.
WATERFALL = """
WITH debits AS (
  SELECT b.posting_id, b.account_id, b.category, b.balance AS open, b.last_allocated_on, b.effective_on,
         sum(b.balance) OVER line AS upto, row_number() OVER line AS position
    FROM ledger_balance b
    JOIN category_rank r ON r.category = b.category AND r.side = 'DEBIT'
   WHERE b.account_id = ANY(%(accounts)s) AND b.status = 'OPEN' AND b.original_amount > 0
     AND b.effective_on <= %(dated)s
     AND (%(debits)s::uuid[] IS NULL OR b.posting_id = ANY(%(debits)s::uuid[]))
  WINDOW line AS (PARTITION BY b.account_id
                  ORDER BY r.rank, b.due_on, b.created_at, b.reference_id, b.posting_id
                  ROWS UNBOUNDED PRECEDING)
),
credits AS (
  SELECT b.posting_id, b.account_id, -b.balance AS open, b.last_allocated_on, b.effective_on,
         sum(-b.balance) OVER line AS upto, row_number() OVER line AS position
    FROM ledger_balance b
    JOIN category_rank r ON r.category = b.category AND r.side = 'CREDIT'
   WHERE b.account_id = ANY(%(accounts)s) AND b.status = 'OPEN' AND b.original_amount < 0
     AND b.effective_on <= %(dated)s
     AND (%(credit_categories)s::text[] IS NULL OR b.category = ANY(%(credit_categories)s::text[]))
  WINDOW line AS (PARTITION BY b.account_id
                  ORDER BY r.rank, b.effective_on, b.created_at, b.reference_id, b.posting_id
                  ROWS UNBOUNDED PRECEDING)
),
pairs AS (
  SELECT d.account_id, d.category, c.posting_id AS credit_id, d.posting_id AS debit_id,
         least(d.upto, c.upto) - greatest(d.upto - d.open, c.upto - c.open) AS amount,
         d.position AS debit_position, c.position AS credit_position,
         max(greatest(%(on)s::date, d.last_allocated_on, c.last_allocated_on, d.effective_on, c.effective_on))
           OVER (PARTITION BY d.account_id ORDER BY d.position, c.position) AS effective_on
    FROM debits d JOIN credits c
      ON c.account_id = d.account_id AND c.upto - c.open < d.upto AND d.upto - d.open < c.upto
),
allocated AS (
  INSERT INTO ledger_allocation (account_id, credit_id, debit_id, amount, effective_on, created_by_id)
  SELECT account_id, credit_id, debit_id, amount, effective_on, %(created_by)s
    FROM pairs ORDER BY account_id, debit_position, credit_position
)
SELECT account_id, sum(amount) FROM pairs WHERE category <> 'PAYOUT' GROUP BY account_id
"""

_INSERT_PAIRS = """
INSERT INTO ledger_allocation (account_id, credit_id, debit_id, amount, effective_on, undoes_id, created_by_id)
SELECT c.account_id, n.credit_id, n.debit_id, n.amount,
       max(greatest((SELECT ledger_posting_date(%(on)s, NULL)), c.last_allocated_on, d.last_allocated_on,
                    c.effective_on, d.effective_on)) OVER (ORDER BY n.position),
       n.undoes_id, %(created_by)s
  FROM unnest(%(credits)s::uuid[], %(debits)s::uuid[], %(amounts)s::numeric[], %(undoes)s::bigint[])
       WITH ORDINALITY AS n(credit_id, debit_id, amount, undoes_id, position)
  JOIN ledger_balance c ON c.posting_id = n.credit_id
  JOIN ledger_balance d ON d.posting_id = n.debit_id
 ORDER BY n.position
"""

_IN_FORCE = """
SELECT a.id, a.credit_id, a.debit_id, a.amount
  FROM ledger_allocation a
 WHERE a.account_id = %(account)s AND %(posting)s IN (a.credit_id, a.debit_id) AND a.amount > 0
   AND NOT EXISTS (SELECT FROM ledger_allocation u WHERE u.undoes_id = a.id)
 ORDER BY a.id
"""


@dataclass(frozen=True)
class Pair:
    """An amount of a credit posting for a debit posting; with `undoes`, the negative of that allocation."""

    credit_id: UUID
    debit_id: UUID
    amount: Decimal
    undoes: int | None = None


def run_waterfall(
    *,
    account_ids: Sequence[int],
    dated: date,
    actor_id: int,
    credit_categories: Sequence[str] | None = None,
    debit_ids: Sequence[UUID] | None = None,
) -> dict[int, Decimal]:
    """Put open credits to open debits in the order of the hierarchy until one side of each account is used up.

    Takes only items dated up to `dated`, which is also the allocations' date. Each account by itself; all in
    one statement. Returns what was allocated to debts, payouts not counted, by account.
    Source: domain.md, categories and hierarchy.
    """
    with translated(), connection.cursor() as cursor:
        cursor.execute(
            WATERFALL,
            {
                "accounts": list(account_ids),
                "dated": dated,
                "on": dated,
                "credit_categories": None if credit_categories is None else list(credit_categories),
                "debits": None if debit_ids is None else list(debit_ids),
                "created_by": actor_id,
            },
        )
        return dict(cursor.fetchall())


def allocate_pairs(pairs: Sequence[Pair], *, on: date, actor_id: int) -> None:
    """Insert exactly these allocations, dated `on` or the day of their items' last one if that is later."""
    if not pairs:
        return
    with translated(), connection.cursor() as cursor:
        cursor.execute(
            _INSERT_PAIRS,
            {
                "on": on,
                "created_by": actor_id,
                "credits": [pair.credit_id for pair in pairs],
                "debits": [pair.debit_id for pair in pairs],
                "amounts": [pair.amount for pair in pairs],
                "undoes": [pair.undoes for pair in pairs],
            },
        )


def allocations_in_force(*, account_id: int, posting_id: UUID) -> list[tuple[int, Pair]]:
    """The allocations of one posting that were not undone, oldest first, each with its id."""
    with connection.cursor() as cursor:
        cursor.execute(_IN_FORCE, {"account": account_id, "posting": posting_id})
        return [(row[0], Pair(*row[1:])) for row in cursor.fetchall()]


def undo_allocations(*, account_id: int, posting_id: UUID, on: date, actor_id: int) -> list[Pair]:
    """Undo every allocation of one posting that is in force; returns what they were."""
    in_force = allocations_in_force(account_id=account_id, posting_id=posting_id)
    undoing = [Pair(pair.credit_id, pair.debit_id, -pair.amount, undoes=row) for row, pair in in_force]
    allocate_pairs(undoing, on=on, actor_id=actor_id)
    return [pair for _, pair in in_force]
