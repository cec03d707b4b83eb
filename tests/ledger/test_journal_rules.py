"""The rules of `0008_journal.sql`, each tried with raw SQL, through the parent and directly on a leaf.

An entry here is what `journals` would enter: a bank fee on the day of `journal_stories`, dated in March 2019, whose
leaves are `ledger_entry_header_201903_0` and `ledger_entry_line_201903_0`.
"""

import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.db.utils import ProgrammingError

from batconnect.common.audit import system_user
from ledger.models import Account, AccountingMonth, EntryHeader, EntryLine, EntryReversal, MonthEvent

from .factories import SUNDAY, WEEK, charge, make_account, run
from .journal_stories import FEE_DAY, TODAY, controller, enter, line
from .lived_in import execute, refused
from .test_application_role import as_application

pytestmark = pytest.mark.django_db

MARCH = date(2019, 3, 1)
ENTRY = 10**12  # an id that the sequence will not give
HEADERS = ("ledger_entry_header", "ledger_entry_header_201903", "ledger_entry_header_201903_0")
LINES = ("ledger_entry_line", "ledger_entry_line_201903", "ledger_entry_line_201903_0")
WAYS = dict(zip(("parent", "month", "leaf"), zip(HEADERS, LINES, strict=True), strict=True))

Header = dict[str, Any]
Line = dict[str, Any]
Change = Callable[[Header, list[Line]], Any]


@pytest.fixture(autouse=True)
def _march() -> None:
    execute("SELECT ensure_journal_month('2019-03-01')")


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> tuple[str, str]:
    """The tables of headers and lines: the parents, the month's, and its online leaves."""
    return WAYS[request.param]


def account_id(code: str) -> int:
    return Account.objects.values_list("pk", flat=True).get(code=code)


def fee(**header: Any) -> tuple[Header, list[Line]]:
    """The columns of a sound entry's header and lines."""
    columns = {
        "id": ENTRY, "je_date": FEE_DAY, "origin": "MANUAL", "event_on": FEE_DAY, "line_count": 2,
        "total": Decimal("35.00"), "created_by_id": system_user().pk, **header,
    }  # fmt: skip
    lines = [
        {
            "entry_id": columns["id"], "line_number": number, "je_date": columns["je_date"],
            "account_id": account_id(code), "currency": "USD", "side": side, "amount": Decimal("35.00"),
        }
        for number, (code, side) in enumerate((("5200", "DR"), ("1010", "CR")), 1)
    ]  # fmt: skip
    return columns, lines


def swapped(lines: list[Line]) -> list[Line]:
    return [{**line, "side": "CR" if line["side"] == "DR" else "DR"} for line in lines]


def statement(way: tuple[str, str], header: Header | None, lines: list[Line]) -> tuple[str, dict[str, Any]]:
    """One statement that inserts a header and lines, as the database asks for them."""
    parts, values = [], {}
    if header:
        parts.append(f"INSERT INTO {way[0]} ({', '.join(header)}) VALUES ({named('h', header, values)})")
    if lines:
        rows = ", ".join(f"({named(f'l{number}', row, values)})" for number, row in enumerate(lines))
        parts.append(f"INSERT INTO {way[1]} ({', '.join(lines[0])}) VALUES {rows}")
    if len(parts) == 2:
        return f"WITH header AS ({parts[0]}) {parts[1]}", values
    return parts[0], values


def named(prefix: str, row: dict[str, Any], values: dict[str, Any]) -> str:
    values |= {f"{prefix}_{name}": value for name, value in row.items()}
    return ", ".join(f"%({prefix}_{name})s" for name in row)


def insert(way: tuple[str, str], header: Header | None, lines: list[Line]) -> None:
    text, values = statement(way, header, lines)
    execute(text, **values)


def refused_entry(way: tuple[str, str], header: Header | None, lines: list[Line]) -> str:
    text, values = statement(way, header, lines)
    said = refused(text, **values)
    assert not EntryHeader.objects.filter(pk=ENTRY).exists()
    return said


# --- entries ------------------------------------------------------------------------------------------------


def test_the_entry_these_tests_spoil_is_good_as_it_is(way: tuple[str, str]) -> None:
    insert(way, *fee())
    assert EntryHeader.objects.get(pk=ENTRY).je_number == f"JE-201903-{ENTRY}"
    assert EntryLine.objects.filter(entry_id=ENTRY).count() == 2


def _with(number: int, **columns: Any) -> Change:
    return lambda header, lines: lines[number - 1].update(columns)


def _header(**columns: Any) -> Change:
    return lambda header, lines: header.update(columns)


def _both(**columns: Any) -> Change:
    return lambda header, lines: [line.update(columns) for line in lines]


def _all_of(*changes: Change) -> Change:
    return lambda header, lines: [change(header, lines) for change in changes]


def _in_yen(header: Header, lines: list[Line]) -> None:
    Account.objects.create(code="9010", name="Yen", type="ASSET", currency_id="JPY")
    for row in lines:
        row.update(account_id=account_id("9010"), currency="JPY", amount=Decimal("35.50"))
    header["total"] = Decimal("35.50")


def _across_currencies(header: Header, lines: list[Line]) -> None:
    Account.objects.create(code="9010", name="Yen", type="ASSET", currency_id="JPY")
    lines[1].update(account_id=account_id("9010"), currency="JPY")


def _on_inactive(header: Header, lines: list[Line]) -> None:
    Account.objects.filter(code="5200").update(active=False)


def _on(code: str, origin: str = "MANUAL") -> Change:
    def change(header: Header, lines: list[Line]) -> None:
        header["origin"] = origin
        lines[0]["account_id"] = account_id(code)

    return change


SPOILT: dict[str, tuple[Change, str]] = {
    "unbalanced": (_with(2, amount=Decimal("34.99")), "debits 35.00"),
    "two debits": (_with(2, side="DR"), "debits 70.00"),
    "one line missing": (lambda header, lines: lines.pop(), "debits 35.00"),
    "a count too high": (_header(line_count=3), "is not complete: its header says 3 lines"),
    "another total": (_header(total=Decimal("36.00")), "is not complete"),
    "lines numbered from 2": (
        _all_of(_with(1, line_number=2), _with(2, line_number=3)),
        "comes without its lines|is not complete",
    ),
    "a gap in the numbers": (_with(2, line_number=3), "is not complete"),
    "no lines": (lambda header, lines: lines.clear(), "comes without its lines"),
    "lines of another date": (
        _both(je_date=FEE_DAY + timedelta(days=1)),
        "has lines and no header|without its lines",
    ),
    "balanced across currencies only": (_across_currencies, "debits .*, credits .*"),
    "half a yen": (_in_yen, "has more decimals than"),
    "a tenth of a cent": (
        _all_of(_both(amount=Decimal("35.001")), _header(total=Decimal("35.001"))),
        "has more decimals than",
    ),
    "another currency than its account": (_both(currency="EUR"), "in EUR"),
    "no such currency": (_both(currency="XXX"), "does not exist"),
    "no such account": (_with(1, account_id=10**9), "does not exist"),
    "an inactive account": (_on_inactive, "not active"),
    "a third side": (_with(2, side="XX"), "ledger_entry_line_side"),
    "a line of nothing": (_with(2, amount=0), "ledger_entry_line_positive"),
    "a negative line": (_with(2, amount=Decimal("-35.00")), "ledger_entry_line_positive"),
    "a header of nothing": (_header(total=0), "ledger_entry_has_lines"),
    "a header of one line": (_header(line_count=1), "ledger_entry_has_lines"),
    "an origin nobody knows": (_header(origin="MAGIC"), "ledger_entry_origin"),
    "a posting's origin without one": (_header(origin="POSTING"), "ledger_entry_of_posting"),
    "half a reversal": (_header(reverses_id=1), "ledger_entry_reverses"),
    "by nobody": (_header(created_by_id=10**9), "by nobody"),
    "an event in the future": (_header(event_on=date.today() + timedelta(days=2)), "in the future"),
    "reversing nothing there is": (
        _header(reverses_id=1, reverses_date=FEE_DAY),
        "is not the mirror of an earlier entry",
    ),
}


@pytest.mark.parametrize("case", SPOILT)
def test_an_entry_is_refused_with(case: str, way: tuple[str, str]) -> None:
    change, said = SPOILT[case]
    header, lines = fee()
    change(header, lines)
    told = refused_entry(way, header, lines)
    assert re.search(said, told), told


@pytest.mark.parametrize("origin", ["MANUAL", "TRANSFER", "BATCH", "RECON"])
@pytest.mark.parametrize("code", ["1200", "1300", "2100", "2300", "2500"])
def test_control_accounts_refuse_whoever_is_not_their_service(
    code: str, origin: str, way: tuple[str, str]
) -> None:
    header, lines = fee()
    _on(code, origin)(header, lines)
    assert f"account {code} is a control account" in refused_entry(way, header, lines)


def test_a_control_account_takes_its_own(way: tuple[str, str]) -> None:
    header, lines = fee()
    _on("2500", "DTR")(header, lines)
    insert(way, header, lines)


def test_nothing_is_added_to_an_entry_later(way: tuple[str, str]) -> None:
    header, lines = fee()
    insert(way, header, lines)
    pair = [{**row, "line_number": row["line_number"] + 2} for row in lines]
    text, values = statement(way, None, pair)
    assert "is not complete" in refused(text, **values)


def test_lines_without_a_header_are_refused(way: tuple[str, str]) -> None:
    assert "has lines and no header" in refused_entry(way, None, fee()[1])


def test_header_and_lines_come_in_one_statement_not_in_two(way: tuple[str, str]) -> None:
    header, lines = fee()
    assert "comes without its lines" in refused_entry(way, header, [])
    assert "has lines and no header" in refused_entry(way, None, lines)


def test_a_leaf_takes_no_other_month_or_batch() -> None:
    header, lines = fee(je_date=date(2019, 4, 1), event_on=date(2019, 4, 1))
    assert "violates partition constraint" in refused_entry(WAYS["leaf"], header, lines)
    header, lines = fee(batch_id=7)
    assert "violates partition constraint" in refused_entry(WAYS["leaf"], header, lines)
    assert "no partition" in refused_entry(WAYS["parent"], header, lines)


def test_a_number_is_not_given_by_hand(way: tuple[str, str]) -> None:
    assert "je_number" in refused_entry(way, *fee(je_number="JE-1"))


def test_an_entry_is_reversed_once_by_a_later_entry_of_its_size(way: tuple[str, str]) -> None:
    original = enter()
    bigger = enter(lines=[line("5200", "DR", "36.00"), line("1010", "CR", "36.00")])
    for reversed_one, day in ((bigger, FEE_DAY), (original, FEE_DAY - timedelta(days=1))):
        header, lines = fee(
            je_date=day, event_on=day, reverses_id=reversed_one.pk, reverses_date=reversed_one.je_date
        )
        assert "is not the mirror of an earlier entry" in refused_entry(way, header, lines)
    header, lines = fee(reverses_id=original.pk, reverses_date=original.je_date)
    assert "is not the mirror of an earlier entry" in refused_entry(
        way, header, lines
    )  # the same sides again
    insert(way, header, swapped(lines))
    assert EntryReversal.objects.get(pk=original.pk).reversed_by_id == ENTRY
    again, lines = fee(id=ENTRY + 1, reverses_id=original.pk, reverses_date=original.je_date)
    text, values = statement(way, again, swapped(lines))
    assert "ledger_entry_reversal_pkey" in refused(text, **values)
    its_own, lines = fee(id=ENTRY + 1, reverses_id=ENTRY, reverses_date=FEE_DAY)
    text, values = statement(way, its_own, lines)
    assert "is not the mirror of an earlier entry" in refused(text, **values)


def test_a_postings_entry_is_taken_back_by_voiding_the_posting_alone(way: tuple[str, str]) -> None:
    posting = charge(make_account(), "MISC", "35.00", on=FEE_DAY)
    entry = EntryHeader.objects.get(posting=posting)
    header, lines = fee(reverses_id=entry.pk, reverses_date=entry.je_date)
    assert "is not the mirror of an earlier entry" in refused_entry(way, header, swapped(lines))


def test_a_trip_names_its_row_and_nothing_else_does() -> None:
    for columns in ({"origin": "TRIP"}, {"origin": "MANUAL", "source_id": 7}):
        assert "ledger_entry_of_source" in refused_entry(WAYS["parent"], *fee(**columns))


def test_a_number_is_used_once_in_its_month(way: tuple[str, str]) -> None:
    insert(way, *fee())
    header, lines = fee(je_date=FEE_DAY - timedelta(days=1), event_on=FEE_DAY - timedelta(days=1))
    text, values = statement(way, header, lines)
    assert "a number that is taken" in refused(text, **values)


def test_an_older_snapshot_that_cannot_see_what_closed_meanwhile_enters_nothing(cloned_database: str) -> None:
    with psycopg.connect(cloned_database) as client:
        client.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        entry = "'MANUAL', 1, 0, '{2019-03-12}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL"
        lines = "'{1,1}', '{1,2}', NULL, NULL, '{35,-35}'"
        with pytest.raises(psycopg.Error, match="written in READ COMMITTED"):
            client.execute(f"SELECT * FROM ledger_enter({entry}, {lines})")


def test_an_account_does_not_change_while_its_first_entry_is_on_its_way(cloned_database: str) -> None:
    ids = "(SELECT array_agg(id ORDER BY code) FROM chart_of_accounts WHERE code IN ('1010', '5900'))"
    entry = "'MANUAL', 1, 0, '{2019-03-12}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL"
    with psycopg.connect(cloned_database) as clerk, psycopg.connect(cloned_database) as finance:
        clerk.execute(f"SELECT * FROM ledger_enter({entry}, '{{1,1}}', {ids}, NULL, NULL, '{{35,-35}}')")
        finance.execute("SET lock_timeout = '300ms'")
        with pytest.raises(
            psycopg.errors.LockNotAvailable
        ):  # it waits for the entry, and would then be refused
            finance.execute("UPDATE chart_of_accounts SET currency_id = 'EUR' WHERE code = '5900'")


# --- what was entered stays ---------------------------------------------------------------------------------

CHANGES = {
    "ledger_entry_header": "SET description = 'as if'",
    "ledger_entry_line": "SET amount = amount",
}


@pytest.mark.parametrize("table", [*HEADERS, *LINES])
def test_what_was_entered_is_neither_changed_nor_deleted_nor_emptied(table: str) -> None:
    enter()
    change = next(change for name, change in CHANGES.items() if table.startswith(name))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        assert cursor.fetchone()[0], "nothing to protect: the rows' triggers would not be asked"
    for verb, text in (
        ("UPDATE", f"UPDATE {table} {change}"),
        ("DELETE", f"DELETE FROM {table}"),
        ("TRUNCATE", f"TRUNCATE {table}"),
    ):
        assert f"{verb} on" in (said := refused(text)) and "only ever added to" in said, said
        with (
            pytest.raises(ProgrammingError, match="permission denied"),
            transaction.atomic(),
            as_application(),
        ):
            execute(text)


@pytest.mark.parametrize("table", ["ledger_entry_reversal", "source_row_journalised", "guarded_balance"])
def test_what_follows_from_entries_is_not_written_by_hand(table: str) -> None:
    first = "account_id" if table == "guarded_balance" else "source_id" if "source" in table else "entry_id"
    Account.objects.create(code="9040", name="Guarded", type="ASSET", overdraft_limit=0)
    columns = {
        "ledger_entry_reversal": "(1, 2, '2019-03-12')",
        "source_row_journalised": "(1, 2, '2019-03-12')",
        "guarded_balance": f"({account_id('1010')}, 5, 0)",
    }
    assert "refused" in refused(f"INSERT INTO {table} VALUES {columns[table]}")
    if table == "guarded_balance":
        assert "refused" in refused(f"UPDATE {table} SET {first} = {first}")
        assert "refused" in refused(f"DELETE FROM {table}")


def test_an_account_with_entries_keeps_its_code_type_and_currency_and_is_never_deleted() -> None:
    enter()
    for change in ("code = '1011'", "type = 'EXPENSE'", "currency_id = 'EUR'"):
        assert "its code, type and currency stand" in refused(
            f"UPDATE chart_of_accounts SET {change} WHERE code = '1010'"
        )
    assert refused("DELETE FROM chart_of_accounts WHERE code = '1010'")
    execute("UPDATE chart_of_accounts SET name = 'Bank, checking' WHERE code = '1010'")


def test_a_waiting_journal_is_never_deleted() -> None:
    enter()
    assert refused("DELETE FROM manual_journal")


# --- months -------------------------------------------------------------------------------------------------

CLOSE = "INSERT INTO accounting_month (month, status) VALUES ('{}', 'CLOSED')"
AGAIN = "UPDATE accounting_month SET status = 'CLOSED' WHERE month = '{}'"
REOPEN = "UPDATE accounting_month SET status = 'REOPENED' WHERE month = '{}'"


def test_a_closed_month_takes_no_entry_and_a_reopened_one_does(way: tuple[str, str]) -> None:
    enter()
    execute(CLOSE.format(MARCH))
    assert "closed through 2019-03-31" in refused_entry(way, *fee())
    execute(REOPEN.format(MARCH))
    insert(way, *fee())


@pytest.mark.parametrize("day", [date(2019, 3, 31), date(2019, 4, 1)])
def test_the_last_day_of_a_closed_month_is_closed_and_the_next_open(day: date) -> None:
    execute("SELECT ensure_journal_month('2019-04-01')")
    execute(CLOSE.format(MARCH))
    header, lines = fee(je_date=day, event_on=day)
    if day.month == 3:
        assert "closed through" in refused_entry(WAYS["parent"], header, lines)
    else:
        insert(WAYS["parent"], header, lines)


def test_closed_weeks_of_a_reopened_month_take_journals_and_no_postings_trips_or_net_pay(
    way: tuple[str, str],
) -> None:
    charge(make_account(), "MISC", "10.00", on=SUNDAY)
    for number in range(4):
        run(SUNDAY + number * WEEK)
    assert "closed through 2019-03-30" in refused_entry(way, *fee())  # never closed: its weeks are
    execute(CLOSE.format(MARCH))
    execute(REOPEN.format(MARCH))
    for origin in ("TRIP", "DTR"):
        source = {"source_id": 1} if origin == "TRIP" else {}
        assert "closed through 2019-03-30" in refused_entry(way, *fee(origin=origin, **source))
    for number, origin in enumerate(("MANUAL", "TRANSFER", "BATCH", "RECON", "LOAN", "DEPOSIT")):
        insert(way, *fee(id=ENTRY + number, origin=origin))


def test_months_close_in_order_when_they_have_ended() -> None:
    enter()
    assert "that of 2019-03-12 is open" in refused(CLOSE.format("2019-04-01"))
    this_month = date.today().replace(day=1)
    assert "has not ended" in refused(CLOSE.format(this_month))
    assert "accounting_month_is_first_day" in refused(CLOSE.format("2019-03-02"))
    execute(CLOSE.format(MARCH))
    assert "keeps its name" in refused("UPDATE accounting_month SET month = '2019-04-01'")


def test_a_month_closes_after_the_last_week_that_ends_in_it() -> None:
    charge(make_account(), "MISC", "10.00", on=SUNDAY)
    assert "the week that ends on 2019-03-30 has not run" in refused(CLOSE.format(MARCH))
    for number in range(3):
        run(SUNDAY + number * WEEK)
    assert "the week that ends on 2019-03-30 has not run" in refused(CLOSE.format(MARCH))
    run(SUNDAY + 3 * WEEK)
    execute(CLOSE.format(MARCH))


def test_the_last_closed_month_reopens_first_and_closed_ones_before_later_ones() -> None:
    enter()
    assert "reopens first" in refused(
        "INSERT INTO accounting_month (month, status) VALUES ('2019-03-01', 'REOPENED')"
    )
    execute(CLOSE.format(MARCH))
    execute(CLOSE.format("2019-04-01"))
    assert "reopens first" in refused(REOPEN.format(MARCH))
    execute(REOPEN.format("2019-04-01"))
    execute(REOPEN.format(MARCH))
    assert "that of 2019-03-12 is open" in refused(AGAIN.format("2019-04-01"))
    execute(AGAIN.format(MARCH))


def test_months_and_what_happened_to_them_are_never_deleted() -> None:
    execute(CLOSE.format(MARCH))
    MonthEvent.objects.create(month=AccountingMonth.objects.get(), status="CLOSED", created_by=controller())
    for text in (
        "DELETE FROM accounting_month",
        "DELETE FROM accounting_month_event",
        "UPDATE accounting_month_event SET reason = 'another'",
        "TRUNCATE accounting_month CASCADE",
        "TRUNCATE accounting_month_event",
    ):
        assert re.search("annot (delete|update)|is refused", refused(text)), text


def test_dates_of_the_stories_are_what_they_say() -> None:
    assert MARCH <= FEE_DAY < TODAY < date.today()
