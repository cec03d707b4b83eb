"""What else meets a month that is archived: a clear answer, never an empty one, and nothing half-done."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import DatabaseError, connection, connections, transaction
from django.urls import reverse
from pytest_django import DjangoDbBlocker
from rest_framework.test import APIClient

from batconnect.common.audit import system_user
from ledger.models import Account, ArchivedMonth, DriverAccount, EntryHeader, LedgerPosting
from ledger.selectors.account_balances import MonthArchived
from ledger.selectors.account_statements import account_statement
from ledger.selectors.archives import MonthIsArchived, months_here
from ledger.services import archives, chart_accounts, journals, months, voids
from ledger.services.archives import moving
from ledger.services.chart_accounts import AccountFixed
from ledger.services.errors import ArchiveRefused, ClosedPeriod
from ledger.services.months import MonthAway
from ledger.services.seals import seal_ledger
from tests import databases
from tests.factories import make_user

from . import archive_story
from .archive_story import FIRST_SUNDAY, everything, past_the_triggers, working_on
from .factories import drive
from .journal_story import enter_plain
from .test_kills import copied

JANUARY, FEBRUARY, TODAY = date(2018, 1, 1), date(2018, 2, 1), date(2018, 4, 15)
LEDGER, SOURCE = ArchivedMonth.Kind.LEDGER, ArchivedMonth.Kind.SOURCE
REASON = "Found when the year was audited"


@pytest.fixture(scope="module")
def told(django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Two closed months; the first is away, both its entries and its source rows."""
    url = databases.clone(settings.DATABASE_URL)
    former, settings.ARCHIVE_ROOT = settings.ARCHIVE_ROOT, tmp_path_factory.mktemp("archive")
    with django_db_blocker.unblock(), working_on(url):
        archive_story.tell(2)
        for kind in (LEDGER, SOURCE):
            archive = archives.archive_month(kind=kind, month=JANUARY, actor=system_user())
            archives.drop_archived(archive=archive, actor=system_user())
    yield url
    settings.ARCHIVE_ROOT = former
    databases.drop(url, settings.DATABASE_URL)


@pytest.fixture
def url(told: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    with copied(told) as copy, django_db_blocker.unblock(), working_on(copy):
        yield copy


@contextmanager
def refused_with(said: str) -> Iterator[Any]:
    """The database refuses what is done inside, in these words."""
    with pytest.raises(DatabaseError, match=said), transaction.atomic(), connection.cursor() as cursor:
        yield cursor


def back(kind: str = LEDGER) -> None:
    archives.restore_month(kind=kind, month=JANUARY, actor=system_user())


def posting_of_january() -> LedgerPosting:
    return LedgerPosting.objects.filter(category="LEASE", effective_on__lt=FEBRUARY)[0]


def number_of_january(url: str) -> str:
    """The number of an entry that is away; a manual one."""
    with archives.whole_ledger():
        manual = EntryHeader.objects.filter(origin="MANUAL", je_date__lt=FEBRUARY, metadata__isnull=False)
        return str(manual.order_by("pk")[0].je_number)


# --- entries ------------------------------------------------------------------------------------------------


def test_the_api_says_that_an_entry_is_archived_and_shows_it_when_it_is_back(url: str) -> None:
    number = number_of_january(url)
    client = APIClient()
    client.force_login(make_user(permissions=("ledger.view_entryheader",)))
    answer = client.get(f"/ledger/journal/{number}")
    assert answer.status_code == 409, answer.content
    assert answer.json()["error"] == "archive.month_away"
    assert "The entries of 2018-01 are archived" in answer.json()["message"]
    back()
    assert client.get(f"/ledger/journal/{number}").json()["je_number"] == number


def test_the_admin_says_so_too(url: str, client: Any) -> None:
    number = number_of_january(url)
    client.force_login(make_user(permissions=("ledger.view_entryheader", "ledger.enter_journal")))
    for page in ("change", "reverse"):
        shown = client.get(reverse(f"admin:ledger_entryheader_{page}", args=[number]), follow=True)
        assert shown.status_code == 200
        assert "The entries of 2018-01 are archived" in shown.content.decode()
        assert "Perhaps it was deleted" not in shown.content.decode()
    found = client.get(reverse("admin:ledger_entryheader_changelist"), {"q": number}, follow=True)
    assert "The entries of 2018-01 are archived" in found.content.decode()


def test_the_screen_of_a_posting_says_that_its_entry_is_archived(url: str, client: Any) -> None:
    client.force_login(make_user(permissions=("ledger.view_ledgerposting", "ledger.view_entryheader")))
    shown = client.get(reverse("admin:ledger_ledgerposting_change", args=[posting_of_january().pk]))
    assert "archived with 2018-01" in shown.content.decode()


def test_a_manual_entry_of_an_archived_month_is_reversed_when_it_is_back(url: str) -> None:
    number = number_of_january(url)
    reversal: dict[str, Any] = {"je_number": number, "reason": REASON, "actor": make_user(), "on": TODAY}
    with pytest.raises(MonthIsArchived):
        journals.reverse_journal(**reversal)
    back()
    assert journals.reverse_journal(**reversal).reverses_id is not None


def test_a_charge_of_an_archived_month_is_voided_when_its_entry_is_back(url: str) -> None:
    before = everything(url)
    void: dict[str, Any] = {
        "posting_id": posting_of_january().pk, "reason": REASON, "actor": system_user(), "on": TODAY
    }  # fmt: skip
    with pytest.raises(MonthIsArchived, match="The entries of 2018-01 are archived"):
        voids.void_posting(**void)
    assert everything(url) == before
    assert LedgerPosting.objects.get(pk=void["posting_id"]).status == "POSTED"
    back()
    assert voids.void_posting(**void).amount < 0


def test_a_statement_into_an_archived_month_says_so(url: str) -> None:
    bank = Account.objects.get(code="1010")
    with pytest.raises(MonthArchived, match="2018-01"):
        account_statement(account=bank, start=date(2018, 1, 10), end=date(2018, 2, 28), limit=10)


# --- days and months ----------------------------------------------------------------------------------------


def test_an_archived_month_reopens_when_it_is_back(url: str) -> None:
    months.reopen_month(month=FEBRUARY, reason=REASON, actor=system_user())
    reopening: dict[str, Any] = {"month": JANUARY, "reason": REASON, "actor": system_user()}
    with pytest.raises(MonthAway, match=r"January 2018 is archived\. Bring it back first"):
        months.reopen_month(**reopening)
    with refused_with("2018-01 is archived; restore it first") as cursor:
        cursor.execute("UPDATE accounting_month SET status = 'REOPENED' WHERE month = '2018-01-01'")
    back()
    months.reopen_month(**reopening)
    enter_plain("1010", "4000", "1.00", on=JANUARY)
    for month in (JANUARY, FEBRUARY):
        months.close_month(month=month, actor=system_user(), on=TODAY)
    seal_ledger(actor=system_user())
    archive = archives.archive_month(kind=LEDGER, month=JANUARY, actor=system_user())
    assert archives.drop_archived(archive=archive, actor=system_user()).number == 2


def test_nothing_is_entered_in_an_archived_month_and_no_empty_one_takes_its_place(url: str) -> None:
    with pytest.raises(ClosedPeriod):
        enter_plain("1010", "4000", "1.00", on=JANUARY)
    with refused_with("2018-01 is closed and archived") as cursor:
        cursor.execute("SELECT ensure_journal_month('2018-01-15')")
    with refused_with("the source rows of 2018-01 are archived") as cursor:
        cursor.execute("SELECT ensure_txn_source_month('2018-01-01')")
    assert JANUARY not in months_here(LEDGER)
    assert JANUARY not in months_here(SOURCE)


def test_a_late_trip_of_an_archived_month_waits_until_its_rows_are_back(url: str) -> None:
    account = DriverAccount.objects.order_by("pk")[0]
    with refused_with("the source rows of 2018-01 are archived"):
        drive(account, "20.00", week=FIRST_SUNDAY)
    back(SOURCE)
    drive(account, "20.00", week=FIRST_SUNDAY)


def test_a_settlement_is_reversed_when_its_trips_are_here(url: str) -> None:
    back(LEDGER)
    account = DriverAccount.objects.order_by("pk")[0]
    reversal: dict[str, Any] = {
        "account": account, "week": FIRST_SUNDAY, "reason": REASON, "actor": system_user(), "on": TODAY
    }  # fmt: skip
    with pytest.raises(MonthIsArchived, match="The trips of 2018-01 are archived"):
        voids.reverse_settlement(**reversal)
    back(SOURCE)
    voids.reverse_settlement(**reversal)


# --- accounts -----------------------------------------------------------------------------------------------


def test_an_account_whose_lines_are_all_archived_keeps_its_code_type_and_currency(url: str) -> None:
    """Its lines of February go, as if it had none; those of January are in files."""
    with past_the_triggers(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM ledger_entry_line")
    wallet = Account.objects.get(code="W-1")
    with pytest.raises(AccountFixed):
        chart_accounts.change_account(
            account_id=wallet.pk, values={"code": "W-2"}, actor=system_user(), on=TODAY
        )
    with refused_with("has entries"):
        Account.objects.filter(pk=wallet.pk).update(type="ASSET")


# --- bulk leaves, staging, others at work -------------------------------------------------------------------

_LEAF = """
CREATE TABLE {leaf} (LIKE {parent} INCLUDING ALL);
INSERT INTO {leaf} ({columns}) SELECT {changed} FROM {parent} WHERE je_date >= '2018-02-01' AND batch_id = 0;
SELECT ledger_guard_journal_table('{leaf}', {is_header});
CREATE TRIGGER ledger_batch_is_whole BEFORE INSERT ON {leaf}
  FOR EACH ROW EXECUTE FUNCTION ledger_journal_refuse_change();
ALTER TABLE {parent}_201802 ATTACH PARTITION {leaf} FOR VALUES IN (7);
"""
_SEALED = """
INSERT INTO ledger_seal (log, block, batch_id, first_key, last_key, rows, digest, chain, marks, sealed_at, sealed_by_id)
SELECT log, 99, 7, 1, 2^62, 1, '', '', '', now(), min(u.id)
  FROM unnest(ARRAY['HEADERS', 'LINES']) log, common_user u GROUP BY log
"""
_HEADER = "id, je_date, batch_id, origin, event_on, line_count, total, reference, metadata, created_at, created_by_id"
_LINE = "entry_id, line_number, je_date, batch_id, account_id, currency, side, fund, amount, template_line"


def test_the_leaves_of_bulk_runs_leave_and_come_back_with_their_month(url: str) -> None:
    with past_the_triggers(), connection.cursor() as cursor:
        for parent, columns, key in (
            ("ledger_entry_header", _HEADER, "id"),
            ("ledger_entry_line", _LINE, "entry_id"),
        ):
            changed = columns.replace(key, f"{key} + 1000000262144", 1).replace("batch_id", "7")
            changed = changed.replace("origin", "'BATCH'")
            is_header = parent == "ledger_entry_header"
            cursor.execute(
                _LEAF.format(
                    leaf=f"{parent}_201802_7",
                    parent=parent,
                    columns=columns,
                    changed=changed,
                    is_header=is_header,
                )
            )
        cursor.execute(
            "UPDATE account_balance_snapshot SET debits = 2 * debits, credits = 2 * credits,"
            " closing = opening + 2 * (debits - credits) WHERE month = '2018-02-01'"
        )
    with pytest.raises(ArchiveRefused, match="2018-02 is not sealed"):
        archives.archive_month(kind=LEDGER, month=FEBRUARY, actor=system_user())
    with past_the_triggers(), connection.cursor() as cursor:
        cursor.execute(_SEALED)
    before = everything(url)
    archive = archives.archive_month(kind=LEDGER, month=FEBRUARY, actor=system_user())
    assert set(archive.totals["ledger_entry_line"]) == {"0", "7"}
    archives.drop_archived(archive=archive, actor=system_user())
    assert FEBRUARY not in months_here(LEDGER)
    archives.restore_month(kind=LEDGER, month=FEBRUARY, actor=system_user())
    assert everything(url) == before


_RUN = """
INSERT INTO journal_run (pack, origin, month, state, dry_run, accept_valid, shard_rows, policy_version, source_rows,
                         entries, lines, rejects, skipped, debits, layers, timings, error_code, error, reason,
                         started_by_id, created_at, ended_at)
SELECT 'taxi', 'TRIP', '2018-02-01', %s, false, false, 100, 1, 0, 0, 0, 0, 0, 0, '{{}}', '{{}}', '', '', '', min(id),
       now() - interval '30 days', {ended} FROM common_user RETURNING id
"""


def test_what_ended_runs_staged_is_dropped_after_some_days_and_not_before(url: str) -> None:
    made = []
    with past_the_triggers(), connection.cursor() as cursor:
        for state, ended in (
            ("POSTED", "now() - interval '8 days'"),
            ("FAILED", "now() - interval '6 days'"),
            ("STAGED", "NULL"),
        ):
            cursor.execute(_RUN.format(ended=ended), [state])
            (run,) = cursor.fetchone()
            made.append(run)
            cursor.execute(
                "INSERT INTO journal_run_shard (run_id, number, txn_month, first_source_id, last_source_id,"
                " source_rows, state, entries, lines, rejects, skipped, source_gross, source_ids_sum, debits,"
                " keys_total, weighted_total, months, accounts, timings, worker)"
                " VALUES (%s, 1, '2018-02-01', 1, 1, 1, 'PENDING', 0, 0, 0, 0, 0, 0, 0, 0, 0, '[]', '{}', '{}', '')"
                " RETURNING id",
                [run],
            )
            (shard,) = cursor.fetchone()
            for name in ("je_header_staging", "je_line_staging"):
                cursor.execute(
                    f"CREATE UNLOGGED TABLE {name}_{shard} PARTITION OF {name} FOR VALUES IN ({shard})"
                )
    assert (
        archives.rotate_partitions(today=TODAY, actor=system_user(), dry_run=True).staging_dropped == made[:1]
    )
    assert archives.rotate_partitions(today=TODAY, actor=system_user()).staging_dropped == made[:1]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_inherits WHERE inhparent = 'je_line_staging'::regclass")
        assert cursor.fetchone() == (2,)


def test_whoever_reads_for_long_does_not_make_others_wait_behind_a_drop(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "LOCK_WAIT", "100ms")
    monkeypatch.setattr(moving, "ATTEMPTS", 2)
    monkeypatch.setattr(moving._retried, "__kwdefaults__", {"attempts": 2})
    archive = archives.archive_month(kind=LEDGER, month=FEBRUARY, actor=system_user())
    with psycopg.connect(url) as reader:
        reader.execute("SELECT count(*) FROM ledger_entry_line")
        with pytest.raises(archives.ArchiveBusy, match="2018-02 is being read or written"):
            archives.drop_archived(archive=archive, actor=system_user())
    assert archives.drop_archived(archive=archive, actor=system_user()).is_away


def test_a_drop_waits_until_archives_have_been_read(url: str) -> None:
    """Otherwise a month could be in neither what was read nor what is here."""
    archive = archives.archive_month(kind=LEDGER, month=FEBRUARY, actor=system_user())
    ended: list[bool] = []

    def drop() -> None:
        try:
            archives.drop_archived(archive=archive, actor=system_user())
            ended.append(True)
        finally:
            connections.close_all()

    thread = threading.Thread(target=drop)
    with archives.whole_ledger():
        thread.start()
        thread.join(1.5)
        assert not ended
        assert EntryHeader.objects.filter(je_date__gte=FEBRUARY).exists()
    thread.join(30)
    assert ended == [True]


def test_two_rotations_do_not_meet(url: str) -> None:
    from batconnect.common import locks
    from ledger.services.archives.rotation import RotationAtWork

    with psycopg.connect(url) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [locks.ROTATION])
        with pytest.raises(RotationAtWork):
            archives.rotate_partitions(today=TODAY, actor=system_user())
        other.execute("SELECT pg_advisory_unlock(%s)", [locks.ROTATION])
    assert archives.rotate_partitions(today=TODAY, actor=system_user()).steps == []


def test_every_night_a_job_rotates(url: str) -> None:
    from django_celery_beat.models import PeriodicTask

    from batconnect.jobs.models import JobRun
    from batconnect.jobs.services import run_job
    from ledger.tasks import rotate_partitions

    assert PeriodicTask.objects.get(task="ledger.tasks.rotate_partitions").enabled
    job = JobRun.objects.get(pk=rotate_partitions())
    assert run_job(job_id=job.pk)
    job.refresh_from_db()
    assert job.result is not None and job.result["newest_closed"] == "2018-02"


def test_a_folder_that_was_never_finished_is_removed_after_a_day(url: str, tmp_path: Path) -> None:
    import os
    import time

    from ledger.services.archives.files import archive_root, remove_abandoned

    folders = [archive_root() / "ledger" / "2018-02" / f".unfinished-{name}" for name in ("old", "new")]
    for folder in folders:
        folder.mkdir(parents=True)
    day_ago = time.time() - timedelta(days=1, minutes=1).total_seconds()
    os.utime(folders[0], (day_ago, day_ago))
    assert remove_abandoned() == 1
    assert [folder.exists() for folder in folders] == [False, True]
    folders[1].rmdir()


def test_amounts_keep_every_decimal(url: str) -> None:
    """Six of them, in files and back."""
    assert Account.objects.exists()
    with past_the_triggers(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ledger_entry_line SET amount = amount + 0.000001 WHERE je_date >= '2018-02-01' RETURNING amount"
        )
        amounts = sorted(amount for (amount,) in cursor.fetchall())
        cursor.execute("DELETE FROM account_balance_snapshot WHERE month = '2018-02-01'")
    from ledger.services.snapshots import take_snapshots

    take_snapshots(month=FEBRUARY)
    archive = archives.archive_month(kind=LEDGER, month=FEBRUARY, actor=system_user())
    archives.drop_archived(archive=archive, actor=system_user())
    archives.restore_month(kind=LEDGER, month=FEBRUARY, actor=system_user())
    with connection.cursor() as cursor:
        cursor.execute("SELECT amount FROM ledger_entry_line WHERE je_date >= '2018-02-01'")
        assert sorted(amount for (amount,) in cursor.fetchall()) == amounts
    assert any(amount != amount.quantize(Decimal("0.01")) for amount in amounts)
