"""ACH batches: drafted, approved by somebody else, made into a file, sent, settled; reversed as a whole until sent.

Money is booked when the batch is sent: until then none has left the house, and from the draft on the database lets the
batch's DTRs be paid by nothing else. Locks: the batch, then the accounts of its DTRs, all at once.
"""

from collections.abc import Sequence
from datetime import date

from django.utils import timezone

from batconnect.common import audit
from batconnect.common.models import User
from batconnect.common.numbers import reserve_values
from batconnect.common.transactions import money_transaction

from ...models import PaymentMethod, PayoutBatch, PayoutItem, PayoutMethod
from ..errors import LedgerError, translated
from ..reasons import checked_reason
from ..statements import Handover, pay_dtrs
from .choosing import chosen

State = PayoutBatch.State


class UnknownBatch(LedgerError):
    code, status = "payout_batch.unknown", 404
    message = "There is no batch {number}."


class WrongState(LedgerError):
    code, status = "payout_batch.state", 409
    message = "Batch {number} is {state}; this needs one that is {needed}."


class OwnBatch(LedgerError):
    code, status = "payout_batch.own", 403
    message = "You prepared batch {number}; somebody else has to approve it."


class NotInBatch(LedgerError):
    code, status = "payout_batch.not_in_it", 404
    message = "{dtr} is not in batch {number}, or was taken out before."


class SentOnWrongDay(LedgerError):
    code, status = "payout_batch.sent_on", 400
    message = (
        "The file of batch {number} was made on {file_on} and is effective {effective_on}; it is sent between these "
        "days. Reverse the batch and prepare a new one if it was not."
    )


class SettledTooEarly(LedgerError):
    code, status = "payout_batch.settled_on", 400
    message = "Batch {number} was sent on {sent_on}; it is not settled before."


@money_transaction
def create_batch(
    *, actor: User, on: date, week: date | None = None, numbers: Sequence[str] | None = None
) -> PayoutBatch:
    """Draft a batch of what is free to be paid by ACH: of a week, of all weeks, or these DTRs.

    Raises NothingToPayNow, NotPayable, PaidTooEarly.
    """
    lines = chosen(method=PayoutMethod.ACH, on=on, week=week, numbers=numbers)
    (counted,) = reserve_values(prefix=f"ACH{on:%y%m}", year=on.year, count=1)
    traces = reserve_values(prefix="ACHTRACE", year=0, count=len(lines))
    with translated():
        batch = PayoutBatch.objects.create(number=f"{on:%y%m}-{counted:03}", created_by=actor)
        PayoutItem.objects.bulk_create(
            PayoutItem(
                dtr_id=line.dtr_id,
                method=PayoutMethod.ACH,
                amount=line.amount,
                batch=batch,
                instruction_id=line.instruction_id,
                payee=line.driver_name,
                trace_sequence=trace,
            )
            for line, trace in zip(lines, traces, strict=True)
        )
    total = sum(line.amount for line in lines)
    _tell(batch, "prepared", actor, payments=len(lines), total=str(total))
    return batch


@money_transaction
def withdraw(*, number: str, dtr: str, reason: str, actor: User) -> PayoutItem:
    """Take one DTR out of a draft. Raises UnknownBatch, WrongState, NotInBatch, ReasonLength."""
    reason = checked_reason(reason)
    batch = locked(number, State.DRAFT)
    item = batch.items.filter(dtr__number=dtr, state=PayoutItem.State.PENDING).first()
    if item is None:
        raise NotInBatch(number=number, dtr=dtr)
    item.withdrawn_by, item.withdrawn_at, item.withdrawn_reason = actor, timezone.now(), reason
    with translated():
        item.save(update_fields=["withdrawn_by", "withdrawn_at", "withdrawn_reason"])
    _tell(batch, "taken_out", actor, dtr=dtr, reason=reason)
    return item


@money_transaction
def approve_batch(*, number: str, actor: User) -> PayoutBatch:
    """Approve a draft that somebody else prepared, with something in it.

    Raises UnknownBatch, WrongState, OwnBatch, Refused.
    """
    batch = locked(number, State.DRAFT)
    if batch.created_by_id == actor.pk:
        raise OwnBatch(number=number)
    batch.state, batch.approved_by, batch.approved_at = State.APPROVED, actor, timezone.now()
    with translated():
        batch.save(update_fields=["state", "approved_by", "approved_at"])
    batch.refresh_from_db()
    _tell(batch, "approved", actor, payments=batch.payments, total=str(batch.total))
    return batch


@money_transaction
def mark_sent(*, number: str, on: date, actor: User) -> PayoutBatch:
    """Record that the file went to the bank, and every DTR in it as paid on that day; all or none.

    Raises UnknownBatch, WrongState, SentOnWrongDay and as `pay_dtrs`.
    """
    batch = locked(number, State.FILED)
    assert batch.file_on and batch.effective_on, "a filed batch has the days of its file"
    if not batch.file_on <= on <= batch.effective_on:
        raise SentOnWrongDay(number=number, file_on=batch.file_on, effective_on=batch.effective_on)
    items = batch.items.filter(state=PayoutItem.State.PENDING).order_by("pk")
    pay_dtrs(
        handovers=[Handover(item.dtr_id, f"batch {number}", item.pk) for item in items],
        on=on,
        method=PaymentMethod.ACH,
        actor=actor,
    )
    batch.state, batch.sent_on = State.SENT, on
    with translated():
        batch.save(update_fields=["state", "sent_on"])
    _tell(batch, "sent", actor, on=str(on), payments=batch.payments, total=str(batch.total))
    return batch


@money_transaction
def mark_settled(*, number: str, on: date, actor: User) -> PayoutBatch:
    """Record that the bank took the money. Raises UnknownBatch, WrongState, SettledTooEarly."""
    batch = locked(number, State.SENT)
    assert batch.sent_on, "a sent batch has its day"
    if on < batch.sent_on:
        raise SettledTooEarly(number=number, sent_on=batch.sent_on)
    batch.state, batch.settled_on = State.SETTLED, on
    with translated():
        batch.save(update_fields=["state", "settled_on"])
    _tell(batch, "settled", actor, on=str(on))
    return batch


@money_transaction
def reverse_batch(*, number: str, reason: str, actor: User) -> PayoutBatch:
    """Take a batch back as a whole, before it is sent: its DTRs are free to be paid again. Nothing was booked.

    Raises UnknownBatch, WrongState, ReasonLength.
    """
    reason = checked_reason(reason)
    batch = locked(number, State.DRAFT, State.APPROVED, State.FILED)
    before = batch.state
    batch.state, batch.reversed_by, batch.reversed_at = State.REVERSED, actor, timezone.now()
    batch.reverse_reason = reason
    with translated():
        batch.save(update_fields=["state", "reversed_by", "reversed_at", "reverse_reason"])
    _tell(batch, "reversed", actor, was=before, reason=reason)
    return batch


def locked(number: str, *needed: State) -> PayoutBatch:
    """The batch, held, in one of these states. Raises UnknownBatch, WrongState."""
    batch = PayoutBatch.objects.select_for_update(of=("self",)).filter(number=number).first()
    if batch is None:
        raise UnknownBatch(number=number)
    if batch.state not in needed:
        labels = " or ".join(State(state).label.lower() for state in needed)
        raise WrongState(number=number, state=batch.get_state_display().lower(), needed=labels)
    return batch


def _tell(batch: PayoutBatch, what: str, actor: User, **after: object) -> None:
    audit.record(
        actor=actor,
        action=f"payout_batch.{what}",
        subject=f"payout_batch:{batch.number}",
        after={"state": batch.state, **after},
    )
