"""Deposits over HTTP: the list, one with its parts, its terms, the release seen beforehand and made, and refunds."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from batconnect.api.errors import NotFound
from batconnect.api.idempotency import KEY_PARAMETER, once
from batconnect.api.pagination import by_key, page_schema, paginate
from batconnect.api.routes import route
from batconnect.api.views import ApiView, today
from batconnect.common.idempotency import Answer
from leases import deposit_reading
from leases.deposit_models import LeaseDeposit
from leases.models import Lease
from leases.services import deposits
from leases.services.deposits.terms import NoDeposit

from .deposit_schemas import (
    DepositDetailRow,
    DepositPartRow,
    DepositRefundRequest,
    DepositRefundRow,
    DepositReleasePreview,
    DepositReleaseRequest,
    DepositReleaseRow,
    DepositReturnRequest,
    DepositRow,
    DepositsQuery,
    DepositTermsRequest,
)


class Deposits(ApiView):
    permissions = {"GET": "leases.view_leasedeposit"}
    query_class = DepositsQuery

    @extend_schema(
        tags=["deposits"], operation_id="list_deposits", responses=page_schema(DepositRow, "DepositPage")
    )
    def get(self, request: Request) -> Response:
        """List the deposits of leases, the newest first."""
        found = deposit_reading.filtered_deposits(self.query)

        def rows(ids: Any) -> list[dict[str, Any]]:
            listed = by_key(ids, deposit_reading.rows_of(ids), "id")
            return [{name: value for name, value in row.items() if name != "id"} for row in listed]

        return Response(paginate(found, self.query, DepositsQuery.sorts, rows))


class Deposit(ApiView):
    permissions = {
        "GET": "leases.view_leasedeposit",
        "POST": "leases.add_leasedeposit",
        "PUT": "leases.change_leasedeposit",
    }

    @extend_schema(tags=["deposits"], operation_id="show_deposit", responses=DepositDetailRow)
    def get(self, request: Request, key: int) -> Response:
        """Show a lease's deposit with its parts, release and refunds."""
        return Response(_shown(_lease(key)))

    @extend_schema(
        tags=["deposits"],
        operation_id="agree_deposit",
        parameters=[KEY_PARAMETER],
        request=DepositTermsRequest,
        responses={201: DepositDetailRow},
    )
    def post(self, request: Request, key: int) -> Response:
        """Agree a deposit for a lease; the weekly run charges each part when it is due."""
        body = self.body(DepositTermsRequest)

        def effect() -> Answer:
            lease = _lease(key)
            deposits.agree_deposit(lease=lease, terms=deposits.DepositTerms(**body), actor=self.actor)
            return Answer(201, _shown(lease))

        return once(request, body, effect)

    @extend_schema(
        tags=["deposits"],
        operation_id="change_deposit",
        request=DepositTermsRequest,
        responses=DepositDetailRow,
    )
    def put(self, request: Request, key: int) -> Response:
        """Raise or lower a deposit that is being collected: what is not charged yet is agreed anew."""
        body, lease = self.body(DepositTermsRequest), _lease(key)
        deposits.change_deposit(lease=lease, terms=deposits.DepositTerms(**body), actor=self.actor)
        return Response(_shown(lease))


class DepositReleasePreviewView(ApiView):
    permissions = {"GET": "leases.view_leasedeposit"}
    conflicts = ("GET",)  # a lease that is not over has nothing to look at beforehand

    @extend_schema(tags=["deposits"], operation_id="preview_deposit_release", responses=DepositReleasePreview)
    def get(self, request: Request, key: int) -> Response:
        """Show, to the cent, what releasing this deposit today would do; nothing is kept."""
        found = deposits.preview_release(lease=_lease(key), actor=self.actor, on=today())
        return Response(DepositReleasePreview(found).data)


class DepositReleaseView(ApiView):
    permissions = {"POST": "leases.release_deposit"}

    @extend_schema(
        tags=["deposits"],
        operation_id="release_deposit",
        parameters=[KEY_PARAMETER],
        request=DepositReleaseRequest,
        responses={200: DepositDetailRow},
    )
    def post(self, request: Request, key: int) -> Response:
        """Release a deposit now: debts of the lease are paid from it, the rest is to be refunded."""
        body = self.body(DepositReleaseRequest)

        def effect() -> Answer:
            lease = _lease(key)
            deposits.release_deposit(lease=lease, actor=self.actor, on=today(), reason=body["reason"])
            return Answer(200, _shown(lease))

        return once(request, body, effect)


class DepositRefundView(ApiView):
    permissions = {"POST": "leases.refund_deposit"}

    @extend_schema(
        tags=["deposits"],
        operation_id="refund_deposit",
        parameters=[KEY_PARAMETER],
        request=DepositRefundRequest,
        responses={201: DepositDetailRow},
    )
    def post(self, request: Request, key: int) -> Response:
        """Record that all that is left of a released deposit was paid back."""
        body = self.body(DepositRefundRequest)

        def effect() -> Answer:
            lease = _lease(key)
            deposits.record_refund(lease=lease, actor=self.actor, on=today(), **body)
            return Answer(201, _shown(lease))

        return once(request, body, effect)


class DepositReturnView(ApiView):
    permissions = {"POST": "leases.refund_deposit"}

    @extend_schema(
        tags=["deposits"],
        operation_id="return_deposit_refund",
        parameters=[KEY_PARAMETER],
        request=DepositReturnRequest,
        responses={201: DepositDetailRow},
    )
    def post(self, request: Request, key: int) -> Response:
        """Record that a refund came back; it is to be paid back again."""
        body = self.body(DepositReturnRequest)

        def effect() -> Answer:
            lease = _lease(key)
            deposits.return_refund(lease=lease, actor=self.actor, on=today(), **body)
            return Answer(201, _shown(lease))

        return once(request, body, effect)


def _lease(key: int) -> Lease:
    lease = Lease.objects.filter(pk=key).first()
    if lease is None:
        raise NotFound(kind="lease", key=key)
    return lease


def _shown(lease: Lease) -> dict[str, Any]:
    deposit = LeaseDeposit.objects.filter(lease=lease).select_related("release").first()
    if deposit is None:
        raise NoDeposit(number=lease.number)
    (row,) = deposit_reading.rows_of([deposit.pk])
    release = getattr(deposit, "release", None)
    refunds = release.refunds.order_by("id") if release else []
    return {
        **{name: value for name, value in row.items() if name != "id"},
        "parts": DepositPartRow(deposit_reading.parts_of(deposit), many=True).data,
        "release": DepositReleaseRow(release).data if release else None,
        "refunds": DepositRefundRow(refunds, many=True).data,
    }


urlpatterns = [
    route("leases/deposits", Deposits.as_view(), name="deposits"),
    route("leases/<id:key>/deposit", Deposit.as_view(), name="deposit"),
    route(
        "leases/<id:key>/deposit/release-preview",
        DepositReleasePreviewView.as_view(),
        name="deposit-release-preview",
    ),
    route("leases/<id:key>/deposit/release", DepositReleaseView.as_view(), name="deposit-release"),
    route("leases/<id:key>/deposit/refunds", DepositRefundView.as_view(), name="deposit-refunds"),
    route("leases/<id:key>/deposit/refunds/return", DepositReturnView.as_view(), name="deposit-return"),
]
