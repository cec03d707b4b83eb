"""Databases and processes for tests that must really commit: kills, concurrency, whole commands.

Append-only tables refuse TRUNCATE, so such a test cannot clean up after itself. It gets a database of its own
instead, cloned from a migrated template in a fraction of a second, and the database is dropped afterwards.
"""

import base64
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from django.conf import settings

from batconnect.embedded import Cluster
from batconnect.embedded_host import wheel_programs

from .migrated import PROJECT, copy_to_server, drop_database, make_clone, with_name

__all__ = ["PROJECT", "with_name"]

RUN_VARIABLE = "BATCONNECT_TEST_RUN"  # names this run of pytest, the same in all its processes
SMALL_SERVER = {"shared_buffers": "128MB", "max_wal_size": "1GB", "min_wal_size": "80MB"}


def prefix() -> str:
    """What every database and folder of this run of pytest is called by, so that runs never share any."""
    return f"test_{os.environ[RUN_VARIABLE]}"


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
        "BANK_DETAILS_KEY": base64.b64encode(b"only for tests".ljust(32)).decode(),
        "ALLOWED_HOSTS": "*",
        "BATCONNECT_HOME": str(settings.LOCAL_DIR),
        "PYTHONUNBUFFERED": "1",
        **(extra or {}),
    }


# --- databases ----------------------------------------------------------------------------------------------


def clone(server_url: str) -> str:
    """A new migrated database; returns its URL."""
    return make_clone(server_url, f"{prefix()}_{uuid.uuid4().hex[:10]}")


def drop(url: str, server_url: str) -> None:
    """Drop a cloned database, whoever is still connected to it."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        drop_database(connection, urlsplit(url).path.lstrip("/"))


def drop_all_of_this_run(server_url: str) -> None:
    """Drop whatever killed tests left behind."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        found = connection.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [prefix() + "_"]
        ).fetchall()
        for (name,) in found:
            drop_database(connection, name)


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
            copy_to_server(settings.DATABASE_URL, template.start(), wheel_programs(template.home))
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
