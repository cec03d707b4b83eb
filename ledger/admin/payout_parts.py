"""What the screens of paying drivers share: a page that shows an effect, asks, and does it once."""

import uuid
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from unfold.widgets import UnfoldAdminSingleDateWidget, UnfoldAdminTextareaWidget

from batconnect.common.errors import BatConnectError
from batconnect.common.idempotency import Answer, run_once
from batconnect.common.money import total
from batconnect.common.screens import Cell, Detail, ReadOnlyAdmin, Table, admin_url, day, money_cell, part_of
from batconnect.common.transactions import money_transaction
from batconnect.common.weeks import local_date
from ledger.models import DTR
from ledger.selectors.pay_list import PayLine
from ledger.services.reasons import LONGEST_REASON, SHORTEST_REASON

MOST_ROWS = 100
BATCH_TONES = {
    "DRAFT": "info", "APPROVED": "info", "FILED": "warning", "SENT": "warning", "SETTLED": "success",
    "REVERSED": "danger",
}  # fmt: skip
CHECK_TONES = {"ISSUED": "warning", "CLEARED": "success", "VOIDED": "danger"}
METHOD_TONES = {
    "REQUESTED": "warning", "ACTIVE": "success", "BLOCKED": "danger", "REPLACED": "info", "REJECTED": "info",
}  # fmt: skip
RETURN_TONES = {"OPEN": "warning", "APPLIED": "success", "HANDLED": "info"}


def today() -> date:
    return local_date(timezone.now())


class Step(forms.Form):
    """A button alone. The token makes two clicks, or two tabs of the same page, one effect."""

    token = forms.CharField(
        widget=forms.HiddenInput, max_length=64, required=False, initial=lambda: uuid.uuid4().hex
    )


class ReasonStep(Step):
    reason = forms.CharField(
        label="Why",
        min_length=SHORTEST_REASON,
        max_length=LONGEST_REASON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text=f"At least {SHORTEST_REASON} characters; the next reader has only this sentence.",
    )
    field_order = ["reason", "token"]


class DayStep(Step):
    on = forms.DateField(
        label="On", initial=today, widget=UnfoldAdminSingleDateWidget(attrs={"type": "date"})
    )
    field_order = ["on", "token"]

    def clean_on(self) -> date:
        on: date = self.cleaned_data["on"]
        if on > today():
            raise forms.ValidationError("This is ahead of today.")
        return on


Effect = Callable[[dict[str, Any]], tuple[str, str]]


def ask(
    admin: ReadOnlyAdmin,
    request: HttpRequest,
    *,
    permission: str,
    form: forms.Form,
    detail: Detail,
    label: str,
    effect: Effect,
    back: str,
    look: str = "primary",
    refused: str = "",
) -> HttpResponse:
    """Show a page with its form; when it is sent, `effect` is done once and leads on to (address, message)."""
    if not request.user.has_perm(permission):
        raise PermissionDenied
    if request.method == "POST" and not refused and form.is_valid():

        def once() -> Answer:
            return Answer(200, effect(form.cleaned_data))

        try:
            answer = money_transaction(run_once)(
                scope=f"{request.user.pk}:{request.path}"[:160],
                key=form.cleaned_data.get("token") or uuid.uuid4().hex,
                request={},  # never what was entered: it may be an account number
                effect=once,
            )
        except BatConnectError as error:
            form.add_error(None, str(error))
        else:
            address, message = answer.body
            messages.success(request, message)
            return HttpResponseRedirect(address)
    return admin.render(
        request,
        "admin/form_page.html",
        title=label,
        detail=detail,
        form=None if refused else form,
        refused=refused,
        submit_label=label,
        submit_look=look,
        cancel_url=back,
    )


def dtr_cell(dtr_id: int, number: str) -> Cell:
    return Cell(number, admin_url(DTR, dtr_id))


def lines_table(
    request: HttpRequest, title: str, lines: Sequence[PayLine], *, name: str, empty: str, why: bool = False
) -> Table:
    """Unpaid DTRs, 100 to a page (`?name=2`), with the sum of all; `why` shows what holds each back."""
    part = part_of(request, lines, name=name, size=MOST_ROWS)
    return Table(
        f"{title} ({len(lines):,})" if lines else title,
        ["DTR", "Week", "Driver", "Lease", "Held back because" if why else "Paid to", "#Net pay"],
        [
            [
                dtr_cell(line.dtr_id, line.number),
                Cell(day(line.week)),
                Cell(f"{line.driver_name} ({line.tlc_license})"),
                Cell(line.lease_number),
                Cell(_because(line), look="long") if why else Cell(line.account or line.method.capitalize()),
                money_cell(line.amount),
            ]
            for line in part.rows
        ],
        empty=empty,
        note=part.note,
        pages=part.pages,
        footer=[*[Cell("Together")], *[Cell("")] * 4, money_cell(total(line.amount for line in lines))]
        if lines
        else (),
    )


def _because(line: PayLine) -> str:
    text = line.held_because
    return f"{text[0].upper()}{text[1:]}"
