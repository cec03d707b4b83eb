"""What every test can ask for. The work behind it is in `tests/databases.py`.

Ordinary tests use pytest-django's `db`: one migrated database per process, and a transaction per test that is
rolled back. Tests that must commit use a database of their own: `cloned_database`, `module_database`,
`committing_database`; tests that kill the server use `own_cluster`. All others are on the tests' own server
(`tests/server.py`), which forgets when the machine goes down and never vacuums or analyzes by itself.
"""

import itertools
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
from django.conf import settings
from django.core.signals import setting_changed
from django.db import connections
from django.test import TestCase, TransactionTestCase
from pytest_django import DjangoDbBlocker

from batconnect.embedded import Cluster
from tests import databases
from tests.migrated import migrated_database

SHARED_DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
FLUSHING_FIXTURES = {
    "transactional_db",
    "live_server",
    "django_db_reset_sequences",
    "django_db_serialized_rollback",
}

# A slow machine is no failure, and what failed once must be repeatable by anybody: no time limit per example,
# and the same examples in every ordinary run. `make soak` looks for new ones.
hypothesis.settings.register_profile(
    "ordinary", deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile(
    "soak", parent=hypothesis.settings.get_profile("ordinary"), derandomize=False
)


def pytest_configure(config: pytest.Config) -> None:
    if not _is_worker(config):
        os.environ[databases.RUN_VARIABLE] = uuid.uuid4().hex[:10]  # inherited by the workers of pytest-xdist
    hypothesis.settings.load_profile("soak" if "SOAK" in os.environ else "ordinary")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse tests that would clean up by TRUNCATE: the ledger's tables refuse that, as they should.

    And deal out the slow ones, for workers that begin with them end together.
    """
    items[:] = _dealt_out(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
    flushing = [item.nodeid for item in items if _flushes(item)]
    if flushing:
        raise pytest.UsageError(
            "Tests may not use transaction=True, transactional_db, live_server or TransactionTestCase: their "
            "clean-up is TRUNCATE, which append-only tables refuse. Use cloned_database, module_database or "
            "committing_database instead (tests/conftest.py). Found in:\n  " + "\n  ".join(flushing)
        )


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _is_worker(session.config):
        return
    databases.drop_all_of_this_run(settings.DATABASE_URL)
    for home in databases.clusters_folder().iterdir():
        if home.is_dir():
            databases.remove_cluster(Cluster(home))
    shutil.rmtree(databases.clusters_folder(), ignore_errors=True)


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _dealt_out(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """The tests in equal parts as pytest-xdist cuts them, each with its share of the slow modules at its head.

    Begun last, a slow test leaves the other workers idle at the end; and a worker that has all of them cannot give
    away what it is at. A module's slow tests stay together: they share what takes long to make.
    """
    slow: dict[Path, list[pytest.Item]] = {}
    quick = [item for item in items if item.get_closest_marker("slow") is None]
    for item in items:
        if item.get_closest_marker("slow") is not None:
            slow.setdefault(item.path, []).append(item)
    shares = [list(itertools.chain(*list(slow.values())[number::workers])) for number in range(workers)]
    dealt: list[pytest.Item] = []
    for number, share in enumerate(shares):
        size = (len(items) - len(dealt)) // (workers - number)
        filling = max(0, size - len(share))
        dealt += [*share, *quick[:filling]]
        del quick[:filling]
    return [*dealt, *quick]


def _flushes(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("django_db")
    asked = marker is not None and bool(marker.kwargs.get("transaction") or (marker.args and marker.args[0]))
    test_class = getattr(item, "cls", None)
    old_style = test_class is not None and (
        issubclass(test_class, TransactionTestCase) and not issubclass(test_class, TestCase)
    )
    return asked or old_style or bool(FLUSHING_FIXTURES & set(getattr(item, "fixturenames", ())))


# --- the database of ordinary tests -------------------------------------------------------------------------


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    request: pytest.FixtureRequest, django_db_modify_db_settings_parallel_suffix: None
) -> None:
    """Clone the test database from the run's template: migrations run once, not once per process.

    Its name carries the run, so that two runs on one server do not meet.
    """
    if request.config.getoption("reuse_db"):
        return
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    test_settings = settings.DATABASES["default"]["TEST"]
    test_settings["NAME"] = f"{databases.prefix()}_{worker}"
    test_settings["TEMPLATE"] = migrated_database(settings.DATABASE_URL)


# --- databases that keep what is committed ------------------------------------------------------------------


@pytest.fixture(scope="session")
def clone_database() -> Iterator[Callable[[], str]]:
    """A function that clones one more migrated database and returns its URL; all are dropped at the end."""
    made: list[str] = []

    def clone() -> str:
        made.append(databases.clone(settings.DATABASE_URL))
        return made[-1]

    yield clone
    for url in made:
        databases.drop(url, settings.DATABASE_URL)


@pytest.fixture
def cloned_database() -> Iterator[str]:
    """The URL of a migrated database for this test alone."""
    url = databases.clone(settings.DATABASE_URL)
    yield url
    databases.drop(url, settings.DATABASE_URL)


@pytest.fixture(scope="module")
def module_database() -> Iterator[str]:
    """The URL of a migrated database that the tests of one module share."""
    url = databases.clone(settings.DATABASE_URL)
    yield url
    databases.drop(url, settings.DATABASE_URL)


@pytest.fixture
def committing_database(
    request: pytest.FixtureRequest, cloned_database: str, django_db_blocker: DjangoDbBlocker
) -> Iterator[str]:
    """`cloned_database`, with the ORM of this process and of all its threads on it: commits are real.

    Threads close their own connections (`connections.close_all()`), as they must in Django.
    """
    if "db" in request.fixturenames or request.node.get_closest_marker("django_db"):
        pytest.fail("Use the shared database (db) or an own one (committing_database), not both.")
    current = connections["default"]
    former = current.settings_dict["NAME"]
    with django_db_blocker.unblock():
        current.close()
        # The dictionary is the one from which every thread makes its connection.
        current.settings_dict["NAME"] = cloned_database.rsplit("/", 1)[1]
        try:
            yield cloned_database
        finally:
            current.close()
            current.settings_dict["NAME"] = former


@pytest.fixture
def own_cluster() -> Iterator[Cluster]:
    """A running PostgreSQL server with a migrated database (`.url`), to stop, kill and start at will."""
    cluster = databases.migrated_cluster()
    yield cluster
    databases.remove_cluster(cluster)


# --- files and figures --------------------------------------------------------------------------------------


@pytest.fixture(scope="session", autouse=True)
def _files_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Files that tests write never land among the developer's own."""
    home = tmp_path_factory.mktemp("batconnect")
    settings.LOCAL_DIR = home
    settings.MEDIA_ROOT = home / "files"
    settings.ARCHIVE_ROOT = home / "archive"
    setting_changed.send(sender=None, setting="MEDIA_ROOT", value=settings.MEDIA_ROOT, enter=True)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real trips, tolls and tickets beside the project, where there is one."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no data for this test in {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(scope="session")
def soak_factor() -> int:
    """How many times longer than usual to try: 1, and what SOAK says in `make soak`."""
    return int(os.environ.get("SOAK", "1"))
