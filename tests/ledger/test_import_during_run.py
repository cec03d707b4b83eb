"""What is committed while the weekly run settles or closes is in this week's money or in the next, never between."""

import threading
import time

import pytest
from django.db import connection, transaction
from django.utils import timezone

from batconnect.common.weeks import local_date, saturday_of, sunday_of
from ledger.models import LedgerPosting
from ledger.services.errors import ClosedPeriod

from .factories import SUNDAY, WEEK, broken_proofs, charge, drive, make_account, run


@pytest.mark.slow
@pytest.mark.parametrize(
    "moment", ["UPDATE trip_total", "ledger_post(", "WITH debits AS", "-- Freeze the DTRs"]
)
def test_trips_that_arrive_at_any_moment_of_the_run_are_settled_once(committing_database, moment):
    account = make_account()
    drive(account, "100.00", {"MTA": "0.50"})
    arrived = []

    def arrive_after(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        if moment in sql and not arrived:
            arrived.append(moment)
            # Another process's import, on a connection of its own, committed before the run goes on.
            other = threading.Thread(target=_drive_elsewhere, args=(account,))
            other.start()
            other.join()
        return result

    with connection.execute_wrapper(arrive_after):
        first = run()
    second = run(SUNDAY + WEEK)

    assert arrived
    assert (first["earnings"], second["earnings"]) == ("100.00", "200.00")
    assert (first["taxes"], second["taxes"]) == ("0.50", "0.50")
    assert LedgerPosting.objects.filter(category="EARNINGS").count() == 2
    assert broken_proofs() == []


def _drive_elsewhere(account):
    drive(account, "200.00", {"MTA": "0.50"})
    connection.close()


@pytest.mark.slow
def test_what_is_posted_while_its_week_closes_gets_the_first_open_day(committing_database):
    """The clerk began on Saturday; by the time it is posted, Sunday has come and the week is closing."""
    today = local_date(timezone.now())
    week = sunday_of(today) - WEEK
    saturday = saturday_of(week)
    account = make_account(starts_on=week)
    posted = []

    def post() -> None:
        try:
            posted.append(charge(account, "MISC", "5.00", on=saturday).effective_on)
        except ClosedPeriod as refused:
            posted.append(refused)
        finally:
            connection.close()

    clerk = threading.Thread(target=post)
    with transaction.atomic():
        run(week, today=today)
        clerk.start()
        _until_somebody_waits()
    clerk.join(30)
    assert posted == [week + WEEK]
    assert broken_proofs() == []


def _until_somebody_waits() -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    for _ in range(400):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")  # a transaction looks once otherwise
            cursor.execute(waiting)
            if cursor.fetchone()[0]:
                return
        time.sleep(0.05)
    pytest.fail("nobody came to wait")
