"""Months leave the database and come back as they were; nothing leaves that is not safe in its files."""

import io
import json
import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, connection, transaction
from django.db.models import F
from pytest_django import DjangoDbBlocker

from batconnect.common.audit import system_user
from batconnect.common.models import AuditEntry
from batconnect.common.roles import APPLICATION_ROLE
from ledger.engine import archive_files
from ledger.models import Account, ArchivedFile, ArchivedMonth, BalanceSnapshot, GuardedBalance, LedgerSeal
from ledger.selectors import account_balances, archives, journal, trial_balance
from ledger.selectors.plain_text import export_journal
from ledger.selectors.proofs import run_proofs
from ledger.selectors.replay import replay_account
from ledger.services import months
from ledger.services.archives import (
    ArchiveDamaged,
    CannotWriteArchive,
    NotArchived,
    archive_month,
    drop_archived,
    moving,
    obstacle_to_archiving,
    restore_month,
    rotate_partitions,
    whole_ledger,
)
from ledger.services.archives.rotation import due_months
from ledger.services.errors import ArchiveRefused
from ledger.services.projections import rebuild_projections
from tests import databases

from . import archive_story
from .archive_story import FIRST_SUNDAY, NEWEST, TODAY, everything, past_the_triggers, working_on
from .factories import broken_proofs
from .test_kills import copied

JANUARY, MARCH = date(2018, 1, 1), date(2018, 3, 1)
LEDGER, SOURCE = ArchivedMonth.Kind.LEDGER, ArchivedMonth.Kind.SOURCE


@pytest.fixture(scope="module")
def told(django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """A database with the two years, told once."""
    url = databases.clone(settings.DATABASE_URL)
    with django_db_blocker.unblock(), working_on(url):
        archive_story.tell()
    yield url
    databases.drop(url, settings.DATABASE_URL)


@pytest.fixture
def url(
    told: str, django_db_blocker: DjangoDbBlocker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """A copy of it for this test, with a folder of its own for archives."""
    monkeypatch.setattr(settings, "ARCHIVE_ROOT", tmp_path / "archive")
    with copied(told) as copy, django_db_blocker.unblock(), working_on(copy):
        yield copy


def out(kind: str = LEDGER, month: date = JANUARY) -> ArchivedMonth:
    """Archive a month and drop it."""
    return drop_archived(
        archive=archive_month(kind=kind, month=month, actor=system_user()), actor=system_user()
    )


def back(kind: str = LEDGER, month: date = JANUARY) -> ArchivedMonth:
    return restore_month(kind=kind, month=month, actor=system_user())


def rotate(**options: Any) -> list[str]:
    return [str(step) for step in rotate_partitions(today=TODAY, actor=system_user(), **options).steps]


def verified(*arguments: str) -> tuple[bool, str]:
    """Whether verify_ledger finds nothing, and what it prints."""
    printed = io.StringIO()
    try:
        call_command("verify_ledger", *arguments, stdout=printed)
    except SystemExit as ended:
        return ended.code == 0, printed.getvalue()
    return True, printed.getvalue()


def exported() -> str:
    printed = io.StringIO()
    call_command("export_journal", "--format", "hledger", stdout=printed)
    return printed.getvalue()


def balances(start: date, end: date) -> list[Any]:
    return list(trial_balance.trial_balance(start=start, end=end).rows)


def file_of(archive: ArchivedMonth, parent: str) -> Path:
    return Path(settings.ARCHIVE_ROOT) / archive.files.get(parent=parent).path


# --- out and back -------------------------------------------------------------------------------------------


def test_two_years_leave_and_come_back_as_they_were(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_files, "ROWS_PER_FILE", 7)  # so that every month has several files
    before, text = everything(url), exported()
    year_2018, years = (date(2018, 1, 1), date(2018, 12, 31)), (date(2018, 1, 1), date(2019, 12, 31))
    figures = [balances(*year_2018), balances(*years), balances(NEWEST, TODAY)]

    steps = rotate()
    assert all(": archived, " in step for step in steps)
    assert archives.months_here(LEDGER)[0] == date(2019, 1, 1)
    assert archives.months_here(SOURCE)[0] >= date(2019, 10, 1)
    assert ArchivedMonth.objects.filter(kind=LEDGER, dropped_at__isnull=False).count() == 12
    assert ArchivedFile.objects.filter(archive__kind=LEDGER, archive__month=JANUARY).count() > 4
    assert rotate() == [], "a second time there is nothing to do"

    ok, printed = verified("--seals")
    assert ok, printed
    assert "ok    archived months are what was taken out" in printed
    assert exported() == text
    assert [balances(*year_2018), balances(*years), balances(NEWEST, TODAY)] == figures
    assert rebuild_projections(actor=system_user()) == []

    for archive in archives.archives_away():
        back(archive.kind, archive.month)
    after = everything(url)
    for table in ("ledger_entry_header", "ledger_entry_line", "txn_source_parent"):
        assert after[table] == before[table]
    here = {shape[0] for shape in before["shapes"]}
    assert [shape for shape in after["shapes"] if shape[0] in here] == before["shapes"]
    assert archives.archives_away() == []
    assert verified("--seals")[0]
    assert exported() == text


def test_a_month_that_came_back_can_leave_again_and_is_left_alone_for_some_days(url: str) -> None:
    out()
    back()
    (step,) = [step for step in rotate() if "Journal entries of 2018-01" in step]
    assert "kept: it was brought back, and stays until" in step
    again = out()
    assert (again.number, again.is_away) == (2, True)
    assert verified()[0]


def test_retention_counts_back_from_the_newest_closed_month(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert due_months(LEDGER, NEWEST)[-1] == date(2018, 12, 1), "twelve months stay: all of 2019"
    monkeypatch.setattr(settings, "LEDGER_MONTHS_KEPT", 23)
    assert due_months(LEDGER, NEWEST) == [JANUARY]
    monkeypatch.setattr(settings, "LEDGER_MONTHS_KEPT", 24)
    assert due_months(LEDGER, NEWEST) == []
    assert due_months(SOURCE, date(2018, 4, 1)) == [JANUARY]
    assert due_months(SOURCE, MARCH) == []


def test_a_dry_run_says_what_would_happen_and_does_nothing(url: str) -> None:
    before = everything(url)
    printed = io.StringIO()
    call_command("rotate_partitions", "--dry-run", stdout=printed)
    assert "Newest closed month: 2019-12. Kept are 12 months of journal entries and 3 of source rows." in (
        printed.getvalue()
    )
    assert "Journal entries of 2018-12: would be archived" in printed.getvalue()
    assert "Journal entries of 2019-01" not in printed.getvalue()
    assert everything(url) == before
    assert not ArchivedMonth.objects.exists()
    assert not Path(settings.ARCHIVE_ROOT).exists()


def test_months_by_hand_and_what_the_commands_print(url: str) -> None:
    printed = io.StringIO()
    call_command("archive_month", "--ledger", "--month", "2018-03", "--keep", stdout=printed)
    assert "Journal entries of 2018-03 (1): archived, and still in the database" in printed.getvalue()
    assert MARCH in archives.months_here(LEDGER)
    call_command("archive_month", "--ledger", "--month", "2018-03", stdout=printed)
    assert "Journal entries of 2018-03 (2): archived and dropped" in printed.getvalue()
    assert MARCH not in archives.months_here(LEDGER)
    call_command("restore_month", "--ledger", "--month", "2018-03", stdout=printed)
    assert "Journal entries of 2018-03 (2): back in the database" in printed.getvalue()
    with pytest.raises(SystemExit):
        call_command("restore_month", "--ledger", "--month", "2018-03", stderr=printed)
    assert "are not archived" in printed.getvalue()
    with pytest.raises(NotArchived):
        back()
    actions = AuditEntry.objects.filter(subject="archive:LEDGER:2018-03:2").order_by("id")
    assert list(actions.values_list("action", flat=True)) == [
        "month.archived",
        "month.dropped",
        "month.restored",
    ]


@pytest.mark.parametrize("month", ["2018-13", "2018-1", "2018", "2018-01-01", "", "18-01", "abcd-ef"])
def test_a_bad_month_is_refused_by_the_commands(month: str) -> None:
    with pytest.raises(CommandError, match="is not a month"):
        call_command("archive_month", "--ledger", "--month", month)


# --- what may not leave -------------------------------------------------------------------------------------


def _reopen(_url: str) -> None:
    months.reopen_month(month=NEWEST, reason="The bank sent its fees late", actor=system_user())


def _lose_a_snapshot(_url: str) -> None:
    BalanceSnapshot.objects.filter(month=JANUARY, debits__gt=0).order_by("id")[0].delete()


def _change_a_snapshot(_url: str) -> None:
    row = BalanceSnapshot.objects.filter(month=JANUARY, debits__gt=0).order_by("id")[0]
    BalanceSnapshot.objects.filter(pk=row.pk).update(debits=row.debits + 1, closing=row.closing + 1)


def _unseal(log: str) -> Callable[[str], None]:
    def unseal(_url: str) -> None:
        with past_the_triggers():
            LedgerSeal.objects.filter(log=log).delete()

    return unseal


def _run(statement: str) -> Callable[[str], None]:
    def execute(_url: str) -> None:
        with past_the_triggers(), connection.cursor() as cursor:
            cursor.execute(statement)
            assert cursor.rowcount > 0

    return execute


_UNSETTLE = f"UPDATE trip_total SET settled_week = NULL WHERE week = '{FIRST_SUNDAY}'"
_WAITING = """
INSERT INTO manual_journal (number, status, je_date, description, reference, lines, reverses_id, reverses_date, reason,
                            decision_note, created_at, created_by_id)
SELECT 'MJ-2019-7', 'SUBMITTED', '2020-01-01', 'A mirror', '', '[]', 1, '2018-01-31', '', '', now(), min(id)
  FROM common_user
"""
_AT_WORK = """
INSERT INTO journal_run (pack, origin, month, state, dry_run, accept_valid, shard_rows, policy_version, source_rows,
                         entries, lines, rejects, skipped, debits, layers, timings, error_code, error, reason,
                         started_by_id, created_at)
SELECT 'taxi', 'TRIP', '2018-01-01', 'PENDING', false, false, 100, 1, 0, 0, 0, 0, 0, 0, '{}', '{}', '', '', '', min(id),
       now() FROM common_user
"""
REFUSED: dict[str, tuple[str, date, Callable[[str], None] | None, str]] = {
    "a month that is not closed": (LEDGER, date(2020, 1, 1), None, "nothing of 2020-01|2020-01 is not closed"),
    "source rows of a month that is not closed": (SOURCE, date(2019, 12, 1), _reopen, "2019-12 was reopened"),
    "a reopened month": (LEDGER, NEWEST, _reopen, "2019-12 was reopened and not closed again"),
    "a month that never was": (LEDGER, date(2017, 5, 1), None, "there is nothing of 2017-05"),
    "what is no month": (LEDGER, date(2018, 1, 2), None, "is not the name of a month"),
    "what is no kind of rows": ("POSTINGS", JANUARY, None, "is not the name of a month"),
    "a month without a snapshot": (LEDGER, JANUARY, _lose_a_snapshot, "month-end balance of account .* is missing"),
    "a month with a wrong snapshot": (LEDGER, JANUARY, _change_a_snapshot, "rebuild_projections puts it right"),
    "headers that are not sealed": (LEDGER, JANUARY, _unseal("HEADERS"), "2018-01 is not sealed to its end"),
    "lines that are not sealed": (LEDGER, JANUARY, _unseal("LINES"), "2018-01 is not sealed to its end"),
    "trips not settled, their entries": (LEDGER, JANUARY, _run(_UNSETTLE), "in the week of 2018-01-07 are journalised"),
    "trips not settled": (SOURCE, JANUARY, _run(_UNSETTLE), "in the week of 2018-01-07 are not settled"),
    "rows without an entry": (
        SOURCE, JANUARY, _run("DELETE FROM source_row_journalised"), "rows have no journal entry, the first is test T"
    ),
    "a reversal that waits": (LEDGER, JANUARY, _run(_WAITING), "MJ-2019-7 waits for approval and reverses an entry"),
    "a run at work": (SOURCE, JANUARY, _run(_AT_WORK), "run .* is at work on 2018-01"),
}  # fmt: skip


@pytest.mark.parametrize("story", REFUSED)
def test_it_is_not_archived(url: str, story: str) -> None:
    kind, month, deed, said = REFUSED[story]
    if deed:
        deed(url)
    before = everything(url)
    with pytest.raises(ArchiveRefused, match=said):
        archive_month(kind=kind, month=month, actor=system_user())
    if deed and month == JANUARY:
        (step,) = [
            step for step in rotate(dry_run=True) if f"{ArchivedMonth.Kind(kind).label} of 2018-01" in step
        ]
        assert re.search(f": kept: .*({said})", step)
    assert everything(url) == before
    assert not ArchivedMonth.objects.exists()
    assert not list(Path(settings.ARCHIVE_ROOT).rglob("*.parquet"))


@pytest.mark.parametrize(
    "story",
    [
        # The same look at the month refuses both; two of the obstacles are enough to know that it is taken.
        pytest.param(
            story, marks=() if story in ("a run at work", "trips not settled") else pytest.mark.thorough
        )
        for story, facts in REFUSED.items()
        if facts[2] and facts[1] == JANUARY
    ],
)
def test_it_was_archived_and_is_not_dropped(url: str, story: str) -> None:
    kind, month, deed, said = REFUSED[story]
    archive = archive_month(kind=kind, month=month, actor=system_user())
    assert deed is not None
    deed(url)
    before = everything(url)
    with pytest.raises(ArchiveRefused, match=said):
        drop_archived(archive=archive, actor=system_user())
    assert everything(url) == before
    archive.refresh_from_db()
    assert not archive.is_away


CHANGED = {
    "a line's amount": "UPDATE ledger_entry_line SET amount = amount + 1 WHERE je_date < '2018-02-01' AND side = 'DR'"
    " AND entry_id = (SELECT min(entry_id) FROM ledger_entry_line)",
    "a header's text": "UPDATE ledger_entry_header SET description = 'x' WHERE je_date < '2018-02-01'",
    "a trip's driver": "UPDATE txn_source_parent SET driver_id = driver_id + 1 WHERE txn_month = '2018-01-01'",
}


@pytest.mark.parametrize("what", CHANGED)
def test_a_month_that_changed_after_it_was_archived_is_not_dropped(url: str, what: str) -> None:
    kind = SOURCE if "trip" in what else LEDGER
    archive = archive_month(kind=kind, month=JANUARY, actor=system_user())
    _run(CHANGED[what])(url)
    with pytest.raises(ArchiveRefused, match=r"2018-01 changed after it was archived|month-end balance"):
        drop_archived(archive=archive, actor=system_user())
    assert JANUARY in archives.months_here(kind)


def test_a_rotation_archives_anew_what_changed_since(url: str) -> None:
    """For example a late trip, or another month's worth of one."""
    old = archive_month(kind=SOURCE, month=JANUARY, actor=system_user())
    _run(CHANGED["a trip's driver"])(url)
    rotate()
    newest = ArchivedMonth.objects.filter(kind=SOURCE, month=JANUARY).order_by("-number")[0]
    assert (newest.number, newest.is_away) == (2, True)
    old.refresh_from_db()
    assert old.dropped_at is None


def test_an_archive_is_used_once_and_only_the_last(url: str) -> None:
    first = archive_month(kind=LEDGER, month=JANUARY, actor=system_user())
    second = archive_month(kind=LEDGER, month=JANUARY, actor=system_user())
    with pytest.raises(ArchiveRefused, match="archive 1 of 2018-01 is not its last"):
        drop_archived(archive=first, actor=system_user())
    drop_archived(archive=second, actor=system_user())
    with pytest.raises(ArchiveRefused, match="used before"):
        drop_archived(archive=second, actor=system_user())
    with pytest.raises(ArchiveRefused, match="2018-01 is archived already"):
        archive_month(kind=LEDGER, month=JANUARY, actor=system_user())


def test_files_that_do_not_hold_the_month_are_not_recorded(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_one_row(cursor: Any, path: Path, **options: Any) -> int:
        if "line" in path.name:
            frame = pl.read_parquet(path)
            frame.head(frame.height - 1).write_parquet(path)
        return archive_files.copy_file(cursor, path, **options)

    monkeypatch.setattr(moving, "copy_file", without_one_row)
    with pytest.raises(ArchiveRefused, match="what was read back from the files of 2018-01 is not what"):
        archive_month(kind=LEDGER, month=JANUARY, actor=system_user())
    assert not ArchivedMonth.objects.exists()
    assert not list(Path(settings.ARCHIVE_ROOT).rglob("*.parquet"))


def test_a_folder_that_cannot_be_written_is_told_and_nothing_leaves(url: str, tmp_path: Path) -> None:
    (tmp_path / "archive").write_text("a file, where the folder should be")
    with pytest.raises(CannotWriteArchive, match="cannot be written"):
        archive_month(kind=LEDGER, month=JANUARY, actor=system_user())
    assert JANUARY in archives.months_here(LEDGER)


# --- damaged files ------------------------------------------------------------------------------------------


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def _change_a_row(path: Path) -> None:
    frame = pl.read_parquet(path)
    column = "amount" if "amount" in frame.columns else "total"
    frame.with_columns(pl.col(column) + 1).write_parquet(path, compression="zstd")


DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (Path.unlink, "is missing"),
    "cut short": (_cut, "bytes in place of"),
    "with one bit changed": (_flip, "was changed"),
    "with another amount": (_change_a_row, "was changed|bytes in place of"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_named_and_nothing_is_half_restored(url: str, damage: str) -> None:
    deed, said = DAMAGE[damage]
    archive = out()
    before = everything(url)
    path = file_of(archive, "ledger_entry_line")
    deed(path)
    with pytest.raises(ArchiveDamaged, match=said) as raised:
        back()
    assert str(path) in str(raised.value)
    assert everything(url) == before
    ok, printed = verified()
    assert not ok
    assert f"FAIL  archived months are what was taken out: {path}" in printed


@pytest.mark.thorough
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_month_whose_file_is_damaged_before_the_drop_stays(url: str, damage: str) -> None:
    archive = archive_month(kind=LEDGER, month=JANUARY, actor=system_user())
    DAMAGE[damage][0](file_of(archive, "ledger_entry_header"))
    with pytest.raises(ArchiveDamaged):
        drop_archived(archive=archive, actor=system_user())
    assert JANUARY in archives.months_here(LEDGER)
    rotate()
    assert ArchivedMonth.objects.get(kind=LEDGER, month=JANUARY, number=2).is_away, (
        "another archive was written"
    )
    assert verified()[0]


def test_whoever_changes_a_file_and_its_hash_is_still_found(url: str) -> None:
    archive = out()
    path = file_of(archive, "ledger_entry_line")
    _change_a_row(path)
    with past_the_triggers():
        archive.files.filter(parent="ledger_entry_line").update(
            sha256=archive_files.digest(path), bytes=path.stat().st_size
        )
    before = everything(url)
    with pytest.raises(
        ArchiveRefused, match="what was read from the files of 2018-01 is not what was archived"
    ):
        back()
    assert everything(url) == before
    ok, printed = verified("--seals")
    assert not ok
    assert "ledger of 2018-01: what was read from its files is not what was archived" in printed
    assert "line 1 of entry JE-201801-" in printed, "the seals name the row"


# --- reading ------------------------------------------------------------------------------------------------


def test_proofs_that_do_not_read_the_archives_say_so(url: str) -> None:
    out()
    (proof,) = [proof for proof in run_proofs() if not proof.ok]
    assert proof.detail == "2018-01 is archived, and was not read from its files"
    with whole_ledger():
        assert broken_proofs() == []
    assert [proof.ok for proof in run_proofs()] == [False], "nothing is left open"


def test_a_change_behind_the_triggers_is_found_while_months_are_away(url: str) -> None:
    out()
    _run("UPDATE ledger_entry_line SET amount = amount + 1 WHERE je_date >= '2019-12-01'")(url)
    ok, printed = verified("--seals")
    assert not ok
    assert "FAIL  entries balance and are complete" in printed


def test_a_guarded_balance_counts_what_was_archived(url: str) -> None:
    wallet, bank = Account.objects.get(code="W-1"), Account.objects.get(code="1010")
    standing = GuardedBalance.objects.get(account=wallet).balance
    limited = -bank_balance(bank)
    rotate()
    with past_the_triggers():
        GuardedBalance.objects.filter(account=wallet).update(balance=1)
    (difference,) = rebuild_projections(actor=system_user(), account_code="W-1")
    assert difference.should_be is not None and difference.should_be["balance"] == str(standing)
    assert GuardedBalance.objects.get(account=wallet).balance == standing
    # The rule may also come when most of the account's lines are away.
    Account.objects.filter(pk=bank.pk).update(overdraft_limit=10_000)
    assert GuardedBalance.objects.get(account=bank).balance == -limited
    assert verified()[0]


def bank_balance(bank: Account) -> Any:
    (row,) = account_balances.account_balances(start=NEWEST, end=TODAY, account_ids=[bank.pk])
    return row.closing


def test_snapshots_of_archived_months_are_put_right_from_the_totals_recorded_with_them(url: str) -> None:
    rotate()
    before = list(
        BalanceSnapshot.objects.order_by("month", "account_id", "fund").values_list("month", "closing")
    )
    BalanceSnapshot.objects.filter(month=MARCH).update(debits=F("debits") + 1, closing=F("closing") + 1)
    BalanceSnapshot.objects.filter(month=date(2018, 6, 1)).delete()
    assert rebuild_projections(actor=system_user()) != []
    assert rebuild_projections(actor=system_user()) == []
    after = list(
        BalanceSnapshot.objects.order_by("month", "account_id", "fund").values_list("month", "closing")
    )
    assert after == before


def test_a_read_that_begins_at_the_first_entry_is_refused_without_the_archives(url: str) -> None:
    out()
    with pytest.raises(archives.MonthIsArchived, match="The entries of 2018-01 are archived"):
        export_journal(format_name="hledger")
    with pytest.raises(archives.MonthIsArchived):
        replay_account("W-1")


def test_replay_of_an_account_begins_at_its_first_line(url: str) -> None:
    before, after = io.StringIO(), io.StringIO()
    call_command("replay_account", "W-1", stdout=before)
    rotate()
    call_command("replay_account", "W-1", stdout=after)
    assert after.getvalue() == before.getvalue()


# --- what is known of archives stands -----------------------------------------------------------------------


UNCHANGING = (
    "UPDATE archived_month SET rows = 0",
    "UPDATE archived_month SET dropped_at = NULL",
    "UPDATE archived_month SET dropped_at = now()",
    "UPDATE archived_month SET totals = '{}'",
    "DELETE FROM archived_month",
    "TRUNCATE archived_month CASCADE",
    "UPDATE archived_file SET sha256 = ''",
    "DELETE FROM archived_file",
    "TRUNCATE archived_file",
    "UPDATE archived_account_total SET debits = 0",
    "DELETE FROM archived_account_total",
    "TRUNCATE archived_account_total",
)


def test_the_record_of_an_archive_is_not_changed(url: str) -> None:
    out()
    for statement in UNCHANGING:
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
            pytest.fail(f"not refused: {statement}")


# --- the application's role ---------------------------------------------------------------------------------


def test_the_application_s_role_can_rotate_read_and_restore(url: str) -> None:
    before = everything(url)
    with connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {APPLICATION_ROLE}")
    archive = out()
    out(SOURCE)
    ok, printed = verified("--seals")
    assert ok, printed
    assert rebuild_projections(actor=system_user()) == []
    back()
    back(SOURCE)
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
    assert everything(url) == before
    assert archive.archived_by == system_user()


FORBIDDEN = [
    "DROP TABLE ledger_entry_line_201901",
    "ALTER TABLE ledger_entry_line DETACH PARTITION ledger_entry_line_201901",
    "SELECT * FROM ledger_entry_line_201801_0",
    "INSERT INTO ledger_entry_line_201801_0 SELECT * FROM ledger_entry_line",
    "INSERT INTO archived_month (kind, month) VALUES ('LEDGER', '2018-01-01')",
    "UPDATE archived_month SET dropped_at = now()",
    "INSERT INTO archived_account_total (fund) VALUES ('OP')",
    "SELECT ledger_open_archives(); INSERT INTO pg_temp.archived_ledger_entry_line DEFAULT VALUES;"
    " SELECT ledger_show_archives(); INSERT INTO pg_temp.archived_ledger_entry_line DEFAULT VALUES",
    "SELECT ledger_drop_archived((SELECT id FROM archived_month), 1)",
    "SELECT ledger_drop_archived(0, 1)",
    "SELECT ledger_open_restore(0)",
    "SELECT ledger_open_restore((SELECT id FROM archived_month))",
    "SELECT ledger_close_restore((SELECT id FROM archived_month), 1)",
    "SELECT ledger_open_archives(), ledger_record_archive('LEDGER', '2018-02-01', '[]', 1)",
]


def test_the_application_s_role_cannot(url: str) -> None:
    archive_month(kind=LEDGER, month=JANUARY, actor=system_user())
    _unseal("LINES")(url)  # so that nothing may be dropped
    before = everything(url)
    for statement in FORBIDDEN:
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL ROLE {APPLICATION_ROLE}")
            cursor.execute(statement)
            pytest.fail(f"not refused: {statement}")
    assert everything(url) == before


def test_a_restore_that_was_begun_and_not_ended_leaves_nothing(url: str) -> None:
    archive = out()
    before = everything(url)
    with (
        pytest.raises(DatabaseError, match="is not what was archived"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT ledger_open_restore(%s)", [archive.pk])
        cursor.execute("SELECT ledger_close_restore(%s, 1)", [archive.pk])
    assert everything(url) == before


# --- what else meets an archived month ----------------------------------------------------------------------


def test_an_entry_of_an_archived_month_is_answered_with_where_it_is(url: str) -> None:
    entry = journal.entry_numbered(first_number())
    assert entry is not None
    out()
    with pytest.raises(archives.MonthIsArchived, match="The entries of 2018-01 are archived"):
        journal.entry_numbered(entry.je_number)
    assert journal.entry_numbered("JE-201902-999999999") is None


def first_number() -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT je_number FROM ledger_entry_header WHERE origin = 'MANUAL' ORDER BY id LIMIT 1"
        )
        return str(cursor.fetchone()[0])


def test_the_manifest_tells_what_a_folder_is_without_its_database(url: str) -> None:
    archive = out()
    folder = file_of(archive, "ledger_entry_line").parent
    told = json.loads((folder / "manifest.json").read_text())
    assert (told["kind"], told["month"]) == ("LEDGER", "2018-01-01")
    assert {file["name"] for file in told["files"]} == {path.name for path in folder.glob("*.parquet")}
    assert not list(folder.parent.glob(".unfinished-*"))


def test_what_can_leave_has_no_obstacle(url: str) -> None:
    assert obstacle_to_archiving(kind=LEDGER, month=JANUARY) is None
    assert obstacle_to_archiving(kind=SOURCE, month=JANUARY) is None
