"""DTRs: the statement as it was frozen, its PDF, and recording how it was paid."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.contrib.filters.admin import ChoicesCheckboxFilter, RangeDateFilter
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

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
from ledger.models import DTR, PaymentMethod
from ledger.services import statements, voids
from ledger.services.dtr_pdf import render_dtr_pdf

from . import payout_desk, settlement_parts, statement_parts
from .posting_parts import audit_table, link
from .search import AccountSearchAdmin

STATUS_TONES = {"DRAFT": "info", "FINALIZED": "warning", "PAID": "success"}


def _today() -> Any:
    return local_date(timezone.now())


class PayForm(forms.Form):
    """How a DTR's net pay was handed over."""

    on = forms.DateField(
        label="Paid on", initial=_today, widget=UnfoldAdminSingleDateWidget(attrs={"type": "date"})
    )
    method = forms.ChoiceField(choices=PaymentMethod.choices, widget=UnfoldAdminSelectWidget())
    method_reference = forms.CharField(
        label="Check number or ACH reference",
        required=False,
        max_length=60,
        widget=UnfoldAdminTextInputWidget(),
    )


class ReturnForm(forms.Form):
    """Why a payment came back."""

    on = forms.DateField(
        label="Came back on", initial=_today, widget=UnfoldAdminSingleDateWidget(attrs={"type": "date"})
    )
    reason = forms.CharField(max_length=500, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}))


@admin.register(DTR)
class DTRAdmin(AccountSearchAdmin):
    """Driver transaction reports, one per lease and week."""

    empty_note = "Each lease gets one when its week is run."
    list_select_related = ("driver", "lease")
    list_display = (
        text_column("number", "Number", ordering="number"),
        day_column("week", "Week", ordering="week"),
        text_column("driver__name", "Driver"),
        text_column("lease__number", "Lease"),
        money_column("gross_earnings", "Earned"),
        money_column("net_pay", "Net pay", ordering="net_pay"),
        money_column("open_debits", "Still owed", ordering="open_debits"),
        label_column("status", "Status", STATUS_TONES),
    )
    list_filter = (("status", ChoicesCheckboxFilter), ("week", RangeDateFilter))
    search_help_text = "DTR number, driver's name or licence, lease number, or medallion"

    def get_queryset(self, request: HttpRequest) -> Any:
        found = super().get_queryset(request)
        if request.resolver_match and request.resolver_match.url_name == "ledger_dtr_changelist":
            # What was frozen is large, and a list shows none of it.
            return found.defer("figures", "charges", "trip_log", "still_open")
        return found.select_related("driver", "lease", "account", "payout")

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        number = search_term.strip().upper()
        if number.startswith("DTR-"):
            return queryset.filter(number=number), False
        return super().get_search_results(request, queryset, search_term)

    def get_urls(self) -> list[URLPattern]:
        pages = [
            ("pdf", self.pdf_view),
            ("pay", self.pay_view),
            ("return", self.return_view),
            ("reverse", self.reverse_view),
        ]
        return [
            *(
                path(f"<int:dtr_id>/{name}/", self.admin_site.admin_view(view), name=f"ledger_dtr_{name}")
                for name, view in pages
            ),
            *super().get_urls(),
        ]

    def detail(self, request: HttpRequest, record: DTR) -> Detail:
        data = record.data
        refused = settlement_parts.refusal(record)
        settled = statement_parts.settled_pages(record)
        return Detail(
            title=record.number,
            subtitle=f"{data['driver']['name']}, week of {day(record.week)} to {day(data['week_end'])}",
            badges=_badges(record, refused),
            figures=[
                ("Card earnings", money_cell(record.gross_earnings, settled.get("EARNINGS", ""))),
                ("Paid to debts", money_cell(record.allocated)),
                ("Net pay", money_cell(record.net_pay, admin_url(record.payout) if record.payout else "")),
                ("Still owed", money_cell(record.open_debits, admin_url(record.account))),
            ],
            facts=[
                (
                    "Driver",
                    Cell(f"{data['driver']['name']} ({data['driver']['tlc_license']})", link(record.driver)),
                ),
                ("Lease", Cell(f"{data['lease']['number']} · {data['lease']['type']}", link(record.lease))),
                ("Medallion", Cell(data["medallion"])),
                ("Vehicle", Cell(f"{data['vehicle']['plate'] or 'no plate'} ({data['vehicle']['vin']})")),
                ("Trips", Cell(statement_parts.trip_counts(data))),
                ("Credit in hand", money_cell(data["open_credits"])),
                ("Frozen", Cell(moment(record.frozen_at))),
                *statement_parts.alerts(data),
            ],
            tables=[*statement_parts.statement_tables(record, settled), audit_table(f"dtr:{record.number}")],
            actions=_actions(request, record, refused),
        )

    def pdf_view(self, request: HttpRequest, dtr_id: int) -> HttpResponse:
        dtr = get_object_or_404(self.get_queryset(request), pk=dtr_id)
        if not self.has_view_permission(request, dtr):
            raise PermissionDenied
        return HttpResponse(
            render_dtr_pdf(dtr),
            content_type="application/pdf",
            headers={"Content-Disposition": f'inline; filename="{dtr.number}.pdf"'},
        )

    def pay_view(self, request: HttpRequest, dtr_id: int) -> HttpResponse:
        return self._record(
            request, dtr_id, PayForm, "Record {number} as paid?", statements.pay_dtr, "Record as paid"
        )

    def return_view(self, request: HttpRequest, dtr_id: int) -> HttpResponse:
        return self._record(
            request,
            dtr_id,
            ReturnForm,
            "The payment of {number} came back?",
            statements.return_payment,
            "Record as returned",
        )

    def reverse_view(self, request: HttpRequest, dtr_id: int) -> HttpResponse:
        """Show what reversing the week's settlement takes back, ask why, then do it."""
        if not request.user.has_perm("ledger.reverse_settlement"):
            raise PermissionDenied
        dtr = get_object_or_404(self.get_queryset(request), pk=dtr_id)
        form = settlement_parts.ReverseForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                voids.reverse_settlement(
                    account=dtr.account,
                    week=dtr.week,
                    reason=form.cleaned_data["reason"],
                    actor=request.user,  # type: ignore[arg-type]
                    on=_today(),
                )
            except BatConnectError as error:
                form.add_error(None, str(error))
            else:
                messages.success(
                    request, f"The settlement of {dtr.number} is reversed; its trips go to the next run."
                )
                return HttpResponseRedirect(admin_url(dtr))
        detail, refused = settlement_parts.reversal_page(dtr)
        return self.render(
            request,
            "admin/form_page.html",
            detail=detail,
            refused=refused,
            form=None if refused else form,
            title="Reverse a settlement",
            submit_label="Reverse this settlement",
            submit_look="danger",
            cancel_url=admin_url(dtr),
        )

    def _record(
        self,
        request: HttpRequest,
        dtr_id: int,
        form_class: type[forms.Form],
        title: str,
        service: Any,
        label: str,
    ) -> HttpResponse:
        if not request.user.has_perm("ledger.pay_dtr"):
            raise PermissionDenied
        dtr = get_object_or_404(self.get_queryset(request), pk=dtr_id)
        form = form_class(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                service(dtr=dtr, actor=request.user, **form.cleaned_data)
            except BatConnectError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, f"{dtr.number}: recorded.")
                return HttpResponseRedirect(admin_url(dtr))
        return self.render(
            request,
            "admin/form_page.html",
            detail=Detail(
                title=title.format(number=dtr.number),
                subtitle=f"{dtr.driver}, lease {dtr.lease.number}",
                badges=_badges(dtr),
                figures=[("Net pay", money_cell(dtr.net_pay))],
            ),
            form=form,
            title=label,
            submit_label=label,
            cancel_url=admin_url(dtr),
        )


def _badges(dtr: DTR, refused: BatConnectError | None = None) -> list[tuple[str, str]]:
    badges = [(dtr.get_status_display(), STATUS_TONES[dtr.status])]
    if dtr.net_pay == Decimal(0):
        badges = [("Settled: nothing to pay out", "success")]
    if isinstance(refused, voids.SettlementReversed):
        badges.append(("Settlement reversed", "danger"))
    return badges


def _actions(request: HttpRequest, dtr: DTR, refused: BatConnectError | None) -> list[Action]:
    actions = [Action("PDF", reverse("admin:ledger_dtr_pdf", args=[dtr.pk]))]
    if dtr.net_pay != 0:
        actions += _payment_actions(request, dtr)
    if refused is None and request.user.has_perm("ledger.reverse_settlement"):
        undo = reverse("admin:ledger_dtr_reverse", args=[dtr.pk])
        actions.append(Action("Reverse settlement…", undo, look="danger"))
    return actions


def _payment_actions(request: HttpRequest, dtr: DTR) -> list[Action]:
    actions: list[Action] = []
    may_record = request.user.has_perm("ledger.pay_dtr")
    if dtr.status == DTR.Status.PAID:
        actions += payout_desk.receipt_actions(request, dtr)
        if may_record:
            actions.append(Action("Payment came back…", reverse("admin:ledger_dtr_return", args=[dtr.pk])))
    elif dtr.payout and dtr.payout.status == "POSTED" and _today() > dtr.week + timedelta(days=6):
        actions += payout_desk.dtr_actions(request, dtr)
        pay = reverse("admin:ledger_dtr_pay", args=[dtr.pk])
        if may_record:
            actions.append(Action("Record as paid…", pay))
    return actions
