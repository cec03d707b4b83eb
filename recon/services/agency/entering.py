"""A TLC summons, entered by a clerk from the paper: looked at and charged as one from a file would be."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from batconnect.common import audit
from batconnect.common.models import User
from batconnect.common.money import ZERO, parse_amount
from batconnect.common.transactions import money_transaction
from batconnect.common.weeks import NEW_YORK, local_date

from ...models import AgencyDecision, AgencyItem, AgencyKind
from ...sources.agency_rows import EARLIEST
from . import settling
from .errors import AgencyError, NumberKnown
from .importing import hold_imports
from .looking import Finding, look

LARGEST = Decimal("99999.99")
LATEST = date(9999, 1, 1)  # that it has not come yet is told later; beyond, moments cannot be reckoned with


class BadSummons(AgencyError):
    code, status = "agency.summons", 400
    message = "{column}: {problem}"


@dataclass(frozen=True)
class Summons:
    """What stands on the paper. amount: US dollars. occurred_at: when it was written, in New York."""

    number: str
    plate: str
    occurred_at: datetime
    amount: Decimal
    plate_state: str = "NY"
    description: str = ""


def preview_summons(*, summons: Summons, on: date) -> tuple[AgencyItem, Finding]:
    """What would become of a summons; writes nothing. Raises BadSummons, NumberKnown."""
    item = _item(_checked(summons, on))
    item.pk = 0
    return item, look([item])[0]


@money_transaction
def enter_summons(*, summons: Summons, actor: User, on: date, case_no: str) -> AgencyDecision:
    """Keep a summons and settle it: charged at once where it is certain whose it is, else it waits for a person.

    `on` is today in New York. Raises BadSummons, NumberKnown, and as `create_obligations`.
    """
    summons = _checked(summons, on)
    hold_imports()
    _refuse_known(summons)
    item = _item(summons)
    item.case_no, item.created_by = case_no, actor
    item.save(force_insert=True)
    (decision,) = settling.settle_new([item], actor=actor, on=on)
    audit.record(
        actor=actor,
        action="agency.entered",
        subject=f"agency_item:{item.pk}",
        after={
            "kind": item.kind,
            "number": item.number,
            "plate": item.plate,
            "amount": str(item.amount),
            "state": decision.state,
        },
        case_no=case_no,
    )
    return decision


def new_york_time(day: date, clock: str) -> datetime:
    """A day and a time as `14:35` in New York. Raises BadSummons for an hour that does not exist there that day, and
    for days that nobody can mean.
    """
    if not EARLIEST <= day <= LATEST:
        raise BadSummons(column="issue_date", problem=f"it is before {EARLIEST.year}, or far ahead.")
    hour, _, minute = clock.partition(":")
    local = datetime(day.year, day.month, day.day, int(hour), int(minute), tzinfo=NEW_YORK)
    if local.astimezone(UTC).astimezone(NEW_YORK).hour != local.hour:
        raise BadSummons(
            column="issue_time", problem="the clocks went forward over this hour; look at the paper again."
        )
    return local


def _item(summons: Summons) -> AgencyItem:
    figures: dict[str, Any] = {
        "number": summons.number,
        "plate": summons.plate,
        "plate_state": summons.plate_state,
        "occurred_at": summons.occurred_at.isoformat(),
        "amount": str(summons.amount),
        "description": summons.description,
    }
    return AgencyItem(
        kind=AgencyKind.TLC,
        nature=AgencyItem.Nature.TICKET,
        number=summons.number,
        figures_hash=hashlib.sha256(json.dumps(figures, sort_keys=True).encode()).hexdigest(),
        plate=summons.plate,
        plate_state=summons.plate_state,
        occurred_at=summons.occurred_at,
        event_on=local_date(summons.occurred_at),
        description=summons.description,
        amount=summons.amount,
        paid=ZERO,
        due=summons.amount,
        raw=figures,
    )


def _checked(summons: Summons, on: date) -> Summons:
    amount = parse_amount(summons.amount)
    number, plate = summons.number.strip().upper(), summons.plate.strip().upper().replace(" ", "")
    if (
        not (0 < len(number) <= 40)
        or not number.isascii()
        or not number.isprintable()
        or set(number) & set("/ ")
    ):
        raise BadSummons(column="number", problem="1 to 40 letters, digits and signs, without blanks or /.")
    if not (0 < len(plate) <= 12) or not plate.isalnum() or not plate.isascii():
        raise BadSummons(column="plate", problem="1 to 12 letters and digits.")
    if not 0 < amount <= LARGEST:
        raise BadSummons(column="amount", problem=f"more than 0.00, and at most {LARGEST:,}.")
    if local_date(summons.occurred_at) > on:
        raise BadSummons(column="issue_date", problem="it has not come yet.")
    checked = Summons(
        number=number,
        plate=plate,
        occurred_at=summons.occurred_at,
        amount=amount,
        plate_state=summons.plate_state.strip().upper()[:2],
        description=summons.description.strip()[:80],
    )
    _refuse_known(checked)
    return checked


def _refuse_known(summons: Summons) -> None:
    if AgencyItem.objects.filter(kind=AgencyKind.TLC, number=summons.number).exists():
        raise NumberKnown(kind="TLC", number=summons.number)
