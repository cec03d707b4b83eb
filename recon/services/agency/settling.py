"""What follows of new tolls and tickets without a person: each gets its first decision, and what is certain is charged.

no charge at all (a payment, nothing due)            IGNORED
a tag fee                                            FLEET_COST
money back                                           CREDIT
other figures under a number that came before        REVIEW
no vehicle, no time, or no trip that fits            UNASSIGNED
fits, but paid in part by nobody knows whom          REVIEW
0.50 to 0.89                                         REVIEW
0.90 and more                                        POSTED
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from batconnect.common.models import User
from ledger.models import LedgerPosting

from ...matching.attribute import SUGGEST_AT
from ...models import AgencyDecision, AgencyItem, State
from . import money
from .looking import Finding, look

Action = AgencyDecision.Action
Nature = AgencyItem.Nature


@dataclass(frozen=True)
class _Verdict:
    state: str
    reasons: str


def settle_new(items: Sequence[AgencyItem], *, actor: User, on: date) -> list[AgencyDecision]:
    """The first decision of each item, written, and what is certain charged. The caller holds a transaction."""
    findings = look(items)
    used = _numbers_used(items)
    verdicts = {item.pk: _verdict(item, findings[item.pk], used) for item in items}
    return _write(items, findings, verdicts, action=Action.ATTRIBUTED, actor=actor, on=on)


def look_again(items: Sequence[AgencyItem], *, actor: User, on: date) -> list[AgencyDecision]:
    """Attribute items anew that wait and about which nobody decided yet: trips, leases or vehicles came since.

    Where nothing is found that was not known before, nothing is written. The items are locked by the caller, and come
    with their decision.
    """
    waiting = [item for item in items if may_look_again(item)]
    findings = look(waiting)
    used = _numbers_used(waiting)
    verdicts = {item.pk: _verdict(item, findings[item.pk], used) for item in waiting}
    changed = [item for item in waiting if _is_news(item, findings[item.pk], verdicts[item.pk])]
    return _write(changed, findings, verdicts, action=Action.LOOKED, actor=actor, on=on)


def may_look_again(item: AgencyItem) -> bool:
    return (
        item.state in (State.REVIEW, State.UNASSIGNED)
        and item.nature in (Nature.TOLL, Nature.TICKET)
        and item.decision is not None
        and item.decision.action in (Action.ATTRIBUTED, Action.LOOKED)
    )


def resting_state(item: AgencyItem, decision: AgencyDecision) -> str:
    """Where an item waits for a person, by what it was found to be."""
    if item.nature == Nature.CREDIT:
        return State.CREDIT
    fits = decision.suggested_id is not None and (decision.score or 0) >= SUGGEST_AT
    return State.REVIEW if fits else State.UNASSIGNED


def next_decision(item: AgencyItem, **said: Any) -> AgencyDecision:
    """A decision after the one that stands, carrying on what is known of whose it was; not written yet."""
    last = item.decision
    assert last is not None, item
    known = ("vehicle_id", "lease_then_id", "trip_id", "suggested_id", "score", "candidates", "payer")
    return AgencyDecision(
        item=item, place=last.place + 1, **{name: getattr(last, name) for name in known} | said
    )


def _verdict(item: AgencyItem, found: Finding, used: set[tuple[str, str]]) -> _Verdict:
    if item.nature == Nature.PAYMENT:
        return _Verdict(State.IGNORED, "A payment to the agency, no toll.")
    if item.nature == Nature.CREDIT:
        return _Verdict(State.CREDIT, f"Money back: say which toll it belongs to. {found.reasons}"[:500])
    if item.version > 1:
        return _Verdict(State.REVIEW, f"Other figures than before under this number. {found.reasons}"[:500])
    if item.amount - item.paid <= 0 and item.paid == 0:
        return _Verdict(State.IGNORED, "Nothing is due, and nothing was paid.")
    if item.nature == Nature.TAG_FEE:
        return _Verdict(State.FLEET_COST, "A fee for tags, which the fleet carries.")
    if not found.suggested:
        return _Verdict(State.UNASSIGNED, found.reasons)
    if item.paid != 0:
        said = f"{item.paid} was paid already, and it is not known by whom. {found.reasons}"
        return _Verdict(State.REVIEW, said[:500])
    if (item.kind, item.number) in used:
        said = f"The ledger has a charge under this number from elsewhere. {found.reasons}"
        return _Verdict(State.REVIEW, said[:500])
    return _Verdict(State.POSTED if found.certain else State.REVIEW, found.reasons)


def _write(
    items: Sequence[AgencyItem],
    findings: Mapping[int, Finding],
    verdicts: Mapping[int, _Verdict],
    *,
    action: str,
    actor: User,
    on: date,
) -> list[AgencyDecision]:
    posted = [item for item in items if verdicts[item.pk].state == State.POSTED]
    charges = [money.Charge(item, findings[item.pk].account_id or 0, item.due) for item in posted]
    charged = dict(zip((item.pk for item in posted), money.charge(charges, actor=actor, on=on), strict=True))
    rows = []
    for item in items:
        found, verdict = findings[item.pk], verdicts[item.pk]
        row = AgencyDecision(
            item=item,
            place=item.decision.place + 1 if item.decision else 1,
            action=action,
            state=verdict.state,
            reasons=verdict.reasons,
            vehicle_id=found.vehicle_id,
            lease_then_id=found.lease_then_id,
            trip_id=found.trip_id,
            suggested_id=found.account_id,
            score=found.score,
            candidates=found.candidates,
            decided_by=actor,
        )
        if item.pk in charged:
            row.account_id, row.amount = found.account_id, item.due
            row.posting_id, row.fee_posting_id = charged[item.pk].posting_id, charged[item.pk].fee_posting_id
        elif verdict.state == State.FLEET_COST:
            entered = money.carry(item, item.amount, actor=actor, on=on)
            row.amount, row.entry_id, row.entry_date = item.amount, entered.entry_id, entered.je_date
        rows.append(row)
    return AgencyDecision.objects.bulk_create(rows, batch_size=2_000)


def _is_news(item: AgencyItem, found: Finding, verdict: _Verdict) -> bool:
    last = item.decision
    assert last is not None
    before = (last.state, last.vehicle_id, last.lease_then_id, last.trip_id, last.suggested_id, last.score)
    now = (verdict.state, found.vehicle_id, found.lease_then_id, found.trip_id, found.account_id, found.score)
    return before != now


def _numbers_used(items: Sequence[AgencyItem]) -> set[tuple[str, str]]:
    """The numbers under which the ledger has charges already, whoever entered them."""
    numbers = [item.number for item in items if item.version == 1]
    kinds = {item.kind for item in items}
    found = LedgerPosting.objects.filter(
        category__in=kinds, reference_id__in=numbers, reversal_for__isnull=True
    ).values_list("category", "reference_id")
    return set(found)
