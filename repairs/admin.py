"""Repair invoices in the admin: found, read with their schedule, exported; entered through cases."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from unfold.decorators import action

from batconnect.cases.ways import start_url
from batconnect.common.screens import Cell, day, day_column, text_column
from repayments.admin import COLUMNS, SEARCHED, RepaymentAdmin
from repayments.models import Kind

from .acts import ACTS
from .api import exported
from .models import RepairInvoice


@admin.register(RepairInvoice)
class RepairInvoiceAdmin(RepaymentAdmin):
    """Repairs that drivers repay by the week, and those the fleet paid."""

    empty_note = "One is made by Enter a repair, and charged week by week."
    kind = Kind.REPAIR
    acts = ACTS
    list_display = (
        COLUMNS[0],
        day_column("starts_on", "Invoice", ordering="starts_on"),
        text_column("vendor", "Vendor", ordering="vendor"),
        *COLUMNS[1:],
    )
    search_fields = (*SEARCHED, "=invoice_number", "vendor", "=vehicle__vin", "=vehicle__plate")
    search_help_text = "Repair, case, driver, licence, lease, medallion, vendor, its invoice, VIN or plate"
    actions_list = ["new_repair", "export_excel", "export_csv", "export_pdf"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("vehicle")

    def about(self, record: Any) -> str:
        paid = "" if record.charged_to_driver else " · paid by the fleet"
        return f"{record.vendor}, invoice {record.invoice_number}{paid}"

    def facts(self, record: Any) -> list[tuple[str, Cell]]:
        return [
            ("Invoice date", Cell(day(record.starts_on))),
            ("Vehicle", Cell(str(record.vehicle))),
            ("What was done", Cell(record.description)),
        ]

    def exported(self, export_format: str) -> HttpResponseBase:
        return exported({}, export_format)

    def has_enter_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perms(["cases.process_case", "repairs.add_repairinvoice"]))

    @action(description="New repair", url_path="new", permissions=["enter"])
    def new_repair(self, request: HttpRequest) -> HttpResponseBase:
        return redirect(start_url("RPR"))
