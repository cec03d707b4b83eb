"""How drivers are paid, over HTTP: entered, decided, listed; accounts are masked."""

from typing import Any
from uuid import UUID

from django.apps import apps
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from batconnect.api.errors import NotFound
from batconnect.api.idempotency import once
from batconnect.api.views import ApiView
from batconnect.common.idempotency import Answer

from ..models import PayoutInstruction
from ..services.payouts import bank_details
from ..services.payouts.sealing import fingerprint
from . import payout_schemas as schemas
from .payout_batches import documented


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

    @documented("request_payout_method", schemas.PayoutMethodRequest, schemas.PayoutMethodRow, 201)
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

    @documented("approve_payout_method", schemas.PayoutNote, schemas.PayoutMethodRow)
    def post(self, request: Request, instruction_id: UUID) -> Response:
        """Put a waiting payment method in force. Not one's own."""
        body = self.body(schemas.PayoutNote)

        def effect() -> Answer:
            bank_details.approve_method(instruction_id=instruction_id, actor=self.actor, note=body["note"])
            return Answer(200, method_row(_instruction(instruction_id)))

        return once(request, body, effect)


class RejectMethod(ApiView):
    permissions = {"POST": "ledger.approve_payoutinstruction"}

    @documented("reject_payout_method", schemas.PayoutReason, schemas.PayoutMethodRow)
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
