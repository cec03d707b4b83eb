"""Who may see and do what. Nothing is allowed that is not named here: a step's permission, a role in the case."""

from collections.abc import Sequence

from django.db.models import Q, QuerySet

from batconnect.common.errors import BatConnectError
from batconnect.common.models import User

from ..models import Case
from ..registry import Flow, Step, find_flow, flow_of, flows


class UnknownCase(BatConnectError):
    code, status = "case.unknown", 404
    message = "There is no case {case_no}, or it is not for you to see."


class UnknownFlow(BatConnectError):
    code, status = "case.unknown_flow", 404
    message = "There is no kind of case {flow}."


class UnknownStep(BatConnectError):
    code, status = "case.unknown_step", 404
    message = "A case {case_no} has no step {step}."


class NotPermitted(BatConnectError):
    code, status = "case.not_permitted", 403
    message = "Your account lacks the permission for {step}."


class OwnApproval(BatConnectError):
    code, status = "case.own_approval", 403
    message = "{case_no} is your own; somebody else has to decide on it."


class AssignedToAnother(BatConnectError):
    code, status = "case.assigned_to_another", 403
    message = "{case_no} is assigned to {assignee}. Have it reassigned if you are to do it."


def may_do(user: User, step: Step) -> bool:
    """Whether the person has what the step asks for; the case itself may still refuse."""
    needed = ["cases.process_case", step.permission]
    if step.approval:
        needed.append("cases.approve_case")
    return user.has_perms(needed)


def visible_cases(user: User) -> QuerySet[Case]:
    """The cases a person may see: of flows with a step that is theirs to do, their own, or all."""
    cases = Case.objects.select_related("opened_by", "assigned_to", "closed_by")
    if not user.has_perm("cases.view_case"):
        return cases.none()
    if user.has_perm("cases.view_all_cases"):
        return cases
    return cases.filter(Q(flow__in=_flows_of(user)) | Q(opened_by=user) | Q(assigned_to=user))


def visible_case(*, case_no: str, actor: User) -> Case:
    """Raises UnknownCase, also for one that is not for this person to see."""
    case = visible_cases(actor).filter(case_no=case_no).first()
    if case is None or find_flow(case.flow) is None:
        raise UnknownCase(case_no=case_no)
    return case


def flow_to_open(*, prefix: str, actor: User) -> Flow:
    """The flow, where its first step is this person's. Raises UnknownFlow, NotPermitted."""
    flow = find_flow(prefix)
    if flow is None:
        raise UnknownFlow(flow=prefix)
    if not actor.has_perm(flow.steps[0].permission):
        raise NotPermitted(step=flow.steps[0].id)
    return flow


def check_step(*, case: Case, step_id: str, actor: User) -> Step:
    """The step, where this person may do it. Raises UnknownStep, NotPermitted."""
    step = flow_of(case).step(step_id)
    if step is None:
        raise UnknownStep(case_no=case.case_no, step=step_id)
    if not may_do(actor, step):
        raise NotPermitted(step=step.id)
    return step


def check_person(*, case: Case, step: Step, actor: User) -> None:
    """Whether this person may do that step of this very case. Raises OwnApproval, AssignedToAnother."""
    if step.approval and actor.pk in (case.opened_by_id, case.requested_by_id):
        raise OwnApproval(case_no=case.case_no)
    if case.assigned_to_id not in (None, actor.pk):
        raise AssignedToAnother(case_no=case.case_no, assignee=case.assigned_to)


def _flows_of(user: User) -> Sequence[str]:
    return [flow.prefix for flow in flows() if any(user.has_perm(step.permission) for step in flow.steps)]
