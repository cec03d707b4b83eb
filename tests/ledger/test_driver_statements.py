"""A driver's statement: what it begins with, every posting with the balance after it, and the file handed over."""

import csv
import io
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from ledger.models import DriverAccount
from ledger.selectors.driver_statements import driver_statement
from tests.factories import make_user
from tests.ledger.factories import MONDAY_AFTER, SUNDAY, charge, drive, make_account, pay, run

pytestmark = pytest.mark.django_db
PERIOD = {"from": "2019-03-11", "to": "2019-03-31"}


@pytest.fixture
def account() -> DriverAccount:
    """300 charged and 260 earned in the week of March 3: 40 stay owed. Then a key for 50, and 20 at the desk."""
    found = make_account()
    charge(found, "TLC", "300.00", "TICKET")
    drive(found, "260.00")
    run(SUNDAY)
    charge(found, "MISC", "50.00", "KEY", on=MONDAY_AFTER)
    pay(found, "20.00", {"TICKET": "20.00"})
    return found


def test_it_begins_with_what_was_owed_and_ends_with_the_balance(account: DriverAccount) -> None:
    found = driver_statement(account=account, start=MONDAY_AFTER, end=date(2019, 3, 31))
    assert (found.opening, found.charged, found.credited, found.closing) == tuple(
        Decimal(amount) for amount in ("40.00", "50.00", "20.00", "70.00")
    )
    assert [(row.posting.category, str(row.balance)) for row in found.rows] == [
        ("MISC", "90.00"),
        ("INTERIM_PAYMENT", "70.00"),
    ]
    account.refresh_from_db()
    assert found.closing == account.balance


def test_two_periods_meet(account: DriverAccount) -> None:
    first = driver_statement(account=account, start=SUNDAY, end=date(2019, 3, 10))
    second = driver_statement(account=account, start=date(2019, 3, 11), end=date(2019, 3, 11))
    assert (first.opening, first.closing) == (Decimal(0), second.opening)


def address(account: DriverAccount) -> str:
    return reverse("admin:ledger_driveraccount_statement", args=[account.pk])


def test_the_page_and_its_files_say_the_same(client: Client, account: DriverAccount) -> None:
    client.force_login(make_user(permissions=("ledger.view_driveraccount", "ledger.view_ledgerposting")))
    page = client.get(address(account), PERIOD).content.decode()
    posting = account.postings.get(category="MISC")
    assert reverse("admin:ledger_ledgerposting_change", args=[posting.pk]) in page
    for amount in ("40.00", "50.00", "20.00", "70.00", "90.00"):
        assert f">{amount}<" in page

    rows = list(csv.reader(io.StringIO(_file(client, account, "csv").decode("utf-8-sig"))))
    begin, key, desk, end = rows[-4:]
    assert (begin[1], begin[-1]) == ("At the beginning", "40.00")
    assert (key[1:3], key[-3:]) == (["Miscellaneous", "KEY"], ["50.00", "", "90.00"])
    assert desk[-3:] == ["", "20.00", "70.00"]
    assert (end[1], end[-3:]) == ("At the end", ["50.00", "20.00", "70.00"])
    assert _file(client, account, "pdf").startswith(b"%PDF")
    assert _file(client, account, "xlsx").startswith(b"PK")


def _file(client: Client, account: DriverAccount, extension: str) -> bytes:
    answer: Any = client.get(address(account), {**PERIOD, "format": extension})
    return b"".join(answer.streaming_content) if answer.streaming else bytes(answer.content)


def test_it_is_for_those_who_may_see_the_account(client: Client, account: DriverAccount) -> None:
    client.force_login(make_user(permissions=("ledger.view_dtr",)))
    assert client.get(address(account)).status_code == 403
