"""The weekly run: installments, settlement, DTRs, and the closing of the week; safe to kill and to repeat.

Accounts are worked in chunks, one transaction each, from taxes to DTR. A DTR is the mark that an account is
done, so a run that was killed goes on with the accounts that have none. Only one run works at a time. How the
steps hang together is told in `ledger/README.md`.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from functools import partial
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Max

from batconnect.common import audit, locks
from batconnect.common.models import User
from batconnect.common.numbers import reserve_numbers
from batconnect.common.transactions import money_transaction
from batconnect.common.weeks import WEEK, check_sunday, installments_due_through, saturday_of, sunday_of

from ..models import WeeklyRun
from .accounts import lock_accounts
from .earnings import apply_weekly_earnings
from .errors import LedgerError, translated
from .installments import InstallmentSource, register_source, registered_sources
from .obligations import create_obligations
from .shared_work import shared
from .statements import freeze_dtrs

__all__ = [
    "check_week", "post_scheduled_installments", "register_source", "run_at_work", "run_week", "week_to_run"
]  # fmt: skip

Progress = Callable[[str, int, int], None]

CHUNK_OF_ACCOUNTS = 1_000
CHUNK_OF_INSTALLMENTS = 2_500

ACCOUNTS_TO_RUN = """
SELECT a.id
  FROM driver_account a
  JOIN lease l ON l.id = a.lease_id
  LEFT JOIN LATERAL (
    SELECT d.week, d.through_posting_seq FROM dtr d WHERE d.account_id = a.id ORDER BY d.week DESC LIMIT 1
  ) last ON true
 WHERE last.week IS DISTINCT FROM %(week)s
   AND (
     (l.status <> 'CANCELLED' AND l.starts_on <= %(saturday)s AND (l.ends_on IS NULL OR l.ends_on >= %(week)s))
     OR EXISTS (SELECT FROM ledger_balance b WHERE b.account_id = a.id AND b.status = 'OPEN')
     OR EXISTS (SELECT FROM trip_total t
                 WHERE t.account_id = a.id AND t.settled_week IS NULL AND t.week <= %(week)s)
     OR EXISTS (SELECT FROM ledger_posting p
                 WHERE p.account_id = a.id AND p.seq > coalesce(last.through_posting_seq, 0))
   )
 ORDER BY a.id
"""

RESULT = """
SELECT count(DISTINCT lease_id), coalesce(sum(gross_earnings), 0.00), coalesce(sum(taxes), 0.00),
       coalesce(sum(allocated), 0.00), coalesce(sum(net_pay), 0.00), coalesce(sum(open_debits), 0.00), count(*),
       coalesce(sum((
         SELECT sum((line ->> 'charges')::numeric) FROM jsonb_array_elements(figures -> 'categories') line
          WHERE line ->> 'category' <> 'PAYOUT'
       )), 0.00)
  FROM dtr WHERE week = %s
"""


RESULT_NAMES = (
    "week", "leases", "installments_posted", "earnings", "taxes", "allocated", "net_pay", "open_receivables", "dtrs"
)  # fmt: skip


class WeekNotEnded(LedgerError):
    code, status = "week.not_ended", 409
    message = "The week of {week} ends on {saturday}; run it from {first_day} on."


class WeekOutOfOrder(LedgerError):
    code, status = "week.out_of_order", 409
    message = "Weeks close in order: the next one to run is {expected}, not {week}."


class RunInProgress(LedgerError):
    code, status = "week.run_in_progress", 409
    message = "A weekly run is at work already; watch that one, or try again when it has ended."


def week_to_run(*, today: date) -> date | None:
    """The oldest week that has ended and is not closed; before any run ever, the one that ended last.

    None when every week that has ended is closed.
    """
    last_closed = _last_closed()
    week = last_closed + WEEK if last_closed else _started_first() or sunday_of(today) - WEEK
    return week if saturday_of(week) < today else None


def check_week(*, week: date, today: date) -> WeeklyRun | None:
    """Whether a week may be run today. A closed one may: its run is returned, for it gives its result again.

    Raises NotASunday, WeekTooFar, WeekNotEnded, WeekOutOfOrder.
    """
    check_sunday(week)
    closed = WeeklyRun.objects.filter(week=week, status=WeeklyRun.Status.CLOSED).first()
    if closed:
        return closed
    if today <= saturday_of(week):
        raise WeekNotEnded(week=week, saturday=saturday_of(week), first_day=week + WEEK)
    last_closed = _last_closed()
    expected = last_closed + WEEK if last_closed else _started_first() or week
    if week != expected:
        raise WeekOutOfOrder(week=week, expected=expected)
    return None


def run_at_work() -> bool:
    """Whether a weekly run is at work at this moment; for what comes after the run of its day."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock_shared(%s)", [locks.WEEKLY_RUN])
        (free,) = cursor.fetchone()
        if free:
            cursor.execute("SELECT pg_advisory_unlock_shared(%s)", [locks.WEEKLY_RUN])
    return not free


def post_scheduled_installments(
    *, week: date, today: date, actor: User, progress: Progress | None = None
) -> int:
    """The 05:00 step: every installment due by the Saturday after the run's Sunday becomes an obligation.

    Returns how many the week's run has posted in all. A week that is closed already is left as it is. Raises
    NotASunday, WeekTooFar, WeekNotEnded, WeekOutOfOrder, RunInProgress.
    """
    with _run_lock():
        run = _open_run(week=week, today=today, actor=actor)
        if run.status != WeeklyRun.Status.CLOSED:
            _post_installments(run, actor, progress or _silent, _connections(settings.WEEKLY_RUN_WORKERS))
        return WeeklyRun.objects.values_list("installments_posted", flat=True).get(pk=week)


def run_week(
    *,
    week: date,
    today: date,
    actor: User,
    dry_run: bool = False,
    progress: Progress | None = None,
    workers: int | None = None,
) -> dict[str, Any]:
    """Run a week to its end and close it, or say what that would give (`dry_run`, nothing kept).

    Returns {week, leases, installments_posted, earnings, taxes, allocated, net_pay, open_receivables, dtrs},
    amounts as strings. A closed week gives its stored result again. `workers` connections share the work.
    Raises as `check_week`, and RunInProgress. Source: domain.md, the weekly run.
    """
    progress = progress or _silent
    with _run_lock():
        if not dry_run:
            return _run(week, today, actor, progress, _connections(workers or settings.WEEKLY_RUN_WORKERS))
        with transaction.atomic():
            # On this connection alone: others would not see what is only tried out.
            result = _run(week, today, actor, progress, workers=1)
            transaction.set_rollback(True)
        return result


def _run(week: date, today: date, actor: User, progress: Progress, workers: int) -> dict[str, Any]:
    run = _open_run(week=week, today=today, actor=actor)
    if run.status == WeeklyRun.Status.CLOSED:
        return _told(run.result or {})
    if run.status == WeeklyRun.Status.OPEN:
        _post_installments(run, actor, progress, workers)
    while True:
        _settle_accounts(week, actor, progress, workers)
        result = _close(week, actor)
        if result is not None:
            progress("Closed", 1, 1)
            return result


def _open_run(*, week: date, today: date, actor: User) -> WeeklyRun:
    closed = check_week(week=week, today=today)
    if closed:
        return closed
    with transaction.atomic():  # a run that is killed here is recorded as started, or was not started
        run, created = WeeklyRun.objects.get_or_create(week=week, defaults={"started_by": actor})
        if created:
            audit.record(actor=actor, action="week.started", subject=f"week:{week}")
    return run


def _last_closed() -> date | None:
    return WeeklyRun.objects.filter(status=WeeklyRun.Status.CLOSED).aggregate(last=Max("week"))["last"]


def _started_first() -> date | None:
    """The first week ever started: once begun, it is the one that decides the calendar."""
    return WeeklyRun.objects.order_by("week").values_list("week", flat=True).first()


def _connections(workers: int) -> int:
    """On how many connections to work: inside a transaction on its own, for others would not see what it did."""
    return 1 if connection.in_atomic_block else max(workers, 1)


def _post_installments(run: WeeklyRun, actor: User, progress: Progress, workers: int) -> None:
    through = installments_due_through(run.week)
    for source in registered_sources():
        progress(f"Installments: {source.name}", 0, 0)
        source.prepare(through=through)
        post_some = partial(_post_some, source, run.week, through, actor, workers)
        posted = 0
        for count in shared(post_some, workers=workers):
            posted += count
            progress(f"Installments: {source.name}", posted, posted)
    WeeklyRun.objects.filter(pk=run.week).update(status=WeeklyRun.Status.INSTALLMENTS_POSTED)


@money_transaction
def _post_some(
    source: InstallmentSource, week: date, through: date, actor: User, workers: int, worker: int
) -> int | None:
    _join_run()
    due = source.due(through=through, limit=CHUNK_OF_INSTALLMENTS, part=worker, parts=workers)
    if not due:
        return None
    posted = create_obligations(
        obligations=[installment.obligation for installment in due],
        actor=actor,
        on=saturday_of(week),
        accounting_date=saturday_of(week),
        run_week=week,
    )
    source.mark_posted(
        [(installment.source_id, made.posting_id) for installment, made in zip(due, posted, strict=True)]
    )
    WeeklyRun.objects.filter(pk=week).update(installments_posted=F("installments_posted") + len(due))
    return len(due)


def _settle_accounts(week: date, actor: User, progress: Progress, workers: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(ACCOUNTS_TO_RUN, {"week": week, "saturday": saturday_of(week)})
        accounts = [row[0] for row in cursor.fetchall()]
    if not accounts:
        return
    numbers = _reserve_dtr_numbers(week, len(accounts))
    chunks = [
        dict(zip(accounts[i : i + CHUNK_OF_ACCOUNTS], numbers[i : i + CHUNK_OF_ACCOUNTS], strict=True))
        for i in range(0, len(accounts), CHUNK_OF_ACCOUNTS)
    ]
    todo = deque(chunks)

    def settle_next(worker: int) -> int | None:
        try:
            chunk = todo.popleft()
        except IndexError:
            return None
        _settle_chunk(numbers=chunk, week=week, actor_id=actor.pk)
        return len(chunk)

    done = 0
    progress("Settling leases", done, len(accounts))
    for settled in shared(settle_next, workers=min(workers, len(chunks))):
        done += settled
        progress("Settling leases", done, len(accounts))


@money_transaction
def _settle_chunk(*, numbers: dict[int, str], week: date, actor_id: int) -> None:
    _join_run()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '64MB'")  # a chunk's postings are sorted in memory, not on disk
    lock_accounts(numbers)
    allocated = apply_weekly_earnings(account_ids=list(numbers), week=week, actor_id=actor_id)
    freeze_dtrs(numbers=numbers, week=week, allocated=allocated)


@transaction.atomic
def _reserve_dtr_numbers(week: date, count: int) -> Sequence[str]:
    # Committed at once, so that chunks do not wait for each other on the counter; a killed run leaves a gap.
    return reserve_numbers(prefix="DTR", year=saturday_of(week).year, count=count)


@money_transaction
def _close(week: date, actor: User) -> dict[str, Any] | None:
    """Close the week and keep its result; None when accounts turned up meanwhile that still need their DTR."""
    with translated(), connection.cursor() as cursor:
        # Waits for postings under way, and holds new ones back until the week is closed.
        cursor.execute("SELECT pg_advisory_xact_lock(ledger_calendar_lock())")
        cursor.execute(ACCOUNTS_TO_RUN, {"week": week, "saturday": saturday_of(week)})
        if cursor.fetchone():
            return None
        # The database's own clock, read under the lock: postings carry it too.
        cursor.execute("SELECT clock_timestamp()")
        (closed_at,) = cursor.fetchone()
        cursor.execute(RESULT, [week])
        leases, earnings, taxes, allocated, net_pay, receivables, dtrs, charged = cursor.fetchone()
    run = WeeklyRun.objects.get(pk=week)
    run.result = {
        "week": str(week),
        "leases": leases,
        "installments_posted": run.installments_posted,
        "earnings": str(earnings),
        "taxes": str(taxes),
        "allocated": str(allocated),
        "net_pay": str(net_pay),
        "open_receivables": str(receivables),
        "dtrs": dtrs,
        "charged": str(charged),
    }
    run.status = WeeklyRun.Status.CLOSED
    run.closed_at = closed_at
    with translated():
        run.save()
    audit.record(actor=actor, action="week.closed", subject=f"week:{week}", after=run.result)
    return _told(run.result)


def _told(result: Mapping[str, Any]) -> dict[str, Any]:
    """What a run answers; the week keeps more for its screens: all that its DTRs charged (`charged`)."""
    return {name: result[name] for name in RESULT_NAMES}


@contextmanager
def _run_lock() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [locks.WEEKLY_RUN])
        if not cursor.fetchone()[0]:
            raise RunInProgress
    try:
        with connection.cursor() as cursor:
            # A run that was killed may have left a chunk that is just being committed: it ends before we look.
            cursor.execute("SELECT pg_advisory_lock(%s)", [locks.WEEKLY_RUN_CHUNK])
            cursor.execute("SELECT pg_advisory_unlock(%s)", [locks.WEEKLY_RUN_CHUNK])
        yield
    finally:
        # After a lost connection there is nothing to unlock: the server has done it.
        if connection.connection is not None and not connection.connection.closed and connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [locks.WEEKLY_RUN])


def _join_run() -> None:
    """Let the next run wait until this transaction has ended, whatever becomes of the process it belongs to."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [locks.WEEKLY_RUN_CHUNK])


def _silent(step: str, done: int, total: int) -> None:
    """No one is watching."""
