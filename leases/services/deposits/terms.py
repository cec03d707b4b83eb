"""What is agreed about a lease's deposit: how much, whole or in two parts, and when each is due.

The weekly run posts the parts when they are due (`leases.deposit_installments`). What is posted is the ledger's; the
rest can be agreed anew while the deposit is being collected.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from batconnect.common import audit
from batconnect.common.errors import BatConnectError, ConflictingState
from batconnect.common.models import User
from batconnect.common.money import CENT, ZERO, parse_amount, to_cents
from batconnect.common.transactions import money_transaction
from leases import schedule
from leases.deposit_models import MOST_PARTS, DepositPart, DepositStatus, LeaseDeposit, Row
from leases.models import Lease
from leases.services.amounts import checked_size
from ledger.services.accounts import lock_account, open_account


class DepositAmount(BatConnectError):
    code, status = "deposit.amount", 400
    message = "A deposit of {amount} cannot be collected in {parts} parts; each part is more than zero."


class DepositParts(BatConnectError):
    code, status = "deposit.parts", 400
    message = "A deposit is due in full on one day, or in two parts on two days, the earlier first; {count} are given."


class DepositExists(ConflictingState):
    code = "deposit.exists"
    message = "Lease {number} has a deposit; change that one."


class NoDeposit(BatConnectError):
    code, status = "deposit.none", 404
    message = "Lease {number} has no deposit."


class LeaseOver(ConflictingState):
    code = "deposit.lease_over"
    message = "Lease {number} was ended or cancelled; no deposit is collected for it any more."


class NotCollecting(ConflictingState):
    code = "deposit.not_collecting"
    message = "The deposit of lease {number} is {status}; it is changed only while it is being collected."


class BelowCharged(ConflictingState):
    code = "deposit.below_charged"
    message = (
        "{charged} of the deposit of lease {number} is charged already; it cannot be lowered to {amount}. "
        "Void the charge first, or choose {charged} or more."
    )


class NoPartLeft(ConflictingState):
    code = "deposit.no_part_left"
    message = (
        "{left} parts of the deposit of lease {number} are not charged yet; give {left} due dates or fewer."
    )


class RestHasNoDate(BatConnectError):
    code, status = "deposit.rest_has_no_date", 400
    message = "{rest} of the deposit of lease {number} is not charged yet; say when it is due."


@dataclass(frozen=True)
class DepositTerms:
    """`amount`: US dollars above zero. `due_on`: one day for the whole, or two, the earlier first, for its halves."""

    amount: Decimal
    due_on: Sequence[date]


@money_transaction
def agree_deposit(*, lease: Lease, terms: DepositTerms, actor: User) -> LeaseDeposit:
    """Agree the deposit of a lease; nothing is posted before it is due.

    Of two parts the first has the odd cent. Raises DepositAmount, DepositParts, DepositExists, LeaseOver, BadAmount,
    AmountTooLarge.
    """
    parts = _parts(checked_size(parse_amount(terms.amount)), terms.due_on)
    lease = Lease.objects.select_for_update(no_key=True).get(pk=lease.pk)
    if lease.status != Lease.Status.ACTIVE:
        raise LeaseOver(number=lease.number)
    if LeaseDeposit.objects.filter(lease=lease).exists():
        raise DepositExists(number=lease.number)
    account = open_account(driver_id=lease.driver_id, lease_id=lease.pk)
    deposit = LeaseDeposit.objects.create(lease=lease, account=account, created_by=actor)
    for number, (amount, due_on) in enumerate(parts, 1):
        _write(deposit, lease, number, amount, due_on)
    _record("deposit.agreed", deposit, actor, before=None)
    return deposit


@money_transaction
def change_deposit(*, lease: Lease, terms: DepositTerms, actor: User) -> LeaseDeposit:
    """Raise or lower a deposit that is being collected: the parts not posted yet are agreed anew.

    terms: the whole deposit's amount, and the days of what is not charged yet (none when that is nothing). Raises
    NoDeposit, NotCollecting, BelowCharged, NoPartLeft, RestHasNoDate, DepositParts, DepositAmount.
    """
    amount = checked_size(parse_amount(terms.amount))
    schedule.hold_schedule()
    deposit = locked_deposit(lease)
    if deposit.status != DepositStatus.COLLECTING:
        raise NotCollecting(number=lease.number, status=DepositStatus(deposit.status).label.lower())
    rest = amount - deposit.charged
    if rest < 0:
        raise BelowCharged(number=lease.number, charged=deposit.charged, amount=amount)
    before = _facts(deposit)
    posted = set(deposit.parts.filter(posting_id__isnull=False).values_list("number", flat=True))
    numbers = [number for number in range(1, MOST_PARTS + 1) if number not in posted]
    parts: list[tuple[Decimal, date]] = []
    if rest > 0 or terms.due_on:
        if rest > 0 and not terms.due_on and numbers:
            raise RestHasNoDate(number=lease.number, rest=rest)
        if len(terms.due_on) > len(numbers) or not numbers:
            raise NoPartLeft(number=lease.number, left=len(numbers))
        parts = _parts(rest, terms.due_on)
    deposit.parts.filter(posting_id__isnull=True).delete()
    for number, (part, due_on) in zip(numbers, parts, strict=False):
        _write(deposit, lease, number, part, due_on)
    _record("deposit.changed", deposit, actor, before=before)
    return LeaseDeposit.objects.get(pk=deposit.pk)


def locked_deposit(lease: Lease) -> Row:
    """The deposit with its standing as it is now, its account held. Raises NoDeposit."""
    deposit = LeaseDeposit.objects.filter(lease=lease).first()
    if deposit is None:
        raise NoDeposit(number=lease.number)
    lock_account(deposit.account_id)
    return LeaseDeposit.objects.with_standing().select_related("lease", "account").get(pk=deposit.pk)


def _parts(amount: Decimal, due_on: Sequence[date]) -> list[tuple[Decimal, date]]:
    days = list(due_on)
    if not 1 <= len(days) <= MOST_PARTS or days != sorted(set(days)):
        raise DepositParts(count=len(days))
    first = amount if len(days) == 1 else to_cents(amount / 2)
    amounts = [first, amount - first][: len(days)]
    if min(amounts) < CENT:
        raise DepositAmount(amount=amount, parts=len(days))
    return list(zip(amounts, days, strict=True))


def _write(deposit: LeaseDeposit, lease: Lease, number: int, amount: Decimal, due_on: date) -> None:
    DepositPart.objects.create(
        deposit=deposit,
        number=number,
        amount=amount,
        due_on=due_on,
        reference_id=f"{lease.number}/D{number}",
    )


def _facts(deposit: LeaseDeposit) -> dict[str, object]:
    parts = list(deposit.parts.order_by("number"))
    return {
        "amount": str(sum((part.amount for part in parts), ZERO)),
        "parts": [
            {"reference_id": part.reference_id, "amount": str(part.amount), "due_on": str(part.due_on)}
            for part in parts
        ],
    }


def _record(action: str, deposit: LeaseDeposit, actor: User, *, before: dict[str, object] | None) -> None:
    audit.record(
        actor=actor, action=action, subject=f"lease:{deposit.lease_id}", before=before, after=_facts(deposit)
    )
