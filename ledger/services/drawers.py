"""Closing a cashier's drawer: count it, book what is over or short, bank the rest; checks that come back.

What goes in and out in between is noted by the database beside the payment, void or DTR that it is of
(`migrations/sql/0021_desk.sql`); the entries are theirs. A close holds the drawer's row, and every movement waits for
it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db import connection

from batconnect.common import audit
from batconnect.common.models import User
from batconnect.common.money import ZERO, parse_amount, total
from batconnect.common.numbers import reserve_numbers
from batconnect.common.transactions import money_transaction

from ..models import CheckBounce, DrawerClose, DrawerMovement, InterimPayment, LedgerPosting
from ..selectors.drawers import DrawerCheck, DrawerHeld, banked_check, cash_to_pay_out, drawer_held
from .accounts import lock_account
from .entries import open_day
from .errors import DrawerHoldsLess, LedgerError, translated
from .house_events import enter_house_event
from .payments import PaymentNotPositive
from .reasons import checked_reason
from .voids import AlreadyVoided, void_posting

Kind, Medium = DrawerMovement.Kind, DrawerMovement.Medium


class DrawerClosed(LedgerError):
    code, status = "drawer.closed", 409
    message = "The drawer of {cashier} is closed for {day}, by {number}. What comes now is in the next day's drawer."


class NothingInDrawer(LedgerError):
    code, status = "drawer.nothing", 409
    message = "Nothing went through the drawer of {cashier} since it was last closed."


class CountedBelowZero(LedgerError):
    code, status = "drawer.counted", 400
    message = "{what} is {amount}; a drawer holds nothing or more."


class KeptTooMuch(LedgerError):
    code, status = "drawer.kept", 400
    message = "{kept} cannot stay in a drawer that has {counted} in cash."


class UnknownCheck(LedgerError):
    code, status = "drawer.unknown_check", 400
    message = "{payment} is no check that should be in this drawer; the drawer has {choices}."


class ReasonMissing(LedgerError):
    code, status = "drawer.reason", 400
    message = "The drawer is {what}; say why in 10 to 500 characters."


class DrawerChanged(LedgerError):
    code, status = "drawer.changed", 409
    message = (
        "Something came into or out of the drawer meanwhile: it should hold {cash} in cash and {checks} in checks "
        "now. Look again."
    )


class NotBanked(LedgerError):
    code, status = "check.not_banked", 409
    message = (
        "{payment} is no check that was banked; void the payment if it was a mistake, and the drawer follows."
    )


class UnknownPayment(LedgerError):
    code, status = "payment.unknown", 404
    message = "There is no payment {payment}."


@dataclass(frozen=True)
class DrawerCount:
    """A count beside what should be there. `missing` are the checks that should be and are not."""

    held: DrawerHeld
    cash: Decimal
    kept: Decimal
    present: list[DrawerCheck]
    missing: list[DrawerCheck]

    @property
    def checks(self) -> Decimal:
        return total(check.amount for check in self.present)

    @property
    def cash_difference(self) -> Decimal:
        return self.cash - self.held.cash

    @property
    def check_difference(self) -> Decimal:
        return self.checks - self.held.in_checks

    @property
    def difference(self) -> Decimal:
        """Below zero is short."""
        return self.cash_difference + self.check_difference

    @property
    def banked(self) -> Decimal:
        return self.cash + self.checks - self.kept

    @property
    def needs_reason(self) -> bool:
        return bool(self.cash_difference or self.check_difference)


def count_drawer(
    *, cashier: User, counted_cash: Decimal, checks_present: Collection[str], kept: Decimal, on: date
) -> DrawerCount:
    """A count compared with what should be there; changes nothing.

    `checks_present` are the payments (INTPAY-…) whose checks are in the drawer. `kept` is the cash that stays as the
    next float. Raises DrawerClosed, NothingInDrawer, CountedBelowZero, KeptTooMuch, UnknownCheck.
    """
    counted_cash, kept = parse_amount(counted_cash), parse_amount(kept)
    held = drawer_held(cashier.pk, through=on)
    if held.last and held.last.day >= on:
        raise DrawerClosed(cashier=cashier, day=held.last.day, number=held.last.number)
    if held.is_untouched:
        raise NothingInDrawer(cashier=cashier)
    for what, amount in (("The cash counted", counted_cash), ("The cash that stays", kept)):
        if amount < 0:
            raise CountedBelowZero(what=what, amount=amount)
    if kept > counted_cash:
        raise KeptTooMuch(kept=kept, counted=counted_cash)
    there = {check.payment: check for check in held.checks if check.amount > 0}
    for payment in checks_present:
        if payment not in there:
            raise UnknownCheck(payment=payment, choices=", ".join(there) or "none")
    present = [check for key, check in there.items() if key in checks_present]
    missing = [check for key, check in there.items() if key not in checks_present]
    return DrawerCount(held, counted_cash, kept, present, missing)


def check_reason(count: DrawerCount, reason: str) -> str:
    """The reason without blanks around it, if the count needs none or this is one. Raises ReasonMissing."""
    if not (count.needs_reason or count.missing):
        return reason.strip()
    try:
        return checked_reason(reason)
    except LedgerError:
        parts = []
        if count.difference:
            parts.append(f"{abs(count.difference)} {'short' if count.difference < 0 else 'over'}")
        if count.missing:
            parts.append(f"without {', '.join(check.payment for check in count.missing)}")
        raise ReasonMissing(what=" and ".join(parts) or "not as it should be") from None


@money_transaction
def close_drawer(
    *,
    cashier: User,
    counted_cash: Decimal,
    checks_present: Collection[str],
    actor: User,
    on: date,
    kept: Decimal = ZERO,
    reason: str = "",
    expected: tuple[Decimal, Decimal] | None = None,
) -> DrawerClose:
    """Close a drawer for the day: everything since its last close is counted, the difference booked, the rest banked.

    `expected` is what somebody was shown as cash and checks; when that is no longer so, DrawerChanged. A difference
    needs a reason. Raises ReasonMissing, DrawerChanged and as `count_drawer`. Source: domain.md, double entry (drawer
    banked; short and over).
    """
    # The calendar before the drawer, as those do who post; the other way round they would wait for each other.
    open_day(on)
    _hold(cashier)
    count = count_drawer(
        cashier=cashier, counted_cash=counted_cash, checks_present=checks_present, kept=kept, on=on
    )
    held = count.held
    if expected is not None and expected != (held.cash, held.in_checks):
        raise DrawerChanged(cash=held.cash, checks=held.in_checks)
    reason = check_reason(count, reason)
    (number,) = reserve_numbers(prefix="DRAWER", year=on.year, count=1)
    told = f"Drawer of {cashier}, {on}"
    if count.difference:
        # The event counts what is short as positive.
        enter_house_event(
            "DRAWER_DIFFERENCE",
            amount=-count.difference,
            on=on,
            actor=actor,
            reference=number,
            description=told,
        )
    if count.banked:
        enter_house_event(
            "DRAWER_BANKED", amount=count.banked, on=on, actor=actor, reference=number, description=told
        )
    moved = (
        (Kind.DIFFERENCE, Medium.CASH, count.cash_difference),
        (Kind.DIFFERENCE, Medium.CHECK, count.check_difference),
        (Kind.BANKED, Medium.CASH, count.kept - count.cash),
        (Kind.BANKED, Medium.CHECK, -count.checks),
    )
    with translated():
        for kind, medium, amount in moved:
            if amount:
                _move(cashier, on, kind, medium, amount, number, actor)
        close = DrawerClose.objects.create(
            number=number,
            drawer_id=cashier.pk,
            day=on,
            expected_cash=held.cash,
            expected_checks=held.in_checks,
            counted_cash=count.cash,
            counted_checks=count.checks,
            difference=count.difference,
            kept=count.kept,
            banked=count.banked,
            checks=_check_facts(count),
            reason=reason,
            closed_by=actor,
        )
    audit.record(
        actor=actor,
        action="drawer.closed",
        subject=f"drawer_close:{number}",
        before={"expected_cash": str(held.cash), "expected_checks": str(held.in_checks)},
        after={
            "counted_cash": str(count.cash),
            "counted_checks": str(count.checks),
            "difference": str(count.difference),
            "banked": str(count.banked),
            "kept": str(count.kept),
            "reason": reason,
        },
    )
    return close


@money_transaction
def fund_drawer(*, cashier: User, amount: Decimal, actor: User, on: date) -> DrawerMovement:
    """Put cash from the bank into a drawer: its float, or what is to be paid out. Raises PaymentNotPositive."""
    amount = parse_amount(amount)
    if amount <= 0:
        raise PaymentNotPositive(amount=amount)
    (number,) = reserve_numbers(prefix="FLOAT", year=on.year, count=1)
    # Banking, the other way.
    enter_house_event(
        "DRAWER_BANKED",
        amount=-amount,
        on=on,
        actor=actor,
        reference=number,
        description=f"Put into the drawer of {cashier}",
    )
    with connection.cursor() as cursor, translated():
        cursor.execute("SELECT drawer_open_day(%s, %s)", [cashier.pk, on])
        (day,) = cursor.fetchone()
        return _move(cashier, day, Kind.FLOAT, Medium.CASH, amount, number, actor)


def check_holds(*, cashier: User, amount: Decimal, on: date) -> None:
    """For a screen, before anything is done: whether the drawer could pay that. Raises DrawerHoldsLess."""
    holds = cash_to_pay_out(cashier.pk, on=on)
    if amount > holds:
        raise DrawerHoldsLess(cashier=cashier.username, holds=holds, amount=amount)


@money_transaction
def bounce_check(*, payment_number: str, reason: str, actor: User, on: date) -> LedgerPosting:
    """A check came back from the bank: its payment is voided against the bank, and the debts are owed again.

    Returns the reversal. Raises UnknownPayment, NotBanked, ReasonLength and as `voids.void_posting`.
    """
    reason = checked_reason(reason)
    payment = InterimPayment.objects.select_related("posting").filter(number=payment_number).first()
    if payment is None:
        raise UnknownPayment(payment=payment_number)
    if banked_check(payment) is None:
        raise NotBanked(payment=payment_number)
    lock_account(payment.account_id)
    payment.posting.refresh_from_db(fields=["status"])
    if payment.posting.status == LedgerPosting.Status.VOIDED:
        raise AlreadyVoided(category=payment.posting.category, reference_id=payment.number)
    with translated():
        CheckBounce.objects.create(payment=payment, bounced_on=on, reason=reason, created_by=actor)
    return void_posting(
        posting_id=payment.posting_id, reason=reason, actor=actor, on=on, booked_as="CHECK_BOUNCED"
    )


def _hold(cashier: User) -> None:
    """The drawer alone, until the transaction ends: whatever comes in or out waits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM drawer WHERE cashier_id = %s FOR NO KEY UPDATE", [cashier.pk])


def _move(
    cashier: User, day: date, kind: str, medium: str, amount: Decimal, reference: str, actor: User
) -> DrawerMovement:
    return DrawerMovement.objects.create(
        drawer_id=cashier.pk,
        day=day,
        kind=kind,
        medium=medium,
        amount=amount,
        reference=reference,
        created_by=actor,
    )


def _check_facts(count: DrawerCount) -> list[dict[str, object]]:
    return [
        {
            "payment": check.payment,
            "number": check.number,
            "amount": str(check.amount),
            "driver": check.driver,
            "present": check in count.present,
        }
        for check in count.held.checks
        if check.amount > 0
    ]
