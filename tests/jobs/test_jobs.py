"""Jobs: one run per click, one worker per run, and nothing lost with a worker or a broker."""

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from batconnect.common.errors import BatConnectError
from batconnect.jobs import services
from batconnect.jobs.models import JobRun
from batconnect.jobs.services import UnknownJobKind, run_job, sweep_jobs

from .conftest import Register, start


class TooLateError(BatConnectError):
    code, status = "test.too_late", 409
    message = "It is {hour} o'clock, and the window is closed."


@pytest.mark.django_db
def test_a_job_runs_with_its_parameters_and_keeps_its_result(register: Register) -> None:
    seen: dict[str, Any] = {}

    def handler(parameters: dict[str, Any], actor: Any, progress: Any) -> dict[str, Any]:
        seen.update(parameters, actor=actor.username)
        return {"posted": 3}

    job = start(register(handler), week="2019-03-03")

    assert run_job(job_id=job.pk)
    job.refresh_from_db()
    assert seen == {"week": "2019-03-03", "actor": "system"}
    assert (job.status, job.result, job.attempts) == ("SUCCEEDED", {"posted": 3}, 1)
    assert job.ended_at is not None


@pytest.mark.django_db
def test_a_worker_is_asked_only_once_the_request_is_committed(
    register: Register, sent: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        job = start(register(lambda *_: {}))
        assert sent == []
    assert sent == [str(job.pk)]


@pytest.mark.django_db
def test_a_broker_that_is_down_leaves_the_job_waiting_for_the_sweeper(
    register: Register, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OSError("connection refused")

    monkeypatch.setattr(services.app, "send_task", refuse)
    with django_capture_on_commit_callbacks(execute=True):
        job = start(register(lambda *_: {}))
    assert JobRun.objects.get(pk=job.pk).status == "PENDING"

    ids: list[str] = []
    monkeypatch.setattr(services.app, "send_task", lambda name, args, **_: ids.append(args[0]))
    with django_capture_on_commit_callbacks(execute=True):
        assert sweep_jobs() == 0  # young enough to be on its way
    JobRun.objects.update(created_at=timezone.now() - timedelta(seconds=31))
    with django_capture_on_commit_callbacks(execute=True):
        assert sweep_jobs() == 1
    assert ids == [str(job.pk)]


@pytest.mark.django_db
def test_clicking_twice_is_one_job_until_it_has_ended(register: Register) -> None:
    kind = register(lambda *_: {})
    first = start(kind, week="2019-03-03", dry_run=False)
    assert start(kind, dry_run=False, week="2019-03-03").pk == first.pk
    assert start(kind, week="2019-03-03", dry_run=True).pk != first.pk

    run_job(job_id=first.pk)
    assert start(kind, week="2019-03-03", dry_run=False).pk != first.pk


@pytest.mark.django_db
def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(UnknownJobKind):
        start("no_such_job")


@pytest.mark.django_db
def test_a_foreseen_failure_is_told_in_its_own_sentence(register: Register) -> None:
    def handler(*_: Any) -> dict[str, Any]:
        raise TooLateError(hour=5)

    job = start(register(handler))
    run_job(job_id=job.pk)
    job.refresh_from_db()
    assert (job.status, job.error_code) == ("FAILED", "test.too_late")
    assert job.error == "It is 5 o'clock, and the window is closed."


@pytest.mark.django_db
def test_an_unforeseen_failure_is_told_plainly_and_its_traceback_only_logged(
    register: Register, caplog: pytest.LogCaptureFixture
) -> None:
    def handler(*_: Any) -> dict[str, Any]:
        raise ZeroDivisionError("secret detail")

    job = start(register(handler))
    run_job(job_id=job.pk)
    job.refresh_from_db()
    assert (job.status, job.error_code) == ("FAILED", "job.unexpected")
    assert str(job.pk) in job.error
    assert "ZeroDivision" not in job.error and "secret" not in job.error + job.log
    assert "secret detail" in caplog.text


def test_a_lost_database_connection_hands_the_job_back(
    committing_database: str, register: Register, sent: list[str]
) -> None:
    def handler(*_: Any) -> dict[str, Any]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return {}

    job = start(register(handler))
    run_job(job_id=job.pk)
    job.refresh_from_db()
    assert (job.status, job.attempts, job.error) == ("PENDING", 1, "")


@pytest.mark.django_db
@pytest.mark.parametrize(("silent_for", "taken"), [(59, False), (61, True)])
def test_a_running_job_is_taken_over_only_when_its_heartbeat_is_stale(
    register: Register, sent: list[str], silent_for: int, taken: bool
) -> None:
    job = start(register(lambda *_: {"done": True}))
    # The transaction's own clock, so that the seconds are exact.
    JobRun.objects.filter(pk=job.pk).update(
        status="RUNNING", attempts=1, heartbeat_at=timezone.now() - timedelta(seconds=silent_for)
    )
    assert run_job(job_id=job.pk) is taken
    job.refresh_from_db()
    assert job.status == ("SUCCEEDED" if taken else "RUNNING")
    assert job.attempts == (2 if taken else 1)


@pytest.mark.django_db
def test_after_five_lost_workers_the_job_is_given_up_with_a_sentence(register: Register) -> None:
    job = start(register(lambda *_: {}))
    stale = timezone.now() - timedelta(seconds=61)
    JobRun.objects.filter(pk=job.pk).update(status="RUNNING", attempts=4, heartbeat_at=stale)
    sweep_jobs()
    assert JobRun.objects.get(pk=job.pk).status == "RUNNING"

    JobRun.objects.filter(pk=job.pk).update(attempts=5)
    sweep_jobs()
    job.refresh_from_db()
    assert (job.status, job.error_code) == ("FAILED", "job.gave_up")
    assert "5 times" in job.error
    assert not run_job(job_id=job.pk)


@pytest.mark.django_db
def test_a_worker_that_lost_its_job_cannot_write_its_end(register: Register) -> None:
    def handler(*_: Any) -> dict[str, Any]:
        JobRun.objects.update(attempts=2)  # another worker has taken it
        return {"late": True}

    job = start(register(handler))
    run_job(job_id=job.pk)
    job.refresh_from_db()
    assert (job.status, job.result) == ("RUNNING", None)


def test_two_workers_at_once_run_a_job_once(committing_database: str, register: Register) -> None:
    runs: list[int] = []
    together = threading.Barrier(2)

    def handler(*_: Any) -> dict[str, Any]:
        runs.append(1)
        time.sleep(0.2)
        return {}

    job = start(register(handler))
    taken: list[bool] = []

    def work() -> None:
        together.wait()
        taken.append(run_job(job_id=job.pk))
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(taken) == [False, True]
    assert len(runs) == 1


def test_a_second_click_waits_for_the_first_and_finds_its_job(
    committing_database: str, register: Register, sent: list[str]
) -> None:
    kind = register(lambda *_: {})
    second: list[Any] = []

    def click() -> None:
        second.append(start(kind, week="2019-03-03").pk)
        connection.close()

    thread = threading.Thread(target=click)
    with transaction.atomic():
        first = start(kind, week="2019-03-03").pk
        thread.start()
        thread.join(timeout=0.5)
        assert second == []
    thread.join()
    assert second == [first]
    assert sent == [str(first)]
