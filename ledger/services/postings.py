"""The one way postings come in, whatever they are for. Other services bring the rows.

Rows come as columns, one list for each, so that one posting and a hundred thousand take the same path: a single
call of `ledger_post` (`migrations/sql/0011_postings_have_entries.sql`), which also enters their entries in the
journal. Inserting makes the open items and moves the accounts (`migrations/sql/0002_posting_rules.sql`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from psycopg.types.json import Jsonb

from .entry_lines import Columns, array, posting_lines, text_array
from .errors import LedgerError, translated


class DatedAhead(LedgerError):
    code, status = "posting.dated_ahead", 400
    message = "The accounting date {date} is after {today}; nothing is booked ahead of today."


class PolicyChanging(LedgerError):
    code, status = "journal.policy_changing", 409
    message = "The journal templates are being changed at this moment; try again."


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


class Posted(NamedTuple):
    """A posting that was made."""

    posting_id: UUID
    reference_id: str


_NAMES = tuple(field.name for field in fields(NewPosting))
_TEXTS = {"category", "reference_id", "product", "description", "reason"}
_DOCUMENTS = {"components"}
_ATTEMPTS = 3

_POST = """
SELECT posting_id, reference FROM ledger_post(
  %(on)s::date, %(accounting_date)s::date, %(run_week)s::date, %(actor)s::bigint, %(action)s, %(automatic)s,
  %(policy)s::bigint, %(valid_from)s::date, %(valid_to)s::date,
  %(account_id)s::bigint[], %(category)s::text[], %(amount)s::numeric[], %(reference_id)s::text[],
  %(product)s::text[], %(components)s::jsonb[], %(description)s::text[], %(reversal_for_id)s::uuid[],
  %(replaces_id)s::uuid[], %(event_on)s::date[], %(due_on)s::date[], %(reason)s::text[], %(vehicle_id)s::bigint[],
  %(medallion_id)s::bigint[], %(templates)s::bigint[], %(line_counts)s::int[], %(totals)s::numeric[],
  %(line_posting)s::int[], %(line_number)s::int[], %(line_account)s::int[], %(line_fund)s::text[],
  %(line_amount)s::numeric[]
)
"""


def insert_postings(
    rows: Sequence[NewPosting],
    *,
    actor_id: int,
    on: date,
    accounting_date: date | None = None,
    run_week: date | None = None,
    action: str = "",
    automatic: bool = False,
    booked_as: str = "",
) -> list[Posted]:
    """Insert postings with their journal entries, in one statement, and return them in the order given.

    They are dated `accounting_date`, or else `on`, or the first open day when that is closed. With `action` an
    audit entry is written too. `booked_as`: as `entry_lines.posting_lines`. Raises DatedAhead,
    PolicyChanging, what that raises and what `errors.translated` knows.
    """
    if not rows:
        return []
    return insert_columns(
        {name: _column(rows, name) for name in _NAMES},
        actor_id=actor_id,
        on=on,
        accounting_date=accounting_date,
        run_week=run_week,
        action=action,
        automatic=automatic,
        booked_as=booked_as,
    )


def insert_columns(
    columns: Columns,
    *,
    actor_id: int,
    on: date,
    accounting_date: date | None = None,
    run_week: date | None = None,
    action: str = "",
    automatic: bool = False,
    booked_as: str = "",
) -> list[Posted]:
    """As `insert_postings`, of columns named as the fields of `NewPosting`; one that is absent is empty."""
    if accounting_date is not None and accounting_date > on:
        raise DatedAhead(date=accounting_date, today=on)
    parameters = {
        **dict.fromkeys(_NAMES),
        **{name: _adapted(name, values) for name, values in columns.items()},
        "on": on,
        "accounting_date": accounting_date,
        "run_week": run_week,
        "actor": actor_id,
        "action": action,
        "automatic": automatic,
    }
    day, fresh = accounting_date or on, False
    for _ in range(_ATTEMPTS):
        lines = posting_lines(columns, on=day, booked_as=booked_as, fresh=fresh)
        with translated(), connection.cursor() as cursor:
            cursor.execute(_POST, {**parameters, **lines})
            answer = cursor.fetchall()
        if answer[0][0] is not None:
            return [*map(Posted._make, answer)]
        # Other templates are in force by now, or on the open day the postings get.
        day, fresh = date.fromisoformat(answer[0][1]), True
    raise PolicyChanging


def _adapted(name: str, values: Sequence[Any] | None) -> Any:
    if values is None or name in _DOCUMENTS:
        return values
    return text_array(values) if name in _TEXTS else array(values)


def _column(rows: Sequence[NewPosting], name: str) -> list[Any] | None:
    """One field of all rows; None when no row has it, for an array costs its length even if it is empty."""
    values = [getattr(row, name) for row in rows]
    if name == "components":
        values = [None if value is None else Jsonb(value) for value in values]
    return values if any(value is not None and value != "" for value in values) else None
