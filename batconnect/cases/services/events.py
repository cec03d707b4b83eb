"""Events of a case, and the lock that makes them one after the other."""

from typing import Any

from batconnect.common.models import SYSTEM_USERNAME, User

from ..models import Case, CaseEvent
from .access import UnknownCase

_LONGEST_ROLE = 160


def record_event(
    *,
    case: Case,
    action: CaseEvent.Action,
    actor: User,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> CaseEvent:
    """Append what happened, in the transaction of its effect; `before` and `after` are JSON-ready."""
    return CaseEvent.objects.create(
        case=case,
        actor=actor,
        role=role_of(actor),
        step=case.step,
        action=action,
        automatic=actor.username == SYSTEM_USERNAME,
        before=before,
        after=after,
    )


def role_of(user: User) -> str:
    """The roles a person acts in, as the trail keeps them: roles change, what was done in them does not."""
    if user.username == SYSTEM_USERNAME:
        return "system"
    names = list(user.groups.order_by("name").values_list("name", flat=True))
    if user.is_superuser:
        names.insert(0, "superuser")
    return (", ".join(names) or "no role")[:_LONGEST_ROLE]


def lock_case(case_no: str) -> Case:
    """Hold the case's row and read it as it is now; everything done to a case starts so. Raises UnknownCase."""
    case = Case.objects.select_for_update(no_key=True).filter(case_no=case_no).first()
    if case is None:
        raise UnknownCase(case_no=case_no)
    return case
