"""Planning a run: its rows are counted and cut into shards of contiguous ids, and the run is written down.

Counting goes by stretches of ids, without sorting, so that ten million rows cost one pass over them. Each shard
keeps the number of its rows and the sum of their ids: rows that come later within its stretch would be noticed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, connection

from batconnect.common import audit
from batconnect.common.models import User
from batconnect.common.transactions import money_transaction
from ledger.engine.template_loader import LoadedTemplates, load_templates
from ledger.models import ImportBatch, JournalRun, JournalShard, Origin
from ledger.models.batches import ENDED, SHARD_ROWS, RunState

from .errors import NothingToDo, PackNotInstalled, RunInProgress, WrongScope
from .open_days import first_open_day, refuse_days
from .scope import ROWS, Scope, bounds, origin_of, told

STRETCHES = 8  # pieces of a full shard that are counted apart, so that shards come out nearly full

_COUNT = """
SELECT s.txn_month, (s.id - %(first)s) / %(stretch)s, {key}, min(s.id), max(s.id), count(*),
       count(*) FILTER (WHERE s.gross_amount <> 0), sum(s.gross_amount), sum(s.id),
       min(s.bank_value_date), max(s.bank_value_date)
"""
_BY_KEY = "s.txn_type, s.product_code, s.channel"
_TOGETHER = "NULL, NULL, NULL"


@dataclass(frozen=True)
class Stretch:
    """Rows of one month between two ids; `worth`: how many of them belong into the journal."""

    txn_month: date
    first: int
    last: int
    rows: int
    worth: int
    gross: Decimal
    ids_sum: int
    earliest: date
    latest: date


@dataclass(frozen=True)
class Preview:
    """What a run would be over: source rows that have no entry, what they add up to, and in how many shards.

    `gross` is the sum of the rows' amounts as they are; a pack's amounts may be of several currencies.
    """

    rows: int
    gross: Decimal
    shards: int


@money_transaction
def plan_run(
    *,
    pack: str,
    actor: User,
    month: date | None = None,
    import_batch: ImportBatch | None = None,
    dry_run: bool = False,
    accept_valid: bool = False,
    shard_rows: int = SHARD_ROWS,
    large: bool | None = None,
) -> JournalRun:
    """Write down a run over the rows of a pack's month, or file, that have no entry yet; nothing is staged.

    month: its first day. shard_rows: 1 to 262,144. large: whether it gets partitions of its own, by default when it
    has more than 20,000 entries. Raises UnknownPack, PackNotInstalled, WrongScope, NothingToDo,
    RunInProgress, TemplateError, and for packs that do not follow the weeks DayClosed and DayAhead.
    """
    run, shards = _planned(
        pack=pack,
        month=month,
        import_batch=import_batch,
        dry_run=dry_run,
        accept_valid=accept_valid,
        shard_rows=shard_rows,
        large=large,
        started_by=actor,
    )
    write(run, shards, actor)
    return run


def preview_run(
    *,
    pack: str,
    month: date | None = None,
    import_batch: ImportBatch | None = None,
    shard_rows: int = SHARD_ROWS,
) -> Preview:
    """What `plan_run` would write down; nothing is. Raises as it does."""
    _, shards = _planned(pack=pack, month=month, import_batch=import_batch, shard_rows=shard_rows)
    return Preview(
        rows=sum(shard.source_rows for shard in shards),
        gross=sum((shard.source_gross for shard in shards), Decimal(0)),
        shards=len(shards),
    )


def _planned(
    *, pack: str, month: date | None, import_batch: ImportBatch | None, **options: Any
) -> tuple[JournalRun, list[JournalShard]]:
    """A run and its shards, not written down. `options` are fields of the run."""
    if (month is None) == (import_batch is None):
        raise WrongScope(problem="give the one or the other")
    if month is not None and month.day != 1:
        raise WrongScope(problem=f"a month is named by its first day, not by {month}")
    origin = origin_of(pack)
    with connection.cursor() as cursor:
        templates = load_templates(cursor, pack)
    if not templates.keys:
        raise PackNotInstalled(pack=pack)
    run = JournalRun(
        pack=pack,
        origin=origin,
        month=month,
        import_batch=import_batch,
        policy_version=templates.version,
        floor_date=first_open_day() if origin == Origin.TRIP else None,
        **options,
    )
    refuse_another(run)
    shards = list(_shards(run, templates))
    if not shards:
        raise NothingToDo(pack=pack, scope=told(run))
    return run, shards


def refuse_another(run: JournalRun) -> None:
    """Raise RunInProgress where another run is at work on the same month or file."""
    at_work = JournalRun.objects.exclude(state__in=ENDED).exclude(state=RunState.VALIDATED, dry_run=True)
    other = (
        at_work.filter(import_batch=run.import_batch_id)
        if run.import_batch_id
        else at_work.filter(pack=run.pack, month=run.month)
    ).first()
    if other is not None:
        raise RunInProgress(run=other.pk, scope=told(other), state=other.state)


def write(run: JournalRun, shards: Iterable[JournalShard], actor: User) -> None:
    """Insert a planned run with its shards. Raises RunInProgress if another came first."""
    shards = list(shards)
    run.source_rows = sum(shard.source_rows for shard in shards)
    try:
        run.save()
    except IntegrityError as error:
        name = getattr(getattr(error.__cause__, "diag", None), "constraint_name", "")
        if name in ("journal_run_month_at_once", "journal_run_file_at_once"):
            raise RunInProgress(run="another", scope=told(run), state="at work") from error
        raise
    for shard in shards:
        shard.run = run
    JournalShard.objects.bulk_create(shards)
    audit.record(
        actor=actor,
        action="batch.planned",
        subject=f"journal_run:{run.pk}",
        after={
            "pack": run.pack,
            "month": run.month and str(run.month),
            "import_batch": run.import_batch_id,
            "reverses_run": run.reverses_run_id,
            "dry_run": run.dry_run,
            "accept_valid": run.accept_valid,
            "source_rows": run.source_rows,
            "shards": len(shards),
        },
    )


def _shards(run: JournalRun, templates: LoadedTemplates) -> Iterator[JournalShard]:
    scope = Scope(tuple(sorted(txn_types(run.pack, templates))), run.month, run.import_batch_id)
    limits = bounds(scope)
    if limits is None:
        return
    stretches = list(_stretches(scope, limits, templates, run))
    if run.origin != Origin.TRIP:
        refuse_days(
            scope,
            limits,
            earliest=min((each.earliest for each in stretches), default=None),
            latest=max((each.latest for each in stretches), default=None),
        )
    number = 0
    for whole in _gathered(stretches, run.shard_rows):
        if whole.worth:
            number += 1
            yield JournalShard(
                number=number,
                txn_month=whole.txn_month,
                first_source_id=whole.first,
                last_source_id=whole.last,
                source_rows=whole.rows,
                source_gross=whole.gross,
                source_ids_sum=whole.ids_sum,
            )


def txn_types(pack: str, templates: LoadedTemplates) -> frozenset[str]:
    """The kinds of source rows that are a pack's."""
    # Trips are the fleet's alone, whatever another pack's templates say: entered by its run they would never settle.
    return frozenset({"TRIP"}) if origin_of(pack) == Origin.TRIP else templates.txn_types - {"TRIP"}


def _stretches(
    scope: Scope, limits: tuple[int, int], templates: LoadedTemplates, run: JournalRun
) -> Iterator[Stretch]:
    """Counted stretches of ids, in the order of month and id."""
    # Kinds that have no entry matter only where there is a template that says so.
    silent = any(not template.lines for template in templates.compiled.templates)
    count = _COUNT.format(key=_BY_KEY if silent else _TOGETHER)
    grouping = " GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2"
    parameters = {**scope.parameters(*limits), "stretch": max(1, run.shard_rows // STRETCHES)}
    with connection.cursor() as cursor:
        cursor.execute(count + ROWS + grouping, parameters)
        found = cursor.fetchall()
    merged: dict[tuple[date, int], Stretch] = {}
    for month, place, txn_type, product, channel, *counts in found:
        first, last, rows, not_nothing, gross, ids_sum, earliest, latest = counts
        # A trip that cost nothing has nothing to enter.
        worth = not_nothing if run.origin == Origin.TRIP else rows
        if txn_type is not None and _is_silent(templates, (txn_type, product, channel)):
            worth = 0
        one = Stretch(month, first, last, rows, worth, gross, int(ids_sum), earliest, latest)
        there = merged.get((month, place))
        merged[month, place] = one if there is None else _together(there, one)
    yield from merged.values()


def _is_silent(templates: LoadedTemplates, key: tuple[str, str, str]) -> bool:
    """Whether policy says of every event of this kind that it has no entry."""
    levels = templates.compiled.plan(key).levels
    used = [templates.compiled.templates[each.template] for level in levels for each in level]
    return bool(used) and not any(template.lines for template in used)


def _gathered(stretches: Iterable[Stretch], most: int) -> Iterator[Stretch]:
    """Neighbouring stretches of a month put together, up to a shard's number of rows."""
    whole: Stretch | None = None
    for one in stretches:
        if whole is not None and whole.txn_month == one.txn_month and whole.rows + one.rows <= most:
            whole = _together(whole, one)
            continue
        if whole is not None:
            yield whole
        whole = one
    if whole is not None:
        yield whole


def _together(one: Stretch, other: Stretch) -> Stretch:
    return replace(
        one,
        first=min(one.first, other.first),
        last=max(one.last, other.last),
        rows=one.rows + other.rows,
        worth=one.worth + other.worth,
        gross=one.gross + other.gross,
        ids_sum=one.ids_sum + other.ids_sum,
        earliest=min(one.earliest, other.earliest),
        latest=max(one.latest, other.latest),
    )
