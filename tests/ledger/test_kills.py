"""Whatever is killed, and whenever: run it again, and every cent is where it would have been.

Two copies of one small fleet: in one nothing goes wrong, in the other processes are killed with SIGKILL at one
statement after another, or the database server is. In the end both are the same.
"""

import contextlib
import json
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from batconnect.embedded import Cluster
from ledger.services import weekly_close
from tests.databases import PROJECT, manage_environment, prefix, run_manage, with_name

from .sacrifices import Outcome, Point, Sacrifices
from .small_fleet import FIRST_WEEK, everything
from .trip_files import trip, written

WHEN = ("after", "before", "during")
# The phases of a run, each told by words that only its statements have.
PHASES = {
    "the run is opened": 'INSERT INTO "weekly_run"',
    "and recorded": 'INSERT INTO "audit_entry"',
    "installments are made": "INSERT INTO lease_installment",
    "installments are posted": "ledger_post(",
    "installments are marked": "UPDATE lease_installment",
    "installments are done": 'UPDATE "weekly_run"',
    "numbers are taken": "number_counter",
    "accounts are locked": "FROM driver_account WHERE id = ANY",
    "trips are settled": "UPDATE trip_total",
    "taxes and earnings are posted": "sum(mta_tax)",
    "debts are paid": "WITH debits AS",
    "net pay is posted": "'PAYOUT', -sum(b.balance)",
    "reports are frozen": "INSERT INTO dtr",
    "the week is closed": "ledger_calendar_lock",
    "the lock is given back": "pg_advisory_unlock",
}
DEATHS = len(PHASES)  # each phase dies in one way; in every way when it is soaked
SHORTLY = (
    3  # deaths of one week in the ordinary run of the tests; when it is soaked each has a week of its own
)

pytestmark = pytest.mark.slow


@contextlib.contextmanager
def copied(url: str) -> Iterator[str]:
    """Another database like this one, on the same server."""
    copy = f"{prefix()}_{uuid.uuid4().hex[:10]}"
    source = urlsplit(url).path.lstrip("/")
    with psycopg.connect(with_name(url, "postgres"), autocommit=True) as server:
        server.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(copy), sql.Identifier(source))
        )
        yield with_name(url, copy)
        if not server.broken:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(copy)))


def wait_until_alone(url: str) -> None:
    """The server needs a moment to notice that a client was killed; only then are its locks gone."""
    others = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    deadline = time.monotonic() + 30
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute(others).fetchone() != (0,):
            assert time.monotonic() < deadline, "the server still works for a killed client"
            time.sleep(0.01)


def week(number: int) -> str:
    return str(FIRST_WEEK + timedelta(weeks=number))


def point_of(outcome: Outcome, number: int) -> Point:
    """A phase, a way to die, and which of the phase's statements in a run that went well: all told by `number`."""
    phase, way = list(PHASES)[number % len(PHASES)], WHEN[(number + number // len(PHASES)) % len(WHEN)]
    names = [name for name, text in outcome.statements if PHASES[phase] in text]
    assert names, f"no statement of this run has to do with {phase}"
    place = (number // len(PHASES) + 1) * 5 % len(names)
    return Point(names[place], names[: place + 1].count(names[place]), when=way)


def points_of(outcome: Outcome, numbers: Iterable[int]) -> list[Point]:
    """Points of a run that went well, in its order, for one run after the other: what is done is not done again.

    So the first is met where it was, and each of the others the first time that its statement comes.
    """
    chosen = [point_of(outcome, number) for number in numbers]
    names = [name for name, _ in outcome.statements]
    chosen.sort(
        key=lambda point: [n for n, name in enumerate(names) if name == point.statement][point.occurrence - 1]
    )
    return [chosen[0], *(replace(point, occurrence=1) for point in chosen[1:])]


def story(number: int, point: Point, outcome: Outcome, then: Outcome) -> str:
    """What was killed and what came of it, for a failure's message."""
    statement = dict(outcome.statements)[point.statement]
    return f"week {number}, {point.when} {statement[:90]} ({point.occurrence}):\n{then.output}"


def test_the_weekly_run_killed_at_any_statement_ends_as_if_nothing_had_happened(
    cloned_database: str, soak_factor: int
) -> None:
    deaths = DEATHS * min(soak_factor, 3)
    weeks = deaths // SHORTLY if soak_factor == 1 else deaths
    with Sacrifices(manage_environment(cloned_database), cwd=PROJECT) as sacrifices:
        done = sacrifices.run(cloned_database, "seed", str(weeks))
        assert done.code == 0, done.output
        with copied(cloned_database) as calm:
            calm_runs = [
                sacrifices.run(calm, "run_week", "--week", week(n), "--workers", "1") for n in range(weeks)
            ]
            assert {outcome.code for outcome in calm_runs} == {0}
            for n, calm_run in enumerate(calm_runs):
                command = ("run_week", "--week", week(n), "--workers", "12"[n % 2])
                for point in points_of(calm_run, range(n, deaths, weeks)):
                    outcome = sacrifices.run(cloned_database, *command, at=point)
                    assert outcome.killed, story(n, point, calm_run, outcome)
                    wait_until_alone(cloned_database)
                proofs = sacrifices.run(cloned_database, "verify_ledger")
                assert proofs.code == 0, story(n, point, calm_run, proofs)
                again = sacrifices.run(cloned_database, *command)
                assert again.code == 0, story(n, point, calm_run, again)
            assert everything(cloned_database) == everything(calm)


def test_the_database_server_killed_in_a_weekly_run_loses_nothing(
    own_cluster: Cluster, soak_factor: int
) -> None:
    url, weeks, apart = own_cluster.url, *((3, 6) if soak_factor == 1 else (5, 3))
    with Sacrifices(manage_environment(url), cwd=PROJECT) as sacrifices:
        done = sacrifices.run(url, "seed", str(weeks))
        assert done.code == 0, done.output
        with copied(url) as calm:
            calm_runs = [sacrifices.run(calm, "run_week", "--week", week(n)) for n in range(weeks)]
            assert {outcome.code for outcome in calm_runs} == {0}
            expected = everything(calm)
        for n, calm_run in enumerate(calm_runs):
            command, point = ("run_week", "--week", week(n)), point_of(calm_run, apart * n + 1)
            outcome = sacrifices.run(url, *command, at=point, deed="kill_server", where=str(own_cluster.home))
            assert outcome.code == 1, "it ends by itself when its server is gone"
            assert "OperationalError" in outcome.output
            own_cluster.start()
            wait_until_alone(url)
            again = sacrifices.run(url, *command)
            assert again.code == 0, again.output
        assert sacrifices.run(url, "verify_ledger").code == 0
        assert everything(url) == expected


def test_of_two_runs_at_once_one_works_and_the_other_is_refused(cloned_database: str, tmp_path: Path) -> None:
    url = cloned_database
    with Sacrifices(manage_environment(url), cwd=PROJECT) as sacrifices:
        assert sacrifices.run(url, "seed", "1").code == 0
        with copied(url) as calm:
            calm_run = sacrifices.run(calm, "run_week", "--week", week(0))
            expected = everything(calm)
        half_way = point_of(calm_run, list(PHASES).index("debts are paid"))
        outcomes: list[Outcome] = []
        first = threading.Thread(
            target=lambda: outcomes.append(
                sacrifices.run(
                    url, "run_week", "--week", week(0), at=half_way, deed="hold", where=str(tmp_path)
                )
            )
        )
        first.start()
        deadline = time.monotonic() + 60
        while not (tmp_path / "reached").exists():
            assert time.monotonic() < deadline, "the first run never came half-way"
            time.sleep(0.02)
        second = run_manage(url, "run_week", "--week", week(0), "--json", check=False)
        (tmp_path / "go").touch()
        first.join(60)
    assert second.returncode == 1
    assert json.loads(second.stdout)["error"] == weekly_close.RunInProgress.code
    assert weekly_close.RunInProgress.status == 409
    assert [outcome.code for outcome in outcomes] == [0]
    assert everything(url) == expected


def test_an_import_killed_at_any_statement_writes_nothing_and_is_simply_run_again(
    cloned_database: str, tmp_path: Path, soak_factor: int
) -> None:
    url, file = cloned_database, tmp_path / "trips.csv"
    rows = [
        trip(
            DRIVER=f"{6_000_001 + lease * 3}",  # as the factories number them
            CABNUMBER=f"T{lease * 3 + 2:04}",
            START_DATE=f"03/0{day}/2019 08:00:00",
            END_DATE=f"03/0{day}/2019 08:20:00",
            TOTAL_AMOUNT=total,
        )
        for lease in range(3)
        for day in range(4, 9)
        for total in ("15.80", "15.80", "15.80", "16.80")
    ]
    file.write_bytes(written([*rows, rows[0]]))
    with Sacrifices(manage_environment(url), cwd=PROJECT) as sacrifices:
        assert sacrifices.run(url, "seed", "0").code == 0
        with copied(url) as calm:
            calm_run = sacrifices.run(calm, "import_trips", str(file))
            assert calm_run.code == 0, calm_run.output
            before, expected = everything(url), everything(calm)
        assert len(expected["trips"]) == 45
        assert len(expected["parked"]) == 15
        places = range(
            0, len(calm_run.statements), max(1, len(calm_run.statements) // (12 if soak_factor == 1 else 25))
        )
        names = [name for name, _ in calm_run.statements]
        for n, place in enumerate(places):
            point = Point(names[place], names[: place + 1].count(names[place]), when=WHEN[n % 3])
            outcome = sacrifices.run(url, "import_trips", str(file), at=point)
            assert outcome.killed, story(0, point, calm_run, outcome)
            wait_until_alone(url)
            assert everything(url) == before, story(0, point, calm_run, outcome)
        again = sacrifices.run(url, "import_trips", str(file))
    assert again.code == 0, again.output
    assert again.output.splitlines()[:6] == calm_run.output.splitlines()[:6]
    assert everything(url) == expected
