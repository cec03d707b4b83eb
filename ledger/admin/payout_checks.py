"""Checks on screen: the register, printing, voiding, reissuing, clearing, and those that are stale."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from unfold.contrib.filters.admin import ChoicesCheckboxFilter, RadioFilter, RangeDateFilter
from unfold.decorators import action
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from batconnect.common.screens import (
    Action,
    Cell,
    Detail,
    ReadOnlyAdmin,
    Table,
    admin_url,
    day,
    day_column,
    label_column,
    list_url,
    money_cell,
    money_column,
    text_column,
)
from ledger.models import Checkbook, PayoutCheck
from ledger.services.payouts import checks

from . import payout_parts as parts
from .payout_parts import forms
from .posting_parts import audit_table

MOST_PRINTED = 500
STEPS = {
    "void": ("Void…", "ledger.void_payoutcheck", "danger"),
    "reissue": ("Void and reissue…", "ledger.void_payoutcheck", "default"),
    "clear": ("Mark as cleared…", "ledger.issue_payoutcheck", "default"),
}
EFFECTS = {
    "void": "The check counts for nothing, its number stays used, and the DTR is owed again.",
    "reissue": "The check counts for nothing, and another is issued for the same DTR, with the next number.",
    "clear": "The bank paid it. It can be neither voided nor reissued from then on.",
}


class BookForm(parts.Step):
    first_number = forms.IntegerField(
        label="First number on the new paper", min_value=1, widget=UnfoldAdminIntegerFieldWidget()
    )
    field_order = ["first_number", "token"]


class StaleFilter(RadioFilter):
    title = "age"
    parameter_name = "age"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("stale", "Stale: out for too long")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "stale":
            return queryset.filter(pk__in=checks.stale(on=parts.today()).values("pk"))
        return queryset


@admin.register(PayoutCheck)
class PayoutCheckAdmin(ReadOnlyAdmin):
    """The register of checks, without gaps."""

    empty_note = "Enter the bank's checks as a checkbook first; checks are issued from Pay drivers."
    list_display = (
        text_column("number", "Check", ordering="number"),
        day_column("issued_on", "Issued", ordering="issued_on"),
        text_column("payee", "Paid to", ordering="payee"),
        text_column("item__dtr__number", "DTR"),
        money_column("amount", "Amount", ordering="amount"),
        label_column("state", "State", parts.CHECK_TONES),
        day_column("cleared_on", "Cleared"),
    )
    list_filter = (("state", ChoicesCheckboxFilter), StaleFilter, ("issued_on", RangeDateFilter))
    search_fields = ("=number", "payee", "=item__dtr__number")
    search_help_text = "Check number, payee or DTR"
    ordering = ("-number",)
    actions_list = ["new_book"]

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request).select_related("item__dtr", "reissue_of", "created_by")
        return rows.defer("item__dtr__charges", "item__dtr__trip_log", "item__dtr__still_open")

    def has_book_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("ledger.open_checkbook"))

    @action(description="New checkbook", url_path="new-book", permissions=["book"])
    def new_book(self, request: HttpRequest) -> HttpResponse:
        return redirect(reverse("admin:ledger_payoutcheck_book"))

    def get_urls(self) -> list[URLPattern]:
        steps = [
            path(
                f"<int:check_id>/{name}/",
                self.admin_site.admin_view(self.step_view),
                {"step": name},
                name=f"ledger_payoutcheck_{name}",
            )
            for name in STEPS
        ]
        pages = [
            path("book/", self.admin_site.admin_view(self.book_view), name="ledger_payoutcheck_book"),
            path("print/", self.admin_site.admin_view(self.print_view), name="ledger_payoutcheck_print"),
            path("print/pdf/", self.admin_site.admin_view(self.pdf_view), name="ledger_payoutcheck_pdf"),
        ]
        return [*steps, *pages, *super().get_urls()]

    def detail(self, request: HttpRequest, record: PayoutCheck) -> Detail:
        return Detail(
            title=f"Check {record.number}",
            subtitle=record.payee,
            badges=[(record.get_state_display(), parts.CHECK_TONES[record.state])],
            figures=[("Amount", money_cell(record.amount))],
            facts=_facts(record),
            tables=[audit_table(f"payout_check:{record.number}")],
            actions=_actions(request, record),
        )

    def step_view(self, request: HttpRequest, check_id: int, step: str) -> HttpResponse:
        """Show what a step does, ask, and do it."""
        check = get_object_or_404(self.get_queryset(request), pk=check_id)
        label, permission, look = STEPS[step]
        refused = ""
        if request.method != "POST" and check.state != PayoutCheck.State.ISSUED:
            refused = str(checks.CheckNotOut(number=check.number, state=check.get_state_display().lower()))

        def effect(given: dict[str, Any]) -> tuple[str, str]:
            who: dict[str, Any] = {"number": check.number, "actor": request.user}
            if step == "clear":
                checks.clear_check(**who, on=given["on"])
                return admin_url(check), f"Check {check.number} is cleared."
            who |= {"reason": given["reason"], "on": parts.today()}
            if step == "void":
                checks.void_check(**who)
                return admin_url(
                    check
                ), f"Check {check.number} is void; {check.item.dtr.number} is owed again."
            issued = checks.reissue_check(**who).issued
            return admin_url(
                issued
            ), f"Check {check.number} is void, and check {issued.number} is issued in its place."

        form = parts.DayStep if step == "clear" else parts.ReasonStep
        return parts.ask(
            self,
            request,
            permission=permission,
            form=form(request.POST or None),
            detail=Detail(
                title=f"{label.rstrip('…')}: check {check.number}?",
                subtitle=EFFECTS[step],
                figures=[("Amount", money_cell(check.amount))],
                facts=_facts(check),
            ),
            label=label.rstrip("…"),
            effect=effect,
            back=admin_url(check),
            look="danger" if step != "clear" else look,
            refused=refused,
        )

    def book_view(self, request: HttpRequest) -> HttpResponse:
        """Start a new run of numbers."""

        def effect(given: dict[str, Any]) -> tuple[str, str]:
            checks.open_checkbook(first_number=given["first_number"], actor=request.user)  # type: ignore[arg-type]
            return list_url(PayoutCheck), f"The next check is number {given['first_number']}."

        books = Checkbook.objects.order_by("-pk")[:20]
        return parts.ask(
            self,
            request,
            permission="ledger.open_checkbook",
            form=BookForm(request.POST or None),
            detail=Detail(
                title="New checkbook",
                subtitle="Numbers go on from the first of the new paper; what is left of the old is not used.",
                tables=[
                    Table(
                        "Checkbooks",
                        ["#From", "#Used up to", ""],
                        [
                            [
                                Cell(str(book.first_number), look="money"),
                                Cell(
                                    str(book.last_number) if book.last_number >= book.first_number else "–",
                                    look="money",
                                ),
                                Cell("in use" if book.is_current else ""),
                            ]
                            for book in books
                        ],
                    )
                ],
            ),
            label="Start it",
            effect=effect,
            back=list_url(PayoutCheck),
        )

    def print_view(self, request: HttpRequest) -> HttpResponse:
        """What was just issued, with its PDF; each leads on to its own page."""
        found = self._range(request)
        query = f"?from={found[0].number}&to={found[-1].number}" if found else ""
        rest = self._rest(request, found)
        detail = (
            Detail(
                title=f"Checks {found[0].number} to {found[-1].number}"
                if len(found) > 1
                else f"Check {found[0].number}",
                subtitle="Print them on the bank's paper, in this order, and have them signed.",
                tables=[
                    Table(
                        "Checks",
                        ["Check", "Paid to", "DTR", "#Amount"],
                        [
                            [
                                Cell(str(check.number), admin_url(check)),
                                Cell(check.payee),
                                parts.dtr_cell(check.item.dtr_id, check.item.dtr.number),
                                money_cell(check.amount),
                            ]
                            for check in found
                        ],
                    )
                ],
                actions=[
                    Action("PDF", reverse("admin:ledger_payoutcheck_pdf") + query, look="primary"),
                    *rest,
                    Action("Pay drivers", reverse("admin:ledger_payoutbatch_pay")),
                ],
            )
            if found
            else Detail(title="No checks", subtitle="There is none with these numbers.")
        )
        return self.render(request, "admin/record.html", title="Print checks", detail=detail)

    def pdf_view(self, request: HttpRequest) -> HttpResponse:
        from ledger.services.payouts.paper import render_checks

        found = self._range(request)
        if not found:
            return redirect(list_url(PayoutCheck))
        return HttpResponse(
            render_checks(found),
            content_type="application/pdf",
            headers={"Content-Disposition": f'inline; filename="checks-{found[0].number}.pdf"'},
        )

    def _range(self, request: HttpRequest) -> list[PayoutCheck]:
        if not request.user.has_perm("ledger.issue_payoutcheck"):
            raise PermissionDenied
        first, last = (request.GET.get(name, "") for name in ("from", "to"))
        if not (first.isdecimal() and last.isdecimal() and len(first) < 10 and len(last) < 10):
            return []
        rows = self.get_queryset(request).filter(number__range=(int(first), int(last)))
        return list(rows.order_by("number")[:MOST_PRINTED])

    def _rest(self, request: HttpRequest, found: list[PayoutCheck]) -> list[Action]:
        """Where those are that did not fit on this page, which has MOST_PRINTED of them."""
        last = request.GET.get("to", "")
        if len(found) < MOST_PRINTED or found[-1].number >= int(last):
            return []
        following = f"?from={found[-1].number + 1}&to={int(last)}"
        label = f"Then checks {found[-1].number + 1} to {int(last)}"
        return [Action(label, reverse("admin:ledger_payoutcheck_print") + following)]


def _facts(check: PayoutCheck) -> list[tuple[str, Cell]]:
    facts = [
        ("DTR", parts.dtr_cell(check.item.dtr_id, check.item.dtr.number)),
        ("Paid to", Cell(check.payee)),
        ("Issued", Cell(f"{day(check.issued_on)} by {check.created_by}")),
    ]
    if check.reissue_of:
        facts.append(
            ("In the place of", Cell(f"check {check.reissue_of.number}", admin_url(check.reissue_of)))
        )
    if check.cleared_on:
        facts.append(("Cleared", Cell(day(check.cleared_on))))
    if check.voided_on:
        facts.append(("Void since", Cell(day(check.voided_on))))
        facts.append(("Why", Cell(check.void_reason, look="long")))
        instead = PayoutCheck.objects.filter(reissue_of=check).first()
        if instead:
            facts.append(("Reissued as", Cell(f"check {instead.number}", admin_url(instead))))
    return facts


def _actions(request: HttpRequest, check: PayoutCheck) -> list[Action]:
    actions = []
    if request.user.has_perm("ledger.issue_payoutcheck"):
        pdf = f"{reverse('admin:ledger_payoutcheck_pdf')}?from={check.number}&to={check.number}"
        actions.append(Action("PDF", pdf))
    if check.state == PayoutCheck.State.ISSUED:
        actions += [
            Action(label, reverse(f"admin:ledger_payoutcheck_{name}", args=[check.pk]), look=look)
            for name, (label, permission, look) in STEPS.items()
            if request.user.has_perm(permission)
        ]
    return actions
