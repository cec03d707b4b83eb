"""Credits that somebody decides on: adjustments and write-offs; and credit that is paid back.

An adjustment and a write-off are one credit each. A write-off is for the items it names and for nothing else; an
adjustment may name items, and the rest of it stays an open credit, which the next run uses before desk payments and
earnings. A refund closes open credits with a debit of the category INTERIM_PAYMENT, a payment the other way: should
one of those credits be voided later (its check bounced), what was paid back is owed again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.conf import settings

from batconnect.common import audit
from batconnect.common.models import User
from batconnect.common.money import ZERO, parse_amount, total
from batconnect.common.numbers import reserve_numbers
from batconnect.common.transactions import money_transaction

from ..models import Category, CreditDecision, DriverAccount, LedgerBalance, OutgoingMethod
from .accounts import lock_account
from .allocations import Pair, allocate_pairs
from .errors import LedgerError, translated
from .payments import (
    MethodReferenceMissing,
    PaymentNotPositive,
    PaymentPart,
    UnknownMethod,
    named_parts,
)
from .postings import NewPosting, insert_postings
from .reasons import checked_reason

Kind = CreditDecision.Kind

# The run pays out what is left of the first two; a write-off gives nothing away but the debt it was for.
NEVER_REFUNDED = (Category.EARNINGS, Category.TAXES, Category.WRITE_OFF, Category.PAYOUT)
PREFIXES = {Kind.ADJUSTMENT: "ADJ", Kind.WRITE_OFF: "WO", Kind.REFUND: "RFD"}
_NEEDS_REFERENCE = {OutgoingMethod.CHECK: "check number", OutgoingMethod.ACH: "ACH reference"}


class NothingNamed(LedgerError):
    code, status = "write_off.nothing_named", 400
    message = "A write-off is for certain items; name each with the amount to write off."


class DepositWrittenOff(LedgerError):
    code, status = "write_off.deposit", 409
    message = (
        "A deposit is not written off: it would count as paid in, and be paid back. Void its charge, or let its "
        "release cancel what was not collected."
    )


class MoreThanAdjusted(LedgerError):
    code, status = "adjustment.allocated_more", 400
    message = "{allocated} is put to items, but the adjustment is {amount}."


class MoreThanCredit(LedgerError):
    code, status = "refund.more_than_credit", 409
    message = (
        "{asked} cannot be paid back: {open} of this account's credit is open for that. "
        "Earnings are paid out by the weekly run."
    )


class NotApproved(LedgerError):
    code, status = "credit.needs_approval", 409
    message = "{kind} of {amount} takes a second person: above {limit} somebody else approves it. Open a case for it."


class OwnApproval(LedgerError):
    code, status = "credit.own_approval", 403
    message = "Whoever asks for it does not approve it; somebody else has to."


@dataclass(frozen=True)
class CreditAsked:
    """What somebody asks for. `allocations` (adjustment, write-off) as of a payment; `method` is a refund's."""

    kind: str
    account: DriverAccount
    amount: Decimal
    reason: str
    allocations: Mapping[str, Decimal]
    method: str = ""
    method_reference: str = ""


@dataclass(frozen=True)
class CreditPlan:
    """What it would do now: the items it is put to (of a refund: the credits it takes), and what stays open of it."""

    amount: Decimal
    parts: Sequence[PaymentPart]
    needs_approval: bool

    @property
    def stays_open(self) -> Decimal:
        return self.amount - total(part.amount for part in self.parts)


def approval_above(kind: str) -> Decimal:
    """The amount above which a second person approves; a refund always takes one."""
    return {
        Kind.ADJUSTMENT: settings.ADJUSTMENT_APPROVAL_ABOVE,
        Kind.WRITE_OFF: settings.WRITE_OFF_APPROVAL_ABOVE,
    }.get(Kind(kind), ZERO)


def plan_credit(asked: CreditAsked) -> CreditPlan:
    """What it would do now; changes nothing. Raises the errors above and those of `payments.plan_payment`."""
    checked_reason(asked.reason)
    if asked.kind == Kind.REFUND:
        amount, parts = _refund_parts(asked)
    else:
        parts = named_parts(account=asked.account, allocations=asked.allocations)
        named = total(part.amount for part in parts)
        if asked.kind == Kind.WRITE_OFF:
            if not parts:
                raise NothingNamed
            if any(part.category == Category.DEPOSIT for part in parts):
                raise DepositWrittenOff
            amount = named
        else:
            amount = _positive(asked.amount)
            if named > amount:
                raise MoreThanAdjusted(allocated=named, amount=amount)
    return CreditPlan(amount, parts, needs_approval=amount > approval_above(asked.kind))


@money_transaction
def grant_credit(
    asked: CreditAsked,
    *,
    actor: User,
    on: date,
    approved_by: User | None = None,
    accounting_date: date | None = None,
    case_no: str = "",
) -> CreditDecision:
    """Post what was asked for, put it to its items, and record who decided it.

    `actor` asked for it; `approved_by` is the second person, needed above the amount of the settings. What it is put
    to is looked at anew: an item paid meanwhile refuses it. Raises NotApproved, OwnApproval, ClosedPeriod and as
    `plan_credit`. Source: domain.md, misc expenses and adjustments; open-item accounting.
    """
    if approved_by is not None and approved_by.pk == actor.pk:
        raise OwnApproval
    account = lock_account(asked.account.pk)
    plan = plan_credit(asked)
    kind, limit = Kind(asked.kind), approval_above(asked.kind)
    if plan.needs_approval and approved_by is None:
        raise NotApproved(kind=kind.label, amount=plan.amount, limit=limit)
    reason = checked_reason(asked.reason)
    refund = kind == Kind.REFUND
    (number,) = reserve_numbers(prefix=PREFIXES[kind], year=on.year, count=1)
    row = NewPosting(
        account_id=account.pk,
        category=Category.INTERIM_PAYMENT if refund else kind.value,
        amount=plan.amount if refund else -plan.amount,
        reference_id=number,
        event_on=on,
        product=f"REFUND_{asked.method}" if refund else "",
        description=f"{kind.label} {asked.method_reference}".strip(),
        reason=reason,
    )
    poster = approved_by or actor
    (posted,) = insert_postings([row], actor_id=poster.pk, on=on, accounting_date=accounting_date)
    allocate_pairs(
        [
            Pair(part.posting_id, posted.posting_id, part.amount)
            if refund
            else Pair(posted.posting_id, part.posting_id, part.amount)
            for part in plan.parts
        ],
        on=accounting_date or on,
        actor_id=poster.pk,
    )
    with translated():
        decision = CreditDecision.objects.create(
            number=number,
            kind=kind,
            account=account,
            posting_id=posted.posting_id,
            amount=plan.amount,
            reason=reason,
            method=asked.method,
            method_reference=asked.method_reference,
            parts=part_facts(plan.parts),
            approval_above=limit,
            asked_by=actor,
            approved_by=approved_by,
            decided_on=on,
            case_no=case_no,
        )
    audit.record(
        actor=poster,
        action=f"credit.{kind.lower()}",
        subject=f"credit:{number}",
        before={"account_balance": str(account.balance)},
        after={
            "amount": str(plan.amount),
            "reason": reason,
            "parts": decision.parts,
            "asked_by": actor.username,
            "approved_by": approved_by and approved_by.username,
            "method": asked.method,
        },
        case_no=case_no,
    )
    return decision


def part_facts(parts: Sequence[PaymentPart]) -> list[dict[str, str]]:
    """Parts, JSON-ready."""
    return [
        {"category": part.category, "reference_id": part.reference_id, "amount": str(part.amount)}
        for part in parts
    ]


def refundable_credits(account_id: int) -> Sequence[LedgerBalance]:
    """The open credits that may be paid back, in the order a refund takes them: the oldest first."""
    found = LedgerBalance.objects.filter(
        account_id=account_id, status=LedgerBalance.Status.OPEN, original_amount__lt=0
    ).exclude(category__in=NEVER_REFUNDED)
    return list(found.order_by("effective_on", "created_at", "reference_id"))


def refundable(account_id: int) -> Decimal:
    """How much of an account's credit may be paid back, as a positive amount."""
    return -total(item.balance for item in refundable_credits(account_id))


def _refund_parts(asked: CreditAsked) -> tuple[Decimal, list[PaymentPart]]:
    amount = _positive(asked.amount)
    if asked.method not in OutgoingMethod.values:
        raise UnknownMethod(method=asked.method, choices=", ".join(OutgoingMethod.values))
    needed = _NEEDS_REFERENCE.get(OutgoingMethod(asked.method))
    if needed and not asked.method_reference.strip():
        raise MethodReferenceMissing(method=asked.method, needed=needed)
    credits = refundable_credits(asked.account.pk)
    available = -total(item.balance for item in credits)
    if amount > available:
        raise MoreThanCredit(asked=amount, open=available)
    parts, left = [], amount
    for item in credits:
        share = min(left, -item.balance)
        if share > 0:
            parts.append(PaymentPart(item.posting_id, item.category, item.reference_id, share))
            left -= share
    return amount, parts


def _positive(value: Decimal) -> Decimal:
    amount = parse_amount(value)
    if amount <= 0:
        raise PaymentNotPositive(amount=amount)
    return amount
