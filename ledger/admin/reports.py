"""The financial reports as screens and files, and the month-end balances they rest on."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.utils import timezone

from batconnect.api.errors import QUERY_CANCELED, TooBroad
from batconnect.api.pagination import bounded_time
from batconnect.common.errors import BatConnectError
from batconnect.common.screens import ReadOnlyAdmin, day, day_column, money_column, text_column
from batconnect.common.transactions import sqlstate
from batconnect.common.weeks import local_date
from batconnect.exports import Table
from batconnect.exports.download import as_download
from ledger.models import BalanceSnapshot
from ledger.selectors import summaries, trial_balance
from ledger.selectors.account_balances import one_moment
from ledger.selectors.account_statements import account_statement, find_account
from ledger.selectors.aging import aging_report
from ledger.selectors.trial_balance import last_entry_date
from ledger.services import report_files

from . import report_filters, report_parts
from .report_filters import Asked, Choice, ReportForm

READ_REPORTS = "ledger.read_reports"
LONGEST_MS = 60_000
LINES_SHOWN = 100
PERIOD = ("from", "to", "fund")
# kind → its name, and what it is asked by
KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "trial_balance": ("Trial balance", PERIOD),
    "profit_and_loss": ("Profit and loss", PERIOD),
    "balance_sheet": ("Balance sheet", ("as_of", "fund")),
    "account_statement": ("Account statement", ("account", *PERIOD)),
    "summary": ("Summary", ("by", "from", "to")),
    "aging": ("Receivables aging", ("as_of",)),
}


@admin.register(BalanceSnapshot)
class BalanceSnapshotAdmin(ReadOnlyAdmin):
    """What every account came to by the end of each closed month."""

    empty_note = "They are kept when a month is closed."
    list_display = (
        text_column("account__code", "Account", ordering="account__code"),
        text_column("account__name", "Name"),
        text_column("fund", "Fund"),
        day_column("month", "Month of", ordering="month"),
        money_column("opening", "Opening"),
        money_column("debits", "Debits"),
        money_column("credits", "Credits"),
        money_column("closing", "Closing"),
    )
    list_select_related = ("account",)
    list_filter = ("month",)
    search_fields = ("=account__code", "account__name")
    search_help_text = "Account, by code or name"
    ordering = ("-month", "account__code", "fund")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm(READ_REPORTS))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_urls(self) -> list[URLPattern]:
        pages = [
            path(
                f"{kind.replace('_', '-')}/",
                self.admin_site.admin_view(self._view(kind)),
                name=f"ledger_report_{kind}",
            )
            for kind in KINDS
        ]
        return [*pages, *super().get_urls()]

    def _view(self, kind: str) -> Callable[[HttpRequest], HttpResponseBase]:
        def view(request: HttpRequest) -> HttpResponseBase:
            if not request.user.has_perm(READ_REPORTS) or request.method not in ("GET", "HEAD"):
                raise PermissionDenied
            return self._report(request, kind)

        return view

    def _report(self, request: HttpRequest, kind: str) -> HttpResponseBase:
        title, wanted = KINDS[kind]
        today = local_date(timezone.now())
        form = ReportForm(wanted, request.GET)
        asked = report_filters.read(request, form, wanted, today)
        shown: dict[str, Any] = {}
        refused = ""
        if asked is not None:
            form = ReportForm(wanted, _filled(asked))
            try:
                found = _find(kind, asked)
                if asked.file_format and not isinstance(found, str):
                    return _file(kind, asked, found)
                shown = _shown(kind, asked, found, request.user)
            except BatConnectError as error:
                refused = str(error)
        return self.render(
            request,
            "admin/ledger/report.html",
            title=title,
            opts=None,  # the way to this page is the menu, not the list of month-end balances
            report={"kind": kind, "refused": refused, **shown},
            form=form,
            when=_when(asked) if asked else "",
            periods=_periods(asked, today) if asked else [],
            reports=[
                Choice(name, report_parts.report_url(other, _carried(asked, other)), other == kind)
                for other, (name, _) in KINDS.items()
            ],
            files=[
                (label, f"?{asked.query(format=extension)}")
                for extension, label in (("xlsx", "Excel"), ("pdf", "PDF"), ("csv", "CSV"))
            ]
            if asked and shown.get("tables")
            else [],
            accounts=report_parts.accounts_offered() if "account" in wanted else [],
            last_entry=_last_entry(asked) if asked and not refused and not shown.get("tables") else None,
        )


def _find(kind: str, asked: Asked) -> Any:
    """The report asked for; raises what its selector raises, and TooBroad when it takes too long."""
    start, end = asked.window
    try:
        with one_moment(), bounded_time(LONGEST_MS):
            if kind == "trial_balance":
                return trial_balance.trial_balance(start=start, end=end, fund=asked.fund)
            if kind == "profit_and_loss":
                return trial_balance.profit_and_loss(start=start, end=end, fund=asked.fund)
            if kind == "balance_sheet":
                return trial_balance.balance_sheet(as_of=end, fund=asked.fund)
            if kind == "account_statement":
                return _statement(asked)
            whole = bool(asked.file_format)
            if kind == "aging":
                return aging_report(
                    as_of=end,
                    today=local_date(timezone.now()),
                    offset=0 if whole else (asked.page - 1) * report_parts.SUMMARY_PAGE,
                    limit=None if whole else report_parts.SUMMARY_PAGE,
                )
            return summaries.summary(
                by=asked.by,
                start=start,
                end=end,
                offset=0 if whole else (asked.page - 1) * report_parts.SUMMARY_PAGE,
                limit=None if whole else report_parts.SUMMARY_PAGE,
            )
    except OperationalError as error:
        if sqlstate(error) != QUERY_CANCELED:
            raise
        raise TooBroad from error


def _statement(asked: Asked) -> Any:
    """The page of the statement, or an empty string as long as no account is chosen."""
    if not asked.account:
        return ""
    start, end = asked.window
    return account_statement(
        account=find_account(asked.account),
        start=start,
        end=end,
        fund=asked.fund,
        cursor=asked.cursor,
        limit=LINES_SHOWN,
    )


def _shown(kind: str, asked: Asked, found: Any, user: Any) -> dict[str, Any]:
    if kind == "trial_balance":
        return report_parts.trial_balance_page(found, asked)
    if kind == "profit_and_loss":
        return report_parts.profit_and_loss_page(found, asked)
    if kind == "balance_sheet":
        return report_parts.balance_sheet_page(found, asked)
    if kind == "account_statement":
        return report_parts.statement_page(found, asked, user) if found else {"choose_account": True}
    if kind == "aging":
        return report_parts.aging_page(found, asked, user)
    return report_parts.summary_page(found, asked, user)


def _file(kind: str, asked: Asked, found: Any) -> HttpResponseBase:
    export_format = report_files.FILE_FORMATS[asked.file_format]
    table = _table(kind, asked, found, export_format)
    account = found.account.code if kind == "account_statement" else None
    name = report_files.file_name(table.title, account, asked.start, asked.end, asked.fund)
    return as_download(table, export_format, name)


def _table(kind: str, asked: Asked, found: Any, export_format: str) -> Table:
    if kind == "trial_balance":
        return report_files.trial_balance_table(found)
    if kind == "profit_and_loss":
        return report_files.profit_and_loss_table(found)
    if kind == "balance_sheet":
        return report_files.balance_sheet_table(found)
    if kind == "account_statement":
        start, end = asked.window
        return report_files.statement_table(
            account=found.account, start=start, end=end, fund=asked.fund, export_format=export_format
        )
    if kind == "aging":
        return report_files.aging_table(found)
    return report_files.summary_table(found)


def _filled(asked: Asked) -> dict[str, Any]:
    """The form as the report was made, defaults included."""
    start, end = asked.window
    return {
        "account": asked.account, "by": asked.by, "fund": asked.fund or "", "from": start, "to": end, "as_of": end,
    }  # fmt: skip


def _when(asked: Asked) -> str:
    return f"As of {day(asked.end)}" if asked.start is None else f"{day(asked.start)} to {day(asked.end)}"


def _periods(asked: Asked, today: Any) -> list[Choice]:
    return report_filters.days(asked, today) if asked.start is None else report_filters.periods(asked, today)


def _carried(asked: Asked | None, kind: str) -> str:
    """The query under which another report shows the same period and fund."""
    if asked is None:
        return ""
    wanted = KINDS[kind][1]
    start, end = asked.window
    by = (asked.by or "driver") if "by" in wanted else ""
    account = asked.account if "account" in wanted else ""
    fund = asked.fund if "fund" in wanted else None
    return Asked(None if "as_of" in wanted else start, end, fund, account, by, None, 1, "").query()


def _last_entry(asked: Asked) -> Choice | None:
    """Where there is something to see, when there is nothing in the period shown."""
    last = last_entry_date()
    if last is None or asked.start is None or asked.start <= last <= asked.end:
        return None
    month = report_filters.month_of(last)
    query = asked.query(**{"from": month, "to": report_filters.last_day_of(month)})
    return Choice(f"{last:%B %Y}", f"?{query}")
