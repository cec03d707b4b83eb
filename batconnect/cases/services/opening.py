"""Opening a case."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from batconnect.common.models import User
from batconnect.common.numbers import reserve_case_number

from ..models import Case, CaseEvent
from .access import flow_to_open
from .events import record_event


@transaction.atomic
def open_case(
    *, prefix: str, actor: User, at: datetime, subject: str = "", data: Mapping[str, Any] | None = None
) -> Case:
    """Open a case of a flow, assigned to who opens it and due when the flow's hours are over.

    `data` is what the first step starts from. Raises UnknownFlow, NotPermitted.
    """
    flow = flow_to_open(prefix=prefix, actor=actor)
    case = Case.objects.create(
        case_no=reserve_case_number(prefix=flow.prefix),
        flow=flow.prefix,
        step=flow.steps[0].id,
        subject=subject[:200],
        data=dict(data or {}),
        opened_by=actor,
        opened_at=at,
        due_at=at + timedelta(hours=flow.sla_hours),
        assigned_to=actor,
    )
    record_event(case=case, action=CaseEvent.Action.OPENED, actor=actor, after={"subject": case.subject})
    return case
