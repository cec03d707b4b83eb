"""What the bank sends back: a file of returns and notifications of change, or a single return by hand.

Every line of a file that is taken in is kept. What fits a paid transfer of ours is applied: the payment is returned,
the DTR is owed again, and bank details are blocked where the code says that nothing reaches them. The rest waits for a
person.
"""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from batconnect.common import audit, locks
from batconnect.common.models import User
from batconnect.common.transactions import money_transaction
from ledger.engine.nacha_returns import (
    BLOCKING_CODES,
    LARGEST_FILE,
    MEANINGS,
    ORDINARY_RETURNS,
    ReturnedEntry,
    read_returns,
)

from ...models import DTR, PayoutItem, PayoutMethod, PayoutReturn, ReturnFile
from ..accounts import lock_accounts
from ..errors import LedgerError, translated
from ..reasons import checked_reason
from ..statements import return_payment
from . import bank_details
from .sealing import seal

Kind, State = PayoutReturn.Kind, PayoutReturn.State


class UnreadableReturns(LedgerError):
    code, status = "payout_returns.unreadable", 400
    message = "This file cannot be read: {faults}. Nothing of it was taken in."


class ReturnsTooLarge(LedgerError):
    code, status = "payout_returns.too_large", 400
    message = "A file of returns has at most {most} bytes."


class FileTakenBefore(LedgerError):
    code, status = "payout_returns.taken_before", 409
    message = "This file was taken in before, on {on}, as {name}."


class UnknownCode(LedgerError):
    code, status = "payout_returns.code", 400
    message = "{given} is no return code of a credit; they run from R01 to R34."


class NotReturnable(LedgerError):
    code, status = "payout_returns.not_returnable", 409
    message = "This return cannot be applied: {problem}."


class UnknownReturn(LedgerError):
    code, status = "payout_returns.unknown", 404
    message = "There is no such return waiting for a person."


@dataclass(frozen=True)
class Expected:
    """One line of a file, and what taking it in would do; `problem` says why a person is needed."""

    entry: ReturnedEntry
    item: PayoutItem | None
    problem: str
    blocks: bool


def preview(*, content: bytes) -> list[Expected]:
    """What taking a file in would do; writes nothing. Raises UnreadableReturns, FileTakenBefore."""
    _check_new(content)
    entries = _read(content)
    items = _items_of(entries)
    return [_expected(entry, items.get(entry.trace_number)) for entry in entries]


@money_transaction
def take_in(*, content: bytes, file_name: str, actor: User, on: date) -> ReturnFile:
    """Take a file of returns in, dated `on`: all of its lines are kept, what fits is applied, all at once.

    Raises UnreadableReturns, ReturnsTooLarge, FileTakenBefore.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [locks.PAYOUT_RETURNS])
    digest = _check_new(content)
    entries = _read(content)
    lock_accounts({item.dtr.account_id for item in _items_of(entries).values()})
    items = _items_of(entries)  # as they are now that nobody else moves them
    file = ReturnFile.objects.create(
        file_name=file_name[:200], sha256=digest, entries=len(entries), created_by=actor
    )
    outcomes = [_take_in(entry, items, file, actor, on) for entry in entries]
    audit.record(
        actor=actor,
        action="payout_returns.taken_in",
        subject=f"payout_return_file:{file.pk}",
        after={
            "lines": len(entries),
            "applied": sum(row.state == State.APPLIED for row in outcomes),
            "for_a_person": sum(row.state == State.OPEN for row in outcomes),
        },
    )
    return file


@money_transaction
def record_return(*, dtr: DTR, code: str, on: date, actor: User) -> PayoutReturn:
    """Record by hand that one transfer came back. Raises UnknownCode, NotReturnable and as `return_payment`."""
    if code not in ORDINARY_RETURNS:
        raise UnknownCode(given=code[:8])
    lock_accounts([dtr.account_id])
    item = _with_dtr().filter(dtr=dtr, method=PayoutMethod.ACH).order_by("-pk").first()
    problem = _problem_of(code, item, None)
    if item is None or problem:
        raise NotReturnable(problem=problem)
    row = PayoutReturn(
        key=uuid.uuid4(), kind=Kind.RETURN, code=code, trace_number=item.trace_number or "", amount=item.amount,
        item=item, state=State.APPLIED, created_by=actor,
    )  # fmt: skip
    row.blocked = _apply(code, item, actor, on)
    row.save(force_insert=True)
    return row


@money_transaction
def apply_open(*, return_id: int, actor: User, on: date) -> PayoutReturn:
    """Try a return that waited for a person again, now that the batch is marked as sent, say.

    Raises UnknownReturn, NotReturnable.
    """
    row = _open(return_id)
    found = _with_dtr().filter(trace_number=row.trace_number).first()
    if found is not None:
        lock_accounts([found.dtr.account_id])
    item = _with_dtr().filter(trace_number=row.trace_number).first()
    problem = "a notification of change is for a person" if row.kind == Kind.CHANGE else ""
    problem = problem or _problem_of(row.code, item, row.amount)
    if item is None or problem:
        raise NotReturnable(problem=problem)
    row.blocked = _apply(row.code, item, actor, on)
    row.item, row.state, row.problem = item, State.APPLIED, ""
    row.handled_by, row.handled_at = actor, timezone.now()
    with translated():
        row.save(update_fields=["blocked", "item", "state", "problem", "handled_by", "handled_at"])
    return row


@money_transaction
def handle(*, return_id: int, note: str, actor: User) -> PayoutReturn:
    """Say what was done about a line that waited for a person; no money moves. Raises UnknownReturn, ReasonLength."""
    note = checked_reason(note)
    row = _open(return_id)
    row.state, row.handled_by, row.handled_at, row.handled_note = State.HANDLED, actor, timezone.now(), note
    with translated():
        row.save(update_fields=["state", "handled_by", "handled_at", "handled_note"])
    audit.record(
        actor=actor, action="payout_return.handled", subject=f"payout_return:{row.pk}", after={"note": note}
    )
    return row


def _open(return_id: int) -> PayoutReturn:
    row = PayoutReturn.objects.select_for_update(of=("self",)).filter(pk=return_id, state=State.OPEN).first()
    if row is None:
        raise UnknownReturn
    return row


def _read(content: bytes) -> list[ReturnedEntry]:
    if len(content) > LARGEST_FILE:
        raise ReturnsTooLarge(most=LARGEST_FILE)
    entries, faults = read_returns(content)
    if faults:
        raise UnreadableReturns(faults="; ".join(str(fault) for fault in faults[:3]))
    return entries


def _check_new(content: bytes) -> str:
    digest = hashlib.sha256(content).hexdigest()
    known = ReturnFile.objects.filter(sha256=digest).first()
    if known is not None:
        raise FileTakenBefore(on=timezone.localtime(known.created_at).date(), name=known.file_name)
    return digest


def _with_dtr() -> QuerySet[PayoutItem]:
    return PayoutItem.objects.select_related("dtr__driver", "instruction", "batch").defer(
        "dtr__figures", "dtr__charges", "dtr__trip_log", "dtr__still_open"
    )


def _items_of(entries: Sequence[ReturnedEntry]) -> dict[str, PayoutItem]:
    traces = [entry.trace_number for entry in entries]
    return {str(item.trace_number): item for item in _with_dtr().filter(trace_number__in=traces)}


def _expected(entry: ReturnedEntry, item: PayoutItem | None) -> Expected:
    if entry.is_change:
        return Expected(entry, item, "the bank asks for other details: have them entered and approved", False)
    problem = _problem_of(entry.code, item, entry.amount)
    return Expected(entry, item, problem, not problem and entry.code in BLOCKING_CODES)


def _problem_of(code: str, item: PayoutItem | None, amount: Decimal | None) -> str:
    """Why a return cannot be applied by itself; empty when it can."""
    if code not in ORDINARY_RETURNS:
        return f"{code} is no ordinary return of a credit"
    if item is None:
        return "no transfer of ours has this trace number"
    if amount is not None and amount != item.amount:
        return f"it returns {amount}, and {item.amount} was paid"
    if item.state == PayoutItem.State.PENDING:
        return f"batch {item.batch} is not marked as sent yet"
    if item.state == PayoutItem.State.WITHDRAWN:
        return f"batch {item.batch} was reversed, and not to be sent"
    if item.returns.filter(kind=Kind.RETURN, state=State.APPLIED).exists():
        return "this transfer came back before"
    return ""


def _take_in(
    entry: ReturnedEntry, items: Mapping[str, PayoutItem], file: ReturnFile, actor: User, on: date
) -> PayoutReturn:
    item = items.get(entry.trace_number)
    expected = _expected(entry, item)
    row = PayoutReturn(
        key=uuid.uuid4(), file=file, line_number=entry.line_number,
        kind=Kind.CHANGE if entry.is_change else Kind.RETURN, code=entry.code, trace_number=entry.trace_number,
        amount=entry.amount, item=item, state=State.OPEN, problem=expected.problem[:300], created_by=actor,
    )  # fmt: skip
    if entry.is_change and entry.information:
        row.sealed = seal(entry.information, about=bank_details.about_return(row))
    if item is not None and not expected.problem:
        row.state = State.APPLIED
        row.blocked = _apply(entry.code, item, actor, on)
    row.save(force_insert=True)
    return row


def _apply(code: str, item: PayoutItem, actor: User, on: date) -> bool:
    """Return the payment, unless that was recorded before without its code; whether bank details were blocked."""
    meaning = f"{code}: {MEANINGS[code]}"
    item.refresh_from_db(fields=["state"])
    if item.state == PayoutItem.State.PAID:
        return_payment(dtr=item.dtr, on=on, reason=f"{meaning} (trace {item.trace_number})", actor=actor)
    if code not in BLOCKING_CODES or item.instruction is None:
        return False
    return bank_details.block(item.instruction, why=meaning, actor=actor)
