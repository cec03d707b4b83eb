"""What can be wrong with a bulk run: what is refused at once, and what a run fails of.

A run that failed keeps the code and the sentence of what it failed of; nothing of it was posted.
"""

from ..errors import LedgerError


class UnknownRun(LedgerError):
    code, status = "batch.unknown_run", 404
    message = "There is no run {run}."


class PackNotInstalled(LedgerError):
    code, status = "batch.pack_not_installed", 409
    message = "Pack {pack} has no templates in force. Install it first: install_pack {pack}."


class WrongScope(LedgerError):
    code, status = "batch.wrong_scope", 400
    message = "A run is for one month or for one imported file; {problem}."


class NothingToDo(LedgerError):
    code, status = "batch.nothing_to_do", 409
    message = "Nothing to do: every {pack} row of {scope} that belongs into the journal has its entry."


class FileRejected(LedgerError):
    code, status = "batch.file_rejected", 409
    message = (
        "{rejected} of {rows} rows of {file} were rejected, so none was loaded. Correct them (import {batch} "
        "lists them all), or accept the valid rows alone."
    )


class RunInProgress(LedgerError):
    code, status = "batch.in_progress", 409
    message = "Run {run} is at work on {scope} already, and is {state}. Resume it, or discard it."


class DayClosed(LedgerError):
    code, status = "batch.day_closed", 409
    message = (
        "There are rows dated {date}, and weeks and months are closed through {closed_through}. "
        "Reopen the month, or correct the dates."
    )


class DayAhead(LedgerError):
    code, status = "batch.day_ahead", 409
    message = "There are rows dated {date}, which is in the future. Correct the dates, or wait."


class NotResumable(LedgerError):
    code, status = "batch.not_resumable", 409
    message = "Run {run} is {state}: there is nothing to resume."


class NotDiscardable(LedgerError):
    code, status = "batch.not_discardable", 409
    message = "Run {run} is {state} and cannot be discarded; what was posted is reversed."


class NotReversible(LedgerError):
    code, status = "batch.not_reversible", 409
    message = "Run {run} cannot be reversed: {reason}."


class AlreadyReversed(LedgerError):
    code, status = "batch.already_reversed", 409
    message = "Run {run} is reversed already, by run {by}."


class RowsSettled(LedgerError):
    code, status = "batch.settled", 409
    message = (
        "Run {run} cannot be reversed: {count} of its trips are settled, and their earnings belong to the drivers. "
        "The first are {rows}. Reverse those settlements first."
    )


# --- what a run fails of ------------------------------------------------------------------------------------


class Rejected(LedgerError):
    code, status = "batch.rejects", 409
    message = (
        "{count} rows were rejected, so nothing was posted. Correct them, or accept the valid rows alone."
    )


class PolicyChanged(LedgerError):
    code, status = "batch.policy_changed", 409
    message = "Templates or accounts were changed after the run was planned. Resume it: it starts over."


class SourceChanged(LedgerError):
    code, status = "batch.source_changed", 409
    message = (
        "Rows {first} to {last} of {month} are not those that were planned: {planned} then, {found} now. "
        "Start another run."
    )


class TooManyDecimals(LedgerError):
    code, status = "batch.too_many_decimals", 409
    message = "A row's {column} has more than {places} decimals, which its pack does not know."


class DayPassed(LedgerError):
    code, status = "batch.day_passed", 409
    message = (
        "{date} was closed after the run was planned; days are closed through {closed_through}. "
        "Resume it: it starts over, on the first open day."
    )


class ClaimedMeanwhile(LedgerError):
    code, status = "batch.claimed", 409
    message = (
        "{count} source rows got their entries from elsewhere meanwhile ({rows}). Start a run for the others."
    )


class SettledMeanwhile(LedgerError):
    code, status = "batch.settled_meanwhile", 409
    message = "{count} totals of these trips were settled meanwhile: {rows}. Nothing was posted."


class Unsound(LedgerError):
    code, status = "batch.unsound", 409
    message = "The run did not pass validation: {problems}."
