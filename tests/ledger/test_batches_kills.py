"""A worker or the database killed at any step of a bulk run: taken up again, the ledger is the same to the row.

One database has its runs killed with SIGKILL at one statement after another, its copy has them undisturbed.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import date

import polars as pl
import psycopg
import pytest
from django.db import connections

from batconnect.common.audit import system_user
from batconnect.embedded import Cluster
from benchmarks.takaful_rows import takaful_rows
from ledger.models import JournalRun, JournalShard
from ledger.services.batches import plan_run
from ledger.services.batches.errors import NothingToDo, RunInProgress
from tests.databases import PROJECT, manage_environment, start_manage

from . import batch_stories as story
from .sacrifices import Outcome, Point, Sacrifices
from .test_kills import copied, wait_until_alone

SHOW = "tests.ledger.batch_stories.digest"
WORK = "tests.ledger.batch_stories.post_or_resume"
WHEN = ("after", "before", "during")
# The steps of a run, each told by words that only its statements have.
STEPS = {
    "counted": "count(*) FILTER (WHERE s.gross_amount",
    "written down": 'INSERT INTO "journal_run"',
    "cut into shards": 'INSERT INTO "journal_run_shard"',
    "a shard is taken": '"taken_at" =',
    "opened": "ledger_open_shard(",
    "staged": "ledger_shard_staged(",
    "validated": "ledger_validate_shard(",
    "the run is staged": "ledger_run_staged(",
    "and validated": "ledger_run_validated(",
    "its partitions are made": "ledger_open_run_leaves(",
    "posted": "ledger_post_shard(",
    "indexed": "ledger_index_run(",
    "attached": "ledger_attach_run(",
    "recorded": 'INSERT INTO "audit_entry"',
    "measured": "UPDATE journal_run SET timings",
    "a lock is given back": "pg_advisory_unlock(",
}
ROWS = 250  # a month: three shards
SHORTLY = 2  # the ordinary run of the tests dies at every other step, and each way at some; make soak at all of them

pytestmark = pytest.mark.slow


def months(count: int) -> list[str]:
    return [str(date(2015 + n // 12, n % 12 + 1, 1)) for n in range(count)]


def load_months(count: int | str) -> None:
    frames = [
        takaful_rows(ROWS, first=1 + n * ROWS, month=date.fromisoformat(month))
        for n, month in enumerate(months(int(count)))
    ]
    story.loaded(pl.concat(frames))


def size(number: int) -> str:
    """Every third run is small: without partitions it has fewer steps to be killed at."""
    return "small" if number % 3 == 2 else "large"


def point_of(outcome: Outcome, number: int) -> Point:
    """A step, a way to die, and which of the step's statements in a run that went well."""
    step, way = list(STEPS)[number % len(STEPS)], WHEN[(number + number // len(STEPS)) % len(WHEN)]
    names = [name for name, text in outcome.statements if STEPS[step] in text]
    if not names:  # a small run has no such step
        names = [name for name, text in outcome.statements if STEPS["attached"] in text]
    place = (number // 2 + 1) % len(names)
    return Point(names[place], names[: place + 1].count(names[place]), when=way)


@contextlib.contextmanager
def looking_at(url: str) -> Iterator[None]:
    """The ORM of this process on another database of the same server."""
    current = connections["default"]
    former = current.settings_dict["NAME"]
    current.close()
    current.settings_dict["NAME"] = url.rsplit("/", 1)[1]
    try:
        yield
    finally:
        current.close()
        current.settings_dict["NAME"] = former


def test_a_worker_killed_at_any_step_leaves_nothing_that_is_not_taken_up(
    committing_database: str, soak_factor: int
) -> None:
    url, count = committing_database, len(STEPS) * min(soak_factor, 6)
    told = range(0, count, SHORTLY if soak_factor == 1 else 1)
    load_months(count)
    connections["default"].close()
    with Sacrifices(manage_environment(url), cwd=PROJECT) as sacrifices, copied(url) as calm:
        undisturbed = {
            n: sacrifices.run(calm, "call", WORK, month, size(n))
            for n, month in enumerate(months(count))
            if n in told
        }
        assert {outcome.code for outcome in undisturbed.values()} == {0}, undisturbed[0].output
        for n, month in enumerate(months(count)):
            if n not in told:
                continue
            point = point_of(undisturbed[n], n)
            outcome = sacrifices.run(url, "call", WORK, month, size(n), at=point)
            assert outcome.killed, (n, point, outcome.output)
            wait_until_alone(url)
            again = sacrifices.run(url, "call", WORK, month, size(n))
            assert again.code == 0, (n, point, again.output)
        found = story.everything()
        with looking_at(calm):
            expected = story.everything()
    assert len(found["claims"]) == len(told) * ROWS
    assert found == expected


@pytest.mark.parametrize(
    "step",
    [
        pytest.param("validated", marks=pytest.mark.thorough),
        pytest.param("posted", marks=pytest.mark.thorough),
        pytest.param("attached", marks=pytest.mark.thorough),
    ],
)
def test_a_database_killed_at_a_step_is_waited_for_and_the_run_goes_on(
    own_cluster: Cluster, step: str
) -> None:
    url = own_cluster.url
    with Sacrifices(manage_environment(url), cwd=PROJECT) as sacrifices:
        assert sacrifices.run(url, "call", f"{__name__}.load_months", "1").code == 0
        (month,) = months(1)
        with copied(url) as calm:
            undisturbed = sacrifices.run(calm, "call", WORK, month, "large")
            assert undisturbed.code == 0, undisturbed.output
            expected = sacrifices.run(calm, "call", SHOW).output
        point = point_of(undisturbed, list(STEPS).index(step))
        outcomes: list[Outcome] = []
        home = str(own_cluster.home)
        worker = threading.Thread(
            target=lambda: outcomes.append(
                sacrifices.run(url, "call", WORK, month, "large", at=point, deed="kill_server", where=home)
            )
        )
        worker.start()
        _until_dead(url)
        own_cluster.start()
        worker.join(90)
        assert [outcome.code for outcome in outcomes] == [0], outcomes
        assert sacrifices.run(url, "call", SHOW).output == expected


def test_of_runs_planned_at_once_one_is_written_down_and_the_rows_are_entered_once(
    committing_database: str,
) -> None:
    story.takaful(500)
    gate, ended = threading.Barrier(4), list[str]()

    def one() -> None:
        try:
            gate.wait(10)
            ended.append(story.run(shard_rows=100).state)
        except (RunInProgress, NothingToDo) as refused:
            ended.append(refused.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(ended) == 4
    assert ended.count("POSTED") == JournalRun.objects.count() == 1
    assert len(story.bulk_headers()) == 500


@pytest.mark.thorough
def test_of_two_workers_one_is_killed_and_the_run_ends_all_the_same(committing_database: str) -> None:
    story.takaful(30_000)
    run = plan_run(pack="takaful", actor=system_user(), month=story.MARCH, shard_rows=1_000)
    process = start_manage(committing_database, "post_batch", "--resume", str(run.pk), "--workers", "2")
    victim = _busy_worker(run)
    os.kill(int(victim.rsplit(":", 1)[1]), signal.SIGKILL)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    run.refresh_from_db()
    assert (run.state, run.entries, run.large) == ("POSTED", 30_000, True)
    workers = set(JournalShard.objects.values_list("worker", flat=True))
    assert victim in workers
    assert len(workers) >= 2, "others did what was left"
    assert run.layers["frame"] == run.layers["ledger"]
    assert set(story.fund_balances().values()) == {0}
    assert len(story.bulk_headers()) == 30_000


def _until_dead(url: str) -> None:
    deadline = time.monotonic() + 60
    with contextlib.suppress(psycopg.OperationalError), psycopg.connect(url, autocommit=True) as connection:
        while connection.execute("SELECT 1").fetchone():
            assert time.monotonic() < deadline, "the server was never killed"
            time.sleep(0.01)


def _busy_worker(run: JournalRun) -> str:
    """A worker that has finished a shard and is at another one."""
    deadline = time.monotonic() + 60
    shards = JournalShard.objects.filter(run=run).exclude(worker="")
    while True:
        busy = set(shards.filter(state="PENDING").values_list("worker", flat=True))
        done = set(shards.filter(state="VALIDATED").values_list("worker", flat=True))
        if busy & done:
            return (busy & done).pop()
        assert time.monotonic() < deadline, "no worker ever took a second shard"
        time.sleep(0.002)
