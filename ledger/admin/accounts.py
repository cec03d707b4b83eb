"""Driver accounts: what one driver owes on one lease, and everything that led there."""

from typing import Any, cast
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse

from batconnect.cases.models import CaseDocument
from batconnect.cases.registry import find_flow
from batconnect.cases.services.access import may_do, visible_cases
from batconnect.cases.ways import case_url, start_url
from batconnect.common.models import User
from batconnect.common.money import total
from batconnect.common.screens import (
    Action,
    Cell,
    Detail,
    Table,
    admin_url,
    day,
    list_url,
    moment,
    money_cell,
    money_column,
    text_column,
)
from ledger.models import DTR, CategoryRank, DriverAccount, InterimPayment, LedgerBalance, LedgerPosting

from .driver_statements import statement_view
from .posting_parts import link
from .search import AccountSearchAdmin, accounts_matching

LATEST = 50
REPORT_FIGURES = ("gross_earnings", "net_pay", "open_debits")
MOST_OPEN = 500
# What is done for a driver at the desk, from the driver's page; each begins with the driver found already.
DESK = (
    ("INTPAY", "Take a payment"),
    ("MISCEXP", "Charge an expense"),
    ("RPR", "Enter a repair"),
    ("DLN", "Lend"),
    ("ADJ", "Adjust"),
    ("WOFF", "Write off"),
)


@admin.register(DriverAccount)
class DriverAccountAdmin(AccountSearchAdmin):
    """One row per driver and lease. Debit balances are owed by the driver."""

    list_select_related = ("driver", "lease__medallion")
    list_display = (
        text_column("driver__name", "Driver", ordering="driver__name"),
        text_column("driver__tlc_license", "TLC licence", ordering="driver__tlc_license"),
        text_column("lease__number", "Lease", ordering="lease__number"),
        text_column("lease__medallion__number", "Medallion"),
        money_column("balance", "Balance", ordering="balance"),
    )
    search_help_text = "Driver's name or licence, lease number, or medallion"
    ordering = ("driver__name", "pk")

    def get_urls(self) -> list[URLPattern]:
        def statement(request: HttpRequest, account_id: int) -> HttpResponseBase:
            return statement_view(self, request, account_id)

        page = path(
            "<int:account_id>/statement/",
            self.admin_site.admin_view(statement),
            name="ledger_driveraccount_statement",
        )
        return [page, *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("driver", "lease__medallion", "lease__vehicle")

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        term = search_term.strip()
        return (queryset.filter(Q(pk__in=accounts_matching(term))) if term else queryset), False

    def detail(self, request: HttpRequest, record: DriverAccount) -> Detail:
        items = list(LedgerBalance.objects.filter(account=record, status="OPEN")[:MOST_OPEN])
        debits = [item for item in items if item.balance > 0]
        credits = [item for item in items if item.balance < 0]
        lease = record.lease
        ends = day(lease.ends_on) if lease.ends_on else "no end date"
        return Detail(
            title=record.driver.name,
            subtitle=f"TLC licence {record.driver.tlc_license}",
            badges=[(lease.get_status_display(), "info")],
            figures=[
                ("Balance", money_cell(record.balance)),
                ("Open charges", money_cell(total(item.balance for item in debits))),
                ("Open credits", money_cell(-total(item.balance for item in credits))),
            ],
            facts=[
                ("Driver", Cell(str(record.driver), link(record.driver))),
                ("Lease", Cell(f"{lease.number} · {lease.get_lease_type_display()}", link(lease))),
                ("Lease runs", Cell(f"{day(lease.starts_on)} to {ends}")),
                ("Medallion", Cell(lease.medallion.number, link(lease.medallion))),
                ("Vehicle", Cell(str(lease.vehicle), link(lease.vehicle))),
            ],
            actions=[
                *_desk(request, record),
                Action("Statement", reverse("admin:ledger_driveraccount_statement", args=[record.pk])),
            ],
            tables=[
                _open_charges(debits),
                *_open_credits(credits),
                _latest(record),
                _dtrs(record),
                _payments(record),
                *([_documents(request, record)] if request.user.has_perm("cases.view_case") else []),
            ],
        )


def _desk(request: HttpRequest, account: DriverAccount) -> list[Action]:
    found = urlencode({"q": account.driver.tlc_license})
    actions: list[Action] = []
    for prefix, label in DESK:
        flow = find_flow(prefix)
        if flow and may_do(cast(User, request.user), flow.steps[0]):
            actions.append(Action(label, f"{start_url(prefix)}?{found}", "default" if actions else "primary"))
    return actions


def _open_charges(items: list[LedgerBalance]) -> Table:
    ranks = dict(CategoryRank.objects.filter(side="DEBIT").values_list("category", "rank"))
    items.sort(key=lambda item: (ranks[item.category], item.due_on, item.created_at, item.reference_id))
    return Table(
        "Open charges, in the order they are paid",
        ["Category", "Reference", "Due", "#Amount", "#Still open"],
        [_item_row(item) for item in items],
        empty="Nothing is owed.",
        footer=[
            Cell("Total"),
            Cell(""),
            Cell(""),
            Cell(""),
            money_cell(total(item.balance for item in items)),
        ],
    )


def _open_credits(items: list[LedgerBalance]) -> list[Table]:
    if not items:
        return []
    headers = ["Category", "Reference", "Since", "#Amount", "#Still open"]
    return [Table("Open credits", headers, [_item_row(item) for item in items])]


def _item_row(item: LedgerBalance) -> list[Cell]:
    return [
        Cell(item.get_category_display()),
        Cell(item.reference_id, admin_url(LedgerPosting, item.pk)),
        Cell(day(item.due_on or item.effective_on)),
        money_cell(item.original_amount),
        money_cell(item.balance, look="strong"),
    ]


def _latest(account: DriverAccount) -> Table:
    """The last postings, newest first; the running balance is counted back from today's."""
    postings = list(account.postings.order_by("-seq")[:LATEST])
    running, rows = account.balance, []
    for posting in postings:
        voided = posting.status == LedgerPosting.Status.VOIDED
        note = "reversal" if posting.reversal_for_id else "voided" if voided else ""
        rows.append(
            [
                Cell(day(posting.effective_on)),
                Cell(posting.get_category_display()),
                Cell(posting.reference_id, admin_url(posting)),
                Cell(note, look="muted"),
                money_cell(posting.amount),
                money_cell(running),
            ]
        )
        running -= posting.amount
    more = Cell("All postings of this account", list_url(LedgerPosting, f"account__exact={account.pk}"))
    return Table(
        "Latest postings",
        ["Accounted on", "Category", "Reference", "", "#Amount", "#Balance after"],
        rows,
        empty="Nothing was posted yet.",
        more=more if len(postings) == LATEST else None,
    )


def _dtrs(account: DriverAccount) -> Table:
    reports = DTR.objects.filter(account=account).only("number", "week", "status", *REPORT_FIGURES)
    reports = reports.order_by("-week")[:26]
    return Table(
        "DTRs",
        ["Number", "Week", "#Earned", "#Net pay", "#Still owed", "Status"],
        [
            [
                Cell(report.number, admin_url(report)),
                Cell(day(report.week)),
                money_cell(report.gross_earnings),
                money_cell(report.net_pay),
                money_cell(report.open_debits),
                Cell(report.get_status_display()),
            ]
            for report in reports
        ],
        empty="No week was run for this lease yet.",
    )


def _payments(account: DriverAccount) -> Table:
    payments = InterimPayment.objects.filter(account=account)[:20]
    return Table(
        "Payments at the desk",
        ["Receipt", "Received", "Method", "#Amount"],
        [
            [
                Cell(payment.number, admin_url(payment)),
                Cell(day(payment.received_on)),
                Cell(payment.get_method_display()),
                money_cell(payment.amount),
            ]
            for payment in payments
        ],
        empty="None.",
    )


def _documents(request: HttpRequest, account: DriverAccount) -> Table:
    """Papers put to the cases of this driver and lease that this person may see."""
    of_lease = Q(case__data__lease_id=account.lease_id) | Q(case__result__lease_id=account.lease_id)
    documents = (
        CaseDocument.objects.filter(of_lease, case__in=visible_cases(cast(User, request.user)))
        .select_related("case", "uploaded_by")
        .order_by("-id")
    )
    return Table(
        "Documents",
        ["Name", "Case", "Attached", "By"],
        [
            [
                Cell(document.name, f"{case_url(document.case, 'number')}document/{document.pk}/"),
                Cell(f"{document.case.case_no} {document.case.subject}", admin_url(document.case)),
                Cell(moment(document.uploaded_at)),
                Cell(str(document.uploaded_by)),
            ]
            for document in documents[:LATEST]
        ],
        empty="No document is attached to a case of this lease.",
    )
