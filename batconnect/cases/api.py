"""Cases over HTTP: open, look at a step, carry it out, and everything around it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from django.db.models import Q
from django.http import FileResponse
from django.urls import register_converter
from django.urls.converters import StringConverter
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from batconnect.api.fields import DateField, FlagField, IdField, TextField
from batconnect.api.idempotency import KEY_PARAMETER, key_of, once, respond
from batconnect.api.pagination import PageQuery, Sorts, by_key, page_schema, paginate
from batconnect.api.routes import route
from batconnect.api.views import ApiView, Query, today
from batconnect.common.idempotency import Answer
from batconnect.common.models import User

from .models import Case, CaseComment, CaseDocument, CaseEvent
from .registry import flow_of
from .services import access, documents, handling, opening, processing

CASE_NO = "[A-Z]{2,12}[0-9]{6,10}"


class CaseNumber(StringConverter):
    regex = CASE_NO


class StepId(StringConverter):
    regex = "[A-Z]{2,12}-[0-9]{3}"


register_converter(CaseNumber, "case_no")
register_converter(StepId, "step_id")


# --- what is asked and answered -------------------------------------------------------------------------------


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


def _list_of(row: type[serializers.Serializer[Any]], name: str) -> type[serializers.Serializer[Any]]:
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


# --- endpoints ------------------------------------------------------------------------------------------------


class Cases(ApiView):
    permissions = {"GET": "cases.view_case", "POST": "cases.process_case"}
    query_class = CasesQuery

    @extend_schema(tags=["cases"], operation_id="list_cases", responses=page_schema(CaseRow, "CasePage"))
    def get(self, request: Request) -> Response:
        """List the cases that are for this person to see, the newest first."""
        found = access.visible_cases(self.actor).filter(_conditions(self.query)).order_by()

        def rows(ids: Sequence[int]) -> Sequence[Mapping[str, Any]]:
            cases = access.visible_cases(self.actor).filter(pk__in=ids)
            return by_key(ids, [{"pk": case.pk, **case_row(case)} for case in cases], "pk")

        page = paginate(found, self.query, CasesQuery.sorts, rows)
        page["items"] = [{name: row[name] for name in row if name != "pk"} for row in page["items"]]
        return Response(page)

    @extend_schema(
        tags=["cases"],
        operation_id="open_case",
        parameters=[KEY_PARAMETER],
        request=OpenRequest,
        responses={201: CaseAnswer},
    )
    def post(self, request: Request) -> Response:
        """Open a case of a kind whose first step this person may do."""
        body = self.body(OpenRequest)
        return opened(request, body, prefix=body["flow"])


def opened(request: Request, body: Mapping[str, Any], *, prefix: str) -> Response:
    """The answer to opening a case; misc expenses have an address of their own for it."""

    def effect() -> Answer:
        case = opening.open_case(prefix=prefix, actor=cast(User, request.user), at=timezone.now())
        return Answer(201, case_answer(case))

    return once(request, body, effect)


class CaseDetail(ApiView):
    permissions = {"GET": "cases.view_case", "POST": "cases.process_case"}

    @extend_schema(tags=["cases"], operation_id="show_case", responses=CaseAnswer)
    def get(self, request: Request, case_no: str) -> Response:
        """Show a case."""
        return Response(case_answer(access.visible_case(case_no=case_no, actor=self.actor)))

    @extend_schema(
        tags=["cases"],
        operation_id="process_case_step",
        parameters=[KEY_PARAMETER],
        request=StepRequest,
        responses={200: Outcome},
    )
    def post(self, request: Request, case_no: str) -> Response:
        """Carry out a step: once, however often it is sent; a step that fails leaves the case open, with the reason."""
        access.visible_case(case_no=case_no, actor=self.actor)
        body = self.body(StepRequest)
        return respond(
            processing.process_step(
                case_no=case_no,
                step_id=body["step_id"],
                data=body["data"],
                actor=self.actor,
                on=today(),
                key=key_of(request) or "",
            )
        )


class CaseStep(ApiView):
    permissions = {"GET": "cases.view_case"}
    query_class = StepQuery

    @extend_schema(tags=["cases"], operation_id="fetch_case_step", responses=StepAnswer)
    def get(self, request: Request, case_no: str, step_id: str) -> Response:
        """Show what a step works on: for a misc expense, the driver and lease behind a licence, medallion or VIN."""
        case, shown = processing.fetch_step(
            case_no=case_no, step_id=step_id, query=self.query, actor=self.actor, on=today()
        )
        return Response({"case": case_answer(case), "step": shown})


class CaseAudit(ApiView):
    permissions = {"GET": "cases.view_case"}

    @extend_schema(tags=["cases"], operation_id="case_audit", responses=_list_of(EventRow, "CaseAudit"))
    def get(self, request: Request, case_no: str) -> Response:
        """Tell everything that happened to a case, the oldest first."""
        case = access.visible_case(case_no=case_no, actor=self.actor)
        return Response({"items": [_event_row(event) for event in case.events.select_related("actor")]})


class CaseComments(ApiView):
    permissions = {"GET": "cases.view_case", "POST": "cases.process_case"}

    @extend_schema(
        tags=["cases"], operation_id="case_comments", responses=_list_of(CommentRow, "CaseComments")
    )
    def get(self, request: Request, case_no: str) -> Response:
        """List what people wrote beside a case."""
        case = access.visible_case(case_no=case_no, actor=self.actor)
        return Response({"items": [_comment_row(row) for row in case.comments.select_related("author")]})

    @extend_schema(
        tags=["cases"],
        operation_id="comment_case",
        parameters=[KEY_PARAMETER],
        request=CommentRequest,
        responses={201: CommentRow},
    )
    def post(self, request: Request, case_no: str) -> Response:
        """Write a comment."""
        return _noted(
            self,
            case_no,
            CommentRequest,
            lambda body: _comment_row(
                handling.add_comment(case_no=case_no, text=body["text"], actor=self.actor)
            ),
            status=201,
        )


class CaseDocuments(ApiView):
    permissions = {"GET": "cases.view_case", "POST": "cases.process_case"}
    parser_classes = [MultiPartParser]

    @extend_schema(
        tags=["cases"], operation_id="case_documents", responses=_list_of(DocumentRow, "CaseDocuments")
    )
    def get(self, request: Request, case_no: str) -> Response:
        """List the documents of a case."""
        case = access.visible_case(case_no=case_no, actor=self.actor)
        rows = case.documents.select_related("uploaded_by")
        return Response({"items": [_document_row(row) for row in rows]})

    @extend_schema(
        tags=["cases"],
        operation_id="attach_document",
        parameters=[KEY_PARAMETER],
        request={"multipart/form-data": UploadRequest},
        responses={201: DocumentRow},
    )
    def post(self, request: Request, case_no: str) -> Response:
        """Attach a document (PDF, picture, text, spreadsheet); the same file twice is refused."""
        access.visible_case(case_no=case_no, actor=self.actor)
        upload = self.body(UploadRequest)["file"]

        def effect() -> Answer:
            document = documents.attach(case_no=case_no, upload=upload, actor=self.actor)
            return Answer(201, _document_row(document))

        return once(request, {"name": upload.name, "size": upload.size}, effect)


class CaseDocumentFile(ApiView):
    permissions = {"GET": "cases.view_case"}

    @extend_schema(
        tags=["cases"],
        operation_id="download_document",
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, case_no: str, document_id: int) -> FileResponse:
        """Download a document."""
        return as_file(documents.document_of(case_no=case_no, document_id=document_id, actor=self.actor))


def as_file(document: CaseDocument) -> FileResponse:
    """The file, to be saved and not shown: what people upload never runs in our pages."""
    answer = FileResponse(
        document.file.open("rb"),
        as_attachment=True,
        filename=document.name,
        content_type="application/octet-stream",
    )
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


class CaseAssign(ApiView):
    permissions = {"POST": "cases.process_case"}

    @extend_schema(
        tags=["cases"],
        operation_id="assign_case",
        parameters=[KEY_PARAMETER],
        request=AssignRequest,
        responses={200: CaseAnswer},
    )
    def post(self, request: Request, case_no: str) -> Response:
        """Hand a case to somebody who may do its step."""
        return _noted(
            self,
            case_no,
            AssignRequest,
            lambda body: case_answer(handling.assign_case(case_no=case_no, actor=self.actor, **body)),
        )


class CaseCancel(ApiView):
    permissions = {"POST": "cases.process_case"}

    @extend_schema(
        tags=["cases"],
        operation_id="cancel_case",
        parameters=[KEY_PARAMETER],
        request=CancelRequest,
        responses={200: CaseAnswer},
    )
    def post(self, request: Request, case_no: str) -> Response:
        """Cancel an open case; what earlier steps did stands."""
        return _noted(
            self,
            case_no,
            CancelRequest,
            lambda body: case_answer(
                handling.cancel_case(case_no=case_no, reason=body["reason"], actor=self.actor)
            ),
        )


def _noted(
    view: ApiView,
    case_no: str,
    fields: type[serializers.Serializer[Any]],
    act: Callable[[dict[str, Any]], dict[str, Any]],
    status: int = 200,
) -> Response:
    access.visible_case(case_no=case_no, actor=view.actor)
    body = view.body(fields)
    return once(view.request, body, lambda: Answer(status, act(body)))


def _conditions(query: Mapping[str, Any]) -> Q:
    found = Q()
    for name, path in (
        ("flow", "flow"),
        ("status", "status"),
        ("assigned_to", "assigned_to__username"),
        ("opened_by", "opened_by__username"),
        ("step_id", "step"),
        ("subject_ref", "subject_ref"),
        ("opened_from", "opened_at__date__gte"),
        ("opened_to", "opened_at__date__lte"),
        ("unassigned", "assigned_to__isnull"),
    ):
        if name in query:
            found &= Q(**{path: query[name]})
    if "overdue" in query:
        overdue = Q(status=Case.Status.OPEN, due_at__lt=timezone.now())
        found &= overdue if query["overdue"] else ~overdue
    return found


def _event_row(event: CaseEvent) -> dict[str, Any]:
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


def _comment_row(comment: CaseComment) -> dict[str, Any]:
    return {
        "comment_id": comment.pk,
        "at": timezone.localtime(comment.at),
        "author": comment.author.username,
        "text": comment.text,
    }


def _document_row(document: CaseDocument) -> dict[str, Any]:
    return {
        "document_id": document.pk,
        "name": document.name,
        "content_type": document.content_type,
        "size": document.size,
        "sha256": document.sha256,
        "uploaded_by": document.uploaded_by.username,
        "uploaded_at": timezone.localtime(document.uploaded_at),
    }


_BASE = "bpm/case/<case_no:case_no>"
urlpatterns = [
    route("bpm/cases", Cases.as_view(), name="cases"),
    route(_BASE, CaseDetail.as_view(), name="case"),
    route(f"{_BASE}/audit", CaseAudit.as_view(), name="case-audit"),
    route(f"{_BASE}/comments", CaseComments.as_view(), name="case-comments"),
    route(f"{_BASE}/documents", CaseDocuments.as_view(), name="case-documents"),
    route(f"{_BASE}/documents/<id:document_id>", CaseDocumentFile.as_view(), name="case-document"),
    route(f"{_BASE}/assign", CaseAssign.as_view(), name="case-assign"),
    route(f"{_BASE}/cancel", CaseCancel.as_view(), name="case-cancel"),
    route(f"{_BASE}/<step_id:step_id>", CaseStep.as_view(), name="case-step"),
]
