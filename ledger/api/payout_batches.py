"""Paying drivers over HTTP: the pay list, ACH batches from draft to settled, and DTRs that are held back."""

from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from batconnect.api.errors import NotFound
from batconnect.api.idempotency import KEY_PARAMETER, once
from batconnect.api.pagination import by_key, paginate
from batconnect.api.views import ApiView, today
from batconnect.common.idempotency import Answer
from batconnect.common.weeks import check_sunday

from ..models import DTR, PayoutBatch, PayoutItem
from ..selectors.pay_list import unpaid
from ..services.payouts import ach_batches, holds, nacha_file
from . import payout_schemas as schemas


def dtr_numbered(number: str) -> DTR:
    """Raises NotFound."""
    dtr = DTR.objects.filter(number=number).first()
    if dtr is None:
        raise NotFound(kind="DTR", key=number)
    return dtr


def day_of(body: dict[str, Any]) -> date:
    """The day a body names, or today; raises ValidationError for one that is ahead."""
    on = body.get("on") or today()
    if on > today():
        raise serializers.ValidationError({"on": ["This is ahead of today."]})
    return on


def what_to_pay(body: dict[str, Any]) -> dict[str, Any]:
    """`week` and `numbers` as the services take them."""
    if "week" in body:
        check_sunday(body["week"])
    return {"week": body.get("week"), "numbers": body.get("dtr_numbers")}


def documented(operation_id: str, request: Any, answer: Any, status: int = 200) -> Any:
    return extend_schema(
        tags=["payments"],
        operation_id=operation_id,
        parameters=[KEY_PARAMETER],
        request=request,
        responses={status: answer},
    )


class PayList(ApiView):
    permissions = {"GET": "ledger.view_payoutbatch"}
    query_class = schemas.PayListQuery

    @extend_schema(tags=["payments"], operation_id="pay_list", responses=schemas.PayListAnswer)
    def get(self, request: Request) -> Response:
        """List unpaid DTRs, how each is paid, and what is held back and why."""
        lines = unpaid(week=self.query.get("week"))
        if "method" in self.query:
            lines = [line for line in lines if line.method == self.query["method"]]
        if "held" in self.query:
            lines = [line for line in lines if bool(line.held) == self.query["held"]]
        zero = Decimal("0.00")
        return Response(
            {
                "items": [line.as_row() for line in lines],
                "free_total": sum((line.amount for line in lines if not line.held), zero),
                "held_total": sum((line.amount for line in lines if line.held), zero),
            }
        )


class Batches(ApiView):
    permissions = {"GET": "ledger.view_payoutbatch", "POST": "ledger.prepare_payoutbatch"}
    query_class = schemas.BatchesQuery

    @extend_schema(tags=["payments"], operation_id="list_payout_batches", responses=schemas.BatchPage)
    def get(self, request: Request) -> Response:
        """List ACH batches, the newest first."""
        found = PayoutBatch.objects.order_by()
        if "state" in self.query:
            found = found.filter(state=self.query["state"])
        rows = lambda ids: by_key(ids, [{"id": b.pk, **batch_row(b)} for b in _read(ids)], "id")  # noqa: E731
        page = paginate(found, self.query, schemas.BatchesQuery.sorts, rows)
        for row in page["items"]:
            row.pop("id")
        return Response(page)

    @extend_schema(
        tags=["payments"],
        operation_id="prepare_payout_batch",
        parameters=[KEY_PARAMETER],
        request=schemas.PayoutWhatToPay,
        responses={201: schemas.PayoutBatchDetail},
    )
    def post(self, request: Request) -> Response:
        """Draft an ACH batch of what is free to be paid: of a week, or of these DTRs."""
        body = self.body(schemas.PayoutWhatToPay)
        asked = what_to_pay(body)

        def effect() -> Answer:
            batch = ach_batches.create_batch(actor=self.actor, on=today(), **asked)
            return Answer(201, batch_detail(batch.number))

        return once(request, body, effect)


class BatchDetail(ApiView):
    permissions = {"GET": "ledger.view_payoutbatch"}

    @extend_schema(tags=["payments"], operation_id="show_payout_batch", responses=schemas.PayoutBatchDetail)
    def get(self, request: Request, batch_number: str) -> Response:
        """Show an ACH batch with its entries; accounts are masked."""
        return Response(batch_detail(batch_number))


class _Step(ApiView):
    """A step of a batch; subclasses say which."""

    body_class: type[serializers.Serializer[Any]] = serializers.Serializer

    def step(self, number: str, body: dict[str, Any]) -> Any:
        raise NotImplementedError

    def take(self, request: Request, batch_number: str) -> Response:
        body = self.body(self.body_class)

        def effect() -> Answer:
            self.step(batch_number, body)
            return Answer(200, batch_detail(batch_number))

        return once(request, body, effect)


def _documented(operation_id: str, request: Any = None) -> Any:
    return extend_schema(
        tags=["payments"],
        operation_id=operation_id,
        parameters=[KEY_PARAMETER],
        request=request,
        responses={200: schemas.PayoutBatchDetail},
    )


class Approve(_Step):
    permissions = {"POST": "ledger.approve_payoutbatch"}

    @_documented("approve_payout_batch")
    def post(self, request: Request, batch_number: str) -> Response:
        """Approve a batch that somebody else prepared."""
        return self.take(request, batch_number)

    def step(self, number: str, body: dict[str, Any]) -> Any:
        return ach_batches.approve_batch(number=number, actor=self.actor)


class File(_Step):
    permissions = {"POST": "ledger.download_payoutbatch", "GET": "ledger.download_payoutbatch"}
    conflicts = ("GET",)  # before the file is made there is none

    @_documented("make_payout_file")
    def post(self, request: Request, batch_number: str) -> Response:
        """Make the NACHA file of an approved batch; its effective day is the next banking day."""
        return self.take(request, batch_number)

    def step(self, number: str, body: dict[str, Any]) -> Any:
        return nacha_file.make_file(number=number, on=today(), actor=self.actor)

    @extend_schema(
        tags=["payments"],
        operation_id="download_payout_file",
        responses={(200, "text/plain"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, batch_number: str) -> HttpResponse:
        """Download the NACHA file, the same bytes each time. It has account numbers in it."""
        content = nacha_file.file_of(number=batch_number, actor=self.actor)
        answer = HttpResponse(content, content_type="text/plain; charset=us-ascii")
        answer.headers["Content-Disposition"] = f'attachment; filename="ach-{batch_number}.txt"'
        answer.headers["Cache-Control"] = "no-store"
        return answer


class Sent(_Step):
    permissions = {"POST": "ledger.send_payoutbatch"}
    body_class = schemas.PayoutDay

    @_documented("send_payout_batch", schemas.PayoutDay)
    def post(self, request: Request, batch_number: str) -> Response:
        """Record that the file went to the bank: its DTRs are paid, and booked."""
        return self.take(request, batch_number)

    def step(self, number: str, body: dict[str, Any]) -> Any:
        return ach_batches.mark_sent(number=number, on=day_of(body), actor=self.actor)


class Settled(_Step):
    permissions = {"POST": "ledger.send_payoutbatch"}
    body_class = schemas.PayoutDay

    @_documented("settle_payout_batch", schemas.PayoutDay)
    def post(self, request: Request, batch_number: str) -> Response:
        """Record that the bank took the money."""
        return self.take(request, batch_number)

    def step(self, number: str, body: dict[str, Any]) -> Any:
        return ach_batches.mark_settled(number=number, on=day_of(body), actor=self.actor)


class Reverse(_Step):
    permissions = {"POST": "ledger.prepare_payoutbatch"}
    body_class = schemas.PayoutReason

    @_documented("reverse_payout_batch", schemas.PayoutReason)
    def post(self, request: Request, batch_number: str) -> Response:
        """Take a batch back as a whole, before it is sent."""
        return self.take(request, batch_number)

    def step(self, number: str, body: dict[str, Any]) -> Any:
        return ach_batches.reverse_batch(number=number, reason=body["reason"], actor=self.actor)


class TakeOut(_Step):
    permissions = {"POST": "ledger.prepare_payoutbatch"}
    body_class = schemas.PayoutTakeOut

    @_documented("take_out_of_payout_batch", schemas.PayoutTakeOut)
    def post(self, request: Request, batch_number: str) -> Response:
        """Take one DTR out of a draft."""
        return self.take(request, batch_number)

    def step(self, number: str, body: dict[str, Any]) -> Any:
        return ach_batches.withdraw(
            number=number, dtr=body["dtr_number"], reason=body["reason"], actor=self.actor
        )


class Holds(ApiView):
    permissions = {"POST": "ledger.hold_payout"}

    @extend_schema(
        tags=["payments"],
        operation_id="hold_payout",
        parameters=[KEY_PARAMETER],
        request=schemas.PayoutHoldRequest,
        responses={201: schemas.PayoutHeld},
    )
    def post(self, request: Request) -> Response:
        """Hold a DTR's payment back."""
        body = self.body(schemas.PayoutHoldRequest)

        def effect() -> Answer:
            dtr = dtr_numbered(body["dtr_number"])
            held = holds.hold(dtr=dtr, kind=body["kind"], reason=body["reason"], actor=self.actor)
            return Answer(
                201, {"dtr_number": dtr.number, "kind": held.kind, "reason": held.reason, "held": True}
            )

        return once(request, body, effect)


class Release(ApiView):
    permissions = {"POST": "ledger.hold_payout"}

    @extend_schema(
        tags=["payments"],
        operation_id="release_payout",
        parameters=[KEY_PARAMETER],
        request=schemas.PayoutTakeOut,
        responses={200: schemas.PayoutHeld},
    )
    def post(self, request: Request) -> Response:
        """Release a DTR that is held back."""
        body = self.body(schemas.PayoutTakeOut)

        def effect() -> Answer:
            dtr = dtr_numbered(body["dtr_number"])
            held = holds.release(dtr=dtr, reason=body["reason"], actor=self.actor)
            return Answer(
                200, {"dtr_number": dtr.number, "kind": held.kind, "reason": held.reason, "held": False}
            )

        return once(request, body, effect)


def _read(ids: Any) -> QuerySet[PayoutBatch]:
    alive = ~Q(items__state=PayoutItem.State.WITHDRAWN)
    return (
        PayoutBatch.objects.filter(pk__in=ids)
        .select_related("created_by", "approved_by")
        .annotate(count=Count("items", filter=alive), amount=Sum("items__amount", filter=alive))
    )


def batch_row(batch: Any) -> dict[str, Any]:
    return {
        "number": batch.number,
        "state": batch.state,
        "payments": batch.payments if batch.payments is not None else batch.count,
        "total": batch.total if batch.total is not None else batch.amount or Decimal("0.00"),
        "created_by": batch.created_by.username,
        "approved_by": batch.approved_by.username if batch.approved_by else None,
        "effective_on": batch.effective_on,
        "sent_on": batch.sent_on,
        "settled_on": batch.settled_on,
        "file_sha256": batch.file_sha256,
        "reverse_reason": batch.reverse_reason,
    }


def batch_detail(number: str) -> dict[str, Any]:
    batch = _read(PayoutBatch.objects.filter(number=number).values("pk")).first()
    if batch is None:
        raise ach_batches.UnknownBatch(number=number)
    items = batch.items.select_related("dtr", "instruction").only(
        "payee", "amount", "state", "trace_number", "dtr__number", "instruction__account_type",
        "instruction__account_last4",
    )  # fmt: skip
    entries = [
        {
            "dtr_number": item.dtr.number,
            "driver_name": item.payee,
            "account": item.instruction.masked if item.instruction else "",
            "amount": item.amount,
            "state": item.state,
            "trace_number": item.trace_number,
        }
        for item in items.order_by("pk")
    ]
    return {**batch_row(batch), "entries": entries}
