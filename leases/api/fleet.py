"""Drivers, medallions, vehicles and leases over HTTP: plain lists and details. A lease is made here too."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.db.models import Model, Q, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from batconnect.api.errors import NotFound
from batconnect.api.fields import BodyIdField, DateField, FlagField, IdField, TextField
from batconnect.api.idempotency import KEY_PARAMETER, once
from batconnect.api.pagination import PAGE_FIELDS, PageQuery, Sorts, by_key, page_schema, paginate
from batconnect.api.routes import route
from batconnect.api.views import ApiView
from batconnect.common.idempotency import Answer

from ..models import Driver, Lease, LeaseType, Medallion, Vehicle
from ..services import create_lease
from ..services.deposits import DepositTerms
from .deposit_schemas import DepositTermsRequest
from .fields import DayField, FeeField, named


class DriverRow(serializers.ModelSerializer[Driver]):
    class Meta:
        model = Driver
        fields = ["id", "tlc_license", "name", "phone", "email", "license_expires_on", "is_active"]


class MedallionRow(serializers.ModelSerializer[Medallion]):
    class Meta:
        model = Medallion
        fields = ["id", "number", "medallion_type", "fleet", "is_active"]


class VehicleRow(serializers.ModelSerializer[Vehicle]):
    class Meta:
        model = Vehicle
        fields = [
            "id",
            "vin",
            "plate",
            "plate_state",
            "vehicle_type",
            "model_year",
            "inspection_expires_on",
            "is_active",
        ]


class LeaseRequest(serializers.Serializer[Any]):
    """A new lease. Without a last day it runs until further notice."""

    driver_id = BodyIdField()
    medallion_id = BodyIdField()
    vehicle_id = BodyIdField()
    lease_type = serializers.ChoiceField(choices=LeaseType.choices, default=LeaseType.LONG_TERM)
    starts_on = DayField()
    ends_on = DayField(required=False, allow_null=True, default=None, help_text="The last day, which counts.")
    weekly_fee = FeeField()
    deposit = DepositTermsRequest(required=False, allow_null=True, default=None)


class LeaseRow(serializers.ModelSerializer[Lease]):
    driver_name = serializers.CharField(source="driver.name")
    medallion_no = serializers.CharField(source="medallion.number")
    vehicle_vin = serializers.CharField(source="vehicle.vin")

    class Meta:
        model = Lease
        fields = [
            "id",
            "number",
            "driver_id",
            "driver_name",
            "medallion_id",
            "medallion_no",
            "vehicle_id",
            "vehicle_vin",
            "lease_type",
            "starts_on",
            "ends_on",
            "status",
        ]


class _MasterQuery(PageQuery):
    default_order = "asc"


class DriversQuery(_MasterQuery):
    sorts: Sorts = {"tlc_license": "tlc_license", "name": "name", "id": "pk"}
    name = TextField(max_length=120, required=False, help_text="A part of the name, in any case.")
    tlc_license = TextField(max_length=20, required=False)
    is_active = FlagField(required=False)


class MedallionsQuery(_MasterQuery):
    sorts: Sorts = {"number": "number", "id": "pk"}
    number = TextField(max_length=10, required=False)
    is_active = FlagField(required=False)


class VehiclesQuery(_MasterQuery):
    sorts: Sorts = {"vin": "vin", "plate": "plate", "id": "pk"}
    vin = TextField(max_length=17, required=False)
    plate = TextField(max_length=12, required=False)
    is_active = FlagField(required=False)


class LeasesQuery(_MasterQuery):
    sorts: Sorts = {"number": "number", "starts_on": "starts_on", "driver_name": "driver__name", "id": "pk"}
    number = TextField(max_length=20, required=False)
    driver_id = IdField(required=False)
    driver_name = TextField(max_length=120, required=False, help_text="A part of the name.")
    medallion_no = TextField(max_length=10, required=False)
    vehicle_vin = TextField(max_length=17, required=False)
    lease_type = serializers.ChoiceField(choices=LeaseType.choices, required=False)
    status = serializers.ChoiceField(choices=Lease.Status.choices, required=False)
    active_on = DateField(required=False, help_text="Leases that cover this day; cancelled ones do not.")


# What a filter's name means where it is not a field compared as it is.
_PATHS = {
    "name": "name__icontains",
    "driver_name": "driver__name__icontains",
    "medallion_no": "medallion__number",
    "vehicle_vin": "vehicle__vin",
}


def _covering(day: Any) -> Q:
    return Q(starts_on__lte=day) & (Q(ends_on__isnull=True) | Q(ends_on__gte=day)) & ~Q(status="CANCELLED")


class _MasterList(ApiView):
    """A list of one model, filtered by whatever its query declares."""

    model: ClassVar[type[Model]]
    row: ClassVar[type[serializers.ModelSerializer[Any]]]
    related: ClassVar[Sequence[str]] = ()

    def get(self, request: Request) -> Response:
        sorts: Mapping[str, str] = self.query_class.sorts  # type: ignore[attr-defined]
        return Response(paginate(self._filtered(), self.query, sorts, self._rows))

    def _filtered(self) -> QuerySet[Any]:
        queryset: QuerySet[Any] = self.model._default_manager.order_by()
        for name, value in self.query.items():
            if name not in (*PAGE_FIELDS, "active_on"):
                queryset = queryset.filter(**{_PATHS.get(name, name): value})
        if "active_on" in self.query:
            queryset = queryset.filter(_covering(self.query["active_on"]))
        return queryset

    def _rows(self, ids: Sequence[Any]) -> Sequence[Mapping[str, Any]]:
        found = self.model._default_manager.filter(pk__in=ids).select_related(*self.related)
        return by_key(ids, list(self.row(found, many=True).data), "id")


class _MasterDetail(ApiView):
    model: ClassVar[type[Model]]
    row: ClassVar[type[serializers.ModelSerializer[Any]]]
    related: ClassVar[Sequence[str]] = ()

    def get(self, request: Request, key: int) -> Response:
        thing = self.model._default_manager.filter(pk=key).select_related(*self.related).first()
        if thing is None:
            raise NotFound(kind=self.model._meta.verbose_name, key=key)
        return Response(self.row(thing).data)


@extend_schema_view(
    get=extend_schema(
        tags=["fleet"],
        operation_id="list_drivers",
        description="List drivers, by licence.",
        responses=page_schema(DriverRow, "DriverPage"),
    )
)
class Drivers(_MasterList):
    permissions = {"GET": "leases.view_driver"}
    query_class = DriversQuery
    model, row = Driver, DriverRow


@extend_schema_view(
    get=extend_schema(
        tags=["fleet"], operation_id="show_driver", description="Show one driver.", responses=DriverRow
    )
)
class DriverDetail(_MasterDetail):
    permissions = {"GET": "leases.view_driver"}
    model, row = Driver, DriverRow


@extend_schema_view(
    get=extend_schema(
        tags=["fleet"],
        operation_id="list_medallions",
        description="List medallions.",
        responses=page_schema(MedallionRow, "MedallionPage"),
    )
)
class Medallions(_MasterList):
    permissions = {"GET": "leases.view_medallion"}
    query_class = MedallionsQuery
    model, row = Medallion, MedallionRow


@extend_schema_view(
    get=extend_schema(
        tags=["fleet"],
        operation_id="show_medallion",
        description="Show one medallion.",
        responses=MedallionRow,
    )
)
class MedallionDetail(_MasterDetail):
    permissions = {"GET": "leases.view_medallion"}
    model, row = Medallion, MedallionRow


@extend_schema_view(
    get=extend_schema(
        tags=["fleet"],
        operation_id="list_vehicles",
        description="List vehicles.",
        responses=page_schema(VehicleRow, "VehiclePage"),
    )
)
class Vehicles(_MasterList):
    permissions = {"GET": "leases.view_vehicle"}
    query_class = VehiclesQuery
    model, row = Vehicle, VehicleRow


@extend_schema_view(
    get=extend_schema(
        tags=["fleet"], operation_id="show_vehicle", description="Show one vehicle.", responses=VehicleRow
    )
)
class VehicleDetail(_MasterDetail):
    permissions = {"GET": "leases.view_vehicle"}
    model, row = Vehicle, VehicleRow


@extend_schema_view(
    get=extend_schema(
        tags=["fleet"],
        operation_id="list_leases",
        description="List leases.",
        responses=page_schema(LeaseRow, "LeasePage"),
    )
)
class Leases(_MasterList):
    permissions = {"GET": "leases.view_lease", "POST": "leases.add_lease"}
    query_class = LeasesQuery
    model, row = Lease, LeaseRow
    related = ("driver", "medallion", "vehicle")

    @extend_schema(
        tags=["leases"],
        operation_id="create_lease",
        parameters=[KEY_PARAMETER],
        request=LeaseRequest,
        responses={201: LeaseRow},
    )
    def post(self, request: Request) -> Response:
        """Lease a medallion and vehicle to a driver, from a day on. Caps of the city's rule are checked."""
        body = self.body(LeaseRequest)

        def effect() -> Answer:
            lease = create_lease(
                driver=named(Driver, body["driver_id"]),
                medallion=named(Medallion, body["medallion_id"]),
                vehicle=named(Vehicle, body["vehicle_id"]),
                lease_type=body["lease_type"],
                starts_on=body["starts_on"],
                ends_on=body["ends_on"],
                weekly_fee=body["weekly_fee"],
                deposit=body["deposit"] and DepositTerms(**body["deposit"]),
                actor=self.actor,
            )
            return Answer(201, dict(LeaseRow(lease).data))

        return once(request, body, effect)


@extend_schema_view(
    get=extend_schema(
        tags=["fleet"], operation_id="show_lease", description="Show one lease.", responses=LeaseRow
    )
)
class LeaseDetail(_MasterDetail):
    permissions = {"GET": "leases.view_lease"}
    model, row = Lease, LeaseRow
    related = ("driver", "medallion", "vehicle")


urlpatterns = [
    route("drivers", Drivers.as_view(), name="drivers"),
    route("drivers/<id:key>", DriverDetail.as_view(), name="driver"),
    route("medallions", Medallions.as_view(), name="medallions"),
    route("medallions/<id:key>", MedallionDetail.as_view(), name="medallion"),
    route("vehicles", Vehicles.as_view(), name="vehicles"),
    route("vehicles/<id:key>", VehicleDetail.as_view(), name="vehicle"),
    route("leases", Leases.as_view(), name="leases"),
    route("leases/<id:key>", LeaseDetail.as_view(), name="lease"),
]
