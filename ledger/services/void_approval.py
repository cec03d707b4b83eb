"""Which voids need a second person, and what a void would do: looked at before it is asked for, done or approved."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.conf import settings

from batconnect.common.money import ZERO

from ..models import LedgerPosting
from .allocations import Pair, allocations_in_force
from .errors import LedgerError
from .voids import SETTLEMENT, SettledTogether, UnknownPosting, refuse_unvoidable


class NeedsApproval(LedgerError):
    code, status = "void.needs_approval", 409
    message = (
        "{reference_id} is {amount}; a void of more than {limit} is approved by a second person. "
        "Open a VOID case for it."
    )


@dataclass(frozen=True)
class UndoneAllocation:
    """One allocation that a void undoes: with which posting, how much, and what is open of that before and after."""

    other: LedgerPosting
    amount: Decimal
    open_before: Decimal
    open_after: Decimal


@dataclass(frozen=True)
class VoidPreview:
    """What voiding a posting does to its account. `needs_approval`: it takes a second person."""

    posting: LedgerPosting
    undone: list[UndoneAllocation]
    balance_before: Decimal
    balance_after: Decimal
    needs_approval: bool


def needs_approval(posting: LedgerPosting) -> bool:
    return abs(posting.amount) > settings.VOID_APPROVAL_ABOVE


def check_alone(posting_id: UUID) -> None:
    """For doors through which one person voids by himself. Raises NeedsApproval; an unknown posting passes."""
    posting = LedgerPosting.objects.filter(pk=posting_id, status=LedgerPosting.Status.POSTED).first()
    if posting is not None and posting.reversal_for_id is None and needs_approval(posting):
        raise NeedsApproval(
            reference_id=posting.reference_id, amount=abs(posting.amount), limit=settings.VOID_APPROVAL_ABOVE
        )


def void_preview(posting_id: UUID) -> VoidPreview:
    """What `voids.void_posting` would do now; changes nothing.

    Raises UnknownPosting, AlreadyVoided, IsReversal, SettledTogether, PayoutPaid.
    """
    posting = (
        LedgerPosting.objects.filter(pk=posting_id)
        .select_related("account", "driver", "lease", "medallion", "open_item")
        .first()
    )
    if posting is None:
        raise UnknownPosting
    if posting.category in SETTLEMENT:
        raise SettledTogether(category=posting.category)
    refuse_unvoidable(posting)
    pairs = [pair for _, pair in allocations_in_force(account_id=posting.account_id, posting_id=posting.pk)]
    return VoidPreview(
        posting=posting,
        undone=_undone(posting, pairs),
        balance_before=posting.account.balance,
        balance_after=posting.account.balance - posting.amount,
        needs_approval=needs_approval(posting),
    )


def _undone(posting: LedgerPosting, pairs: list[Pair]) -> list[UndoneAllocation]:
    paid = posting.amount > 0
    others = LedgerPosting.objects.select_related("open_item").in_bulk(
        [pair.credit_id if paid else pair.debit_id for pair in pairs]
    )
    moved = dict.fromkeys(others, ZERO)
    found = []
    for pair in pairs:
        other = others[pair.credit_id if paid else pair.debit_id]
        before = other.open_item.balance + moved[other.pk]
        moved[other.pk] += -pair.amount if paid else pair.amount
        found.append(
            UndoneAllocation(
                other=other,
                amount=pair.amount,
                open_before=before,
                open_after=other.open_item.balance + moved[other.pk],
            )
        )
    return found
