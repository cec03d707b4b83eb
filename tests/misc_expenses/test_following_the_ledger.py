"""What became of an expense is the ledger's to say: open, recovered, voided; lists, files and voids."""

import csv
import io
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from batconnect.common.audit import system_user
from leases.models import Lease
from ledger.models import LedgerPosting
from ledger.services import voids
from misc_expenses.models import MiscellaneousExpense
from misc_expenses.services import create_misc_expense
from tests.factories import make_driver, make_lease, make_user
from tests.ledger.factories import account_of, balance, broken_proofs, drive, pay, run

from .expense_stories import CLERK, FINANCE, LIST, clerk, client_of, send

REASON = "Charged to the wrong driver."
MONDAY = date(2019, 3, 4)


def expense_of(lease: Lease, amount: str = "50.00", *, category: str = "Lost Key", on: date = MONDAY) -> Any:
    return create_misc_expense(
        driver_id=lease.driver_id,
        lease_id=lease.pk,
        category=category,
        amount=Decimal(amount),
        expense_date=on,
        actor=system_user(),
        on=on,
        notes="=SUM(A1:A9)",
    )


def free_lease(**fields: Any) -> Lease:
    return make_lease(**{"weekly_fee": "0.00", **fields})


def status_of(expense: MiscellaneousExpense) -> tuple[str, Decimal]:
    row: Any = MiscellaneousExpense.objects.with_status().get(pk=expense.pk)
    return row.status, row.open_amount


def test_the_next_dtr_recovers_it(db: None) -> None:
    lease = free_lease()
    expense = expense_of(lease)
    assert expense.expense_id == "MISC-2019-00001"
    assert status_of(expense) == ("OPEN", Decimal("50.00"))
    drive(account_of(lease), "30.00")
    run()
    assert status_of(expense) == ("OPEN", Decimal("20.00"))
    pay(account_of(lease), "20.00", {expense.expense_id: "20.00"})
    assert status_of(expense) == ("RECOVERED", Decimal("0.00"))
    assert broken_proofs() == []


def test_a_void_in_the_ledger_is_a_voided_expense_and_a_correction_is_followed(db: None) -> None:
    lease = free_lease()
    expense, other = expense_of(lease), expense_of(lease, "80.00")
    actor = system_user()
    voids.void_posting(posting_id=expense.posting_id, reason=REASON, actor=actor, on=MONDAY)
    assert status_of(expense) == ("VOIDED", Decimal("0.00"))
    once = voids.replace_posting(
        posting_id=other.posting_id, amount=Decimal("60.00"), reason=REASON, actor=actor, on=MONDAY
    )
    assert status_of(other) == ("OPEN", Decimal("60.00"))
    twice = voids.replace_posting(
        posting_id=once.pk, amount=Decimal("55.00"), reason=REASON, actor=actor, on=MONDAY
    )
    row: Any = MiscellaneousExpense.objects.with_status().get(pk=other.pk)
    assert (row.current_posting_id, row.charged_amount, row.amount) == (
        twice.pk,
        Decimal("55.00"),
        Decimal("80.00"),
    )
    pay(account_of(lease), "55.00", {twice.reference_id: "55.00"})
    assert status_of(other) == ("RECOVERED", Decimal("0.00"))


def test_an_expense_is_voided_by_its_number_and_only_once(db: None) -> None:
    lease = free_lease()
    expense = expense_of(lease)
    client = client_of(make_user(permissions=FINANCE))
    path = f"{LIST}/{expense.expense_id}/void"
    assert send(client, path, {"reason": "too short"}).status_code == 400
    answer = send(client, path, {"reason": REASON}, key="v")
    assert answer.status_code == 200, answer.json()
    reversal = LedgerPosting.objects.get(reversal_for=expense.posting_id)
    assert answer.json()["reversal_posting_id"] == str(reversal.pk)
    assert send(client, path, {"reason": REASON}, key="v").json() == answer.json()
    again = send(client, path, {"reason": REASON})
    assert (again.status_code, again.json()["error"]) == (409, "posting.already_voided")
    assert status_of(expense)[0] == "VOIDED" and balance(account_of(lease)) == 0 and broken_proofs() == []
    unknown = send(client, f"{LIST}/MISC-2019-99999/void", {"reason": REASON})
    assert (unknown.status_code, unknown.json()["error"]) == (404, "misc_expense.unknown")


def test_a_corrected_expense_is_voided_where_it_stands(db: None) -> None:
    expense = expense_of(free_lease())
    new = voids.replace_posting(
        posting_id=expense.posting_id, amount=Decimal("45.00"), reason=REASON, actor=system_user(), on=MONDAY
    )
    client = client_of(make_user(permissions=FINANCE))
    answer = send(client, f"{LIST}/{expense.expense_id}/void", {"reason": REASON})
    assert answer.json()["original_posting_id"] == str(new.pk)
    assert status_of(expense)[0] == "VOIDED"


def test_a_large_expense_is_not_voided_by_one_person(db: None, settings: Any) -> None:
    settings.VOID_APPROVAL_ABOVE = Decimal("100.00")
    client = client_of(make_user(permissions=FINANCE))
    small, large = expense_of(free_lease(), "100.00"), expense_of(free_lease(), "100.01")
    refused = send(client, f"{LIST}/{large.expense_id}/void", {"reason": REASON})
    assert (refused.status_code, refused.json()["error"]) == (409, "void.needs_approval")
    assert status_of(large)[0] == "OPEN"
    assert send(client, f"{LIST}/{small.expense_id}/void", {"reason": REASON}).status_code == 200


@pytest.fixture
def three(db: None) -> list[Any]:
    """Ann's key open, Bo's towing recovered, Cy's damage voided."""
    found = []
    for name, category, amount in (
        ("Ann Lee", "Lost Key", "50.00"),
        ("Bo Ray", "Towing", "120.00"),
        ("Cy Fox", "Damage", "80.00"),
    ):
        lease = free_lease(driver=make_driver(name=name))
        found.append(expense_of(lease, amount, category=category))
    pay(account_of(found[1].lease), "120.00", {found[1].expense_id: "120.00"})
    voids.void_posting(posting_id=found[2].posting_id, reason=REASON, actor=system_user(), on=MONDAY)
    return found


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, {0, 1, 2}),
        ({"status": "OPEN"}, {0}),
        ({"status": "RECOVERED"}, {1}),
        ({"status": "VOIDED"}, {2}),
        ({"driver_name": "ray"}, {1}),
        ({"category": "Damage"}, {2}),
        ({"start_date": "2019-03-05"}, set()),
        ({"start_date": "2019-03-04", "end_date": "2019-03-04"}, {0, 1, 2}),
        ({"end_date": "2019-03-03"}, set()),
        ({"expense_id": "MISC-2019-00002"}, {1}),
    ],
)
def test_the_list_is_filtered(three: list[Any], query: dict[str, str], expected: set[int]) -> None:
    client = client_of(clerk())
    body = client.get(LIST, query).json()
    assert {row["expense_id"] for row in body["items"]} == {three[n].expense_id for n in expected}
    assert body["total_items"] == len(expected)


def test_a_row_tells_all_of_it_and_pages_cost_the_same(
    three: list[Any], django_assert_num_queries: Any
) -> None:
    client = client_of(clerk())
    row = client.get(LIST, {"sort_by": "driver_name", "sort_order": "asc"}).json()["items"][1]
    assert (row["driver_name"], row["amount"], row["open_amount"], row["status"]) == (
        "Bo Ray", "120.00", "0.00", "RECOVERED",
    )  # fmt: skip
    assert row["lease_number"] == three[1].lease.number
    client.get(LIST)
    # Session, user, two for permissions; savepoint, timeout, count, keys, rows, timeout, release.
    with django_assert_num_queries(11):
        assert len(client.get(LIST, {"per_page": "2"}).json()["items"]) == 2


@pytest.mark.parametrize(
    "query",
    [
        {"status": "SETTLED"},
        {"category": "x"},
        {"start_date": "2019-03-04", "end_date": "2019-03-03"},
        {"x": "1"},
    ],
)
def test_a_bad_filter_is_refused(three: list[Any], query: dict[str, str]) -> None:
    assert client_of(clerk()).get(LIST, query).status_code == 400


@pytest.mark.parametrize(
    ("kind", "start"), [("excel", b"PK"), ("pdf", b"%PDF"), ("csv", "\ufeffExpense".encode())]
)
def test_the_list_is_exported(three: list[Any], kind: str, start: bytes) -> None:
    answer = client_of(clerk()).get(f"{LIST}/export", {"format": kind, "status": "OPEN"})
    content = answer.getvalue()
    assert answer.status_code == 200 and content.startswith(start)
    assert "misc-expenses-" in answer.headers["Content-Disposition"]


def test_an_export_is_the_filtered_list_without_formulas(three: list[Any]) -> None:
    answer = client_of(clerk()).get(f"{LIST}/export", {"format": "csv", "driver_name": "Lee"})
    (row,) = csv.DictReader(io.StringIO(answer.getvalue().decode("utf-8-sig")))
    assert (row["Expense"], row["Open"], row["Status"]) == (three[0].expense_id, "50.00", "OPEN")
    assert row["Notes"] == "'=SUM(A1:A9)"


def test_each_door_needs_its_permission(three: list[Any]) -> None:
    doors = {
        "misc_expenses.view_miscellaneousexpense": lambda c: c.get(LIST),
        "misc_expenses.export_miscellaneousexpense": lambda c: c.get(f"{LIST}/export"),
        "misc_expenses.add_miscellaneousexpense": lambda c: send(c, f"{LIST}/create-case"),
        "ledger.void_posting": lambda c: send(c, f"{LIST}/{three[0].expense_id}/void", {"reason": REASON}),
    }
    for needed, knock in doors.items():
        without = client_of(make_user(permissions=[name for name in FINANCE if name != needed]))
        assert knock(without).status_code == 403, needed
    assert (
        doors["misc_expenses.view_miscellaneousexpense"](client_of(make_user(permissions=CLERK))).status_code
        == 200
    )


# --- what the database holds ---------------------------------------------------------------------------------


def copied(expense: MiscellaneousExpense, **changes: Any) -> None:
    """A second record like this one, past the services."""
    row = {
        field.attname: getattr(expense, field.attname)
        for field in expense._meta.concrete_fields
        if field.attname != "id"
    } | changes
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO misc_expense ({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))})",
            list(row.values()),
        )


@pytest.mark.parametrize(
    ("changes", "refused_by"),
    [
        ({}, "misc_expense_expense_id"),
        ({"expense_id": "MISC-2019-90001"}, "misc_expense_fits_posting"),
        ({"amount": "49.00"}, "misc_expense_fits_posting"),
        ({"amount": "100000.00"}, "misc_expense_fits_posting"),
        ({"category": "Damage"}, "misc_expense_fits_posting"),
        ({"expense_date": date(2019, 3, 5)}, "misc_expense_not_ahead"),
    ],
)
def test_a_record_that_does_not_fit_its_posting_is_refused(
    db: None, changes: dict[str, Any], refused_by: str
) -> None:
    expense = expense_of(free_lease())
    with pytest.raises(DatabaseError) as caught:
        copied(expense, **changes)
    assert refused_by in (caught.value.__cause__.diag.constraint_name or "")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("amount", "fits"), [("0.00", False), ("0.01", True), ("99999.99", True), ("100000.00", False)]
)
def test_the_database_knows_the_range(db: None, amount: str, fits: bool) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'misc_expense_amount'"
        )
        rule = cursor.fetchone()[0].removeprefix("CHECK ")
        cursor.execute(f"SELECT {rule} FROM (SELECT %s::numeric AS amount) row", [amount])
        assert cursor.fetchone()[0] is fits


@pytest.mark.parametrize(
    "statement",
    ["UPDATE misc_expense SET amount = 1", "DELETE FROM misc_expense", "TRUNCATE misc_expense"],
)
def test_a_record_stands(db: None, statement: str) -> None:
    expense_of(free_lease())
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
