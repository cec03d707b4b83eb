"""The role the application works as can do its work, and nothing that history forbids."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.utils import ProgrammingError

from batconnect.common.audit import system_user
from batconnect.common.roles import APPLICATION_ROLE
from ledger.models import DTR, Account, Currency
from ledger.services import drawers, statements, voids

from .factories import MONDAY_AFTER, broken_proofs, charge, drive, make_account, pay, run

pytestmark = pytest.mark.django_db

FORBIDDEN = [
    "UPDATE ledger_posting SET amount = amount",
    "DELETE FROM ledger_posting",
    "TRUNCATE ledger_posting",
    "INSERT INTO ledger_balance (posting_id) VALUES (uuid7())",
    "UPDATE ledger_balance SET balance = balance",
    "DELETE FROM ledger_balance",
    "UPDATE ledger_allocation SET amount = amount",
    "DELETE FROM ledger_allocation",
    "UPDATE driver_account SET balance = 0",
    "DELETE FROM driver_account",
    "UPDATE dtr SET net_pay = 0",
    "DELETE FROM dtr",
    "UPDATE dtr_payment SET amount = 1",
    "UPDATE audit_entry SET action = ''",
    "DELETE FROM audit_entry",
    "UPDATE txn_source_parent SET fare = 0",
    "DELETE FROM txn_source_parent",
    "DELETE FROM weekly_run",
    "DELETE FROM trip_total",
    "UPDATE trip_total SET earnings = 0",
    "UPDATE source_row_seen SET source = ''",
    "DELETE FROM import_batch",
    "DROP TABLE ledger_posting",
    "ALTER TABLE ledger_posting DISABLE TRIGGER ALL",
    "CREATE TABLE mine (id int)",
    "DELETE FROM django_migrations",
]


@contextmanager
def as_application() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {APPLICATION_ROLE}")
        yield  # an error undoes the role together with the savepoint it was set in
        cursor.execute("RESET ROLE")


def test_it_can_charge_settle_pay_void_and_prove():
    account = make_account(weekly_fee="100.00")
    with as_application():
        toll = charge(account, "EZPASS", "30.00")
        pay(account, "10.00")
        drive(account, "500.00", {"MTA": "5.00"})
        run()
        drawers.fund_drawer(
            cashier=system_user(), amount=Decimal("500.00"), actor=system_user(), on=MONDAY_AFTER
        )
        statements.pay_dtr(dtr=DTR.objects.get(), on=MONDAY_AFTER, method="CASH", actor=system_user())
        voids.void_posting(
            posting_id=toll.pk, reason="Another cab's toll", actor=system_user(), on=MONDAY_AFTER
        )
        assert broken_proofs() == []


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_it_cannot(statement):
    with (
        pytest.raises(ProgrammingError, match=r"permission denied|must be owner"),
        transaction.atomic(),
        as_application(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


KEYS_OF_THE_OWNER = {
    "ledger_lines_inserted": ("ledger_entry_line", "new_lines", "INSERT"),
    "ledger_headers_inserted": ("ledger_entry_header", "new_headers", "INSERT"),
    "ledger_posting_inserted": ("ledger_posting", "new_rows", "INSERT"),
    "ledger_allocation_inserted": ("ledger_allocation", "new_rows", "INSERT"),
}


@pytest.mark.parametrize("function", KEYS_OF_THE_OWNER)
def test_it_cannot_put_the_owners_triggers_on_a_table_of_its_own(function: str) -> None:
    """There they would move balances for rows that were never entered."""
    table, transition, operation = KEYS_OF_THE_OWNER[function]
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE invented (LIKE {table})")
        cursor.execute("ALTER TABLE invented OWNER TO batconnect_app")
        with (
            pytest.raises(ProgrammingError, match="permission denied for function"),
            transaction.atomic(),
            as_application(),
        ):
            cursor.execute(
                f"CREATE TRIGGER mine AFTER {operation} ON invented REFERENCING NEW TABLE AS {transition} "
                f"FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
            )


def test_nobody_else_may_call_what_runs_as_the_owner() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.proname FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a"
            " WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef AND a.grantee = 0"
        )
        assert cursor.fetchall() == []


def test_it_can_neither_give_up_a_control_account_nor_change_a_currency() -> None:
    with pytest.raises(DatabaseError, match="is a control account"), transaction.atomic(), as_application():
        Account.objects.filter(code="1200").update(control_origins=[])
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic(), as_application():
        Currency.objects.filter(code="USD").update(exponent=3)
