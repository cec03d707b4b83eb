"""Other figures under a number that came before: a person says which are right, and accepting moves the money."""

from datetime import date

from batconnect.common.models import User
from batconnect.common.transactions import money_transaction
from ledger.services.reasons import checked_reason

from ...models import AgencyDecision, AgencyItem, State
from . import money
from .errors import NotPossible
from .holding import following, held, is_pending_revision, keep, last_of
from .settling import resting_state

Action = AgencyDecision.Action
# Figures of whose it was and when; where these are the same, the money stays where it is.
WHOSE = ("plate", "plate_state", "tag", "occurred_at", "event_on")


def standing_item(item: AgencyItem) -> AgencyItem | None:
    """The item whose figures are in force while a revision waits: the last one before it that is no revision itself."""
    earlier = AgencyItem.objects.filter(kind=item.kind, number=item.number, version__lt=item.version)
    rows = earlier.exclude(state=State.REVISED).select_related("decision").order_by("-version")
    return next((one for one in rows if one.version == 1 or _was_accepted(one)), None)


@money_transaction
def accept_revision(
    *, item_id: int, reason: str, actor: User, on: date, payer: str = "", seen: int | None = None
) -> AgencyDecision:
    """Put an item's figures in the place of those before: its posting is replaced, a fleet cost entered anew.

    Where plate or time changed as well, the old charge is voided, and the new one goes to whom it is suggested, or
    waits. Where nothing is owed any more, the charge is voided. Raises NotPossible, DecidedMeanwhile, PayerUnknown,
    NeedsApproval, ReasonLength.
    """
    reason = checked_reason(reason)
    numbered = AgencyItem.objects.filter(pk=item_id).values_list("kind", "number").first()
    together = AgencyItem.objects.filter(kind=numbered[0], number=numbered[1]) if numbered else []
    items = held([one.pk for one in together] or [item_id], seen=[seen] if seen else (), of=item_id)
    item = next(one for one in items if one.pk == item_id)
    standing = standing_item(item)
    if standing is None or not is_pending_revision(item):
        raise NotPossible(
            number=item.number, state=item.get_state_display().lower(), asked="accepted as a revision",
            instead="It is none that waits.",
        )  # fmt: skip
    old = next(one for one in items if one.pk == standing.pk)
    if old.state == State.CREDITED:
        raise NotPossible(
            number=item.number, state=item.get_state_display().lower(), asked="accepted as a revision",
            instead="The former credit was given to a driver: dismiss this one, and put the difference right by hand.",
        )  # fmt: skip
    rows = [_replaced(old, actor, reason)]
    for other in items:  # revisions between the two that nobody decided about
        if old.version < other.version < item.version and is_pending_revision(other):
            rows.append(_replaced(other, actor, reason))
    row = _taking_over(item, old, payer, reason=reason, actor=actor, on=on)
    return keep([*rows, row])[-1]


def _taking_over(
    item: AgencyItem, old: AgencyItem, payer: str, *, reason: str, actor: User, on: date
) -> AgencyDecision:
    last = last_of(old)
    payer = payer or last.payer
    waits = following(item, Action.REVISED, resting_state(item, last_of(item)), reason, actor, payer)
    if old.state == State.FLEET_COST:
        amount = item.amount if item.amount < 0 else money.owed(item, payer)
        money.withdraw(last, reason=reason, actor=actor, on=on)
        if amount == 0:
            return following(
                item, Action.REVISED, State.IGNORED, f"Nothing is due any more. {reason}"[:500], actor, payer
            )
        entered = money.carry(item, amount, actor=actor, on=on)
        row = following(item, Action.REVISED, State.FLEET_COST, reason, actor, payer)
        row.amount, row.entry_id, row.entry_date = amount, entered.entry_id, entered.je_date
        return row
    if old.state != State.POSTED:
        return (
            following(item, Action.REVISED, State.DISPUTED, reason, actor)
            if old.state == State.DISPUTED
            else waits
        )
    is_charge = item.nature in (AgencyItem.Nature.TOLL, AgencyItem.Nature.TICKET)
    # What was voided elsewhere is not charged again by this.
    if not is_charge or not money.charge_stands(last):
        money.withdraw(last, reason=reason, actor=actor, on=on)
        return waits
    amount = money.owed(item, payer)
    same = all(getattr(item, name) == getattr(old, name) for name in WHOSE)
    if amount <= 0:
        money.withdraw(last, reason=reason, actor=actor, on=on)
        return following(
            item, Action.REVISED, State.IGNORED, f"Nothing is due any more. {reason}"[:500], actor, payer
        )
    if not same:
        money.withdraw(last, reason=reason, actor=actor, on=on)
        account = last_of(item).suggested
        if account is None or waits.state != State.REVIEW:
            return waits
        charged = money.charge([money.Charge(item, account.pk, amount)], actor=actor, on=on)[0]
    else:
        assert last.account is not None
        account = last.account
        charged = money.move(last, account=account, amount=amount, reason=reason, actor=actor, on=on)
    row = following(item, Action.REVISED, State.POSTED, reason, actor, payer)
    row.account, row.amount = account, amount
    row.posting_id, row.fee_posting_id = charged.posting_id, charged.fee_posting_id
    return row


def _replaced(item: AgencyItem, actor: User, reason: str) -> AgencyDecision:
    return following(item, Action.REPLACED, State.REVISED, reason, actor)


def _was_accepted(item: AgencyItem) -> bool:
    return item.decisions.filter(action=Action.REVISED).exists()
