"""The databases that tests are given: separate, migrated, committed to, and gone afterwards."""

import threading

import psycopg
import pytest
from django.contrib.auth import get_user_model
from django.db import connections

from tests import databases

pytest_plugins = ["pytester"]


def user_count(url: str) -> int:
    with psycopg.connect(url) as connection:
        return len(connection.execute("SELECT id FROM common_user").fetchall())


def test_a_clone_is_migrated_and_takes_commands(cloned_database):
    result = databases.run_manage(cloned_database, "migrate", "--check")
    assert result.returncode == 0


def test_clones_do_not_see_each_other(clone_database):
    first, second = clone_database(), clone_database()
    with psycopg.connect(first) as connection:
        connection.execute("UPDATE common_user SET first_name = 'Ann'")
    seen = "SELECT count(*) FROM common_user WHERE first_name = 'Ann'"
    with psycopg.connect(first) as one, psycopg.connect(second) as other:
        assert one.execute(seen).fetchone() == (user_count(first),)
        assert other.execute(seen).fetchone() == (0,)


def test_a_failing_command_shows_what_it_printed(cloned_database):
    with pytest.raises(AssertionError, match="Unknown command: 'nonsense'"):
        databases.run_manage(cloned_database, "nonsense")


def test_the_orm_commits_in_every_thread(committing_database):
    before = user_count(committing_database)

    def create(name: str) -> None:
        get_user_model().objects.create(username=name)
        connections.close_all()

    threads = [threading.Thread(target=create, args=(f"clerk{number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert user_count(committing_database) == before + 3 == get_user_model().objects.count()


@pytest.mark.django_db
def test_an_ordinary_test_is_rolled_back_from_a_database_of_this_run():
    assert connections["default"].settings_dict["NAME"].startswith(databases.prefix())
    get_user_model().objects.create(username="gone afterwards")


def test_a_cluster_of_its_own_survives_its_own_kill(own_cluster):
    before = user_count(own_cluster.url)
    own_cluster.kill()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(own_cluster.url)
    own_cluster.start()
    assert user_count(own_cluster.url) == before


@pytest.mark.thorough
@pytest.mark.parametrize(
    "test",
    [
        "@pytest.mark.django_db(transaction=True)\ndef test_it(): pass",
        "def test_it(transactional_db): pass",
        "def test_it(live_server): pass",
        "class TestIt(TransactionTestCase):\n    def test_it(self): pass",
    ],
)
def test_a_test_that_would_truncate_is_refused(pytester, monkeypatch, test):
    monkeypatch.setenv("PYTHONPATH", str(databases.PROJECT))
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "batconnect.settings")
    pytester.makeconftest("from tests.conftest import *")
    pytester.makepyfile(f"import pytest\nfrom django.test import TransactionTestCase\n{test}")
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*append-only tables refuse*"])
