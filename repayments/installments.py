"""Repairs and loans as sources of installments: what the weekly run asks, and what it tells back."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from django.db import connection, transaction

from batconnect.common.models import User
from ledger.services.installments import DueInstallment
from ledger.services.obligations import Obligation, create_obligations

from .models import Kind, RepaymentInstallment
from .services.errors import InstallmentsChanged
from .services.plans import share_schedules

PREFIXES = {Kind.REPAIR: "RPR", Kind.LOAN: "DLN"}

_DUE = """
SELECT i.id
  FROM repayment_installment i
  JOIN repayment r ON r.id = i.repayment_id
 WHERE i.posting_id IS NULL AND i.cancelled_on IS NULL AND i.due_on <= %(through)s
   AND r.kind = %(kind)s AND r.state = 'OPEN' AND r.account_id %% %(parts)s = %(part)s
 ORDER BY r.account_id, i.due_on, i.repayment_id, i.position
 LIMIT %(limit)s
"""

_MARK = """
UPDATE repayment_installment i
   SET posting_id = posted.posting_id
  FROM unnest(%(rows)s::bigint[], %(postings)s::uuid[]) AS posted (id, posting_id)
 WHERE i.id = posted.id AND i.posting_id IS NULL AND i.cancelled_on IS NULL
"""


class RepaymentInstallments:
    """One kind of repayment for the weekly run; drafts, and what is on hold, are passed over."""

    def __init__(self, name: str, kind: Kind) -> None:
        self.name = name
        self.category = kind.value
        self.reference_pattern = rf"{PREFIXES[kind]}-\d{{4}}-\d{{5,10}}/\d+"

    def prepare(self, *, through: date) -> None:
        """Nothing: installments are made when it is agreed how they are paid back."""

    def due(self, *, through: date, limit: int, part: int = 0, parts: int = 1) -> list[DueInstallment]:
        """Up to `limit` installments due on or before `through`, in account order.

        Those of the accounts whose id leaves `part` when divided by `parts`. What is found stays as it is until
        the caller's transaction ends: no hold or rescheduling comes between asking and posting.
        """
        with transaction.atomic(), connection.cursor() as cursor:
            share_schedules()
            cursor.execute(
                _DUE,
                {"through": through, "kind": self.category, "limit": limit, "part": part, "parts": parts},
            )
            keys = [row[0] for row in cursor.fetchall()]
        rows = RepaymentInstallment.objects.select_related("repayment").in_bulk(keys)
        return [DueInstallment(source_id=key, obligation=obligation_of(rows[key])) for key in keys]

    def mark_posted(self, posted: Sequence[tuple[int, UUID]]) -> None:
        """Name each installment's posting, in the transaction that posted them. Raises InstallmentsChanged."""
        mark_posted(posted)


def obligation_of(row: RepaymentInstallment) -> Obligation:
    """The charge an installment becomes; wants its repayment."""
    plan = row.repayment
    is_loan = plan.kind == Kind.LOAN
    return Obligation(
        account_id=plan.account_id,
        category=plan.kind,
        amount=row.principal + row.interest,
        reference_id=row.reference_id,
        due_on=row.due_on,
        components={"principal": str(row.principal), "interest": str(row.interest)} if is_loan else None,
        description=f"{Kind(plan.kind).label} {plan.number}, installment {row.position}, {row.left} left",
    )


def post_now(*, rows: Sequence[RepaymentInstallment], actor: User, on: date) -> None:
    """Charge installments before a run comes to them; in the transaction that decided so."""
    posted = create_obligations(
        obligations=[obligation_of(row) for row in rows], actor=actor, on=on, scheduled=True
    )
    mark_posted([(row.pk, made.posting_id) for row, made in zip(rows, posted, strict=True)])


def mark_posted(posted: Sequence[tuple[int, UUID]]) -> None:
    if not posted:
        return
    rows, postings = zip(*posted, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(_MARK, {"rows": list(rows), "postings": list(postings)})
        if cursor.rowcount != len(posted):
            raise InstallmentsChanged(missing=len(posted) - cursor.rowcount, count=len(posted))
