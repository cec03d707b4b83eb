"""What the database itself holds about other packs' source rows, tried from behind the services' backs."""

from pathlib import Path

import pytest
from django.db import DatabaseError, connection, transaction

from ledger.models import SourceReject, SourceTransaction

from .factories import drive, make_account
from .takaful_rows import claim, load, premium

pytestmark = pytest.mark.django_db

LEAF = "txn_source_201903"
CHANGED_COPY = """
INSERT INTO {table}
SELECT (jsonb_populate_record(t, %s::jsonb)).* FROM txn_source_parent t WHERE txn_type = %s LIMIT 1
"""


@pytest.fixture(autouse=True)
def _rows(tmp_path: Path) -> None:
    drive(make_account(), "15.00", {"MTA": "0.50"})
    load(premium(), claim(), folder=tmp_path)


def insert(change: str, txn_type: str, table: str = "txn_source_parent") -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(CHANGED_COPY.format(table=table), [change, txn_type])


@pytest.mark.parametrize("table", ["txn_source_parent", LEAF])
@pytest.mark.parametrize(
    ("txn_type", "change", "constraint"),
    [
        ("PREMIUM_RECEIPT", '{"id": 1, "gross_amount": 1000.000001}', "chk_takaful_balance"),
        ("PREMIUM_RECEIPT", '{"id": 1, "tanahud_amount": 0.01}', "chk_takaful_balance"),
        ("PREMIUM_RECEIPT", '{"id": 1, "admin_amount": 1}', "chk_takaful_balance"),
        ("CLAIM_PAID", '{"id": 1, "gross_amount": 800}', "chk_takaful_balance"),
        ("CLAIM_PAID", '{"id": 1, "admin_amount": 0}', "chk_takaful_balance"),
        ("CLAIM_PAID", '{"id": 1, "txn_type": "PREMIUM_RECEIPT"}', "chk_takaful_balance"),
        ("CLAIM_PAID", '{"id": 1, "ujroh_amount": 1}', "txn_source_takaful_is_whole"),
        ("CLAIM_PAID", '{"id": 1, "tanahud_amount": 1}', "txn_source_takaful_is_whole"),
        ("PREMIUM_RECEIPT", '{"id": 1, "admin_amount": null}', "txn_source_takaful_is_whole"),
        ("PREMIUM_RECEIPT", '{"id": 1, "policy_no": null}', "txn_source_takaful_is_whole"),
        (
            "PREMIUM_RECEIPT",
            '{"id": 1, "tabarru_amount": -300, "invest_amount": 1200}',
            "txn_source_takaful_is_whole",
        ),
        ("PREMIUM_RECEIPT", '{"id": 1, "account_id": 1}', "txn_source_trip_is_whole"),
        ("PREMIUM_RECEIPT", '{"id": 1, "fare": 0}', "txn_source_trip_is_whole"),
        ("PREMIUM_RECEIPT", '{"id": 1, "txn_type": "TRIP"}', "txn_source_trip_is_whole"),
        (
            "PREMIUM_RECEIPT",
            '{"id": 1, "txn_type": "OTHER", "week": "2019-03-03"}',
            "txn_source_trip_is_whole",
        ),
        ("TRIP", '{"id": 1, "account_id": null}', "txn_source_trip_is_whole"),
        ("TRIP", '{"id": 1, "cbd_toll": null}', "txn_source_trip_is_whole"),
        ("TRIP", '{"id": 1, "ended_at": null}', "txn_source_trip_is_whole"),
        ("TRIP", '{"id": 1, "policy_no": "LP-1"}', "txn_source_trip_is_whole"),
        ("TRIP", '{"id": 1, "tips": 1}', "chk_taxi_balance"),
        ("PREMIUM_RECEIPT", '{"id": 1, "gross_amount": null}', "gross_amount"),
        ("PREMIUM_RECEIPT", '{"id": 1, "bank_value_date": "2019-04-01"}', "txn_source_month_of_value_date"),
    ],
)
def test_a_row_that_cannot_be_is_refused(table: str, txn_type: str, change: str, constraint: str) -> None:
    with pytest.raises(DatabaseError, match=constraint):
        insert(change, txn_type, table)


@pytest.mark.parametrize("txn_type", ["TRIP", "PREMIUM_RECEIPT", "CLAIM_PAID"])
def test_the_same_row_with_another_id_passes_so_the_refusals_are_for_their_reasons(txn_type: str) -> None:
    insert('{"id": 1}', txn_type)
    assert SourceTransaction.objects.filter(txn_type=txn_type).count() == 2


def test_what_is_wrong_with_a_file_is_never_changed(tmp_path: Path) -> None:
    load(premium("P-9", channel=""), folder=tmp_path)
    assert SourceReject.objects.exists()
    for statement in (
        "UPDATE source_reject SET message = ''",
        "DELETE FROM source_reject",
        "TRUNCATE source_reject",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_the_index_for_accounts_holds_trips_alone_and_is_used_for_them() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            f"EXPLAIN SELECT count(*) FROM {LEAF} t JOIN driver_account a ON a.id = t.account_id WHERE t.account_id = 1"
        )
        plan = "\n".join(row for (row,) in cursor.fetchall())
        cursor.execute(
            f"SELECT indexdef FROM pg_indexes WHERE tablename = '{LEAF}' AND indexdef LIKE '%week%'"
        )
        assert "WHERE (account_id IS NOT NULL)" in cursor.fetchone()[0]
    assert "account_id_week_idx" in plan, plan
