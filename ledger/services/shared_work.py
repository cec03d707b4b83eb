"""Work in many transactions, shared among several connections of this process."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from threading import Event
from typing import TypeVar

from django.db import connection

R = TypeVar("R")


def shared(step: Callable[[int], R | None], *, workers: int) -> Iterator[R]:
    """Yield what `step` gives, worker by worker called again until it gives None.

    `step` gets the worker's number, from 0, and runs on a connection that is this worker's to the end: a new one
    would read the catalogue and compile the triggers again. One worker works on the connection of the caller. The
    first error is raised; the other workers finish the step they are at, and stop.
    """
    if workers == 1:
        while (result := step(0)) is not None:
            yield result
        return
    done: SimpleQueue[R | None] = SimpleQueue()
    given_up = Event()

    def work(worker: int) -> None:
        try:
            while not given_up.is_set() and (result := step(worker)) is not None:
                done.put(result)
        except BaseException:
            given_up.set()
            raise
        finally:
            connection.close()  # this thread's own
            done.put(None)

    with ThreadPoolExecutor(max_workers=workers) as pool:
        ends = [pool.submit(work, worker) for worker in range(workers)]
        try:
            at_work = workers
            while at_work:
                if (result := done.get()) is None:
                    at_work -= 1
                else:
                    yield result
        finally:
            given_up.set()  # the caller may have had enough
        for end in ends:
            end.result()
