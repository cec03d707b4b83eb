"""The role the application works as can do its work, and nothing that history forbids."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection, transaction
from django.db.utils import ProgrammingError

from batconnect.common.audit import system_user
from batconnect.common.roles import APPLICATION_ROLE
from ledger.models import DTR
from ledger.services import statements, voids

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
