"""What was agreed about a lease, over HTTP: read, and changed. `dry_run` tells a change's effect and keeps nothing."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from batconnect.api.errors import NotFound
from batconnect.api.fields import BodyFlagField, BodyIdField, TextField
from batconnect.api.idempotency import KEY_PARAMETER, once
from batconnect.api.pagination import PageQuery, Sorts, by_key, page_schema, paginate
from batconnect.api.routes import route
from batconnect.api.views import ApiView, today
from batconnect.common.idempotency import Answer

from .. import services
from ..finding import vehicles_of
from ..models import Lease, LeaseInstallment, Vehicle
from ..standing import with_status
from ..term_models import LONGEST_REASON
from .fields import DayField, FeeField, MomentField, named
from .fleet import LeaseRow
from .rows import EffectRow, InstallmentRow, SwapRow, TermsRow, effect_facts


def _reason(**options: Any) -> TextField:
    return TextField(max_length=LONGEST_REASON, help_text="Why, in 10 characters or more.", **options)


class _Change(serializers.Serializer[Any]):
    dry_run = BodyFlagField(default=False, help_text="Tell the effect, and keep nothing.")


class FeeChange(_Change):
    weekly_fee = FeeField()
    effective_from = DayField()
    reason = _reason(required=False, allow_blank=True, default="")


class Suspension(_Change):
    starts_on = DayField()
    ends_on = DayField(required=False, allow_null=True, default=None, help_text="Null: until it is resumed.")
    reason = _reason()


class Resumption(_Change):
    resumes_on = DayField()
    reason = _reason()


class Renewal(_Change):
    ends_on = DayField(required=False, allow_null=True, default=None, help_text="Null: without a last day.")
    reason = _reason(required=False, allow_blank=True, default="")


class Following(serializers.Serializer[Any]):
    weekly_fee = FeeField()
    ends_on = DayField(required=False, allow_null=True, default=None)


class EarlyEnd(_Change):
    ends_on = DayField(help_text="The last day, which counts.")
    reason = _reason()
    cancellation_fee = FeeField(
        required=False, allow_null=True, default=None, help_text="As agreed; null: the default."
    )
    waiver_reason = TextField(
        max_length=LONGEST_REASON,
        required=False,
        allow_blank=True,
        default="",
        help_text="Why the fee is waived; needs `leases.waive_cancellation_fee`.",
    )


class Cancellation(_Change):
    reason = _reason()


class VehicleSwap(_Change):
    vehicle_id = BodyIdField()
    at = MomentField(help_text="Not ahead of now.")


class ScheduleQuery(PageQuery):
    sorts: Sorts = {"period_start": "period_start", "due_on": "due_on", "id": "pk"}
    default_order = "asc"


class _ChangeView(ApiView):
    """One change of a lease: POST, under the request's key unless it is a dry run."""

    request_class: ClassVar[type[serializers.Serializer[Any]]]

    def change(self, lease: Lease, body: Mapping[str, Any]) -> services.Effect:
        raise AssertionError(f"{type(self).__name__} changes nothing")

    def answered(self, request: Request, key: int) -> Response:
        body = self.body(self.request_class)
        asked = {name: value for name, value in body.items() if name != "dry_run"}
        lease = lease_named(key)
        if body["dry_run"]:
            effect = services.previewed(lambda: self.change(lease, asked))
            return Response(effect_facts(effect, dry_run=True))
        return once(
            request, body, lambda: Answer(200, effect_facts(self.change(lease, asked), dry_run=False))
        )


def _documented(operation_id: str, request: type[serializers.Serializer[Any]]) -> Callable[[Any], Any]:
    return extend_schema(
        tags=["leases"],
        operation_id=operation_id,
        parameters=[KEY_PARAMETER],
        request=request,
        responses={200: EffectRow},
    )


class ChangeFee(_ChangeView):
    permissions = {"POST": "leases.change_lease"}
    request_class = FeeChange

    @_documented("change_lease_fee", FeeChange)
    def post(self, request: Request, key: int) -> Response:
        """Charge another weekly fee from a day on; what was posted for such days is replaced, dated today."""
        return self.answered(request, key)

    def change(self, lease: Lease, body: Mapping[str, Any]) -> services.Effect:
        return services.change_fee(lease=lease, **body, actor=self.actor, on=today())


class Suspend(_ChangeView):
    permissions = {"POST": "leases.change_lease"}
    request_class = Suspension

    @_documented("suspend_lease", Suspension)
    def post(self, request: Request, key: int) -> Response:
        """Bill nothing for some days, or until the lease is resumed."""
        return self.answered(request, key)

    def change(self, lease: Lease, body: Mapping[str, Any]) -> services.Effect:
        return services.suspend_lease(lease=lease, **body, actor=self.actor, on=today())


class Resume(_ChangeView):
    permissions = {"POST": "leases.change_lease"}
    request_class = Resumption

    @_documented("resume_lease", Resumption)
    def post(self, request: Request, key: int) -> Response:
        """Bill again from a day on."""
        return self.answered(request, key)

    def change(self, lease: Lease, body: Mapping[str, Any]) -> services.Effect:
        return services.resume_lease(lease=lease, **body, actor=self.actor, on=today())


class Renew(_ChangeView):
    permissions = {"POST": "leases.change_lease"}
    request_class = Renewal

    @_documented("renew_lease", Renewal)
    def post(self, request: Request, key: int) -> Response:
        """Let a lease with a last day go on: to a later one, or without."""
        return self.answered(request, key)

    def change(self, lease: Lease, body: Mapping[str, Any]) -> services.Effect:
        return services.renew_lease(lease=lease, **body, actor=self.actor, on=today())


class Terminate(_ChangeView):
    permissions = {"POST": "leases.terminate_lease"}
    request_class = EarlyEnd

    @_documented("terminate_lease", EarlyEnd)
    def post(self, request: Request, key: int) -> Response:
        """End a lease early: posted installments are prorated, later ones cancelled, the cancellation fee is posted."""
        return self.answered(request, key)

    def change(self, lease: Lease, body: Mapping[str, Any]) -> services.Effect:
        services.check_waiver(
            lease=lease,
            ends_on=body["ends_on"],
            cancellation_fee=body["cancellation_fee"],
            waiver_reason=body["waiver_reason"],
            actor=self.actor,
        )
        return services.terminate_lease(lease=lease, **body, actor=self.actor, on=today())


class Cancel(_ChangeView):
    permissions = {"POST": "leases.terminate_lease"}
    request_class = Cancellation

    @_documented("cancel_lease", Cancellation)
    def post(self, request: Request, key: int) -> Response:
        """Cancel a lease before its first day, while nothing was posted or collected on it."""
        return self.answered(request, key)

    def change(self, lease: Lease, body: Mapping[str, Any]) -> services.Effect:
        return services.cancel_lease(lease=lease, **body, actor=self.actor, on=today())


class SwapVehicle(ApiView):
    permissions = {"POST": "leases.change_vehicleassignment"}

    @extend_schema(
        tags=["leases"],
        operation_id="swap_lease_vehicle",
        parameters=[KEY_PARAMETER],
        request=VehicleSwap,
        responses={200: SwapRow},
    )
    def post(self, request: Request, key: int) -> Response:
        """Put another vehicle on the lease's medallion, to the minute; what the lease costs stays."""
        body = self.body(VehicleSwap)
        lease = lease_named(key)

        def swap() -> services.Swap:
            vehicle = named(Vehicle, body["vehicle_id"])
            return services.swap_vehicle(
                lease=lease, vehicle=vehicle, at=body["at"], actor=self.actor, now=timezone.now()
            )

        if body["dry_run"]:
            return Response(_swap_facts(services.previewed(swap), dry_run=True))
        return once(
            request,
            {**body, "at": body["at"].isoformat()},
            lambda: Answer(200, _swap_facts(swap(), dry_run=False)),
        )


class Follow(ApiView):
    permissions = {"POST": "leases.add_lease"}

    @extend_schema(
        tags=["leases"],
        operation_id="follow_lease",
        parameters=[KEY_PARAMETER],
        request=Following,
        responses={201: LeaseRow},
    )
    def post(self, request: Request, key: int) -> Response:
        """Make the lease that follows one with a last day: the same parties and cab, a fee of its own."""
        body = self.body(Following)
        lease = lease_named(key)

        def effect() -> Answer:
            return Answer(
                201, dict(LeaseRow(services.follow_lease(lease=lease, **body, actor=self.actor)).data)
            )

        return once(request, body, effect)


class Terms(ApiView):
    permissions = {"GET": "leases.view_lease"}

    @extend_schema(tags=["leases"], operation_id="show_lease_terms", responses=TermsRow)
    def get(self, request: Request, key: int) -> Response:
        """Show a lease's fees, suspensions, early ends, vehicles and additional drivers."""
        lease = lease_named(key)
        facts = {
            "fees": lease.fees.order_by("effective_from"),
            "suspensions": lease.suspensions.order_by("starts_on", "pk"),
            "terminations": lease.terminations.order_by("pk"),
            "vehicles": vehicles_of(lease),
            "drivers": lease.additional_drivers.select_related("driver").order_by("starts_on", "pk"),
        }
        return Response(TermsRow(facts).data)


class Schedule(ApiView):
    permissions = {"GET": "leases.view_lease"}
    query_class = ScheduleQuery

    @extend_schema(
        tags=["leases"],
        operation_id="list_lease_installments",
        responses=page_schema(InstallmentRow, "LeaseInstallmentPage"),
    )
    def get(self, request: Request, key: int) -> Response:
        """List a lease's installments, and what became of each in the ledger."""
        found: QuerySet[LeaseInstallment] = lease_named(key).installments.order_by()

        def rows(ids: Sequence[Any]) -> Sequence[Mapping[str, Any]]:
            made = with_status(LeaseInstallment.objects.filter(pk__in=ids))
            return by_key(ids, list(InstallmentRow(made, many=True).data), "id")

        return Response(paginate(found, self.query, ScheduleQuery.sorts, rows))


def lease_named(key: int) -> Lease:
    """Raises NotFound."""
    lease = Lease.objects.filter(pk=key).select_related("driver", "medallion", "vehicle").first()
    if lease is None:
        raise NotFound(kind="lease", key=key)
    return lease


def _swap_facts(swap: services.Swap, *, dry_run: bool) -> dict[str, Any]:
    facts = {
        "dry_run": dry_run,
        "lease_id": swap.lease.pk,
        "lease_number": swap.lease.number,
        "medallion_no": swap.lease.medallion.number,
        "former_vehicle_id": swap.went.pk if swap.went else None,
        "vehicle_id": swap.came.pk,
        "vehicle_vin": swap.came.vin,
        "at": swap.at,
    }
    return dict(SwapRow(facts).data)


urlpatterns = [
    route("leases/<id:key>/fee", ChangeFee.as_view(), name="lease-fee"),
    route("leases/<id:key>/suspend", Suspend.as_view(), name="lease-suspend"),
    route("leases/<id:key>/resume", Resume.as_view(), name="lease-resume"),
    route("leases/<id:key>/renew", Renew.as_view(), name="lease-renew"),
    route("leases/<id:key>/follow", Follow.as_view(), name="lease-follow"),
    route("leases/<id:key>/terminate", Terminate.as_view(), name="lease-terminate"),
    route("leases/<id:key>/cancel", Cancel.as_view(), name="lease-cancel"),
    route("leases/<id:key>/swap-vehicle", SwapVehicle.as_view(), name="lease-swap-vehicle"),
    route("leases/<id:key>/terms", Terms.as_view(), name="lease-terms"),
    route("leases/<id:key>/schedule", Schedule.as_view(), name="lease-schedule"),
]
