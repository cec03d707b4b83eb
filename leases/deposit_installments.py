"""Parts of deposits as a source of installments: what the weekly run asks, and what it tells back."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from django.db import connection, transaction

from batconnect.common.errors import ConflictingState
from ledger.services.installments import DueInstallment
from ledger.services.obligations import Obligation

from . import schedule

_DUE = """
SELECT p.id, d.account_id, p.amount, p.reference_id, p.due_on
  FROM deposit_part p
  JOIN lease_deposit d ON d.id = p.deposit_id
  JOIN lease l ON l.id = d.lease_id
 WHERE p.posting_id IS NULL AND p.due_on <= %(through)s AND l.status <> 'CANCELLED'
   AND NOT EXISTS (SELECT FROM deposit_release r WHERE r.deposit_id = d.id)
   AND d.account_id %% %(parts)s = %(part)s
 ORDER BY d.account_id, p.number
 LIMIT %(limit)s
"""

_MARK = """
UPDATE deposit_part p
   SET posting_id = posted.posting_id
  FROM unnest(%(rows)s::bigint[], %(postings)s::uuid[]) AS posted (id, posting_id)
 WHERE p.id = posted.id AND p.posting_id IS NULL
"""


class PartsChanged(ConflictingState):
    code = "deposit.parts_changed"
    message = "{missing} of {count} parts of deposits were changed or posted by somebody else; run it again."


class DepositInstallments:
    """Deposits for the weekly run. Their obligations carry the part's own reference and due date."""

    name = "deposits"
    category = "DEPOSIT"
    reference_pattern = r"L-\d+/D[12]"

    def prepare(self, *, through: date) -> None:
        """Nothing to make: parts are written when they are agreed."""

    def due(self, *, through: date, limit: int, part: int = 0, parts: int = 1) -> list[DueInstallment]:
        """Up to `limit` parts never posted and due on or before `through`, in account order.

        Those of the accounts whose id leaves `part` when divided by `parts`; not of a deposit that was released.
        """
        with transaction.atomic(), connection.cursor() as cursor:
            schedule.share_schedule()
            cursor.execute(_DUE, {"through": through, "limit": limit, "part": part, "parts": parts})
            rows = cursor.fetchall()
        return [
            DueInstallment(
                source_id=key,
                obligation=Obligation(
                    account_id=account,
                    category=self.category,
                    amount=amount,
                    reference_id=reference,
                    due_on=due_on,
                    description="Deposit",
                ),
            )
            for key, account, amount, reference, due_on in rows
        ]

    def mark_posted(self, posted: Sequence[tuple[int, UUID]]) -> None:
        """Name each part's posting; called in the transaction that posted them. Raises PartsChanged."""
        if not posted:
            return
        rows, postings = zip(*posted, strict=True)
        with connection.cursor() as cursor:
            cursor.execute(_MARK, {"rows": list(rows), "postings": list(postings)})
            if cursor.rowcount != len(posted):
                raise PartsChanged(missing=len(posted) - cursor.rowcount, count=len(posted))
