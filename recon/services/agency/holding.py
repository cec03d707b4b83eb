"""What every decision about a toll or ticket starts from and ends in: may it be, the items held, the record."""

from collections.abc import Collection, Sequence
from typing import Any

from django.db.models import QuerySet

from batconnect.common import audit
from batconnect.common.models import User
from leases.models import Lease
from ledger.models import DriverAccount

from ...models import AgencyDecision, AgencyItem, State
from . import money
from .errors import DecidedMeanwhile, LeaseNotThen, NotPossible, UnknownItem, UnknownLease
from .settling import next_decision

Action = AgencyDecision.Action
Nature = AgencyItem.Nature
CHARGEABLE = (Nature.TOLL, Nature.TICKET)
OPEN = (State.REVIEW, State.UNASSIGNED, State.DISPUTED)
# What may be decided in which state; the words of refusals and of the screens.
POSSIBLE: dict[str, tuple[str, ...]] = {
    "accept": (State.REVIEW,),
    "assign": OPEN,
    "reassign": (State.POSTED,),
    "reduce": (State.POSTED,),
    "dispute": (State.REVIEW, State.UNASSIGNED, State.POSTED),
    "dismiss": (*OPEN, State.POSTED, State.CREDIT),
    "fleet-cost": (*OPEN, State.POSTED, State.CREDIT),
    "credit": (State.CREDIT,),
    "undo": (State.POSTED, State.FLEET_COST, State.DISPUTED, State.DISMISSED, State.IGNORED),
}
PAST = {
    "accept": "accepted", "assign": "assigned", "reassign": "reassigned", "reduce": "reduced", "dispute": "disputed",
    "dismiss": "dismissed", "fleet-cost": "taken as fleet cost", "credit": "credited", "undo": "taken back",
}  # fmt: skip
MOST_AT_ONCE = 500


def why_not(item: AgencyItem, action: str) -> str:
    """Why something cannot be decided about an item as it stands; empty where it can."""
    last = item.decision
    assert last is not None
    if item.state not in POSSIBLE[action]:
        return "Take back what stands first." if item.state in POSSIBLE["undo"] else "Look at its history."
    pending = is_pending_revision(item)
    if action != "dismiss" and pending:
        return "It is a revision: accept or dismiss it as such."
    if item.nature not in CHARGEABLE and action in ("accept", "assign", "reassign", "reduce", "dispute"):
        return "It is no toll or ticket that a driver is charged."
    if action == "undo" and last.place == 1 and item.state == State.IGNORED:
        return "Nothing was decided about it."
    if action == "undo" and item.version > 1 and item.state == State.DISMISSED:
        return "Enter its figures again where they are right after all."
    return ""


def is_pending_revision(item: AgencyItem) -> bool:
    """Whether an item has other figures than one that came before it, and nobody decided yet which are right."""
    last = item.decision
    assert last is not None
    return item.version > 1 and item.state in (State.REVIEW, State.CREDIT) and last.action in (
        Action.ATTRIBUTED, Action.LOOKED,
    )  # fmt: skip


def held(item_ids: Collection[int], *, seen: Collection[int] = (), of: int | None = None) -> list[AgencyItem]:
    """Items, locked with all that have their number, each with its decision; in the order of their ids.

    `of`: of which of them the decision was seen; else of all. Raises UnknownItem, DecidedMeanwhile.
    """
    wanted = set(item_ids)
    items = lock_items(AgencyItem.objects.filter(pk__in=wanted))
    if len(items) != len(wanted) or not items:
        raise UnknownItem
    for item in items:
        if seen and (of is None or item.pk == of) and item.decision_id not in set(seen):
            raise DecidedMeanwhile(number=item.number, state=item.get_state_display().lower())
    return items


def lock_items(rows: QuerySet[AgencyItem]) -> list[AgencyItem]:
    """Lock items in the order in which everybody locks them, then read them as they are now, with their decisions.

    Two statements: whoever waited for the lock would see the new decision of an item by its id alone, not the row.
    """
    locked = list(
        rows.order_by("pk").select_for_update(of=("self",), no_key=True).values_list("pk", flat=True)
    )
    found = AgencyItem.objects.filter(pk__in=locked).order_by("pk")
    return list(found.select_related("decision__account__lease", "decision__suggested"))


def lease_account(lease_id: int, item: AgencyItem) -> DriverAccount:
    """The account of a lease that ran when an item happened. Raises UnknownLease, LeaseNotThen."""
    lease = Lease.objects.filter(pk=lease_id).first()
    if lease is None:
        raise UnknownLease
    if not Lease.objects.on(item.event_on).filter(pk=lease.pk).exists():
        raise LeaseNotThen(
            lease=lease.number, day=item.event_on, number=item.number, starts_on=lease.starts_on,
            ends_on=lease.ends_on or "further notice",
        )  # fmt: skip
    return money.account_for(lease.pk, lease.driver_id)


def following(
    item: AgencyItem, action: str, state: str, reasons: str, actor: User, payer: str = ""
) -> AgencyDecision:
    said: dict[str, Any] = {"payer": payer} if payer and item.paid else {}
    return next_decision(item, action=action, state=state, reasons=reasons, decided_by=actor, **said)


def check(item: AgencyItem, action: str) -> None:
    instead = why_not(item, action)
    if instead:
        state = item.get_state_display().lower()
        raise NotPossible(number=item.number, state=state, asked=PAST[action], instead=instead)


def last_of(item: AgencyItem) -> AgencyDecision:
    last = item.decision
    assert last is not None, item
    last.item = item
    return last


def keep(rows: Sequence[AgencyDecision]) -> list[AgencyDecision]:
    """Write decisions, with an audit entry for each."""
    kept = AgencyDecision.objects.bulk_create(rows)
    for row in kept:
        before = row.item.decision
        audit.record(
            actor=row.decided_by,
            action=f"agency.{row.action.lower()}",
            subject=f"agency_item:{row.item_id}",
            before={
                "state": row.item.state,
                "posting": str(before.posting_id) if before and before.posting_id else None,
            },
            after={
                "number": row.item.number, "state": row.state, "reason": row.reasons,
                "account": row.account_id, "amount": None if row.amount is None else str(row.amount),
                "posting": str(row.posting_id) if row.posting_id else None, "entry": row.entry_id,
                **({"counterpart": row.counterpart_id} if row.counterpart_id else {}),
            },
        )  # fmt: skip
    return kept
