"""Deposits of leases: agreed and changed (`terms`), released when their hold ends (`releasing`, `holds`), paid back
(`refunds`).

The statuses are the ledger's: `LeaseDeposit.objects.with_standing()` reads them.
"""

from .due_now import register_due_now
from .holds import process_expired_deposit_holds
from .refunds import record_refund, return_refund
from .releasing import preview_release, release_deposit
from .terms import DepositTerms, agree_deposit, change_deposit

__all__ = [
    "DepositTerms",
    "agree_deposit",
    "change_deposit",
    "preview_release",
    "process_expired_deposit_holds",
    "record_refund",
    "register_due_now",
    "release_deposit",
    "return_refund",
]
