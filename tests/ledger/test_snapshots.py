"""Month-end balances equal the lines, whatever closes and reopens; and reports read no more lines than they must."""

import json
from datetime import date
from decimal import Decimal

import pytest
from django.db import connection

from batconnect.common.audit import system_user
from batconnect.common.models import AuditEntry
from ledger.models import Account, AccountingMonth, BalanceSnapshot
from ledger.selectors import account_statements, trial_balance
from ledger.selectors.account_balances import MonthArchived, balances_sql, sources_of, usable_months
from ledger.services import months
from ledger.services.archives import archive_month, drop_archived
from ledger.services.seals import seal_ledger
from ledger.services.snapshots import MonthNotClosed, drop_snapshots, rebuild_snapshots, take_snapshots

from .journal_story import enter_plain

pytestmark = pytest.mark.django_db

JANUARY, FEBRUARY, MARCH, APRIL = (date(2019, number, 1) for number in (1, 2, 3, 4))
TODAY = date(2019, 6, 3)
REASON = "The bank sent its fees late"


@pytest.fixture
def ledger():
    """Bank and capital: 1,000.00 in January, income 300.00 and a fee of 20.00 in March, income 50.00 in April."""
    enter_plain("1010", "3000", "1000.00", on=date(2019, 1, 31))
    enter_plain("1010", "4000", "300.00", on=date(2019, 3, 1))
    enter_plain("5200", "1010", "20.00", on=date(2019, 3, 31))
    enter_plain("1010", "4000", "50.00", on=date(2019, 4, 1))


def close(*named: date) -> None:
    for month in named:
        months.close_month(month=month, actor=system_user(), on=TODAY)


def reopen(month: date) -> None:
    months.reopen_month(month=month, reason=REASON, actor=system_user())


def stored(month: date) -> dict[str, tuple[str, ...]]:
    rows = BalanceSnapshot.objects.filter(month=month).select_related("account")
    return {
        row.account.code: tuple(
            f"{amount:.2f}" for amount in (row.opening, row.debits, row.credits, row.closing)
        )
        for row in rows
    }


def balances(start: date, end: date) -> dict[str, tuple[str, ...]]:
    return {
        row.code: tuple(str(amount) for amount in (row.opening, row.debits, row.credits, row.closing))
        for row in trial_balance.trial_balance(start=start, end=end).rows
    }


def test_a_closing_month_keeps_what_every_account_came_to(ledger):
    close(JANUARY, FEBRUARY, MARCH)
    assert stored(JANUARY) == {
        "1010": ("0.00", "1000.00", "0.00", "1000.00"),
        "3000": ("0.00", "0.00", "1000.00", "-1000.00"),
    }
    # Nothing moved in February: its balances are carried.
    assert stored(FEBRUARY) == {
        "1010": ("1000.00", "0.00", "0.00", "1000.00"),
        "3000": ("-1000.00", "0.00", "0.00", "-1000.00"),
    }
    assert stored(MARCH) == {
        "1010": ("1000.00", "300.00", "20.00", "1280.00"),
        "3000": ("-1000.00", "0.00", "0.00", "-1000.00"),
        "4000": ("0.00", "0.00", "300.00", "-300.00"),
        "5200": ("0.00", "20.00", "0.00", "20.00"),
    }
    assert rebuild_snapshots() == []


def test_the_first_snapshot_opens_with_all_older_lines(ledger):
    AccountingMonth.objects.bulk_create(
        [AccountingMonth(month=month, status="CLOSED") for month in (JANUARY, FEBRUARY, MARCH)]
    )
    assert take_snapshots(month=MARCH) == 4
    assert stored(MARCH)["1010"] == ("1000.00", "300.00", "20.00", "1280.00")
    before = list(BalanceSnapshot.objects.order_by("id").values_list("account_id", "opening", "closing"))
    assert take_snapshots(month=MARCH) == 4
    again = BalanceSnapshot.objects.order_by("id").values_list("account_id", "opening", "closing")
    assert sorted(again) == sorted(before)


def test_an_account_that_came_to_nothing_and_did_not_move_has_no_row(ledger):
    enter_plain("3000", "1010", "1000.00", on=date(2019, 2, 28))
    close(JANUARY, FEBRUARY, MARCH)
    assert stored(FEBRUARY)["3000"] == ("-1000.00", "1000.00", "0.00", "0.00")
    assert "3000" not in stored(MARCH)


def test_a_month_that_reopened_is_counted_from_its_lines_and_kept_anew(ledger):
    close(JANUARY, FEBRUARY, MARCH)
    reopen(MARCH)
    assert stored(MARCH) == {} and stored(FEBRUARY) != {}
    enter_plain("5200", "1010", "7.50", on=date(2019, 3, 31))
    expected = ("1000.00", "300.00", "27.50", "1272.50")
    assert balances(MARCH, date(2019, 3, 31))["1010"] == expected
    close(MARCH)
    assert stored(MARCH)["1010"] == expected
    assert balances(MARCH, date(2019, 3, 31))["1010"] == expected
    assert rebuild_snapshots() == []


def test_only_closed_months_have_snapshots(ledger):
    with pytest.raises(MonthNotClosed, match="2019-01 is not closed"):
        take_snapshots(month=JANUARY)
    close(JANUARY, FEBRUARY)
    assert drop_snapshots(month=FEBRUARY) == 2
    assert stored(FEBRUARY) == {} and stored(JANUARY) != {}


@pytest.mark.parametrize("reopened", [False, True])
def test_a_snapshot_of_a_month_that_is_not_closed_is_never_read(ledger, reopened):
    close(JANUARY)
    if reopened:
        close(FEBRUARY, MARCH)
        reopen(MARCH)
    bank = Account.objects.get(code="1010")
    BalanceSnapshot.objects.create(
        month=MARCH, account=bank, fund="OP", opening=0, debits=999, credits=0, closing=999
    )
    assert balances(MARCH, date(2019, 3, 31))["1010"] == ("1000.00", "300.00", "20.00", "1280.00")
    assert balances(APRIL, date(2019, 4, 30))["1010"] == ("1280.00", "50.00", "0.00", "1330.00")
    (stray,) = rebuild_snapshots()
    assert (stray.month, stray.account, stray.computed) == (MARCH, "1010", None)
    assert not BalanceSnapshot.objects.filter(month=MARCH).exists()


def test_rebuilding_says_what_was_wrong_and_puts_it_right(ledger):
    close(JANUARY, FEBRUARY, MARCH)
    good = {month: stored(month) for month in (JANUARY, FEBRUARY, MARCH)}
    BalanceSnapshot.objects.filter(month=MARCH, account__code="1010").update(
        debits=Decimal("301"), closing=Decimal("1281")
    )
    BalanceSnapshot.objects.filter(month=FEBRUARY, account__code="3000").delete()
    BalanceSnapshot.objects.create(
        month=JANUARY,
        account=Account.objects.get(code="4100"),
        fund="OP",
        opening=0,
        debits=1,
        credits=0,
        closing=1,
    )
    found = rebuild_snapshots(write=False)
    assert [(f"{one.month:%m}", one.account) for one in found] == [
        ("01", "4100"), ("02", "3000"), ("03", "1010"),
    ]  # fmt: skip
    assert found[2].stored is not None and found[2].stored[1] == Decimal("301")
    assert found[2].computed is not None and found[2].computed[1] == Decimal("300")
    assert not AuditEntry.objects.filter(action="snapshots.rebuilt").exists()
    assert rebuild_snapshots() == found
    assert {month: stored(month) for month in (JANUARY, FEBRUARY, MARCH)} == good
    assert AuditEntry.objects.get(action="snapshots.rebuilt").after["2019-02 3000 OP"][0] == "-1000.000000"
    assert rebuild_snapshots() == []


# --- what reports read --------------------------------------------------------------------------------------


WINDOWS = [
    (MARCH, date(2019, 3, 31)), (date(2019, 3, 15), date(2019, 4, 15)), (JANUARY, date(2019, 4, 30)),
    (date(2019, 1, 31), date(2019, 3, 1)), (date(2019, 3, 1), date(2019, 3, 1)), (date.min, date.max),
    (APRIL, date(2019, 4, 1)), (date(2018, 5, 5), date(2018, 6, 1)), (date(2020, 1, 1), date(2020, 1, 1)),
]  # fmt: skip


@pytest.mark.parametrize("window", WINDOWS)
def test_a_window_over_closed_and_open_months_gives_what_the_lines_give(ledger, window):
    from_lines = balances(*window)
    for month in (JANUARY, FEBRUARY, MARCH):
        close(month)
        assert balances(*window) == from_lines
    reopen(MARCH)
    assert balances(*window) == from_lines


def scanned(sql: str) -> set[str]:
    """The tables that the plan of a statement reads."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}")
        plan = cursor.fetchone()[0]
    found = set()

    def walk(node: dict) -> None:
        found.add(node.get("Relation Name"))
        for inner in node.get("Plans", ()):
            walk(inner)

    walk((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])
    return {name for name in found if name and name.startswith("ledger_entry_line")}


def reads(start: date, end: date) -> set[str]:
    return scanned(balances_sql(sources_of(start, end, usable_months(start, end))))


def test_older_months_are_not_read(ledger):
    everything = reads(APRIL, date(2019, 4, 30))
    assert {"ledger_entry_line_201901_0", "ledger_entry_line_201904_0"} <= everything
    close(JANUARY, FEBRUARY, MARCH)
    assert reads(APRIL, date(2019, 4, 30)) == {"ledger_entry_line_201904_0"}
    assert reads(MARCH, date(2019, 3, 31)) == set()
    assert reads(date(2019, 3, 15), date(2019, 4, 15)) == {
        "ledger_entry_line_201903_0",
        "ledger_entry_line_201904_0",
    }
    assert reads(JANUARY, date(2019, 4, 30)) == {"ledger_entry_line_201904_0"}


def test_an_archived_month_is_read_from_its_snapshot_and_never_as_if_it_were_empty(ledger):
    close(JANUARY, FEBRUARY, MARCH)
    whole, carried = balances(JANUARY, date(2019, 3, 31)), balances(APRIL, date(2019, 4, 30))
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    seal_ledger(actor=system_user())
    for month in (JANUARY, MARCH):
        archive = archive_month(kind="LEDGER", month=month, actor=system_user())
        drop_archived(archive=archive, actor=system_user())
    assert balances(JANUARY, date(2019, 3, 31)) == whole
    assert balances(APRIL, date(2019, 4, 30)) == carried
    with pytest.raises(MonthArchived, match="The lines of 2019-03 are archived"):
        balances(date(2019, 3, 15), date(2019, 4, 15))
    bank = account_statements.find_account("1010")
    with pytest.raises(MonthArchived, match="2019-03"):
        account_statements.account_statement(account=bank, start=FEBRUARY, end=date(2019, 3, 31))
    assert (
        account_statements.account_statement(account=bank, start=FEBRUARY, end=date(2019, 2, 28)).lines == []
    )
    assert rebuild_snapshots() == []
