"""Additional drivers of a lease over HTTP: listed, added, and ended or withdrawn."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from batconnect.api.errors import NotFound
from batconnect.api.fields import BodyIdField, TextField
from batconnect.api.idempotency import KEY_PARAMETER, once
from batconnect.api.routes import route
from batconnect.api.views import ApiView
from batconnect.common.idempotency import Answer

from .. import services
from ..models import Driver, LeaseDriver
from ..term_models import LONGEST_REASON
from .fields import DayField, named
from .rows import AddedDriverRow
from .terms import lease_named


class AddedDriverRequest(serializers.Serializer[Any]):
    driver_id = BodyIdField()
    starts_on = DayField()
    ends_on = DayField(
        required=False, allow_null=True, default=None, help_text="The last day; null: until the lease ends."
    )


class DriverEndRequest(serializers.Serializer[Any]):
    ends_on = DayField(
        allow_null=True, help_text="The last day that he may drive; null: it was a mistake, and is withdrawn."
    )
    reason = TextField(max_length=LONGEST_REASON, help_text="Why, in 10 characters or more.")


class AddedDrivers(ApiView):
    permissions = {"GET": "leases.view_lease", "POST": "leases.change_lease"}

    @extend_schema(
        tags=["leases"], operation_id="list_additional_drivers", responses=AddedDriverRow(many=True)
    )
    def get(self, request: Request, key: int) -> Response:
        """List the additional drivers of a lease, those of the past and the withdrawn too."""
        found = lease_named(key).additional_drivers.select_related("driver").order_by("starts_on", "pk")
        return Response(AddedDriverRow(found, many=True).data)

    @extend_schema(
        tags=["leases"],
        operation_id="add_additional_driver",
        parameters=[KEY_PARAMETER],
        request=AddedDriverRequest,
        responses={201: AddedDriverRow},
    )
    def post(self, request: Request, key: int) -> Response:
        """Let another driver drive on a lease; all he earns and owes is settled with the lease's driver."""
        body = self.body(AddedDriverRequest)
        lease = lease_named(key)

        def effect() -> Answer:
            added = services.add_driver(
                lease=lease,
                driver=named(Driver, body["driver_id"]),
                starts_on=body["starts_on"],
                ends_on=body["ends_on"],
                actor=self.actor,
            )
            return Answer(201, dict(AddedDriverRow(added).data))

        return once(request, body, effect)


class AddedDriverEnd(ApiView):
    permissions = {"POST": "leases.change_lease"}

    @extend_schema(
        tags=["leases"],
        operation_id="end_additional_driver",
        parameters=[KEY_PARAMETER],
        request=DriverEndRequest,
        responses={200: AddedDriverRow},
    )
    def post(self, request: Request, key: int, added_id: int) -> Response:
        """Let an additional driver drive no more after a day, or withdraw one entered by mistake."""
        body = self.body(DriverEndRequest)
        row = LeaseDriver.objects.filter(pk=added_id, lease=lease_named(key)).select_related("driver").first()
        if row is None:
            raise NotFound(kind="additional driver", key=added_id)

        def effect() -> Answer:
            ended = services.end_driver(added=row, **body, actor=self.actor)
            return Answer(200, dict(AddedDriverRow(ended).data))

        return once(request, body, effect)


urlpatterns = [
    route("leases/<id:key>/drivers", AddedDrivers.as_view(), name="lease-drivers"),
    route("leases/<id:key>/drivers/<id:added_id>/end", AddedDriverEnd.as_view(), name="lease-driver-end"),
]
