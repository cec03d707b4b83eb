"""The rules the database itself holds about source rows, tried from behind the services' backs."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from django.db import DatabaseError, connection, transaction

from ledger.models import SourceTransaction
from tests.factories import make_lease

from .trip_files import load, trip

pytestmark = pytest.mark.django_db

LEAF = "txn_source_201903"
COPY_OF_A_ROW = """
INSERT INTO txn_source_parent
SELECT (jsonb_populate_record(t, %s::jsonb)).* FROM txn_source_parent t LIMIT 1
"""


@pytest.fixture(autouse=True)
def _one_trip(tmp_path: Path) -> Iterator[None]:
    load(tmp_path, trip(make_lease()))
    yield
    assert SourceTransaction.objects.count() >= 1


def refused(statement: str, parameters: list[str] | None = None) -> str:
    """Run a statement that has to fail; returns what the database said."""
    with pytest.raises(DatabaseError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, parameters)
    return str(caught.value)


@pytest.mark.parametrize("table", ["txn_source_parent", LEAF])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {} SET fare = fare + 1, gross_amount = gross_amount + 1",
        "UPDATE {} SET week = week",
        "DELETE FROM {}",
        "TRUNCATE {}",
        "TRUNCATE {} CASCADE",
    ],
)
def test_source_rows_are_never_changed_on_parent_or_leaf(table: str, statement: str) -> None:
    assert "kept as they came" in refused(statement.format(table))


@pytest.mark.parametrize("table", ["source_row_seen", "trip_total"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "TRUNCATE {}"])
def test_what_was_seen_and_counted_is_never_deleted(table: str, statement: str) -> None:
    refused(statement.format(table))


def test_a_row_seen_is_never_changed() -> None:
    refused("UPDATE source_row_seen SET transaction_id = 0")


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ('{"id": 1, "fare": 10.01}', "chk_taxi_balance"),
        ('{"id": 1, "gross_amount": 15.800001}', "chk_taxi_balance"),
        ('{"id": 1, "week": "2019-02-25"}', "txn_source_week_is_sunday"),
        ('{"id": 1, "bank_value_date": "2019-04-01"}', "txn_source_month_of_value_date"),
        ('{"id": 1, "ended_at": "2019-03-01T00:00:00-05:00"}', "txn_source_ends_after_start"),
        ('{"id": 1, "txn_month": "2019-03-02"}', "txn_source_month"),
        ('{"id": 1, "txn_month": "1990-01-01"}', "no partition"),
        ("{}", "txn_source_201903_pkey"),
    ],
)
def test_a_row_that_cannot_be_is_refused(change: str, constraint: str) -> None:
    assert constraint in refused(COPY_OF_A_ROW, [change])


def test_the_same_row_with_another_id_passes_so_the_refusals_above_are_for_their_reasons() -> None:
    with connection.cursor() as cursor:
        cursor.execute(COPY_OF_A_ROW, ['{"id": 1}'])
    assert SourceTransaction.objects.count() == 2


@pytest.mark.parametrize("table", ["txn_source_parent", LEAF])
def test_a_row_that_does_not_add_up_is_refused_on_the_leaf_too(table: str) -> None:
    statement = COPY_OF_A_ROW.replace("INSERT INTO txn_source_parent", f"INSERT INTO {table}")
    assert "chk_taxi_balance" in refused(statement, ['{"id": 1, "tips": 0}'])


@pytest.mark.parametrize("month", ["2019-03-02", "1980-01-01", "2199-01-01", "infinity"])
def test_only_months_within_reach_get_a_partition(month: str) -> None:
    before = partitions()
    refused("SELECT ensure_txn_source_month(%s)", [month])
    assert partitions() == before


def test_a_month_is_made_once_guarded_and_found_again() -> None:
    with connection.cursor() as cursor:
        for _ in range(2):
            cursor.execute("SELECT ensure_txn_source_month(%s)", [date(2020, 2, 1)])
            assert cursor.fetchone() == ("txn_source_202002",)
    assert "kept as they came" in refused("TRUNCATE txn_source_202002")


def partitions() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_inherits WHERE inhparent = 'txn_source_parent'::regclass")
        return cursor.fetchone()[0]
