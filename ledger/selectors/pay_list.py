"""What is to be paid: finalized DTRs whose net pay is still owed, how, and what is held back and why."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

HELD: dict[str, str] = {
    "NO_METHOD": "nobody entered how the driver is paid",
    "WAITING": "how the driver is paid waits for approval",
    "BLOCKED": "bank details blocked: {why}",
    "HOLD": "on hold: {why}",
    "DISPUTED": "disputed: {why}",
    "REOPENED": "what it paid out was taken back: {why} of its payout is owed by the driver; void the payout",
    "IN_BATCH": "in batch {why}, which is not sent",
}
# A check or cash may be chosen in their place; a person's hold may not be passed over.
ABOUT_METHOD = ("NO_METHOD", "WAITING", "BLOCKED")

_LINES = """
SELECT d.id, d.number, d.week, d.account_id, d.driver_id, r.name, r.tlc_license, l.number, d.net_pay,
       i.id, coalesce(i.method, ''), coalesce(i.account_type, ''), coalesce(i.account_last4, ''),
       CASE WHEN b.number IS NOT NULL THEN 'IN_BATCH'
            WHEN o.balance <> 0 THEN 'REOPENED'
            WHEN h.kind IS NOT NULL THEN h.kind
            WHEN i.state = 'BLOCKED' THEN 'BLOCKED'
            WHEN i.id IS NULL AND w.id IS NOT NULL THEN 'WAITING'
            WHEN i.id IS NULL THEN 'NO_METHOD'
            ELSE '' END,
       coalesce(b.number, CASE WHEN o.balance <> 0 THEN o.balance::text END, h.reason, nullif(i.blocked_why, ''), '')
  FROM dtr d
  JOIN ledger_posting p ON p.id = d.payout_id AND p.status = 'POSTED'
  JOIN ledger_balance o ON o.posting_id = p.id
  JOIN driver r ON r.id = d.driver_id
  JOIN lease l ON l.id = d.lease_id
  LEFT JOIN payout_instruction i ON i.driver_id = d.driver_id AND i.state IN ('ACTIVE', 'BLOCKED')
  LEFT JOIN payout_instruction w ON w.driver_id = d.driver_id AND w.state = 'REQUESTED'
  LEFT JOIN payout_hold h ON h.dtr_id = d.id AND h.released_at IS NULL
  LEFT JOIN payout_item t ON t.dtr_id = d.id AND t.state = 'PENDING'
  LEFT JOIN payout_batch b ON b.id = t.batch_id
 WHERE d.status = 'FINALIZED' AND d.net_pay > 0
   AND (%(week)s::date IS NULL OR d.week = %(week)s) AND (%(ids)s::bigint[] IS NULL OR d.id = ANY(%(ids)s))
 ORDER BY d.week, d.number
"""


@dataclass(frozen=True)
class PayLine:
    """One unpaid DTR. `held` is a name of HELD, or empty; `why` is its particular reason."""

    dtr_id: int
    number: str
    week: date
    account_id: int
    driver_id: int
    driver_name: str
    tlc_license: str
    lease_number: str
    amount: Decimal
    instruction_id: UUID | None
    method: str
    account_type: str
    account_last4: str
    held: str
    why: str

    @property
    def held_because(self) -> str:
        return HELD[self.held].format(why=self.why) if self.held else ""

    @property
    def account(self) -> str:
        """The bank account, masked."""
        return f"{self.account_type.capitalize()} ••••{self.account_last4}" if self.account_last4 else ""

    def as_row(self) -> dict[str, Any]:
        """As lists over HTTP show it."""
        hidden = ("dtr_id", "account_id", "instruction_id", "account_type", "account_last4", "why")
        shown = {name: value for name, value in asdict(self).items() if name not in hidden}
        return {**shown, "account": self.account, "held_because": self.held_because}


def unpaid(*, week: date | None = None, dtr_ids: Sequence[int] | None = None) -> list[PayLine]:
    """Every unpaid DTR of a week, or of these; all there are when neither is given. In the order of their numbers."""
    with connection.cursor() as cursor:
        cursor.execute(_LINES, {"week": week, "ids": None if dtr_ids is None else list(dtr_ids)})
        return [PayLine(*row) for row in cursor.fetchall()]


def unpaid_weeks() -> list[date]:
    """Weeks with something to pay, the newest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT d.week FROM dtr d JOIN ledger_posting p ON p.id = d.payout_id AND p.status = 'POSTED'"
            " WHERE d.status = 'FINALIZED' AND d.net_pay > 0 ORDER BY d.week DESC LIMIT 60"
        )
        return [week for (week,) in cursor.fetchall()]
