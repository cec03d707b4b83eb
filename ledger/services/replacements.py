"""Charges that are replaced by other ones of the same kind: a week's fee by its prorated parts.

`voids.replace_posting` corrects one charge by one. Here several may make way for several, or for none; what had paid
the old ones pays the new ones, in order.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from uuid import UUID

from batconnect.common import audit
from batconnect.common.models import User
from batconnect.common.transactions import money_transaction

from ..models import LedgerPosting
from .allocations import Pair, allocate_pairs
from .errors import LedgerError
from .obligations import CHARGEABLE, Obligation, check_obligation
from .postings import insert_postings
from .reasons import checked_reason
from .voids import NotReplaceable, free_reference, lock_postings, pay_again, void_locked


class NotOneAccount(LedgerError):
    code, status = "replace.accounts", 409
    message = "Charges that are replaced together belong to one account and one category."


@dataclass(frozen=True)
class Part:
    """A charge that takes the place of others: dollars above zero.

    `reference_id` is for one that replaces no single posting; one that does is called `REF/2` after it.
    """

    amount: Decimal
    reference_id: str
    due_on: date
    event_on: date
    description: str = ""


@money_transaction
def replace_with_parts(
    *, posting_ids: Sequence[UUID], parts: Sequence[Part], reason: str, actor: User, on: date
) -> list[LedgerPosting]:
    """Void charges of one account and category and post these in their place, in one transaction; returns the new.

    The first part replaces the first posting as `REF/2`, the second the second; what is left over is charged under its
    own reference, or only voided. The credits that the voids freed pay the parts, as far as they go. Raises
    NotOneAccount, and as `voids.replace_posting`. Source: domain.md, replace_posting.
    """
    reason = checked_reason(reason)
    found = {posting.pk: posting for posting in lock_postings(posting_ids)}
    old = [found[key] for key in posting_ids]
    if len({(posting.account_id, posting.category) for posting in old}) != 1:
        raise NotOneAccount
    first = old[0]
    if first.category not in CHARGEABLE:
        raise NotReplaceable(category=first.category)
    freed: list[Pair] = []
    for posting in old:
        freed += void_locked(posting, reason=reason, actor=actor, on=on)[1]
    new = []
    for place, part in enumerate(parts):
        replaced = old[place] if place < len(old) else None
        obligation = Obligation(
            account_id=first.account_id,
            category=first.category,
            amount=part.amount,
            reference_id=free_reference(replaced) if replaced else part.reference_id,
            due_on=part.due_on,
            event_on=part.event_on,
            description=part.description,
        )
        row = check_obligation(obligation, on, replaces_id=replaced.pk if replaced else None, reason=reason)
        (posted,) = insert_postings([row], actor_id=actor.pk, on=on)
        paid = pay_again(freed, posted.posting_id, part.amount)
        allocate_pairs(paid, on=on, actor_id=actor.pk)
        freed = _left(freed, paid)
        new.append(posted)
    audit.record(
        actor=actor,
        action="posting.replaced",
        subject=f"posting:{first.pk}",
        before={"replaced": [[posting.reference_id, str(posting.amount)] for posting in old]},
        after={
            "posted": [[made.reference_id, str(part.amount)] for made, part in zip(new, parts, strict=True)],
            "account": first.account_id,
            "reason": reason,
        },
    )
    rows = LedgerPosting.objects.in_bulk([made.posting_id for made in new])
    return [rows[made.posting_id] for made in new]


def _left(freed: Sequence[Pair], paid: Sequence[Pair]) -> list[Pair]:
    """What of the freed credits was not used; of one credit, the pairs that came first are used first."""
    used: dict[UUID, Decimal] = {}
    for pair in paid:
        used[pair.credit_id] = used.get(pair.credit_id, Decimal(0)) + pair.amount
    left = []
    for pair in freed:
        taken = min(pair.amount, used.get(pair.credit_id, Decimal(0)))
        if taken:
            used[pair.credit_id] -= taken
        if pair.amount > taken:
            left.append(replace(pair, amount=pair.amount - taken))
    return left
