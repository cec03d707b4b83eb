"""Charges: `create_obligation` and its bulk form. A single one is a batch of one, on the same statement."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from batconnect.common.models import SYSTEM_USERNAME, User
from batconnect.common.money import ZERO, parse_amount
from batconnect.common.transactions import money_statement

from ..models import Category, DriverAccount, LedgerPosting
from .errors import LedgerError
from .postings import NewPosting, Posted, insert_postings

# Taxes, earnings and payouts come from settling trips alone; credits have services of their own.
CHARGEABLE = frozenset(
    {
        Category.EZPASS,
        Category.LEASE,
        Category.PVB,
        Category.TLC,
        Category.REPAIR,
        Category.LOAN,
        Category.MISC,
        Category.DEPOSIT,
        Category.CANCELLATION_FEE,
    }
)
LONGEST_REFERENCE = 76
LONGEST_REPLACEMENT = 80  # the reference it replaces, and `/2` up to `/999`


class NotChargeable(LedgerError):
    code, status = "obligation.category", 400
    message = "{category} is not something a driver is charged; choose one of {choices}."


class NotPositive(LedgerError):
    code, status = "obligation.amount", 400
    message = "{reference_id}: a charge is more than zero, and this is {amount}."


class BadReference(LedgerError):
    code, status = "obligation.reference", 400
    message = "{reference_id!r} is not a reference; use 1 to 76 printable characters without outer spaces."


class ReservedReference(LedgerError):
    code, status = "obligation.reserved_reference", 400
    message = (
        "{category} reference {reference_id} belongs to a schedule, which posts it by itself; use another."
    )


class FutureEvent(LedgerError):
    code, status = "obligation.future_event", 400
    message = "{reference_id}: {date} is after {today}; a charge cannot have happened ahead of today."


class ComponentsDiffer(LedgerError):
    code, status = "obligation.components", 400
    message = "{reference_id}: its components add up to {total}, not to {amount}."


class PartsMissing(LedgerError):
    code, status = "obligation.parts_missing", 400
    message = "{reference_id}: a {category} charge says what it is made of; give {parts} as its components."


# What an amount is made of, where the journal books the parts to different accounts.
PARTS = {Category.LOAN: {"principal", "interest"}}


@dataclass(frozen=True)
class Obligation:
    """One charge: US dollars above zero, two decimals; `due_on` defaults to the Saturday of the week posted."""

    account_id: int
    category: str
    amount: Decimal
    reference_id: str
    due_on: date | None = None
    event_on: date | None = None
    product: str = ""
    components: Mapping[str, str] | None = None
    description: str = ""


def create_obligation(
    *,
    account: DriverAccount,
    category: str,
    amount: Decimal,
    reference_id: str,
    actor: User,
    on: date,
    due_on: date | None = None,
    event_on: date | None = None,
    accounting_date: date | None = None,
    product: str = "",
    components: Mapping[str, str] | None = None,
    description: str = "",
) -> LedgerPosting:
    """Post one debit and open its balance.

    amount: US dollars, above zero, two decimals. `on` is today in New York; `accounting_date` is only for one
    that somebody chose. Raises DuplicateReference, ClosedPeriod, UnknownAccount and the errors of this module.
    Source: domain.md, open-item accounting.
    """
    obligation = Obligation(
        account.pk, category, amount, reference_id, due_on, event_on, product, components, description
    )
    (posted,) = create_obligations(
        obligations=[obligation], actor=actor, on=on, accounting_date=accounting_date
    )
    return LedgerPosting.objects.get(pk=posted.posting_id)


@money_statement
def create_obligations(
    *,
    obligations: Sequence[Obligation],
    actor: User,
    on: date,
    accounting_date: date | None = None,
    run_week: date | None = None,
    scheduled: bool = False,
) -> list[Posted]:
    """Post many debits in one statement, all or none; returns them in the order given.

    `scheduled` says that the schedule itself posts them, before a run comes to it: a payoff, what a hold missed, a
    deposit's release. Raises as `create_obligation`; the first row that is wrong is named.
    """
    if not obligations:
        return []
    rows = [check_obligation(obligation, on) for obligation in obligations]
    if run_week is None and not scheduled:
        refuse_reserved(rows)
    return insert_postings(
        rows,
        actor_id=actor.pk,
        on=on,
        accounting_date=accounting_date,
        run_week=run_week,
        action="" if run_week else "posting.created",
        automatic=actor.username == SYSTEM_USERNAME,
    )


def check_obligation(
    obligation: Obligation, on: date, *, replaces_id: UUID | None = None, reason: str = ""
) -> NewPosting:
    """The posting a charge becomes when recorded on a day. Raises the errors of this module."""
    reference = obligation.reference_id
    longest = LONGEST_REPLACEMENT if replaces_id else LONGEST_REFERENCE
    if not (0 < len(reference) <= longest) or reference != reference.strip() or not reference.isprintable():
        raise BadReference(reference_id=reference)
    if obligation.category not in CHARGEABLE:
        raise NotChargeable(category=obligation.category, choices=", ".join(sorted(CHARGEABLE)))
    amount = parse_amount(obligation.amount)
    if amount <= 0:
        raise NotPositive(reference_id=reference, amount=amount)
    event_on = obligation.event_on or on
    if event_on > on:
        raise FutureEvent(reference_id=reference, date=event_on, today=on)
    needed = PARTS.get(Category(obligation.category))
    if needed and set(obligation.components or ()) != needed:
        raise PartsMissing(
            reference_id=reference, category=obligation.category, parts=" and ".join(sorted(needed))
        )
    if obligation.components is not None:
        parts = sum((parse_amount(part) for part in obligation.components.values()), ZERO)
        if parts != amount:
            raise ComponentsDiffer(reference_id=reference, total=parts, amount=amount)
    return NewPosting(
        account_id=obligation.account_id,
        category=obligation.category,
        amount=amount,
        reference_id=reference,
        event_on=event_on,
        product=obligation.product,
        components=obligation.components,
        description=obligation.description,
        due_on=obligation.due_on,
        replaces_id=replaces_id,
        reason=reason,
    )


def reserve_references(category: str, pattern: str) -> None:
    """Keep references of this form for the schedule they belong to: it and the weekly run alone may post them.

    Somebody else's charge under such a reference would stop the run that comes to post the installment.
    """
    _reserved.setdefault(category, []).append(re.compile(pattern))


def refuse_reserved(rows: Sequence[NewPosting]) -> None:
    """Raises ReservedReference for the first whose reference a schedule keeps."""
    for row in rows:
        if any(pattern.fullmatch(row.reference_id) for pattern in _reserved.get(row.category, ())):
            raise ReservedReference(category=row.category, reference_id=row.reference_id)


_reserved: dict[str, list[re.Pattern[str]]] = {}
