"""Money for tests to work with: accounts, charges, trips and runs, each made by the service that makes it.

The calendar of the stories is that of March 2019: `SUNDAY` is 2019-03-03, and `MONDAY_AFTER` the first day the
week can be looked back on.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import polars as pl
from django.db import connection

from batconnect.common.audit import system_user
from batconnect.common.weeks import NEW_YORK, saturday_of
from leases.models import Lease
from ledger.models import (
    Category,
    DriverAccount,
    ImportBatch,
    LedgerBalance,
    LedgerPosting,
    SourceRowSeen,
    Tax,
    TripTotal,
)
from ledger.selectors.proofs import run_proofs
from ledger.services import obligations, payments, weekly_close
from ledger.services.trip_entries import journalise
from tests.factories import make_lease

SUNDAY = date(2019, 3, 3)
SATURDAY = date(2019, 3, 9)
MONDAY_AFTER = date(2019, 3, 11)
WEEK = timedelta(days=7)

_numbers = count(1)

_TAX_COLUMNS = {
    Tax.MTA: ("mta_tax", "mta_trips"),
    Tax.IMPROVEMENT: ("improvement_surcharge", "improvement_trips"),
    Tax.CONGESTION: ("congestion_fee", "congestion_trips"),
    Tax.AIRPORT: ("airport_fee", "airport_trips"),
    Tax.CBD: ("cbd_toll", "cbd_trips"),
}


def make_account(**lease: Any) -> DriverAccount:
    """The account of a new lease; free of charge unless `weekly_fee` says otherwise."""
    return account_of(make_lease(**{"weekly_fee": "0.00", **lease}))


def account_of(lease: Lease) -> DriverAccount:
    return DriverAccount.objects.get(lease=lease)


def charge(
    account: DriverAccount, category: str, amount: str, reference: str = "", *, on: date = SUNDAY, **more: Any
) -> LedgerPosting:
    if category == "LOAN":
        more.setdefault("components", {"principal": amount, "interest": "0.00"})
    return obligations.create_obligation(
        account=account,
        category=category,
        amount=Decimal(amount),
        reference_id=reference or f"REF-{next(_numbers)}",
        actor=system_user(),
        on=on,
        **more,
    )


def pay(
    account: DriverAccount,
    amount: str,
    allocations: Mapping[str, str] | None = None,
    *,
    on: date = MONDAY_AFTER,
) -> LedgerPosting:
    """Cash at the desk; returns the credit posting."""
    return payments.apply_interim_payment(
        account=account,
        amount=Decimal(amount),
        allocations={reference: Decimal(part) for reference, part in (allocations or {}).items()},
        method="CASH",
        actor=system_user(),
        on=on,
    ).posting


def drive(
    account: DriverAccount, earnings: str, taxes: Mapping[str, str] | None = None, *, week: date = SUNDAY
) -> TripTotal:
    """One card trip on the week's Monday that earns this and owes these taxes, as an import would leave it."""
    owed = {Tax(tax): Decimal(amount) for tax, amount in (taxes or {}).items()}
    gross = Decimal(earnings)
    number = next(_numbers)
    batch = ImportBatch.objects.create(
        source="test", file_name=f"trip {number}", sha256="", rows=1, accepted=1, rejected=0, duplicates=0,
        card_earnings=gross, taxes=sum(owed.values(), Decimal(0)), created_by=system_user(),
    )  # fmt: skip
    transaction_id = _insert_trip(account, batch, week, gross, owed)
    SourceRowSeen.objects.create(
        source="test", source_rowid=f"T{number}", figures_hash=b"\0" * 32, transaction_id=transaction_id
    )
    trips = pl.DataFrame(
        {
            "id": [transaction_id],
            "rowid": [f"T{number}"],
            "account_id": [account.pk],
            "week": [week],
            "trip_on": [week + timedelta(days=1)],
            "payment_type": ["C"],
            "gross_amount": [gross],
        },
        schema_overrides={"gross_amount": pl.Decimal(14, 2)},
    )
    journalise(trips, actor_id=system_user().pk)
    columns: dict[str, Any] = {"journalised": gross}
    for tax, (amount_column, trips_column) in _TAX_COLUMNS.items():
        columns |= {amount_column: owed.get(tax, Decimal(0)), trips_column: int(tax in owed)}
    return TripTotal.objects.create(
        account=account,
        week=week,
        batch=batch,
        earnings=gross,
        card_trips=1,
        cash_trips=0,
        other_trips=0,
        **columns,
    )


def _insert_trip(
    account: DriverAccount, batch: ImportBatch, week: date, gross: Decimal, owed: Mapping[Tax, Decimal]
) -> int:
    started = datetime.combine(week + timedelta(days=1), datetime.min.time(), NEW_YORK).replace(hour=9)
    lease = account.lease
    row = {
        "txn_month": started.date().replace(day=1),
        "batch_id": batch.pk,
        "row_number": 1,
        "source": "test",
        "source_rowid": batch.file_name.replace("trip ", "T"),
        "txn_type": "TRIP",
        "product_code": "C",
        "channel": "CURB",
        "bank_value_date": started.date(),
        "currency": "USD",
        "gross_amount": gross,
        "account_id": account.pk,
        "driver_id": account.driver_id,
        "lease_id": account.lease_id,
        "medallion_id": lease.medallion_id,
        "vehicle_id": lease.vehicle_id,
        "week": week,
        "started_at": started,
        "ended_at": started + timedelta(minutes=20),
        "fare": gross - sum(owed.values(), Decimal(0)),
        "extras": 0,
        "tips": 0,
        "tolls": 0,
        **{columns[0]: owed.get(tax, Decimal(0)) for tax, columns in _TAX_COLUMNS.items()},
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT ensure_txn_source_month(%s)", [row["txn_month"]])
        cursor.execute(
            f"INSERT INTO txn_source_parent ({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))}) RETURNING id",
            list(row.values()),
        )
        return cursor.fetchone()[0]


def run(week: date = SUNDAY, *, today: date | None = None, **options: Any) -> dict[str, Any]:
    """The weekly run, by default on the Sunday after the week."""
    return weekly_close.run_week(
        week=week,
        today=today or saturday_of(week) + timedelta(days=1),
        actor=system_user(),
        workers=1,
        **options,
    )


def balance(account: DriverAccount) -> Decimal:
    return DriverAccount.objects.values_list("balance", flat=True).get(pk=account.pk)


def open_items(account: DriverAccount) -> dict[str, Decimal]:
    """What is open, by reference; reversals are always closed, so references stay apart."""
    return {
        f"{item.category}:{item.reference_id}": item.balance
        for item in LedgerBalance.objects.filter(account=account, status="OPEN")
    }


def open_of(posting: LedgerPosting) -> Decimal:
    return LedgerBalance.objects.values_list("balance", flat=True).get(pk=posting.pk)


def open_in(account: DriverAccount, category: Category) -> Decimal:
    """What is open of one category, debits less credits."""
    items = LedgerBalance.objects.filter(account=account, category=category)
    return sum((item.balance for item in items), Decimal("0.00"))


def broken_proofs() -> list[str]:
    """The proofs that fail now, with what breaks them; a story ends with none."""
    return [f"{proof.name}: {proof.detail}" for proof in run_proofs() if not proof.ok]
