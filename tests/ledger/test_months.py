"""Months close in order after their weeks have run, and the last one reopens for journals, not for postings."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from batconnect.common.models import AuditEntry
from ledger.models import AccountingMonth, BalanceSnapshot, EntryHeader, LedgerPosting, MonthEvent
from ledger.selectors.months import months_until
from ledger.services import journals, months
from ledger.services.errors import ClosedPeriod, LedgerError
from ledger.services.reasons import ReasonLength

from .factories import SUNDAY, WEEK, charge, make_account, run
from .journal_stories import FEE_DAY, TODAY, accountant, controller, enter, moved, submit, written
from .test_application_role import as_application

pytestmark = pytest.mark.django_db

MARCH, APRIL, MAY = date(2019, 3, 1), date(2019, 4, 1), date(2019, 5, 1)
LAST_WEEK = date(2019, 3, 24)  # ends on Saturday, March 30: the last to end in March
WHY = "The bank sent a corrected statement."


def refused(error: type[LedgerError], act: Callable[[], Any]) -> str:
    before = written()
    with pytest.raises(error) as caught:
        act()
    assert written() == before
    return str(caught.value)


def close(month: date = MARCH, on: date = TODAY) -> AccountingMonth:
    return months.close_month(month=month, actor=controller(), on=on)


def reopen(month: date = MARCH, reason: str = WHY) -> AccountingMonth:
    return months.reopen_month(month=month, reason=reason, actor=controller())


def statuses(today: date = TODAY) -> dict[date, str]:
    return {row.month: row.status for row in months_until(today)}


def test_a_month_closes_is_reopened_for_one_entry_and_closes_again() -> None:
    entry = enter()
    close()
    assert statuses() == {APRIL: "OPEN", MARCH: "CLOSED"}
    snapshot = BalanceSnapshot.objects.get(month=MARCH, account__code="5200")
    assert snapshot.closing == moved("5200") == 35
    ann = accountant()
    assert "closed through 2019-03-31" in refused(ClosedPeriod, lambda: submit(by=ann, lines=None))

    reopen()
    assert statuses()[MARCH] == "REOPENED"
    assert not BalanceSnapshot.objects.exists()
    late = enter(je_date=date(2019, 3, 31))
    assert (late.je_date, entry.je_date) == (date(2019, 3, 31), FEE_DAY)

    close()
    assert BalanceSnapshot.objects.get(month=MARCH, account__code="5200").closing == 70
    assert list(MonthEvent.objects.values_list("month_id", "status", "reason")) == [
        (MARCH, "CLOSED", ""), (MARCH, "REOPENED", WHY), (MARCH, "CLOSED", ""),
    ]  # fmt: skip
    trail = AuditEntry.objects.filter(subject="month:2019-03").order_by("id")
    assert [(row.action, (row.before or {})["status"]) for row in trail] == [
        ("month.closed", "OPEN"), ("month.reopened", "CLOSED"), ("month.closed", "REOPENED"),
    ]  # fmt: skip


def test_a_reopened_month_takes_journals_in_its_closed_weeks_and_postings_on_the_first_open_day() -> None:
    account = make_account()
    charge(account, "MISC", "10.00", on=SUNDAY)
    for number in range(4):
        run(SUNDAY + number * WEEK)
    close()
    reopen()
    assert enter(je_date=FEE_DAY).je_date == FEE_DAY  # a day of a closed week
    late = charge(account, "MISC", "5.00", on=FEE_DAY)
    assert late.effective_on == date(2019, 3, 31)  # the day after the last closed week
    assert EntryHeader.objects.get(posting=late).je_date == date(2019, 3, 31)


def test_a_posting_of_a_closed_month_takes_the_first_of_the_next() -> None:
    account = make_account()
    charge(account, "MISC", "10.00", on=SUNDAY)
    for number in range(4):
        run(SUNDAY + number * WEEK)
    close()
    late = charge(account, "MISC", "5.00", on=date(2019, 3, 31))
    assert late.effective_on == APRIL
    assert LedgerPosting.objects.get(pk=late.pk).event_on == date(2019, 3, 31)


def test_a_month_waits_for_the_last_week_that_ends_in_it() -> None:
    charge(make_account(), "MISC", "10.00", on=SUNDAY)
    said = refused(months.WeekNotRun, close)  # no week was ever run
    assert "2019-03-24" in said
    for number in range(3):
        run(SUNDAY + number * WEEK)
    refused(months.WeekNotRun, close)
    run(LAST_WEEK)
    close()


def test_a_month_whose_first_week_comes_later_needs_no_run() -> None:
    """Entries from before the first week ever run: a fleet that kept books before it settled here."""
    enter(je_date=date(2019, 1, 15))
    account = make_account()
    charge(account, "MISC", "10.00", on=SUNDAY)
    run(SUNDAY)
    close(date(2019, 1, 1))
    close(date(2019, 2, 1))
    refused(months.WeekNotRun, close)


@pytest.mark.parametrize(
    ("month", "on", "error"),
    [
        (date(2019, 3, 2), TODAY, months.NotAMonth),
        (MARCH, date(2019, 3, 31), months.MonthNotEnded),
        (APRIL, TODAY, months.MonthsInOrder),
    ],
)
def test_a_month_does_not_close(month: date, on: date, error: type[LedgerError]) -> None:
    enter()
    refused(error, lambda: close(month, on))


def test_the_day_after_its_last_it_closes() -> None:
    enter()
    close(MARCH, on=APRIL)
    refused(months.MonthClosed, lambda: close(MARCH))
    refused(months.MonthClosed, lambda: close(date(2019, 2, 1)))
    refused(months.MonthsInOrder, lambda: close(MAY, on=date(2019, 7, 1)))
    close(APRIL, on=MAY)  # nothing happened in April; it closes all the same


def test_the_last_closed_month_reopens_first_and_only_what_is_closed() -> None:
    enter()
    refused(months.MonthOpen, reopen)
    close()
    close(APRIL, on=MAY)
    assert "April 2019" in refused(months.ReopensFirst, reopen)
    refused(ReasonLength, lambda: reopen(APRIL, "too short"))
    reopen(APRIL)
    refused(months.MonthOpen, lambda: reopen(APRIL))
    reopen(MARCH)
    refused(months.MonthsInOrder, lambda: close(APRIL, on=MAY))


def test_a_month_that_closes_meanwhile_stops_what_waits() -> None:
    enter()
    journal, bob = submit(), controller()
    close()
    refused(ClosedPeriod, lambda: journals.approve_journal(number=journal.number, actor=bob))
    reopen()
    journals.approve_journal(number=journal.number, actor=bob)


def test_without_any_entry_there_is_only_the_month_of_today() -> None:
    assert statuses() == {APRIL: "OPEN"}
    assert months.next_to_close() is None


def test_the_role_the_application_works_as_may_do_all_of_this() -> None:
    ann, bob = accountant(), controller()
    with as_application():
        entry = enter(by=ann, approver=bob)
        mirror = journals.reverse_journal(je_number=entry.je_number, reason=WHY, actor=ann, on=TODAY)
        journals.approve_journal(number=mirror.number, actor=bob)
        journals.reject_journal(number=submit(by=ann).number, note="Not ours at all.", actor=bob)
        months.close_month(month=MARCH, actor=bob, on=TODAY)
        months.reopen_month(month=MARCH, reason=WHY, actor=bob)
    assert moved("5200") == 0
