"""What is done to a case besides its steps: handing it on, cancelling it, writing beside it."""

from django.db import transaction
from django.utils import timezone

from batconnect.common.errors import BatConnectError
from batconnect.common.models import User

from ..models import Case, CaseComment, CaseEvent
from ..registry import step_of
from .access import AssignedToAnother, may_do, visible_case
from .events import lock_case, record_event
from .processing import CaseEnded, outcome_of

SHORTEST_REASON, LONGEST_REASON = 10, 500
LONGEST_COMMENT = 2000


class UnknownPerson(BatConnectError):
    code, status = "case.unknown_person", 404
    message = "There is nobody active called {username}."


class MayNotDoIt(BatConnectError):
    code, status = "case.assignee_may_not", 409
    message = "{username} may not do {step}, so the case would wait for ever; choose somebody who may."


class ReasonLength(BatConnectError):
    code, status = "case.reason", 400
    message = "Say why in {shortest} to {longest} characters; the next reader has only this sentence."


class EmptyComment(BatConnectError):
    code, status = "case.comment", 400
    message = "Write a comment of 1 to {longest} printable characters."


@transaction.atomic
def assign_case(*, case_no: str, username: str, actor: User, note: str = "") -> Case:
    """Hand an open case to somebody who may do its step; an empty `username` frees it for anyone who may.

    One's own and free cases may be handed on by who may do the step; anybody's by `cases.assign_case`.
    Raises UnknownCase, CaseEnded, AssignedToAnother, UnknownPerson, MayNotDoIt.
    """
    case = _open_case(case_no, actor)
    _check_hands_on(case, actor)
    assignee = _person(username) if username else None
    if assignee is not None and not _could_do(assignee, case):
        raise MayNotDoIt(username=assignee.username, step=case.step)
    before = case.assigned_to
    case.assigned_to = assignee
    case.save(update_fields=["assigned_to"])
    record_event(
        case=case,
        action=CaseEvent.Action.ASSIGNED,
        actor=actor,
        before={"assigned_to": before and before.username},
        after={
            "assigned_to": assignee and assignee.username,
            **({"note": note[:LONGEST_REASON]} if note else {}),
        },
    )
    return case


@transaction.atomic
def cancel_case(*, case_no: str, reason: str, actor: User) -> Case:
    """End a case without doing its step; what earlier steps did stands.

    Raises UnknownCase, CaseEnded, AssignedToAnother, ReasonLength.
    """
    reason = reason.strip()
    if not SHORTEST_REASON <= len(reason) <= LONGEST_REASON:
        raise ReasonLength(shortest=SHORTEST_REASON, longest=LONGEST_REASON)
    case = _open_case(case_no, actor)
    _check_hands_on(case, actor)
    before = {"status": case.status}
    case.status, case.reason = Case.Status.CANCELLED, reason
    case.closed_by, case.closed_at = actor, timezone.now()
    case.save(update_fields=["status", "reason", "closed_by", "closed_at"])
    after = {"status": case.status, "reason": reason}
    record_event(case=case, action=CaseEvent.Action.CANCELLED, actor=actor, before=before, after=after)
    return case


@transaction.atomic
def add_comment(*, case_no: str, text: str, actor: User) -> CaseComment:
    """Write a comment, also to a case that ended. Raises UnknownCase, EmptyComment."""
    case = visible_case(case_no=case_no, actor=actor)
    text = text.strip()
    if not 0 < len(text) <= LONGEST_COMMENT or "\0" in text:
        raise EmptyComment(longest=LONGEST_COMMENT)
    comment = CaseComment.objects.create(case=case, author=actor, text=text)
    record_event(case=case, action=CaseEvent.Action.COMMENTED, actor=actor, after={"comment": comment.pk})
    return comment


def _open_case(case_no: str, actor: User) -> Case:
    visible_case(case_no=case_no, actor=actor)
    case = lock_case(case_no)
    if case.status != Case.Status.OPEN:
        ended = case.get_status_display().lower()
        raise CaseEnded(**outcome_of(case), ended=ended, by=case.closed_by, made="")
    return case


def _check_hands_on(case: Case, actor: User) -> None:
    if actor.has_perm("cases.assign_case") or case.opened_by_id == actor.pk:
        return
    if case.assigned_to_id == actor.pk or (case.assigned_to_id is None and _could_do(actor, case)):
        return
    raise AssignedToAnother(case_no=case.case_no, assignee=case.assigned_to or "nobody")


def _could_do(user: User, case: Case) -> bool:
    step = step_of(case)
    own = step.approval and user.pk in (case.opened_by_id, case.requested_by_id)
    return may_do(user, step) and not own


def _person(username: str) -> User:
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise UnknownPerson(username=username)
    return user
