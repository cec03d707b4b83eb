"""What people decide about tolls and tickets. Each is one transaction: items locked, then money, decision and audit.

`seen` is the decision that whoever decides was looking at; where another one stands by now, nothing happens and they
are told to look again. What is refused is refused whole.
"""

from collections.abc import Collection, Sequence
from datetime import date
from decimal import Decimal

from batconnect.common import audit
from batconnect.common.models import User
from batconnect.common.money import parse_amount
from batconnect.common.transactions import money_transaction
from ledger.models import DriverAccount
from ledger.services.reasons import checked_reason

from ...models import AgencyDecision, AgencyItem, Payer, State
from . import money
from .errors import CreditTooLarge, NoSuchToll, NothingSuggested, NotPossible, SameLease, WrongAmount
from .holding import PAST, Action, Nature, check, following, held, keep, last_of, lease_account, lock_items
from .settling import look_again, may_look_again, resting_state


@money_transaction
def accept(
    *, item_ids: Collection[int], actor: User, on: date, payer: str = "", seen: Collection[int] = ()
) -> list[AgencyDecision]:
    """Charge items to whom they are suggested, all or none, in one statement.

    payer: of tickets that were paid in part or in whole already; where the driver paid all, nothing is charged.
    seen: the decisions that were looked at, of any of the items. Raises UnknownItem, DecidedMeanwhile, NotPossible,
    NothingSuggested, PayerUnknown, and as `create_obligations`.
    """
    items = held(item_ids, seen=seen)
    charges: list[money.Charge] = []
    paid: list[money.Charge] = []
    for item in items:
        check(item, "accept")
        last = last_of(item)
        if last.suggested_id is None:
            raise NothingSuggested(number=item.number)
        amount = money.owed(item, payer or last.payer)
        (charges if amount > 0 else paid).append(money.Charge(item, last.suggested_id, amount))
    said = "The suggestion was accepted."
    rows = _charged(charges, action=Action.ACCEPTED, payer=payer, reasons=said, actor=actor, on=on)
    rows += [
        following(
            one.item,
            Action.ACCEPTED,
            State.IGNORED,
            "Paid by the driver already; nothing is due.",
            actor,
            payer,
        )
        for one in paid
    ]
    return keep(rows)


@money_transaction
def assign(
    *,
    item_id: int,
    lease_id: int,
    reason: str,
    actor: User,
    on: date,
    payer: str = "",
    seen: int | None = None,
) -> AgencyDecision:
    """Charge an item on a lease that a person names; the lease ran on the day. Raises also UnknownLease, LeaseNotThen,
    NothingOwed, ReasonLength.
    """
    reason = checked_reason(reason)
    (item,) = held([item_id], seen=[seen] if seen else ())
    check(item, "assign")
    account = lease_account(lease_id, item)
    amount = money.checked_owed(item, payer or last_of(item).payer)
    charges = [money.Charge(item, account.pk, amount)]
    return keep(_charged(charges, action=Action.ASSIGNED, payer=payer, reasons=reason, actor=actor, on=on))[0]


@money_transaction
def reassign(
    *, item_id: int, lease_id: int, reason: str, actor: User, on: date, seen: int | None = None
) -> AgencyDecision:
    """Move a charge to another lease, paid or not: the money that had paid it is the first driver's again.

    Raises also SameLease, NeedsApproval, and as `replace_posting`.
    """
    reason = checked_reason(reason)
    (item,) = held([item_id], seen=[seen] if seen else ())
    check(item, "reassign")
    account, last = lease_account(lease_id, item), last_of(item)
    if account.pk == last.account_id and money.charge_stands(last):
        raise SameLease(number=item.number, lease=account.lease.number)
    amount = last.amount or item.due
    return _moved(item, Action.REASSIGNED, account, amount, reason=reason, actor=actor, on=on)


@money_transaction
def reduce(
    *, item_id: int, amount: Decimal, reason: str, actor: User, on: date, seen: int | None = None
) -> AgencyDecision:
    """Charge less, on the same lease; what was paid above it is the driver's again. amount: US dollars, above zero.

    Raises also WrongAmount, NeedsApproval, and as `replace_posting`.
    """
    reason = checked_reason(reason)
    (item,) = held([item_id], seen=[seen] if seen else ())
    check(item, "reduce")
    last = last_of(item)
    if not money.charge_stands(last):
        raise NotPossible(
            number=item.number, state="posted, but its charge was voided", asked=PAST["reduce"],
            instead="Reassign it to charge it anew.",
        )  # fmt: skip
    amount = parse_amount(amount)
    assert last.account is not None and last.amount is not None
    if not 0 < amount < last.amount:
        raise WrongAmount(number=item.number, charged=last.amount)
    return _moved(item, Action.REDUCED, last.account, amount, reason=reason, actor=actor, on=on)


@money_transaction
def dispute(*, item_id: int, reason: str, actor: User, on: date, seen: int | None = None) -> AgencyDecision:
    """Hold an item while the agency is asked: nothing of it is owed meanwhile, and what was posted is voided."""
    return _withdrawn(
        item_id, "dispute", Action.DISPUTED, State.DISPUTED, reason=reason, actor=actor, on=on, seen=seen
    )


@money_transaction
def dismiss(*, item_id: int, reason: str, actor: User, on: date, seen: int | None = None) -> AgencyDecision:
    """Nobody owes it: what was posted is voided. A revision that is dismissed leaves what stood before."""
    return _withdrawn(
        item_id, "dismiss", Action.DISMISSED, State.DISMISSED, reason=reason, actor=actor, on=on, seen=seen
    )


@money_transaction
def dismiss_many(
    *, item_ids: Collection[int], reason: str, actor: User, on: date, seen: Collection[int] = ()
) -> list[AgencyDecision]:
    """As `dismiss`, of items about which nothing is posted, all or none: vehicles that were never the fleet's."""
    reason = checked_reason(reason)
    items = held(item_ids, seen=seen)
    for item in items:
        check(item, "dismiss")
        if item.state == State.POSTED:
            raise NotPossible(
                number=item.number,
                state="posted",
                asked="dismissed with others",
                instead="Dismiss it by itself.",
            )
    return keep([following(item, Action.DISMISSED, State.DISMISSED, reason, actor) for item in items])


@money_transaction
def take_as_fleet_cost(
    *, item_id: int, reason: str, actor: User, on: date, payer: str = "", seen: int | None = None
) -> AgencyDecision:
    """The fleet carries it: what was posted is voided, and its cost is entered (5000); a credit is the fleet's gain."""
    reason = checked_reason(reason)
    (item,) = held([item_id], seen=[seen] if seen else ())
    check(item, "fleet-cost")
    last = last_of(item)
    is_credit = item.nature == Nature.CREDIT
    amount = item.amount if is_credit else money.checked_owed(item, payer or last.payer)
    money.withdraw(last, reason=reason, actor=actor, on=on)
    entered = money.carry(item, amount, actor=actor, on=on)
    row = following(item, Action.FLEET_COST, State.FLEET_COST, reason, actor, payer)
    row.amount, row.entry_id, row.entry_date = amount, entered.entry_id, entered.je_date
    return keep([row])[0]


@money_transaction
def give_credit(
    *, item_id: int, toll_number: str, reason: str, actor: User, on: date, seen: int | None = None
) -> AgencyDecision:
    """Money back for a toll that a driver was charged: that charge is reduced by it, or voided where it is all of it.

    Raises also NoSuchToll, CreditTooLarge.
    """
    reason = checked_reason(reason)
    toll = AgencyItem.objects.filter(
        number=toll_number.strip(), state=State.POSTED, nature=Nature.TOLL
    ).first()
    if toll is None:
        raise NoSuchToll(number=toll_number.strip()[:40] or "That")
    items = {item.pk: item for item in held([item_id, toll.pk], seen=[seen] if seen else (), of=item_id)}
    item, toll = items[item_id], items[toll.pk]
    check(item, "credit")
    charge = last_of(toll)
    if toll.state != State.POSTED or charge.amount is None or charge.account is None:
        raise NoSuchToll(number=toll.number)
    if not money.charge_stands(charge):  # it was voided elsewhere, and a rest of it would be charged anew
        raise NoSuchToll(number=toll.number)
    left = charge.amount + item.amount
    if left < 0:
        raise CreditTooLarge(credit=-item.amount, number=toll.number, charged=charge.amount)
    why = f"Credit {item.number}: {reason}"[:500]
    if left == 0:
        money.withdraw(charge, reason=why, actor=actor, on=on)
        gone = following(toll, Action.DISMISSED, State.DISMISSED, why, actor)
        gone.counterpart = item
        keep([gone])
    else:
        _moved(toll, Action.REDUCED, charge.account, left, reason=why, actor=actor, on=on, counterpart=item)
    row = following(item, Action.CREDITED, State.CREDITED, f"To {toll.number}: {reason}"[:500], actor)
    row.account, row.amount, row.counterpart = charge.account, item.amount, toll
    return keep([row])[0]


@money_transaction
def undo(*, item_id: int, reason: str, actor: User, on: date, seen: int | None = None) -> AgencyDecision:
    """Take back what was decided: the posting is voided, the fleet's cost reversed, and the item waits for a person.

    It is never charged by itself again.
    """
    reason = checked_reason(reason)
    (item,) = held([item_id], seen=[seen] if seen else ())
    check(item, "undo")
    last = last_of(item)
    money.withdraw(last, reason=reason, actor=actor, on=on)
    row = following(item, Action.UNDONE, resting_state(item, last), reason, actor)
    row.payer = Payer.UNKNOWN
    return keep([row])[0]


@money_transaction
def look_at_all(*, actor: User, on: date, item_ids: Collection[int] | None = None) -> int:
    """Attribute again what waits and nobody decided about; returns how many were found to be otherwise."""
    rows = AgencyItem.objects.filter(state__in=[State.REVIEW, State.UNASSIGNED])
    if item_ids is not None:
        rows = rows.filter(pk__in=item_ids)
    items = lock_items(rows)
    found = look_again([item for item in items if may_look_again(item)], actor=actor, on=on)
    if found:
        audit.record(
            actor=actor, action="agency.looked_again", subject="agency_item:all",
            after={"looked_at": len(items), "changed": len(found)},
        )  # fmt: skip
    return len(found)


def _withdrawn(
    item_id: int, action: str, kind: str, state: str, *, reason: str, actor: User, on: date, seen: int | None
) -> AgencyDecision:
    reason = checked_reason(reason)
    (item,) = held([item_id], seen=[seen] if seen else ())
    check(item, action)
    money.withdraw(last_of(item), reason=reason, actor=actor, on=on)
    return keep([following(item, kind, state, reason, actor)])[0]


def _moved(
    item: AgencyItem,
    action: str,
    account: DriverAccount,
    amount: Decimal,
    *,
    reason: str,
    actor: User,
    on: date,
    counterpart: AgencyItem | None = None,
) -> AgencyDecision:
    charged = money.move(last_of(item), account=account, amount=amount, reason=reason, actor=actor, on=on)
    row = following(item, action, State.POSTED, reason, actor)
    row.account, row.amount = account, amount
    row.posting_id, row.fee_posting_id = charged.posting_id, charged.fee_posting_id
    row.counterpart = counterpart
    return keep([row])[0]


def _charged(
    charges: Sequence[money.Charge], *, action: str, payer: str, reasons: str, actor: User, on: date
) -> list[AgencyDecision]:
    rows = []
    for one, charged in zip(charges, money.charge(charges, actor=actor, on=on), strict=True):
        row = following(one.item, action, State.POSTED, reasons, actor, payer)
        row.account_id, row.amount = one.account_id, one.amount
        row.posting_id, row.fee_posting_id = charged.posting_id, charged.fee_posting_id
        rows.append(row)
    return rows
