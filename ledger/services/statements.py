"""DTRs: freezing them at the end of a lease's week, and recording how their net pay was handed over."""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from django.db import connection

from batconnect.common import audit
from batconnect.common.models import User
from batconnect.common.transactions import money_transaction

from ..models import DTR, DTRPayment, LedgerPosting, Origin, PaymentMethod
from .accounts import lock_accounts
from .entries import enter_event, open_day
from .errors import LedgerError, translated
from .payments import UnknownMethod

_SQL = Path(__file__).parent / "sql"
FREEZE_DTRS = (_SQL / "freeze_dtrs.sql").read_text()
_SETTLED_MONTHS = """
SELECT date_trunc('month', min(week))::date, date_trunc('month', max(week) + 6)::date
  FROM trip_total WHERE account_id = ANY(%s) AND settled_week = %s
"""


class NothingToPay(LedgerError):
    code, status = "dtr.nothing_to_pay", 409
    message = "{number} has no net pay to hand over."


class AlreadyPaid(LedgerError):
    code, status = "dtr.already_paid", 409
    message = "{number} was paid before."


class NotPaid(LedgerError):
    code, status = "dtr.not_paid", 409
    message = "{number} is not paid, so nothing can come back."


class PayoutWithdrawn(LedgerError):
    code, status = "dtr.payout_withdrawn", 409
    message = "The payout of {number} was voided; what is due is on the next DTR."


class PaidTooEarly(LedgerError):
    code, status = "dtr.too_early", 400
    message = "{number} is for the week through {saturday}; it cannot be paid on {on}."


def freeze_dtrs(*, numbers: Mapping[int, str], week: date, allocated: Mapping[int, Decimal]) -> None:
    """Freeze one DTR per account (`numbers` by account id) for a week that has just been settled.

    `allocated` is what the run put to each account's debts. The accounts' locks are held by the caller.
    """
    with translated(), connection.cursor() as cursor:
        cursor.execute(_SETTLED_MONTHS, [list(numbers), week])
        first_month, last_month = cursor.fetchone()
        cursor.execute(
            FREEZE_DTRS,
            {
                "week": week,
                "saturday": week + timedelta(days=6),
                "accounts": list(numbers),
                "numbers": list(numbers.values()),
                "allocated_accounts": list(allocated),
                "allocated_amounts": list(allocated.values()),
                "first_month": first_month or week,
                "last_month": last_month or week,
            },
        )


@money_transaction
def pay_dtr(*, dtr: DTR, on: date, method: str, actor: User, method_reference: str = "") -> DTRPayment:
    """Record that a DTR's net pay was handed over, whole. Raises the errors above."""
    if method not in PaymentMethod.values:
        raise UnknownMethod(method=method, choices=", ".join(PaymentMethod.values))
    dtr = _locked(dtr)
    if dtr.payout is None:
        raise NothingToPay(number=dtr.number)
    if dtr.status == DTR.Status.PAID:
        raise AlreadyPaid(number=dtr.number)
    if dtr.payout.status == LedgerPosting.Status.VOIDED:
        raise PayoutWithdrawn(number=dtr.number)
    saturday = dtr.week + timedelta(days=6)
    if on <= saturday:
        raise PaidTooEarly(number=dtr.number, saturday=saturday, on=on)
    return _record(
        dtr,
        DTRPayment.Kind.PAID,
        on=on,
        actor=actor,
        channel=method,
        method=method,
        method_reference=method_reference,
    )


@money_transaction
def return_payment(*, dtr: DTR, on: date, reason: str, actor: User) -> DTRPayment:
    """Record that a DTR's payment came back (a failed ACH): its net pay is owed again. Raises NotPaid."""
    dtr = _locked(dtr)
    if dtr.status != DTR.Status.PAID:
        raise NotPaid(number=dtr.number)
    paid_by = DTRPayment.objects.filter(dtr=dtr, kind=DTRPayment.Kind.PAID).latest("id").method
    return _record(dtr, DTRPayment.Kind.RETURNED, on=on, actor=actor, channel=paid_by, reason=reason)


def _locked(dtr: DTR) -> DTR:
    lock_accounts([dtr.account_id])
    return DTR.objects.select_related("payout").get(pk=dtr.pk)


def _record(
    dtr: DTR, kind: DTRPayment.Kind, *, on: date, actor: User, channel: str, **how: str
) -> DTRPayment:
    """Cash goes out of the drawer, and comes back into it; anything else moves the bank."""
    with translated():
        payment = DTRPayment.objects.create(
            dtr=dtr, kind=kind, amount=dtr.net_pay, on=on, created_by=actor, **how
        )
    # A closed day gets the first open one, and keeps its own as the day it happened.
    day = open_day(on)
    enter_event(
        f"DTR_{kind}",
        amount=dtr.net_pay,
        on=day,
        event_on=on,
        origin=Origin.DTR,
        actor_id=actor.pk,
        channel=channel,
        reference=dtr.number,
    )
    audit.record(
        actor=actor,
        action=f"dtr.{kind.lower()}",
        subject=f"dtr:{dtr.number}",
        before={"status": dtr.status},
        after={"amount": str(dtr.net_pay), "on": str(on), **how},
    )
    return payment
