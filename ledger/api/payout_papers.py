"""Checks and cash over HTTP."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from batconnect.api.errors import NotFound
from batconnect.api.idempotency import once
from batconnect.api.pagination import by_key, paginate
from batconnect.api.views import ApiView, today
from batconnect.common.idempotency import Answer

from ..models import DTRPayment, PayoutCheck
from ..services.payouts import checks, desk
from . import payout_schemas as schemas
from .payout_batches import day_of, documented, dtr_numbered, what_to_pay


class Checks(ApiView):
    permissions = {"GET": "ledger.view_payoutcheck", "POST": "ledger.issue_payoutcheck"}
    query_class = schemas.ChecksQuery

    @extend_schema(tags=["payments"], operation_id="list_checks", responses=schemas.CheckPage)
    def get(self, request: Request) -> Response:
        """List checks, the highest number first."""
        found: QuerySet[PayoutCheck] = PayoutCheck.objects.order_by()
        if self.query.get("stale"):
            found = checks.stale(on=today()).order_by()
        if "state" in self.query:
            found = found.filter(state=self.query["state"])
        return Response(
            paginate(
                found,
                self.query,
                schemas.ChecksQuery.sorts,
                lambda ids: _without_id(
                    by_key(ids, [{"id": c.pk, **check_row(c)} for c in _checks(pk__in=ids)], "id")
                ),
            )
        )

    @documented("issue_checks", schemas.PayoutWhatToPay, schemas.PayoutCheckList, 201)
    def post(self, request: Request) -> Response:
        """Issue checks: for the free DTRs of a week whose drivers are paid by check, or for these DTRs."""
        body = self.body(schemas.PayoutWhatToPay)
        asked = what_to_pay(body)

        def effect() -> Answer:
            made = checks.issue_checks(actor=self.actor, on=today(), **asked)
            rows = _checks(pk__in=[check.pk for check in made]).order_by("number")
            return Answer(201, {"items": [check_row(check) for check in rows]})

        return once(request, body, effect)


class CheckPdf(ApiView):
    permissions = {"GET": "ledger.issue_payoutcheck"}

    @extend_schema(
        tags=["payments"],
        operation_id="print_check",
        responses={(200, "application/pdf"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, check_number: int) -> HttpResponse:
        """Print a check on the bank's paper."""
        from ..services.payouts.paper import render_checks  # loads Pango: only who prints needs it

        answer = HttpResponse(render_checks([_check(check_number)]), content_type="application/pdf")
        answer.headers["Content-Disposition"] = f'inline; filename="check-{check_number}.pdf"'
        return answer


class VoidCheck(ApiView):
    permissions = {"POST": "ledger.void_payoutcheck"}

    @documented("void_check", schemas.PayoutReason, schemas.PayoutCheckRow)
    def post(self, request: Request, check_number: int) -> Response:
        """Void a check: its DTR is owed again."""
        body = self.body(schemas.PayoutReason)

        def effect() -> Answer:
            checks.void_check(number=check_number, reason=body["reason"], on=today(), actor=self.actor)
            return Answer(200, check_row(_check(check_number)))

        return once(request, body, effect)


class ReissueCheck(ApiView):
    permissions = {"POST": "ledger.void_payoutcheck"}

    @documented("reissue_check", schemas.PayoutReason, schemas.PayoutCheckRow, 201)
    def post(self, request: Request, check_number: int) -> Response:
        """Void a check and issue another for the same DTR; answers with the new one."""
        body = self.body(schemas.PayoutReason)

        def effect() -> Answer:
            done = checks.reissue_check(
                number=check_number, reason=body["reason"], on=today(), actor=self.actor
            )
            return Answer(201, check_row(_check(done.issued.number)))

        return once(request, body, effect)


class ClearCheck(ApiView):
    permissions = {"POST": "ledger.issue_payoutcheck"}

    @documented("clear_check", schemas.PayoutDay, schemas.PayoutCheckRow)
    def post(self, request: Request, check_number: int) -> Response:
        """Record that the bank paid a check."""
        body = self.body(schemas.PayoutDay)

        def effect() -> Answer:
            checks.clear_check(number=check_number, on=day_of(body), actor=self.actor)
            return Answer(200, check_row(_check(check_number)))

        return once(request, body, effect)


class Checkbooks(ApiView):
    permissions = {"POST": "ledger.open_checkbook"}

    @documented("open_checkbook", schemas.PayoutCheckbookRequest, schemas.PayoutCheckbookRow, 201)
    def post(self, request: Request) -> Response:
        """Start a new run of check numbers."""
        body = self.body(schemas.PayoutCheckbookRequest)

        def effect() -> Answer:
            book = checks.open_checkbook(first_number=body["first_number"], actor=self.actor)
            return Answer(201, {"first_number": book.first_number})

        return once(request, body, effect)


class Cash(ApiView):
    permissions = {"POST": "ledger.pay_cash"}

    @documented("pay_cash", schemas.PayoutOneDTR, schemas.PayoutCashReceipt, 201)
    def post(self, request: Request) -> Response:
        """Pay a DTR in cash from the drawer."""
        body = self.body(schemas.PayoutOneDTR)

        def effect() -> Answer:
            paid = desk.pay_cash(number=dtr_numbered(body["dtr_number"]).number, on=today(), actor=self.actor)
            return Answer(
                201,
                {
                    "receipt_number": paid.method_reference,
                    "dtr_number": body["dtr_number"],
                    "amount": paid.amount,
                    "paid_on": paid.on,
                },
            )

        return once(request, body, effect)


class CashPdf(ApiView):
    permissions = {"GET": "ledger.pay_cash"}

    @extend_schema(
        tags=["payments"],
        operation_id="print_cash_receipt",
        responses={(200, "application/pdf"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, receipt_number: str) -> HttpResponse:
        """Print the receipt of a payment in cash."""
        from ..services.payouts.paper import render_cash_receipt

        payment = DTRPayment.objects.filter(method="CASH", method_reference=receipt_number).first()
        if payment is None:
            raise NotFound(kind="receipt", key=receipt_number)
        return HttpResponse(render_cash_receipt(payment), content_type="application/pdf")


def _checks(**which: Any) -> QuerySet[PayoutCheck]:
    rows = PayoutCheck.objects.filter(**which).select_related("item__dtr", "reissue_of")
    return rows.defer("item__dtr__charges", "item__dtr__trip_log", "item__dtr__still_open")


def _check(number: int) -> PayoutCheck:
    check = _checks(number=number).first() if number <= checks.LARGEST_NUMBER else None
    if check is None:
        raise checks.UnknownCheck(number=number)
    return check


def check_row(check: PayoutCheck) -> dict[str, Any]:
    return {
        "number": check.number,
        "dtr_number": check.item.dtr.number,
        "payee": check.payee,
        "amount": check.amount,
        "issued_on": check.issued_on,
        "state": check.state,
        "cleared_on": check.cleared_on,
        "voided_on": check.voided_on,
        "void_reason": check.void_reason,
        "reissue_of": check.reissue_of.number if check.reissue_of else None,
    }


def _without_id(rows: Any) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "id"} for row in rows]
