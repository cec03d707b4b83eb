"""Posting a voided charge again: as `REF/2`, linked to what it takes the place of. No run does this, only a person."""

from datetime import date
from uuid import UUID

from batconnect.common import audit
from batconnect.common.models import User
from batconnect.common.transactions import money_transaction

from ..models import LedgerPosting
from .accounts import lock_accounts
from .errors import LedgerError
from .obligations import CHARGEABLE, Obligation, check_obligation
from .postings import insert_postings
from .reasons import checked_reason
from .voids import NotReplaceable, UnknownPosting, free_reference


class NotVoided(LedgerError):
    code, status = "repost.not_voided", 409
    message = "{reference_id} stands; only a voided charge is posted again. To correct it, replace it."


class AlreadyReplaced(LedgerError):
    code, status = "repost.already_replaced", 409
    message = "{reference_id} was posted again before, as {replacement}."


@money_transaction
def post_again(*, posting_id: UUID, reason: str, actor: User, on: date) -> LedgerPosting:
    """Charge anew what was voided: the same amount, parts and due date, on the same account.

    Raises UnknownPosting, NotVoided, AlreadyReplaced, NotReplaceable, ReasonLength, and as `create_obligation`.
    """
    reason = checked_reason(reason)
    account = LedgerPosting.objects.filter(pk=posting_id).values_list("account_id", flat=True).first()
    if account is None:
        raise UnknownPosting
    lock_accounts([account])
    old = LedgerPosting.objects.get(pk=posting_id)
    if old.category not in CHARGEABLE or old.reversal_for_id is not None:
        raise NotReplaceable(category=old.category)
    if old.status != LedgerPosting.Status.VOIDED:
        raise NotVoided(reference_id=old.reference_id)
    later = LedgerPosting.objects.filter(replaces_id=old.pk).first()
    if later is not None:
        raise AlreadyReplaced(reference_id=old.reference_id, replacement=later.reference_id)
    obligation = Obligation(
        account_id=old.account_id,
        category=old.category,
        amount=old.amount,
        reference_id=free_reference(old),
        due_on=old.due_on,
        event_on=old.event_on,
        product=old.product,
        components=old.components,
        description=old.description,
    )
    row = check_obligation(obligation, on, replaces_id=old.pk, reason=reason)
    (posted,) = insert_postings([row], actor_id=actor.pk, on=on)
    audit.record(
        actor=actor,
        action="posting.posted_again",
        subject=f"posting:{old.pk}",
        after={"posting": str(posted.posting_id), "reference_id": posted.reference_id, "reason": reason},
    )
    return LedgerPosting.objects.get(pk=posted.posting_id)
