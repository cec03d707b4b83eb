"""Accounting months: closing them, reopening the last closed one, and which days a journal may be dated on.

A closed month takes nothing. In a reopened one manual journals, transfers and batches may be dated again, even in
its weeks that have run; driver postings and trips still take the first open day. The rules are the database's
(`accounting_month_guard`); here they are told before, with what to do.
"""

from datetime import date, timedelta

from django.db import connection

from batconnect.common import audit
from batconnect.common.models import User
from batconnect.common.transactions import money_transaction
from batconnect.common.weeks import WEEK, sunday_of

from ..models import AccountingMonth, ArchivedMonth, LedgerPosting, MonthEvent, TripTotal, WeeklyRun
from ..selectors.account_balances import last_day_of
from ..selectors.archives import is_away
from ..selectors.months import closed_through, first_month
from .errors import ClosedPeriod, LedgerError, translated
from .reasons import checked_reason
from .snapshots import drop_snapshots, take_snapshots


class NotAMonth(LedgerError):
    code, status = "month.not_first_day", 400
    message = "A month is named by its first day; {month} is not one."


class MonthClosed(LedgerError):
    code, status = "month.already_closed", 409
    message = "{month} is closed: months are closed through {closed_through}."


class MonthsInOrder(LedgerError):
    code, status = "month.out_of_order", 409
    message = "Months close in order; {next} comes before {month}."


class MonthNotEnded(LedgerError):
    code, status = "month.not_ended", 409
    message = "{month} has not ended; it can close from {first_day} on."


class WeekNotRun(LedgerError):
    code, status = "month.week_not_run", 409
    message = "The week of {week}, which ends in {month}, has not run. Run it first."


class MonthOpen(LedgerError):
    code, status = "month.not_closed", 409
    message = "{month} is not closed, so there is nothing to reopen."


class ReopensFirst(LedgerError):
    code, status = "month.reopens_first", 409
    message = "Months reopen in reverse order; {last} was closed last and reopens first."


class MonthAway(LedgerError):
    code, status = "month.archived", 409
    message = "{month} is archived. Bring it back first (restore_month), then reopen it."


_CLOSED_FOR_JOURNALS = """
SELECT greatest(months.through, weeks.through)
  FROM (SELECT ledger_months_closed_through() AS through) months,
       (SELECT ledger_closed_through() AS through) weeks
 WHERE %(day)s <= months.through
    OR (%(day)s <= weeks.through AND NOT EXISTS (
          SELECT FROM accounting_month WHERE month = %(month)s AND status = 'REOPENED'
       ))
"""


def check_open_for_journals(day: date) -> None:
    """Raise ClosedPeriod when what does not follow the weeks cannot be dated on this day."""
    with connection.cursor() as cursor:
        cursor.execute(_CLOSED_FOR_JOURNALS, {"day": day, "month": day.replace(day=1)})
        found = cursor.fetchone()
    if found:
        raise ClosedPeriod(date=day, closed_through=found[0])


@money_transaction
def close_month(*, month: date, actor: User, on: date) -> AccountingMonth:
    """Close a month (named by its first day) and keep what every account came to by its end.

    Raises what `obstacle_to_closing` finds, and MonthRefused. Source: domain.md, months.
    """
    obstacle = obstacle_to_closing(month=month, on=on)
    if obstacle:
        raise obstacle
    before = AccountingMonth.objects.filter(pk=month).values_list("status", flat=True).first()
    row = AccountingMonth(month=month, status=AccountingMonth.Status.CLOSED)
    with translated():
        # The guard waits for every posting on its way, so that the snapshots see all there is.
        row.save(force_insert=before is None, force_update=before is not None)
    MonthEvent.objects.create(month=row, status=row.status, created_by=actor)
    snapshots = take_snapshots(month=month)
    audit.record(
        actor=actor,
        action="month.closed",
        subject=f"month:{month:%Y-%m}",
        before={"status": before or "OPEN"},
        after={"status": row.status, "snapshots": snapshots},
    )
    return row


@money_transaction
def reopen_month(*, month: date, reason: str, actor: User) -> AccountingMonth:
    """Reopen the month that was closed last; its weeks stay closed.

    Raises ReasonLength, MonthOpen, ReopensFirst, MonthAway.
    """
    reason = checked_reason(reason)
    obstacle = obstacle_to_reopening(month=month)
    if obstacle:
        raise obstacle
    row = AccountingMonth(month=month, status=AccountingMonth.Status.REOPENED)
    with translated():
        row.save(force_update=True)
    MonthEvent.objects.create(month=row, status=row.status, reason=reason, created_by=actor)
    drop_snapshots(month=month)
    audit.record(
        actor=actor,
        action="month.reopened",
        subject=f"month:{month:%Y-%m}",
        before={"status": AccountingMonth.Status.CLOSED},
        after={"status": row.status, "reason": reason},
    )
    return row


def obstacle_to_closing(*, month: date, on: date) -> LedgerError | None:
    """Why this month cannot close on that day; None when it can."""
    if month.day != 1:
        return NotAMonth(month=month)
    last_day = last_day_of(month)
    through = closed_through()
    if through and month <= through:
        return MonthClosed(month=f"{month:%B %Y}", closed_through=through)
    next_month = next_to_close()
    if next_month and next_month < month:
        return MonthsInOrder(month=f"{month:%B %Y}", next=f"{next_month:%B %Y}")
    if on <= last_day:
        return MonthNotEnded(month=f"{month:%B %Y}", first_day=last_day + timedelta(days=1))
    week = _last_week(last_day)
    if _must_have_run(week) and not WeeklyRun.objects.filter(week=week, status="CLOSED").exists():
        return WeekNotRun(week=week, month=f"{month:%B %Y}")
    return None


def obstacle_to_reopening(*, month: date) -> LedgerError | None:
    """Why this month cannot reopen; None when it can."""
    through = closed_through()
    if not AccountingMonth.objects.filter(pk=month, status=AccountingMonth.Status.CLOSED).exists():
        return MonthOpen(month=f"{month:%B %Y}")
    if through and through.replace(day=1) != month:
        return ReopensFirst(last=f"{through:%B %Y}")
    if is_away(ArchivedMonth.Kind.LEDGER, month):
        return MonthAway(month=f"{month:%B %Y}")
    return None


def next_to_close() -> date | None:
    """The month that closes next: the one after the last closed, or the first with entries; None without any."""
    through = closed_through()
    return through + timedelta(days=1) if through else first_month()


def _last_week(last_day: date) -> date:
    """The last week (its Sunday) that ends by this day."""
    return sunday_of(last_day + timedelta(days=1)) - WEEK


def _must_have_run(week: date) -> bool:
    first = WeeklyRun.objects.order_by("week").values_list("week", flat=True).first()
    if first is not None:
        return first <= week
    return LedgerPosting.objects.exists() or TripTotal.objects.exists()
