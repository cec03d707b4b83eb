"""Loans in the admin: found, read with their schedule, exported; entered through cases."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from unfold.decorators import action

from batconnect.cases.ways import start_url
from batconnect.common.screens import Cell, Table, day, day_column, money_cell, money_column
from ledger.admin.journal_parts import entry_url
from repayments.admin import COLUMNS, SEARCHED, RepaymentAdmin
from repayments.models import Kind

from .acts import ACTS
from .api import exported
from .models import DriverLoan, LoanMovement


@admin.register(DriverLoan)
class DriverLoanAdmin(RepaymentAdmin):
    """Money lent to drivers, and how it comes back."""

    empty_note = "One is made by Lend to a driver, and charged week by week."
    kind = Kind.LOAN
    acts = ACTS
    list_display = (
        COLUMNS[0],
        day_column("starts_on", "Loan date", ordering="starts_on"),
        *COLUMNS[1:3],
        money_column("rate", "Rate %"),
        *COLUMNS[3:],
    )
    search_fields = SEARCHED
    search_help_text = "Loan, case, driver, licence, lease or medallion"
    actions_list = ["new_loan", "export_excel", "export_csv", "export_pdf"]

    def about(self, record: Any) -> str:
        return f"{record.rate} % a year from {day(record.starts_on)}: {record.driver}"

    def facts(self, record: Any) -> list[tuple[str, Cell]]:
        return [
            ("Paid out by", Cell(f"{record.get_method_display()} {record.method_reference}".strip())),
            ("For", Cell(record.purpose or "–")),
        ]

    def own_tables(self, record: Any) -> list[Table]:
        rows = LoanMovement.objects.filter(loan=record).select_related("created_by", "approved_by")
        return [
            Table(
                "In the books",
                ["What", "Accounted on", "Entry", "#Amount", "By", "Why"],
                [
                    [
                        Cell(one.get_movement_display()),
                        Cell(day(one.je_date)),
                        Cell(one.je_number, entry_url(one.je_number)),
                        money_cell(one.amount),
                        Cell(f"{one.created_by}{', approved' if one.approved_by else ''}"),
                        Cell(one.reason or "–", look="long"),
                    ]
                    for one in rows
                ],
                empty="Nothing yet: the loan is not paid out.",
            )
        ]

    def exported(self, export_format: str) -> HttpResponseBase:
        return exported({}, export_format)

    def has_enter_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perms(["cases.process_case", "loans.add_driverloan"]))

    @action(description="New loan", url_path="new", permissions=["enter"])
    def new_loan(self, request: HttpRequest) -> HttpResponseBase:
        return redirect(start_url("DLN"))
