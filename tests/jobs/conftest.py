"""Jobs of a test's own, and what a broker was asked instead of a broker."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from batconnect.common.audit import system_user
from batconnect.jobs import services
from batconnect.jobs.models import JobRun
from batconnect.jobs.services import register_job, start_job

Register = Callable[[Callable[..., dict[str, Any]]], str]


@pytest.fixture
def register() -> Iterator[Register]:
    """Register a handler under a kind of its own; gone after the test."""
    made: list[str] = []

    def add(handler: Callable[..., dict[str, Any]]) -> str:
        made.append(f"test_{uuid.uuid4().hex}")
        register_job(made[-1], handler, "A test's job")
        return made[-1]

    yield add
    for kind in made:
        del services._kinds[kind]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of jobs a worker was asked to take: the broker itself is not ours."""
    ids: list[str] = []
    monkeypatch.setattr(services.app, "send_task", lambda name, args, **_: ids.append(args[0]))
    return ids


def start(kind: str, **parameters: Any) -> JobRun:
    return start_job(kind=kind, parameters=parameters, actor=system_user())
