"""Trips committed while the weekly run settles are in this week's money or in the next, never between."""

import threading

import pytest
from django.db import connection

from ledger.models import LedgerPosting

from .factories import SUNDAY, WEEK, broken_proofs, drive, make_account, run


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
