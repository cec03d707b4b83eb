"""A driver's statement: what it begins with, every posting with the balance after it, and the file handed over."""

import io
from datetime import date
from decimal import Decimal
from typing import Any

import openpyxl
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

    answer: Any = client.get(address(account), {**PERIOD, "format": "xlsx"})
    sheet = openpyxl.load_workbook(io.BytesIO(b"".join(answer.streaming_content))).active
    rows = [[cell for cell in row if cell is not None] for row in sheet.iter_rows(values_only=True)]
    assert any(row[1:3] == ["Miscellaneous", "KEY"] and row[-2:] == [50, 90] for row in rows if len(row) > 4)
    assert any(row[1:2] == ["At the end"] and row[-3:] == [50, 20, 70] for row in rows)
    for extension, begins in (("csv", b"Date,What"), ("pdf", b"%PDF")):
        answer = client.get(address(account), {**PERIOD, "format": extension})
        assert begins in b"".join(answer.streaming_content)


def test_it_is_for_those_who_may_see_the_account(client: Client, account: DriverAccount) -> None:
    client.force_login(make_user(permissions=("ledger.view_dtr",)))
    assert client.get(address(account)).status_code == 403
