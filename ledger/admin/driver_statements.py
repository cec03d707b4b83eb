"""The statement of a driver account for any period, as a page and as a file to hand over."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils import timezone

from batconnect.common.screens import Cell, ReadOnlyAdmin, Table, admin_url, day, money_cell, part_of
from batconnect.common.weeks import local_date
from batconnect.exports.download import as_download
from ledger.models import DriverAccount
from ledger.selectors.driver_statements import DriverStatement, StatementRow, driver_statement
from ledger.services import report_files

from . import report_filters
from .posting_parts import link
from .report_filters import Asked, ReportForm

WANTED = ("from", "to")
ROWS = 200
FILES = (("xlsx", "Excel"), ("pdf", "PDF"), ("csv", "CSV"))


def statement_view(admin: ReadOnlyAdmin, request: HttpRequest, account_id: int) -> HttpResponseBase:
    """What the account began with, what was charged and paid, what it came to; whoever sees the account sees this."""
    account = get_object_or_404(
        DriverAccount.objects.select_related("driver", "lease__medallion"), pk=account_id
    )
    if not admin.has_view_permission(request, account):
        raise PermissionDenied
    today = local_date(timezone.now())
    form = ReportForm(WANTED, request.GET)
    asked = report_filters.read(request, form, WANTED, today)
    report: dict[str, Any] = {}
    if asked is not None:
        start, end = asked.window
        form = ReportForm(WANTED, {"from": start, "to": end})
        found = driver_statement(account=account, start=start, end=end)
        if asked.file_format:
            return _file(found, asked)
        report = _shown(request, found)
    return admin.render(
        request,
        "admin/ledger/report.html",
        title=f"Statement of {account.driver.name}",
        subtitle=account.lease.number,
        report={"subject": f"Statement of {account.driver.name}", **report},
        about=Cell(f"Lease {account.lease.number}, medallion {account.lease.medallion}", admin_url(account)),
        form=form,
        when=f"{day(asked.window[0])} to {day(asked.window[1])}" if asked else "",
        periods=report_filters.periods(asked, today) if asked else [],
        files=[(label, f"?{asked.query(format=extension)}") for extension, label in FILES] if asked else [],
    )


def _file(found: DriverStatement, asked: Asked) -> HttpResponseBase:
    name = report_files.file_name(
        "statement", found.account.driver.tlc_license, found.account.lease.number, found.start, found.end
    )
    return as_download(
        report_files.driver_statement_table(found), report_files.FILE_FORMATS[asked.file_format], name
    )


def _shown(request: HttpRequest, found: DriverStatement) -> dict[str, Any]:
    part = part_of(request, found.rows, name="page", size=ROWS)
    return {
        "figures": [
            ("Owed at the beginning", money_cell(found.opening)),
            ("Charged", money_cell(found.charged)),
            ("Paid and credited", money_cell(found.credited)),
            ("Owed at the end", money_cell(found.closing)),
        ],
        "tables": [
            Table(
                "Postings",
                ["Accounted on", "Category", "Reference", "What", "#Charge", "#Credit", "#Owed after it"],
                [_row(row) for row in part.rows],
                note=part.note,
                pages=part.pages,
                empty="Nothing was posted in this period.",
                footer=[
                    Cell("Together"), Cell(""), Cell(""), Cell(""), money_cell(found.charged),
                    money_cell(found.credited), money_cell(found.closing),
                ]
                if found.rows
                else (),
            )
        ],
    }  # fmt: skip


def _row(row: StatementRow) -> list[Cell]:
    posting = row.posting
    charge = posting.amount > 0
    return [
        Cell(day(posting.effective_on)),
        Cell(report_files.posting_words(posting)),
        Cell(posting.reference_id, link(posting)),
        Cell(posting.description or posting.reason, look="muted"),
        money_cell(posting.amount) if charge else Cell("", look="money"),
        Cell("", look="money") if charge else money_cell(-posting.amount),
        money_cell(row.balance),
    ]
