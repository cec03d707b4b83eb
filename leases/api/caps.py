"""Lease caps by city rule over HTTP: which are and were in force, and a new one from a day on."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from batconnect.api.errors import NotFound
from batconnect.api.fields import AmountField, BodyFlagField, DateField, PositiveAmountField, TextField
from batconnect.api.idempotency import KEY_PARAMETER, once
from batconnect.api.pagination import PageQuery, Sorts, by_key, page_schema, paginate
from batconnect.api.routes import route
from batconnect.api.views import ApiView
from batconnect.common.idempotency import Answer

from .. import services
from ..models import LeaseCap, LeaseType
from ..services.cap_entries import LONGEST_RULE
from ..term_models import RULE
from .fields import DayField


class CapRow(serializers.ModelSerializer[LeaseCap]):
    vehicle_type = serializers.CharField(help_text="Empty: all vehicles that no other cap names.")
    weekly_cap = AmountField(allow_null=True, help_text="Null: no cap from that day on.")

    class Meta:
        model = LeaseCap
        fields = ["id", "lease_type", "vehicle_type", "effective_from", "weekly_cap", "rule"]


class OvertakenRow(serializers.Serializer[Any]):
    """A fee above the cap, which stands until somebody changes it."""

    lease_id = serializers.IntegerField()
    number = serializers.CharField()
    driver = serializers.CharField()
    weekly_fee = AmountField()
    day = serializers.DateField(help_text="The first day on which it is above the cap.")


class CapEffectRow(serializers.Serializer[Any]):
    dry_run = serializers.BooleanField()
    cap = CapRow()
    overtaken = OvertakenRow(many=True, help_text="At most the first hundred, by lease.")


class CapRequest(serializers.Serializer[Any]):
    dry_run = BodyFlagField(default=False, help_text="Tell the effect, and keep nothing.")
    lease_type = serializers.ChoiceField(choices=LeaseType.choices)
    vehicle_type = TextField(
        max_length=10,
        required=False,
        allow_blank=True,
        default="",
        help_text="One that a vehicle of the fleet has; empty: all that no other cap names.",
    )
    effective_from = DayField(help_text="A day of a week that is not closed.")
    weekly_cap = PositiveAmountField(
        allow_null=True, help_text="US dollars a week; null: no cap from that day on."
    )
    rule = TextField(
        max_length=LONGEST_RULE, required=False, default=RULE, help_text="The rule that refusals name."
    )


class CapsQuery(PageQuery):
    sorts: Sorts = {"effective_from": "effective_from", "lease_type": "lease_type", "id": "pk"}
    lease_type = serializers.ChoiceField(choices=LeaseType.choices, required=False)
    vehicle_type = TextField(max_length=10, required=False)
    in_force_on = DateField(required=False, help_text="Those that hold on this day.")


class Caps(ApiView):
    permissions = {"GET": "leases.view_leasecap", "POST": "leases.add_leasecap"}
    query_class = CapsQuery

    @extend_schema(
        tags=["leases"], operation_id="list_lease_caps", responses=page_schema(CapRow, "LeaseCapPage")
    )
    def get(self, request: Request) -> Response:
        """List the caps of weekly fees, those of the past and those to come too."""
        asked = self.query
        found: QuerySet[LeaseCap] = LeaseCap.objects.order_by()
        for name in ("lease_type", "vehicle_type"):
            if name in asked:
                found = found.filter(**{name: asked[name]})
        if "in_force_on" in asked:
            found = found.filter(pk__in=_in_force(asked["in_force_on"]))

        def rows(ids: Sequence[Any]) -> Sequence[Mapping[str, Any]]:
            return by_key(ids, list(CapRow(LeaseCap.objects.filter(pk__in=ids), many=True).data), "id")

        return Response(paginate(found, asked, CapsQuery.sorts, rows))

    @extend_schema(
        tags=["leases"],
        operation_id="add_lease_cap",
        parameters=[KEY_PARAMETER],
        request=CapRequest,
        responses={201: CapEffectRow},
    )
    def post(self, request: Request) -> Response:
        """Cap what a week of a kind of lease may cost, from a day on; fees above it are told, and stand."""
        body = self.body(CapRequest)
        asked = {name: value for name, value in body.items() if name != "dry_run"}

        def added() -> services.CapEffect:
            return services.add_cap(**asked, actor=self.actor)

        if body["dry_run"]:
            return Response(_told(services.previewed(added), dry_run=True), status=201)
        return once(request, body, lambda: Answer(201, _told(added(), dry_run=False)))


class Cap(ApiView):
    permissions = {"GET": "leases.view_leasecap", "PUT": "leases.change_leasecap"}

    @extend_schema(tags=["leases"], operation_id="show_lease_cap", responses=CapEffectRow)
    def get(self, request: Request, key: int) -> Response:
        """Show a cap, and the fees that are above it."""
        cap = _cap(key)
        return Response(_told(services.CapEffect(cap, services.overtaken(cap)), dry_run=False))

    @extend_schema(
        tags=["leases"], operation_id="correct_lease_cap", request=CapRequest, responses=CapEffectRow
    )
    def put(self, request: Request, key: int) -> Response:
        """Put a cap right that no closed week was checked against."""
        body, cap = self.body(CapRequest), _cap(key)
        asked = {name: value for name, value in body.items() if name != "dry_run"}

        def corrected() -> services.CapEffect:
            return services.correct_cap(cap=cap, **asked, actor=self.actor)

        if body["dry_run"]:
            return Response(_told(services.previewed(corrected), dry_run=True))
        return Response(_told(corrected(), dry_run=False))


def _cap(key: int) -> LeaseCap:
    cap = LeaseCap.objects.filter(pk=key).first()
    if cap is None:
        raise NotFound(kind="lease cap", key=key)
    return cap


def _in_force(day: date) -> list[int]:
    """The latest row of each kind by that day."""
    rows = LeaseCap.objects.filter(effective_from__lte=day).order_by(
        "lease_type", "vehicle_type", "-effective_from"
    )
    return list(rows.distinct("lease_type", "vehicle_type").values_list("pk", flat=True))


def _told(effect: services.CapEffect, *, dry_run: bool) -> dict[str, Any]:
    facts = {"dry_run": dry_run, "cap": effect.cap, "overtaken": effect.overtaken}
    return dict(CapEffectRow(facts).data)


urlpatterns = [
    route("leases/caps", Caps.as_view(), name="lease-caps"),
    route("leases/caps/<id:key>", Cap.as_view(), name="lease-cap"),
]
