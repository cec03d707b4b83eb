"""Postings: find one, see everything that hangs on it, and void it after seeing what that does."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.contrib.filters.admin import ChoicesCheckboxFilter, RadioFilter, RangeDateFilter
from unfold.widgets import UnfoldAdminSingleDateWidget, UnfoldAdminTextareaWidget

from batconnect.common.errors import BatConnectError
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
from batconnect.common.weeks import local_date
from ledger.models import DTR, Category, EntryType, LedgerPosting, WeeklyRun
from ledger.services import voids
from ledger.services.void_approval import check_alone

from . import journal_parts, posting_parts
from .search import AccountSearchAdmin

POSTED_TONES = {"POSTED": "success", "VOIDED": "danger"}
# The least length is the service's rule; it answers with its own sentence.
NOT_VOIDED_ALONE = (Category.EARNINGS, Category.TAXES)


class SideFilter(RadioFilter):
    """Debits or credits; the column is computed by the database, so its choices are given here."""

    title = "entry type"
    parameter_name = "entry_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(value), str(label)) for value, label in EntryType.choices]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(entry_type=self.value()) if self.value() else queryset


class VoidForm(forms.Form):
    """Why a posting is voided, and optionally the date it is accounted on."""

    reason = forms.CharField(
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        max_length=voids.LONGEST_REASON,
        help_text="At least 10 characters. The next reader has only this sentence.",
    )
    accounting_date = forms.DateField(
        required=False,
        widget=UnfoldAdminSingleDateWidget(attrs={"type": "date"}),
        help_text="Leave empty for today. It must lie in an open week.",
    )


@admin.register(LedgerPosting)
class LedgerPostingAdmin(AccountSearchAdmin):
    """Every financial event. Nothing here is ever changed; a mistake is voided."""

    finds_references = True
    list_select_related = ("driver", "lease", "medallion")
    list_display = (
        text_column("reference_id", "Reference"),
        text_column("category", "Category"),
        text_column("driver__name", "Driver"),
        text_column("lease__number", "Lease"),
        text_column("medallion__number", "Medallion"),
        day_column("effective_on", "Accounted on"),
        day_column("due_on", "Due"),
        money_column("amount", "Amount"),
        label_column("status", "Status", POSTED_TONES),
    )
    list_filter = (
        ("category", ChoicesCheckboxFilter),
        ("status", ChoicesCheckboxFilter),
        SideFilter,
        ("effective_on", RangeDateFilter),
    )
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> Any:
        found = super().get_queryset(request)
        if request.resolver_match and request.resolver_match.url_name == "ledger_ledgerposting_changelist":
            return found
        return found.select_related(
            "account",
            "driver",
            "lease",
            "vehicle",
            "medallion",
            "created_by",
            "open_item",
            "reversal_for",
            "replaces",
        )

    def get_urls(self) -> list[URLPattern]:
        void = path(
            "<uuid:posting_id>/void/",
            self.admin_site.admin_view(self.void_view),
            name="ledger_ledgerposting_void",
        )
        return [void, *super().get_urls()]

    def detail(self, request: HttpRequest, record: LedgerPosting) -> Detail:
        actions = []
        if request.user.has_perm("ledger.void_posting") and _may_be_voided(record):
            void = reverse("admin:ledger_ledgerposting_void", args=[record.pk])
            actions.append(Action("Void…", void, look="danger"))
        item = record.open_item
        return Detail(
            title=f"{record.get_category_display()} {record.reference_id}",
            subtitle=record.description,
            badges=_badges(record),
            figures=[
                ("Amount", money_cell(record.amount)),
                ("Still open", money_cell(item.balance)),
                ("Account balance", money_cell(record.account.balance, admin_url(record.account))),
            ],
            facts=_facts(record),
            tables=[
                *posting_parts.allocation_tables(record),
                *posting_parts.origin_tables(record),
                posting_parts.audit_table(
                    f"posting:{record.pk}",
                    empty="Nothing by itself: what a run or a case posts is in the trail of that run or case.",
                ),
            ],
            actions=actions,
        )

    def void_view(self, request: HttpRequest, posting_id: UUID) -> HttpResponse:
        """Show what a void does, ask why, then do it."""
        if not request.user.has_perm("ledger.void_posting"):
            raise PermissionDenied
        posting = get_object_or_404(self.get_queryset(request), pk=posting_id)
        form = VoidForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                check_alone(posting_id)
                reversal = voids.void_posting(
                    posting_id=posting_id,
                    reason=form.cleaned_data["reason"],
                    actor=request.user,  # type: ignore[arg-type]
                    on=local_date(timezone.now()),
                    accounting_date=form.cleaned_data["accounting_date"],
                )
            except BatConnectError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, f"{posting.reference_id} is voided. This is its reversal.")
                return HttpResponseRedirect(admin_url(reversal))
        return self.render(
            request,
            "admin/form_page.html",
            detail=_void_preview(posting, request.user),
            refused="" if _may_be_voided(posting) else _why_not(posting),
            form=form if _may_be_voided(posting) else None,
            title="Void a posting",
            submit_label="Void this posting",
            submit_look="danger",
            cancel_url=admin_url(posting),
        )


def _may_be_voided(posting: LedgerPosting) -> bool:
    return (
        posting.status == LedgerPosting.Status.POSTED
        and posting.reversal_for_id is None
        and posting.category not in NOT_VOIDED_ALONE
    )


def _badges(posting: LedgerPosting) -> list[tuple[str, str]]:
    badges = [
        (posting.get_status_display(), POSTED_TONES[posting.status]),
        (posting.entry_type.lower(), "info"),
    ]
    if posting.reversal_for_id:
        badges.append(("reversal", "warning"))
    if posting.replaces_id:
        badges.append(("replacement", "warning"))
    return badges


def _facts(posting: LedgerPosting) -> list[tuple[str, Cell]]:
    facts = [
        ("Driver", Cell(str(posting.driver), admin_url(posting.account))),
        ("Lease", Cell(posting.lease.number, posting_parts.link(posting.lease))),
        ("Medallion", Cell(posting.medallion.number, posting_parts.link(posting.medallion))),
        ("Vehicle", Cell(str(posting.vehicle), posting_parts.link(posting.vehicle))),
        ("Accounted on", Cell(day(posting.effective_on))),
        ("Happened on", Cell(day(posting.event_on))),
        ("Due on", Cell(day(posting.due_on))),
        ("Recorded", Cell(f"{moment(posting.created_at)} by {posting.created_by}")),
    ]
    if posting.product:
        facts.append(("Product", Cell(posting.product)))
    for name, part in (posting.components or {}).items():
        facts.append((f"Of this, {name}", money_cell(part)))
    if posting.reason:
        facts.append(("Reason", Cell(posting.reason)))
    if posting.run_week:
        facts.append(
            ("Posted by the run of", Cell(day(posting.run_week), admin_url(WeeklyRun, posting.run_week)))
        )
    entry = journal_parts.entry_of(posting)
    if entry:
        facts.append(("Journal entry", entry))
    facts.extend(posting_parts.relatives(posting))
    return facts


def _void_preview(posting: LedgerPosting, user: Any) -> Detail:
    title = f"Void {posting.get_category_display()} {posting.reference_id}?"
    if not _may_be_voided(posting):
        return Detail(
            title=title,
            badges=_badges(posting),
            actions=_instead(posting, user),
        )
    before = posting.account.balance
    return Detail(
        title=title,
        subtitle=f"{posting.driver}, lease {posting.lease.number}",
        figures=[
            ("This posting", money_cell(posting.amount)),
            ("Its reversal, dated today", money_cell(-posting.amount)),
            ("Account balance now", money_cell(before)),
            ("Account balance afterwards", money_cell(before - posting.amount)),
        ],
        tables=[posting_parts.effects_of_void(posting)],
    )


def _why_not(posting: LedgerPosting) -> str:
    if posting.reversal_for_id:
        return "This is itself a reversal, and reversals are not voided. Post the charge anew."
    if posting.status == LedgerPosting.Status.VOIDED:
        return "This posting was voided before."
    what = posting.get_category_display()
    return f"{what} of a week are taken back only as a whole: reverse the settlement of the lease's week."


def _instead(posting: LedgerPosting, user: Any) -> list[Action]:
    """What of a week is taken back only as a whole leads to where that is done."""
    if posting.category not in NOT_VOIDED_ALONE or posting.run_week is None:
        return []
    if not user.has_perm("ledger.reverse_settlement"):
        return []
    report = DTR.objects.filter(account_id=posting.account_id, week=posting.run_week).only("pk").first()
    if report is None:
        return []
    return [
        Action(
            "Reverse the settlement…", reverse("admin:ledger_dtr_reverse", args=[report.pk]), look="danger"
        )
    ]
