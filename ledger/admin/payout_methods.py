"""How drivers are paid, on screen: entered by one, decided by another; accounts are masked everywhere."""

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters
from unfold.contrib.filters.admin import ChoicesCheckboxFilter
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from batconnect.common.screens import (
    Action,
    Cell,
    Detail,
    ReadOnlyAdmin,
    Table,
    admin_url,
    label_column,
    list_url,
    moment,
    moment_column,
    text_column,
)
from ledger.models import PayoutInstruction, PayoutMethod
from ledger.services.payouts import bank_details

from . import payout_parts as parts
from .payout_parts import forms
from .posting_parts import audit_table, link

OWN = "You entered it; somebody else has to decide on it."
_NEVER_FILLED_IN = {"autocomplete": "off", "spellcheck": "false"}


class MethodForm(parts.Step):
    """How a driver is to be paid. What was entered of an account is not shown again after an error."""

    licence = forms.CharField(
        label="Driver's TLC licence", max_length=20, widget=UnfoldAdminTextInputWidget()
    )
    method = forms.ChoiceField(choices=PayoutMethod.choices, widget=UnfoldAdminSelectWidget())
    account_type = forms.ChoiceField(
        label="Account type (ACH)",
        choices=[("", "–"), *PayoutInstruction.AccountType.choices],
        required=False,
        widget=UnfoldAdminSelectWidget(),
    )
    routing_number = forms.CharField(
        label="Routing number (ACH)",
        required=False,
        max_length=20,
        widget=UnfoldAdminTextInputWidget(attrs={**_NEVER_FILLED_IN, "inputmode": "numeric"}),
    )
    account_number = forms.CharField(
        label="Account number (ACH)",
        required=False,
        max_length=40,
        widget=UnfoldAdminTextInputWidget(attrs=_NEVER_FILLED_IN),
    )
    field_order = ["licence", "method", "account_type", "routing_number", "account_number", "token"]

    def clean_licence(self) -> Any:
        found = apps.get_model("leases", "Driver").objects.filter(
            tlc_license=self.cleaned_data["licence"].strip()
        )
        driver = found.first()
        if driver is None:
            raise forms.ValidationError("No driver has this licence.")
        return driver


class DecideForm(parts.Step):
    """Approving takes no reason."""


@admin.register(PayoutInstruction)
class PayoutInstructionAdmin(ReadOnlyAdmin):
    """How each driver is paid, now and before."""

    empty_note = "How a driver is paid is entered here and approved by somebody else."
    list_display = (
        text_column("driver__name", "Driver", ordering="driver__name"),
        text_column("driver__tlc_license", "TLC licence"),
        text_column("method", "Paid by"),
        text_column("masked", "Account"),
        label_column("state", "State", parts.METHOD_TONES),
        text_column("requested_by__username", "Entered by"),
        text_column("decided_by__username", "Decided by"),
        moment_column("requested_at", "Entered", ordering="requested_at"),
    )
    list_filter = (("state", ChoicesCheckboxFilter), ("method", ChoicesCheckboxFilter))
    list_select_related = ("driver", "requested_by", "decided_by")
    search_fields = ("driver__name", "=driver__tlc_license")
    search_help_text = "Driver or licence"
    ordering = ("-requested_at",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return (
            super()
            .get_queryset(request)
            .select_related("driver", "requested_by", "decided_by")
            .defer("sealed")
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("ledger.request_payoutinstruction"))

    def get_urls(self) -> list[URLPattern]:
        decisions = [
            path(
                f"<uuid:key>/{name}/",
                self.admin_site.admin_view(self.decide_view),
                {"approves": name == "approve"},
                name=f"ledger_payoutinstruction_{name}",
            )
            for name in ("approve", "reject")
        ]
        return [*decisions, *super().get_urls()]

    def detail(self, request: HttpRequest, record: PayoutInstruction) -> Detail:
        waiting = record.state == PayoutInstruction.State.REQUESTED
        own = record.requested_by_id == request.user.pk
        actions = []
        if waiting and not own and request.user.has_perm("ledger.approve_payoutinstruction"):
            approve, reject = (
                reverse(f"admin:ledger_payoutinstruction_{name}", args=[record.pk])
                for name in ("approve", "reject")
            )
            actions = [Action("Approve…", approve, look="primary"), Action("Reject…", reject)]
        return Detail(
            title=f"{record.driver.name}: {record}",
            subtitle=OWN if waiting and own else "",
            badges=[(record.get_state_display(), parts.METHOD_TONES[record.state])],
            facts=_facts(record),
            tables=[_others(record), audit_table(f"driver:{record.driver_id}")],
            actions=actions,
        )

    @method_decorator(sensitive_post_parameters("routing_number", "account_number"))
    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Enter how a driver is to be paid, for somebody else to approve."""
        initial = {"licence": request.GET.get("licence", "")[:20]}
        form = MethodForm(request.POST or None, initial=initial)

        def effect(given: dict[str, Any]) -> tuple[str, str]:
            row = bank_details.request_method(
                driver_id=given["licence"].pk,
                method=given["method"],
                actor=request.user,  # type: ignore[arg-type]
                routing_number=given["routing_number"],
                account_number=given["account_number"],
                account_type=given["account_type"],
            )
            return admin_url(row), "Entered. It is in force once somebody else has approved it."

        answer = parts.ask(
            self,
            request,
            permission="ledger.request_payoutinstruction",
            form=form,
            detail=Detail(
                title="How a driver is paid",
                subtitle="A driver has one method; what is entered here replaces it once it is approved.",
            ),
            label="Enter",
            effect=effect,
            back=list_url(PayoutInstruction),
        )
        if form.is_bound and form.errors:
            # Typed again rather than written into a page again.
            shown: Any = form.data.copy()  # type: ignore[attr-defined]
            shown["routing_number"] = shown["account_number"] = ""
            form.data = shown
        return answer

    def decide_view(self, request: HttpRequest, key: Any, approves: bool) -> HttpResponse:
        row = get_object_or_404(self.get_queryset(request), pk=key)
        if not request.user.has_perm("ledger.approve_payoutinstruction"):
            raise PermissionDenied

        def effect(given: dict[str, Any]) -> tuple[str, str]:
            if approves:
                bank_details.approve_method(instruction_id=row.pk, actor=request.user)  # type: ignore[arg-type]
                return admin_url(row), f"{row.driver.name} is paid so from now on."
            bank_details.reject_method(
                instruction_id=row.pk,
                actor=request.user,  # type: ignore[arg-type]
                note=given["reason"],
            )
            return admin_url(row), "Rejected; the driver is paid as before."

        waiting = row.state == PayoutInstruction.State.REQUESTED
        refused = OWN if row.requested_by_id == request.user.pk else ""
        if request.method != "POST" and not waiting:
            refused = f"It is no longer waiting: it is {row.get_state_display().lower()}."
        label = "Approve" if approves else "Reject"
        return parts.ask(
            self,
            request,
            permission="ledger.approve_payoutinstruction",
            form=(DecideForm if approves else parts.ReasonStep)(request.POST or None),
            detail=Detail(
                title=f"{label}: {row.driver.name}, {row}?",
                subtitle="Compare it with what the driver signed." if approves else "",
                facts=_facts(row),
                tables=[_others(row)],
            ),
            label=label,
            effect=effect,
            back=admin_url(row),
            look="primary" if approves else "danger",
            refused=refused,
        )


def _facts(row: PayoutInstruction) -> list[tuple[str, Cell]]:
    facts = [
        ("Driver", Cell(str(row.driver), link(row.driver))),
        ("Paid by", Cell(row.get_method_display())),
    ]
    if row.account_last4:
        facts.append(("Account", Cell(row.masked)))
        facts.append(("Routing number", Cell(f"•••••{row.routing_last4}")))
    facts.append(("Entered", Cell(f"{moment(row.requested_at)} by {row.requested_by}")))
    if row.decided_by:
        facts.append(("Decided", Cell(f"{moment(row.decided_at)} by {row.decided_by}")))
    if row.decision_note:
        facts.append(("Note", Cell(row.decision_note, look="long")))
    if row.blocked_why:
        facts.append(("Blocked", Cell(f"{moment(row.blocked_at)}, {row.blocked_why}", look="warn")))
    return facts


def _others(row: PayoutInstruction) -> Table:
    others = (
        PayoutInstruction.objects.filter(driver_id=row.driver_id).exclude(pk=row.pk).order_by("-requested_at")
    )
    return Table(
        "The driver's other methods",
        ["Method", "State", "Entered"],
        [
            [
                Cell(str(other), admin_url(other)),
                Cell(other.get_state_display()),
                Cell(moment(other.requested_at)),
            ]
            for other in others[:20]
        ],
        empty="There is no other.",
    )
