"""Payments at the desk: one credit, put exactly where the cashier said, the rest to the lease."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from batconnect.common import audit
from batconnect.common.models import User
from batconnect.common.money import ZERO, parse_amount, total
from batconnect.common.numbers import reserve_numbers
from batconnect.common.transactions import money_transaction

from ..models import Category, DriverAccount, InterimPayment, LedgerBalance, PaymentMethod
from .accounts import lock_account
from .allocations import Pair, allocate_pairs
from .errors import LedgerError
from .postings import NewPosting, insert_postings


class PaymentNotPositive(LedgerError):
    code, status = "payment.amount", 400
    message = "A payment, and each part of it, is more than zero; this is {amount}."


class UnknownMethod(LedgerError):
    code, status = "payment.method", 400
    message = "{method} is not a way to pay; choose one of {choices}."


class MethodReferenceMissing(LedgerError):
    code, status = "payment.method_reference", 400
    message = "A payment by {method} needs its {needed}."


class UnknownReference(LedgerError):
    code, status = "payment.unknown_reference", 400
    message = "{reference} is not a charge of this driver and lease."


class AmbiguousReference(LedgerError):
    code, status = "payment.ambiguous_reference", 400
    message = "{reference} exists more than once; say which, as one of {choices}."


class NamedTwice(LedgerError):
    code, status = "payment.named_twice", 400
    message = "{reference} is named twice in this payment."


class OverAllocated(LedgerError):
    code, status = "payment.over_allocated", 400
    message = "{reference} has {open} open; {asked} cannot be allocated to it."


class AllocatedMoreThanPaid(LedgerError):
    code, status = "payment.allocated_more_than_paid", 400
    message = "{allocated} is allocated, but only {amount} is paid."


NEEDS_REFERENCE = {PaymentMethod.CHECK: "check number", PaymentMethod.ACH: "ACH reference"}


@dataclass(frozen=True)
class PaymentPart:
    """What of a payment goes to one charge."""

    posting_id: UUID
    category: str
    reference_id: str
    amount: Decimal


@money_transaction
def apply_interim_payment(
    *,
    account: DriverAccount,
    amount: Decimal,
    allocations: Mapping[str, Decimal],
    method: str,
    actor: User,
    on: date,
    method_reference: str = "",
    accounting_date: date | None = None,
) -> InterimPayment:
    """Take a payment: post one credit and allocate it past the hierarchy, as the cashier said.

    amount: US dollars above zero. `allocations` gives an amount per reference id, as `CATEGORY:REF` where two
    categories share it. What is not allocated goes to open LEASE items, oldest first; what is then left stays
    an open credit. Refused whole, with the errors above. Source: domain.md, open-item accounting.
    """
    amount = _positive(amount)
    _check_method(method, method_reference)
    account = lock_account(account.pk)
    parts = plan_payment(account=account, amount=amount, allocations=allocations)

    (number,) = reserve_numbers(prefix="INTPAY", year=on.year, count=1)
    row = NewPosting(
        account_id=account.pk,
        category=Category.INTERIM_PAYMENT,
        amount=-amount,
        reference_id=number,
        event_on=on,
        product=method,
        description=f"{PaymentMethod(method).label} {method_reference}".strip(),
    )
    (posted,) = insert_postings([row], actor_id=actor.pk, on=on, accounting_date=accounting_date)
    allocate_pairs(
        [Pair(posted.posting_id, part.posting_id, part.amount) for part in parts],
        on=accounting_date or on,
        actor_id=actor.pk,
    )
    payment = InterimPayment.objects.create(
        number=number,
        account=account,
        posting_id=posted.posting_id,
        method=method,
        method_reference=method_reference,
        amount=amount,
        received_on=on,
        allocations=[
            {"category": part.category, "reference_id": part.reference_id, "amount": str(part.amount)}
            for part in parts
        ],
        created_by=actor,
    )
    audit.record(
        actor=actor,
        action="payment.taken",
        subject=f"payment:{number}",
        after={"amount": str(amount), "method": method, "allocations": payment.allocations},
    )
    return payment


def check_payment(
    *,
    account: DriverAccount,
    amount: Decimal,
    allocations: Mapping[str, Decimal],
    method: str,
    method_reference: str = "",
) -> list[PaymentPart]:
    """Where a payment would go now; changes nothing. Raises as `apply_interim_payment`."""
    _check_method(method, method_reference)
    return plan_payment(account=account, amount=_positive(amount), allocations=allocations)


def plan_payment(
    *, account: DriverAccount, amount: Decimal, allocations: Mapping[str, Decimal]
) -> list[PaymentPart]:
    """The parts as the cashier said, then those of the remainder that go to the lease. Raises the errors above."""
    items = _charges(account, allocations)
    parts = _as_asked(items, allocations)
    asked = total(part.amount for part in parts)
    if asked > amount:
        raise AllocatedMoreThanPaid(allocated=asked, amount=amount)
    return parts + _to_lease(items, parts, amount - asked)


def named_parts(*, account: DriverAccount, allocations: Mapping[str, Decimal]) -> list[PaymentPart]:
    """What is put to the items named, and to no others. Raises as `plan_payment`."""
    return _as_asked(_charges(account, allocations), allocations)


def _positive(value: Decimal) -> Decimal:
    amount = parse_amount(value)
    if amount <= 0:
        raise PaymentNotPositive(amount=amount)
    return amount


def _check_method(method: str, method_reference: str) -> None:
    if method not in PaymentMethod.values:
        raise UnknownMethod(method=method, choices=", ".join(PaymentMethod.values))
    needed = NEEDS_REFERENCE.get(PaymentMethod(method))
    if needed and not method_reference.strip():
        raise MethodReferenceMissing(method=method, needed=needed)


def _charges(account: DriverAccount, named: Iterable[str]) -> Sequence[LedgerBalance]:
    """The account's open charges, and those named even if closed, so that they are told apart; oldest due first.

    A reference is looked for as it stands and, where it may start with its category, without that.
    """
    # No reference has unprintable characters, and the database would not take all of them.
    references = {part for name in named for part in (name, name.partition(":")[2]) if part.isprintable()}
    charges = LedgerBalance.objects.filter(original_amount__gt=0, posting__reversal_for__isnull=True)
    still_open = charges.filter(account=account, status=LedgerBalance.Status.OPEN)
    asked_for = charges.filter(
        account=account,
        posting__account=account,
        posting__category__in=Category.values,
        posting__reference_id__in=references,
    )
    found = {item.pk: item for item in (*still_open, *asked_for)}
    return sorted(found.values(), key=lambda item: (item.due_on, item.created_at, item.reference_id))


def _as_asked(items: Sequence[LedgerBalance], allocations: Mapping[str, Decimal]) -> list[PaymentPart]:
    parts: dict[UUID, PaymentPart] = {}
    for reference, value in allocations.items():
        asked = _positive(value)
        item = _find(items, reference)
        if item.posting_id in parts:
            raise NamedTwice(reference=reference)
        if asked > item.balance:
            raise OverAllocated(reference=reference, open=item.balance, asked=asked)
        parts[item.posting_id] = PaymentPart(item.posting_id, item.category, item.reference_id, asked)
    return list(parts.values())


def _find(items: Sequence[LedgerBalance], reference: str) -> LedgerBalance:
    found = [
        item for item in items if reference in (item.reference_id, f"{item.category}:{item.reference_id}")
    ]
    if not found:
        raise UnknownReference(reference=reference)
    if len(found) > 1:
        choices = ", ".join(f"{item.category}:{item.reference_id}" for item in found)
        raise AmbiguousReference(reference=reference, choices=choices)
    return found[0]


def _to_lease(
    items: Sequence[LedgerBalance], parts: Sequence[PaymentPart], remainder: Decimal
) -> list[PaymentPart]:
    """Spread what the cashier did not place over open LEASE items, oldest first."""
    taken = {part.posting_id: part.amount for part in parts}
    placed = []
    for item in items:
        if item.category != Category.LEASE or remainder == 0:
            continue
        share = min(remainder, item.balance - taken.get(item.posting_id, ZERO))
        if share > 0:
            placed.append(PaymentPart(item.posting_id, item.category, item.reference_id, share))
            remainder -= share
    return placed
