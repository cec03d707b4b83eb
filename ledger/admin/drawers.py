"""The cashier's drawer of today, counted and closed; and the list of closes for the accountant."""

import uuid
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

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
from batconnect.common.weeks import local_date
from batconnect.exports.html_pdf import render_html_pdf
from ledger.models import DrawerClose, DrawerMovement, InterimPayment
from ledger.selectors.drawers import DrawerHeld, drawer_held, drawer_now, movements_of, movements_since
from ledger.services import drawers
from ledger.services.drawers import DrawerCount
from ledger.services.reasons import LONGEST_REASON

from .posting_parts import audit_table

STYLESHEET = Path(settings.BASE_DIR) / "templates" / "cases" / "receipt.css"
Kind, Medium = DrawerMovement.Kind, DrawerMovement.Medium


class _AmountField(forms.CharField):
    """An amount as it is typed; the service says what is wrong with it."""

    def clean(self, value: Any) -> Any:
        text = super().clean(value).replace(",", "").strip()
        try:
            return parse_amount(text)
        except BatConnectError as error:
            raise forms.ValidationError(str(error)) from error


def _amount_field(label: str, **more: Any) -> _AmountField:
    widget = UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "autocomplete": "off"})
    return _AmountField(label=label, max_length=20, widget=widget, **more)


class CountForm(forms.Form):
    """What is in the drawer."""

    counted_cash = _amount_field("Cash counted")
    kept = _amount_field(
        "Stays in the drawer", initial="0.00", help_text="Cash for tomorrow; the rest is banked."
    )
    reason = forms.CharField(
        label="If something is over or short: why",
        required=False,
        max_length=LONGEST_REASON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="At least 10 characters. The next reader has only this sentence.",
    )


class FloatForm(forms.Form):
    """Cash from the bank into a drawer."""

    username = forms.CharField(
        label="Whose drawer", max_length=150, widget=UnfoldAdminTextInputWidget(), help_text="User name."
    )
    amount = _amount_field("Amount")


class BounceForm(forms.Form):
    """Why a check came back."""

    reason = forms.CharField(
        label="What the bank says",
        max_length=LONGEST_REASON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="At least 10 characters.",
    )


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
        cashier, on = self._cashier(request), _today()
        here = _today_url(request, cashier)
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
            detail=_held_detail(request, cashier, held, on),
            form=None if closed or held.is_untouched else form,
            refused=_why_not(cashier, held, on),
            untouched=not closed and held.is_untouched,
            checks=checks,
            below=[_movement_table("What went in and out", movements_since(held), held.kept)],
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
            detail=_count_detail(cashier, count, entered["reason"], on),
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
        held = drawer_held(cashier.pk, through=_today())
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
                cashier=cashier, amount=amount, actor=cast(User, request.user), on=_today()
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
                    on=_today(),
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
            detail=_bounce_detail(payment),
            form=form,
            submit_label="Record that it bounced",
            submit_look="danger",
            cancel_url=admin_url(payment),
        )

    def slip_view(self, request: HttpRequest, close_id: int) -> HttpResponse:
        close = get_object_or_404(self.get_queryset(request), pk=close_id)
        if not self.has_view_permission(request, close):
            raise PermissionDenied
        answer = HttpResponse(slip_pdf(close), content_type="application/pdf")
        answer.headers["Content-Disposition"] = f'inline; filename="{close.number}.pdf"'
        return answer

    def detail(self, request: HttpRequest, record: DrawerClose) -> Detail:
        return Detail(
            title=record.number,
            subtitle=f"Drawer of {record.drawer}, {day(record.day)}",
            badges=[_difference_badge(record.difference)],
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
                _movement_table("What went in and out", movements_of(record)),
                audit_table(f"drawer_close:{record.number}"),
            ],
            actions=[
                Action(
                    "Banking slip", reverse("admin:ledger_drawerclose_slip", args=[record.pk]), look="primary"
                )
            ],
        )


def slip_pdf(close: DrawerClose) -> bytes:
    """The banking slip, from what was kept at the close: the same bytes each time."""
    checks = [row for row in close.checks if row["present"]]
    html = render_to_string(
        "ledger/banking_slip.html",
        {
            "close": close,
            "created": close.closed_at.isoformat(),
            "cashier": close.drawer.cashier.get_full_name() or close.drawer.cashier.username,
            "closed_by": close.closed_by.get_full_name() or close.closed_by.username,
            "day": day(close.day),
            "closed": moment(close.closed_at),
            "banked": money(close.banked),
            "kept": money(close.kept),
            "cash": money(close.counted_cash - close.kept),
            "checks": [{**row, "amount": money(row["amount"])} for row in checks],
        },
    )
    return render_html_pdf(html, stylesheet=STYLESHEET)


def _held_detail(request: HttpRequest, cashier: User, held: DrawerHeld, on: date) -> Detail:
    cash = [(kind, held.of(Medium.CASH, kind)) for kind in Kind]
    actions = [Action("Closes", list_url(DrawerClose))]
    if held.last:
        actions.append(Action("Last close", admin_url(held.last)))
    if request.user.has_perm("ledger.fund_drawer"):
        actions.append(
            Action("Put cash in…", f"{reverse('admin:ledger_drawerclose_float')}?cashier={cashier.username}")
        )
    return Detail(
        title=f"Drawer of {cashier}, {day(on)}",
        subtitle=f"Since {held.last.number} of {day(held.last.day)}" if held.last else "Never closed before",
        figures=[
            ("Cash it should hold", money_cell(held.cash, look="strong")),
            ("Checks it should hold", money_cell(held.in_checks, look="strong")),
        ],
        facts=[
            ("Left in at the last close", Cell(money(held.kept))),
            *((f"{kind.label}, cash", Cell(money(amount))) for kind, amount in cash if amount),
        ],
        actions=actions,
    )


def _count_detail(cashier: User, count: DrawerCount, reason: str, on: date) -> Detail:
    held = count.held
    rows = [
        ("Cash", held.cash, count.cash, count.cash_difference, count.cash - count.kept),
        ("Checks", held.in_checks, count.checks, count.check_difference, count.checks),
    ]
    return Detail(
        title=f"Close the drawer of {cashier}, {day(on)}?",
        subtitle="A closed day takes nothing more: what comes afterwards is in the next day's drawer.",
        badges=[_difference_badge(count.difference)],
        figures=[
            ("Difference", money_cell(count.difference, look="warn" if count.difference else "")),
            ("To the bank", money_cell(count.banked, look="strong")),
            ("Stays in the drawer", money_cell(count.kept)),
        ],
        facts=[
            *([("Why", Cell(reason, look="long"))] if reason else []),
            *(
                [("Not there", Cell(", ".join(f"{c.number} ({money(c.amount)})" for c in count.missing)))]
                if count.missing
                else []
            ),
        ],
        tables=[
            Table(
                "What was counted",
                ["", "#Should be", "#Counted", "#Difference", "#To the bank"],
                [
                    [
                        Cell(label),
                        money_cell(due),
                        money_cell(counted),
                        money_cell(gap, look="warn" if gap else ""),
                        money_cell(banked),
                    ]
                    for label, due, counted, gap, banked in rows
                ],
                note=_booked(count),
            )
        ],
    )


def _booked(count: DrawerCount) -> str:
    parts = []
    if count.difference:
        word = "short" if count.difference < 0 else "over"
        parts.append(f"{money(abs(count.difference))} {word} is booked between 5900 and 1020")
    if count.banked:
        parts.append(f"{money(count.banked)} is booked from 1020 to the bank (1010)")
    return f"{'; '.join(parts)}." if parts else "Nothing is booked."


def _movement_table(title: str, moved: Sequence[DrawerMovement], kept: Decimal | None = None) -> Table:
    rows = [
        [
            Cell(day(one.day)),
            Cell(one.get_kind_display()),
            Cell(one.get_medium_display()),
            Cell(one.reference, admin_url(InterimPayment, one.payment_id) if one.payment_id else ""),
            Cell(one.payment.account.driver.name if one.payment else "–"),
            Cell(str(one.created_by)),
            money_cell(one.amount),
        ]
        for one in moved
    ]
    if kept:
        first = [Cell(""), Cell("Left in"), Cell("Cash"), Cell(""), Cell("–"), Cell(""), money_cell(kept)]
        rows.insert(0, first)
    return Table(
        title,
        ["Day", "What", "", "Reference", "Driver", "By", "#Amount"],
        rows,
        empty="Nothing yet.",
    )


def _bounce_detail(payment: InterimPayment) -> Detail:
    return Detail(
        title=f"The check of {payment.number} bounced?",
        subtitle=f"{payment.account.driver}, lease {payment.account.lease.number}",
        figures=[
            ("Check", money_cell(payment.amount)),
            ("Owed now", money_cell(payment.account.balance)),
            ("Owed afterwards", money_cell(payment.account.balance + payment.amount, look="strong")),
        ],
        facts=[("Check number", Cell(payment.method_reference)), ("Booked", Cell("1200 to the bank (1010)"))],
        tables=[
            Table(
                "Owed again",
                ["Category", "Reference", "#Amount"],
                [
                    [
                        Cell(row.debit.get_category_display()),
                        Cell(row.debit.reference_id, admin_url(row.debit)),
                        money_cell(row.amount),
                    ]
                    for row in payment.posting.allocated_to.filter(
                        undoes__isnull=True, undone_by__isnull=True
                    )
                    .select_related("debit")
                    .order_by("id")
                ],
                empty="Nothing: it is still open credit.",
            )
        ],
    )


def _difference_badge(amount: Decimal) -> tuple[str, str]:
    if not amount:
        return ("to the cent", "success")
    return (f"{money(abs(amount))} {'short' if amount < 0 else 'over'}", "danger")


def _why_not(cashier: User, held: DrawerHeld, on: date) -> str:
    if held.last is not None and held.last.day >= on:
        return str(drawers.DrawerClosed(cashier=cashier, day=held.last.day, number=held.last.number))
    return str(drawers.NothingInDrawer(cashier=cashier)) if held.is_untouched else ""


def _today_url(request: HttpRequest, cashier: User) -> str:
    url = reverse("admin:ledger_drawerclose_today")
    return url if cashier.pk == request.user.pk else f"{url}?cashier={cashier.username}"


def _sent_amount(request: HttpRequest, name: str) -> Decimal:
    return parse_amount(request.POST.get(name, ""))


def _today() -> date:
    return local_date(timezone.now())
