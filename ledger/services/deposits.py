"""Deposits in the ledger: what was never collected is cancelled, what was collected pays the debts of its lease, and
what is left is paid back. When each of these is due is the business of the leases.

Callers hold the accounts' locks. What an account has paid in of its deposit, and is not applied, is never kept: it is
the paid part of its DEPOSIT postings less its DEPOSIT_APPLIED ones.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from django.db import connection

from batconnect.common.models import SYSTEM_USERNAME, User
from batconnect.common.money import ZERO, parse_amount
from batconnect.common.transactions import money_transaction

from ..models import Category, LedgerBalance, Origin
from .allocations import run_waterfall
from .entries import Entered, open_day
from .errors import LedgerError
from .house_events import enter_house_event, reverse_house_event
from .payments import NEEDS_REFERENCE, MethodReferenceMissing, UnknownMethod
from .postings import NewPosting, Posted, insert_postings
from .voids import replace_posting, void_posting

# Paid before the hierarchy: the fleet answers to the agencies for these.
FIRST = (Category.EZPASS, Category.PVB, Category.TLC)
# Templates book a refund to the bank; cash would leave the drawer, which is counted by itself.
REFUND_METHODS = ("CHECK", "ACH")


class NothingHeld(LedgerError):
    code, status = "deposit.nothing_to_refund", 409
    message = "{reference}: nothing of this deposit is left to pay back."


class Applied(NamedTuple):
    """What a deposit paid: its posting."""

    posting_id: UUID
    amount: Decimal


# What of each account's deposit was paid and is not applied yet, and what of everything it owes.
_STANDING = """
SELECT a.id, ledger_deposit_left(a.id),
       coalesce((SELECT sum(b.balance) FROM ledger_balance b
                  WHERE b.account_id = a.id AND b.status = 'OPEN' AND b.original_amount > 0), 0.00)
  FROM unnest(%s::bigint[]) AS a (id)
"""


def cancel_uncollected(
    *, account_ids: Sequence[int], reason: str, actor: User, on: date
) -> dict[int, Decimal]:
    """Take back what was posted of these accounts' deposits and never paid: all of a part, or down to what was paid.

    Returns what was cancelled, by account. Raises as `voids.replace_posting`.
    """
    open_parts = LedgerBalance.objects.filter(
        account_id__in=account_ids,
        category=Category.DEPOSIT,
        status=LedgerBalance.Status.OPEN,
        original_amount__gt=0,
    )
    cancelled: dict[int, Decimal] = {}
    for part in open_parts.order_by("account_id", "due_on", "reference_id"):
        paid = part.original_amount - part.balance
        if paid:
            replace_posting(posting_id=part.posting_id, amount=paid, reason=reason, actor=actor, on=on)
        else:
            void_posting(posting_id=part.posting_id, reason=reason, actor=actor, on=on)
        cancelled[part.account_id] = cancelled.get(part.account_id, ZERO) + part.balance
    return cancelled


def standing(account_ids: Sequence[int]) -> dict[int, tuple[Decimal, Decimal]]:
    """By account: what is left of what was paid of its deposit, and all that it owes."""
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, [list(account_ids)])
        return {account: (left, owed) for account, left, owed in cursor.fetchall()}


def apply_deposits(*, references: Mapping[int, str], actor: User, on: date) -> dict[int, Applied]:
    """Post one DEPOSIT_APPLIED credit per account that owes anything, at most what was collected, and put it to debts.

    `references` by account id, one for ever. E-ZPass, parking and TLC tickets are paid first, then the hierarchy. Any
    number of accounts in a few statements. Returns what was applied, by account. Raises DuplicateReference.
    Source: domain.md, leases.
    """
    amounts = {
        account: min(left, owed)
        for account, (left, owed) in sorted(standing([*references]).items())
        if min(left, owed) > 0
    }
    rows = [
        NewPosting(
            account_id=account,
            category=Category.DEPOSIT_APPLIED,
            amount=-amount,
            reference_id=references[account],
            event_on=on,
            description="Deposit applied to what is owed",
        )
        for account, amount in amounts.items()
    ]
    posted: list[Posted] = insert_postings(
        rows, actor_id=actor.pk, on=on, action="deposit.applied", automatic=actor.username == SYSTEM_USERNAME
    )
    accounts, dated = list(amounts), open_day(on)
    for category in FIRST:
        _pay(accounts, dated, actor, _open_of(accounts, category))
    _pay(accounts, dated, actor, None)
    return {
        account: Applied(made.posting_id, amounts[account])
        for account, made in zip(amounts, posted, strict=True)
    }


@money_transaction
def enter_refund(
    *, amount: Decimal, reference: str, method: str, method_reference: str, actor: User, on: date
) -> Entered:
    """Enter that what is left of a deposit was paid back from the bank. `reference` says of which.

    Raises NothingHeld, UnknownMethod, MethodReferenceMissing and as `enter_house_event`.
    """
    if method not in REFUND_METHODS:
        raise UnknownMethod(method=method, choices=", ".join(REFUND_METHODS))
    if not method_reference.strip():
        raise MethodReferenceMissing(method=method, needed=NEEDS_REFERENCE[method])  # type: ignore[index]
    amount = parse_amount(amount)
    if amount <= 0:
        raise NothingHeld(reference=reference)
    return enter_house_event(
        "DEPOSIT_REFUNDED",
        amount=amount,
        on=on,
        actor=actor,
        reference=reference,
        origin=Origin.DEPOSIT,
        channel=method,
        description=f"{method} {method_reference}".strip()[:160],
    )


@money_transaction
def enter_returned_refund(
    *, entry_id: int, entry_date: date, reference: str, reason: str, actor: User, on: date
) -> Entered:
    """Enter that a refund came back: its entry's mirror. Raises AlreadyReversed and as `reverse_house_event`."""
    return reverse_house_event(
        entry_id=entry_id,
        je_date=entry_date,
        origin=Origin.DEPOSIT,
        reason=reason,
        actor=actor,
        on=on,
        reference=reference,
    )


def _open_of(accounts: Sequence[int], category: str) -> list[UUID]:
    items = LedgerBalance.objects.filter(
        account_id__in=accounts,
        category=category,
        status=LedgerBalance.Status.OPEN,
        original_amount__gt=0,
    )
    return list(items.values_list("pk", flat=True))


def _pay(accounts: Sequence[int], dated: date, actor: User, debits: Sequence[UUID] | None) -> None:
    """Put the deposits applied, and no other credit, to these debts, or to all that are left."""
    if debits is None or debits:
        run_waterfall(
            account_ids=accounts,
            dated=dated,
            actor_id=actor.pk,
            credit_categories=[Category.DEPOSIT_APPLIED],
            debit_ids=debits,
        )
