"""Drivers, medallions, vehicles and leases over HTTP: listed, shown, entered, and the first three changed."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.db.models import Model, Q, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from batconnect.api.errors import NotFound
from batconnect.api.idempotency import KEY_PARAMETER, once
from batconnect.api.pagination import PAGE_FIELDS, by_key, page_schema, paginate
from batconnect.api.routes import route
from batconnect.api.views import ApiView
from batconnect.common.idempotency import Answer

from ..models import Driver, Lease, Medallion, Vehicle
from ..services import change_record, create_lease, enter_record
from ..services.deposits import DepositTerms
from .fields import named
from .fleet_schemas import (
    DriverRequest,
    DriverRow,
    DriversQuery,
    LeaseRequest,
    LeaseRow,
    LeasesQuery,
    MedallionRequest,
    MedallionRow,
    MedallionsQuery,
    VehicleRequest,
    VehicleRow,
    VehiclesQuery,
)

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


class _Entering(ApiView):
    """POST of a list: one more of it."""

    model: ClassVar[Any]
    row: ClassVar[type[serializers.ModelSerializer[Any]]]
    request_class: ClassVar[type[serializers.Serializer[Any]]]

    def post(self, request: Request) -> Response:
        body = self.body(self.request_class)

        def effect() -> Answer:
            made = enter_record(self.model, actor=self.actor, **body)
            return Answer(201, dict(self.row(made).data))

        return once(request, body, effect)


class _Changing(ApiView):
    """PATCH of one: what is not sent stays as it is."""

    model: ClassVar[Any]
    row: ClassVar[type[serializers.ModelSerializer[Any]]]
    request_class: ClassVar[type[serializers.Serializer[Any]]]
    conflicts: ClassVar[tuple[str, ...]] = ("PATCH",)

    def patch(self, request: Request, key: int) -> Response:
        sent: Mapping[str, Any] = self.body(self.request_class, partial=True)
        changed = change_record(named(self.model, key), actor=self.actor, **sent)
        return Response(self.row(changed).data)


@extend_schema_view(
    get=extend_schema(
        tags=["fleet"],
        operation_id="list_drivers",
        description="List drivers, by licence.",
        responses=page_schema(DriverRow, "DriverPage"),
    ),
    post=extend_schema(
        tags=["fleet"],
        operation_id="enter_driver",
        description="Enter a driver.",
        parameters=[KEY_PARAMETER],
        request=DriverRequest,
        responses={201: DriverRow},
    ),
)
class Drivers(_MasterList, _Entering):
    permissions = {"GET": "leases.view_driver", "POST": "leases.add_driver"}
    query_class = DriversQuery
    model, row, request_class = Driver, DriverRow, DriverRequest


@extend_schema_view(
    get=extend_schema(
        tags=["fleet"], operation_id="show_driver", description="Show one driver.", responses=DriverRow
    ),
    patch=extend_schema(
        tags=["fleet"],
        operation_id="change_driver",
        description="Change a driver: what is not sent stays as it is.",
        request=DriverRequest,
        responses=DriverRow,
    ),
)
class DriverDetail(_MasterDetail, _Changing):
    permissions = {"GET": "leases.view_driver", "PATCH": "leases.change_driver"}
    model, row, request_class = Driver, DriverRow, DriverRequest


@extend_schema_view(
    get=extend_schema(
        tags=["fleet"],
        operation_id="list_medallions",
        description="List medallions.",
        responses=page_schema(MedallionRow, "MedallionPage"),
    ),
    post=extend_schema(
        tags=["fleet"],
        operation_id="enter_medallion",
        description="Enter a medallion.",
        parameters=[KEY_PARAMETER],
        request=MedallionRequest,
        responses={201: MedallionRow},
    ),
)
class Medallions(_MasterList, _Entering):
    permissions = {"GET": "leases.view_medallion", "POST": "leases.add_medallion"}
    query_class = MedallionsQuery
    model, row, request_class = Medallion, MedallionRow, MedallionRequest


@extend_schema_view(
    get=extend_schema(
        tags=["fleet"],
        operation_id="show_medallion",
        description="Show one medallion.",
        responses=MedallionRow,
    ),
    patch=extend_schema(
        tags=["fleet"],
        operation_id="change_medallion",
        description="Change a medallion: what is not sent stays as it is.",
        request=MedallionRequest,
        responses=MedallionRow,
    ),
)
class MedallionDetail(_MasterDetail, _Changing):
    permissions = {"GET": "leases.view_medallion", "PATCH": "leases.change_medallion"}
    model, row, request_class = Medallion, MedallionRow, MedallionRequest


@extend_schema_view(
    get=extend_schema(
        tags=["fleet"],
        operation_id="list_vehicles",
        description="List vehicles.",
        responses=page_schema(VehicleRow, "VehiclePage"),
    ),
    post=extend_schema(
        tags=["fleet"],
        operation_id="enter_vehicle",
        description="Enter a vehicle.",
        parameters=[KEY_PARAMETER],
        request=VehicleRequest,
        responses={201: VehicleRow},
    ),
)
class Vehicles(_MasterList, _Entering):
    permissions = {"GET": "leases.view_vehicle", "POST": "leases.add_vehicle"}
    query_class = VehiclesQuery
    model, row, request_class = Vehicle, VehicleRow, VehicleRequest


@extend_schema_view(
    get=extend_schema(
        tags=["fleet"], operation_id="show_vehicle", description="Show one vehicle.", responses=VehicleRow
    ),
    patch=extend_schema(
        tags=["fleet"],
        operation_id="change_vehicle",
        description="Change a vehicle: what is not sent stays as it is.",
        request=VehicleRequest,
        responses=VehicleRow,
    ),
)
class VehicleDetail(_MasterDetail, _Changing):
    permissions = {"GET": "leases.view_vehicle", "PATCH": "leases.change_vehicle"}
    model, row, request_class = Vehicle, VehicleRow, VehicleRequest


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
