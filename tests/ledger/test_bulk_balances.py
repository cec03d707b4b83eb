"""Balances, statements and events are the same whether lines came online or in bulk, and read no line of a large run
that they do not show.
"""

import json
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from batconnect.common.audit import system_user
from ledger.models import BalanceSnapshot, BatchAccountTotal, EntryLine, JournalRun
from ledger.selectors import trial_balance
from ledger.selectors.account_balances import account_balances, balances_sql, sources_of, usable_months
from ledger.selectors.account_statements import account_statement, find_account, stream_statement
from ledger.selectors.client_accounts import balance_of, events_of
from ledger.services import months
from ledger.services.projections import rebuild_projections
from ledger.services.snapshots import rebuild_snapshots

from .bulk_leaves import broken, mixed_ledger
from .bulk_runs import posted_run
from .journal_story import behind_the_triggers
from .lived_in import execute, refused
from .test_application_role import as_application

pytestmark = pytest.mark.django_db

MARCH, APRIL, END = date(2019, 3, 1), date(2019, 4, 1), date(2019, 4, 30)
TODAY = date(2019, 6, 3)
CODES = ("5200", "1010", "4100", "3000")


@pytest.fixture
def runs() -> tuple[JournalRun, JournalRun, JournalRun]:
    return mixed_ledger()


def close_march() -> None:
    months.close_month(month=MARCH, actor=system_user(), on=TODAY)


def signed(line: EntryLine) -> Decimal:
    return line.amount if line.side == "DR" else -line.amount


def from_lines(start: date, end: date, fund: str | None) -> dict[tuple[str, str], tuple[Decimal, ...]]:
    """Opening, debits and credits of each account and fund, added up line by line."""
    found: dict[tuple[str, str], list[Decimal]] = {}
    for line in EntryLine.objects.filter(je_date__lte=end).select_related("account"):
        if fund not in (None, line.fund):
            continue
        sums = found.setdefault((line.account.code, line.fund), [Decimal(0)] * 3)
        place = 0 if line.je_date < start else 1 if line.side == "DR" else 2
        sums[place] += signed(line) if place == 0 else line.amount
    return {key: tuple(sums) for key, sums in found.items() if any(sums)}


def reported(start: date, end: date, fund: str | None) -> dict[tuple[str, str], tuple[Decimal, ...]]:
    rows = account_balances(start=start, end=end, fund=fund)
    return {(row.code, row.fund): (row.opening, row.debits, row.credits) for row in rows}


WINDOWS = [
    (MARCH, date(2019, 3, 31)), (date(2019, 3, 6), date(2019, 4, 1)), (date(2019, 3, 12), date(2019, 3, 12)),
    (APRIL, END), (date.min, date.max), (date(2019, 4, 2), date(2019, 4, 2)), (MARCH, date(2019, 3, 4)),
]  # fmt: skip


@pytest.mark.parametrize("fund", [None, "TBR"])
def test_balances_are_what_the_lines_add_up_to_closed_or_open(runs, fund):
    for window in WINDOWS:
        assert reported(*window, fund) == from_lines(*window, fund)
    close_march()
    for window in WINDOWS:
        assert reported(*window, fund) == from_lines(*window, fund)
    assert trial_balance.trial_balance(start=MARCH, end=END).balanced
    assert rebuild_snapshots() == []
    assert broken() == []


def test_no_line_of_a_large_run_is_read_for_a_balance(runs):
    sql = balances_sql(sources_of(MARCH, END, usable_months(MARCH, END)))
    online = {"ledger_entry_line_201903_0", "ledger_entry_line_201904_0"}
    assert online <= tables_of(sql) and all(name.endswith("_0") for name in tables_of(sql))
    with CaptureQueriesContext(connection) as asked:
        for code in CODES:
            account = find_account(code)
            balance_of(account)
            balance_of(account, as_of=date(2019, 3, 20))
            balance_of(account, as_of=timezone.now())
        close_march()
    asked_for = [query["sql"] for query in asked.captured_queries]
    read = {table for sql in asked_for if sql.lstrip().startswith("SELECT") for table in tables_of(sql)}
    assert online <= read and all(name.endswith("_0") for name in read)


def tables_of(sql: str) -> set[str]:
    """The tables of lines that the plan of a statement reads."""
    if "ledger_entry_line" not in sql:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql.replace('%', '%%')}", [])
        plan = cursor.fetchone()[0]
    found: set[str] = set()

    def walk(node: dict) -> None:
        found.add(node.get("Relation Name") or "")
        for inner in node.get("Plans", ()):
            walk(inner)

    walk((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])
    return {name for name in found if name.startswith("ledger_entry_line")}


@pytest.mark.parametrize("fund", [None, "TBR", "OP"])
@pytest.mark.parametrize("limit", [1, 2, 5, 100])
def test_a_statement_turns_its_pages_through_online_and_bulk_lines_in_their_order(runs, fund, limit):
    for code in CODES if fund != "TBR" else CODES[:3]:
        account = find_account(code)
        lines = EntryLine.objects.filter(account=account, je_date__gte=date(2019, 3, 5))
        lines = lines.filter(fund=fund) if fund else lines
        expected = list(lines.order_by("je_date", "entry_id", "line_number"))
        balance = sum(map(signed, EntryLine.objects.filter(
            account=account, je_date__lt=date(2019, 3, 5), fund__in=[fund] if fund else ["OP", "TBR"]
        )), Decimal(0))  # fmt: skip
        told, cursor = [], None
        while True:
            page = account_statement(
                account=account, start=date(2019, 3, 5), end=END, fund=fund, cursor=cursor, limit=limit
            )
            assert page.balance_before == (told[-1].balance if told else balance)
            told += page.lines
            cursor = page.next_cursor
            if cursor is None:
                break
        assert [(row.entry_id, row.line_number, row.je_date) for row in told] == [
            (line.entry_id, line.line_number, line.je_date) for line in expected
        ]
        for row, line in zip(told, expected, strict=True):
            balance += signed(line)
            assert (row.amount, row.fund, row.balance) == (line.amount, line.fund, balance)
        _, streamed = stream_statement(account=account, start=date(2019, 3, 5), end=END, fund=fund)
        assert list(streamed) == told


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_events_turn_their_pages_through_bulk_lines_with_the_balance_after_each(runs, limit):
    for code in CODES:
        account = find_account(code)
        sign = 1 if account.is_debit_normal else -1
        balance, expected = Decimal(0), []
        for line in EntryLine.objects.filter(account=account).order_by("entry_id", "line_number"):
            balance += sign * signed(line)
            expected.append((line.entry_id, line.line_number, balance))
        told, cursor = [], None
        while True:
            page = events_of(account, limit=limit, cursor=cursor)
            told += [(row["entry_id"], row["line_number"], row["balance_after"]) for row in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert told == expected[::-1]


def test_a_balance_as_of_a_moment_has_a_run_from_when_it_was_posted(runs):
    large, *_ = runs
    bank = find_account("1010")
    everything = -balance_of(bank) if not bank.is_debit_normal else balance_of(bank)
    behind_the_triggers(
        "UPDATE journal_run SET posted_at = now() + interval '2 days' WHERE id = %(run)s", run=large.pk
    )
    of_run = BatchAccountTotal.objects.filter(batch_id=large.pk, account=bank)
    brought = sum((total.debits - total.credits for total in of_run), Decimal(0))
    assert brought != 0
    assert balance_of(bank, as_of=timezone.now() + timedelta(days=1)) == everything - brought
    assert balance_of(bank, as_of=timezone.now() + timedelta(days=3)) == everything


# --- written anew --------------------------------------------------------------------------------------------


def totals() -> list[Sequence[object]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM batch_account_total ORDER BY 1, 2, 3, 4")
        days = cursor.fetchall()
        cursor.execute("SELECT * FROM journal_shard_total ORDER BY 1, 3, 4, 5, 6")
        return [*days, *cursor.fetchall()]


BREAKAGES = {
    "a day's total": "UPDATE batch_account_total SET debits = debits + 1 WHERE batch_id = %(run)s AND fund = 'TBR'",
    "a day's total, gone": "DELETE FROM batch_account_total WHERE batch_id = %(run)s AND fund = 'TBR'",
    "a slice's total": "UPDATE journal_shard_total SET first_entry = first_entry - 1 WHERE run_id = %(run)s",
    "slices' totals, gone": "DELETE FROM journal_shard_total WHERE run_id = %(run)s",
    "a total of nothing": "INSERT INTO batch_account_total SELECT %(run)s, '2019-03-30', account_id, fund, 1, 1"
    " FROM batch_account_total WHERE fund = 'TBR' LIMIT 1",
}


@pytest.mark.parametrize("what", BREAKAGES)
def test_totals_are_written_anew_from_the_lines(runs, what):
    close_march()
    before = totals()
    snapshots = list(BalanceSnapshot.objects.order_by("id").values_list())
    assert rebuild_projections(actor=system_user()) == []
    behind_the_triggers(BREAKAGES[what], run=runs[0].pk)
    found = rebuild_projections(actor=system_user(), dry_run=True)
    assert found and {row.projection for row in found} <= {"batch total", "snapshot"}
    assert found[0].name.startswith(f"run {runs[0].pk}, ") and totals() != before
    with as_application():
        rebuild_projections(actor=system_user())
    assert totals() == before
    assert rebuild_projections(actor=system_user()) == []
    assert [row[1:] for row in BalanceSnapshot.objects.order_by("id").values_list()] == [
        row[1:] for row in snapshots
    ]
    assert broken() == []


def test_no_month_leaves_while_totals_are_written_anew() -> None:
    """Its totals would be deleted while its lines are here, and written anew when they are not."""
    run = posted_run()
    assert archives_locks() == []
    execute(f"INSERT INTO ledger_rebuild_batch VALUES ({run.pk})")
    assert archives_locks() == ["ShareLock"]


def archives_locks() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'"
            " AND (classid::bigint << 32 | objid::bigint) = ledger_archives_lock()"
        )
        return [mode for (mode,) in cursor.fetchall()]


def test_nobody_writes_a_total_of_his_own(runs):
    for statement in (
        "UPDATE batch_account_total SET debits = 0",
        "DELETE FROM batch_account_total",
        "TRUNCATE batch_account_total",
        "UPDATE journal_shard_total SET debits = 0",
        "DELETE FROM journal_shard_total",
        "TRUNCATE journal_shard_total",
        "INSERT INTO journal_shard_total SELECT * FROM journal_shard_total",
        f"INSERT INTO ledger_rebuild_batch VALUES ({runs[1].pk})",
    ):
        assert refused(statement), statement
    execute(f"INSERT INTO ledger_rebuild_batch VALUES ({runs[0].pk})")
