"""What the bank returned, over HTTP: files, single returns, and what waits for a person."""

from typing import Any

from django.db.models import QuerySet
from django.http import QueryDict
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from batconnect.api.idempotency import once
from batconnect.api.pagination import by_key, paginate
from batconnect.api.uploads import limited, parts_of, was_too_large
from batconnect.api.views import ApiView, today
from batconnect.common.idempotency import Answer
from ledger.engine.nacha_returns import LARGEST_FILE, MEANINGS

from ..models import PayoutReturn
from ..services.payouts import nacha_returns
from . import payout_schemas as schemas
from .payout_batches import day_of, documented, dtr_numbered


class Returns(ApiView):
    permissions = {"GET": "ledger.view_payoutreturn", "POST": "ledger.record_payoutreturn"}
    query_class = schemas.ReturnsQuery

    @extend_schema(tags=["payments"], operation_id="list_payout_returns", responses=schemas.ReturnPage)
    def get(self, request: Request) -> Response:
        """List what the bank returned, and notifications of change, the newest first."""
        found = PayoutReturn.objects.order_by()
        for name in ("state", "kind"):
            if name in self.query:
                found = found.filter(**{name: self.query[name]})
        rows = lambda ids: by_key(ids, [return_row(row) for row in _returns(pk__in=ids)], "id")  # noqa: E731
        return Response(paginate(found, self.query, schemas.ReturnsQuery.sorts, rows))

    @documented("record_payout_return", schemas.PayoutReturnRequest, schemas.PayoutReturnRow, 201)
    def post(self, request: Request) -> Response:
        """Record that one transfer came back: its DTR is owed again."""
        body = self.body(schemas.PayoutReturnRequest)

        def effect() -> Answer:
            dtr = dtr_numbered(body["dtr_number"])
            row = nacha_returns.record_return(dtr=dtr, code=body["code"], on=day_of(body), actor=self.actor)
            return Answer(201, return_row(_returns(pk=row.pk).get()))

        return once(request, body, effect)


class ReturnFiles(ApiView):
    permissions = {"POST": "ledger.record_payoutreturn"}
    parser_classes = [MultiPartParser]

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Request:
        return super().initialize_request(limited(request, LARGEST_FILE), *args, **kwargs)

    @documented(
        "take_in_returns",
        {"multipart/form-data": schemas.PayoutReturnsUpload},
        schemas.PayoutReturnFileAnswer,
        201,
    )
    def post(self, request: Request) -> Response:
        """Take a file of returns in. The same file is taken in once."""
        given = parts_of(request) if isinstance(request.data, QueryDict) else {}
        if was_too_large(request._request):
            raise nacha_returns.ReturnsTooLarge(most=LARGEST_FILE)
        upload = self.checked(schemas.PayoutReturnsUpload, given)["file"]
        taken = nacha_returns.take_in(
            content=upload.read(), file_name=upload.name, actor=self.actor, on=today()
        )
        rows = [return_row(row) for row in _returns(file=taken).order_by("line_number")]
        applied = sum(row["state"] == PayoutReturn.State.APPLIED for row in rows)
        answer = {"file_name": taken.file_name, "applied": applied, "for_a_person": len(rows) - applied}
        return Response({**answer, "returns": rows}, status=201)


class ApplyReturn(ApiView):
    permissions = {"POST": "ledger.record_payoutreturn"}

    @documented("apply_payout_return", schemas.PayoutDay, schemas.PayoutReturnRow)
    def post(self, request: Request, return_id: int) -> Response:
        """Try a return that waits for a person again."""
        body = self.body(schemas.PayoutDay)

        def effect() -> Answer:
            nacha_returns.apply_open(return_id=return_id, on=day_of(body), actor=self.actor)
            return Answer(200, return_row(_returns(pk=return_id).get()))

        return once(request, body, effect)


class HandleReturn(ApiView):
    permissions = {"POST": "ledger.record_payoutreturn"}

    @documented("handle_payout_return", schemas.PayoutReason, schemas.PayoutReturnRow)
    def post(self, request: Request, return_id: int) -> Response:
        """Say what was done about a return or notification that waited for a person."""
        body = self.body(schemas.PayoutReason)

        def effect() -> Answer:
            nacha_returns.handle(return_id=return_id, note=body["reason"], actor=self.actor)
            return Answer(200, return_row(_returns(pk=return_id).get()))

        return once(request, body, effect)


def _returns(**which: Any) -> QuerySet[PayoutReturn]:
    return (
        PayoutReturn.objects.filter(**which)
        .select_related("item__dtr")
        .defer(
            "sealed",
            "item__dtr__figures",
            "item__dtr__charges",
            "item__dtr__trip_log",
            "item__dtr__still_open",
        )
    )


def return_row(row: PayoutReturn) -> dict[str, Any]:
    return {
        "id": row.pk,
        "kind": row.kind,
        "code": row.code,
        "meaning": MEANINGS.get(row.code, ""),
        "dtr_number": row.item.dtr.number if row.item else None,
        "trace_number": row.trace_number,
        "amount": row.amount,
        "state": row.state,
        "problem": row.problem,
        "blocked": row.blocked,
        "handled_note": row.handled_note,
    }
