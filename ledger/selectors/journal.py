"""Entries of the journal as people look them up: by number, with their lines, and with what they come from."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import Q, QuerySet

from ..models import (
    Account,
    Currency,
    EntryHeader,
    EntryLine,
    EntryReversal,
    JournalRun,
    JournalShard,
    LedgerPosting,
    ManualJournal,
    Origin,
    RunState,
    SourceTransaction,
)
from ..models.batches import FIRST_BASE, LARGEST_SHARD
from .account_balances import next_month
from .archives import check_entries_here

_NUMBER = re.compile(r"JE-([1-9][0-9]{3})(0[1-9]|1[0-2])-([0-9]{1,18})\Z")


@dataclass(frozen=True)
class Provenance:
    """What an entry comes from and what it is tied to; None where it has no such thing."""

    posting: LedgerPosting | None = None
    source_row: SourceTransaction | None = None
    dtr_number: str | None = None
    manual_journal: ManualJournal | None = None
    shard: JournalShard | None = None
    reverses: str | None = None
    reversed_by: str | None = None
    reversal_waiting: ManualJournal | None = None


def je_number(entry_id: int, je_date: date) -> str:
    return f"JE-{je_date:%Y%m}-{entry_id}"


def entries_numbered(number: str) -> QuerySet[EntryHeader]:
    """The entry with this number, if there is one; reads its month alone."""
    match = _NUMBER.match(number)
    if match is None or match[1] == "9999":
        return EntryHeader.objects.none()
    month = date(int(match[1]), int(match[2]), 1)
    return EntryHeader.objects.filter(pk=int(match[3]), je_date__gte=month, je_date__lt=next_month(month))


def entry_numbered(number: str) -> EntryHeader | None:
    """The entry with this number, or None. Raises MonthIsArchived when its month is in files alone."""
    entry = entries_numbered(number).select_related("template", "created_by").first()
    if entry is None and (match := _NUMBER.match(number)) and match[1] != "9999":
        check_entries_here([date(int(match[1]), int(match[2]), 1)])
    return entry


def lines_of(entry: EntryHeader) -> list[EntryLine]:
    """An entry's lines in their order, with their accounts."""
    return list(
        EntryLine.objects.filter(entry_id=entry.pk, je_date=entry.je_date, batch_id=entry.batch_id)
        .select_related("account", "currency")
        .order_by("line_number")
    )


def account_names(codes: Iterable[str]) -> dict[str, str]:
    """The names of accounts, by code."""
    return dict(Account.objects.filter(code__in=set(codes)).values_list("code", "name"))


def exactly(amount: Decimal, currency: Currency) -> Decimal:
    """An amount with its currency's decimals; the journal keeps six for all."""
    return amount.quantize(Decimal(1).scaleb(-currency.exponent))


def entries_of_posting(posting: LedgerPosting) -> QuerySet[EntryHeader]:
    """The entry of a driver posting."""
    return EntryHeader.objects.filter(posting=posting, je_date=posting.effective_on, batch_id=0)


def provenance(entry: EntryHeader) -> Provenance:
    """What an entry comes from; a constant number of look-ups, each in one month."""
    reversal = EntryReversal.objects.filter(pk=entry.pk).first()
    waiting = None
    if reversal is None and entry.origin == Origin.MANUAL:
        waiting = waiting_reversal(entry)
    return Provenance(
        posting=LedgerPosting.objects.filter(pk=entry.posting_id).first() if entry.posting_id else None,
        source_row=_source_row(entry),
        dtr_number=entry.reference if entry.origin == Origin.DTR else None,
        manual_journal=ManualJournal.objects.filter(entry_id=entry.pk).first()
        if entry.origin == Origin.MANUAL
        else None,
        shard=shard_of(entry),
        reverses=je_number(entry.reverses_id, entry.reverses_date)
        if entry.reverses_id and entry.reverses_date
        else None,
        reversed_by=je_number(reversal.reversed_by_id, reversal.reversed_by_date) if reversal else None,
        reversal_waiting=waiting,
    )


def shard_of(entry: EntryHeader) -> JournalShard | None:
    """The shard of a bulk run that brought an entry, with its run; None for one that was entered online."""
    if entry.pk <= FIRST_BASE:
        return None
    shards = JournalShard.objects.select_related("run")
    return shards.filter(entry_base__lt=entry.pk, entry_base__gte=entry.pk - LARGEST_SHARD).first()


def entries_of_run(run_id: int) -> Q:
    """Which entries a bulk run brought: a partition of their own, or some among the online."""
    run = JournalRun.objects.filter(pk=run_id, state=RunState.POSTED).first()
    if run is None:
        return Q(pk__isnull=True)
    if run.large:
        return Q(batch_id=run.pk)
    found = Q(pk__isnull=True)
    for base in run.shards.order_by("number").values_list("entry_base", flat=True):
        found |= Q(batch_id=0, pk__gt=base, pk__lte=base + LARGEST_SHARD)
    return found


def waiting_reversal(entry: EntryHeader) -> ManualJournal | None:
    """The journal that would reverse this entry and waits for approval."""
    return ManualJournal.objects.filter(reverses_id=entry.pk, status=ManualJournal.Status.SUBMITTED).first()


def _source_row(entry: EntryHeader) -> SourceTransaction | None:
    if entry.source_id is None:
        return None
    # A trip's entry keeps the trip's own day, and source rows lie by month.
    rows = SourceTransaction.objects.select_related("batch").filter(pk=entry.source_id)
    return rows.filter(txn_month=entry.event_on.replace(day=1)).first() or rows.first()
