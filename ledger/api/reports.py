"""The financial reports: as JSON, or as a file of the same figures."""

from typing import Any

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from batconnect.api.pagination import bounded_time, page_bounds, page_of
from batconnect.api.schema import Error
from batconnect.api.views import ApiView, today
from batconnect.exports import Table
from batconnect.exports.download import as_download

from ..models import Account
from ..selectors import account_statements, summaries, trial_balance
from ..selectors.account_balances import one_moment
from ..services import report_files
from . import report_queries as queries
from . import report_schemas as schemas

READ = {"GET": "ledger.read_reports"}
REPORT_TIMEOUT_MS = 60_000


def _answers(schema: Any) -> Any:
    return {
        (200, "application/json"): schema,
        (200, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"): OpenApiTypes.BINARY,
        (200, "application/pdf"): OpenApiTypes.BINARY,
        (200, "text/csv"): OpenApiTypes.BINARY,
        (404, "application/json"): OpenApiResponse(
            Error, description="There is no such account, fund or currency."
        ),
        (409, "application/json"): OpenApiResponse(
            Error, description="Lines are asked for that were archived; whole months are not."
        ),
    }


class _Report(ApiView):
    permissions = READ

    @property
    def wants_file(self) -> bool:
        return bool(self.query["format"] != "json")

    def file(self, table: Table, *parts: Any) -> HttpResponseBase:
        export_format = report_files.FILE_FORMATS[self.query["format"]]
        return as_download(table, export_format, report_files.file_name(table.title, *parts))


class TrialBalance(_Report):
    query_class = queries.TrialBalanceQuery

    @extend_schema(tags=["reports"], operation_id="trial_balance", responses=_answers(schemas.TrialBalance))
    def get(self, request: Request) -> HttpResponseBase:
        """Show the trial balance: every account's opening, debits, credits and closing, by fund."""
        start, end, fund = self.query["start"], self.query["end"], self.query.get("fund")
        with one_moment(), bounded_time(REPORT_TIMEOUT_MS):
            report = trial_balance.trial_balance(start=start, end=end, fund=fund)
            uids = dict(
                Account.objects.filter(pk__in={row.account_id for row in report.rows}).values_list(
                    "pk", "uid"
                )
            )
        if self.wants_file:
            return self.file(report_files.trial_balance_table(report), start, end, fund)
        return Response(
            {
                "from": start,
                "to": end,
                "fund": fund,
                "balanced": report.balanced,
                "rows": [
                    {
                        "account": row.code,
                        "account_id": uids[row.account_id],
                        "name": row.name,
                        "type": row.type,
                        "currency": row.currency,
                        "fund": row.fund,
                        **_figures(row),
                    }
                    for row in report.rows
                ],
                "totals": [_sums(sums) for sums in report.totals],
                "funds": [{**_sums(sums), "fund": sums.fund} for sums in report.funds],
            }
        )


class ProfitAndLoss(_Report):
    query_class = queries.ProfitAndLossQuery

    @extend_schema(
        tags=["reports"], operation_id="profit_and_loss", responses=_answers(schemas.ProfitAndLoss)
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Show income, expenses and the result of a period."""
        start, end, fund = self.query["start"], self.query["end"], self.query.get("fund")
        with one_moment(), bounded_time(REPORT_TIMEOUT_MS):
            report = trial_balance.profit_and_loss(
                start=start, end=end, fund=fund, currency=self.query["currency"]
            )
        if self.wants_file:
            return self.file(report_files.profit_and_loss_table(report), start, end, fund)
        return Response(
            {
                "from": start,
                "to": end,
                "fund": fund,
                "currency": report.currency,
                "income": _section(report.income),
                "expenses": _section(report.expenses),
                "result": report.result,
                "other_currencies": report.other_currencies,
            }
        )


class BalanceSheet(_Report):
    query_class = queries.BalanceSheetQuery

    @extend_schema(tags=["reports"], operation_id="balance_sheet", responses=_answers(schemas.BalanceSheet))
    def get(self, request: Request) -> HttpResponseBase:
        """Show assets against liabilities, equity and the result to date."""
        as_of, fund = self.query.get("as_of") or today(), self.query.get("fund")
        with one_moment(), bounded_time(REPORT_TIMEOUT_MS):
            report = trial_balance.balance_sheet(as_of=as_of, fund=fund, currency=self.query["currency"])
        if self.wants_file:
            return self.file(report_files.balance_sheet_table(report), as_of, fund)
        return Response(
            {
                "as_of": as_of,
                "fund": fund,
                "currency": report.currency,
                "balanced": report.balanced,
                "assets": _section(report.assets),
                "liabilities": _section(report.liabilities),
                "equity": _section(report.equity),
                "result_of_earlier_years": report.result_before,
                "result_of_year": report.result_of_year,
                "liabilities_and_equity": report.liabilities_and_equity,
                "other_currencies": report.other_currencies,
            }
        )


class AccountStatement(_Report):
    query_class = queries.StatementQuery

    @extend_schema(tags=["reports"], operation_id="account_statement", responses=_answers(schemas.Statement))
    def get(self, request: Request) -> HttpResponseBase:
        """List an account's lines of a period, oldest first, each with what it comes from and the balance after it."""
        start, end, fund = self.query["start"], self.query["end"], self.query.get("fund")
        account = account_statements.find_account(self.query["account"])
        if self.wants_file:
            export_format = report_files.FILE_FORMATS[self.query["format"]]
            table = report_files.statement_table(
                account=account, start=start, end=end, fund=fund, export_format=export_format
            )
            return self.file(table, account.code, start, end, fund)
        with one_moment(), bounded_time(REPORT_TIMEOUT_MS):
            report = account_statements.account_statement(
                account=account,
                start=start,
                end=end,
                fund=fund,
                cursor=self.query.get("cursor"),
                limit=self.query["limit"],
            )
        return Response(
            {
                "account": account.code,
                "name": account.name,
                "type": account.type,
                "currency": account.currency_id,
                "from": start,
                "to": end,
                "fund": fund,
                **_figures(report.figures),
                "balance_before": report.balance_before,
                "items": [_line(line) for line in report.lines],
                "next_cursor": report.next_cursor,
            }
        )


class Summary(_Report):
    query_class = queries.SummaryQuery

    @extend_schema(tags=["reports"], operation_id="ledger_summary", responses=_answers(schemas.SummaryPage))
    def get(self, request: Request) -> HttpResponseBase:
        """Add up what was posted in a period by driver, lease, vehicle, medallion or category."""
        first, last = page_bounds(self.query)
        with bounded_time(REPORT_TIMEOUT_MS):
            report = summaries.summary(
                by=self.query["by"],
                start=self.query["start"],
                end=self.query["end"],
                sort_by=self.query["sort_by"],
                descending=self.query["sort_order"] == "desc",
                offset=0 if self.wants_file else first,
                limit=None if self.wants_file else last - first,
            )
        if self.wants_file:
            return self.file(report_files.summary_table(report), report.start, report.end)
        page = page_of(report.rows, self.query, report.total_rows)
        return Response(
            {"by": report.by, "from": report.start, "to": report.end, "totals": report.totals, **page}
        )


def _figures(figures: Any) -> dict[str, Any]:
    return {name: getattr(figures, name) for name in ("opening", "debits", "credits", "closing")}


def _sums(sums: trial_balance.Sums) -> dict[str, Any]:
    return {"currency": sums.currency, **_figures(sums), "balanced": sums.balanced}


def _section(section: trial_balance.Section) -> dict[str, Any]:
    return {
        "accounts": [
            {
                "account": line.account.code,
                "name": line.account.name,
                "fund": line.account.fund,
                "amount": line.amount,
            }
            for line in section.lines
        ],
        "total": section.total,
    }


def _line(line: account_statements.StatementLine) -> dict[str, Any]:
    names = (
        "je_number", "line_number", "fund", "side", "amount", "balance", "origin", "event_on", "description",
        "reference", "is_reversal", "posting_id", "category", "driver_id", "driver_name",
    )  # fmt: skip
    return {"date": line.je_date, **{name: getattr(line, name) for name in names}}
