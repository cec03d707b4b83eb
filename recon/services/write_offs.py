"""Writing a difference off by a journal entry, and taking matches back, write-offs with their entries.

A write-off's own line on the account joins the match, so that both sides of it come to the same and nothing new is
left open. Control accounts take no such entry: the database refuses it.
"""

from datetime import date
from decimal import Decimal
from typing import Any

from batconnect.common import audit
from batconnect.common.models import User
from batconnect.common.transactions import money_transaction
from ledger.models import Account, EntryLine, Origin
from ledger.services.entries import Entered, NewEntry, NewLine, enter, enter_event, open_day
from ledger.services.house_events import reverse_house_event
from ledger.services.reasons import checked_reason

from ..models import ReconMatch, ReconSource
from .decisions import UnknownMatch, held_log, rows_of_logs, suggested_with
from .errors import ReconError
from .locking import hold_source
from .matches import Rows, end_match, find_rows, make_match
from .rules import line_key

EVENT = "RECON_DIFFERENCE"
EVENTS_ACCOUNT = "1100"  # the account that the event's template moves
DIFFERENCES = "5200"


class OverLimit(ReconError):
    code, status = "recon.write_off_limit", 409
    message = (
        "{amount} is above what may be written off here, {limit}. Enter a manual journal, which a second person "
        "approves, and match it by hand."
    )


class NothingToWriteOff(ReconError):
    code, status = "recon.nothing_to_write_off", 409
    message = "Both sides come to the same; accept the match instead."


class WhichAccount(ReconError):
    code, status = "recon.which_account", 409
    message = "{source} stands beside several accounts, and the row does not say which one it is about."


@money_transaction
def write_off(
    *, log_id: int, reason: str, actor: User, on: date, with_partner: bool = False, partner: str = ""
) -> ReconMatch:
    """Write a row off; or, with the partner that is suggested for it, the difference between them.

    The entry is dated `on`, or the first open day after it. Raises UnknownException, NothingSuggested, ChooseOne,
    NothingToWriteOff, OverLimit, WhichAccount, ControlAccount, ChangedMeanwhile, NotEntered, ReasonLength.
    """
    reason = checked_reason(reason)
    log = held_log(log_id)
    rows = rows_of_logs(log, suggested_with(log, partner) if with_partner or partner else [])
    return _write_off(rows, reason=reason, actor=actor, on=on, match=None)


@money_transaction
def write_off_match(*, match_id: int, reason: str, actor: User, on: date) -> ReconMatch:
    """Write off the difference that a match left. Raises UnknownMatch, AlreadyUndone, and as `write_off`."""
    reason = checked_reason(reason)
    match = _held_match(match_id)
    rows = rows_of_match(match)
    end_match(match, reason=reason, actor=actor)
    return _write_off(rows, reason=reason, actor=actor, on=on, match=match)


@money_transaction
def undo(*, match_id: int, reason: str, actor: User, on: date) -> ReconMatch:
    """Take a match back: its rows are open again.

    A write-off's entry is mirrored; an automatic match does not come back. Raises UnknownMatch, AlreadyUndone,
    ReasonLength, ClosedPeriod.
    """
    reason = checked_reason(reason)
    match = _held_match(match_id)
    rows = rows_of_match(match)
    end_match(match, reason=reason, actor=actor)
    mirror = None
    if match.rule == ReconMatch.Rule.WRITE_OFF:
        mirror = _take_back(match, rows, reason=reason, actor=actor, on=on)
    elif match.decided_by_id is None:
        make_match(
            rows, rule=match.rule, actor=actor, job=match.job, score=match.score, note=reason,
            status=ReconMatch.Status.REJECTED,
        )  # fmt: skip
    audit.record(
        actor=actor,
        action="recon.undone",
        subject=f"recon_match:{match.pk}",
        before={"rule": match.rule, **rows.keys},
        after={"reason": reason, "je_number": mirror.je_number if mirror else None},
    )
    return ReconMatch.objects.get(pk=match.pk)


def rows_of_match(match: ReconMatch) -> Rows:
    members = list(match.rows.select_related("external_row"))
    return find_rows(
        match.source,
        [row.external_row.external_id for row in members if row.external_row is not None],
        [line_key(row.line_id, row.line_date) for row in members if row.line_id is not None],
    )


def _write_off(rows: Rows, *, reason: str, actor: User, on: date, match: ReconMatch | None) -> ReconMatch:
    source = rows.source
    missing = -rows.difference  # what the ledger has more than the outside
    if missing == 0:
        raise NothingToWriteOff
    if abs(missing) > source.write_off_limit:
        raise OverLimit(amount=abs(missing).quantize(Decimal("0.01")), limit=source.write_off_limit)
    account = _account(rows)
    # In debits: what the outside writes as + may be a credit of the account.
    amount = -missing if source.reversed_sign else missing
    entered = _enter(source, account, amount, reason=reason, actor=actor, on=open_day(on))
    line = EntryLine.objects.get(entry_id=entered.entry_id, je_date=entered.je_date, account=account)
    whole = Rows(source, rows.external, [*rows.lines, line])
    made = make_match(
        whole,
        rule=ReconMatch.Rule.WRITE_OFF,
        actor=actor,
        job=None,
        note=reason,
        score=match.score if match else None,
        entry=(entered.entry_id, entered.je_date),
    )
    audit.record(
        actor=actor,
        action="recon.written_off",
        subject=f"recon_match:{made.pk}",
        after={
            "source": source.name, **whole.keys, "amount": str(missing), "je_number": entered.je_number,
            "reason": reason,
        },
    )  # fmt: skip
    return made


def _account(rows: Rows) -> Account:
    ids = {line.account_id for line in rows.lines} or set(rows.source.accounts.values_list("pk", flat=True))
    if len(ids) != 1:
        raise WhichAccount(source=rows.source.name)
    return Account.objects.get(pk=ids.pop())


def _enter(
    source: ReconSource, account: Account, amount: Decimal, *, reason: str, actor: User, on: date
) -> Entered:
    """Credit the account with `amount` (debit it, below zero), against the account of differences."""
    told: Any = {"reference": f"RECON-{source.name}"[:80], "description": f"Reconciliation: {reason}"[:160]}
    other = source.difference_account
    if account.code == EVENTS_ACCOUNT and (other is None or other.code == DIFFERENCES):
        return enter_event(EVENT, amount=amount, on=on, origin=Origin.RECON, actor_id=actor.pk, **told)
    against = other or Account.objects.get(code=DIFFERENCES)
    currency = source.currency.code
    lines = [NewLine(against.pk, amount, currency), NewLine(account.pk, -amount, currency)]
    return enter([NewEntry(je_date=on, lines=lines, **told)], origin=Origin.RECON, actor_id=actor.pk)[0]


def _take_back(match: ReconMatch, rows: Rows, *, reason: str, actor: User, on: date) -> Entered:
    """Mirror a write-off's entry, and match its line with the mirror's: neither is open again."""
    assert match.entry_id is not None and match.entry_date is not None
    lines = list(
        EntryLine.objects.filter(entry_id=match.entry_id, je_date=match.entry_date).order_by("line_number")
    )
    entered = reverse_house_event(
        entry_id=match.entry_id,
        je_date=match.entry_date,
        origin=Origin.RECON,
        reason=reason,
        reference=f"RECON-{match.source.name}"[:80],
        actor=actor,
        on=on,
    )
    accounts = set(match.source.accounts.values_list("pk", flat=True))
    own = [line for line in lines if line.account_id in accounts]
    mirror = EntryLine.objects.filter(
        entry_id=entered.entry_id, je_date=entered.je_date, account__in=accounts
    ).order_by("line_number")
    make_match(
        Rows(match.source, [], [*own, *mirror]),
        rule=ReconMatch.Rule.TAKEN_BACK,
        actor=actor,
        job=None,
        note=reason,
        entry=(entered.entry_id, entered.je_date),
    )
    return entered


def _held_match(match_id: int) -> ReconMatch:
    found = ReconMatch.objects.filter(pk=match_id).values_list("source_id", flat=True).first()
    if found is None:
        raise UnknownMatch(match=match_id)
    hold_source(found)
    match = ReconMatch.objects.select_related("source__currency", "source__difference_account", "job").get(
        pk=match_id
    )
    if match.rule == ReconMatch.Rule.TAKEN_BACK:
        raise UnknownMatch(match=match_id)
    return match
