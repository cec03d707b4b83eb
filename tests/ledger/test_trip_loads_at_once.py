"""Loads that must really commit: two at once, many blocks, and a process killed half-way."""

import threading
import time
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from django.db import connections

from batconnect.common.audit import system_user
from ledger.models import ImportBatch, ParkedRow, SourceTransaction, TripTotal
from ledger.services.trips import TripImport, import_trips
from tests.databases import start_manage
from tests.factories import make_lease

from .trip_files import load, trip, written

ROWS = 80_000  # some 9 MB: three blocks


def test_two_imports_of_one_file_at_once_end_as_one(committing_database: str, tmp_path: Path) -> None:
    lease = make_lease()
    path = tmp_path / "trips.csv"
    path.write_bytes(written([*(trip(lease) for _ in range(500)), trip(lease, TOTAL_AMOUNT="1.00")]))
    actor, results, gate = system_user(), list[TripImport](), threading.Barrier(4)

    def one() -> None:
        try:
            gate.wait(10)
            results.append(import_trips(path=path, actor=actor))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(result.accepted for result in results) == [0, 0, 0, 500]
    assert sorted(result.duplicates for result in results) == [0, 500, 500, 500]
    assert [result.rejected for result in results] == [1] * 4
    assert SourceTransaction.objects.count() == 500
    assert ParkedRow.objects.count() == 1
    assert [total.earnings for total in TripTotal.objects.all()] == [Decimal("7900.00")]


@pytest.mark.slow
@pytest.mark.django_db
def test_a_file_of_many_blocks_is_one_load_with_one_total(tmp_path: Path) -> None:
    lease = make_lease()
    first = trip(lease)
    rows = [
        first,
        *(trip(lease) for _ in range(ROWS)),
        first,
        {**first, "TRIPTIPS": "1.00", "TOTAL_AMOUNT": "14.80"},
    ]
    result = load(tmp_path, *rows)
    assert (result.rows, result.accepted, result.duplicates) == (ROWS + 3, ROWS + 1, 1)
    assert [(row.row_number, row.reason) for row in ParkedRow.objects.all()] == [
        (ROWS + 4, "REPEATED_IN_FILE")
    ]
    total = TripTotal.objects.get()
    assert (total.earnings, total.card_trips) == (Decimal("15.80") * (ROWS + 1), ROWS + 1)


@pytest.mark.slow
@pytest.mark.thorough
def test_an_import_killed_half_way_leaves_nothing_and_is_simply_run_again(
    committing_database: str, tmp_path: Path
) -> None:
    lease = make_lease()
    path = tmp_path / "trips.csv"
    path.write_bytes(written(trip(lease) for _ in range(ROWS)))
    process = start_manage(committing_database, "import_trips", str(path))
    try:
        _wait_until_rows_are_written(committing_database)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode < 0, "it ended before it was killed"
    assert ImportBatch.objects.count() == SourceTransaction.objects.count() == 0
    assert import_trips(path=path, actor=system_user()).accepted == ROWS
    assert TripTotal.objects.get().earnings == Decimal("15.80") * ROWS


def _wait_until_rows_are_written(url: str) -> None:
    """The sequence of transaction ids is seen from outside even while the load has not committed."""
    with psycopg.connect(url, autocommit=True) as connection:
        deadline = time.monotonic() + 60
        while connection.execute("SELECT is_called FROM txn_source_id_seq").fetchone() != (True,):
            assert time.monotonic() < deadline, "the load never began to write"
            time.sleep(0.005)
