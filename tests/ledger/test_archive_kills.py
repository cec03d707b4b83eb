"""A rotation or a restore killed at any of its statements: what is in the database is always whole, and again works."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from pytest_django import DjangoDbBlocker

from tests import databases
from tests.databases import PROJECT, manage_environment

from . import archive_story
from .archive_story import everything, working_on
from .sacrifices import Outcome, Point, Sacrifices
from .test_kills import WHEN, copied, wait_until_alone

pytestmark = pytest.mark.slow

ROTATE, RESTORE = ("rotate_partitions",), ("restore_month", "--ledger", "--month", "2018-01")
# The steps of a rotation and of a restore, each told by words that its statements alone have.
ROTATION = {
    "the month is looked at": "ledger_archive_obstacle",
    "its leaves are named": "ledger_archive_leaves",
    "its files are read back": "ledger_open_archives",
    "the archive is recorded": "ledger_record_archive",
    "the session is cleared": "ledger_close_archives",
    "the archive is in the audit trail": 'INSERT INTO "audit_entry"',
    "the month is dropped": "ledger_drop_archived",
    "the tables are analyzed": "ledger_analyze_months",
}
RESTORING = {
    "tables are made": "ledger_open_restore",
    "the rows are in": "lock_timeout",
    "the month is attached": "ledger_close_restore",
    "it is in the audit trail": 'INSERT INTO "audit_entry"',
}


@pytest.fixture(scope="module")
def told(django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """Thirteen months, so that one of them is beyond retention."""
    url = databases.clone(settings.DATABASE_URL)
    with django_db_blocker.unblock(), working_on(url):
        archive_story.tell(13)
    yield url
    databases.drop(url, settings.DATABASE_URL)


def point_of(outcome: Outcome, words: str, when: str) -> Point:
    """The last of the statements with these words."""
    names = [name for name, text in outcome.statements if words in text]
    assert names, f"no statement has to do with {words}"
    return Point(names[-1], names.count(names[-1]), when=when)


def rows(url: str) -> dict[str, list[object]]:
    seen = everything(url)
    return {
        table: sorted(row for _, row in seen[table])
        for table in ("ledger_entry_header", "ledger_entry_line", "txn_source_parent")
    }


@pytest.fixture
def environment(tmp_path: Path, told: str) -> dict[str, str]:
    return manage_environment(told, {"ARCHIVE_ROOT": str(tmp_path / "archive")})


def test_a_rotation_killed_at_any_step_leaves_every_month_whole_and_ends_when_it_is_run_again(
    told: str, environment: dict[str, str], soak_factor: int
) -> None:
    before = rows(told)
    with Sacrifices(environment, cwd=PROJECT) as sacrifices:
        with copied(told) as calm:
            calm_run = sacrifices.run(calm, *ROTATE)
            assert calm_run.code == 0, calm_run.output
            expected = everything(calm)
        assert rows_missing(before, expected), "something has left"
        for number, (step, words) in enumerate(ROTATION.items()):
            if soak_factor == 1 and number % 2:
                continue  # every other step is enough for the ordinary run of the tests
            with copied(told) as url:
                outcome = sacrifices.run(url, *ROTATE, at=point_of(calm_run, words, WHEN[number % 3]))
                assert outcome.killed or WHEN[number % 3] == "during", f"{step}: {outcome.output}"
                wait_until_alone(url)
                proved = sacrifices.run(url, "verify_ledger", "--seals")
                assert proved.code == 0, f"{step}: {proved.output}"
                again = sacrifices.run(url, *ROTATE)
                assert again.code == 0, f"{step}: {again.output}"
                assert everything(url) == expected, step
                proved = sacrifices.run(url, "verify_ledger", "--seals")
                assert proved.code == 0, f"{step}: {proved.output}"


def rows_missing(before: dict[str, list[object]], after: dict[str, list[object]]) -> bool:
    return any(len(after[table]) < len(before[table]) for table in before)


def test_a_restore_killed_at_any_step_restores_all_or_nothing(
    told: str, environment: dict[str, str], soak_factor: int
) -> None:
    with Sacrifices(environment, cwd=PROJECT) as sacrifices, copied(told) as rotated:
        assert sacrifices.run(rotated, *ROTATE).code == 0
        away = everything(rotated)
        with copied(rotated) as calm:
            calm_run = sacrifices.run(calm, *RESTORE)
            assert calm_run.code == 0, calm_run.output
            expected = everything(calm)
        assert expected != away
        for number, (step, words) in enumerate(RESTORING.items()):
            if soak_factor == 1 and number % 2:
                continue
            with copied(rotated) as url:
                outcome = sacrifices.run(url, *RESTORE, at=point_of(calm_run, words, WHEN[(number + 1) % 2]))
                assert outcome.killed, f"{step}: {outcome.output}"
                wait_until_alone(url)
                assert everything(url) == away, f"{step}: half of a month is there"
                again = sacrifices.run(url, *RESTORE)
                assert again.code == 0, f"{step}: {again.output}"
                assert everything(url) == expected, step
