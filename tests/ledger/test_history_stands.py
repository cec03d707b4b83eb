"""What was written stays: UPDATE, DELETE and TRUNCATE are refused on every ledger table and every partition.

To the owner by triggers, to the application's role by its rights already.
"""

import re
from datetime import date
from decimal import Decimal

import polars as pl
import pytest
from django.apps import apps
from django.db import DatabaseError, connection, transaction
from django.db.utils import ProgrammingError

from batconnect.common.audit import system_user
from ledger.models import Account, Origin
from ledger.services.archives import archive_month
from ledger.services.entries import NewEntry, NewLine, enter
from ledger.services.months import close_month
from ledger.services.seals import seal_ledger
from ledger.services.source_files import load_source_file

from .desk_stories import live_at_the_desk
from .factories import MONDAY_AFTER
from .lived_in import LivedIn, execute, live_in, refused
from .takaful_rows import premium
from .test_application_role import as_application

pytestmark = pytest.mark.django_db

LEAF = "txn_source_201903"
# Each table of the ledger, with an UPDATE that must be refused.
TABLES = {
    "driver_account": "SET balance = balance",
    "ledger_posting": "SET description = 'as if'",
    "ledger_balance": "SET balance = balance",
    "ledger_allocation": "SET amount = amount",
    "interim_payment": "SET received_on = received_on",
    "dtr": "SET net_pay = net_pay",
    "dtr_payment": "SET method = method",
    "weekly_run": "SET result = result",
    "trip_total": "SET earnings = earnings + 1",
    "source_row_seen": "SET transaction_id = transaction_id",
    "source_reject": "SET message = message",
    "txn_source_parent": "SET week = week",
    LEAF: "SET week = week",
    "ledger_entry_header": "SET description = 'as if'",
    "ledger_entry_header_201903_0": "SET total = total",
    "ledger_entry_line": "SET amount = amount",
    "ledger_entry_line_201903_0": "SET amount = amount",
    "ledger_entry_reversal": "SET reversed_by_id = reversed_by_id",
    "source_row_journalised": "SET entry_id = entry_id",
    "guarded_balance": "SET balance = balance",
    "accounting_month_event": "SET reason = ''",
    "ledger_seal": "SET chain = digest",
    "archived_month": "SET rows = rows + 1",
    "archived_file": "SET sha256 = sha256",
    "archived_account_total": "SET debits = debits",
    "credit_decision": "SET reason = reason",
    "opening_import": "SET dated = dated",
    "drawer": "SET opened_at = opened_at",
    "drawer_movement": "SET amount = amount",
    "drawer_close": "SET kept = kept",
    "check_bounce": "SET reason = reason",
    "audit_entry": "SET action = action",
}
OUR_WORDS = "is refused|[Cc]annot (update|delete)|never deleted|only moves between|is closed"
# Settings and work lists: they change, and their changes are recorded elsewhere.
CHANGEABLE = {
    "category_rank", "ledger_historicalcategoryrank", "parked_row", "import_batch", "currency", "account_kind",
    "ledger_historicalaccountkind", "chart_of_accounts", "ledger_historicalaccount", "journal_template",
    "journal_template_match", "journal_template_line", "journal_template_control", "product_account_map",
    "template_policy", "accounting_month", "manual_journal", "account_balance_snapshot",
    # Runs move from state to state, and leave what stands; `test_bulk_rules_steps` and `_posting` try them.
    "journal_run", "journal_run_shard", "journal_run_reject", "journal_run_trip_total", "batch_account_total",
    # What drivers are paid by goes step by step; `test_ach_batches`, `_checks_and_cash` and `_nacha_returns` try them.
    "payout_instruction", "payout_hold", "payout_batch", "payout_item", "payout_checkbook", "payout_check",
    "payout_return_file", "payout_return",
}  # fmt: skip


@pytest.fixture(autouse=True)
def ledger() -> LivedIn:
    lived_in = live_in()
    actor = system_user()
    Account.objects.create(code="ACC-1", name="Alice", type="LIABILITY", kind_id="USER", overdraft_limit=0)
    bank, fees = Account.objects.get(code="1010"), Account.objects.get(code="5200")
    lines = [NewLine(fees.pk, Decimal("12.00")), NewLine(bank.pk, Decimal("-12.00"))]
    (fee,) = enter([NewEntry(je_date=MONDAY_AFTER, lines=lines)], origin=Origin.MANUAL, actor_id=actor.pk)
    back = [NewLine(line.account_id, -line.amount) for line in lines]
    undone = NewEntry(je_date=MONDAY_AFTER, lines=back, reverses_id=fee.entry_id, reverses_date=fee.je_date)
    enter([undone], origin=Origin.MANUAL, actor_id=actor.pk)
    close_month(month=date(2019, 2, 1), actor=actor, on=MONDAY_AFTER)
    seal_ledger(actor=actor)
    archive = archive_month(kind="LEDGER", month=date(2019, 2, 1), actor=actor)
    execute(
        "INSERT INTO archived_account_total (archive_id, account_id, fund, debits, credits)"
        " VALUES (%(archive)s, %(account)s, 'OP', 1, 0)",
        archive=archive.pk, account=bank.pk,
    )  # fmt: skip
    rejected = pl.DataFrame([premium(channel="")])
    load_source_file(pack="takaful", frame=rejected, actor=actor)
    live_at_the_desk()
    return lived_in


def test_not_even_the_owner_changes_what_was_written() -> None:
    for table, change in TABLES.items():
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {table}")
            assert cursor.fetchone()[0], f"{table}: nothing to protect, the rows' triggers would not be asked"
        for statement in (f"UPDATE {table} {change}", f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
            said = refused(statement)
            assert re.search(OUR_WORDS, said), f"{statement}: {said}"
        assert refused(f"TRUNCATE {table}")


def test_the_application_has_not_even_the_right_to() -> None:
    for table, change in TABLES.items():
        for statement in (f"UPDATE {table} {change}", f"DELETE FROM {table}", f"TRUNCATE {table}"):
            # A run that is not closed yet is the application's to write; that this one is, the trigger knows.
            said = "is closed" if statement.startswith("UPDATE weekly_run") else "permission denied"
            with pytest.raises(DatabaseError, match=said), transaction.atomic(), as_application():
                execute(statement)


def test_every_table_of_the_ledger_is_in_this_list() -> None:
    tables = {model._meta.db_table for model in apps.get_app_config("ledger").get_models()}
    leaves = {table for table in TABLES if table[-1].isdigit()}
    assert tables - CHANGEABLE == TABLES.keys() - leaves - {"audit_entry"}


def test_every_partition_refuses_to_be_emptied_by_itself() -> None:
    execute("SELECT ensure_txn_source_month('2019-07-01')")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'txn_source_parent'::regclass"
        )
        leaves = [leaf for (leaf,) in cursor.fetchall()]
    assert {LEAF, "txn_source_201907"} <= set(leaves)
    for leaf in leaves:
        assert "kept as they came" in refused(f"TRUNCATE {leaf}")


def test_a_trigger_of_ones_own_does_not_open_a_way_around(ledger: LivedIn) -> None:
    """The guards trust writes made by triggers; the application cannot make a trigger."""
    for statement in (
        "CREATE TRIGGER mine AFTER INSERT ON audit_entry FOR EACH ROW EXECUTE FUNCTION ledger_posting_inserted()",
        "CREATE FUNCTION mine() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "SET LOCAL session_replication_role = replica",
    ):
        with pytest.raises(ProgrammingError), transaction.atomic(), as_application():
            execute(statement)
