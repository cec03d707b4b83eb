"""The embedded PostgreSQL: starting together, surviving kills, odd places. Each test has its own server."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import environ
import psutil  # type: ignore[import-untyped]
import psycopg
import pytest

from batconnect import embedded
from batconnect.embedded import Cluster
from batconnect.embedded_host import EmbeddedPostgresError, reachable_home
from tests import databases

START = """
import sys, pathlib
from batconnect.embedded import Cluster
print(Cluster(pathlib.Path(sys.argv[1])).start())
"""


@pytest.fixture
def empty_home() -> Iterator[Cluster]:
    """A cluster whose folder does not exist yet."""
    cluster = databases.new_cluster()
    yield cluster
    databases.remove_cluster(cluster)


@pytest.fixture(scope="module")
def initialised() -> Iterator[Cluster]:
    cluster = databases.new_cluster()
    cluster.start()
    cluster.stop()
    yield cluster
    databases.remove_cluster(cluster)


@pytest.fixture
def cluster(initialised: Cluster) -> Iterator[Cluster]:
    """A cluster that has been initialised, and does not run."""
    cluster = databases.copy_of(initialised)
    yield cluster
    databases.remove_cluster(cluster)


def start_in_a_process(home: Path) -> str:
    return subprocess.run(
        [sys.executable, "-c", START, str(home)],
        cwd=databases.PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def committed_rows(cluster: Cluster) -> int:
    with psycopg.connect(cluster.url) as connection:
        return len(connection.execute("SELECT id FROM kept").fetchall())


def keep_a_row(cluster: Cluster) -> None:
    with psycopg.connect(cluster.url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (id int)")
        connection.execute("INSERT INTO kept VALUES (1)")


def test_many_processes_start_one_server(empty_home):
    with ThreadPoolExecutor(6) as pool:
        urls = set(pool.map(start_in_a_process, [empty_home.home] * 6))
    assert urls == {empty_home.url}
    assert empty_home.log.read_text().count("starting PostgreSQL") == 1


def test_the_server_outlives_the_process_that_started_it(cluster):
    start_in_a_process(cluster.home)
    assert cluster.pid() is not None
    assert psycopg.connect(cluster.url).info.server_version >= 180000


def test_starting_a_running_server_takes_no_time(cluster):
    cluster.start()
    before = time.perf_counter()
    cluster.start()
    assert time.perf_counter() - before < 0.2


def test_stopped_and_started_again_it_has_what_was_committed(cluster):
    cluster.start()
    keep_a_row(cluster)
    cluster.stop()
    assert cluster.pid() is None
    cluster.start()
    assert committed_rows(cluster) == 1


def test_killed_it_recovers_what_was_committed_and_nothing_else(cluster):
    cluster.start()
    keep_a_row(cluster)
    unfinished = psycopg.connect(cluster.url)
    unfinished.execute("INSERT INTO kept VALUES (2)")
    cluster.kill()
    assert cluster.pid() is None
    with ThreadPoolExecutor(3) as pool:  # everything comes back at once, as after a power cut
        list(pool.map(start_in_a_process, [cluster.home] * 3))
    assert committed_rows(cluster) == 1
    assert "automatic recovery in progress" in cluster.log.read_text()


@pytest.mark.thorough
def test_a_busy_child_of_a_killed_server_is_waited_for(cluster):
    cluster.start()
    keep_a_row(cluster)
    backend = psycopg.connect(cluster.url)
    child = psutil.Process(backend.info.backend_pid)
    child.suspend()  # cannot notice that its server dies: its grip on the shared memory stays
    os.kill(cluster.pid(), signal.SIGKILL)
    with ThreadPoolExecutor(1) as pool:
        started = pool.submit(cluster.start)
        time.sleep(1.5)
        assert not started.done()
        child.resume()
        assert started.result(60) == cluster.url
    assert committed_rows(cluster) == 1


@pytest.mark.thorough
def test_a_process_id_given_out_again_does_not_stop_the_start(cluster):
    cluster.start()
    keep_a_row(cluster)
    cluster.kill()
    pid_file = cluster.data / "postmaster.pid"
    # Another process of the server's own account now has the number: PostgreSQL alone would refuse to start.
    owner = pid_file.stat().st_uid
    with subprocess.Popen(["sleep", "60"], user=owner if os.geteuid() == 0 else None) as stranger:
        for stale in (pid_file, cluster.socket_dir / ".s.PGSQL.5432.lock"):
            stale.write_text("\n".join([str(stranger.pid), *stale.read_text().splitlines()[1:], ""]))
        assert cluster.pid() is None
        cluster.start()
        assert committed_rows(cluster) == 1
        stranger.kill()


@pytest.mark.thorough
def test_a_torn_pid_file_does_not_stop_the_start(cluster):
    cluster.start()
    keep_a_row(cluster)
    cluster.kill()
    (cluster.data / "postmaster.pid").write_text("")
    cluster.start()
    assert committed_rows(cluster) == 1


@pytest.mark.thorough
def test_an_initialisation_killed_halfway_is_done_over(empty_home):
    (empty_home.home / "postgres.unfinished").mkdir(parents=True, mode=0o711)
    (empty_home.home / "postgres.unfinished" / "PG_VERSION").write_text("18\n")
    empty_home.start()
    assert empty_home.pid() is not None


@pytest.mark.parametrize("folder", ["d" * 120, "with space, comma and 'quote'", "größe"])
def test_paths_that_fit_no_socket_address_work(folder):
    cluster = Cluster(databases.clusters_folder() / folder, settings=databases.SMALL_SERVER)
    try:
        assert psycopg.connect(cluster.start()).info.server_version >= 180000
        assert cluster.socket_dir != cluster.data
    finally:
        databases.remove_cluster(cluster)
    assert not cluster.socket_dir.exists()


def test_data_of_another_release_is_refused_by_name(empty_home):
    empty_home.data.mkdir(parents=True)
    (empty_home.data / "PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedPostgresError, match="made by PostgreSQL 16, but this is 18"):
        empty_home.start()


def test_a_private_home_is_left_as_it_is(tmp_path):
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    home = reachable_home(private / "project" / ".local")
    if os.geteuid() == 0:
        assert home.parent == Path("/var/tmp")
        assert home == reachable_home(private / "project" / ".local")
        home.rmdir()
    else:
        assert home == private / "project" / ".local"
    assert private.stat().st_mode & 0o777 == 0o700


def test_the_socket_is_closed_to_everybody_else(cluster):
    cluster.start()
    assert cluster.socket_dir.stat().st_mode & 0o077 == 0
    assert psycopg.connect(cluster.url).execute("SHOW listen_addresses").fetchone() == ("",)


def test_durable_by_default(cluster):
    cluster.start()
    with psycopg.connect(cluster.url) as connection:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            assert connection.execute(f"SHOW {setting}").fetchone() == ("on",)


def test_batconnect_home_names_the_folder(monkeypatch):
    monkeypatch.setenv("BATCONNECT_HOME", str(databases.clusters_folder() / "named"))
    assert embedded.default_cluster().data == databases.clusters_folder() / "named" / "postgres"


def test_the_url_is_what_django_environ_reads(empty_home):
    config = environ.Env().db_url_config(empty_home.url)
    assert (config["NAME"], config["USER"]) == ("batconnect", "postgres")
    assert config["HOST"] == str(empty_home.socket_dir).replace("/", "%2F")


def test_the_command_line_starts_reports_and_stops():
    home = databases.clusters_folder() / "commanded"

    def command(action: str) -> tuple[int, str]:
        result = subprocess.run(
            [sys.executable, "-m", "batconnect.embedded", action],
            cwd=databases.PROJECT,
            env={**os.environ, "BATCONNECT_HOME": str(home)},
            capture_output=True,
            text=True,
        )
        assert result.stderr == ""
        return result.returncode, result.stdout

    try:
        assert command("status")[0] == 3
        assert command("start") == (0, f"running at {Cluster(home).url}\n")
        assert command("status")[0] == 0
        assert command("url") == (0, f"{Cluster(home).url}\n")
        assert command("stop") == (0, "stopped\n")
        assert command("destroy")[0] == 0
        assert not (home / "postgres").exists()
    finally:
        databases.remove_cluster(Cluster(home))
