"""Deposits in the admin: which are held, which are due, which are to be refunded; and every step of one."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from unfold.contrib.filters.admin import RadioFilter
from unfold.decorators import action, display

from batconnect.common.screens import (
    Action,
    Cell,
    Detail,
    admin_url,
    day,
    day_column,
    money_cell,
    money_column,
    text_column,
)
from leases.deposit_models import DepositStatus, LeaseDeposit, Row
from leases.services.deposits.refunds import refunds_out

from . import deposit_parts as shown
from .deposit_pages import PAGES, TONES, DepositPages, badges_of


class StatusFilter(RadioFilter):
    """Computed from the ledger, so its choices are given here."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(value), str(label)) for value, label in DepositStatus.choices]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(status=self.value()) if self.value() else queryset


class RefundFilter(RadioFilter):
    title = "to refund"
    parameter_name = "to_refund"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Something is left to refund")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(to_refund__gt=0) if self.value() == "yes" else queryset


@display(description="Status", label=TONES)
def status(deposit: Any) -> tuple[str, str]:
    return deposit.status, DepositStatus(deposit.status).label


@admin.register(LeaseDeposit)
class LeaseDepositAdmin(DepositPages):
    """Deposits of leases. Their standing is the ledger's; each change is a service's."""

    empty_note = "A deposit is agreed on the page of its lease."
    list_display = (
        text_column("lease__number", "Lease", ordering="lease__number"),
        text_column("lease__driver__name", "Driver", ordering="lease__driver__name"),
        text_column("lease__medallion__number", "Medallion"),
        status,
        money_column("agreed", "Deposit"),
        money_column("collected", "Collected"),
        money_column("held", "Held"),
        money_column("to_refund", "To refund"),
        day_column("due_on", "Release on", ordering="due_on"),
    )
    list_filter = (StatusFilter, RefundFilter)
    list_select_related = ("lease__driver", "lease__medallion")
    search_fields = (
        "=lease__number",
        "lease__driver__name",
        "=lease__driver__tlc_license",
        "=lease__medallion__number",
    )
    search_help_text = "Lease, driver, licence or medallion"
    ordering = ("-id",)
    actions_list = ["agree", "expired"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[LeaseDeposit]:
        return LeaseDeposit.objects.with_standing().select_related(
            "lease__driver", "lease__medallion", "account", "created_by", "release__created_by"
        )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        pages = [
            path("agree/", view(self.agree_view), name="leases_leasedeposit_agree"),
            path("expired/", view(self.expired_view), name="leases_leasedeposit_expired"),
            *(
                path(
                    f"<int:deposit_id>/{name}/",
                    view(getattr(self, f"{name}_page")),
                    name=f"leases_leasedeposit_{name}_page",
                )
                for name in PAGES
            ),
        ]
        return [*pages, *super().get_urls()]

    def detail(self, request: HttpRequest, record: Any) -> Detail:
        refunds = shown.refunds_table(record)
        return Detail(
            title=f"Deposit of {record.lease.number}",
            subtitle=str(record.lease.driver),
            badges=badges_of(record),
            figures=[
                ("Deposit", money_cell(record.agreed)),
                ("Collected", money_cell(record.collected)),
                ("Held", money_cell(record.held)),
                ("To refund", money_cell(record.to_refund, look="strong" if record.to_refund else "")),
            ],
            facts=[
                ("Lease", Cell(record.lease.number, admin_url(record.lease))),
                ("Driver's account", money_cell(record.account.balance, admin_url(record.account))),
                ("Medallion", Cell(record.lease.medallion.number)),
                ("Lease ends", Cell(day(record.lease.ends_on) if record.lease.ends_on else "open")),
                ("Release", Cell(_release_day(record))),
                ("Applied", money_cell(record.applied)),
                ("Refunded", money_cell(record.refunded)),
            ],
            tables=[
                shown.parts_table(record),
                *shown.release_tables(record),
                *([refunds] if refunds else []),
                shown.postings_table(record),
                shown.audit_table(record),
            ],
            actions=_actions(request, record),
        )

    @action(description="New deposit", url_path="new", permissions=["agree"])
    def agree(self, request: HttpRequest) -> HttpResponseBase:
        return redirect("admin:leases_leasedeposit_agree")

    @action(description="Release what is due", url_path="due", permissions=["release"])
    def expired(self, request: HttpRequest) -> HttpResponseBase:
        return redirect("admin:leases_leasedeposit_expired")


def _release_day(deposit: Row) -> str:
    if deposit.is_released:
        return f"done on {day(deposit.release.released_on)}"
    return f"by itself on {day(deposit.due_on)}" if deposit.due_on else "30 days after the lease ends"


def _actions(request: HttpRequest, deposit: Row) -> list[Action]:
    may = request.user.has_perm
    actions = []
    if not deposit.is_released:
        if may("leases.change_leasedeposit") and deposit.status == DepositStatus.COLLECTING:
            actions.append(_to(deposit, "terms", "Change…"))
        if may("leases.release_deposit"):
            actions.append(_to(deposit, "release", "Release…", "danger"))
    elif may("leases.refund_deposit"):
        if refunds_out(deposit.release):
            actions.append(_to(deposit, "return", "Refund came back…"))
        if deposit.to_refund:
            actions.append(_to(deposit, "refund", "Record refund…", "primary"))
    return actions


def _to(deposit: Row, page: str, label: str, look: str = "default") -> Action:
    return Action(label, reverse(f"admin:leases_leasedeposit_{page}_page", args=[deposit.pk]), look)
