"""Settlements of the card processor into the journal, once for each row it told us; and what people decide of them.

A row's gross leaves the processor's receivable, its fees are an expense, the rest came to the bank: one entry, made by
the template CURB_SETTLEMENT. A row that says of a day what another one said before is held, not entered: money that
came twice and a file that was sent twice look alike, and only a person can ask.
"""

from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils import timezone

from batconnect.common import audit, locks
from batconnect.common.models import User
from batconnect.common.transactions import money_transaction
from ledger.models import Account, EntryLine, Origin
from ledger.services.entries import event_entry
from ledger.services.house_events import enter_house_event, reverse_house_event
from ledger.services.reasons import checked_reason

from ..models import CurbSettlement, ExternalRow, ReconJob, ReconMatch, ReconSource, Row, SettlementStatus
from ..selectors.settlements import free_rows_of_day
from ..sources import get_adapter
from ..sources.settlements import Settled, settled
from .errors import ReconError
from .locking import hold_source
from .matches import Rows, make_match

EVENT = "CURB_SETTLEMENT"
CHANNEL = "CURB"
TWICE = "Settlement {other} says the same of this day: is it the same money told twice?"


class UnknownSettlement(ReconError):
    code, status = "settlement.unknown", 404
    message = "There is no card settlement {settlement}."


class NotSo(ReconError):
    code, status = "settlement.not_so", 409
    message = "The settlement is {status}; it can be {what} only while it is {wanted}."


class StillMatched(ReconError):
    code, status = "settlement.still_matched", 409
    message = "The settlement is matched with its trips. Undo match {match} first."


class NothingOfDay(ReconError):
    code, status = "settlement.nothing_of_day", 409
    message = "Of the trips of {day} there is nothing left to match with settlements."


def enter_settlements(job: ReconJob, actor: User) -> int:
    """Keep and enter what a run brought, part of the run; returns how many were entered. The source is held.

    Rows dated after the run's day wait for a later one. Raises NoEntry and as `entries.enter`.
    """
    source = job.source
    if not get_adapter(source.adapter).by_day:
        return 0
    with connection.cursor() as cursor:  # runs of other sources that are told the same settlements wait
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [locks.SETTLEMENTS])
    rows = ExternalRow.objects.filter(source=source, settlement__isnull=True).order_by("occurred_at", "id")
    entered = 0
    for row in rows:
        told = settled(row.raw, source.mapping, row.pk)
        if told.settled_on <= job.date:
            entered += _keep(source, row, told, actor).entry_id is not None
    return entered


@money_transaction
def enter_held(*, settlement_id: int, reason: str, actor: User) -> CurbSettlement:
    """Enter a settlement that was held: it is money of its own. Raises UnknownSettlement, NotSo, ReasonLength."""
    reason = checked_reason(reason)
    settlement = _held(settlement_id, SettlementStatus.HELD, "entered")
    values = _entry_of(settlement.source, settlement.external_row, settlement, actor)
    CurbSettlement.objects.filter(pk=settlement.pk).update(**values)
    return _decided(settlement, "settlement.entered", reason, actor)


@money_transaction
def dismiss(*, settlement_id: int, reason: str, actor: User) -> CurbSettlement:
    """Say that a settlement that was held is none. Raises UnknownSettlement, NotSo, ReasonLength."""
    reason = checked_reason(reason)
    settlement = _held(settlement_id, SettlementStatus.HELD, "dismissed")
    CurbSettlement.objects.filter(pk=settlement.pk).update(
        dismissed_by=actor, dismissed_at=timezone.now(), dismissed_because=reason
    )
    return _decided(settlement, "settlement.dismissed", reason, actor)


@money_transaction
def take_back(*, settlement_id: int, reason: str, actor: User, on: date) -> CurbSettlement:
    """Reverse a settlement's entry, dated `on` or the first open day after it.

    Raises UnknownSettlement, NotSo, StillMatched, ReasonLength, and as `reverse_house_event`.
    """
    reason = checked_reason(reason)
    settlement = _held(settlement_id, SettlementStatus.ENTERED, "taken back")
    match = ReconMatch.objects.filter(rows__external_row=settlement.external_row, rows__active=True).first()
    if match is not None:
        raise StillMatched(match=match.pk)
    assert settlement.entry_id is not None and settlement.entry_date is not None
    reverse_house_event(
        entry_id=settlement.entry_id, je_date=settlement.entry_date, origin=Origin.HOUSE, reason=reason,
        actor=actor, on=on, reference=settlement.external_row.external_id,
    )  # fmt: skip
    return _decided(settlement, "settlement.taken_back", reason, actor)


@money_transaction
def match_day(*, settlement_id: int, reason: str, actor: User) -> ReconMatch:
    """Match what is left of a day's trips with what is left of its settlements, whatever they come to.

    The difference is kept with the match, and may be written off from it. Raises UnknownSettlement, NotSo,
    NothingOfDay, ReasonLength, ChangedMeanwhile.
    """
    reason = checked_reason(reason)
    settlement = _held(settlement_id, SettlementStatus.ENTERED, "matched")
    external, lines = free_rows_of_day(settlement.source, settlement.trip_date)
    if not (external and lines):
        raise NothingOfDay(day=settlement.trip_date)
    match = make_match(
        Rows(settlement.source, external, lines),
        rule=ReconMatch.Rule.HAND,
        actor=actor,
        note=reason,
        job=None,
    )
    audit.record(
        actor=actor,
        action="settlement.day_matched",
        subject=f"recon_match:{match.pk}",
        after={
            "day": str(settlement.trip_date), "settlements": [row.external_id for row in external],
            "lines": len(lines), "difference": str(match.difference), "reason": reason,
        },
    )  # fmt: skip
    return match


def effect(settlement: Row) -> list[tuple[Account, Decimal]]:
    """What entering, or taking back, would enter now: accounts and amounts, debits positive. Raises NoEntry."""
    if settlement.status == SettlementStatus.ENTERED:
        lines = EntryLine.objects.filter(entry_id=settlement.entry_id, je_date=settlement.entry_date)
        return [
            (line.account, -line.amount if line.side == EntryLine.Side.DR else line.amount)
            for line in lines.select_related("account")
        ]
    made = event_entry(
        EVENT,
        amount=settlement.gross,
        on=settlement.settled_on,
        channel=CHANNEL,
        parts={"fees": settlement.fees},
    )
    accounts = Account.objects.in_bulk([line.account_id for line in made.lines])
    return [(accounts[line.account_id], line.amount) for line in made.lines]


def _keep(source: ReconSource, row: ExternalRow, told: Settled, actor: User) -> CurbSettlement:
    """One settlement, entered; or held where another says the same of that day."""
    known: Any = CurbSettlement.objects.with_status().select_related("external_row")
    other = known.filter(
        source__in=_told_by(source),
        trip_date=told.trip_date,
        gross=told.gross,
        trips=told.trips,
        status=SettlementStatus.ENTERED,
    ).first()
    values: dict[str, Any] = {}
    if other is None:
        values = _entry_of(source, row, told, actor)
    return CurbSettlement.objects.create(
        source=source, external_row=row, trip_date=told.trip_date, settled_on=told.settled_on, gross=told.gross,
        fees=told.fees, net=told.net, trips=told.trips,
        held_because=TWICE.format(other=other.external_row.external_id[:80]) if other else "", **values,
    )  # fmt: skip


def _told_by(source: ReconSource) -> list[int]:
    """This source and those beside the same accounts: the same settlement may come as a file and from the API."""
    same = ReconSource.objects.filter(accounts__in=source.accounts.all())
    return [source.pk, *same.values_list("pk", flat=True)]


def _entry_of(
    source: ReconSource, row: ExternalRow, told: Settled | CurbSettlement, actor: User
) -> dict[str, Any]:
    """Enter it, and say by what."""
    entered = enter_house_event(
        EVENT,
        amount=told.gross,
        on=told.settled_on,
        actor=actor,
        reference=row.external_id,
        channel=CHANNEL,
        description=f"Card settlement of {told.trip_date}, {told.trips} trips",
        parts={"fees": told.fees},
    )
    return {"entry_id": entered.entry_id, "entry_date": entered.je_date, "entered_by": actor}


def _held(settlement_id: int, wanted: SettlementStatus, what: str) -> CurbSettlement:
    """A settlement as it is, nobody else deciding on it or its source. Raises UnknownSettlement, NotSo."""
    found = CurbSettlement.objects.filter(pk=settlement_id).first()
    if found is None:
        raise UnknownSettlement(settlement=settlement_id)
    hold_source(found.source_id)
    settlement: Any = (
        CurbSettlement.objects.with_status().select_related("source", "external_row").get(pk=settlement_id)
    )
    if settlement.status != wanted:
        raise NotSo(
            status=SettlementStatus(settlement.status).label.lower(), what=what, wanted=wanted.label.lower()
        )
    held: CurbSettlement = settlement
    return held


def _decided(settlement: CurbSettlement, action: str, reason: str, actor: User) -> CurbSettlement:
    now: Any = CurbSettlement.objects.with_status().select_related("external_row").get(pk=settlement.pk)
    audit.record(
        actor=actor,
        action=action,
        subject=f"curb_settlement:{settlement.pk}",
        after={"settlement": now.external_row.external_id, "status": now.status, "reason": reason},
    )
    decided: CurbSettlement = now
    return decided
