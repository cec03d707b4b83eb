"""Parked rows: correcting them, submitting them again, dismissing them.

A corrected row goes the very way a row of a file goes (`trip_loading.py`), and is judged as strictly. What it
lacked may also have been entered since: then it is submitted as it is.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl
from django.utils import timezone

from batconnect.common import audit
from batconnect.common.errors import BatConnectError, ConflictingState
from batconnect.common.models import User
from batconnect.common.transactions import money_transaction
from ledger.engine.data_loader import CONTROL_CHARACTERS, ROW_NUMBER, shown
from ledger.engine.trips import COLUMNS, LONGEST_ROWID, RAW
from ledger.models import ParkedRow

from .trip_loading import Outcome, RejectedRow, TripImport, TripLoad

SHORTEST_NOTE = 10
LONGEST_NOTE = 500
LONGEST_VALUE = 200
FILE_NAME = "corrected rows"

_ALREADY_LOADED = (
    "A trip with this ROWID and these very figures is loaded already; loading it again would count it twice. "
    "Dismiss this row."
)


class UnknownParkedRow(BatConnectError):
    code, status = "parked_row.unknown", 404
    message = "There is no parked row {ids}."


class AlreadyDecided(ConflictingState):
    code = "parked_row.decided"
    message = "Row {row_number} ({rowid}) is no longer waiting: it is {status}."


class BadCorrection(BatConnectError):
    code, status = "parked_row.bad_correction", 400
    message = "Row {row_number}, column {column}: {problem}."


class NoteTooShort(BatConnectError):
    code, status = "parked_row.note_length", 400
    message = "Say why the row is dismissed, in {shortest} to {longest} characters."


@dataclass(frozen=True)
class Correction:
    """What became of submitted rows, by the id of the parked row.

    `resolved`: the transaction each was loaded as; `still_parked`: what is wrong now with each of the others.
    """

    load: TripImport
    resolved: Mapping[int, int]
    still_parked: Mapping[int, RejectedRow]


@money_transaction
def correct_parked_rows(*, corrections: Mapping[int, Mapping[str, str]], actor: User) -> Correction:
    """Submit parked rows again, each with the columns that were corrected (none: as it came).

    A row that passes is RESOLVED and its trip loaded; one that does not stays PARKED with the reason as it is
    now. Raises UnknownParkedRow, AlreadyDecided, BadCorrection; then nothing is done.
    """
    # The load's lock comes first, as it does for a file: two takers in different orders would deadlock.
    load = TripLoad(file_name=FILE_NAME, actor=actor)
    rows = _waiting_rows(list(corrections))
    texts = {row.pk: _corrected(row, corrections[row.pk]) for row in rows}
    numbers = {row.pk: row.row_number for row in rows}
    raw = pl.DataFrame([{ROW_NUMBER: pk, **text} for pk, text in texts.items()], schema=RAW)
    # Row numbers of several files may be the same, so inside the load a row goes by its parked id.
    parked = raw.select(ROW_NUMBER, pl.col(ROW_NUMBER).alias("parked_id"), waiting=pl.lit(True))
    outcome = load.take(raw, parked=parked, row_numbers=numbers)
    digest = hashlib.sha256(repr(sorted(texts.items())).encode()).hexdigest()
    result = load.finish(sha256=digest)
    resolved = dict(outcome.accepted.select(ROW_NUMBER, "transaction_id").iter_rows())
    still = _still_parked(outcome, rows)
    _record(rows, corrections, resolved, still, actor)
    return Correction(load=result, resolved=resolved, still_parked=still)


@money_transaction
def dismiss_parked_row(*, row: ParkedRow, note: str, actor: User) -> ParkedRow:
    """Decide that a parked row is not to be loaded, and say why; it is kept.

    Raises UnknownParkedRow, AlreadyDecided, NoteTooShort.
    """
    note = note.strip()
    if not SHORTEST_NOTE <= len(note) <= LONGEST_NOTE:
        raise NoteTooShort(shortest=SHORTEST_NOTE, longest=LONGEST_NOTE)
    [locked] = _waiting_rows([row.pk])
    locked.status, locked.note = ParkedRow.Status.DISMISSED, note
    locked.decided_by, locked.decided_at = actor, timezone.now()
    locked.save(update_fields=["status", "note", "decided_by", "decided_at"])
    audit.record(
        actor=actor,
        action="parked_row.dismissed",
        subject=f"parked_row:{locked.pk}",
        before={"reason": locked.reason, "message": locked.message},
        after={"note": note},
    )
    return locked


def _waiting_rows(ids: list[int]) -> list[ParkedRow]:
    rows = list(ParkedRow.objects.filter(pk__in=ids).order_by("pk").select_for_update())
    missing = sorted(set(ids) - {row.pk for row in rows})
    if missing:
        raise UnknownParkedRow(ids=", ".join(map(str, missing[:10])))
    for row in rows:
        if row.status != ParkedRow.Status.PARKED:
            raise AlreadyDecided(
                row_number=row.row_number, rowid=row.source_rowid, status=row.get_status_display().lower()
            )
    return rows


def _corrected(row: ParkedRow, changes: Mapping[str, str]) -> dict[str, str]:
    for column, value in changes.items():
        problem = _problem(row, column, value)
        if problem:
            raise BadCorrection(row_number=row.row_number, column=column, problem=problem)
    return {**row.raw, **changes}


def _problem(row: ParkedRow, column: str, value: str) -> str:
    if column not in COLUMNS:
        return f"there is no such column; the columns are {', '.join(COLUMNS)}"
    if len(value) > LONGEST_VALUE or any(ord(c) in CONTROL_CHARACTERS or c in "\t\n" for c in value):
        return f"{shown(value)} is not a value: at most {LONGEST_VALUE} characters, on one line"
    came_as = row.raw["ROWID"].strip()
    if column == "ROWID" and 0 < len(came_as) <= LONGEST_ROWID and value.strip() != came_as:
        return "a trip keeps the ROWID it came with; under another it could be counted twice"
    return ""


def _still_parked(outcome: Outcome, rows: list[ParkedRow]) -> dict[int, RejectedRow]:
    """The rows that did not pass, by id; the repetitions of what is loaded are told apart, and say so."""
    by_id = {row.pk: row for row in rows}
    wrong = {
        pk: (reason, message)
        for pk, reason, message in outcome.rejects.select(ROW_NUMBER, "reason", "message").iter_rows()
    }
    wrong |= dict.fromkeys(outcome.duplicates, (ParkedRow.Reason.REVISION.value, _ALREADY_LOADED))
    for pk in outcome.duplicates:
        by_id[pk].reason, by_id[pk].message = wrong[pk]
        by_id[pk].save(update_fields=["reason", "message"])
    return {
        pk: RejectedRow(by_id[pk].row_number, by_id[pk].source_rowid, reason, message)
        for pk, (reason, message) in sorted(wrong.items())
    }


def _record(
    rows: list[ParkedRow],
    corrections: Mapping[int, Mapping[str, str]],
    resolved: Mapping[int, int],
    still: Mapping[int, RejectedRow],
    actor: User,
) -> None:
    """Keep what was changed on the rows that passed, and an audit entry for every row submitted."""
    passed = [row for row in rows if row.pk in resolved]
    for row in passed:
        row.corrected = dict(corrections[row.pk])
    ParkedRow.objects.bulk_update(passed, ["corrected"])
    for row in rows:
        changed = {"corrected": dict(corrections[row.pk])}
        transaction_id = resolved.get(row.pk)
        audit.record(
            actor=actor,
            action="parked_row.resolved" if transaction_id else "parked_row.submitted",
            subject=f"parked_row:{row.pk}",
            before={"reason": row.reason, "raw": row.raw},
            after={**changed, "transaction_id": transaction_id}
            if transaction_id
            else {**changed, "reason": still[row.pk].reason, "message": still[row.pk].message},
        )
