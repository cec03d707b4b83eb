"""Working the exceptions: what is open, and what people decide about it."""

from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from batconnect.api.idempotency import KEY_PARAMETER, once
from batconnect.api.pagination import paginate
from batconnect.api.views import ApiView, today
from batconnect.common.idempotency import Answer

from ..models import ReconJob, ReconMatch
from ..selectors.exceptions import open_exceptions
from ..services import decisions, write_offs
from ..services.runs import find_source
from . import answers, schemas
from .runs import TAG, log_rows


def _decided(request: Request, body: dict[str, Any], decide: Callable[[], ReconMatch]) -> Response:
    def effect() -> Answer:
        match = decide()
        return Answer(200, answers.match_answer(match))

    return once(request, body, effect)


class Exceptions(ApiView):
    permissions = {"GET": "recon.view_reconlog"}
    query_class = schemas.ExceptionsQuery

    @extend_schema(tags=TAG, operation_id="list_recon_exceptions", responses=schemas.ExceptionPage)
    def get(self, request: Request) -> Response:
        """List rows without a partner, and those whose partner is only suggested."""
        jobs = None
        if "date" in self.query:
            in_force = ReconJob.objects.filter(
                date=self.query["date"], status=ReconJob.Status.COMPLETED, superseded_by=None, repeats=None
            )
            jobs = list(in_force.values_list("pk", flat=True))
        paths = {"source": "job__source__name", "outcome": "outcome", "side": "side", "waiting": "waiting"}
        rows = open_exceptions(jobs).filter(
            **{path: self.query[name] for name, path in paths.items() if name in self.query}
        )
        return Response(paginate(rows, self.query, schemas.ExceptionsQuery.sorts, log_rows))


class ExceptionPage(ApiView):
    permissions = {"GET": "recon.view_reconlog"}

    @extend_schema(tags=TAG, operation_id="show_recon_exception", responses=schemas.ExceptionDetail)
    def get(self, request: Request, log_id: int) -> Response:
        """Show a row beside what it may belong to, with scores, reasons and notes."""
        log = decisions.found_log(log_id)
        found = open_exceptions([log.job_id]).filter(pk=log.pk).first()
        return Response(
            answers.exception_detail(log, turned_down=bool(found and getattr(found, "turned_down", False)))
        )


class Accept(ApiView):
    permissions = {"POST": "recon.decide_exception"}

    @extend_schema(
        tags=TAG,
        operation_id="accept_recon_exception",
        parameters=[KEY_PARAMETER],
        request=schemas.AcceptRequest,
        responses={200: schemas.MatchAnswer},
    )
    def post(self, request: Request, log_id: int) -> Response:
        """Accept what is suggested; for an ambiguous row, with the partner you choose."""
        body = self.body(schemas.AcceptRequest)
        return _decided(request, body, lambda: decisions.accept(log_id=log_id, actor=self.actor, **body))


class Reject(ApiView):
    permissions = {"POST": "recon.decide_exception"}

    @extend_schema(
        tags=TAG,
        operation_id="reject_recon_exception",
        parameters=[KEY_PARAMETER],
        request=schemas.RejectRequest,
        responses={200: schemas.MatchAnswer},
    )
    def post(self, request: Request, log_id: int) -> Response:
        """Reject what is suggested; it is not suggested again."""
        body = self.body(schemas.RejectRequest)
        return _decided(request, body, lambda: decisions.reject(log_id=log_id, actor=self.actor, **body))


class WriteOff(ApiView):
    permissions = {"POST": "recon.write_off"}

    @extend_schema(
        tags=TAG,
        operation_id="write_off_recon_exception",
        parameters=[KEY_PARAMETER],
        request=schemas.WriteOffRequest,
        responses={200: schemas.MatchAnswer},
    )
    def post(self, request: Request, log_id: int) -> Response:
        """Write a row off, or its difference to what is suggested for it, by a journal entry dated today."""
        body = self.body(schemas.WriteOffRequest)
        return _decided(
            request, body, lambda: write_offs.write_off(log_id=log_id, actor=self.actor, on=today(), **body)
        )


class Comment(ApiView):
    permissions = {"POST": "recon.decide_exception"}

    @extend_schema(
        tags=TAG,
        operation_id="comment_recon_exception",
        parameters=[KEY_PARAMETER],
        request=schemas.CommentRequest,
        responses={201: schemas.NoteRow},
    )
    def post(self, request: Request, log_id: int) -> Response:
        """Say something about a row; it stays with it."""
        body = self.body(schemas.CommentRequest)

        def effect() -> Answer:
            note = decisions.comment(log_id=log_id, actor=self.actor, **body)
            note.refresh_from_db()
            told = {"text": note.text, "created_by": self.actor.username, "created_at": note.created_at}
            return Answer(201, told)

        return once(request, body, effect)


class MatchByHand(ApiView):
    permissions = {"POST": "recon.decide_exception"}

    @extend_schema(
        tags=TAG,
        operation_id="match_recon_rows",
        parameters=[KEY_PARAMETER],
        request=schemas.HandRequest,
        responses={200: schemas.MatchAnswer},
    )
    def post(self, request: Request) -> Response:
        """Match rows of both sides by hand, one or several of each."""
        body = self.body(schemas.HandRequest)

        def decide() -> ReconMatch:
            asked = {name: value for name, value in body.items() if name != "source"}
            return decisions.match_by_hand(source=find_source(body["source"]), actor=self.actor, **asked)

        return _decided(request, body, decide)


class Undo(ApiView):
    permissions = {"POST": "recon.decide_exception"}

    @extend_schema(
        tags=TAG,
        operation_id="undo_recon_match",
        parameters=[KEY_PARAMETER],
        request=schemas.UndoRequest,
        responses={200: schemas.MatchAnswer},
    )
    def post(self, request: Request) -> Response:
        """Take a match back, a write-off with its entry; an automatic match is not made again."""
        body = self.body(schemas.UndoRequest)
        return _decided(request, body, lambda: write_offs.undo(actor=self.actor, on=today(), **body))
