"""What people decide about rows: accept, reject, match by hand, undo, comment. Each is one transaction, audited."""

from collections.abc import Collection, Sequence

from batconnect.common import audit
from batconnect.common.models import User
from batconnect.common.transactions import money_transaction
from ledger.services.reasons import checked_reason

from ..models import Outcome, ReconJob, ReconLog, ReconMatch, ReconMatchRow, ReconNote, ReconSource, Side
from .errors import ChangedMeanwhile, ReconError
from .locking import hold_source
from .matches import Rows, find_rows, make_match

LONGEST_NOTE = 1000
MOST_ROWS = 100  # in one match by hand


class UnknownException(ReconError):
    code, status = "recon.unknown_exception", 404
    message = "There is no such row in a reconciliation that is in force."


class UnknownMatch(ReconError):
    code, status = "recon.unknown_match", 404
    message = "There is no match {match}."


class NothingSuggested(ReconError):
    code, status = "recon.nothing_suggested", 409
    message = "Nothing is suggested for {key}; match it by hand, or write it off."


class ChooseOne(ReconError):
    code, status = "recon.choose_one", 400
    message = "{key} may belong to any of {choices}. Say to which."


class OneSided(ReconError):
    code, status = "recon.one_sided", 400
    message = "A match has rows of both sides, {most} at most."


class NoteMissing(ReconError):
    code, status = "recon.note", 400
    message = "Write something, in at most {longest} characters."


@money_transaction
def accept(*, log_id: int, actor: User, partner: str = "", note: str = "") -> ReconMatch:
    """Make what was suggested for a row a match; for an ambiguous one, with the partner chosen.

    Raises UnknownException, NothingSuggested, ChooseOne, ChangedMeanwhile, NotEntered.
    """
    log = held_log(log_id)
    rows = rows_of_logs(log, suggested_with(log, partner))
    match = make_match(
        rows, rule=log.rule or ReconMatch.Rule.HAND, actor=actor, job=log.job, score=log.score, note=note,
        reasons=log.reasons if log.outcome == Outcome.SUGGESTED else "",
    )  # fmt: skip
    _record(actor, "recon.accepted", match, rows)
    return match


@money_transaction
def reject(*, log_id: int, reason: str, actor: User, partner: str = "") -> ReconMatch:
    """Say that what was suggested for a row does not belong to it; it is not suggested again.

    Raises UnknownException, NothingSuggested, ChooseOne, ReasonLength.
    """
    reason = checked_reason(reason)
    log = held_log(log_id)
    rows = rows_of_logs(log, suggested_with(log, partner))
    match = make_match(
        rows, rule=log.rule or ReconMatch.Rule.HAND, actor=actor, job=log.job, score=log.score, note=reason,
        status=ReconMatch.Status.REJECTED,
    )  # fmt: skip
    _record(actor, "recon.rejected", match, rows)
    return match


@money_transaction
def match_by_hand(
    *, source: ReconSource, external: Collection[str], ledger: Collection[str], reason: str, actor: User
) -> ReconMatch:
    """Match rows that a person found to belong together, whatever they come to; the difference is kept.

    external: outside ids. ledger: journal lines, as JE-201903-17/2. Raises UnknownRow, OneSided, ReasonLength,
    ChangedMeanwhile, NotEntered.
    """
    reason = checked_reason(reason)
    hold_source(source.pk)
    if not (external and ledger) or len(external) + len(ledger) > MOST_ROWS:
        raise OneSided(most=MOST_ROWS)
    rows = find_rows(source, external, ledger)
    match = make_match(rows, rule=ReconMatch.Rule.HAND, actor=actor, note=reason, job=None)
    _record(actor, "recon.matched_by_hand", match, rows)
    return match


@money_transaction
def comment(*, log_id: int, text: str, actor: User) -> ReconNote:
    """Say something about a row; it stays with the row in every later job. Raises UnknownException, NoteMissing."""
    text = text.strip()
    if not 0 < len(text) <= LONGEST_NOTE or "\0" in text:
        raise NoteMissing(longest=LONGEST_NOTE)
    log = found_log(log_id)
    note = ReconNote.objects.create(
        source=log.job.source, side=log.side, key=log.key, text=text, created_by=actor
    )
    audit.record(
        actor=actor,
        action="recon.commented",
        subject=f"recon_source:{log.job.source.name}",
        after={"side": log.side, "key": log.key, "text": text},
    )
    return note


def found_log(log_id: int) -> ReconLog:
    """A row of a job in force. Raises UnknownException."""
    log = ReconLog.objects.select_related("job__source__currency").filter(pk=log_id).first()
    if log is None or log.job.superseded_by_id is not None or log.job.status != ReconJob.Status.COMPLETED:
        raise UnknownException
    return log


def held_log(log_id: int) -> ReconLog:
    """The same, its source held, and looked at again. Raises UnknownException, ChangedMeanwhile."""
    hold_source(found_log(log_id).job.source_id)
    log = found_log(log_id)
    mine = {"external_row_id": log.external_row_id} if log.side == Side.EXTERNAL else {"line_id": log.line_id}
    if ReconMatchRow.objects.filter(side=log.side, active=True, **mine).exists():
        raise ChangedMeanwhile(row=log.key)
    return log


def suggested_with(log: ReconLog, partner: str) -> list[ReconLog]:
    """The rows that one acceptance makes one: the pair, or the whole group. Raises NothingSuggested, ChooseOne."""
    if log.outcome == Outcome.AMBIGUOUS or (partner and log.outcome == Outcome.SUGGESTED):
        if partner not in log.partners:
            raise ChooseOne(key=log.key, choices=", ".join(log.partners))
        return _logs_of(log, {partner})
    if log.outcome != Outcome.SUGGESTED:
        raise NothingSuggested(key=log.key)
    # A group may have thousands of rows: from one side to the other and back, each time all at once.
    found = {(log.side, log.key): log}
    asked = [log]
    while asked:
        keys = {key for one in asked for key in one.partners}
        others = [one for one in _logs_of(asked[0], keys) if (one.side, one.key) not in found]
        found |= {(one.side, one.key): one for one in others}
        asked = others
    return [one for one in found.values() if one is not log]


def rows_of_logs(log: ReconLog, others: Sequence[ReconLog]) -> Rows:
    both = [log, *others]
    return find_rows(
        log.job.source,
        [one.key for one in both if one.side == Side.EXTERNAL],
        [one.key for one in both if one.side == Side.LEDGER],
    )


def _logs_of(log: ReconLog, keys: set[str]) -> list[ReconLog]:
    other = Side.LEDGER if log.side == Side.EXTERNAL else Side.EXTERNAL
    return list(ReconLog.objects.filter(job_id=log.job_id, side=other, key__in=keys).order_by("id"))


def _record(actor: User, action: str, match: ReconMatch, rows: Rows) -> None:
    audit.record(
        actor=actor,
        action=action,
        subject=f"recon_match:{match.pk}",
        after={
            "source": rows.source.name, **rows.keys, "difference": str(match.difference),
            "score": str(match.score) if match.score is not None else None, "note": match.note,
        },
    )  # fmt: skip
