"""Databases and processes for tests that must really commit: kills, concurrency, whole commands.

Append-only tables refuse TRUNCATE, so such a test cannot clean up after itself. It gets a database of its own
instead, cloned from a migrated template in a fraction of a second, and the database is dropped afterwards.
"""

import contextlib
import fcntl
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg
from django.conf import settings
from psycopg import sql

from batconnect.embedded import Cluster

PROJECT = Path(__file__).resolve().parent.parent
RUN_VARIABLE = "BATCONNECT_TEST_RUN"  # names this run of pytest, the same in all its processes
# Without the system checks: those of the admin read permissions from the very tables that this makes.
MIGRATE = ("migrate", "--skip-checks", "--verbosity", "0")
SMALL_SERVER = {"shared_buffers": "128MB", "max_wal_size": "1GB", "min_wal_size": "80MB"}


def prefix() -> str:
    """What every database and folder of this run of pytest is called by, so that runs never share any."""
    return f"test_{os.environ[RUN_VARIABLE]}"


def with_name(url: str, database: str) -> str:
    """The URL of another database on the same server."""
    return urlsplit(url)._replace(path="/" + quote(database, safe="")).geturl()


# --- the command line, as a process -------------------------------------------------------------------------


def run_manage(
    url: str,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    check: bool = True,
    timeout: float = 300,
) -> subprocess.CompletedProcess[str]:
    """Run `manage.py` on a database, to its end; a failure shows what it printed."""
    result = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=PROJECT,
        env=manage_environment(url, env),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if check and result.returncode != 0:
        raise AssertionError(
            f"manage.py {' '.join(arguments)}: exit {result.returncode}\n{result.stdout}\n{result.stderr}"
        )
    return result


def start_manage(url: str, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start `manage.py` on a database and return at once: for tests that kill it half-way."""
    return subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=PROJECT,
        env=manage_environment(url, env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def manage_environment(url: str, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a process on that database: DEBUG off, files in this run's folder."""
    return {
        **os.environ,
        "DATABASE_URL": url,
        "DEBUG": "0",
        "SECRET_KEY": "only-for-tests-" + "x" * 50,
        "ALLOWED_HOSTS": "*",
        "BATCONNECT_HOME": str(settings.LOCAL_DIR),
        "PYTHONUNBUFFERED": "1",
        **(extra or {}),
    }


@contextlib.contextmanager
def serving(url: str, env: Mapping[str, str] | None = None) -> Iterator[str]:
    """Serve the site from a database, in a process of its own; yields the site's address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    log = Path(settings.LOCAL_DIR) / f"server-{port}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"],
            cwd=PROJECT,
            env=manage_environment(url, {"DEBUG": "1", **(env or {})}),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_served(address, process, log)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_served(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"{address}/admin/login/", timeout=20).close()
        except urllib.error.HTTPError:
            return  # it answers; what it answers is the test's business
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the site did not start:\n{log.read_text()}") from None
            time.sleep(0.1)
        else:
            return


STORY_MONTHS = [date(2019, month, 1) for month in range(2, 9)]


# --- databases ----------------------------------------------------------------------------------------------


def migrated_template(server_url: str) -> str:
    """The name of a migrated database to clone from, made by the first process of this run that asks."""
    name, unfinished = f"{prefix()}_template", f"{prefix()}_unfinished"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [name])
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
            _drop(connection, unfinished)
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(unfinished)))
            run_manage(with_name(server_url, unfinished), *MIGRATE)
            _make_months(with_name(server_url, unfinished))
            connection.execute(
                sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                    sql.Identifier(unfinished), sql.Identifier(name)
                )
            )
            # A connection to a template would make every clone of it fail.
            connection.execute(
                sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false").format(sql.Identifier(name))
            )
    return name


def _make_months(url: str) -> None:
    """The partitions of the months that most stories play in: making them anew in every test costs more than it."""
    with psycopg.connect(url, autocommit=True) as connection:
        for month in STORY_MONTHS:
            connection.execute("SELECT ensure_journal_month(%s), ensure_txn_source_month(%s)", [month, month])


def clone(server_url: str) -> str:
    """A new database like the template; returns its URL."""
    template, name = migrated_template(server_url), f"{prefix()}_{uuid.uuid4().hex[:10]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
    return with_name(server_url, name)


def drop(url: str, server_url: str) -> None:
    """Drop a cloned database, whoever is still connected to it."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        _drop(connection, urlsplit(url).path.lstrip("/"))


def drop_all_of_this_run(server_url: str) -> None:
    """Drop the template and whatever killed tests left behind."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        found = connection.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [prefix() + "_"]
        ).fetchall()
        for (name,) in found:
            _drop(connection, name)


def _drop(connection: psycopg.Connection, name: str) -> None:
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


# --- whole clusters -----------------------------------------------------------------------------------------


def clusters_folder() -> Path:
    """Where this run keeps clusters: pytest's own folders are private, a server's account cannot enter."""
    folder = Path(tempfile.gettempdir()) / f"batconnect_{prefix()}"
    folder.mkdir(mode=0o711, exist_ok=True)
    return folder


def new_cluster() -> Cluster:
    """A cluster with nothing in it, not started."""
    return Cluster(clusters_folder() / uuid.uuid4().hex[:10], settings=SMALL_SERVER)


def migrated_cluster() -> Cluster:
    """A running cluster with a migrated database, copied from one that was migrated once in this run."""
    template = Cluster(clusters_folder() / "template", settings=SMALL_SERVER)
    ready = clusters_folder() / "template-is-migrated"
    with (clusters_folder() / "template.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            run_manage(template.start(), *MIGRATE)
            template.stop()
            ready.touch()
    cluster = copy_of(template)
    cluster.start()
    return cluster


def copy_of(stopped: Cluster) -> Cluster:
    """A new cluster with the data of one that does not run; it does not run either."""
    cluster = new_cluster()
    cluster.home.mkdir(mode=0o711)
    # `cp -a` keeps the owner, which is not us when we are root.
    subprocess.run(["cp", "-a", str(stopped.data), str(cluster.data)], check=True)
    return cluster


def remove_cluster(cluster: Cluster) -> None:
    """Kill it if it still runs, and delete it."""
    cluster.kill()
    cluster.destroy()
    shutil.rmtree(cluster.home, ignore_errors=True)
