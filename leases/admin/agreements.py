"""Leases and their installments. A lease is made, repriced, ended and shared by services alone."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextInputWidget

from batconnect.common.weeks import WEEK, local_date
from leases import services
from leases.models import Lease, LeaseDriver, LeaseFee, LeaseInstallment
from leases.schedule import weekly_schedule

from .base import FleetAdmin, ReadOnlyAdmin, ReadOnlyInline, ServiceForm, ServiceFormView


def _fee_field() -> forms.DecimalField:
    return forms.DecimalField(
        label="Weekly fee", min_value=0, max_digits=14, decimal_places=2, widget=UnfoldAdminTextInputWidget
    )


class CreateForm(ServiceForm):
    model = Lease
    model_fields = ("driver", "medallion", "vehicle", "lease_type", "starts_on", "ends_on")
    weekly_fee = _fee_field()
    field_order = (*model_fields, "weekly_fee")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields(self.field_order)
        self.fields["ends_on"].help_text = "The last day, which counts. Empty: until further notice."


class CreateView(ServiceFormView):
    title = "New lease"
    submit_label = "Make lease"
    permission_required = "leases.add_lease"
    form_class = CreateForm

    def carry_out(self, asked: dict[str, Any]) -> tuple[Model, str]:
        lease = services.create_lease(**asked, actor=self.actor)
        first = weekly_schedule(
            starts_on=lease.starts_on,
            ends_on=lease.ends_on,
            fees=[(lease.starts_on, asked["weekly_fee"])],
            through=lease.starts_on + WEEK,
        )
        billed = f" Its first week costs {first[0].amount}, due {first[0].due_on}." if first else ""
        return lease, f"Lease {lease.number} was made.{billed}"


class ChangeFeeForm(ServiceForm):
    model = LeaseFee
    model_fields = ("effective_from",)
    weekly_fee = _fee_field()


class ChangeFeeView(ServiceFormView):
    title = "Change the weekly fee"
    submit_label = "Change fee"
    permission_required = "leases.change_lease"
    form_class = ChangeFeeForm

    def carry_out(self, asked: dict[str, Any]) -> tuple[Model, str]:
        fee = services.change_fee(lease=self.subject, **asked, actor=self.actor)
        return self.subject, f"{self.subject} costs {fee.weekly_fee} a week from {fee.effective_from} on."


class EndForm(ServiceForm):
    model = Lease
    model_fields = ("ends_on",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["ends_on"].required = True
        self.fields["ends_on"].help_text = "The last day, which counts; its week is prorated."


class EndView(ServiceFormView):
    title = "End the lease"
    submit_label = "End lease"
    permission_required = "leases.change_lease"
    form_class = EndForm

    def carry_out(self, asked: dict[str, Any]) -> tuple[Model, str]:
        lease = services.end_lease(lease=self.subject, **asked, actor=self.actor)
        return lease, f"{lease} ends on {lease.ends_on}."


class AddDriverForm(ServiceForm):
    model = LeaseDriver
    model_fields = ("driver", "starts_on", "ends_on")


class AddDriverView(ServiceFormView):
    title = "Add a driver to the lease"
    submit_label = "Add driver"
    permission_required = "leases.change_lease"
    form_class = AddDriverForm

    def carry_out(self, asked: dict[str, Any]) -> tuple[Model, str]:
        added = services.add_driver(lease=self.subject, **asked, actor=self.actor)
        return self.subject, f"{added.driver} may drive on {self.subject} from {added.starts_on} on."


class FeeInline(ReadOnlyInline):
    model = LeaseFee
    fields = readonly_fields = ("effective_from", "weekly_fee")


class DriverInline(ReadOnlyInline):
    model = LeaseDriver
    fields = readonly_fields = ("driver", "starts_on", "ends_on")
    verbose_name_plural = "additional drivers"


@admin.register(Lease)
class LeaseAdmin(FleetAdmin):
    list_display = (
        "number",
        "driver",
        "medallion",
        "vehicle",
        "lease_type",
        "starts_on",
        "ends_on",
        "fee_today",
        "status",
    )
    list_select_related = ("driver", "medallion", "vehicle")
    list_filter = ("status", "lease_type")
    search_fields = (
        "number",
        "driver__tlc_license",
        "driver__name",
        "medallion__number",
        "vehicle__plate",
        "vehicle__vin",
    )
    search_help_text = "Lease number, TLC licence, driver, medallion, plate or VIN"
    ordering = ("-id",)
    autocomplete_fields = ("driver", "medallion", "vehicle")
    fields = (
        "number",
        "driver",
        "medallion",
        "vehicle",
        "lease_type",
        "starts_on",
        "ends_on",
        "status",
        "schedule",
    )
    readonly_fields = ("number", "schedule")
    inlines = (FeeInline, DriverInline)
    actions_detail = ("change_fee", "end_lease", "add_driver")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Lease]:
        today = local_date(timezone.now())
        fees = LeaseFee.objects.filter(lease=OuterRef("pk"), effective_from__lte=today)
        queryset: QuerySet[Lease] = super().get_queryset(request)
        return queryset.annotate(
            fee_today=Subquery(fees.order_by("-effective_from").values("weekly_fee")[:1])
        )

    @admin.display(description="weekly fee", ordering="fee_today")
    def fee_today(self, lease: Any) -> Any:
        return lease.fee_today

    @admin.display(description="installments")
    def schedule(self, lease: Lease) -> str:
        page = reverse("admin:leases_leaseinstallment_changelist")
        return format_html('<a href="{}?lease__id__exact={}">Show installments</a>', page, lease.pk)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm("leases.view_lease") or request.user.has_perm("leases.change_lease")

    def has_agree_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Who may change what was agreed. A method: unfold looks named permissions up in the database."""
        return request.user.has_perm("leases.change_lease")

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        return CreateView.as_view(model_admin=self)(request)

    @action(description="Change fee", url_path="change-fee", permissions=["agree"])
    def change_fee(self, request: HttpRequest, object_id: int) -> HttpResponseBase:
        return ChangeFeeView.as_view(model_admin=self)(request, object_id=object_id)

    @action(description="End lease", url_path="end", permissions=["agree"])
    def end_lease(self, request: HttpRequest, object_id: int) -> HttpResponseBase:
        return EndView.as_view(model_admin=self)(request, object_id=object_id)

    @action(description="Add driver", url_path="add-driver", permissions=["agree"])
    def add_driver(self, request: HttpRequest, object_id: int) -> HttpResponseBase:
        return AddDriverView.as_view(model_admin=self)(request, object_id=object_id)


@admin.register(LeaseInstallment)
class LeaseInstallmentAdmin(ReadOnlyAdmin):
    list_display = (
        "reference_id",
        "lease",
        "period_start",
        "period_end",
        "days",
        "amount",
        "due_on",
        "posted",
    )
    list_select_related = ("lease",)
    list_filter = (("posting_id", admin.EmptyFieldListFilter),)
    search_fields = ("reference_id", "lease__driver__tlc_license", "lease__medallion__number")
    search_help_text = "Reference, TLC licence or medallion"
    ordering = ("-due_on", "-id")

    @admin.display(description="posted", boolean=True)
    def posted(self, installment: LeaseInstallment) -> bool:
        return installment.posting_id is not None

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """The lease page links here by lease, without a list of all leases as a filter."""
        return lookup == "lease__id__exact" or bool(super().lookup_allowed(lookup, value, request))
