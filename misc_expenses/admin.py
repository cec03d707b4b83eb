"""Miscellaneous expenses in the admin: found, read, exported; charged and voided through cases."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from unfold.contrib.filters.admin import ChoicesCheckboxFilter, RadioFilter, RangeDateFilter
from unfold.decorators import action, display

from batconnect.cases.models import Case
from batconnect.cases.ways import case_url, start_url
from batconnect.common.screens import (
    Action,
    Cell,
    Detail,
    ReadOnlyAdmin,
    admin_url,
    day,
    day_column,
    moment,
    money_cell,
    money_column,
    text_column,
)
from ledger.models import LedgerPosting

from .api import exported
from .models import ExpenseStatus, MiscellaneousExpense

TONES = {"OPEN": "warning", "RECOVERED": "success", "VOIDED": "danger"}


class StatusFilter(RadioFilter):
    """What became of it; computed from the ledger, so its choices are given here."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(value), str(label)) for value, label in ExpenseStatus.choices]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(status=self.value()) if self.value() else queryset


@display(description="Status", label=TONES)
def status(expense: Any) -> tuple[str, str]:
    return expense.status, ExpenseStatus(expense.status).label


@admin.register(MiscellaneousExpense)
class MiscellaneousExpenseAdmin(ReadOnlyAdmin):
    """One-off charges. The record never changes; its status is the ledger's."""

    empty_note = "One is made by Charge an expense."
    list_display = (
        text_column("expense_id", "Expense", ordering="expense_id"),
        day_column("expense_date", "Date", ordering="expense_date"),
        text_column("category", "Category"),
        text_column("driver__name", "Driver", ordering="driver__name"),
        text_column("lease__number", "Lease"),
        text_column("medallion__number", "Medallion"),
        money_column("amount", "Amount", ordering="amount"),
        money_column("open_amount", "Open"),
        status,
    )
    list_filter = (
        StatusFilter,
        ("category", ChoicesCheckboxFilter),
        ("expense_date", RangeDateFilter),
    )
    list_select_related = ("driver", "lease", "medallion")
    search_fields = (
        "=expense_id",
        "=case_no",
        "driver__name",
        "=driver__tlc_license",
        "=lease__number",
        "=medallion__number",
        "=vehicle__vin",
    )
    search_help_text = "Expense, case, driver, licence, lease, medallion or VIN"
    ordering = ("-id",)
    actions_list = ["new_expense", "export_excel", "export_csv", "export_pdf"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[MiscellaneousExpense]:
        return MiscellaneousExpense.objects.with_status().select_related(
            "driver", "lease", "medallion", "vehicle", "account", "created_by"
        )

    def detail(self, request: HttpRequest, record: Any) -> Detail:
        actions = []
        if record.status != ExpenseStatus.VOIDED and request.user.has_perms(
            ["cases.process_case", "ledger.void_posting"]
        ):
            actions.append(
                Action("Void…", f"{start_url('VOID')}?q={record.current_posting_id}", look="danger")
            )
        case = Case.objects.filter(case_no=record.case_no).first() if record.case_no else None
        return Detail(
            title=record.expense_id,
            subtitle=f"{record.category}: {record.driver}",
            badges=[(ExpenseStatus(record.status).label, TONES[record.status])],
            figures=[
                ("Amount", money_cell(record.amount)),
                ("Still open", money_cell(record.open_amount)),
                ("Account balance", money_cell(record.account.balance, admin_url(record.account))),
            ],
            facts=[
                ("Lease", Cell(record.lease.number, admin_url(record.lease))),
                ("Medallion", Cell(record.medallion.number)),
                ("Vehicle", Cell(str(record.vehicle))),
                ("Happened on", Cell(day(record.expense_date))),
                ("Entered", Cell(f"{moment(record.created_at)} by {record.created_by}")),
                ("Posting", Cell(record.expense_id, _posting_url(record.posting_id))),
                ("Case", Cell(record.case_no, case_url(case)) if case else Cell("–")),
                ("Note", Cell(record.notes or "–")),
                *_corrected(record),
            ],
            actions=actions,
        )

    def has_charge_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Who may open a case here. Methods: unfold looks named permissions up in the database."""
        return bool(request.user.has_perms(["cases.process_case", "misc_expenses.add_miscellaneousexpense"]))

    def has_export_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("misc_expenses.export_miscellaneousexpense"))

    @action(description="New expense", url_path="new", permissions=["charge"])
    def new_expense(self, request: HttpRequest) -> HttpResponseBase:
        return redirect(start_url("MISCEXP"))

    @action(description="Excel", url_path="excel", permissions=["export"])
    def export_excel(self, request: HttpRequest) -> HttpResponseBase:
        return exported({}, "excel")

    @action(description="CSV", url_path="csv", permissions=["export"])
    def export_csv(self, request: HttpRequest) -> HttpResponseBase:
        return exported({}, "csv")

    @action(description="PDF", url_path="pdf", permissions=["export"])
    def export_pdf(self, request: HttpRequest) -> HttpResponseBase:
        return exported({}, "pdf")


def _posting_url(posting_id: Any) -> str:
    return admin_url(LedgerPosting, posting_id)


def _corrected(record: Any) -> list[tuple[str, Cell]]:
    if record.current_posting_id == record.posting_id:
        return []
    return [
        ("Corrected to", money_cell(record.charged_amount)),
        ("Corrected by", Cell("its last correction", _posting_url(record.current_posting_id))),
    ]
