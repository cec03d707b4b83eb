"""The cashier's drawer of today, counted and closed; and the list of closes for the accountant."""

import uuid
from datetime import date
from decimal import Decimal
from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.decorators import display

from batconnect.common.errors import BatConnectError
from batconnect.common.idempotency import Answer, run_once
from batconnect.common.models import User
from batconnect.common.money import parse_amount
from batconnect.common.screens import (
    Action,
    Cell,
    Detail,
    ReadOnlyAdmin,
    Table,
    admin_url,
    day,
    day_column,
    list_url,
    moment,
    money,
    money_cell,
    money_column,
    text_column,
)
from batconnect.common.transactions import money_transaction
from ledger.models import DrawerClose, InterimPayment
from ledger.selectors.drawers import drawer_held, drawer_now, movements_of, movements_since
from ledger.services import drawers

from . import drawer_parts as parts
from .drawer_forms import BounceForm, CountForm, FloatForm
from .posting_parts import audit_table


@display(description="Difference")
def difference(close: DrawerClose) -> Any:
    look = "bc-money bc-warn" if close.difference else "bc-money"
    return format_html('<span class="{}">{}</span>', look, money(close.difference))


@admin.register(DrawerClose)
class DrawerCloseAdmin(ReadOnlyAdmin):
    """Drawers that were closed: what should have been in them, what was, and where it went."""

    empty_note = "A drawer is counted and closed under Today's drawer."
    list_display = (
        text_column("number", "Close", ordering="number"),
        day_column("day", "Day", ordering="day"),
        text_column("drawer__cashier__username", "Cashier", ordering="drawer__cashier__username"),
        money_column("expected_cash", "Cash due"),
        money_column("counted_cash", "Cash counted"),
        money_column("counted_checks", "Checks counted"),
        difference,
        money_column("banked", "Banked", ordering="banked"),
        money_column("kept", "Stays in"),
    )
    list_filter = (("day", RangeDateFilter),)
    list_select_related = ("drawer__cashier", "closed_by")
    search_fields = ("=number", "drawer__cashier__username")
    search_help_text = "Number or cashier"
    ordering = ("-id",)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Accountants see all closes, a cashier the own ones (`get_queryset`)."""
        return super().has_view_permission(request, obj) or request.user.has_perm("ledger.close_drawer")

    def get_queryset(self, request: HttpRequest) -> Any:
        found = super().get_queryset(request).select_related("drawer__cashier", "closed_by")
        if request.user.has_perm("ledger.view_drawerclose"):
            return found
        return found.filter(drawer_id=request.user.pk)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("today/", wrap(self.today_view), name="ledger_drawerclose_today"),
            path("float/", wrap(self.float_view), name="ledger_drawerclose_float"),
            path("<int:close_id>/slip/", wrap(self.slip_view), name="ledger_drawerclose_slip"),
            path("bounce/<int:payment_id>/", wrap(self.bounce_view), name="ledger_drawerclose_bounce"),
            *super().get_urls(),
        ]

    # --- today ------------------------------------------------------------------------------------------------

    def today_view(self, request: HttpRequest) -> HttpResponse:
        """What the drawer should hold, the form to count it, the difference before it is booked, and the close."""
        cashier, on = self._cashier(request), parts.today()
        here = parts.today_url(request, cashier)
        sent = request.method == "POST"
        form = CountForm(request.POST) if sent else CountForm()
        ticked = request.POST.getlist("checks") if sent else None
        if sent and form.is_valid():
            try:
                if "confirmed" in request.POST:
                    return self._close(request, cashier, form.cleaned_data, on)
                return self._compared(request, cashier, form.cleaned_data, on, here)
            except drawers.DrawerClosed as error:
                messages.warning(request, str(error))
                return HttpResponseRedirect(here)
            except BatConnectError as error:
                form.add_error(None, str(error))
        held, closed = drawer_now(cashier.pk, on=on)
        checks = [
            {
                "payment": check.payment,
                "number": check.number or "no number",
                "driver": check.driver,
                "amount": money(check.amount),
                "ticked": ticked is not None and check.payment in ticked,
            }
            for check in held.checks
            if check.amount > 0
        ]
        return self.render(
            request,
            "admin/ledger/drawer.html",
            title="Today's drawer",
            detail=parts.held_detail(request, cashier, held, on),
            form=None if closed or held.is_untouched else form,
            refused=parts.why_not(cashier, held, on),
            untouched=not closed and held.is_untouched,
            checks=checks,
            below=[parts.movement_table("What went in and out", movements_since(held), held.kept)],
        )

    def _compared(
        self, request: HttpRequest, cashier: User, entered: dict[str, Any], on: date, here: str
    ) -> HttpResponse:
        present = request.POST.getlist("checks")
        count = drawers.count_drawer(
            cashier=cashier,
            counted_cash=entered["counted_cash"],
            checks_present=present,
            kept=entered["kept"],
            on=on,
        )
        drawers.check_reason(count, entered["reason"])
        kept = [
            ("counted_cash", entered["counted_cash"]),
            ("kept", entered["kept"]),
            ("reason", entered["reason"]),
            ("expected_cash", count.held.cash),
            ("expected_checks", count.held.in_checks),
            *(("checks", payment) for payment in present),
            ("confirmed", "yes"),
        ]
        return self.render(
            request,
            "admin/ledger/kept_confirm.html",
            title="Close the drawer",
            detail=parts.count_detail(cashier, count, entered["reason"], on),
            kept=kept,
            label="Close the drawer",
            look="danger" if count.needs_reason else "primary",
            back_url=here,
            back_label="Count again",
        )

    def _close(self, request: HttpRequest, cashier: User, entered: dict[str, Any], on: date) -> HttpResponse:
        close = drawers.close_drawer(
            cashier=cashier,
            counted_cash=entered["counted_cash"],
            checks_present=request.POST.getlist("checks"),
            kept=entered["kept"],
            reason=entered["reason"],
            expected=(_sent_amount(request, "expected_cash"), _sent_amount(request, "expected_checks")),
            actor=cast(User, request.user),
            on=on,
        )
        messages.success(
            request, f"{close.number}: the drawer is closed; {money(close.banked)} go to the bank."
        )
        return HttpResponseRedirect(admin_url(close))

    def _cashier(self, request: HttpRequest) -> User:
        """Whose drawer: the own one, or the one asked for by somebody who may close others'."""
        user = cast(User, request.user)
        asked = request.GET.get("cashier", "")[:150]
        if not asked or asked == user.username:
            if not user.has_perm("ledger.close_drawer"):
                raise PermissionDenied
            return user
        if not user.has_perm("ledger.close_other_drawer"):
            raise PermissionDenied
        return get_object_or_404(User, username=asked)

    # --- beside -----------------------------------------------------------------------------------------------

    def float_view(self, request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm("ledger.fund_drawer"):
            raise PermissionDenied
        form = FloatForm(request.POST or None, initial={"username": request.GET.get("cashier", "")})
        if request.method == "POST" and form.is_valid():
            cashier = User.objects.filter(username=form.cleaned_data["username"], is_active=True).first()
            if cashier is None:
                form.add_error("username", "There is no such user.")
            elif "confirmed" in request.POST:
                return self._fund(request, cashier, form.cleaned_data["amount"])
            else:
                return self._funding(request, cashier, form.cleaned_data["amount"])
        return self.render(
            request,
            "admin/form_page.html",
            title="Put cash into a drawer",
            detail=Detail(
                title="Put cash into a drawer",
                subtitle="A float, or what is to be paid out in cash. It is taken from the bank (1010) to 1020.",
            ),
            form=form,
            submit_label="Put it in",
            cancel_url=list_url(DrawerClose),
        )

    def _funding(self, request: HttpRequest, cashier: User, amount: Decimal) -> HttpResponse:
        held = drawer_held(cashier.pk, through=parts.today())
        return self.render(
            request,
            "admin/ledger/kept_confirm.html",
            title="Put cash into a drawer",
            detail=Detail(
                title=f"Put {money(amount)} into the drawer of {cashier}?",
                figures=[
                    ("Cash now", money_cell(held.cash)),
                    ("Cash afterwards", money_cell(held.cash + amount, look="strong")),
                ],
                facts=[("Booked", Cell(f"{money(amount)} from the bank (1010) to the drawers (1020)"))],
            ),
            kept=[
                ("username", cashier.username),
                ("amount", amount),
                ("token", uuid.uuid4().hex),
                ("confirmed", "yes"),
            ],
            label="Put it in",
            back_url=f"{reverse('admin:ledger_drawerclose_float')}?cashier={cashier.username}",
        )

    def _fund(self, request: HttpRequest, cashier: User, amount: Decimal) -> HttpResponse:
        """Clicked twice, it is put in once."""

        def effect() -> Answer:
            moved = drawers.fund_drawer(
                cashier=cashier, amount=amount, actor=cast(User, request.user), on=parts.today()
            )
            return Answer(201, {"number": moved.reference})

        try:
            answer = money_transaction(run_once)(
                scope=f"{request.user.pk}:admin:drawer-float",
                key=request.POST.get("token", "")[:64] or uuid.uuid4().hex,
                request={"cashier": cashier.pk, "amount": str(amount)},
                effect=effect,
            )
        except BatConnectError as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(reverse("admin:ledger_drawerclose_float"))
        messages.success(
            request, f"{answer.body['number']}: {money(amount)} put into the drawer of {cashier}."
        )
        return HttpResponseRedirect(list_url(DrawerClose))

    def bounce_view(self, request: HttpRequest, payment_id: int) -> HttpResponse:
        """Record that a check came back: what its payment paid is owed again."""
        if not request.user.has_perm("ledger.bounce_check"):
            raise PermissionDenied
        payment = get_object_or_404(
            InterimPayment.objects.select_related("account__driver", "account__lease", "posting"),
            pk=payment_id,
        )
        form = BounceForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                reversal = drawers.bounce_check(
                    payment_number=payment.number,
                    reason=form.cleaned_data["reason"],
                    actor=cast(User, request.user),
                    on=parts.today(),
                )
            except BatConnectError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, f"{payment.number} is taken back; what it paid is owed again.")
                return HttpResponseRedirect(admin_url(reversal))
        return self.render(
            request,
            "admin/form_page.html",
            title="A check bounced",
            detail=parts.bounce_detail(payment),
            form=form,
            submit_label="Record that it bounced",
            submit_look="danger",
            cancel_url=admin_url(payment),
        )

    def slip_view(self, request: HttpRequest, close_id: int) -> HttpResponse:
        close = get_object_or_404(self.get_queryset(request), pk=close_id)
        if not self.has_view_permission(request, close):
            raise PermissionDenied
        answer = HttpResponse(parts.slip_pdf(close), content_type="application/pdf")
        answer.headers["Content-Disposition"] = f'inline; filename="{close.number}.pdf"'
        return answer

    def detail(self, request: HttpRequest, record: DrawerClose) -> Detail:
        return Detail(
            title=record.number,
            subtitle=f"Drawer of {record.drawer}, {day(record.day)}",
            badges=[parts.difference_badge(record.difference)],
            figures=[
                ("Should hold", money_cell(record.expected_cash + record.expected_checks)),
                ("Counted", money_cell(record.counted_cash + record.counted_checks)),
                ("Difference", money_cell(record.difference, look="warn" if record.difference else "")),
                ("Banked", money_cell(record.banked)),
                ("Stays in the drawer", money_cell(record.kept)),
            ],
            facts=[
                ("Cash", Cell(f"{money(record.counted_cash)} of {money(record.expected_cash)}")),
                ("Checks", Cell(f"{money(record.counted_checks)} of {money(record.expected_checks)}")),
                ("Closed", Cell(f"{moment(record.closed_at)} by {record.closed_by}")),
                ("Why", Cell(record.reason or "–", look="long" if record.reason else "")),
            ],
            tables=[
                Table(
                    "Checks",
                    ["Check", "Driver", "Receipt", "#Amount", ""],
                    [
                        [
                            Cell(row["number"]),
                            Cell(row["driver"]),
                            Cell(row["payment"]),
                            money_cell(row["amount"]),
                            Cell("banked") if row["present"] else Cell("not there", look="warn"),
                        ]
                        for row in record.checks
                    ],
                    empty="None.",
                ),
                parts.movement_table("What went in and out", movements_of(record)),
                audit_table(f"drawer_close:{record.number}"),
            ],
            actions=[
                Action(
                    "Banking slip", reverse("admin:ledger_drawerclose_slip", args=[record.pk]), look="primary"
                )
            ],
        )


def _sent_amount(request: HttpRequest, name: str) -> Decimal:
    return parse_amount(request.POST.get(name, ""))
