"""Whatever is killed, and whenever: run it again, and every cent is where it would have been.

Two copies of one small fleet: in one nothing goes wrong, in the other processes are killed with SIGKILL at one
statement after another, or the database server is. In the end both are the same.
"""

import contextlib
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from batconnect.embedded import Cluster
from tests.databases import PROJECT, manage_environment, prefix, run_manage, with_name

from .sacrifices import Outcome, Point, Sacrifices
from .small_fleet import FIRST_WEEK, everything, seed

WEEKS = 24
WHEN = ("after", "before", "during")

pytestmark = pytest.mark.slow


@contextlib.contextmanager
def copied(url: str) -> Iterator[str]:
    """Another database like this one, on the same server."""
    copy = f"{prefix()}_{uuid.uuid4().hex[:10]}"
    source = urlsplit(url).path.lstrip("/")
    with psycopg.connect(with_name(url, "postgres"), autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(copy), sql.Identifier(source)))
        yield with_name(url, copy)
        if not server.broken:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(copy)))


def wait_until_alone(url: str) -> None:
    """The server needs a moment to notice that a client was killed; only then are its locks gone."""
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    deadline = time.monotonic() + 30
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute(others).fetchone() != (0,):
            assert time.monotonic() < deadline, "the server still works for a killed client"
            time.sleep(0.01)


def week(number: int) -> str:
    return str(FIRST_WEEK + timedelta(weeks=number))


def point_of(outcome: Outcome, number: int, of: int) -> Point:
    """One of `of` points spread from the first to the last statement of a run that went well, told by `number`."""
    names = [name for name, _ in outcome.statements]
    place = number * (len(names) - 1) // (of - 1)
    return Point(names[place], names[: place + 1].count(names[place]), when=WHEN[number % 3])


def story(number: int, point: Point, outcome: Outcome, then: Outcome) -> str:
    """What was killed and what came of it, for a failure's message."""
    statement = dict(outcome.statements)[point.statement]
    return f"week {number}, {point.when} {statement} ({point.occurrence}):\n{then.output}"


def test_the_weekly_run_killed_at_any_statement_ends_as_if_nothing_had_happened(
    cloned_database: str, soak_factor: int
) -> None:
    weeks = WEEKS * soak_factor
    with Sacrifices(manage_environment(cloned_database), cwd=PROJECT) as sacrifices:
        done = sacrifices.run(cloned_database, "seed", str(weeks))
        assert done.code == 0, done.output
        with copied(cloned_database) as calm:
            calm_runs = [sacrifices.run(calm, "run_week", "--week", week(n), "--workers", "1") for n in range(weeks)]
            assert {outcome.code for outcome in calm_runs} == {0}
            killed = 0
            for n, calm_run in enumerate(calm_runs):
                command = ("run_week", "--week", week(n), "--workers", "12"[n % 2])
                point = point_of(calm_run, n, weeks)
                outcome = sacrifices.run(cloned_database, *command, at=point)
                killed += outcome.killed
                assert outcome.killed or outcome.code == 0, story(n, point, calm_run, outcome)
                wait_until_alone(cloned_database)
                proofs = sacrifices.run(cloned_database, "verify_ledger")
                assert proofs.code == 0, story(n, point, calm_run, proofs)
                again = sacrifices.run(cloned_database, *command)
                assert again.code == 0, story(n, point, calm_run, again)
            assert killed >= weeks - 2, "with two workers an account may turn up in another order"
            assert everything(cloned_database) == everything(calm)


def test_the_database_server_killed_in_a_weekly_run_loses_nothing(own_cluster: Cluster) -> None:
    url = own_cluster.url
    with Sacrifices(manage_environment(url), cwd=PROJECT) as sacrifices:
        done = sacrifices.run(url, "seed", "5")
        assert done.code == 0, done.output
        with copied(url) as calm:
            calm_runs = [sacrifices.run(calm, "run_week", "--week", week(n)) for n in range(5)]
            assert {outcome.code for outcome in calm_runs} == {0}
            expected = everything(calm)
        for n, calm_run in enumerate(calm_runs):
            command, point = ("run_week", "--week", week(n)), point_of(calm_run, n, 5)
            outcome = sacrifices.run(url, *command, at=point, deed="kill_server", where=str(own_cluster.home))
            assert outcome.code == 1, "it ends by itself when its server is gone"
            assert "OperationalError" in outcome.output
            own_cluster.start()
            wait_until_alone(url)
            again = sacrifices.run(url, *command)
            assert again.code == 0, again.output
        assert sacrifices.run(url, "verify_ledger").code == 0
        assert everything(url) == expected
