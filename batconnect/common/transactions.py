"""Transactions that move money: atomic, and tried again when the database asks for it."""

import functools
import random
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connection, transaction

P = ParamSpec("P")
R = TypeVar("R")

RETRIED = {
    "40001",
    "40P01",
}  # serialization failure, deadlock: the transaction was undone and may be repeated
ATTEMPTS = 5


def sqlstate(error: BaseException) -> str:
    """The SQLSTATE behind a Django database error, or an empty string."""
    return getattr(error.__cause__, "sqlstate", None) or ""


def money_transaction(function: Callable[P, R]) -> Callable[P, R]:
    """Run a service as one transaction; inside another one it joins, with a savepoint for its own failure.

    A deadlock or serialization failure is retried with jitter, at the outermost level only: the inner part of
    a lost transaction cannot be repeated by itself. Nothing else is retried.
    """

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        def once() -> R:
            with transaction.atomic():
                return function(*args, **kwargs)

        return _retried(once)

    return run


def money_statement(function: Callable[P, R]) -> Callable[P, R]:
    """As `money_transaction`, for a service whose work is a single statement: that commits by itself.

    BEGIN and COMMIT would cost as much again as the statement.
    """

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        def once() -> R:
            if connection.in_atomic_block:
                with transaction.atomic():
                    return function(*args, **kwargs)
            return function(*args, **kwargs)

        return _retried(once)

    return run


def _retried(once: Callable[[], R]) -> R:
    outermost = not connection.in_atomic_block
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return once()
        except OperationalError as error:
            if not outermost or sqlstate(error) not in RETRIED or attempt == ATTEMPTS:
                raise
            time.sleep(random.uniform(0.005, 0.05) * attempt)  # noqa: S311
    raise AssertionError("unreachable")
