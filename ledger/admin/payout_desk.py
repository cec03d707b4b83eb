"""The page to pay drivers from: what is free, by method, and what is held back; and the steps that start there."""

from datetime import date
from typing import Any, cast

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from unfold.widgets import UnfoldAdminSelectWidget

from batconnect.cases.ways import INPUT_CLASSES
from batconnect.common.money import total
from batconnect.common.screens import (
    Action,
    Cell,
    Detail,
    ReadOnlyAdmin,
    Table,
    admin_url,
    day,
    money,
    money_cell,
)
from batconnect.common.weeks import sunday_of
from ledger.models import DTR, DTRPayment, PayoutHold, PayoutMethod
from ledger.selectors.drawers import cash_to_pay_out
from ledger.selectors.pay_list import PayLine, unpaid, unpaid_weeks
from ledger.services.payouts import ach_batches, checks, desk, holds

from . import payout_parts as parts
from .payout_parts import forms


class HoldForm(parts.ReasonStep):
    kind = forms.ChoiceField(choices=PayoutHold.Kind.choices, widget=UnfoldAdminSelectWidget())
    field_order = ["kind", "reason", "token"]


class PayDesk(ReadOnlyAdmin):
    """Pages of the batches' admin that are no batch's own."""

    def get_urls(self) -> list[URLPattern]:
        pages = [
            ("pay/", self.pay_view, "pay"),
            ("pay/ach/", self.ach_view, "pay_ach"),
            ("pay/checks/", self.checks_view, "pay_checks"),
            ("pay/<int:dtr_id>/cash/", self.cash_view, "pay_cash"),
            ("pay/<int:dtr_id>/check/", self.check_view, "pay_check"),
            ("pay/<int:payment_id>/receipt/", self.receipt_view, "receipt"),
            ("pay/<int:dtr_id>/hold/", self.hold_view, "hold"),
            ("pay/<int:dtr_id>/release/", self.release_view, "release"),
        ]
        return [
            *(
                path(at, self.admin_site.admin_view(view), name=f"ledger_payoutbatch_{name}")
                for at, view, name in pages
            ),
            *super().get_urls(),
        ]

    def pay_view(self, request: HttpRequest) -> HttpResponse:
        """What is to be paid, of one week or of all."""
        if not request.user.has_perm("ledger.view_payoutbatch"):
            raise PermissionDenied
        week = _week(request)
        lines = unpaid(week=week)
        free = {method: _free(lines, method) for method in PayoutMethod.values}
        held = [line for line in lines if line.held]
        query = f"?week={week}" if week else ""
        term = request.GET.get("q", "")[:80].strip()

        def table(title: str, rows: list[PayLine], name: str, empty: str, why: bool = False) -> Table:
            found = [line for line in rows if _matches(line, term)] if term else rows
            nothing = f"Nothing here matches “{term}”." if term and rows else empty
            return parts.lines_table(request, title, found, name=name, empty=nothing, why=why)

        which = f"Week of {day(week)}" if week else "Every week with something to pay"
        detail = Detail(
            title="Pay drivers",
            subtitle=f"{which}. The figures are of all, the tables of what matches." if term else which,
            figures=[
                ("To pay by ACH", money_cell(_sum(free["ACH"]))),
                ("By check", money_cell(_sum(free["CHECK"]))),
                ("In cash", money_cell(_sum(free["CASH"]))),
                ("Held back", money_cell(_sum(held))),
                *_own_drawer(request),
            ],
            tables=[
                _weeks(week),
                table("Held back", held, "held", "Nothing is held back.", why=True),
                table("By ACH", free["ACH"], "ach", "Nothing is to be paid by ACH."),
                table("By check", free["CHECK"], "check", "Nothing is to be paid by check."),
                table("In cash at the desk", free["CASH"], "cash", "Nobody is to be paid in cash."),
            ],
            partials=["admin/ledger/includes/pay_search.html"] if lines else [],
            context={"q": term, "week": week, "input_classes": INPUT_CLASSES},
            actions=_starts(request, free, query),
        )
        return self.render(request, "admin/record.html", title="Pay drivers", detail=detail)

    def ach_view(self, request: HttpRequest) -> HttpResponse:
        """Show what a batch would pay, then draft it."""
        week = _week(request)
        lines = _free(unpaid(week=week), PayoutMethod.ACH)

        def effect(_: dict[str, Any]) -> tuple[str, str]:
            batch = ach_batches.create_batch(actor=request.user, on=parts.today(), week=week)  # type: ignore[arg-type]
            return admin_url(batch), f"Batch {batch.number} is prepared. Somebody else has to approve it."

        return self._start(
            request, week, lines, "ACH", "Prepare this batch", "ledger.prepare_payoutbatch", effect
        )

    def checks_view(self, request: HttpRequest) -> HttpResponse:
        """Show which checks would be issued, then issue them."""
        week = _week(request)
        lines = _free(unpaid(week=week), PayoutMethod.CHECK)

        def effect(_: dict[str, Any]) -> tuple[str, str]:
            made = checks.issue_checks(actor=request.user, on=parts.today(), week=week)  # type: ignore[arg-type]
            return _issued(made)

        return self._start(
            request, week, lines, "check", "Issue these checks", "ledger.issue_payoutcheck", effect
        )

    def _start(
        self,
        request: HttpRequest,
        week: date | None,
        lines: list[PayLine],
        how: str,
        label: str,
        permission: str,
        effect: parts.Effect,
    ) -> HttpResponse:
        booked = "nothing before the batch is sent" if how == "ACH" else "at once, from the bank account"
        detail = Detail(
            title=f"Pay {len(lines):,} DTRs by {how}?",
            subtitle=f"Week of {day(week)}" if week else "All weeks",
            figures=[("Payments", Cell(f"{len(lines):,}")), ("Together", money_cell(_sum(lines)))],
            facts=[("Booked", Cell(booked))],
            tables=[parts.lines_table(request, "Who is paid", lines, name="page", empty="Nobody.")],
        )
        return parts.ask(
            self,
            request,
            permission=permission,
            form=parts.Step(request.POST or None),
            detail=detail,
            label=label,
            effect=effect,
            back=_home(week),
        )

    def cash_view(self, request: HttpRequest, dtr_id: int) -> HttpResponse:
        dtr = _dtr(dtr_id)

        def effect(_: dict[str, Any]) -> tuple[str, str]:
            paid = desk.pay_cash(number=dtr.number, on=parts.today(), actor=request.user)  # type: ignore[arg-type]
            return (
                admin_url(dtr),
                f"{money(paid.amount)} is paid in cash. Print receipt {paid.method_reference} and have it signed.",
            )

        label = "Pay in cash"
        return self._one(request, dtr, "ledger.pay_cash", parts.Step(request.POST or None), label, effect)

    def receipt_view(self, request: HttpRequest, payment_id: int) -> HttpResponse:
        """The receipt of a payment in cash, for the driver to sign."""
        from ledger.services.payouts.paper import render_cash_receipt

        if not request.user.has_perm("ledger.pay_cash"):
            raise PermissionDenied
        payment = get_object_or_404(_receipts(), pk=payment_id)
        return HttpResponse(
            render_cash_receipt(payment),
            content_type="application/pdf",
            headers={"Content-Disposition": f'inline; filename="{payment.method_reference}.pdf"'},
        )

    def check_view(self, request: HttpRequest, dtr_id: int) -> HttpResponse:
        dtr = _dtr(dtr_id)

        def effect(_: dict[str, Any]) -> tuple[str, str]:
            return _issued(
                checks.issue_checks(actor=request.user, on=parts.today(), numbers=[dtr.number])  # type: ignore[arg-type]
            )

        label = "Issue a check"
        return self._one(
            request, dtr, "ledger.issue_payoutcheck", parts.Step(request.POST or None), label, effect
        )

    def hold_view(self, request: HttpRequest, dtr_id: int) -> HttpResponse:
        dtr = _dtr(dtr_id)

        def effect(given: dict[str, Any]) -> tuple[str, str]:
            holds.hold(dtr=dtr, kind=given["kind"], reason=given["reason"], actor=request.user)  # type: ignore[arg-type]
            return admin_url(dtr), f"{dtr.number} is held back until somebody releases it."

        return self._one(
            request,
            dtr,
            "ledger.hold_payout",
            HoldForm(request.POST or None),
            "Hold back",
            effect,
            look="danger",
        )

    def release_view(self, request: HttpRequest, dtr_id: int) -> HttpResponse:
        dtr = _dtr(dtr_id)

        def effect(given: dict[str, Any]) -> tuple[str, str]:
            holds.release(dtr=dtr, reason=given["reason"], actor=request.user)  # type: ignore[arg-type]
            return admin_url(dtr), f"{dtr.number} is free to be paid."

        return self._one(
            request, dtr, "ledger.hold_payout", parts.ReasonStep(request.POST or None), "Release", effect
        )

    def _one(
        self,
        request: HttpRequest,
        dtr: DTR,
        permission: str,
        form: forms.Form,
        label: str,
        effect: parts.Effect,
        look: str = "primary",
    ) -> HttpResponse:
        line = next(iter(unpaid(dtr_ids=[dtr.pk])), None)
        facts = [("Week", Cell(day(dtr.week)))]
        if line is not None:
            facts.append(("Usually paid", Cell(f"{line.method} {line.account}".strip() or "not entered yet")))
            if line.held:
                facts.append(("Held back", Cell(line.held_because, look="warn")))
        detail = Detail(
            title=f"{label}: {dtr.number}?",
            subtitle=f"{dtr.driver}, lease {dtr.lease.number}",
            figures=[("Net pay", money_cell(dtr.net_pay))],
            facts=facts,
        )
        return parts.ask(
            self, request, permission=permission, form=form, detail=detail, label=label, effect=effect,
            back=admin_url(dtr), look=look,
        )  # fmt: skip


def _home(week: date | None) -> str:
    address = reverse("admin:ledger_payoutbatch_pay")
    return f"{address}?week={week}" if week else address


def _issued(made: list[Any]) -> tuple[str, str]:
    first, last = made[0].number, made[-1].number
    address = f"{reverse('admin:ledger_payoutcheck_print')}?from={first}&to={last}"
    numbers = f"Check {first} is" if first == last else f"Checks {first} to {last} are"
    return address, f"{numbers} issued, {money(sum(check.amount for check in made))} together."


def _week(request: HttpRequest) -> date | None:
    try:
        return sunday_of(date.fromisoformat(request.GET.get("week", "")))
    except (ValueError, OverflowError):
        return None


def _matches(line: PayLine, term: str) -> bool:
    """Whether all that was typed is in the line: DTR, driver's name and licence, lease."""
    text = f"{line.number} {line.driver_name} {line.tlc_license} {line.lease_number}".casefold()
    return all(word in text for word in term.casefold().split())


def _free(lines: list[PayLine], method: str) -> list[PayLine]:
    return [line for line in lines if line.method == method and not line.held]


def _own_drawer(request: HttpRequest) -> list[tuple[str, Cell]]:
    """What the own drawer could pay out, for those who pay from it."""
    if not request.user.has_perm("ledger.pay_cash"):
        return []
    holds = cash_to_pay_out(cast(int, request.user.pk), on=parts.today())
    return [("In your drawer", money_cell(holds))]


def _sum(lines: list[PayLine]) -> Any:
    return total(line.amount for line in lines)


def _dtr(dtr_id: int) -> DTR:
    return get_object_or_404(DTR.objects.select_related("driver", "lease"), pk=dtr_id)


def _weeks(chosen: date | None) -> Table:
    rows = [
        [
            Cell(
                f"{day(week)} – {day(date.fromordinal(week.toordinal() + 6))}",
                _home(week),
                "strong" if week == chosen else "",
            )
        ]
        for week in unpaid_weeks()
    ]
    if chosen:
        rows.append([Cell("All weeks", _home(None))])
    return Table("Weeks", [""], rows, empty="Every week is paid.")


def _starts(request: HttpRequest, free: dict[str, list[PayLine]], query: str) -> list[Action]:
    actions = []
    if free["ACH"] and request.user.has_perm("ledger.prepare_payoutbatch"):
        actions.append(
            Action(
                "Prepare an ACH batch…", reverse("admin:ledger_payoutbatch_pay_ach") + query, look="primary"
            )
        )
    if free["CHECK"] and request.user.has_perm("ledger.issue_payoutcheck"):
        actions.append(
            Action("Issue checks…", reverse("admin:ledger_payoutbatch_pay_checks") + query, look="primary")
        )
    return actions


def _receipts() -> QuerySet[DTRPayment]:
    return DTRPayment.objects.filter(kind="PAID", method="CASH", method_reference__startswith="CASHPAY-")


def receipt_actions(request: HttpRequest, dtr: DTR) -> list[Action]:
    """The receipt of a DTR that was paid in cash at the desk."""
    payment = dtr.payments.order_by("-pk").first()
    if payment is None or not request.user.has_perm("ledger.pay_cash"):
        return []
    if not _receipts().filter(pk=payment.pk).exists():
        return []
    address = reverse("admin:ledger_payoutbatch_receipt", args=[payment.pk])
    return [Action(f"Receipt {payment.method_reference}", address, look="primary")]


def dtr_actions(request: HttpRequest, dtr: DTR) -> list[Action]:
    """What can be done about paying one unpaid DTR, for its own page."""
    held = PayoutHold.objects.filter(dtr=dtr, released_at=None).exists()
    asked = [
        ("release", "Release…", "ledger.hold_payout", held),
        ("pay_cash", "Pay in cash…", "ledger.pay_cash", not held),
        ("pay_check", "Issue a check…", "ledger.issue_payoutcheck", not held),
        ("hold", "Hold back…", "ledger.hold_payout", not held),
    ]
    return [
        Action(label, reverse(f"admin:ledger_payoutbatch_{name}", args=[dtr.pk]))
        for name, label, permission, shown in asked
        if shown and request.user.has_perm(permission)
    ]
