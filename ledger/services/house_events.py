"""Events of the fleet that are no driver's posting: each is one balanced entry, made by the templates in force.

A toll that nobody owes, a loan paid out, a deposit refunded, the drawer taken to the bank, a settlement that arrived.
What an event books to is the template's business; what it is about is its `reference`.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from batconnect.common import audit
from batconnect.common.models import User
from batconnect.common.transactions import money_transaction

from ..models import EntryLine, Origin
from .entries import Entered, NewEntry, NewLine, enter, enter_event, open_day
from .errors import LedgerError


class UnknownEntry(LedgerError):
    code, status = "house_event.unknown_entry", 404
    message = "There is no such entry to take back."


@money_transaction
def enter_house_event(
    event: str,
    *,
    amount: Decimal,
    on: date,
    actor: User,
    reference: str,
    origin: Origin = Origin.HOUSE,
    product: str = "",
    channel: str = "",
    description: str = "",
    parts: Mapping[str, Decimal] | None = None,
) -> Entered:
    """Enter one event of the fleet, dated `on` or the first open day after it, and say so in the audit trail.

    amount: US dollars; below zero swaps the sides. `parts` are amounts that the event's template names besides
    (`fees`, `principal`, `interest`). Raises NoEntry, ControlAccount and as `entries.enter`.
    """
    entered = enter_event(
        event,
        amount=amount,
        on=open_day(on),
        event_on=on,
        origin=origin,
        actor_id=actor.pk,
        product=product,
        channel=channel,
        reference=reference,
        description=description,
        parts=parts,
    )
    audit.record(
        actor=actor,
        action=f"house_event.{event.lower()}",
        subject=f"entry:{entered.je_number}",
        after={"amount": str(amount), "on": str(on), "reference": reference, "description": description},
    )
    return entered


@money_transaction
def reverse_house_event(
    *, entry_id: int, je_date: date, origin: Origin, reason: str, actor: User, on: date, reference: str
) -> Entered:
    """Take an event back: its mirror, dated `on` or the first open day, never before the event's own date.

    `origin` is the event's. Raises UnknownEntry, AlreadyReversed and as `entries.enter`.
    """
    lines = EntryLine.objects.filter(entry_id=entry_id, je_date=je_date).order_by("line_number")
    mirrored = [
        NewLine(
            line.account_id,
            -line.amount if line.side == EntryLine.Side.DR else line.amount,
            line.currency_id,
            line.fund,
        )
        for line in lines
    ]
    if not mirrored:
        raise UnknownEntry
    entry = NewEntry(
        je_date=max(open_day(on), je_date),
        event_on=on,
        lines=mirrored,
        reference=reference,
        description=f"Taken back: {reason}"[:160],
        reverses_id=entry_id,
        reverses_date=je_date,
    )
    (entered,) = enter([entry], origin=origin, actor_id=actor.pk)
    audit.record(
        actor=actor,
        action="house_event.taken_back",
        subject=f"entry:{entered.je_number}",
        after={"reverses": entry_id, "reason": reason, "reference": reference},
    )
    return entered
