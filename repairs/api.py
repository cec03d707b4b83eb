"""Repairs over HTTP: list, show with the schedule, enter, export, and an endpoint for each thing to do."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import F
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from batconnect.api.fields import BodyFlagField, BodyIdField, DateField, PositiveAmountField, TextField
from batconnect.api.idempotency import KEY_PARAMETER, once
from batconnect.api.pagination import PageQuery, Sorts, by_key, page_schema, paginate
from batconnect.api.routes import route
from batconnect.api.views import ApiView, today
from batconnect.common.idempotency import Answer
from batconnect.exports import EXPORT_FORMATS, Column
from batconnect.exports import Kind as Shown
from repayments import api as shared
from repayments import reading
from repayments.models import Kind
from repayments.services.plans import find_plan

from . import services
from .acts import ACTS
from .models import RepairInvoice

_FIELDS = ("vendor", "invoice_number", "description", "vehicle_id")
_NAMES = {"vehicle_vin": F("vehicle__vin"), "vehicle_plate": F("vehicle__plate")}
_PATHS = {
    "vendor": "vendor__icontains",
    "invoice_number": "invoice_number__iexact",
    "vehicle_vin": "vehicle__vin__iexact",
}
_COLUMNS = (
    Column("number", "Repair", width=16),
    Column("starts_on", "Invoice date", Shown.DATE, 12),
    Column("vendor", "Vendor", width=24),
    Column("invoice_number", "Invoice", width=14),
    *reading.COLUMNS,
)


class RepairData(serializers.Serializer[Any]):
    """What is entered for a repair; also the data of the step RPR-001."""

    driver_id = BodyIdField()
    lease_id = BodyIdField()
    vendor = TextField(max_length=services.LONGEST_VENDOR)
    invoice_number = TextField(max_length=services.LONGEST_INVOICE, help_text="The vendor's own.")
    invoice_date = DateField(help_text="Not ahead of today.")
    vehicle_id = BodyIdField(
        required=False, allow_null=True, default=None, help_text="By default the lease's vehicle."
    )
    amount = PositiveAmountField(help_text="0.01 to 99,999.99")
    description = TextField(max_length=services.LONGEST_DESCRIPTION)
    charge_driver = BodyFlagField(help_text="True on a dov lease alone; otherwise the fleet pays.")
    first_due_on = DateField(
        required=False,
        allow_null=True,
        default=None,
        help_text="A Saturday; needed when the driver is charged.",
    )
    as_draft = BodyFlagField(required=False, default=False, help_text="To be confirmed later.")


class RepairRow(shared.RepaymentRow):
    vendor = serializers.CharField()
    invoice_number = serializers.CharField()
    description = serializers.CharField()
    vehicle_vin = serializers.CharField()
    vehicle_plate = serializers.CharField()


class RepairAnswer(RepairRow):
    installments = shared.RepaymentInstallmentRow(many=True)


class _Filters(shared.Filters):
    vendor = TextField(max_length=120, required=False, help_text="A part of the name, in any case.")
    invoice_number = TextField(max_length=60, required=False, help_text="The vendor's own, whole.")
    vehicle_vin = TextField(max_length=17, required=False, help_text="Whole, in any case.")


class RepairsQuery(_Filters, PageQuery):
    sorts: Sorts = {**shared.SORTS, "vendor": "vendor"}


class RepairExportQuery(_Filters):
    format = serializers.ChoiceField(choices=EXPORT_FORMATS, default="excel")


def shown(number: str) -> dict[str, Any]:
    """One repair with its installments, as the API answers it. Raises UnknownRepayment."""
    plan = find_plan(kind=Kind.REPAIR, number=number)
    (row,) = _rows([plan.repayment.pk])
    return {**row, "installments": reading.installments_of(plan)}


class Repairs(ApiView):
    permissions = {"GET": "repairs.view_repairinvoice", "POST": "repairs.add_repairinvoice"}
    query_class = RepairsQuery

    @extend_schema(
        tags=["repairs"], operation_id="list_repairs", responses=page_schema(RepairRow, "RepairPage")
    )
    def get(self, request: Request) -> Response:
        """List repair invoices, the newest first."""
        found = reading.filtered(RepairInvoice, self.query, _PATHS)
        return Response(paginate(found, self.query, RepairsQuery.sorts, _rows))

    @extend_schema(
        tags=["repairs"],
        operation_id="create_repair",
        parameters=[KEY_PARAMETER],
        request=RepairData,
        responses={201: RepairAnswer},
    )
    def post(self, request: Request) -> Response:
        """Enter a repair invoice. Charged to the driver, it is repaid by the week, by the repayment matrix."""
        body = self.body(RepairData)

        def effect() -> Answer:
            invoice = services.create_repair(**body, actor=self.actor, on=today())
            return Answer(201, shown(invoice.number))

        return once(request, body, effect)


class RepairDetail(ApiView):
    permissions = {"GET": "repairs.view_repairinvoice"}

    @extend_schema(tags=["repairs"], operation_id="show_repair", responses=RepairAnswer)
    def get(self, request: Request, repayment_no: str) -> Response:
        """Show a repair invoice with every installment."""
        return Response(shown(repayment_no))


class RepairExport(ApiView):
    permissions = {"GET": "repairs.export_repairinvoice"}
    query_class = RepairExportQuery

    @extend_schema(tags=["repairs"], operation_id="export_repairs", responses=shared.EXPORTED)
    def get(self, request: Request) -> HttpResponseBase:
        """Export the filtered list to a file, oldest first. PDF takes up to 5,000 rows."""
        return exported(
            {name: value for name, value in self.query.items() if name != "format"}, self.query["format"]
        )


def exported(filters: Mapping[str, Any], export_format: str) -> HttpResponseBase:
    """The filtered list as a file; the screen offers the same."""
    return shared.exported(
        title="Repairs",
        model=RepairInvoice,
        filters=filters,
        export_format=export_format,
        columns=_COLUMNS,
        paths=_PATHS,
        fields=_FIELDS,
        names=_NAMES,
    )


def _rows(ids: Sequence[Any]) -> list[Mapping[str, Any]]:
    rows = by_key(ids, reading.rows_of(RepairInvoice, ids, _FIELDS, _NAMES), "id")
    hidden = ("id", "rate", "forgiven", "vehicle_id")
    return [{name: value for name, value in row.items() if name not in hidden} for row in rows]


_BASE = "repairs"
urlpatterns = [
    route(_BASE, Repairs.as_view(), name="repairs"),
    route(f"{_BASE}/export", RepairExport.as_view(), name="repair-export"),
    route(f"{_BASE}/<repayment_no:repayment_no>", RepairDetail.as_view(), name="repair"),
    *shared.act_routes(
        ACTS,
        base=_BASE,
        noun="repair",
        kind=Kind.REPAIR,
        view_permission="repairs.view_repairinvoice",
        answer=RepairAnswer,
        show=shown,
    ),
]
