"""Bank details: two people, one in force, encrypted, and an account number to be found nowhere else."""

import json
import logging
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, IntegrityError, connection, transaction
from rest_framework.test import APIClient

from batconnect.common.keys import bank_details_keys
from ledger.models import PayoutInstruction
from ledger.services.payouts import bank_details, nacha_file, sealing
from tests.factories import make_driver, make_user
from tests.ledger.payout_stories import OTHER_ROUTING, ROUTING, filed, net_pay, paid_by

pytestmark = pytest.mark.django_db
ACCOUNT = "48151623421"
KEY, NEWER = b"k" * 32, b"n" * 32


def request(driver: Any, actor: Any = None, **fields: str) -> PayoutInstruction:
    details = {"routing_number": ROUTING, "account_number": ACCOUNT, "account_type": "CHECKING", **fields}
    return bank_details.request_method(
        driver_id=driver.pk, method="ACH", actor=actor or make_user(), **details
    )


def test_a_change_is_in_force_once_another_person_approved_it():
    driver, clerk = make_driver(), make_user()
    first = request(driver, clerk)
    assert first.state == "REQUESTED"
    with pytest.raises(bank_details.OwnRequest):
        bank_details.approve_method(instruction_id=first.pk, actor=clerk)
    with pytest.raises(bank_details.AlreadyWaiting):
        request(driver)
    bank_details.approve_method(instruction_id=first.pk, actor=make_user())
    second = request(driver, account_number="99887766", routing_number=OTHER_ROUTING)
    first.refresh_from_db()
    assert first.state == "ACTIVE"
    bank_details.approve_method(instruction_id=second.pk, actor=make_user())
    first.refresh_from_db()
    assert first.state == "REPLACED"
    third = request(driver)
    bank_details.reject_method(instruction_id=third.pk, actor=make_user(), note="Not his signature")
    assert PayoutInstruction.objects.get(driver=driver, state="ACTIVE") == second
    with pytest.raises(bank_details.RequestDecided):
        bank_details.approve_method(instruction_id=third.pk, actor=make_user())


def test_the_database_keeps_to_two_people_and_one_in_force():
    driver, clerk = make_driver(), make_user()
    row = request(driver, clerk)
    rows = PayoutInstruction.objects.filter(pk=row.pk)
    with pytest.raises(IntegrityError, match="decided_by_another"), transaction.atomic():
        rows.update(state="ACTIVE", decided_by=clerk)
    with pytest.raises(DatabaseError, match="never edited"), transaction.atomic():
        rows.update(account_last4="0000")
    with pytest.raises(DatabaseError, match="cannot become"), transaction.atomic():
        rows.update(state="BLOCKED", decided_by=make_user())
    with pytest.raises(DatabaseError, match="Cannot delete"), transaction.atomic():
        rows.delete()
    bank_details.approve_method(instruction_id=row.pk, actor=make_user())
    with pytest.raises(DatabaseError), transaction.atomic():
        rows.update(state="REQUESTED")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"routing_number": "011000016"}, bank_details.BadRoutingNumber),
        ({"routing_number": ""}, bank_details.BadRoutingNumber),
        ({"account_number": "12"}, bank_details.BadAccountNumber),
        ({"account_number": "1234567890123456789"}, bank_details.BadAccountNumber),
        ({"account_number": "12 34 56"}, bank_details.BadAccountNumber),
        ({"account_type": "OTHER"}, bank_details.UnknownPayoutMethod),
    ],
)
def test_wrong_details_are_refused_without_saying_them(fields, error):
    with pytest.raises(error) as refused:
        request(make_driver(), **fields)
    assert ACCOUNT not in str(refused.value) and "1234567890" not in str(refused.value)
    assert not PayoutInstruction.objects.exists()


def test_what_is_sealed_opens_for_its_own_row_alone():
    first, second = request(make_driver()), request(make_driver(), account_number="99887766")
    assert bank_details.opened(first).account_number == ACCOUNT
    assert ACCOUNT not in first.sealed and ROUTING not in first.sealed
    first.sealed = second.sealed
    with pytest.raises(sealing.CannotOpen, match="not of this record"):
        bank_details.opened(first)


def test_keys_are_changed_without_losing_anything(settings):
    settings.BANK_DETAILS_KEYS = [KEY]
    row = request(make_driver())
    settings.BANK_DETAILS_KEYS = [NEWER, KEY]
    assert bank_details.opened(row).account_number == ACCOUNT
    assert bank_details.reseal(actor=make_user()) == 1 and bank_details.reseal(actor=make_user()) == 0
    row.refresh_from_db()
    settings.BANK_DETAILS_KEYS = [NEWER]
    assert bank_details.opened(row).account_number == ACCOUNT
    settings.BANK_DETAILS_KEYS = [KEY]
    with pytest.raises(sealing.CannotOpen, match="not among those"):
        bank_details.opened(row)


@pytest.mark.parametrize("given", [[], [""], ["c2hvcnQ="], ["not base64!"]])
def test_a_key_that_is_none_is_refused_and_not_shown(given):
    with pytest.raises(ImproperlyConfigured) as refused:
        bank_details_keys(given)
    assert "c2hvcnQ" not in str(refused.value)


def test_an_account_number_is_in_no_table_no_log_and_no_answer(caplog):
    """The whole way, then every text in the database and everything that was said is searched for it."""
    caplog.set_level(logging.DEBUG)
    (dtr,) = net_pay("300.00")
    paid_by(dtr, account_number=ACCOUNT)
    client = APIClient()
    client.force_authenticate(make_user(is_superuser=True))
    said = [
        client.post(
            f"/payments/drivers/{dtr.driver_id}/method",
            {"method": "ACH", "routing_number": ROUTING, "account_number": number, "account_type": "SAVINGS"},
            format="json",
            headers={"Idempotency-Key": f"key-{at}"},
        )
        for at, number in enumerate((ACCOUNT, ACCOUNT, f"{ACCOUNT}{ACCOUNT}"))
    ]
    assert [answer.status_code for answer in said] == [201, 409, 400]
    batch = filed()
    paths = ("pay-list", "batches", f"batches/{batch.number}", f"drivers/{dtr.driver_id}/methods", "returns")
    said += [client.get(f"/payments/{path}") for path in paths]
    refused = APIClient()
    refused.force_authenticate(make_user(permissions=["ledger.view_payoutbatch"]))
    assert refused.get(f"/payments/batches/{batch.number}/file").status_code == 403
    assert ACCOUNT.encode() in nacha_file.file_of(number=batch.number, actor=make_user())

    for answer in said:
        assert ACCOUNT not in answer.content.decode(), answer.content
    assert all(answer.status_code == 200 for answer in said[3:]), [answer.content for answer in said]
    assert ACCOUNT not in caplog.text
    assert ACCOUNT not in json.dumps([str(row) + repr(row) for row in PayoutInstruction.objects.all()])
    for table in connection.introspection.table_names():
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {table} t WHERE t::text LIKE %s", [f"%{ACCOUNT}%"])
            assert cursor.fetchone()[0] == 0, table


def test_the_last_digits_are_what_people_see():
    row = request(make_driver())
    assert str(row) == "ACH Checking ••••3421"
