"""How long the steps of a run take: seconds by step, for whoever wants to know where the time went."""

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """`with clock("load"): …` adds to the seconds of that step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - started

    def taken(self) -> dict[str, float]:
        """What was measured so far, to a thousandth of a second."""
        return {step: round(seconds, 3) for step, seconds in self.seconds.items()}


def peak_memory() -> int:
    """The most memory this process ever held, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1024 * 1024) if sys.platform == "darwin" else peak // 1024
