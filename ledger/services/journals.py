"""Manual journals: one person writes a journal, another approves it, and only then is it an entry.

What was entered is taken back by another journal, its mirror, approved in the same way.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from batconnect.common import audit
from batconnect.common.models import User
from batconnect.common.numbers import reserve_numbers
from batconnect.common.transactions import money_transaction

from ..models import EntryHeader, EntryLine, EntryReversal, ManualJournal, Origin
from ..selectors.journal import entry_numbered, lines_of, waiting_reversal
from .entries import Entered, NewEntry, enter
from .errors import AlreadyReversed, LedgerError
from .journal_lines import Line, checked_lines
from .months import check_open_for_journals
from .postings import DatedAhead
from .reasons import checked_reason

LONGEST_DESCRIPTION = 160
LONGEST_REFERENCE = 80
REACH = timedelta(days=7300)  # partitions are made within twenty years of today


class DescriptionMissing(LedgerError):
    code, status = "journal.description", 400
    message = "Say what the journal is for, in at most {longest} characters."


class ReferenceTooLong(LedgerError):
    code, status = "journal.reference", 400
    message = "A reference has at most {longest} characters."


class DatedTooFarBack(LedgerError):
    code, status = "journal.too_far_back", 400
    message = "{date} is more than twenty years ago; choose a later date."


class UnknownJournal(LedgerError):
    code, status = "journal.unknown", 404
    message = "There is no journal {number}."


class JournalDecided(LedgerError):
    code, status = "journal.decided", 409
    message = "{number} is no longer waiting: it is {status}."


class OwnJournal(LedgerError):
    code, status = "journal.own", 403
    message = "{number} is your own; somebody else has to decide on it."


class NotReversible(LedgerError):
    code, status = "journal.not_reversible", 409
    message = "{je_number} is no manual journal. {instead}"


class IsReversal(LedgerError):
    code, status = "journal.is_reversal", 409
    message = "{je_number} is itself a reversal, and reversals are not reversed. Enter the journal anew."


class ReversalWaiting(LedgerError):
    code, status = "journal.reversal_waiting", 409
    message = "The reversal of {je_number} is waiting for approval already: {number}."


class ReversedTooEarly(LedgerError):
    code, status = "journal.reversed_too_early", 400
    message = "{je_number} is dated {je_date}; its reversal cannot be dated before, on {date}."


# What takes an entry back that is no manual journal.
INSTEAD: Mapping[str, str] = {
    Origin.POSTING: "Void the posting instead.",
    Origin.TRIP: "Reverse the settlement of the lease's week instead; trips themselves are kept as they came.",
    Origin.DTR: "Record the payment of the DTR as returned instead.",
    Origin.LOAN: "Use the loan's own page instead.",
    Origin.DEPOSIT: "Use the deposit's own page instead.",
    Origin.TRANSFER: "Make the opposite transfer instead.",
    Origin.BATCH: "Reverse the batch instead.",
    Origin.RECON: "Undo it in the reconciliation instead.",
    Origin.HOUSE: "Take it back where it was entered instead.",
}

_ONE_REVERSAL_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('journal reversal ' || %s, 0))"


@money_transaction
def submit_journal(
    *,
    lines: Sequence[Mapping[str, Any]],
    description: str,
    actor: User,
    on: date,
    je_date: date | None = None,
    reference: str = "",
    metadata: Mapping[str, Any] | None = None,
) -> ManualJournal:
    """Write a journal, dated `je_date` or else `on`, for somebody else to approve.

    lines: as `journal_lines.examine` takes them. Raises the errors above and of `journal_lines`, DatedAhead,
    ClosedPeriod. Source: domain.md, double entry.
    """
    checked = check_journal(lines=lines, description=description, on=on, je_date=je_date, reference=reference)
    return _submitted(
        checked,
        je_date=je_date or on,
        description=_one_line(description),
        reference=reference.strip(),
        metadata=metadata,
        actor=actor,
        on=on,
    )


def check_journal(
    *,
    lines: Sequence[Mapping[str, Any]],
    description: str,
    on: date,
    je_date: date | None = None,
    reference: str = "",
) -> list[Line]:
    """Check a journal as `submit_journal` does, and return its lines; writes nothing."""
    checked = checked_lines(lines)
    _check_date(je_date or on, on)
    if not 0 < len(_one_line(description)) <= LONGEST_DESCRIPTION:
        raise DescriptionMissing(longest=LONGEST_DESCRIPTION)
    if len(reference.strip()) > LONGEST_REFERENCE:
        raise ReferenceTooLong(longest=LONGEST_REFERENCE)
    return checked


@money_transaction
def approve_journal(*, number: str, actor: User, note: str = "") -> ManualJournal:
    """Enter a waiting journal, approved by somebody other than its author.

    Its lines are checked anew: accounts and months may have changed since it was written. Raises UnknownJournal,
    JournalDecided, OwnJournal, what `submit_journal` raises of lines, and as `entries.enter`.
    """
    journal = _waiting(number, actor)
    entered = _enter(journal, checked_lines(journal.lines, takes_back=journal.reverses_id is not None))
    journal.status = ManualJournal.Status.POSTED
    journal.entry_id = entered.entry_id
    _decide(journal, actor=actor, note=note.strip()[:500], after={"je_number": entered.je_number})
    return journal


@money_transaction
def reject_journal(*, number: str, note: str, actor: User) -> ManualJournal:
    """Turn a waiting journal down, and say why. Raises UnknownJournal, JournalDecided, OwnJournal, ReasonLength."""
    note = checked_reason(note)
    journal = _waiting(number, actor)
    journal.status = ManualJournal.Status.REJECTED
    _decide(journal, actor=actor, note=note, after={"note": note})
    return journal


@money_transaction
def reverse_journal(
    *, je_number: str, reason: str, actor: User, on: date, je_date: date | None = None
) -> ManualJournal:
    """Write the mirror of a manual journal's entry, dated `je_date` or else `on`, for somebody else to approve.

    Raises UnknownJournal, NotReversible, IsReversal, AlreadyReversed, ReversalWaiting, ReversedTooEarly, and as
    `submit_journal`. Source: domain.md, double entry.
    """
    reason = checked_reason(reason)
    entry = entry_numbered(je_number)
    if entry is None:
        raise UnknownJournal(number=je_number)
    with connection.cursor() as cursor:
        cursor.execute(_ONE_REVERSAL_AT_A_TIME, [entry.pk])
    obstacle = obstacle_to_reversal(entry)
    if obstacle:
        raise obstacle
    day = je_date or on
    _check_date(day, on)
    if day < entry.je_date:
        raise ReversedTooEarly(je_number=je_number, je_date=entry.je_date, date=day)
    return _submitted(
        checked_lines(mirrored(entry), takes_back=True),
        je_date=day,
        description=f"Reversal of {je_number}: {entry.description}"[:LONGEST_DESCRIPTION],
        reason=reason,
        reverses_id=entry.pk,
        reverses_date=entry.je_date,
        actor=actor,
        on=on,
    )


def obstacle_to_reversal(entry: EntryHeader) -> LedgerError | None:
    """Why an entry cannot be reversed by a journal now; None when it can."""
    if entry.origin != Origin.MANUAL:
        return NotReversible(je_number=entry.je_number, instead=INSTEAD[entry.origin])
    if entry.reverses_id is not None:
        return IsReversal(je_number=entry.je_number)
    if EntryReversal.objects.filter(pk=entry.pk).exists():
        return AlreadyReversed()
    waiting = waiting_reversal(entry)
    return ReversalWaiting(je_number=entry.je_number, number=waiting.number) if waiting else None


def mirrored(entry: EntryHeader) -> list[dict[str, Any]]:
    """An entry's lines with their sides changed, as `journal_lines.examine` takes them."""
    other = {EntryLine.Side.DR: EntryLine.Side.CR, EntryLine.Side.CR: EntryLine.Side.DR}
    return [
        {
            "account": line.account.code,
            "side": other[EntryLine.Side(line.side)].value,
            "amount": line.amount,
            "fund": line.fund,
            "currency": line.currency_id,
        }
        for line in lines_of(entry)
    ]


def _submitted(
    lines: Sequence[Line], *, je_date: date, description: str, actor: User, on: date, **fields: Any
) -> ManualJournal:
    (number,) = reserve_numbers(prefix="MJ", year=on.year, count=1)
    journal = ManualJournal.objects.create(
        number=number,
        je_date=je_date,
        description=description,
        lines=[line.stored() for line in lines],
        created_by=actor,
        **fields,
    )
    audit.record(
        actor=actor,
        action="journal.submitted",
        subject=f"journal:{number}",
        after={
            "je_date": str(je_date),
            "description": description,
            "lines": journal.lines,
            **({"reverses": journal.reverses_id, "reason": journal.reason} if journal.reverses_id else {}),
        },
    )
    return journal


def _waiting(number: str, actor: User) -> ManualJournal:
    """The journal, locked, if it waits and this person may decide on it."""
    journal = (
        ManualJournal.objects.select_for_update(of=("self",))
        .select_related("created_by")
        .filter(number=number)
        .first()
    )
    if journal is None:
        raise UnknownJournal(number=number)
    if journal.status != ManualJournal.Status.SUBMITTED:
        raise JournalDecided(number=number, status=journal.get_status_display().lower())
    if journal.created_by_id == actor.pk:
        raise OwnJournal(number=number)
    return journal


def _enter(journal: ManualJournal, lines: Sequence[Line]) -> Entered:
    entry = NewEntry(
        je_date=journal.je_date,
        lines=[line.new() for line in lines],
        reference=journal.number,
        description=journal.description,
        metadata=journal.metadata,
        reverses_id=journal.reverses_id,
        reverses_date=journal.reverses_date,
    )
    # The entry is its author's; who approved it stands on the journal.
    return enter([entry], origin=Origin.MANUAL, actor_id=journal.created_by_id)[0]


def _decide(journal: ManualJournal, *, actor: User, note: str, after: Mapping[str, Any]) -> None:
    journal.decided_by = actor
    journal.decided_at = timezone.now()
    journal.decision_note = note
    journal.save(update_fields=["status", "entry_id", "decided_by", "decided_at", "decision_note"])
    audit.record(
        actor=actor,
        action="journal.approved" if journal.entry_id else "journal.rejected",
        subject=f"journal:{journal.number}",
        before={"status": ManualJournal.Status.SUBMITTED},
        after={"status": journal.status, **after},
    )


def _check_date(day: date, on: date) -> None:
    if day > on:
        raise DatedAhead(date=day, today=on)
    if on - day > REACH:
        raise DatedTooFarBack(date=day)
    check_open_for_journals(day)


def _one_line(text: str) -> str:
    return " ".join(text.split())
