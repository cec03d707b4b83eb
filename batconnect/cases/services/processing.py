"""Looking at a step and carrying it out: once, whoever clicks how often, and never half."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.utils import timezone

from batconnect.common.errors import BatConnectError
from batconnect.common.idempotency import Answer, KeyReused, run_once
from batconnect.common.models import User
from batconnect.common.transactions import money_transaction

from ..models import Case, CaseEvent
from ..registry import Step, StepDone
from .access import AssignedToAnother, NotPermitted, OwnApproval, check_person, check_step, visible_case
from .events import lock_case, record_event


class CaseEnded(BatConnectError):
    """The case was closed or cancelled before; `details` say what it made, so that a second click can lead there."""

    code, status = "case.ended", 409
    message = "{case_no} was {ended} before by {by}{made}; nothing was done again."


class StepPassed(BatConnectError):
    code, status = "case.step_passed", 409
    message = "{case_no} is at step {at} now, not at {asked}; nothing was done."


class BadStepData(BatConnectError):
    """`details` are the messages by field."""

    code, status = "case.bad_data", 400

    def __init__(self, **details: Any) -> None:
        name, problems = next(iter(details.items()))
        self.details = details
        # Whatever a client sent may be in it, braces too: it is no template.
        Exception.__init__(self, f"{name.replace('_', ' ')}: {_first(problems)}")


# What is no failure of the step: the case went on, or the person may not do this.
_NOT_A_FAILURE = (CaseEnded, StepPassed, KeyReused, NotPermitted, OwnApproval, AssignedToAnother)
LARGEST_DATA = 100_000  # characters of JSON


def fetch_step(
    *, case_no: str, step_id: str, query: Mapping[str, Any], actor: User, on: date
) -> tuple[Case, dict[str, Any]]:
    """The case, and what the step shows for the query. Changes nothing.

    Raises UnknownCase, UnknownStep, NotPermitted, and what the flow's own fetch raises.
    """
    case = visible_case(case_no=case_no, actor=actor)
    step = check_step(case=case, step_id=step_id, actor=actor)
    return case, step.fetch(case=case, query=query, actor=actor, on=on)


def check_data(step: Step, data: Mapping[str, Any]) -> dict[str, Any]:
    """The step's data, checked and converted. Raises BadStepData; a name that is not known is refused too."""
    serializer = step.fields(data=data)
    problems: dict[str, Any] = {} if serializer.is_valid() else dict(serializer.errors)
    known = ", ".join(serializer.fields)
    problems |= {name: [f"Unknown; known are: {known}."] for name in data if name not in serializer.fields}
    if problems:
        raise BadStepData(**{str(name): value for name, value in problems.items()})
    return dict(serializer.validated_data)


def process_step(
    *, case_no: str, step_id: str, data: Mapping[str, Any], actor: User, on: date, key: str = ""
) -> Answer:
    """Carry out a step and move the case on, in one transaction that starts with the case's lock.

    A second click finds the case ended: CaseEnded with what was made, or, with the same `key` and data, the first
    answer again. A step that fails is undone whole; the case stays open at it, with the data and the reason.
    Raises UnknownCase, UnknownStep, NotPermitted, OwnApproval, AssignedToAnother, CaseEnded, StepPassed,
    BadStepData, KeyReused, and what the flow's own process raises.
    """
    case = visible_case(case_no=case_no, actor=actor)
    step = check_step(case=case, step_id=step_id, actor=actor)
    data = _storable(data)

    def effect() -> Answer:
        return Answer(200, _carry_out(case_no=case_no, step=step, data=data, actor=actor, on=on))

    with _failure_kept(case_no=case_no, step=step, data=data, actor=actor):
        if not key:
            return money_transaction(effect)()
        scope = f"{actor.pk}:case:{case_no}:{step_id}"
        return money_transaction(run_once)(scope=scope, key=key, request=data, effect=effect)


def keep_draft(*, case_no: str, step_id: str, data: Mapping[str, Any], actor: User) -> None:
    """Keep what was entered so far, so that nobody types it twice; does nothing once the case is past the step."""
    visible_case(case_no=case_no, actor=actor)
    data = _storable(data)
    with transaction.atomic():
        case = lock_case(case_no)
        if case.status == Case.Status.OPEN and case.step == step_id:
            case.data = data
            case.save(update_fields=["data"])


def outcome_of(case: Case) -> dict[str, Any]:
    """What a step answers, and a second click is told: the case's state and what it made."""
    return {
        "case_no": case.case_no,
        "status": case.status,
        "step_id": case.step,
        "subject": case.subject,
        "subject_ref": case.subject_ref,
        "result": case.result,
    }


def _storable(data: Any) -> dict[str, Any]:
    """The data as it is kept: plain JSON that the database can hold. Raises BadStepData."""
    if not isinstance(data, Mapping):
        raise BadStepData(data=["Give an object."])
    text = json.dumps(data, cls=DjangoJSONEncoder)
    if len(text) > LARGEST_DATA:
        raise BadStepData(data=["This is too much."])
    # Neither NUL nor half a surrogate pair is text, and the database takes neither.
    if "\\u0000" in text or not _is_unicode(text):
        raise BadStepData(data=["Use printable text."])
    return dict(json.loads(text))


def _is_unicode(text: str) -> bool:
    try:
        json.dumps(json.loads(text), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _carry_out(*, case_no: str, step: Step, data: Mapping[str, Any], actor: User, on: date) -> dict[str, Any]:
    case = lock_case(case_no)
    if case.status != Case.Status.OPEN:
        made = f": {case.subject}" if case.subject else ""
        raise CaseEnded(
            **outcome_of(case), ended=case.get_status_display().lower(), by=case.closed_by, made=made
        )
    if case.step != step.id:
        raise StepPassed(case_no=case_no, at=case.step, asked=step.id)
    check_person(case=case, step=step, actor=actor)
    done = step.process(case=case, data=check_data(step, data), actor=actor, on=on)
    _move_on(case, step, done, data=data, actor=actor)
    return outcome_of(case)


def _move_on(case: Case, step: Step, done: StepDone, *, data: Mapping[str, Any], actor: User) -> None:
    before = {"status": case.status, "step": case.step}
    if step.approval:
        if not done.cancelled:
            case.approved_by = actor
    else:
        case.requested_by = actor
    case.result = {**case.result, **done.result}
    case.subject = (done.subject or case.subject)[:200]
    case.subject_ref = done.subject_ref or case.subject_ref
    case.error_code = case.error = ""
    at_step = Case(pk=case.pk, step=case.step)
    if done.next_step:
        case.step, case.data, case.assigned_to = done.next_step, dict(done.data), None
    else:
        case.status = Case.Status.CANCELLED if done.cancelled else Case.Status.CLOSED
        case.reason = done.cancelled
        case.data = dict(data)
        case.closed_at, case.closed_by = timezone.now(), actor
    case.save()
    after = {"status": case.status, "step": case.step, "data": dict(data), "result": dict(done.result)}
    record_event(case=at_step, action=CaseEvent.Action.PROCESSED, actor=actor, before=before, after=after)


@contextmanager
def _failure_kept(*, case_no: str, step: Step, data: Mapping[str, Any], actor: User) -> Iterator[None]:
    """Note why a step failed, after its own transaction was rolled back; then let the error pass."""
    try:
        yield
    except _NOT_A_FAILURE:
        raise
    except BatConnectError as error:
        _note_failure(case_no=case_no, step=step, data=data, actor=actor, error=error)
        raise


@transaction.atomic
def _note_failure(
    *, case_no: str, step: Step, data: Mapping[str, Any], actor: User, error: BatConnectError
) -> None:
    case = lock_case(case_no)
    if case.status != Case.Status.OPEN or case.step != step.id:
        return  # somebody else carried it out meanwhile
    case.error_code, case.error = error.code, str(error)[:1000]
    case.data = dict(data)
    case.save(update_fields=["error_code", "error", "data"])
    told = {"error": error.code, "message": str(error), "data": case.data}
    record_event(case=case, action=CaseEvent.Action.FAILED, actor=actor, after=told)


def _first(problems: Any) -> str:
    while isinstance(problems, Mapping | list | tuple) and problems:
        problems = next(iter(problems.values())) if isinstance(problems, Mapping) else problems[0]
    return str(problems)
