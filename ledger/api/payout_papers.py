"""Paying drivers over HTTP: how each is paid, checks, cash, and what the bank returned."""

from typing import Any
from uuid import UUID

from django.apps import apps
from django.db.models import QuerySet
from django.http import HttpResponse, QueryDict
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from batconnect.api.errors import NotFound
from batconnect.api.idempotency import KEY_PARAMETER, once
from batconnect.api.pagination import by_key, paginate
from batconnect.api.uploads import limited, parts_of, was_too_large
from batconnect.api.views import ApiView, today
from batconnect.common.idempotency import Answer
from ledger.engine.nacha_returns import LARGEST_FILE, MEANINGS

from ..models import DTRPayment, PayoutCheck, PayoutInstruction, PayoutReturn
from ..services.payouts import bank_details, checks, desk, nacha_returns
from ..services.payouts.sealing import fingerprint
from . import payout_schemas as schemas
from .payout_batches import day_of, dtr_numbered, what_to_pay


def _documented(operation_id: str, request: Any, answer: Any, status: int = 200) -> Any:
    return extend_schema(
        tags=["payments"],
        operation_id=operation_id,
        parameters=[KEY_PARAMETER],
        request=request,
        responses={status: answer},
    )


# --- how drivers are paid -----------------------------------------------------------------------------------


class Methods(ApiView):
    permissions = {"GET": "ledger.view_payoutinstruction"}

    @extend_schema(tags=["payments"], operation_id="list_payout_methods", responses=schemas.PayoutMethodList)
    def get(self, request: Request, driver_id: int) -> Response:
        """List how a driver is and was paid, the newest first; accounts are masked."""
        rows = PayoutInstruction.objects.filter(driver_id=driver_id).select_related(
            "requested_by", "decided_by"
        )
        return Response({"items": [method_row(row) for row in rows.order_by("-requested_at")[:100]]})


class RequestMethod(ApiView):
    permissions = {"POST": "ledger.request_payoutinstruction"}

    @_documented("request_payout_method", schemas.PayoutMethodRequest, schemas.PayoutMethodRow, 201)
    def post(self, request: Request, driver_id: int) -> Response:
        """Enter how a driver is to be paid, for somebody else to approve."""
        body = self.body(schemas.PayoutMethodRequest)
        # What is kept to tell a repeated request must not give the account away.
        kept = {**body, "routing_number": "", "account_number": ""}
        kept["details"] = fingerprint(f"{body['routing_number']} {body['account_number']}")

        def effect() -> Answer:
            if not apps.get_model("leases", "Driver").objects.filter(pk=driver_id).exists():
                raise NotFound(kind="driver", key=driver_id)
            row = bank_details.request_method(driver_id=driver_id, actor=self.actor, **body)
            return Answer(201, method_row(_instruction(row.pk)))

        return once(request, kept, effect)


class ApproveMethod(ApiView):
    permissions = {"POST": "ledger.approve_payoutinstruction"}

    @_documented("approve_payout_method", schemas.PayoutNote, schemas.PayoutMethodRow)
    def post(self, request: Request, instruction_id: UUID) -> Response:
        """Put a waiting payment method in force. Not one's own."""
        body = self.body(schemas.PayoutNote)

        def effect() -> Answer:
            bank_details.approve_method(instruction_id=instruction_id, actor=self.actor, note=body["note"])
            return Answer(200, method_row(_instruction(instruction_id)))

        return once(request, body, effect)


class RejectMethod(ApiView):
    permissions = {"POST": "ledger.approve_payoutinstruction"}

    @_documented("reject_payout_method", schemas.PayoutReason, schemas.PayoutMethodRow)
    def post(self, request: Request, instruction_id: UUID) -> Response:
        """Turn a waiting payment method down."""
        body = self.body(schemas.PayoutReason)

        def effect() -> Answer:
            bank_details.reject_method(instruction_id=instruction_id, actor=self.actor, note=body["reason"])
            return Answer(200, method_row(_instruction(instruction_id)))

        return once(request, body, effect)


def _instruction(key: UUID) -> PayoutInstruction:
    return PayoutInstruction.objects.select_related("requested_by", "decided_by").get(pk=key)


def method_row(row: PayoutInstruction) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "driver_id": row.driver_id,
        "method": row.method,
        "account": row.masked,
        "state": row.state,
        "requested_by": row.requested_by.username,
        "decided_by": row.decided_by.username if row.decided_by else None,
        "blocked_why": row.blocked_why,
    }


# --- checks and cash ----------------------------------------------------------------------------------------


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

    @_documented("issue_checks", schemas.PayoutWhatToPay, schemas.PayoutCheckList, 201)
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

    @_documented("void_check", schemas.PayoutReason, schemas.PayoutCheckRow)
    def post(self, request: Request, check_number: int) -> Response:
        """Void a check: its DTR is owed again."""
        body = self.body(schemas.PayoutReason)

        def effect() -> Answer:
            checks.void_check(number=check_number, reason=body["reason"], on=today(), actor=self.actor)
            return Answer(200, check_row(_check(check_number)))

        return once(request, body, effect)


class ReissueCheck(ApiView):
    permissions = {"POST": "ledger.void_payoutcheck"}

    @_documented("reissue_check", schemas.PayoutReason, schemas.PayoutCheckRow, 201)
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

    @_documented("clear_check", schemas.PayoutDay, schemas.PayoutCheckRow)
    def post(self, request: Request, check_number: int) -> Response:
        """Record that the bank paid a check."""
        body = self.body(schemas.PayoutDay)

        def effect() -> Answer:
            checks.clear_check(number=check_number, on=day_of(body), actor=self.actor)
            return Answer(200, check_row(_check(check_number)))

        return once(request, body, effect)


class Checkbooks(ApiView):
    permissions = {"POST": "ledger.open_checkbook"}

    @_documented("open_checkbook", schemas.PayoutCheckbookRequest, schemas.PayoutCheckbookRow, 201)
    def post(self, request: Request) -> Response:
        """Start a new run of check numbers."""
        body = self.body(schemas.PayoutCheckbookRequest)

        def effect() -> Answer:
            book = checks.open_checkbook(first_number=body["first_number"], actor=self.actor)
            return Answer(201, {"first_number": book.first_number})

        return once(request, body, effect)


class Cash(ApiView):
    permissions = {"POST": "ledger.pay_cash"}

    @_documented("pay_cash", schemas.PayoutOneDTR, schemas.PayoutCashReceipt, 201)
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


# --- returns ------------------------------------------------------------------------------------------------


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

    @_documented("record_payout_return", schemas.PayoutReturnRequest, schemas.PayoutReturnRow, 201)
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

    @_documented(
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

    @_documented("apply_payout_return", schemas.PayoutDay, schemas.PayoutReturnRow)
    def post(self, request: Request, return_id: int) -> Response:
        """Try a return that waits for a person again."""
        body = self.body(schemas.PayoutDay)

        def effect() -> Answer:
            nacha_returns.apply_open(return_id=return_id, on=day_of(body), actor=self.actor)
            return Answer(200, return_row(_returns(pk=return_id).get()))

        return once(request, body, effect)


class HandleReturn(ApiView):
    permissions = {"POST": "ledger.record_payoutreturn"}

    @_documented("handle_payout_return", schemas.PayoutReason, schemas.PayoutReturnRow)
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
