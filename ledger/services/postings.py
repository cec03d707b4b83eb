"""The one statement that inserts postings, whatever they are for. Other services bring the rows.

Rows come as SQL: a subquery with the columns of `INPUT_COLUMNS`, over arrays or over tables, so that one
posting and a hundred thousand take the same path. Inserting makes the open items and moves the accounts (see
`migrations/sql/0002_posting_rules.sql`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection
from psycopg.types.json import Jsonb

from .errors import LedgerError, translated


class DatedAhead(LedgerError):
    code, status = "posting.dated_ahead", 400
    message = "The accounting date {date} is after {today}; nothing is booked ahead of today."


INPUT_COLUMNS = (
    "position, account_id, category, amount, reference_id, product, components, description, reversal_for_id,"
    " replaces_id, effective_on, event_on, due_on, run_week, reason, vehicle_id, medallion_id"
)

# Accounts are locked before the insert draws its sequence numbers, so that within an account they grow in the
# order postings become visible; a DTR counts on that. An unknown account leaves driver_id null and is refused.
INSERT_POSTINGS = """
WITH input AS ({rows}),
locked AS MATERIALIZED (
  SELECT a.id, a.driver_id, a.lease_id, l.vehicle_id, l.medallion_id
    FROM driver_account a JOIN lease l ON l.id = a.lease_id
   WHERE a.id IN (SELECT account_id FROM input)
   ORDER BY a.id
     FOR NO KEY UPDATE OF a
),
posted AS (
  INSERT INTO ledger_posting
    (account_id, driver_id, lease_id, vehicle_id, medallion_id, category, amount, reference_id, product, components,
     description, reversal_for_id, replaces_id, effective_on, event_on, due_on, run_week, reason, created_by_id)
  SELECT i.account_id, a.driver_id, a.lease_id, coalesce(i.vehicle_id, a.vehicle_id),
         coalesce(i.medallion_id, a.medallion_id), i.category, i.amount, i.reference_id, i.product, i.components,
         i.description, i.reversal_for_id, i.replaces_id, i.effective_on, i.event_on,
         CASE WHEN i.amount > 0
              THEN coalesce(i.due_on, i.effective_on + (6 - extract(dow FROM i.effective_on)::int)) END,
         i.run_week, i.reason, %(created_by)s::bigint
    FROM input i LEFT JOIN locked a ON a.id = i.account_id
   ORDER BY i.position
  RETURNING id, account_id, reference_id, amount
)
"""

ROWS_FROM_ARRAYS = """
  SELECT row_number() OVER () AS position, r.account_id, r.category, r.amount, r.reference_id,
         coalesce(r.product, '') AS product, r.components, coalesce(r.description, '') AS description,
         r.reversal_for_id, r.replaces_id,
         -- As a subquery it is asked once, not for every row.
         (SELECT ledger_posting_date(%(on)s::date, %(accounting_date)s::date)) AS effective_on, r.event_on, r.due_on,
         %(run_week)s::date AS run_week, coalesce(r.reason, '') AS reason, r.vehicle_id, r.medallion_id
    FROM unnest(
           %(account_id)s::bigint[], %(category)s::text[], %(amount)s::numeric[], %(reference_id)s::text[],
           %(product)s::text[], %(components)s::jsonb[], %(description)s::text[], %(reversal_for_id)s::uuid[],
           %(replaces_id)s::uuid[], %(event_on)s::date[], %(due_on)s::date[], %(reason)s::text[],
           %(vehicle_id)s::bigint[], %(medallion_id)s::bigint[]
         ) AS r(account_id, category, amount, reference_id, product, components, description, reversal_for_id,
                replaces_id, event_on, due_on, reason, vehicle_id, medallion_id)
"""

# One audit entry per call, in the same statement: a round trip costs more than the entry.
AUDITED = """,
audited AS (
  INSERT INTO audit_entry (actor_id, action, subject, automatic, after)
  SELECT %(created_by)s::bigint, %(action)s::text,
         CASE WHEN count(*) = 1 THEN 'posting:' || min(id::text) ELSE 'postings:' || count(*) END,
         %(automatic)s::boolean, jsonb_build_object('amount', sum(amount)::text, 'first_reference', min(reference_id))
    FROM posted
)
"""

RETURN_POSTED = "SELECT id, reference_id FROM posted"


@dataclass(frozen=True, kw_only=True)
class NewPosting:
    """One row to insert. Debits are positive. What is None is filled in by the database, as a lease's own."""

    account_id: int
    category: str
    amount: Decimal
    reference_id: str
    event_on: date
    product: str = ""
    components: Mapping[str, str] | None = None
    description: str = ""
    reversal_for_id: UUID | None = None
    replaces_id: UUID | None = None
    due_on: date | None = None
    reason: str = ""
    vehicle_id: int | None = None
    medallion_id: int | None = None


@dataclass(frozen=True)
class Posted:
    posting_id: UUID
    reference_id: str


_ARRAYS = tuple(field.name for field in fields(NewPosting))


def insert_postings(
    rows: Sequence[NewPosting],
    *,
    actor_id: int,
    on: date,
    accounting_date: date | None = None,
    run_week: date | None = None,
    action: str = "",
    automatic: bool = False,
) -> list[Posted]:
    """Insert postings, in one statement, and return them in the order given.

    They are dated `accounting_date`, or else `on`, or the first open day when that is closed. With `action` an
    audit entry is written too. Raises DatedAhead and what `errors.translated` knows.
    """
    if accounting_date is not None and accounting_date > on:
        raise DatedAhead(date=accounting_date, today=on)
    parameters = {
        **{name: _column(rows, name) for name in _ARRAYS},
        "on": on,
        "accounting_date": accounting_date,
        "run_week": run_week,
        "created_by": actor_id,
        "action": action,
        "automatic": automatic,
    }
    statement = _AUDITED_INSERT if action else _PLAIN_INSERT
    with translated(), connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return [Posted(*row) for row in cursor.fetchall()]


def _column(rows: Sequence[NewPosting], name: str) -> list[Any] | None:
    """One field of all rows; None when no row has it, for an array costs its length even if it is empty."""
    values = [getattr(row, name) for row in rows]
    if name == "components":
        values = [None if value is None else Jsonb(value) for value in values]
    return values if any(value is not None and value != "" for value in values) else None


def posting_statement(rows: str, *, then: str) -> str:
    """The statement that posts a subquery's rows, followed by what is to be made of `posted`."""
    return INSERT_POSTINGS.format(rows=rows) + then


_PLAIN_INSERT = posting_statement(ROWS_FROM_ARRAYS, then=RETURN_POSTED)
_AUDITED_INSERT = posting_statement(ROWS_FROM_ARRAYS, then=AUDITED + RETURN_POSTED)
