"""Rows that belong together, and the match that says so; what decisions and write-offs are made of."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import DatabaseError, transaction
from django.utils import timezone

from batconnect.common.models import User
from batconnect.common.transactions import sqlstate
from ledger.models import EntryLine
from ledger.selectors.account_balances import next_month

from ..models import (
    CurbSettlement,
    ExternalRow,
    ReconJob,
    ReconMatch,
    ReconMatchRow,
    ReconSource,
    SettlementStatus,
    Side,
)
from .errors import ChangedMeanwhile, NotEntered, ReconError
from .rules import line_key

PLACES = 100_000  # a line's id is its entry's, and then its place in five digits
_KEY = re.compile(r"JE-([1-9]\d{3}(?:0[1-9]|1[0-2]))-(\d{1,13})/(\d{1,5})", re.ASCII)


class UnknownRow(ReconError):
    code, status = "recon.unknown_row", 404
    message = "{key} is no row of {source}."


class AlreadyUndone(ReconError):
    code, status = "recon.already_undone", 409
    message = "This match is {status} already."


@dataclass(frozen=True)
class Rows:
    """Rows of one source that belong together, or are said to.

    amounts are as the outside writes them, by row.
    """

    source: ReconSource
    external: Sequence[ExternalRow]
    lines: Sequence[EntryLine]

    def amount_of(self, line: EntryLine) -> Decimal:
        debit = line.side == EntryLine.Side.DR
        return line.amount if debit != self.source.reversed_sign else -line.amount

    @property
    def difference(self) -> Decimal:
        """Outside less ledger."""
        zero = Decimal(0)
        return sum((row.amount for row in self.external), zero) - sum(map(self.amount_of, self.lines), zero)

    @property
    def keys(self) -> dict[str, list[str]]:
        return {
            "external": [row.external_id for row in self.external],
            "ledger": [line_key(line.pk, line.je_date) for line in self.lines],
        }


def find_rows(source: ReconSource, external: Collection[str], ledger: Collection[str]) -> Rows:
    """Rows by what people call them. Raises UnknownRow."""
    outside = {row.external_id: row for row in source.rows.filter(external_id__in=external)}
    for key in external:
        if key not in outside:
            raise UnknownRow(key=key[:60], source=source.name)
    lines = _lines(list(dict.fromkeys(ledger)), source)
    return Rows(source, [outside[key] for key in dict.fromkeys(external)], lines)


def _lines(keys: Sequence[str], source: ReconSource) -> list[EntryLine]:
    """Journal lines as `JE-201903-17/2`, in one look however many. Raises UnknownRow."""
    named = {key: _KEY.fullmatch(key) for key in keys}
    asked = {key: int(match[2]) * PLACES + int(match[3]) for key, match in named.items() if match}
    months = sorted({date(int(match[1][:4]), int(match[1][4:]), 1) for match in named.values() if match})
    accounts = set(source.accounts.values_list("pk", flat=True))
    found = {}
    if months:
        lines = EntryLine.objects.filter(
            pk__in=asked.values(), je_date__gte=months[0], je_date__lt=next_month(months[-1]),
            currency_id=source.currency_id, account_id__in=accounts,
        )  # fmt: skip
        found = {line_key(line.pk, line.je_date): line for line in lines}
    for key in keys:
        if key not in found:
            raise UnknownRow(key=key[:60], source=source.name)
    return [found[key] for key in keys]


def make_match(
    rows: Rows,
    *,
    rule: str,
    actor: User,
    job: ReconJob | None,
    score: Decimal | None = None,
    reasons: str = "",
    note: str = "",
    status: str = ReconMatch.Status.ACTIVE,
    entry: tuple[int, Any] | None = None,
) -> ReconMatch:
    """A match of these rows, decided by a person. The caller holds the source.

    Raises ChangedMeanwhile; NotEntered where a row is a settlement that is held, dismissed or taken back.
    """
    active = status == ReconMatch.Status.ACTIVE
    if active:
        _check_entered(rows.external)
    try:
        with transaction.atomic():
            match = ReconMatch.objects.create(
                source=rows.source,
                job=job,
                status=status,
                rule=rule,
                score=score,
                reasons=reasons,
                difference=rows.difference,
                note=note.strip()[:500],
                decided_by=actor,
                entry_id=entry[0] if entry else None,
                entry_date=entry[1] if entry else None,
            )
            outside = [
                ReconMatchRow(
                    match=match, side=Side.EXTERNAL, external_row=row, amount=row.amount, active=active
                )
                for row in rows.external
            ]
            lines = [
                ReconMatchRow(
                    match=match, side=Side.LEDGER, line_id=line.pk, line_date=line.je_date,
                    amount=rows.amount_of(line), active=active,
                )
                for line in rows.lines
            ]  # fmt: skip
            ReconMatchRow.objects.bulk_create([*outside, *lines])
    except DatabaseError as error:
        if sqlstate(error) != "23505":
            raise
        raise ChangedMeanwhile(row="One of the rows") from error
    return match


def _check_entered(rows: Sequence[ExternalRow]) -> None:
    """What has no entry, or had it taken back, settles nothing. Raises NotEntered."""
    known: Any = CurbSettlement.objects.with_status().select_related("external_row")
    others = known.filter(external_row__in=rows).exclude(status=SettlementStatus.ENTERED)
    for settlement in others.order_by("pk")[:1]:
        raise NotEntered(
            settlement=settlement.external_row.external_id[:80],
            status=SettlementStatus(settlement.status).label.lower(),
        )


def end_match(match: ReconMatch, *, reason: str, actor: User) -> None:
    """Take a match back; part of services that say what comes instead. Raises AlreadyUndone."""
    if match.status != ReconMatch.Status.ACTIVE:
        raise AlreadyUndone(status=match.get_status_display().lower())
    ReconMatch.objects.filter(pk=match.pk).update(
        status=ReconMatch.Status.UNDONE, undone_by=actor, undone_at=timezone.now(), undo_reason=reason
    )
