"""One small week, run: every list and page of the admin has something to show."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client

from batconnect.common.audit import system_user
from batconnect.jobs.models import JobRun
from ledger.models import (
    DTR,
    CategoryRank,
    ImportBatch,
    InterimPayment,
    LedgerAllocation,
    LedgerBalance,
    LedgerPosting,
    ParkedRow,
    SourceTransaction,
    WeeklyRun,
)
from tests.factories import make_driver, make_lease, make_medallion, make_user
from tests.ledger.factories import MONDAY_AFTER, SUNDAY, account_of, charge, pay, run
from tests.ledger.trip_files import load, trip


@pytest.fixture
def week(db: None, tmp_path: Path) -> SimpleNamespace:
    """A lease with trips, charges and a payment, its week run; one row parked, one job failed."""
    lease = make_lease(
        driver=make_driver(tlc_license="5999999", name="Ann Lee"),
        medallion=make_medallion(number="9Z99"),
        weekly_fee="100.00",
        starts_on=SUNDAY,
    )
    account = account_of(lease)
    days = {"START_DATE": "03/04/2019 00:03:29", "END_DATE": "03/04/2019 00:13:32"}
    load(
        tmp_path,
        *(trip(lease, **days, TRIPFARE="100.00", TOTAL_AMOUNT="105.80") for _ in range(4)),
        trip(lease, **days, TOTAL_AMOUNT="99.99"),
    )
    misc = charge(account, "MISC", "30.00", "MISC-1", on=SUNDAY)
    run(SUNDAY)
    late = charge(account, "MISC", "50.00", "MISC-2", on=MONDAY_AFTER)
    pay(account, "20.00", {"MISC-2": "20.00"}, on=MONDAY_AFTER)
    JobRun.objects.create(kind="weekly_run", status="FAILED", error="It failed.", started_by=system_user())
    return SimpleNamespace(lease=lease, account=account, misc=misc, late=late, dtr=DTR.objects.get())


@pytest.fixture
def rows(week: SimpleNamespace) -> dict[str, Any]:
    """One record of every model that has screens here, by the name of its screens."""
    from batconnect.common.models import AuditEntry, User

    return {
        "ledger_ledgerposting": LedgerPosting.objects.get(pk=week.misc.pk),
        "ledger_ledgerbalance": LedgerBalance.objects.first(),
        "ledger_ledgerallocation": LedgerAllocation.objects.first(),
        "ledger_driveraccount": week.account,
        "ledger_interimpayment": InterimPayment.objects.get(),
        "ledger_dtr": week.dtr,
        "ledger_weeklyrun": WeeklyRun.objects.get(),
        "ledger_importbatch": ImportBatch.objects.get(),
        "ledger_parkedrow": ParkedRow.objects.get(),
        "ledger_sourcetransaction": SourceTransaction.objects.first(),
        "ledger_categoryrank": CategoryRank.objects.first(),
        "jobs_jobrun": JobRun.objects.get(),
        "common_auditentry": AuditEntry.objects.first(),
        "common_user": User.objects.first(),
    }


@pytest.fixture
def chief(client: Client, db: None) -> Client:
    client.force_login(make_user(username="chief", is_superuser=True))
    return client


@pytest.fixture
def clerk(client: Client, db: None) -> Any:
    """Log in as staff with these permissions and no others."""

    def log_in(*permissions: str) -> Client:
        client.force_login(make_user(permissions=permissions))
        return client

    return log_in
