"""Cases over HTTP: open, look at a step, carry it out, and everything around it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from django.db.models import Q
from django.http import FileResponse
from django.urls import register_converter
from django.urls.converters import StringConverter
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from batconnect.api.idempotency import KEY_PARAMETER, key_of, once, respond
from batconnect.api.pagination import by_key, page_schema, paginate
from batconnect.api.routes import route
from batconnect.api.views import ApiView, today
from batconnect.common.idempotency import Answer
from batconnect.common.models import User

from .api_schemas import (
    AssignRequest,
    CancelRequest,
    CaseAnswer,
    CaseRow,
    CasesQuery,
    CommentRequest,
    CommentRow,
    DocumentRow,
    EventRow,
    OpenRequest,
    Outcome,
    StepAnswer,
    StepQuery,
    StepRequest,
    UploadRequest,
    case_answer,
    case_row,
    comment_row,
    document_row,
    event_row,
    list_of,
)
from .models import Case, CaseDocument
from .services import access, documents, handling, opening, processing

CASE_NO = "[A-Z]{2,12}[0-9]{6,10}"


class CaseNumber(StringConverter):
    regex = CASE_NO


class StepId(StringConverter):
    regex = "[A-Z]{2,12}-[0-9]{3}"


register_converter(CaseNumber, "case_no")
register_converter(StepId, "step_id")


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

    @extend_schema(tags=["cases"], operation_id="case_audit", responses=list_of(EventRow, "CaseAudit"))
    def get(self, request: Request, case_no: str) -> Response:
        """Tell everything that happened to a case, the oldest first."""
        case = access.visible_case(case_no=case_no, actor=self.actor)
        return Response({"items": [event_row(event) for event in case.events.select_related("actor")]})


class CaseComments(ApiView):
    permissions = {"GET": "cases.view_case", "POST": "cases.process_case"}

    @extend_schema(
        tags=["cases"], operation_id="case_comments", responses=list_of(CommentRow, "CaseComments")
    )
    def get(self, request: Request, case_no: str) -> Response:
        """List what people wrote beside a case."""
        case = access.visible_case(case_no=case_no, actor=self.actor)
        return Response({"items": [comment_row(row) for row in case.comments.select_related("author")]})

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
            lambda body: comment_row(
                handling.add_comment(case_no=case_no, text=body["text"], actor=self.actor)
            ),
            status=201,
        )


class CaseDocuments(ApiView):
    permissions = {"GET": "cases.view_case", "POST": "cases.process_case"}
    parser_classes = [MultiPartParser]

    @extend_schema(
        tags=["cases"], operation_id="case_documents", responses=list_of(DocumentRow, "CaseDocuments")
    )
    def get(self, request: Request, case_no: str) -> Response:
        """List the documents of a case."""
        case = access.visible_case(case_no=case_no, actor=self.actor)
        rows = case.documents.select_related("uploaded_by")
        return Response({"items": [document_row(row) for row in rows]})

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
            return Answer(201, document_row(document))

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
