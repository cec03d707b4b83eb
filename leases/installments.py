"""Leases as a source of installments: what the weekly run asks, and what it tells back."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from django.db import connection, transaction

from batconnect.common.errors import ConflictingState
from ledger.services.installments import DueInstallment
from ledger.services.obligations import Obligation

from . import schedule

_DUE = """
SELECT i.id, a.id, i.amount, i.reference_id, i.due_on,
       -- As `told` says it.
       format('%%s to %%s, %%s days of %%s a week', to_char(i.period_start, 'Mon FMDD'),
              to_char(i.period_end, 'Mon FMDD'), i.days, i.weekly_fee)
  FROM lease_installment i
  JOIN lease l ON l.id = i.lease_id
  JOIN driver_account a ON a.lease_id = l.id AND a.driver_id = l.driver_id
 WHERE i.posting_id IS NULL AND i.due_on <= %(through)s AND l.status <> 'CANCELLED'
   AND a.id %% %(parts)s = %(part)s
 ORDER BY a.id, i.due_on, i.reference_id
 LIMIT %(limit)s
"""

_MARK = """
UPDATE lease_installment i
   SET posting_id = posted.posting_id
  FROM unnest(%(rows)s::bigint[], %(postings)s::uuid[]) AS posted (id, posting_id)
 WHERE i.id = posted.id AND i.posting_id IS NULL
"""


def told(stretch: schedule.Stretch) -> str:
    """What a stretch is called on the driver's paper."""
    start, end = (f"{day:%b} {day.day}" for day in (stretch.period_start, stretch.period_end))
    return f"{start} to {end}, {stretch.days} days of {stretch.weekly_fee} a week"


class InstallmentsChanged(ConflictingState):
    code = "lease.installments_changed"
    message = "{missing} of {count} lease installments were changed or posted by somebody else; run it again."


class LeaseInstallments:
    """Lease fees for the weekly run. Its obligations carry the installment's own reference and due date."""

    name = "leases"
    category = "LEASE"
    reference_pattern = r"L-\d+/\d{4}-\d\d-\d\d(\.\d+)?"

    def prepare(self, *, through: date) -> None:
        """Make every installment due on or before `through` that does not exist yet, for all leases."""
        with transaction.atomic():
            schedule.share_schedule()
            schedule.make_installments(through=through)

    def due(self, *, through: date, limit: int, part: int = 0, parts: int = 1) -> list[DueInstallment]:
        """Up to `limit` installments never posted and due on or before `through`, in account order.

        Those of the accounts whose id leaves `part` when divided by `parts`.
        """
        with transaction.atomic(), connection.cursor() as cursor:
            schedule.share_schedule()
            cursor.execute(_DUE, {"through": through, "limit": limit, "part": part, "parts": parts})
            rows = cursor.fetchall()
        return [
            DueInstallment(
                source_id=installment,
                obligation=Obligation(
                    account_id=account,
                    category=self.category,
                    amount=amount,
                    reference_id=reference,
                    due_on=due_on,
                    description=description,
                ),
            )
            for installment, account, amount, reference, due_on, description in rows
        ]

    def mark_posted(self, posted: Sequence[tuple[int, UUID]]) -> None:
        """Name each installment's posting; called in the transaction that posted them.

        Raises InstallmentsChanged when one of them is gone or was posted meanwhile, so that no charge stands
        in the ledger without the installment it came from.
        """
        if not posted:
            return
        rows, postings = zip(*posted, strict=True)
        with connection.cursor() as cursor:
            cursor.execute(_MARK, {"rows": list(rows), "postings": list(postings)})
            if cursor.rowcount != len(posted):
                raise InstallmentsChanged(missing=len(posted) - cursor.rowcount, count=len(posted))
