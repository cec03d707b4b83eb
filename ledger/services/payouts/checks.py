"""Checks: issued for DTRs, with numbers the database gives out; voided, reissued, cleared.

A check is booked when it is issued. Voiding it is returning its payment: the check's state follows from that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.conf import settings
from django.db import connection, models

from batconnect.common import audit, locks
from batconnect.common.models import User
from batconnect.common.transactions import money_transaction

from ...models import DTR, Checkbook, PaymentMethod, PayoutCheck, PayoutItem, PayoutMethod
from ...selectors.pay_list import PayLine
from ..accounts import lock_accounts
from ..errors import LedgerError, translated
from ..reasons import checked_reason
from ..statements import Handover, pay_dtrs, return_payment
from .choosing import chosen

LARGEST_NUMBER = 999_999_999


class UnknownCheck(LedgerError):
    code, status = "payout_check.unknown", 404
    message = "There is no check {number}."


class CheckNotOut(LedgerError):
    code, status = "payout_check.state", 409
    message = "Check {number} is {state}; only one that is issued can be voided, reissued or cleared."


class ClearedTooEarly(LedgerError):
    code, status = "payout_check.cleared_on", 400
    message = "Check {number} was issued on {issued_on}; it is not cleared before."


class BadFirstNumber(LedgerError):
    code, status = "checkbook.first_number", 400
    message = (
        "A new run of check numbers begins above {highest}, the highest used so far, and below {largest}."
    )


@dataclass(frozen=True)
class Reissued:
    voided: PayoutCheck
    issued: PayoutCheck


@money_transaction
def issue_checks(
    *, actor: User, on: date, week: date | None = None, numbers: Sequence[str] | None = None
) -> list[PayoutCheck]:
    """Issue a check for each DTR that is free to be paid by check, of a week or of all; or for these DTRs.

    Named DTRs get one whatever way their drivers are usually paid. Raises NothingToPayNow, NotPayable, PaidTooEarly.
    """
    lines = chosen(
        method=PayoutMethod.CHECK, on=on, week=week, numbers=numbers, whatever_method=numbers is not None
    )
    return _issue(lines, on=on, actor=actor)


@money_transaction
def void_check(*, number: int, reason: str, on: date, actor: User) -> PayoutCheck:
    """Void a check that is out: its DTR is owed again. Raises UnknownCheck, CheckNotOut, ReasonLength."""
    reason = checked_reason(reason)
    check = _held(number)
    return_payment(dtr=check.item.dtr, on=on, reason=f"Check {number} void: {reason}"[:500], actor=actor)
    check.refresh_from_db()
    _tell(check, "voided", actor, reason=reason)
    return check


@money_transaction
def reissue_check(*, number: int, reason: str, on: date, actor: User) -> Reissued:
    """Void a check and issue another for the same DTR. Raises as `void_check` and `issue_checks`."""
    voided = void_check(number=number, reason=reason, on=on, actor=actor)
    lines = chosen(
        method=PayoutMethod.CHECK, on=on, week=None, numbers=[voided.item.dtr.number], whatever_method=True
    )
    (issued,) = _issue(lines, on=on, actor=actor, reissue_of=voided)
    return Reissued(voided=voided, issued=issued)


@money_transaction
def clear_check(*, number: int, on: date, actor: User) -> PayoutCheck:
    """Record that the bank paid a check. Raises UnknownCheck, CheckNotOut, ClearedTooEarly."""
    check = _held(number)
    if on < check.issued_on:
        raise ClearedTooEarly(number=number, issued_on=check.issued_on)
    check.state, check.cleared_on = PayoutCheck.State.CLEARED, on
    with translated():
        check.save(update_fields=["state", "cleared_on"])
    _tell(check, "cleared", actor, on=str(on))
    return check


@money_transaction
def open_checkbook(*, first_number: int, actor: User) -> Checkbook:
    """Start a new run of numbers, as of newly printed paper. Raises BadFirstNumber."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [locks.CHECKBOOK])
    former = Checkbook.objects.select_for_update().filter(is_current=True).first()
    highest = Checkbook.objects.aggregate(highest=models.Max("last_number"))["highest"] or 0
    if not highest < first_number <= LARGEST_NUMBER:
        raise BadFirstNumber(highest=highest, largest=LARGEST_NUMBER)
    with translated():
        if former is not None:
            former.is_current = False
            former.save(update_fields=["is_current"])
        book = Checkbook.objects.create(
            first_number=first_number, last_number=first_number - 1, opened_by=actor
        )
    audit.record(
        actor=actor, action="checkbook.opened", subject=f"checkbook:{book.pk}", after={"first": first_number}
    )
    return book


def stale(*, on: date) -> models.QuerySet[PayoutCheck]:
    """Checks that have been out for longer than a bank has to honour them."""
    last = date.fromordinal(on.toordinal() - settings.CHECK_STALE_DAYS)
    return PayoutCheck.objects.filter(state=PayoutCheck.State.ISSUED, issued_on__lte=last)


def _issue(
    lines: Sequence[PayLine], *, on: date, actor: User, reissue_of: PayoutCheck | None = None
) -> list[PayoutCheck]:
    with translated():
        items = PayoutItem.objects.bulk_create(
            PayoutItem(
                dtr_id=line.dtr_id, method=PayoutMethod.CHECK, amount=line.amount, payee=line.driver_name
            )
            for line in lines
        )
        # The database sets the book and the number of each.
        PayoutCheck.objects.bulk_create(
            PayoutCheck(
                item=item, payee=item.payee, amount=item.amount, issued_on=on, created_by=actor,
                reissue_of=reissue_of, checkbook_id=0, number=0,
            )
            for item in items
        )  # fmt: skip
    checks = list(PayoutCheck.objects.filter(item__in=items).select_related("item__dtr").order_by("number"))
    pay_dtrs(
        handovers=[Handover(check.item.dtr_id, str(check.number), check.item_id) for check in checks],
        on=on,
        method=PaymentMethod.CHECK,
        actor=actor,
    )
    for check in checks:
        _tell(check, "issued", actor, dtr=check.item.dtr.number, amount=str(check.amount))
    return checks


def _held(number: int) -> PayoutCheck:
    """The check, with its DTR's account held, if it is out."""
    account = DTR.objects.filter(payout_items__check_paper__number=number).values_list(
        "account_id", flat=True
    )
    lock_accounts(account)
    check = PayoutCheck.objects.select_related("item__dtr").filter(number=number).first()
    if check is None:
        raise UnknownCheck(number=number)
    if check.state != PayoutCheck.State.ISSUED:
        raise CheckNotOut(number=number, state=check.get_state_display().lower())
    return check


def _tell(check: PayoutCheck, what: str, actor: User, **after: str) -> None:
    audit.record(
        actor=actor,
        action=f"payout_check.{what}",
        subject=f"payout_check:{check.number}",
        after={"state": check.state, **after},
    )
