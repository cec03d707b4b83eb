"""Open items, allocations and desk payments: lists and read-only pages."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from unfold.contrib.filters.admin import ChoicesCheckboxFilter, RadioFilter, RangeDateFilter

from batconnect.common.screens import (
    Action,
    Cell,
    Detail,
    admin_url,
    day,
    day_column,
    label_column,
    moment,
    money_cell,
    money_column,
    text_column,
)
from ledger.models import InterimPayment, LedgerAllocation, LedgerBalance, LedgerPosting
from ledger.selectors.drawers import banked_check

from . import posting_parts
from .search import AccountSearchAdmin

OPEN_TONES = {"OPEN": "warning", "CLOSED": "success"}


class OpenFilter(RadioFilter):
    """Open or closed; the column is computed by the database, so its choices are given here."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(value), str(label)) for value, label in LedgerBalance.Status.choices]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(status=self.value()) if self.value() else queryset


@admin.register(LedgerBalance)
class LedgerBalanceAdmin(AccountSearchAdmin):
    """What is still open of each posting."""

    finds_references = True
    list_display = (
        text_column("reference_id", "Reference"),
        text_column("category", "Category"),
        text_column("account__driver__name", "Driver"),
        text_column("account__lease__number", "Lease"),
        day_column("due_on", "Due"),
        money_column("original_amount", "Amount"),
        money_column("balance", "Still open"),
        label_column("status", "Status", OPEN_TONES),
    )
    list_filter = (
        OpenFilter,
        ("category", ChoicesCheckboxFilter),
        ("due_on", RangeDateFilter),
    )
    ordering = ("-posting_id",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("posting", "account__driver", "account__lease")

    def detail(self, request: HttpRequest, record: LedgerBalance) -> Detail:
        return Detail(
            title=f"{record.get_category_display()} {record.reference_id}",
            badges=[(record.status.capitalize(), OPEN_TONES[record.status])],
            figures=[
                ("Amount", money_cell(record.original_amount)),
                ("Still open", money_cell(record.balance)),
            ],
            facts=[
                ("Posting", Cell(posting_parts.named(record.posting), admin_url(record.posting))),
                ("Driver", Cell(str(record.account.driver), admin_url(record.account))),
                ("Due on", Cell(day(record.due_on))),
                ("Last allocated on", Cell(day(record.last_allocated_on))),
            ],
            tables=posting_parts.allocation_tables(record.posting),
        )


@admin.register(LedgerAllocation)
class LedgerAllocationAdmin(AccountSearchAdmin):
    """Which credit paid which debit. A negative row undoes an earlier one."""

    list_select_related = ("account__driver", "credit", "debit")
    list_display = (
        text_column("id", "No."),
        day_column("effective_on", "On"),
        text_column("account__driver__name", "Driver"),
        text_column("credit__category", "Credit"),
        text_column("credit__reference_id", "Its reference"),
        text_column("debit__category", "Put to"),
        text_column("debit__reference_id", "Its reference"),
        money_column("amount", "Amount"),
    )
    list_filter = (("effective_on", RangeDateFilter),)
    ordering = ("-id",)

    def detail(self, request: HttpRequest, record: LedgerAllocation) -> Detail:
        facts = [
            ("Credit", Cell(posting_parts.named(record.credit), admin_url(record.credit))),
            ("Put to", Cell(posting_parts.named(record.debit), admin_url(record.debit))),
            ("On", Cell(day(record.effective_on))),
            ("Account", Cell(str(record.account.driver), admin_url(record.account))),
            ("Recorded", Cell(f"{moment(record.created_at)} by {record.created_by}")),
        ]
        if record.undoes:
            facts.append(("Undoes", Cell(f"allocation {record.undoes_id}", admin_url(record.undoes))))
        for undo in record.undone_by.all():
            facts.append(("Undone by", Cell(f"allocation {undo.pk}", admin_url(undo))))
        return Detail(
            title=f"Allocation {record.pk}",
            badges=[("undo", "warning")] if record.undoes_id else [],
            figures=[("Amount", money_cell(record.amount))],
            facts=facts,
        )


@admin.register(InterimPayment)
class InterimPaymentAdmin(AccountSearchAdmin):
    """Payments at the desk, by receipt."""

    empty_note = "A driver's payment is taken under Take a payment."
    list_display = (
        text_column("number", "Receipt", ordering="number"),
        day_column("received_on", "Received", ordering="received_on"),
        text_column("account__driver__name", "Driver"),
        text_column("account__lease__number", "Lease"),
        text_column("method", "Method"),
        text_column("method_reference", "Reference"),
        money_column("amount", "Amount", ordering="amount"),
    )
    list_filter = (("method", ChoicesCheckboxFilter), ("received_on", RangeDateFilter))
    search_help_text = "Receipt number, driver's name or licence, lease number, or medallion"

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        number = search_term.strip().upper()
        if queryset.filter(number=number).exists():
            return queryset.filter(number=number), False
        return super().get_search_results(request, queryset, search_term)

    def detail(self, request: HttpRequest, record: InterimPayment) -> Detail:
        return Detail(
            title=f"Receipt {record.number}",
            badges=[
                (record.get_method_display(), "info"),
                (
                    record.posting.get_status_display(),
                    "success" if record.posting.status == LedgerPosting.Status.POSTED else "danger",
                ),
            ],
            actions=_payment_actions(request, record),
            figures=[
                ("Received", money_cell(record.amount)),
                ("Not yet used", money_cell(-record.posting.open_item.balance)),
            ],
            facts=[
                ("Driver", Cell(str(record.account.driver), admin_url(record.account))),
                ("Lease", Cell(record.account.lease.number, posting_parts.link(record.account.lease))),
                ("Received on", Cell(day(record.received_on))),
                ("Check or ACH", Cell(record.method_reference or "–")),
                ("Posting", Cell(record.posting.reference_id, admin_url(record.posting))),
                ("Recorded", Cell(f"{moment(record.created_at)} by {record.created_by}")),
            ],
            tables=[
                posting_parts.receipt_table(
                    record,
                    "As the receipt says",
                    "Put to nothing when it was taken: it stayed an open credit.",
                ),
                *posting_parts.allocation_tables(record.posting),
            ],
        )


def _payment_actions(request: HttpRequest, record: InterimPayment) -> list[Action]:
    """A check that was banked may have come back."""
    if (
        record.posting.status != LedgerPosting.Status.POSTED
        or not request.user.has_perm("ledger.bounce_check")
        or banked_check(record) is None
    ):
        return []
    return [
        Action("Check bounced…", reverse("admin:ledger_drawerclose_bounce", args=[record.pk]), look="danger")
    ]
