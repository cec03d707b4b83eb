"""DTRs: freezing them at the end of a lease's week, and recording how their net pay was handed over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from django.db import connection

from batconnect.common import audit
from batconnect.common.models import User
from batconnect.common.transactions import money_transaction

from ..models import DTR, DTRPayment, LedgerPosting, Origin, PaymentMethod, PayoutHold, PayoutItem
from .accounts import lock_accounts
from .entries import enter_events, open_day
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


class PayoutReopened(LedgerError):
    code, status = "dtr.payout_reopened", 409
    message = (
        "The earnings that {number} pays out were taken back, so {open} of its payout is owed by the driver. Void the "
        "payout; what is due is on the next DTR."
    )


class PaidTooEarly(LedgerError):
    code, status = "dtr.too_early", 400
    message = "{number} is for the week through {saturday}; it cannot be paid on {on}."


class PaidAnotherWay(LedgerError):
    code, status = "dtr.on_its_way", 409
    message = (
        "{number} is in a batch that is not sent yet. Take it out of there, or reverse the batch, first."
    )


class HeldBack(LedgerError):
    code, status = "dtr.held_back", 409
    message = "{number} is held back. Release it first; its page says why it is."


@dataclass(frozen=True)
class Handover:
    """One DTR to record as paid: the check's number or the like, and the item it is paid by, if there is one."""

    dtr_id: int
    method_reference: str = ""
    item_id: int | None = None


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
def pay_dtr(
    *,
    dtr: DTR,
    on: date,
    method: str,
    actor: User,
    method_reference: str = "",
    item: PayoutItem | None = None,
) -> DTRPayment:
    """Record that a DTR's net pay was handed over, whole. Raises the errors above."""
    handed = Handover(dtr.pk, method_reference, item.pk if item else None)
    return pay_dtrs(handovers=[handed], on=on, method=method, actor=actor)[0]


@money_transaction
def pay_dtrs(*, handovers: Sequence[Handover], on: date, method: str, actor: User) -> list[DTRPayment]:
    """Record that the net pay of these DTRs was handed over, each whole; all or none. Raises the errors above."""
    if method not in PaymentMethod.values:
        raise UnknownMethod(method=method, choices=", ".join(PaymentMethod.values))
    if not handovers:
        return []
    found = _locked([handover.dtr_id for handover in handovers])
    coming = dict(PayoutItem.objects.filter(dtr__in=found, state="PENDING").values_list("dtr_id", "pk"))
    held = set(PayoutHold.objects.filter(dtr__in=found, released_at=None).values_list("dtr_id", flat=True))
    for handover in handovers:
        dtr = found[handover.dtr_id]
        _check_payable(dtr, on)
        if handover.item_id != coming.get(dtr.pk):
            raise PaidAnotherWay(number=dtr.number)
        if dtr.pk in held:
            raise HeldBack(number=dtr.number)
    rows = [
        DTRPayment(
            dtr=found[handover.dtr_id],
            kind=DTRPayment.Kind.PAID,
            amount=found[handover.dtr_id].net_pay,
            on=on,
            method=method,
            method_reference=handover.method_reference,
            item_id=handover.item_id,
            created_by=actor,
        )
        for handover in handovers
    ]
    return _record(rows, channels=[method] * len(rows), actor=actor)


@money_transaction
def return_payment(*, dtr: DTR, on: date, reason: str, actor: User) -> DTRPayment:
    """Record that a DTR's payment came back (a failed ACH, a void check): its net pay is owed again. Raises NotPaid.

    It goes back where it came from: to the bank, or what its method books to.
    """
    dtr = _locked([dtr.pk])[dtr.pk]
    if dtr.status != DTR.Status.PAID:
        raise NotPaid(number=dtr.number)
    paid = dtr.payments.order_by("-pk").first()
    assert paid is not None, "a paid DTR has a payment"
    back = DTRPayment(
        dtr=dtr,
        kind=DTRPayment.Kind.RETURNED,
        amount=dtr.net_pay,
        on=on,
        reason=reason,
        item_id=paid.item_id,
        created_by=actor,
    )
    return _record([back], channels=[paid.method], actor=actor)[0]


def _locked(dtr_ids: Sequence[int]) -> dict[int, DTR]:
    """These DTRs by id, their accounts held; without what was frozen on them, which is large."""
    lock_accounts(DTR.objects.filter(pk__in=dtr_ids).values_list("account_id", flat=True))
    rows = DTR.objects.select_related("payout__open_item").defer(
        "figures", "charges", "trip_log", "still_open"
    )
    return rows.in_bulk(dtr_ids)


def _check_payable(dtr: DTR, on: date) -> None:
    if dtr.payout is None:
        raise NothingToPay(number=dtr.number)
    if dtr.status == DTR.Status.PAID:
        raise AlreadyPaid(number=dtr.number)
    if dtr.payout.status == LedgerPosting.Status.VOIDED:
        raise PayoutWithdrawn(number=dtr.number)
    if dtr.payout.open_item.balance:
        raise PayoutReopened(number=dtr.number, open=dtr.payout.open_item.balance)
    saturday = dtr.week + timedelta(days=6)
    if on <= saturday:
        raise PaidTooEarly(number=dtr.number, saturday=saturday, on=on)


def _record(rows: Sequence[DTRPayment], *, channels: Sequence[str], actor: User) -> list[DTRPayment]:
    """Insert payments of one kind and day, each with its entry and its line in the audit trail."""
    kind, on = rows[0].kind, rows[0].on
    # A closed day gets the first open one, and keeps its own as the day it happened.
    entered = enter_events(
        f"DTR_{kind}",
        amounts=[row.amount for row in rows],
        references=[row.dtr.number for row in rows],
        channels=channels,
        on=open_day(on),
        event_on=on,
        origin=Origin.DTR,
        actor_id=actor.pk,
    )
    for row, entry in zip(rows, entered, strict=True):
        row.entry_id, row.entry_date = entry.entry_id, entry.je_date
    with translated():
        made = DTRPayment.objects.bulk_create(rows)
    audit.record_all(
        actor=actor,
        action=f"dtr.{kind.lower()}",
        entries=[
            (
                f"dtr:{row.dtr.number}",
                {"status": row.dtr.status},
                {"amount": str(row.amount), "on": str(on), **_how(row)},
            )
            for row in made
        ],
    )
    return made


def _how(row: DTRPayment) -> dict[str, str]:
    if row.kind == DTRPayment.Kind.RETURNED:
        return {"reason": row.reason}
    return {"method": row.method, "method_reference": row.method_reference}
