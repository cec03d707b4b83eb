"""A bulk run shared by workers that are processes of their own, over a real broker; and one of them killed."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from celery import Celery
from django.db import connections
from django.utils import timezone

from batconnect.common.audit import system_user
from batconnect.jobs import services
from batconnect.jobs.models import JobRun
from batconnect.jobs.services import start_job, sweep_jobs
from ledger import batch_jobs
from ledger.models import JournalRun, JournalShard
from ledger.services.batches import plan_run, work_on_run
from tests.brokers import Worker, redis_broker, sending_to, wait_until, workers

from . import batch_stories as story
from .test_batches_kills import looking_at
from .test_kills import copied

ROWS, SHARD = 12_000, 400
POLARS_AT_WORK = ("--include", "tests.ledger.works_on_a_frame_when_imported")

pytestmark = pytest.mark.slow


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A real Redis, to which this process sends its tasks too."""
    with redis_broker() as url:
        sender: Celery = sending_to(url)
        monkeypatch.setattr(services.app, "send_task", sender.send_task)
        yield url
        sender.close()


def planned() -> JournalRun:
    return plan_run(pack="takaful", actor=system_user(), month=story.MARCH, shard_rows=SHARD, large=True)


def started(run: JournalRun) -> JobRun:
    return start_job(kind=batch_jobs.BULK_RUN, parameters={"run": run.pk}, actor=system_user())


def pids(run: JournalRun, **of: Any) -> set[int]:
    """The processes that took shards."""
    taken = JournalShard.objects.filter(run=run, **of).exclude(worker="").values_list("worker", flat=True)
    return {int(name.rsplit(":", 1)[1]) for name in taken}


def owner_of(pid: int, running: dict[str, Worker]) -> str:
    return next(name for name, worker in running.items() if worker.has_process(pid))


def test_a_run_is_shared_over_a_broker_and_outlives_the_worker_that_has_its_job(
    committing_database: str, broker: str
) -> None:
    story.takaful(ROWS)
    connections["default"].close()
    with (
        copied(committing_database) as alone,
        workers(committing_database, broker, {"a": (), "b": ()}) as running,
    ):
        run = planned()
        job = started(run)
        both = lambda: "".join(worker.said() for worker in running.values())  # noqa: E731
        wait_until(lambda: len(pids(run, state="VALIDATED")) == 2, both)
        assert {owner_of(pid, running) for pid in pids(run)} == {"a", "b"}, "both did shards"
        done = JournalShard.objects.filter(run=run, state="VALIDATED").count()
        assert done < ROWS // SHARD, "it is in the middle"
        lost = next(name for name, worker in running.items() if "run_job" in _received(worker))
        running[lost].kill()

        (left,) = {"a", "b"} - {lost}
        wait_until(lambda: JournalRun.objects.get(pk=run.pk).state == "POSTED", running[left].said)
        assert JobRun.objects.get(pk=job.pk).status == "RUNNING", (
            "its worker is lost, and the run ended without it"
        )
        _as_if_a_minute_later(job)
        assert sweep_jobs() == 1
        wait_until(lambda: JobRun.objects.get(pk=job.pk).status == "SUCCEEDED", running[left].said)
        job.refresh_from_db()
        assert (job.attempts, (job.result or {})["state"], (job.result or {})["workers"]) == (2, "POSTED", 2)
        found = story.everything()
        with looking_at(alone):
            calm = planned()
            assert work_on_run(run_id=calm.pk).state == "POSTED"
            expected = story.everything()
    assert len(found["claims"]) == ROWS
    assert found == expected


def test_help_that_is_lost_or_comes_too_late_changes_nothing(committing_database: str, broker: str) -> None:
    story.takaful(300)
    run = planned()
    connections["default"].close()
    # Such a worker forks nothing, so that Polars may have worked in it.
    with workers(committing_database, broker, {"a": ("--pool", "solo", *POLARS_AT_WORK)}) as running:
        services.app.send_task(batch_jobs.HELP, args=[999_999])  # of a run that is not there
        job = started(run)
        wait_until(lambda: JobRun.objects.get(pk=job.pk).status == "SUCCEEDED", running["a"].said)
        said = running["a"].said
        wait_until(
            lambda: said().count("succeeded in") == 3, said
        )  # the job, help that came late, and of nothing
    run.refresh_from_db()
    assert (run.state, run.entries) == ("POSTED", 300)
    assert len(pids(run)) == 1


def test_a_worker_refuses_to_fork_where_polars_has_worked(committing_database: str, broker: str) -> None:
    worker = Worker(committing_database, broker, "a", *POLARS_AT_WORK)
    try:
        wait_until(lambda: worker.process.poll() is not None, worker.said)
        assert "Polars was used before the worker's processes were forked" in worker.said()
    finally:
        worker.kill()


def _received(worker: Worker) -> str:
    return "".join(line for line in worker.said().splitlines() if " received" in line)


def _as_if_a_minute_later(job: JobRun) -> None:
    JobRun.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() - timedelta(seconds=61))
