"""Opening balances at cut-over: item by item, against equity, once, all or nothing, to the cent."""

import io
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from batconnect.common.transactions import sqlstate
from ledger.models import LedgerPosting, OpeningImport
from ledger.services import opening_balances, opening_file, voids
from ledger.services.errors import ClosedPeriod
from ledger.services.obligations import reserve_references
from tests.factories import make_driver, make_lease, make_user
from tests.ledger.desk_stories import MONDAY, WHY, lines_of, money, stands_at
from tests.ledger.factories import (
    SUNDAY,
    WEEK,
    account_of,
    balance,
    broken_proofs,
    charge,
    drive,
    make_account,
    open_items,
    run,
)

pytestmark = pytest.mark.django_db
HEADER = "tlc_license,lease,medallion,category,amount,reference,due_date,event_date"


def row(account: Any, category: str, amount: str, reference: str, *, due: str = "", **more: str) -> str:
    """One line for an account, found by its lease number unless `by="medallion"`."""
    lease = account.lease
    where = {"lease": f"{lease.number},", "medallion": f",{lease.medallion.number}"}[more.get("by", "lease")]
    event = more.get("event", "2019-02-20")
    return f"{lease.driver.tlc_license},{where},{category},{amount},{reference},{due},{event}"


def content(*rows: str, header: str = HEADER) -> bytes:
    return "\n".join([header, *rows]).encode()


def bring_in(*rows: str, control: str, on: date = MONDAY, **more: Any) -> OpeningImport:
    return opening_balances.import_opening_balances(
        content=content(*rows),
        name="cut-over.csv",
        control_total=Decimal(control),
        actor=make_user(),
        on=on,
        **more,
    )


def read(*rows: str, header: str = HEADER) -> opening_file.OpeningFile:
    return opening_file.read_opening(content=content(*rows, header=header), name="x.csv", on=MONDAY)


def test_what_was_open_keeps_its_category_and_books_against_equity() -> None:
    """500 and 30 of ann's are owed, 20 were paid ahead; bob owes 65. Debits 595, credits 20: control 575."""
    ann, bob = make_account(), make_account()
    done = bring_in(
        row(ann, "LEASE", "500.00", "OLD-1", due="2019-02-23"),
        row(ann, "ezpass", "30.00", "OLD-1"),
        row(ann, "INTERIM_PAYMENT", "-20.00", "OLD-P"),
        row(bob, "PVB", "65.00", "OLD-2", by="medallion"),
        control="575.00",
    )
    assert (done.rows, done.debits, done.credits, done.dated) == (4, money("595.00"), money("20.00"), MONDAY)
    assert open_items(ann) == {
        "LEASE:OLD-1": money("500.00"), "EZPASS:OLD-1": money("30.00"), "INTERIM_PAYMENT:OLD-P": money("-20.00"),
    }  # fmt: skip
    assert balance(bob) == money("65.00")
    assert (stands_at("1200"), stands_at("3000"), stands_at("4000"), stands_at("2400")) == (
        money("575.00"), money("-575.00"), money("0.00"), money("0.00"),
    )  # fmt: skip
    lease = LedgerPosting.objects.get(category="LEASE", reference_id="OLD-1")
    assert (lease.product, lease.event_on, lease.due_on) == ("OPENING", date(2019, 2, 20), date(2019, 2, 23))
    assert lines_of(lease) == [("1200", "DR", money("500.00")), ("3000", "CR", money("500.00"))]
    assert broken_proofs() == []


def test_the_first_run_pays_them_in_their_order_and_a_void_is_their_mirror() -> None:
    """Earnings 100, credit 20: the toll of 30, then 90 of the lease of 500. Voided, the lease is gone from 3000."""
    ann = make_account()
    bring_in(
        row(ann, "LEASE", "500.00", "OLD-1"),
        row(ann, "EZPASS", "30.00", "OLD-2"),
        row(ann, "ADJUSTMENT", "-20.00", "OLD-3"),
        control="510.00",
    )
    drive(ann, "100.00", week=SUNDAY + WEEK)
    run()
    run(SUNDAY + WEEK)
    assert open_items(ann) == {"LEASE:OLD-1": money("410.00")}
    lease = LedgerPosting.objects.get(category="LEASE")
    reversal = voids.void_posting(posting_id=lease.pk, reason=WHY, actor=make_user(), on=date(2019, 3, 18))
    assert lines_of(reversal) == [("1200", "CR", money("500.00")), ("3000", "DR", money("500.00"))]
    assert stands_at("3000") == money("-10.00")
    assert broken_proofs() == []


def test_an_open_loan_installment_leaves_loans_receivable_alone() -> None:
    ann = make_account()
    bring_in(row(ann, "LOAN", "253.29", "DLN-OLD"), control="253.29")
    assert (stands_at("1300"), stands_at("3000")) == (money("0.00"), money("-253.29"))
    assert broken_proofs() == []
    loan = LedgerPosting.objects.get()
    voids.replace_posting(
        posting_id=loan.pk,
        amount=money("250.00"),
        components={"principal": "250.00", "interest": "0.00"},
        reason=WHY,
        actor=make_user(),
        on=MONDAY,
    )
    assert (stands_at("1300"), stands_at("3000")) == (money("0.00"), money("-250.00"))
    assert broken_proofs() == []


def test_a_control_total_that_is_a_cent_off_imports_nothing() -> None:
    ann = make_account()
    with pytest.raises(opening_balances.ControlTotalDiffers, match=r"differ by -0\.01"):
        bring_in(row(ann, "LEASE", "499.99", "OLD-1"), control="500.00")
    assert not LedgerPosting.objects.exists() and not OpeningImport.objects.exists()


def test_it_is_done_once() -> None:
    ann = make_account()
    bring_in(row(ann, "LEASE", "5.00", "OLD-1"), control="5.00")
    with pytest.raises(opening_balances.OpeningImported, match=r"cut-over\.csv"):
        bring_in(row(ann, "LEASE", "5.00", "OLD-2"), control="5.00")
    assert balance(ann) == money("5.00")


def test_every_row_that_is_wrong_is_told_with_its_column() -> None:
    ann, homeless = make_account(), make_driver(name="Homer")
    reserve_references("LEASE", r"SCHED-\d+")
    charge(ann, "MISC", "5.00", "TAKEN", on=MONDAY)
    licence, number = ann.lease.driver.tlc_license, ann.lease.number
    good = row(ann, "LEASE", "10.00", "OLD-1")
    file = read(
        good,
        f"999,{number},,LEASE,10.00,A,,2019-02-20",
        f"{homeless.tlc_license},{number},,LEASE,10.00,A,,2019-02-20",
        f"{licence},NOSUCH,,LEASE,10.00,A,,2019-02-20",
        f"{licence},,,LEASE,10.00,A,,2019-02-20",
        row(ann, "DEPOSIT", "10.00", "A"),
        row(ann, "LEASE", "-10.00", "A"),
        row(ann, "ADJUSTMENT", "10.00", "A"),
        row(ann, "LEASE", "1e3", "A"),
        row(ann, "LEASE", "10.005", "A"),
        row(ann, "LEASE", "0.00", "A"),
        row(ann, "LEASE", "10.00", "A", event="20.02.2019"),
        row(ann, "LEASE", "10.00", "A", event="2019-03-12"),
        row(ann, "LEASE", "10.00", "A", due="soon"),
        row(ann, "LEASE", "10.00", "OLD-1"),
        row(ann, "MISC", "10.00", "TAKEN"),
        row(ann, "LEASE", "10.00", "SCHED-7"),
        row(ann, "LEASE", "10.00", ""),
        f"{licence},{number},,LEASE",
    )
    assert [(error.row, error.column) for error in file.errors] == [
        (3, "tlc_license"), (4, "tlc_license"), (5, "lease"), (6, "lease"), (7, "category"), (8, "amount"),
        (9, "amount"), (10, "amount"), (11, "amount"), (12, "amount"), (13, "event_date"), (14, "event_date"),
        (15, "due_date"), (16, "reference"), (17, "reference"), (18, "reference"), (19, "reference"), (20, "row"),
    ]  # fmt: skip
    assert "Homer" in file.errors[1].reason and "has no lease" in file.errors[1].reason
    assert len(file.rows) == 1
    with pytest.raises(opening_balances.BadOpeningRows, match="1 of 2 rows are wrong, the first in row 3"):
        bring_in(good, row(ann, "LEASE", "0.00", "A"), control="10.00")
    assert balance(ann) == money("5.00")


def test_numbers_that_will_be_given_out_here_are_left_free() -> None:
    """Were INTPAY-2019-00001 taken, the desk could take no payment in 2019; a number of 2018 is in nobody's way."""
    ann = make_account()
    file = read(
        row(ann, "INTERIM_PAYMENT", "-10.00", "INTPAY-2019-00001"),
        row(ann, "INTERIM_PAYMENT", "-10.00", "RFD-2019-00007"),
        row(ann, "ADJUSTMENT", "-10.00", "ADJ-2020-00001"),
        row(ann, "MISC", "10.00", "MISC-2019-123456"),
        row(ann, "MISC", "10.00", "MISC-2018-00001"),
        row(ann, "EZPASS", "10.00", "MISC-2019-00001"),
        row(ann, "INTERIM_PAYMENT", "-10.00", "OLD-INTPAY-2019-00001"),
    )
    assert [(error.row, error.column) for error in file.errors] == [(at, "reference") for at in (2, 3, 4, 5)]
    assert "write OLD-INTPAY-2019-00001" in file.errors[0].reason
    assert len(file.rows) == 3


def test_two_leases_of_one_driver_on_one_medallion_are_told_apart_by_number() -> None:
    first = make_lease(weekly_fee="0.00", ends_on=date(2019, 3, 2))
    second = make_lease(
        weekly_fee="0.00", driver=first.driver, medallion=first.medallion, vehicle=first.vehicle,
        starts_on=date(2019, 3, 3),
    )  # fmt: skip
    by_medallion = row(account_of(second), "LEASE", "10.00", "OLD-1", by="medallion")
    (error,) = read(by_medallion).errors
    assert error.column == "medallion" and first.number in error.reason and second.number in error.reason
    assert read(row(account_of(second), "LEASE", "10.00", "OLD-1")).rows[0].lease_id == second.pk


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (b"\xff\xfe", "not UTF-8"),
        (b"", "lacks tlc_license"),
        (HEADER.encode(), "no rows"),
        (b"tlc_license,category,amount,reference,event_date\n1,2,3,4,5", "lease or medallion"),
        (HEADER.encode() + b",extra\n", "'extra'"),
        (HEADER.encode() + b'\n"5', "not CSV"),
        (HEADER.encode() + b"\n\0", "NUL"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(given: bytes, words: str) -> None:
    with pytest.raises(opening_file.BadOpeningFile, match=words):
        opening_file.read_opening(content=given, name="x.csv", on=MONDAY)


def test_a_date_in_a_closed_week_is_refused() -> None:
    ann = make_account()
    run()
    with pytest.raises(ClosedPeriod):
        bring_in(row(ann, "LEASE", "5.00", "OLD-1"), control="5.00", accounting_date=date(2019, 3, 9))


def test_the_command_imports_and_says_what_is_wrong(tmp_path: Path) -> None:
    ann = make_account()
    path = tmp_path / "cut-over.csv"
    path.write_bytes(content(row(ann, "LEASE", "500.00", "OLD-1"), row(ann, "LEASE", "x", "OLD-2")))

    def command(*more: str) -> dict[str, Any]:
        out = io.StringIO()
        try:
            call_command("import_opening_balances", str(path), "--json", *more, stdout=out)
        except SystemExit as stopped:
            assert stopped.code == 1
        return json.loads(out.getvalue())

    assert command("--control-total", "500.00")["error"] == "opening.bad_rows"
    path.write_bytes(content(row(ann, "LEASE", "500.00", "OLD-1")))
    assert command("--control-total", "500.01")["error"] == "opening.control_total"
    assert command("--control-total", "500.00", "--dry-run")["imported"] is False
    assert balance(ann) == money("0.00")
    assert command("--control-total", "500.00")["imported"] is True
    assert balance(ann) == money("500.00")
    assert command("--control-total", "500.00")["error"] == "opening.imported"


def test_the_database_takes_one_file_that_says_what_was_posted() -> None:
    ann = make_account()
    insert = (
        "INSERT INTO opening_import"
        " (once, file_name, sha256, dated, rows, debits, credits, control_total, created_by_id)"
        " VALUES (%s, 'x', '', '2019-03-11', %s, %s, 0, %s, %s)"
    )

    def refused(state: str, *values: Any) -> None:
        with pytest.raises(DatabaseError) as raised, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(insert, values)
        assert sqlstate(raised.value) == state, raised.value

    user = make_user().pk
    refused("BC062", True, 1, "5.00", "5.00", user)
    bring_in(row(ann, "LEASE", "5.00", "OLD-1"), control="5.00")
    refused("BC062", True, 1, "6.00", "6.00", user)
    refused("23505", True, 1, "5.00", "5.00", user)
    refused("23514", False, 1, "5.00", "5.00", user)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM opening_import")
