"""Misc expenses over HTTP: open the case, list, export, void. Charging itself is the case's step MISCEXP-001."""

from collections.abc import Mapping
from typing import Any

from django.http.response import HttpResponseBase
from django.urls import register_converter
from django.urls.converters import StringConverter
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from batconnect.api.fields import AmountField, DateField, IdField, TextField
from batconnect.api.idempotency import KEY_PARAMETER, once
from batconnect.api.pagination import PageQuery, Sorts, bounded_time, by_key, page_schema, paginate
from batconnect.api.routes import route
from batconnect.api.views import ApiView, Query, today
from batconnect.cases.api import opened
from batconnect.cases.api_schemas import CaseAnswer
from batconnect.common.idempotency import Answer
from batconnect.exports import EXPORT_FORMATS, Column, ExporterFactory, Kind, Table
from batconnect.exports.download import as_download
from ledger.services.voids import LONGEST_REASON

from . import reading, services
from .models import ExpenseCategory, ExpenseStatus

_COLUMNS = [
    Column("expense_id", "Expense", width=18),
    Column("expense_date", "Date", Kind.DATE, 12),
    Column("category", "Category", width=16),
    Column("driver_name", "Driver", width=28),
    Column("tlc_license", "TLC licence", width=12),
    Column("lease_number", "Lease", width=12),
    Column("medallion_no", "Medallion", width=11),
    Column("vehicle_vin", "VIN", width=20),
    Column("amount", "Amount", Kind.MONEY, 12),
    Column("open_amount", "Open", Kind.MONEY, 12),
    Column("status", "Status", width=11),
    Column("notes", "Notes", width=40),
    Column("case_no", "Case", width=15),
    Column("created_by_name", "Entered by", width=16),
    Column("created_at", "Entered", Kind.MOMENT, 18),
]
_NOT_PRINTED = {"vehicle_vin", "notes", "created_at", "created_by_name"}


class ExpenseNumber(StringConverter):
    regex = "MISC-[0-9]{4}-[0-9]{5,10}"


register_converter(ExpenseNumber, "expense_id")


class ExpenseRow(serializers.Serializer[Any]):
    expense_id = serializers.CharField()
    driver_id = serializers.IntegerField()
    driver_name = serializers.CharField()
    tlc_license = serializers.CharField()
    lease_id = serializers.IntegerField()
    lease_number = serializers.CharField()
    medallion_no = serializers.CharField(help_text="The medallion when charged.")
    vehicle_vin = serializers.CharField(help_text="The vehicle when charged.")
    category = serializers.ChoiceField(choices=ExpenseCategory.choices)
    amount = AmountField(help_text="As it was entered.")
    charged_amount = AmountField(help_text="As it stands after corrections.")
    open_amount = AmountField(help_text="What of it is still owed.")
    status = serializers.ChoiceField(choices=ExpenseStatus.choices, help_text="Follows the ledger.")
    expense_date = serializers.DateField()
    notes = serializers.CharField()
    posting_id = serializers.UUIDField()
    current_posting_id = serializers.UUIDField(help_text="The posting of its last correction, or its own.")
    case_no = serializers.CharField()
    created_by_name = serializers.CharField()
    created_at = serializers.DateTimeField()


class _Filters(Query):
    driver_name = TextField(max_length=120, required=False, help_text="A part of the name, in any case.")
    driver_id = IdField(required=False)
    tlc_license = TextField(max_length=20, required=False)
    lease_id = IdField(required=False)
    medallion_no = TextField(max_length=10, required=False, help_text="Whole, in any case.")
    vehicle_vin = TextField(max_length=17, required=False, help_text="Whole, in any case.")
    category = serializers.ChoiceField(choices=ExpenseCategory.choices, required=False)
    status = serializers.ChoiceField(choices=ExpenseStatus.choices, required=False)
    start_date = DateField(required=False, help_text="First date of the expense, included.")
    end_date = DateField(required=False, help_text="Last date of the expense, included.")
    expense_id = TextField(max_length=20, required=False)
    case_no = TextField(max_length=20, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "start_date" in attrs and "end_date" in attrs and attrs["start_date"] > attrs["end_date"]:
            raise serializers.ValidationError({"end_date": ["This is before start_date."]})
        return attrs


class ExpensesQuery(_Filters, PageQuery):
    sorts: Sorts = {
        "created_at": "pk",
        "expense_date": "expense_date",
        "amount": "amount",
        "category": "category",
        "driver_name": "driver__name",
        "expense_id": "expense_id",
    }


class ExpenseExportQuery(_Filters):
    format = serializers.ChoiceField(choices=EXPORT_FORMATS, default="excel")


@extend_schema_serializer(component_name="ExpenseVoid")
class VoidRequest(serializers.Serializer[Any]):
    reason = TextField(max_length=LONGEST_REASON, help_text="Why, in 10 characters or more.")


class ExpenseVoidAnswer(serializers.Serializer[Any]):
    message = serializers.CharField()
    expense_id = serializers.CharField()
    original_posting_id = serializers.UUIDField()
    reversal_posting_id = serializers.UUIDField()


class CreateCase(ApiView):
    permissions = {"POST": "misc_expenses.add_miscellaneousexpense"}

    @extend_schema(
        tags=["misc expenses"],
        operation_id="create_misc_expense_case",
        parameters=[KEY_PARAMETER],
        request=None,
        responses={201: CaseAnswer},
    )
    def post(self, request: Request) -> Response:
        """Open a MISCEXP case; its step MISCEXP-001 charges the driver."""
        return opened(request, {}, prefix="MISCEXP")


class Expenses(ApiView):
    permissions = {"GET": "misc_expenses.view_miscellaneousexpense"}
    query_class = ExpensesQuery

    @extend_schema(
        tags=["misc expenses"],
        operation_id="list_misc_expenses",
        responses=page_schema(ExpenseRow, "ExpensePage"),
    )
    def get(self, request: Request) -> Response:
        """List miscellaneous expenses, the newest first."""
        found = reading.filtered_expenses(self.query)

        def rows(ids: Any) -> list[Mapping[str, Any]]:
            found_rows = by_key(ids, reading.rows_of(ids), "id")
            return [{name: value for name, value in row.items() if name != "id"} for row in found_rows]

        return Response(paginate(found, self.query, ExpensesQuery.sorts, rows))


class ExpenseExport(ApiView):
    permissions = {"GET": "misc_expenses.export_miscellaneousexpense"}
    query_class = ExpenseExportQuery

    @extend_schema(
        tags=["misc expenses"],
        operation_id="export_misc_expenses",
        responses={
            (200, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"): OpenApiTypes.BINARY,
            (200, "text/csv"): OpenApiTypes.BINARY,
            (200, "application/pdf"): OpenApiTypes.BINARY,
        },
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Export the filtered list to a file, oldest first. PDF takes up to 5,000 rows."""
        export_format = self.query["format"]
        filters = {name: value for name, value in self.query.items() if name != "format"}
        return exported(filters, export_format)


def exported(filters: Mapping[str, Any], export_format: str) -> HttpResponseBase:
    """The filtered list as a file; the screen offers the same."""
    exporter = ExporterFactory.get(export_format)
    found = reading.filtered_expenses(filters)
    if exporter.most_rows is not None:
        with bounded_time(60_000):
            exporter.check_size(found[: exporter.most_rows + 1].count())
    columns = [column for column in _COLUMNS if export_format != "pdf" or column.key not in _NOT_PRINTED]
    notes = [f"As of {today()}", *(f"{name}: {value}" for name, value in filters.items())]
    table = Table("Miscellaneous expenses", columns, reading.stream(found), notes)
    return as_download(table, export_format, f"misc-expenses-{today()}")


class ExpenseVoid(ApiView):
    permissions = {"POST": "ledger.void_posting"}

    @extend_schema(
        tags=["misc expenses"],
        operation_id="void_misc_expense",
        parameters=[KEY_PARAMETER],
        request=VoidRequest,
        responses={200: ExpenseVoidAnswer},
    )
    def post(self, request: Request, expense_id: str) -> Response:
        """Void an expense: its charge is reversed today. A large one takes a VOID case and two people."""
        body = self.body(VoidRequest)

        def effect() -> Answer:
            reversal = services.void_misc_expense(
                expense_id=expense_id, reason=body["reason"], actor=self.actor, on=today()
            )
            return Answer(
                200,
                {
                    "message": f"{expense_id} is voided.",
                    "expense_id": expense_id,
                    "original_posting_id": reversal.reversal_for_id,
                    "reversal_posting_id": reversal.pk,
                },
            )

        return once(request, body, effect)


_BASE = "payments/miscellaneous-expenses"
urlpatterns = [
    route(_BASE, Expenses.as_view(), name="misc-expenses"),
    route(f"{_BASE}/create-case", CreateCase.as_view(), name="misc-expense-create-case"),
    route(f"{_BASE}/export", ExpenseExport.as_view(), name="misc-expense-export"),
    route(f"{_BASE}/<expense_id:expense_id>/void", ExpenseVoid.as_view(), name="misc-expense-void"),
]
