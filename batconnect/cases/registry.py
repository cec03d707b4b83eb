"""The kinds of case. A flow is declared in the `flows.py` of the app it belongs to, and found there at start.

register_flow(Flow(prefix="MISCEXP", name="Miscellaneous expense", sla_hours=24, steps=(
    Step(id="MISCEXP-001", title="Charge the driver", permission="misc_expenses.add_miscellaneousexpense",
         fields=ExpenseData, fetch=fetch_driver, process=create_expense,
         screen="misc_expenses.admin.ExpenseScreen"),
)))
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol

from rest_framework import serializers

from batconnect.common.models import User

from .models import Case


@dataclass(frozen=True)
class StepDone:
    """What a step did. `next_step` leaves the case open there; without it the case ends.

    `result` is added to the case's result (JSON-ready); `data` is what the next step starts from. `cancelled` ends
    the case as cancelled, for the reason given.
    """

    result: Mapping[str, Any]
    subject: str = ""
    subject_ref: str = ""
    next_step: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    cancelled: str = ""


class Fetch(Protocol):
    def __call__(self, *, case: Case, query: Mapping[str, Any], actor: User, on: date) -> dict[str, Any]:
        """What the step's screen shows for this query. Reads only; raises BatConnectError."""


class Process(Protocol):
    def __call__(self, *, case: Case, data: Mapping[str, Any], actor: User, on: date) -> StepDone:
        """Carry the step out, inside the transaction that moves the case on; raises BatConnectError."""


@dataclass(frozen=True)
class Step:
    """One step. `fields` checks its data before `process` sees it; `screen` is the dotted name of its StepScreen.

    An `approval` needs `cases.approve_case` as well, and somebody else than who opened the case or asked for it.
    """

    id: str
    title: str
    permission: str
    fields: type[serializers.Serializer[Any]]
    fetch: Fetch
    process: Process
    screen: str = ""
    approval: bool = False


@dataclass(frozen=True)
class Flow:
    """A kind of case: the letters its numbers start with, its steps, and the hours it may take."""

    prefix: str
    name: str
    sla_hours: int
    steps: Sequence[Step]

    def step(self, step_id: str) -> Step | None:
        return next((step for step in self.steps if step.id == step_id), None)


_flows: dict[str, Flow] = {}


def register_flow(flow: Flow) -> None:
    """Announce a flow; its step ids start with its prefix."""
    wrong = [step.id for step in flow.steps if not step.id.startswith(f"{flow.prefix}-")]
    if wrong or not flow.steps:
        raise ValueError(f"flow {flow.prefix}: steps are named {flow.prefix}-001 and so on, not {wrong}")
    _flows[flow.prefix] = flow


def flows() -> Sequence[Flow]:
    """Every flow, by prefix."""
    return [_flows[prefix] for prefix in sorted(_flows)]


def find_flow(prefix: str) -> Flow | None:
    return _flows.get(prefix)


def flow_of(case: Case) -> Flow:
    return _flows[case.flow]


def step_of(case: Case) -> Step:
    """The step the case is at, or ended at."""
    step = flow_of(case).step(case.step)
    assert step is not None, f"{case.case_no} is at {case.step}, which its flow does not have"
    return step
