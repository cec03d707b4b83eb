"""What the fleet's lists show and are asked, and what is sent to enter or change something of the fleet."""

from typing import Any

from rest_framework import serializers

from batconnect.api.fields import BodyFlagField, BodyIdField, DateField, FlagField, IdField, TextField
from batconnect.api.pagination import PageQuery, Sorts

from ..fleet_files import NEWEST_YEAR, OLDEST_YEAR
from ..models import Driver, Lease, LeaseType, Medallion, Vehicle
from .deposit_schemas import DepositTermsRequest
from .fields import DayField, FeeField


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


class YearField(serializers.IntegerField):
    """A model year: a JSON number."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return int(data)


class DriverRequest(serializers.Serializer[Any]):
    tlc_license = TextField(max_length=20, help_text="As trips name the driver; used once.")
    name = TextField(max_length=120)
    phone = TextField(max_length=30, required=False, allow_blank=True)
    email = serializers.EmailField(max_length=254, required=False, allow_blank=True)
    license_expires_on = DayField(required=False, allow_null=True)
    is_active = BodyFlagField(required=False)


class MedallionRequest(serializers.Serializer[Any]):
    number = TextField(max_length=10, help_text="As trips name the cab; used once.")
    medallion_type = TextField(max_length=40, required=False, allow_blank=True)
    fleet = TextField(max_length=80, required=False, allow_blank=True)
    is_active = BodyFlagField(required=False)


class VehicleRequest(serializers.Serializer[Any]):
    vin = TextField(max_length=17, help_text="Used once.")
    plate = TextField(
        max_length=12, required=False, allow_blank=True, help_text="As tolls and tickets name it."
    )
    plate_state = TextField(max_length=2, required=False)
    vehicle_type = TextField(max_length=10, required=False, allow_blank=True)
    model_year = YearField(min_value=OLDEST_YEAR, max_value=NEWEST_YEAR, required=False, allow_null=True)
    inspection_expires_on = DayField(required=False, allow_null=True)
    is_active = BodyFlagField(required=False)
