"""Adjustments, write-offs and refunds: the list of what was decided, by whom and why."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesCheckboxFilter, RangeDateFilter

from batconnect.cases.models import Case
from batconnect.cases.ways import case_url, start_url
from batconnect.common.screens import (
    Action,
    Cell,
    Detail,
    Table,
    admin_url,
    day,
    day_column,
    label_column,
    moment,
    money_cell,
    money_column,
    text_column,
)
from ledger.models import Category, CreditDecision, LedgerPosting

from .posting_parts import allocation_tables, audit_table, link
from .search import AccountSearchAdmin

TONES = {"ADJUSTMENT": "info", "WRITE_OFF": "danger", "REFUND": "warning"}


@admin.register(CreditDecision)
class CreditDecisionAdmin(AccountSearchAdmin):
    """What was granted, written off and paid back."""

    empty_note = "Adjustments, write-offs and refunds are cases of the desk: begin one from the menu."
    list_display = (
        text_column("number", "Number", ordering="number"),
        day_column("decided_on", "Decided", ordering="decided_on"),
        label_column("kind", "Kind", TONES),
        text_column("account__driver__name", "Driver"),
        text_column("account__lease__number", "Lease"),
        money_column("amount", "Amount", ordering="amount"),
        text_column("asked_by__username", "Asked by"),
        text_column("approved_by__username", "Approved by"),
        text_column("reason", "Why"),
    )
    list_select_related = ("account__driver", "account__lease", "asked_by", "approved_by")
    list_filter = (("kind", ChoicesCheckboxFilter), ("decided_on", RangeDateFilter))
    search_help_text = "Number, driver's name or licence, lease number, or medallion"
    ordering = ("-id",)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        number = search_term.strip().upper()
        if queryset.filter(number=number).exists():
            return queryset.filter(number=number), False
        return super().get_search_results(request, queryset, search_term)

    def detail(self, request: HttpRequest, record: CreditDecision) -> Detail:
        posting = record.posting
        case = Case.objects.filter(case_no=record.case_no).first() if record.case_no else None
        actions = []
        if posting.status == LedgerPosting.Status.POSTED and request.user.has_perms(
            ["cases.process_case", "ledger.void_posting"]
        ):
            actions.append(Action("Void…", f"{start_url('VOID')}?q={posting.pk}", look="danger"))
        how = f"{record.get_method_display()} {record.method_reference}".strip()
        return Detail(
            title=record.number,
            subtitle=f"{record.get_kind_display()}: {record.account.driver}, lease {record.account.lease.number}",
            badges=[
                (record.get_kind_display(), TONES[record.kind]),
                *([("voided", "danger")] if posting.status == LedgerPosting.Status.VOIDED else []),
            ],
            figures=[
                ("Amount", money_cell(record.amount, admin_url(posting))),
                ("Open of it", money_cell(abs(posting.open_item.balance))),
                ("Account balance", money_cell(record.account.balance, admin_url(record.account))),
            ],
            facts=[
                ("Why", Cell(record.reason, look="long")),
                ("Asked by", Cell(str(record.asked_by))),
                ("Approved by", Cell(str(record.approved_by or "nobody: below the amount that needs it"))),
                *([("Paid back by", Cell(how))] if record.method else []),
                ("Decided", Cell(f"{day(record.decided_on)}, entered {moment(record.created_at)}")),
                ("Lease", Cell(record.account.lease.number, link(record.account.lease))),
                ("Case", Cell(record.case_no, case_url(case)) if case else Cell("–")),
            ],
            tables=[
                Table(
                    "As it was decided",
                    ["Category", "Reference", "#Amount"],
                    [
                        [
                            Cell(str(Category(part["category"]).label)),
                            Cell(part["reference_id"]),
                            money_cell(part["amount"]),
                        ]
                        for part in record.parts
                    ],
                    empty="Put to no item: it became open credit.",
                ),
                *allocation_tables(posting),
                audit_table(f"credit:{record.number}"),
            ],
            actions=actions,
        )
