"""What is asked of cases over HTTP, and what is answered."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from batconnect.api.fields import DateField, FlagField, IdField, TextField
from batconnect.api.pagination import PageQuery, Sorts
from batconnect.api.views import Query

from .models import Case, CaseComment, CaseDocument, CaseEvent
from .registry import flow_of
from .services import handling


class CaseRow(serializers.Serializer[Any]):
    case_no = serializers.CharField()
    flow = serializers.CharField(help_text="The kind of case: the letters its number starts with.")
    flow_name = serializers.CharField()
    status = serializers.ChoiceField(choices=Case.Status.choices)
    step_id = serializers.CharField(help_text="The step it is at, or ended at.")
    step_title = serializers.CharField()
    subject = serializers.CharField()
    subject_ref = serializers.CharField(help_text="What it made or is about, as `kind:id`.")
    assigned_to = serializers.CharField(allow_null=True)
    opened_by = serializers.CharField()
    opened_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField()
    overdue = serializers.BooleanField(help_text="Open after its time was over.")
    closed_by = serializers.CharField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)
    error = serializers.CharField(help_text="The code of the step's last failure; empty when there is none.")
    message = serializers.CharField(help_text="That failure in a sentence.")


class CaseAnswer(CaseRow):
    data = serializers.DictField(  # type: ignore[assignment]
        help_text="What was entered for the step, kept when it failed."
    )
    result = serializers.DictField(help_text="What the steps made.")
    reason = serializers.CharField(help_text="Why it was cancelled.")


class StepAnswer(serializers.Serializer[Any]):
    case = CaseAnswer()
    step = serializers.DictField(help_text="What the step shows: its own for each kind of case.")


class Outcome(serializers.Serializer[Any]):
    case_no = serializers.CharField()
    status = serializers.ChoiceField(choices=Case.Status.choices)
    step_id = serializers.CharField()
    subject = serializers.CharField()
    subject_ref = serializers.CharField()
    result = serializers.DictField()


class EventRow(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    who = serializers.CharField()
    role = serializers.CharField(help_text="The person's roles at that time.")
    step_id = serializers.CharField()
    action = serializers.ChoiceField(choices=CaseEvent.Action.choices)
    automatic = serializers.BooleanField()
    before = serializers.DictField(allow_null=True)
    after = serializers.DictField(allow_null=True)


class CommentRow(serializers.Serializer[Any]):
    comment_id = serializers.IntegerField()
    at = serializers.DateTimeField()
    author = serializers.CharField()
    text = serializers.CharField()


class DocumentRow(serializers.Serializer[Any]):
    document_id = serializers.IntegerField()
    name = serializers.CharField()
    content_type = serializers.CharField()
    size = serializers.IntegerField()
    sha256 = serializers.CharField()
    uploaded_by = serializers.CharField()
    uploaded_at = serializers.DateTimeField()


def list_of(row: type[serializers.Serializer[Any]], name: str) -> type[serializers.Serializer[Any]]:
    return type(name, (serializers.Serializer,), {"items": row(many=True)})


class CasesQuery(PageQuery):
    sorts: Sorts = {"opened_at": "pk", "due_at": "due_at", "case_no": "case_no"}
    flow = TextField(max_length=12, required=False)
    status = serializers.ChoiceField(choices=Case.Status.choices, required=False)
    overdue = FlagField(required=False, help_text="`true`: open, and its time is over; `false`: all others.")
    assigned_to = TextField(max_length=150, required=False, help_text="A user name.")
    unassigned = FlagField(required=False)
    opened_by = TextField(max_length=150, required=False, help_text="A user name.")
    step_id = TextField(max_length=20, required=False)
    subject_ref = TextField(max_length=120, required=False)
    opened_from = DateField(required=False, help_text="First day, New York, included.")
    opened_to = DateField(required=False, help_text="Last day, New York, included.")


class StepQuery(Query):
    """What a step can be asked; each takes those that are its own."""

    tlc_license = TextField(max_length=20, required=False)
    medallion = TextField(max_length=10, required=False)
    vin = TextField(max_length=17, required=False)
    reference_id = TextField(max_length=80, required=False)
    posting_id = serializers.UUIDField(required=False)
    lease_id = IdField(required=False)


@extend_schema_serializer(component_name="OpenCase")
class OpenRequest(serializers.Serializer[Any]):
    flow = TextField(max_length=12, help_text="The kind of case, e.g. `VOID`.")


@extend_schema_serializer(component_name="CaseStep")
class StepRequest(serializers.Serializer[Any]):
    step_id = TextField(max_length=20)
    data = serializers.DictField(  # type: ignore[assignment]
        help_text="What is entered: its own for each step."
    )


@extend_schema_serializer(component_name="CaseComment")
class CommentRequest(serializers.Serializer[Any]):
    text = TextField(max_length=handling.LONGEST_COMMENT)


@extend_schema_serializer(component_name="CaseAssignment")
class AssignRequest(serializers.Serializer[Any]):
    username = TextField(
        max_length=150, allow_blank=True, help_text="Empty frees the case for anyone who may."
    )
    note = TextField(max_length=handling.LONGEST_REASON, required=False, allow_blank=True, default="")


@extend_schema_serializer(component_name="CaseCancellation")
class CancelRequest(serializers.Serializer[Any]):
    reason = TextField(max_length=handling.LONGEST_REASON, help_text="Why, in 10 characters or more.")


@extend_schema_serializer(component_name="CaseUpload")
class UploadRequest(serializers.Serializer[Any]):
    file = serializers.FileField()


def case_row(case: Case) -> dict[str, Any]:
    flow = flow_of(case)
    step = flow.step(case.step)
    return {
        "case_no": case.case_no,
        "flow": case.flow,
        "flow_name": flow.name,
        "status": case.status,
        "step_id": case.step,
        "step_title": step.title if step else "",
        "subject": case.subject,
        "subject_ref": case.subject_ref,
        "assigned_to": case.assigned_to and case.assigned_to.username,
        "opened_by": case.opened_by.username,
        "opened_at": timezone.localtime(case.opened_at),
        "due_at": timezone.localtime(case.due_at),
        "overdue": case.status == Case.Status.OPEN and case.due_at < timezone.now(),
        "closed_by": case.closed_by and case.closed_by.username,
        "closed_at": case.closed_at and timezone.localtime(case.closed_at),
        "error": case.error_code,
        "message": case.error,
    }


def case_answer(case: Case) -> dict[str, Any]:
    return {**case_row(case), "data": case.data, "result": case.result, "reason": case.reason}


def event_row(event: CaseEvent) -> dict[str, Any]:
    return {
        "at": timezone.localtime(event.at),
        "who": event.actor.username,
        "role": event.role,
        "step_id": event.step,
        "action": event.action,
        "automatic": event.automatic,
        "before": event.before,
        "after": event.after,
    }


def comment_row(comment: CaseComment) -> dict[str, Any]:
    return {
        "comment_id": comment.pk,
        "at": timezone.localtime(comment.at),
        "author": comment.author.username,
        "text": comment.text,
    }


def document_row(document: CaseDocument) -> dict[str, Any]:
    return {
        "document_id": document.pk,
        "name": document.name,
        "content_type": document.content_type,
        "size": document.size,
        "sha256": document.sha256,
        "uploaded_by": document.uploaded_by.username,
        "uploaded_at": timezone.localtime(document.uploaded_at),
    }
