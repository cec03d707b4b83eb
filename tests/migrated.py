"""A migrated database to clone from, made once for a state of the code and kept from run to run.

Migrating takes far longer than most tests, and what it makes follows from a few files alone, so the database is named
by a digest of those. `python -m tests.migrated` makes it and lets Django look at a clone of it:
whether the migrations match the models, and whether the site may be deployed (the environment of the caller).
"""

import base64
import functools
import hashlib
import os
import subprocess
import sys
import uuid
from datetime import date
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg
from psycopg import sql

PROJECT = Path(__file__).resolve().parent.parent
# What migrating reads: migrations with their files, models and what they rest on, the apps' rights, the settings.
READ = (
    "requirements.txt",
    "batconnect/settings.py",
    "batconnect/common/*.py",
    "*/apps.py",
    "*/*/apps.py",
    "*/models.py",
    "*/*/models.py",
    "*/models/**/*.py",
    "*/migrations/**/*",
    "*/*/migrations/**/*",
)
STORY_MONTHS = [date(2019, month, 1) for month in range(2, 9)]
# Without the system checks: those of the admin read permissions from the very tables that this makes.
MIGRATE = ("migrate", "--skip-checks", "--verbosity", "0")
KEPT = 3  # states of the code; a run that is under way may still clone from the one before

_OLD = """
SELECT datname FROM pg_database
 WHERE starts_with(datname, 'migrated_') ORDER BY shobj_description(oid, 'pg_database') DESC NULLS LAST OFFSET %s
"""


def migrated_database(server_url: str) -> str:
    """The name of a migrated database nobody may connect to, on that server; made by the first who asks."""
    name = f"migrated_{code_state()}"
    unfinished = f"{name}_unfinished"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtextextended('migrated database', 0))")
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
            drop_database(connection, unfinished)
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(unfinished)))
            manage(with_name(server_url, unfinished), *MIGRATE)
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
            _drop_old(connection, name)
    return name


def make_clone(server_url: str, name: str) -> str:
    """A new database like the migrated one; returns its URL."""
    template = migrated_database(server_url)
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
    return with_name(server_url, name)


def copy_to_server(server_url: str, other_url: str, programs: Path) -> None:
    """Give an empty database on another server what a migrated one has. programs: folder of pg_dump and psql."""
    name = f"dumped_{uuid.uuid4().hex[:10]}"
    try:
        dumped = subprocess.run(
            [programs / "pg_dump", "--no-owner", "--dbname", make_clone(server_url, name)],
            capture_output=True,
            check=True,
        )
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            drop_database(connection, name)
    with psycopg.connect(other_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE batconnect_app NOLOGIN")
    subprocess.run(
        [programs / "psql", "--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--dbname", other_url],
        input=dumped.stdout,
        stdout=subprocess.DEVNULL,
        check=True,
    )


@functools.cache
def code_state() -> str:
    """A digest of everything that migrating may read."""
    digest = hashlib.sha256()
    for path in sorted(_files()):
        digest.update(str(path.relative_to(PROJECT)).encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def with_name(url: str, database: str) -> str:
    """The URL of another database on the same server."""
    return urlsplit(url)._replace(path="/" + quote(database, safe="")).geturl()


def drop_database(connection: psycopg.Connection, name: str) -> None:
    """Drop a database if it is there, whoever is connected to it."""
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def manage(url: str, *arguments: str) -> None:
    """Run `manage.py` on a database; what it prints is seen, and a failure is an error."""
    environment = {"DEBUG": "1", **os.environ, "DATABASE_URL": url}
    subprocess.run([sys.executable, "manage.py", *arguments], cwd=PROJECT, env=environment, check=True)


def _files() -> set[Path]:
    found = (path for pattern in READ for path in PROJECT.glob(pattern))
    return {path for path in found if path.is_file() and path.suffix != ".pyc"}


def _make_months(url: str) -> None:
    """The partitions of the months that most stories play in: making them anew in every test costs more than it."""
    with psycopg.connect(url, autocommit=True) as connection:
        for month in STORY_MONTHS:
            connection.execute("SELECT ensure_journal_month(%s), ensure_txn_source_month(%s)", [month, month])


def _drop_old(connection: psycopg.Connection, name: str) -> None:
    """Drop those that nobody will ask for again: all but the newest few, which say when they were made."""
    connection.execute(
        sql.SQL("DO $$ BEGIN EXECUTE format('COMMENT ON DATABASE %I IS %L', {}, now()); END $$").format(
            sql.Literal(name)
        )
    )
    for (old,) in connection.execute(_OLD, [KEPT]).fetchall():
        drop_database(connection, old)


def main() -> int:
    """Make the database, then look at a clone of it as Django sees it; the exit code says whether all is well."""
    from django.conf import settings

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    server_url, name = settings.DATABASE_URL, f"looked_at_{uuid.uuid4().hex[:10]}"
    url = make_clone(server_url, name)
    try:
        manage(url, "makemigrations", "--check", "--dry-run")
        environment = {**os.environ, **_PRODUCTION, "DATABASE_URL": url}
        subprocess.run(
            [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
            cwd=PROJECT,
            env=environment,
            check=True,
        )
    except subprocess.CalledProcessError as failed:
        return failed.returncode
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            drop_database(connection, name)
    return 0


# What production would set. All of it is made up, and used for the check alone.
_PRODUCTION = {
    "DEBUG": "0",
    "ALLOWED_HOSTS": "fleet.example.com",
    "CSRF_TRUSTED_ORIGINS": "https://fleet.example.com",
    "BEHIND_TLS_PROXY": "1",
    "SECRET_KEY": uuid.uuid4().hex + "".join(chr(33 + byte % 90) for byte in os.urandom(60)),
    "BANK_DETAILS_KEY": base64.b64encode(os.urandom(32)).decode(),
}

if __name__ == "__main__":
    raise SystemExit(main())
