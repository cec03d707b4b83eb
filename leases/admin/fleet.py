"""Drivers, medallions, vehicles, and which vehicle is on which medallion."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from unfold.decorators import action

from batconnect.common.screens import admin_url, list_url
from leases import services
from leases.models import Driver, Medallion, Vehicle, VehicleAssignment
from ledger.models import DriverAccount

from .base import FleetAdmin, ServiceForm, ServiceFormView


@admin.register(Driver)
class DriverAdmin(FleetAdmin):
    """Master data of a driver; the money is on the pages of the driver's accounts, one per lease."""

    actions_detail = ("accounts",)
    list_display = ("tlc_license", "name", "phone", "email", "license_expires_on", "is_active")
    list_filter = ("is_active",)
    search_fields = ("tlc_license", "name", "leases__medallion__number")
    search_help_text = "TLC licence, name or medallion"

    def has_accounts_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("ledger.view_driveraccount")

    @action(description="What is owed", url_path="accounts", permissions=["accounts"])
    def accounts(self, request: HttpRequest, object_id: int) -> HttpResponseBase:
        """To the driver's account; with several leases, to the list of them."""
        found = list(DriverAccount.objects.filter(driver_id=object_id)[:2])
        driver = get_object_or_404(Driver, pk=object_id)
        query = urlencode({"q": driver.tlc_license})
        return redirect(admin_url(found[0]) if len(found) == 1 else list_url(DriverAccount, query))


@admin.register(Medallion)
class MedallionAdmin(FleetAdmin):
    list_display = ("number", "medallion_type", "fleet", "is_active")
    list_filter = ("is_active", "medallion_type", "fleet")
    search_fields = ("number", "fleet")
    search_help_text = "Medallion number or fleet"


@admin.register(Vehicle)
class VehicleAdmin(FleetAdmin):
    list_display = (
        "vin",
        "plate",
        "plate_state",
        "vehicle_type",
        "model_year",
        "inspection_expires_on",
        "is_active",
    )
    list_filter = ("is_active", "vehicle_type")
    search_fields = ("vin", "plate", "assignments__medallion__number")
    search_help_text = "VIN, plate or medallion"


class AssignForm(ServiceForm):
    model = VehicleAssignment
    model_fields = ("medallion", "vehicle", "started_at")


class AssignView(ServiceFormView):
    title = "Put a vehicle on a medallion"
    submit_label = "Put on medallion"
    permission_required = "leases.add_vehicleassignment"
    form_class = AssignForm

    def carry_out(self, asked: dict[str, Any]) -> tuple[Model, str]:
        made = services.assign_vehicle(**asked, actor=self.actor)
        return made, f"{made.vehicle} is on medallion {made.medallion}."


class EndAssignmentForm(ServiceForm):
    model = VehicleAssignment
    model_fields = ("ended_at",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["ended_at"].required = True


class EndAssignmentView(ServiceFormView):
    title = "Take the vehicle off its medallion"
    submit_label = "Take off medallion"
    permission_required = "leases.change_vehicleassignment"
    form_class = EndAssignmentForm

    def carry_out(self, asked: dict[str, Any]) -> tuple[Model, str]:
        ended = services.end_assignment(assignment=self.subject, **asked, actor=self.actor)
        return ended, f"{ended.vehicle} is off medallion {ended.medallion}."


@admin.register(VehicleAssignment)
class VehicleAssignmentAdmin(FleetAdmin):
    list_display = ("medallion", "vehicle", "started_at", "ended_at")
    list_select_related = ("medallion", "vehicle")
    ordering = ("-started_at", "-id")
    autocomplete_fields = ("medallion", "vehicle")
    search_fields = ("medallion__number", "vehicle__vin", "vehicle__plate")
    search_help_text = "Medallion, VIN or plate"
    actions_detail = ("end",)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        may = request.user.has_perm
        return may("leases.view_vehicleassignment") or may("leases.change_vehicleassignment")

    def has_swap_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Who may end an assignment. A method: unfold looks named permissions up in the database."""
        return request.user.has_perm("leases.change_vehicleassignment")

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        return AssignView.as_view(model_admin=self)(request)

    @action(description="Take off medallion", url_path="end", permissions=["swap"])
    def end(self, request: HttpRequest, object_id: int) -> HttpResponseBase:
        return EndAssignmentView.as_view(model_admin=self)(request, object_id=object_id)
