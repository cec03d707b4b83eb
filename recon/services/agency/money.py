"""The money behind tolls and tickets: charged, taken back, moved, carried by the fleet; by the ledger's services.

A charge goes under its agency's number, once for ever. One that was taken back and is charged again by a person goes
under `NUMBER/2`, and so on. The service fee of a ticket, where one is set, is a charge of its own beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import connection

from batconnect.common.models import User
from batconnect.common.money import ZERO
from ledger.models import Category, DriverAccount, LedgerPosting, Origin
from ledger.services import obligations, voids
from ledger.services.accounts import open_account
from ledger.services.entries import Entered
from ledger.services.house_events import enter_house_event, reverse_house_event
from ledger.services.void_approval import check_alone

from ...models import AgencyDecision, AgencyItem, Payer
from .errors import NothingOwed, PayerUnknown

FEE_PRODUCT = "Administrative"
EVENT = "FLEET_COST"
LONGEST_DESCRIPTION = 160


@dataclass(frozen=True)
class Charge:
    """One item to be charged to an account: US dollars above zero."""

    item: AgencyItem
    account_id: int
    amount: Decimal


@dataclass(frozen=True)
class Charged:
    posting_id: UUID
    fee_posting_id: UUID | None = None


def owed(item: AgencyItem, payer: str) -> Decimal:
    """What is charged, by who paid what was paid. Raises PayerUnknown where that matters and is not known."""
    if item.paid == 0:
        return item.due
    if payer == Payer.FLEET:
        return item.amount
    if payer == Payer.DRIVER:
        return item.due
    raise PayerUnknown(number=item.number, paid=item.paid, whole=item.amount, due=item.due)


def checked_owed(item: AgencyItem, payer: str) -> Decimal:
    """As `owed`; raises NothingOwed too."""
    amount = owed(item, payer)
    if amount <= 0:
        raise NothingOwed(number=item.number)
    return amount


def service_fee(item: AgencyItem) -> Decimal:
    """What is charged beside a ticket for handling it."""
    return ZERO if item.nature != AgencyItem.Nature.TICKET else settings.TICKET_SERVICE_FEE


def charge(charges: Sequence[Charge], *, actor: User, on: date) -> list[Charged]:
    """Charge many items in one statement, all or none; in the order given. Raises as `create_obligations`."""
    rows = [_obligation(one) for one in charges]
    fees = [(place, fee) for place, one in enumerate(charges) if (fee := service_fee(one.item)) > 0]
    rows += [_fee(charges[place], fee) for place, fee in fees]
    posted = obligations.create_obligations(obligations=rows, actor=actor, on=on)
    fee_of = {place: row.posting_id for (place, _), row in zip(fees, posted[len(charges) :], strict=True)}
    return [Charged(row.posting_id, fee_of.get(place)) for place, row in enumerate(posted[: len(charges)])]


def withdraw(decision: AgencyDecision, *, reason: str, actor: User, on: date) -> None:
    """Take back what a decision posted, as far as it still stands.

    Raises NeedsApproval for a posting that takes a second person to void, and as `void_posting`.
    """
    for posting_id in standing_postings(decision):
        check_alone(posting_id)
        voids.void_posting(posting_id=posting_id, reason=reason, actor=actor, on=on)
    if (
        decision.entry_id is not None
        and decision.entry_date is not None
        and not _is_reversed(decision.entry_id)
    ):
        reverse_house_event(
            entry_id=decision.entry_id, je_date=decision.entry_date, origin=Origin.HOUSE, reason=reason,
            actor=actor, on=on, reference=decision.item.number,
        )  # fmt: skip


def move(
    decision: AgencyDecision, *, account: DriverAccount, amount: Decimal, reason: str, actor: User, on: date
) -> Charged:
    """Replace what a decision posted by the same charge on another account, of another amount, or both.

    Where the posting was voided elsewhere, it is charged anew, and so is a fee that was left standing. Raises as
    `replace_posting`.
    """
    item = decision.item
    standing = standing_postings(decision)
    if not charge_stands(decision):
        withdraw(decision, reason=reason, actor=actor, on=on)
        return charge([Charge(item, account.pk, amount)], actor=actor, on=on)[0]
    check_alone(standing[0])
    posting = voids.replace_posting(
        posting_id=standing[0], amount=amount, reason=reason, actor=actor, on=on, account=account
    )
    fee = LedgerPosting.objects.filter(pk__in=standing[1:]).first()
    if fee is not None and fee.account_id != account.pk:
        fee = voids.replace_posting(
            posting_id=fee.pk, amount=fee.amount, reason=reason, actor=actor, on=on, account=account
        )
    return Charged(posting.pk, fee.pk if fee else None)


def carry(item: AgencyItem, amount: Decimal, *, actor: User, on: date) -> Entered:
    """Enter an item as a cost of the fleet; below zero it is money back."""
    return enter_house_event(
        EVENT, amount=amount, on=on, actor=actor, reference=item.number, product=item.kind,
        description=_described(item),
    )  # fmt: skip


def account_for(lease_id: int, driver_id: int) -> DriverAccount:
    return open_account(driver_id=driver_id, lease_id=lease_id)


def charge_stands(decision: AgencyDecision) -> bool:
    """Whether what a decision charged is owed still: it may have been voided elsewhere, its service fee apart."""
    return current_posting(decision.posting_id) in standing_postings(decision)


def standing_postings(decision: AgencyDecision) -> list[UUID]:
    """The charge of a decision and its service fee, as corrected since, those of them that were not voided."""
    ids = [current_posting(first) for first in (decision.posting_id, decision.fee_posting_id) if first]
    standing = set(
        LedgerPosting.objects.filter(pk__in=ids, status=LedgerPosting.Status.POSTED).values_list(
            "pk", flat=True
        )
    )
    return [found for found in ids if found in standing]


def current_posting(first: UUID | None) -> UUID:
    """A posting, or the last of the corrections that replaced one another."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT misc_expense_current_posting(%s)", [first])
        found: UUID = cursor.fetchone()[0]
    return found


def _obligation(one: Charge) -> obligations.Obligation:
    return obligations.Obligation(
        account_id=one.account_id,
        category=one.item.kind,
        amount=one.amount,
        reference_id=_reference(one.item, one.item.kind, one.item.number, "posting"),
        event_on=one.item.event_on,
        description=_described(one.item),
    )


def _fee(one: Charge, fee: Decimal) -> obligations.Obligation:
    number = f"{one.item.kind}-{one.item.number}-FEE"
    return obligations.Obligation(
        account_id=one.account_id,
        category=Category.MISC,
        amount=fee,
        reference_id=_reference(one.item, Category.MISC, number, "fee_posting"),
        event_on=one.item.event_on,
        product=FEE_PRODUCT,
        description=f"Service fee, {_described(one.item)}"[:LONGEST_DESCRIPTION],
    )


def _reference(item: AgencyItem, category: str, number: str, named: str) -> str:
    """The agency's number; where we charged it before, the next `/2`. Somebody else's use of it is a duplicate."""
    if item.version == 1 and item.decision is None:
        return number  # it has only come, which saves a look for each row of a file
    ours = AgencyDecision.objects.filter(
        item__kind=item.kind, item__number=item.number, **{f"{named}__isnull": False}
    )
    if not ours.exists():
        return number
    taken = set(
        LedgerPosting.objects.filter(
            category=category, reference_id__startswith=f"{number}/", reversal_for__isnull=True
        ).values_list("reference_id", flat=True)
    )
    place = 2
    while f"{number}/{place}" in taken:
        place += 1
    return f"{number}/{place}"


def _described(item: AgencyItem) -> str:
    whose = f"{item.plate_state} {item.plate}".strip() if item.plate else item.tag
    return " · ".join(part for part in (item.description, item.place, whose) if part)[:LONGEST_DESCRIPTION]


def _is_reversed(entry_id: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM ledger_entry_reversal WHERE entry_id = %s)", [entry_id])
        found: bool = cursor.fetchone()[0]
    return found
