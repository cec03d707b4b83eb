"""Steps shared among connections, and the parts of the installments that each of them posts."""

from threading import Barrier, get_ident

import pytest
from django.db import DataError, connection, transaction

from ledger.services.entry_lines import text_array
from ledger.services.shared_work import shared
from ledger.services.weekly_close import _join_run, _run_lock


def _countdown(*steps: int):
    left = [*steps]
    seen: list[tuple[int, int, int]] = []

    def step(worker: int) -> int | None:
        if not left[worker]:
            return None
        left[worker] -= 1
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            seen.append((worker, get_ident(), cursor.fetchone()[0]))
        return worker

    return step, seen


@pytest.mark.usefixtures("committing_database")
def test_each_worker_keeps_one_connection_from_its_first_step_to_its_last():
    step, seen = _countdown(3, 5)
    assert sorted(shared(step, workers=2)) == [0, 0, 0, 1, 1, 1, 1, 1]
    assert len({(worker, backend) for worker, _, backend in seen}) == 2
    assert len({backend for _, _, backend in seen}) == 2


@pytest.mark.django_db
def test_one_worker_works_on_the_callers_connection():
    step, seen = _countdown(4)
    assert list(shared(step, workers=1)) == [0] * 4
    assert {thread for _, thread, _ in seen} == {get_ident()}


@pytest.mark.usefixtures("committing_database")
def test_an_error_is_raised_and_stops_the_other_worker():
    both = Barrier(2)
    steps = [0, 0]

    def step(worker: int) -> int:
        if not steps[worker]:
            both.wait(10)
        steps[worker] += 1
        if worker == 0:
            raise ZeroDivisionError
        assert steps[worker] < 100_000, "it goes on"
        return worker

    with pytest.raises(ZeroDivisionError):
        list(shared(step, workers=2))


@pytest.mark.usefixtures("committing_database")
def test_a_caller_that_has_had_enough_stops_the_workers():
    for result in shared(lambda worker: worker, workers=2):
        assert result in (0, 1)
        break


@pytest.mark.usefixtures("committing_database")
def test_a_run_waits_for_the_chunk_that_a_killed_one_left_behind():
    entered = []

    def begin_a_run(worker: int) -> bool | None:
        if entered or worker:
            return None
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '300ms'")
        with _run_lock():
            entered.append(worker)
        return True

    with transaction.atomic():
        _join_run()
        with pytest.raises(Exception, match="lock timeout"):
            list(shared(begin_a_run, workers=2))
        assert not entered
    list(shared(begin_a_run, workers=2))
    assert entered


@pytest.mark.django_db
@pytest.mark.parametrize(
    "texts", [[""], ["a"], ["NULL", '"x"', "a,b", "{}", "\\", '\\"', " ", "é\n", "it's", "%s"], ["", ""]]
)
def test_texts_arrive_in_the_database_as_they_are(texts):
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::text[]", [text_array(texts)])
        assert cursor.fetchone()[0] == texts


@pytest.mark.django_db
def test_a_text_with_a_nul_is_refused_and_moves_no_other():
    with connection.cursor() as cursor, pytest.raises(DataError, match="NUL"):
        cursor.execute("SELECT %s::text[]", [text_array(["a\0b", "c"])])
