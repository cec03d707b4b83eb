"""The file of an ACH batch: described once, made as often as it is asked for, byte for byte the same.

It has account numbers in clear, so it is kept nowhere: what it is made of is kept with the batch, and the hash of its
first making is compared with every later one.
"""

import hashlib
import string
from dataclasses import asdict
from datetime import date, datetime

from django.conf import settings
from django.db import connection
from django.utils import timezone

from batconnect.common import audit, locks
from batconnect.common.models import User
from batconnect.common.transactions import money_transaction
from ledger.engine.nacha import CreditEntry, Originator, routing_checksum_holds, write_credits

from ...models import PayoutBatch, PayoutInstruction, PayoutItem
from ..errors import LedgerError, translated
from .ach_batches import State, UnknownBatch, WrongState, locked
from .bank_details import opened
from .banking_days import next_banking_day

MODIFIERS = string.ascii_uppercase + string.digits
_TRACES = """
UPDATE payout_item SET trace_number = %s || lpad((trace_sequence %% 10000000)::text, 7, '0')
 WHERE batch_id = %s AND state = 'PENDING'
"""


class OriginatorMissing(LedgerError):
    code, status = "ach.originator", 409
    message = "The setting {setting} is {wrong}; ask the administrator to set it as the bank assigned it."


class DetailsNotInForce(LedgerError):
    code, status = "payout_batch.details", 409
    message = (
        "The bank details of {numbers} are blocked or were replaced since batch {number} was prepared. "
        "Reverse the batch and prepare a new one."
    )


class TooManyFiles(LedgerError):
    code, status = "payout_batch.files", 409
    message = (
        "Files of one day are told apart by one letter or digit, and all of {on} are used; make it tomorrow."
    )


class FileDiffers(LedgerError):
    code, status = "payout_batch.file_differs", 409
    message = "The file of batch {number} does not come out as it did first. Do not send it; tell the administrator."


@money_transaction
def make_file(*, number: str, on: date, actor: User, originator: Originator | None = None) -> PayoutBatch:
    """Make an approved batch's file for the first time: its day, effective day, letter and traces are fixed now.

    Who pays is what the settings say, unless `originator` is given.
    Raises UnknownBatch, WrongState, OriginatorMissing, DetailsNotInForce, TooManyFiles, CannotOpen.
    """
    originator = originator or checked_originator()
    batch = locked(number, State.APPROVED)
    _check_details(batch)
    batch.originator = asdict(originator)
    batch.file_made_at = timezone.now()
    batch.file_on, batch.effective_on = on, next_banking_day(on)
    batch.file_modifier = _next_modifier(on)
    batch.state = State.FILED
    with translated(), connection.cursor() as cursor:
        batch.save(
            update_fields=["state", "originator", "file_made_at", "file_on", "effective_on", "file_modifier"]
        )
        cursor.execute(_TRACES, [originator.odfi[:8], batch.pk])
        batch.file_sha256 = hashlib.sha256(_write(batch)).hexdigest()
        batch.save(update_fields=["file_sha256"])
    _tell(batch, "file_made", actor)
    return batch


@money_transaction
def file_of(*, number: str, actor: User) -> bytes:
    """The file again, for a person: the audit trail says who took it. Raises UnknownBatch, WrongState, FileDiffers."""
    batch = PayoutBatch.objects.filter(number=number).first()
    if batch is None:
        raise UnknownBatch(number=number)
    if batch.state not in (State.FILED, State.SENT, State.SETTLED):
        raise WrongState(
            number=number,
            state=batch.get_state_display().lower(),
            needed="made into a file, and not reversed",
        )
    content = _write(batch)
    if hashlib.sha256(content).hexdigest() != batch.file_sha256:
        raise FileDiffers(number=number)
    _tell(batch, "file_taken", actor)
    return content


def file_name(batch: PayoutBatch) -> str:
    return f"ach-{batch.number}.txt"


def checked_originator() -> Originator:
    """Who pays, from the settings. Raises OriginatorMissing."""
    given: dict[str, str] = settings.ACH_ORIGINATOR
    for name, value in given.items():
        widest = {"destination": 9, "odfi": 9, "origin": 10, "company_id": 10, "description": 10}.get(
            name, 23
        )
        wrong = ""
        if not value.strip():
            wrong = "not set"
        elif len(value) > widest or not value.isascii():
            wrong = f"longer than {widest} plain characters"
        elif name in ("destination", "odfi") and not routing_checksum_holds(value):
            wrong = "no routing number"
        if wrong:
            raise OriginatorMissing(setting=f"ACH_{name.upper()}", wrong=wrong)
    return Originator(**given)


def _check_details(batch: PayoutBatch) -> None:
    wrong = batch.items.filter(state=PayoutItem.State.PENDING).exclude(
        instruction__state=PayoutInstruction.State.ACTIVE
    )
    numbers = list(wrong.order_by("dtr__number").values_list("dtr__number", flat=True)[:5])
    if numbers:
        raise DetailsNotInForce(number=batch.number, numbers=", ".join(numbers))


def _next_modifier(on: date) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [locks.PAYOUT_FILE])
    used = PayoutBatch.objects.filter(file_on=on).count()
    if used >= len(MODIFIERS):
        raise TooManyFiles(on=on)
    return MODIFIERS[used]


def _write(batch: PayoutBatch) -> bytes:
    items = (
        batch.items.exclude(state=PayoutItem.State.WITHDRAWN)
        .select_related("instruction", "dtr")
        .defer("dtr__figures", "dtr__charges", "dtr__trip_log", "dtr__still_open")
        .order_by("trace_sequence")
    )
    assert batch.file_made_at and batch.effective_on and batch.originator, "a file is made of what is kept"
    return write_credits(
        originator=Originator(**batch.originator),
        entries=[_entry(item) for item in items],
        made_at=_local(batch.file_made_at),
        modifier=batch.file_modifier,
        effective_on=batch.effective_on,
    )


def _entry(item: PayoutItem) -> CreditEntry:
    assert item.instruction and item.trace_number, "a filed transfer has its details and its trace"
    account = opened(item.instruction)
    return CreditEntry(
        routing_number=account.routing_number,
        account_number=account.account_number,
        account_type=account.account_type,
        amount=item.amount,
        identification=item.dtr.number,
        name=item.payee,
        trace_number=item.trace_number,
    )


def _local(moment: datetime) -> datetime:
    return timezone.localtime(moment)


def _tell(batch: PayoutBatch, what: str, actor: User) -> None:
    audit.record(
        actor=actor,
        action=f"payout_batch.{what}",
        subject=f"payout_batch:{batch.number}",
        after={"state": batch.state, "sha256": batch.file_sha256, "effective_on": str(batch.effective_on)},
    )
