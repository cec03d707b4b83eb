"""Progress is seen from outside while the work goes on, cheaply, and only from the worker whose job it is."""

import time
from typing import Any

import pytest
from django.db import transaction

from batconnect.jobs import progress as progress_module
from batconnect.jobs.models import JobRun
from batconnect.jobs.services import run_job

from .conftest import Register, start


def test_progress_is_seen_while_the_work_is_still_uncommitted(
    committing_database: str, register: Register
) -> None:
    seen: list[tuple[str, int, int]] = []

    def handler(parameters: dict[str, Any], actor: Any, progress: Any) -> dict[str, Any]:
        with transaction.atomic():
            progress("Settling leases", 20, 43)
            progress.log("twenty are done")
            for _ in range(40):
                time.sleep(0.05)
                job = JobRun.objects.get()
                if job.step:
                    break
            seen.append((job.step, job.done, job.total))
        return {}

    job = start(register(handler))
    run_job(job_id=job.pk)
    assert seen == [("Settling leases", 20, 43)]
    job.refresh_from_db()
    assert "twenty are done" in job.log


def test_progress_is_written_a_few_times_a_second_and_ends_complete(
    committing_database: str, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: list[float] = []
    write = progress_module.Progress._write

    def counted(self: Any, on: Any) -> None:
        writes.append(time.monotonic())
        write(self, on)

    monkeypatch.setattr(progress_module.Progress, "_write", counted)

    def handler(parameters: dict[str, Any], actor: Any, progress: Any) -> dict[str, Any]:
        for done in range(500):
            progress("Counting", done + 1, 500)
            time.sleep(0.002)
        return {}

    job = start(register(handler))
    run_job(job_id=job.pk)
    job.refresh_from_db()
    assert (job.done, job.total) == (500, 500)
    assert len(writes) <= (writes[-1] - writes[0]) / progress_module.WRITE_EVERY + 3


def test_a_worker_that_was_taken_over_stops_at_its_next_step(
    committing_database: str, register: Register
) -> None:
    reached: list[int] = []

    def handler(parameters: dict[str, Any], actor: Any, progress: Any) -> dict[str, Any]:
        JobRun.objects.update(attempts=2)
        for done in range(100):
            progress("Working", done, 100)
            reached.append(done)
            time.sleep(0.05)
        return {}

    job = start(register(handler))
    run_job(job_id=job.pk)
    assert len(reached) < 100
    job.refresh_from_db()
    assert (job.status, job.attempts) == ("RUNNING", 2)
