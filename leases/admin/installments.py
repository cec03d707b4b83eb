"""Lease installments: what was billed and what became of it."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from leases.models import LeaseInstallment
from leases.standing import InstallmentStatus, with_status

from .base import ReadOnlyAdmin

TONES = {
    "SCHEDULED": "info",
    "POSTED": "warning",
    "PAID": "success",
    "VOIDED": "danger",
    "REPLACED": "danger",
    "CANCELLED": "danger",
}


@display(description="Status", label=TONES)
def status(installment: Any) -> tuple[str, str]:
    return installment.status, InstallmentStatus(installment.status).label


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
        status,
    )
    list_select_related = ("lease",)
    list_filter = (("posting_id", admin.EmptyFieldListFilter),)
    search_fields = ("reference_id", "lease__driver__tlc_license", "lease__medallion__number")
    search_help_text = "Reference, TLC licence or medallion"
    ordering = ("-due_on", "-id")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return with_status(super().get_queryset(request))

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """The lease page links here by lease, without a list of all leases as a filter."""
        return lookup == "lease__id__exact" or bool(super().lookup_allowed(lookup, value, request))
