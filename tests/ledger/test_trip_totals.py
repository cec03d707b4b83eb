"""What trips add up to, whatever the file: against a slow count in plain Decimals, row by row."""

import itertools
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batconnect.common.weeks import sunday_of
from leases.models import Lease
from ledger.engine.trips import COMPONENTS, PAYMENT_TYPES
from ledger.models import SourceTransaction, TripTotal
from tests.factories import make_lease

from .trip_files import load, trip

Row = dict[str, str]
TAXES = {
    "TAX": ("mta_tax", "mta_trips"),
    "IMPTAX": ("improvement_surcharge", "improvement_trips"),
    "CongFee": ("congestion_fee", "congestion_trips"),
    "airportFee": ("airport_fee", "airport_trips"),
    "cbdt": ("cbd_toll", "cbd_trips"),
}
FIRST = datetime(2019, 3, 1)
_rowids = itertools.count(800_001)

amounts = st.one_of(st.just(0), st.integers(-500, 5000), st.integers(-99_999_999, 99_999_999)).map(
    lambda cents: f"{Decimal(cents) / 100:.2f}"
)
# Lease, minutes after the first of March, components, payment type, cents the total is off, times in the file
trips = st.tuples(
    st.integers(0, 1),
    st.integers(0, 20 * 24 * 60),
    st.tuples(*[amounts] * len(COMPONENTS)),
    st.sampled_from(PAYMENT_TYPES),
    st.sampled_from([0, 0, 0, 0, 1, -100]),
    st.sampled_from([1, 1, 1, 2]),
)


@pytest.fixture
def leases(db: None) -> list[Lease]:
    return [make_lease(), make_lease()]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.lists(st.lists(trips, max_size=25), min_size=1, max_size=3))
def test_totals_equal_a_slow_count(leases: list[Lease], tmp_path: Path, files: list[list[Any]]) -> None:
    with transaction.atomic():
        rows = [[row for drawn in file for row in _rows(leases, drawn)] for file in files]
        # The last file brings everything once more: nothing of it may count again.
        everything = [row for file in rows for row in file]
        results = [load(tmp_path, *file) for file in [*rows, everything]]
        expected = _slow_totals(everything)
        assert _stored_totals() == expected
        assert sum(r.card_earnings for r in results) == sum(total["earnings"] for total in expected.values())
        assert sum(r.taxes for r in results) == sum(
            total[tax] for total in expected.values() for tax, _ in TAXES.values()
        )
        assert sum(r.accepted for r in results) == SourceTransaction.objects.count()
        assert results[-1].accepted == 0
        transaction.set_rollback(True)


def _rows(leases: list[Lease], drawn: Any) -> list[Row]:
    lease, minutes, parts, kind, off, times = drawn
    start = FIRST + timedelta(minutes=minutes)
    if start.hour == 2:  # the hour that does not exist on 2019-03-10
        start += timedelta(hours=1)
    total = sum(map(Decimal, parts)) + Decimal(off) / 100
    row = trip(
        leases[lease],
        ROWID=str(next(_rowids)),
        START_DATE=f"{start:%m/%d/%Y %H:%M:%S}",
        END_DATE=f"{start:%m/%d/%Y %H:%M:%S}",
        TOTAL_AMOUNT=f"{total:.2f}",
        PAYMENT_TYPE=kind,
        **dict(zip(COMPONENTS, parts, strict=True)),
    )
    return [row] * times


def _slow_totals(rows: Iterable[Row]) -> dict[Any, dict[str, Any]]:
    totals: dict[Any, dict[str, Any]] = defaultdict(lambda: defaultdict(Decimal))
    counted = set()
    for row in rows:
        parts = sum(Decimal(row[column]) for column in COMPONENTS)
        gross = Decimal(row["TOTAL_AMOUNT"])
        if parts != gross or abs(gross) >= 1_000_000 or row["ROWID"] in counted:
            continue
        counted.add(row["ROWID"])
        week = sunday_of(datetime.strptime(row["START_DATE"], "%m/%d/%Y %H:%M:%S").date())
        total = totals[row["CABNUMBER"], week]
        kind = {"C": "card_trips", "P": "card_trips", "$": "cash_trips"}.get(
            row["PAYMENT_TYPE"], "other_trips"
        )
        total[kind] += 1
        total["earnings"] += gross if kind == "card_trips" else 0
        for column, (tax, trips_taxed) in TAXES.items():
            charged = Decimal(row[column]) if kind != "other_trips" else Decimal(0)
            total[tax] += charged
            total[trips_taxed] += charged != 0
    return {key: dict(total) for key, total in totals.items()}


def _stored_totals() -> dict[Any, dict[str, Any]]:
    names = ("earnings", *itertools.chain.from_iterable(TAXES.values()))
    totals: dict[Any, dict[str, Any]] = defaultdict(lambda: defaultdict(Decimal))
    for row in TripTotal.objects.select_related("account__lease__medallion"):
        total = totals[row.account.lease.medallion.number, row.week]
        for name in names:
            total[name] += getattr(row, name)
        for name in ("card_trips", "cash_trips", "other_trips"):
            if getattr(row, name):
                total[name] += getattr(row, name)
    return {key: dict(total) for key, total in totals.items()}
