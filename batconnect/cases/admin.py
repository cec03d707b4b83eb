"""Cases in the admin: the list with what is overdue, a case's record, and the pages on which steps are done."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import ChoicesCheckboxFilter, RadioFilter, RangeDateTimeFilter
from unfold.decorators import display

from batconnect.common.screens import (
    Action,
    Cell,
    Detail,
    ReadOnlyAdmin,
    Table,
    label_column,
    moment,
    moment_column,
    text_column,
)

from .models import Case, CaseEvent
from .pages import CasePages
from .registry import find_flow, flow_of, flows, step_of
from .services import access
from .ways import case_url, screen_of

TONES = {"OPEN": "warning", "CLOSED": "success", "CANCELLED": "danger"}
MOST_ROWS = 100


class FlowFilter(RadioFilter):
    title = "kind"
    parameter_name = "flow"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(flow.prefix, flow.name) for flow in flows()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(flow=self.value()) if self.value() else queryset


class DutyFilter(RadioFilter):
    title = "whose"
    parameter_name = "whose"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("mine", "Assigned to me"), ("free", "For anyone"), ("overdue", "Overdue")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "mine":
            return queryset.filter(status=Case.Status.OPEN, assigned_to=request.user)
        if self.value() == "free":
            return queryset.filter(status=Case.Status.OPEN, assigned_to__isnull=True)
        if self.value() == "overdue":
            return queryset.filter(status=Case.Status.OPEN, due_at__lt=timezone.now())
        return queryset


@display(description="Kind")
def kind(case: Case) -> str:
    flow = find_flow(case.flow)
    return flow.name if flow else case.flow


@display(description="Due", ordering="due_at", label={"overdue": "danger", "": "info"})
def due(case: Case) -> Any:
    if is_overdue(case):
        return "overdue", f"Overdue since {moment(case.due_at)}"
    return moment(case.due_at) if case.status == Case.Status.OPEN else "–"


def is_overdue(case: Case) -> bool:
    return case.status == Case.Status.OPEN and case.due_at < timezone.now()


@admin.register(Case)
class CaseAdmin(CasePages, ReadOnlyAdmin):
    """What people are at, and until when. Everything that changes a case is a page of its own."""

    empty_note = "Charging an expense, taking a payment or voiding a posting opens one."
    list_display = (
        text_column("case_no", "Case", ordering="case_no"),
        kind,
        text_column("subject", "About"),
        label_column("status", "Status", TONES),
        text_column("assigned_to__username", "With"),
        moment_column("opened_at", "Opened", ordering="opened_at"),
        due,
    )
    list_filter = (
        DutyFilter,
        FlowFilter,
        ("status", ChoicesCheckboxFilter),
        ("opened_at", RangeDateTimeFilter),
    )
    list_select_related = ("assigned_to",)
    search_fields = ("=case_no", "subject", "=opened_by__username", "=assigned_to__username")
    search_help_text = "Case number, words of what it is about, or a user name"
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Case]:
        return access.visible_cases(request.user)  # type: ignore[arg-type]

    def detail(self, request: HttpRequest, record: Case) -> Detail:
        flow, step = flow_of(record), step_of(record)
        badges = [(record.get_status_display(), TONES[record.status])]
        if is_overdue(record):
            badges.append(("overdue", "danger"))
        facts = [
            ("Kind", Cell(flow.name)),
            ("Step", Cell(f"{step.id}: {step.title}")),
            ("With", Cell(str(record.assigned_to or "anyone who may"))),
            ("Opened", Cell(f"{moment(record.opened_at)} by {record.opened_by}")),
            ("Due", Cell(moment(record.due_at), look="warn" if is_overdue(record) else "")),
        ]
        if record.closed_at:
            facts.append(("Ended", Cell(f"{moment(record.closed_at)} by {record.closed_by}")))
        if record.reason:
            facts.append(("Reason", Cell(record.reason)))
        if record.error and record.status == Case.Status.OPEN:
            facts.append(("Last try failed", Cell(record.error, look="warn")))
        return Detail(
            title=record.case_no,
            subtitle=record.subject or flow.name,
            badges=badges,
            facts=facts,
            tables=[*_result_tables(request, record), _documents(record), _comments(record), _trail(record)],
            actions=self._actions(request, record),
        )

    def _actions(self, request: HttpRequest, case: Case) -> list[Action]:
        found = []
        step = step_of(case)
        working = request.user.has_perm("cases.process_case")
        if case.status == Case.Status.OPEN and access.may_do(request.user, step):  # type: ignore[arg-type]
            found.append(Action(step.title, case_url(case, "work"), look="primary"))
        if case.status == Case.Status.CLOSED and case.result:
            found.append(Action("What it made", case_url(case, "done"), look="primary"))
        if working:
            found += [
                Action("Comment…", case_url(case, "comment")),
                Action("Attach…", case_url(case, "attach")),
            ]
        if working and case.status == Case.Status.OPEN:
            found.append(Action("Hand on…", case_url(case, "assign")))
            found.append(Action("Cancel…", case_url(case, "cancel"), look="danger"))
        return found


def _result_tables(request: HttpRequest, case: Case) -> list[Table]:
    if not case.result:
        return []
    return list(screen_of(step_of(case)).done(case=case, actor=request.user).tables[:1])  # type: ignore[arg-type]


def _documents(case: Case) -> Table:
    rows = case.documents.select_related("uploaded_by")[:MOST_ROWS]
    return Table(
        "Documents",
        ["Name", "#Bytes", "Attached", "By"],
        [
            [
                Cell(row.name, f"{case_url(case, 'number')}document/{row.pk}/"),
                Cell(f"{row.size:,}", look="money"),
                Cell(moment(row.uploaded_at)),
                Cell(str(row.uploaded_by)),
            ]
            for row in rows
        ],
        empty="No document is attached.",
    )


def _comments(case: Case) -> Table:
    rows = case.comments.select_related("author").order_by("-id")[:MOST_ROWS]
    return Table(
        "Comments",
        ["When", "Who", "What"],
        [[Cell(moment(row.at)), Cell(str(row.author)), Cell(row.text)] for row in rows],
        empty="Nobody wrote anything.",
    )


def _trail(case: Case) -> Table:
    rows = case.events.select_related("actor").order_by("-id")[:MOST_ROWS]
    return Table(
        "What happened",
        ["When", "Who", "Role", "Step", "What", ""],
        [
            [
                Cell(moment(row.at)),
                Cell(str(row.actor)),
                Cell(row.role, look="muted"),
                Cell(row.step),
                Cell(row.get_action_display() + (" (automatic)" if row.automatic else "")),
                Cell(_what(row), look="muted"),
            ]
            for row in rows
        ],
    )


def _what(event: CaseEvent) -> str:
    after = event.after or {}
    if event.action == CaseEvent.Action.FAILED:
        return str(after.get("message", ""))
    if event.action == CaseEvent.Action.ASSIGNED:
        return f"to {after.get('assigned_to') or 'anyone who may'}. {after.get('note', '')}".strip()
    if event.action == CaseEvent.Action.PROCESSED:
        before = event.before or {}
        going = after.get("step") if after.get("step") != before.get("step") else ""
        return f"on to {going}" if going else str(after.get("status", "")).lower()
    return str(after.get("reason") or after.get("name") or "")
