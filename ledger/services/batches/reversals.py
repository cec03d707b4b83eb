"""A run taken back by a mirrored run: the same entries with their sides swapped, never a deletion.

Its shards are those of the original, entry for entry; the database writes the mirror. The source rows are free
again when it is posted, and may be journalised anew.
"""

from datetime import date

from django.db import connection
from django.utils import timezone

from batconnect.common.models import User
from batconnect.common.transactions import money_transaction
from batconnect.common.weeks import local_date
from ledger.models import JournalRun, JournalShard, Origin
from ledger.models.batches import LARGEST_SHARD, RunState

from ..reasons import checked_reason
from .errors import AlreadyReversed, NotReversible, RowsSettled, UnknownRun
from .open_days import first_open_day, refuse_closed_day
from .plan import refuse_another, write

NAMED = 10  # settled rows that a refusal names

_SETTLED = """
SELECT s.source_rowid, t.week, t.settled_week, count(*) OVER ()
  FROM (
    SELECT account_id, week, import_batch_id FROM journal_run_trip_total
     WHERE run_id = %(run)s GROUP BY account_id, week, import_batch_id HAVING sum(amount) <> 0
  ) r
  JOIN trip_total t ON t.account_id = r.account_id AND t.week = r.week AND t.batch_id = r.import_batch_id
  JOIN txn_source_parent s ON s.account_id = t.account_id AND s.week = t.week AND s.batch_id = t.batch_id
  JOIN source_row_journalised j ON j.source_id = s.id
 WHERE t.settled_week IS NOT NULL
   AND EXISTS (
     SELECT FROM journal_run_shard d
      WHERE d.run_id = %(run)s AND j.entry_id > d.entry_base AND j.entry_id <= d.entry_base + %(block)s
   )
 ORDER BY s.id
 LIMIT %(named)s
"""


@money_transaction
def plan_reversal(*, run_id: int, actor: User, reason: str, on: date | None = None) -> JournalRun:
    """Write down the run that takes a posted one back; nothing is staged.

    reason: 10 to 500 characters. on: the accounting date of what is no trip, by default today in New York; trips
    take their own day, or the first open one after it. Raises UnknownRun, NotReversible, AlreadyReversed,
    RowsSettled (and names them), RunInProgress, DayClosed, ReasonLength.
    """
    reason = checked_reason(reason)
    original = JournalRun.objects.filter(pk=run_id).first()
    if original is None:
        raise UnknownRun(run=run_id)
    _refuse(original)
    floor = first_open_day() if original.origin == Origin.TRIP else _chosen(original, on)
    run = JournalRun(
        pack=original.pack,
        origin=original.origin,
        month=original.month,
        import_batch=original.import_batch,
        reverses_run=original,
        accept_valid=False,
        shard_rows=original.shard_rows,
        policy_version=original.policy_version,
        floor_date=floor,
        reason=reason,
        started_by=actor,
    )
    refuse_another(run)
    _refuse_settled(original)
    shards = [
        JournalShard(
            number=shard.number,
            txn_month=shard.txn_month,
            first_source_id=shard.first_source_id,
            last_source_id=shard.last_source_id,
            source_rows=shard.entries,
        )
        for shard in original.shards.filter(entries__gt=0).order_by("number")
    ]
    if not shards:
        raise NotReversible(run=original.pk, reason="it entered nothing")
    write(run, shards, actor)
    return run


def _refuse(original: JournalRun) -> None:
    if original.reverses_run_id is not None:
        raise NotReversible(
            run=original.pk, reason="it is a reversal; journalise the rows again to undo what it did"
        )
    if original.state != RunState.POSTED:
        raise NotReversible(run=original.pk, reason=f"it is {original.state}, and nothing of it was posted")
    by = original.reversals.exclude(state=RunState.FAILED).exclude(dry_run=True).first()
    if by is not None and by.state == RunState.POSTED:
        raise AlreadyReversed(run=original.pk, by=by.pk)


def _refuse_settled(original: JournalRun) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_SETTLED, {"run": original.pk, "block": LARGEST_SHARD, "named": NAMED})
        found = cursor.fetchall()
    if found:
        named = ", ".join(
            f"{row} (week of {week}, settled with {settled})" for row, week, settled, _ in found
        )
        raise RowsSettled(run=original.pk, count=found[0][3], rows=named)


def _chosen(original: JournalRun, on: date | None) -> date:
    """The accounting date of a reversal that does not follow the weeks. Raises NotReversible, DayClosed."""
    today = local_date(timezone.now())
    day = on or today
    if day > today:
        raise NotReversible(run=original.pk, reason=f"{day} is in the future")
    months = [date.fromisoformat(month) for shard in original.shards.all() for month in shard.months]
    if months and day < max(months):
        raise NotReversible(run=original.pk, reason=f"{day} is before some of its entries")
    refuse_closed_day(day)
    return day
