"""What the bank returned, on screen: a file with its preview, single returns, and what waits for a person."""

import base64
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from unfold.contrib.filters.admin import ChoicesCheckboxFilter
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from batconnect.common.errors import BatConnectError
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
    money_cell,
    money_column,
    text_column,
)
from ledger.engine.nacha_returns import LARGEST_FILE, MEANINGS
from ledger.models import DTR, PayoutReturn
from ledger.services.payouts import nacha_returns
from ledger.services.payouts.sealing import CannotOpen, seal, unseal

from . import payout_parts as parts
from .payout_parts import forms
from .posting_parts import audit_table

_KEPT = "returns to take in"  # a file between its preview and its being taken in travels sealed in the page


class UploadForm(forms.Form):
    file = forms.FileField(
        label="The bank's file",
        widget=UnfoldAdminFileFieldWidget(),
        help_text="NACHA, with addenda 99 (returns) or 98 (notifications of change). You see first what it does.",
    )

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > LARGEST_FILE:
            raise forms.ValidationError(str(nacha_returns.ReturnsTooLarge(most=LARGEST_FILE)))
        return file


class TakeInForm(parts.Step):
    kept = forms.CharField(widget=forms.HiddenInput)
    name = forms.CharField(widget=forms.HiddenInput, max_length=200)


class SingleForm(parts.DayStep):
    dtr = forms.CharField(label="DTR", max_length=24, widget=UnfoldAdminTextInputWidget())
    code = forms.ChoiceField(
        label="Reason code",
        choices=[(code, f"{code} {meaning}") for code, meaning in MEANINGS.items()],
        widget=UnfoldAdminSelectWidget(),
    )
    field_order = ["dtr", "code", "on", "token"]

    def clean_dtr(self) -> DTR:
        dtr = DTR.objects.filter(number=self.cleaned_data["dtr"].strip().upper()).first()
        if dtr is None:
            raise forms.ValidationError("There is no such DTR.")
        return dtr


@admin.register(PayoutReturn)
class PayoutReturnAdmin(ReadOnlyAdmin):
    """Transfers that came back, and notifications of change."""

    empty_note = "What the bank sends back is taken in by its file."
    list_display = (
        moment_column("created_at", "Taken in", ordering="id"),
        text_column("kind", "Kind"),
        text_column("code", "Code"),
        text_column("item__dtr__number", "DTR"),
        text_column("item__payee", "Driver"),
        money_column("amount", "Amount"),
        label_column("state", "State", parts.RETURN_TONES),
        text_column("problem", "For a person because"),
    )
    list_filter = (("state", ChoicesCheckboxFilter), ("kind", ChoicesCheckboxFilter))
    search_fields = ("=item__dtr__number", "=trace_number", "item__payee", "=code")
    search_help_text = "DTR, trace number, driver or code"
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request).select_related("item__dtr", "file", "created_by", "handled_by")
        return rows.defer(
            "sealed",
            "item__dtr__figures",
            "item__dtr__charges",
            "item__dtr__trip_log",
            "item__dtr__still_open",
        )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        pages = [
            path("upload/", view(self.upload_view), name="ledger_payoutreturn_upload"),
            path("take-in/", view(self.take_in_view), name="ledger_payoutreturn_take_in"),
            path("single/", view(self.single_view), name="ledger_payoutreturn_single"),
            path("<int:return_id>/apply/", view(self.apply_view), name="ledger_payoutreturn_apply"),
            path("<int:return_id>/handle/", view(self.handle_view), name="ledger_payoutreturn_handle"),
        ]
        return [*pages, *super().get_urls()]

    def detail(self, request: HttpRequest, record: PayoutReturn) -> Detail:
        actions = []
        if record.state == PayoutReturn.State.OPEN and request.user.has_perm("ledger.record_payoutreturn"):
            if record.kind == PayoutReturn.Kind.RETURN:
                again = reverse("admin:ledger_payoutreturn_apply", args=[record.pk])
                actions.append(Action("Try again…", again, look="primary"))
            handle = reverse("admin:ledger_payoutreturn_handle", args=[record.pk])
            actions.append(Action("Say what was done…", handle))
        return Detail(
            title=f"{record.get_kind_display()} {record.code}",
            subtitle=MEANINGS.get(record.code, ""),
            badges=[(record.get_state_display(), parts.RETURN_TONES[record.state])],
            figures=[("Amount", money_cell(record.amount))],
            facts=_facts(record),
            tables=[audit_table(f"payout_return:{record.pk}")],
            actions=actions,
        )

    def upload_view(self, request: HttpRequest) -> HttpResponse:
        """Read a file, and show what taking it in would do."""
        if not request.user.has_perm("ledger.record_payoutreturn"):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            file = form.cleaned_data["file"]
            content = file.read()
            try:
                expected = nacha_returns.preview(content=content)
            except BatConnectError as error:
                form.add_error("file", str(error))
            else:
                return self._preview(request, content, file.name, expected)
        return self.render(
            request,
            "admin/form_page.html",
            title="Returns from the bank",
            detail=Detail(
                title="Returns from the bank", subtitle="Nothing is recorded before you have seen it."
            ),
            form=form,
            submit_label="See what it does",
            cancel_url=list_url(PayoutReturn),
        )

    def _preview(self, request: HttpRequest, content: bytes, name: str, expected: list[Any]) -> HttpResponse:
        kept = seal(base64.b64encode(content).decode(), about=_KEPT)
        applied = [line for line in expected if not line.problem]
        return self.render(
            request,
            "admin/form_page.html",
            title="Returns from the bank",
            detail=Detail(
                title="Take these returns in?",
                subtitle=name,
                figures=[
                    ("Owed again", money_cell(sum(line.entry.amount for line in applied))),
                    ("Applied", Cell(f"{len(applied):,}")),
                    ("For a person", Cell(f"{len(expected) - len(applied):,}")),
                    ("Bank details blocked", Cell(f"{sum(line.blocks for line in expected):,}")),
                ],
                tables=[_expected_table(expected)],
            ),
            form=TakeInForm(initial={"kept": kept, "name": name[:200]}),
            form_action=reverse("admin:ledger_payoutreturn_take_in"),
            submit_label="Take them in",
            cancel_url=list_url(PayoutReturn),
        )

    def take_in_view(self, request: HttpRequest) -> HttpResponse:
        """Take in what was previewed."""

        def effect(given: dict[str, Any]) -> tuple[str, str]:
            content = base64.b64decode(unseal(given["kept"], about=_KEPT))
            taken = nacha_returns.take_in(
                content=content,
                file_name=given["name"],
                actor=request.user,  # type: ignore[arg-type]
                on=parts.today(),
            )
            waiting = taken.returns.filter(state=PayoutReturn.State.OPEN).count()
            applied = taken.entries - waiting
            return list_url(
                PayoutReturn
            ), f"{applied} returns are applied; {waiting} lines wait for a person."

        return parts.ask(
            self,
            request,
            permission="ledger.record_payoutreturn",
            form=TakeInForm(request.POST or None),
            detail=Detail(title="Take these returns in?"),
            label="Take them in",
            effect=effect,
            back=reverse("admin:ledger_payoutreturn_upload"),
        )

    def single_view(self, request: HttpRequest) -> HttpResponse:
        """Record one return by hand."""

        def effect(given: dict[str, Any]) -> tuple[str, str]:
            row = nacha_returns.record_return(
                dtr=given["dtr"],
                code=given["code"],
                on=given["on"],
                actor=request.user,  # type: ignore[arg-type]
            )
            blocked = " The driver's bank details are blocked." if row.blocked else ""
            return admin_url(row), f"{given['dtr'].number} is owed again.{blocked}"

        initial = {"dtr": request.GET.get("dtr", "")[:24]}
        return parts.ask(
            self,
            request,
            permission="ledger.record_payoutreturn",
            form=SingleForm(request.POST or None, initial=initial),
            detail=Detail(
                title="One transfer came back",
                subtitle="Its DTR is owed again: 1010 bank to 2500 net pay owed. Some codes block the bank details.",
            ),
            label="Record the return",
            effect=effect,
            back=list_url(PayoutReturn),
        )

    def apply_view(self, request: HttpRequest, return_id: int) -> HttpResponse:
        row = get_object_or_404(self.get_queryset(request), pk=return_id)

        def effect(given: dict[str, Any]) -> tuple[str, str]:
            nacha_returns.apply_open(return_id=row.pk, on=given["on"], actor=request.user)  # type: ignore[arg-type]
            return admin_url(row), "Applied: the DTR is owed again."

        return self._about(request, row, parts.DayStep(request.POST or None), "Try again", effect)

    def handle_view(self, request: HttpRequest, return_id: int) -> HttpResponse:
        row = get_object_or_404(self.get_queryset(request), pk=return_id)

        def effect(given: dict[str, Any]) -> tuple[str, str]:
            nacha_returns.handle(return_id=row.pk, note=given["reason"], actor=request.user)  # type: ignore[arg-type]
            return admin_url(row), "Noted. No money moved."

        return self._about(request, row, parts.ReasonStep(request.POST or None), "Say what was done", effect)

    def _about(
        self, request: HttpRequest, row: PayoutReturn, form: forms.Form, label: str, effect: parts.Effect
    ) -> HttpResponse:
        return parts.ask(
            self,
            request,
            permission="ledger.record_payoutreturn",
            form=form,
            detail=Detail(
                title=f"{row.get_kind_display()} {row.code}",
                subtitle=MEANINGS.get(row.code, ""),
                figures=[("Amount", money_cell(row.amount))],
                facts=_facts(row),
            ),
            label=label,
            effect=effect,
            back=admin_url(row),
        )


def _expected_table(expected: list[Any]) -> Table:
    return Table(
        "Lines",
        ["Code", "DTR", "Driver", "#Amount", "What happens"],
        [
            [
                Cell(f"{line.entry.code} {MEANINGS.get(line.entry.code, '')}".strip()),
                parts.dtr_cell(line.item.dtr_id, line.item.dtr.number) if line.item else Cell("–"),
                Cell(line.item.payee if line.item else "–"),
                money_cell(line.entry.amount),
                Cell(_outcome(line), look="long warn" if line.problem else "long"),
            ]
            for line in expected[: parts.MOST_ROWS]
        ],
        note=f"The first {parts.MOST_ROWS} of {len(expected):,}." if len(expected) > parts.MOST_ROWS else "",
    )


def _outcome(line: Any) -> str:
    if line.problem:
        return f"For a person: {line.problem}"
    return "Owed again; bank details blocked" if line.blocks else "Owed again"


def _facts(row: PayoutReturn) -> list[tuple[str, Cell]]:
    facts = [
        ("DTR", parts.dtr_cell(row.item.dtr_id, row.item.dtr.number) if row.item else Cell("–")),
        ("Trace", Cell(row.trace_number or "–")),
        ("Taken in", Cell(f"{moment(row.created_at)} by {row.created_by}")),
        ("File", Cell(f"{row.file.file_name}, line {row.line_number}" if row.file else "entered by hand")),
    ]
    if row.problem:
        facts.append(("For a person because", Cell(row.problem, look="long warn")))
    if row.blocked:
        facts.append(("Bank details", Cell("blocked by it")))
    if row.kind == PayoutReturn.Kind.CHANGE:
        facts.append(("Corrected details", Cell(_corrected(row))))
    if row.handled_by:
        facts.append(("Handled", Cell(f"{moment(row.handled_at)} by {row.handled_by}")))
    if row.handled_note:
        facts.append(("Note", Cell(row.handled_note, look="long")))
    return facts


def _corrected(row: PayoutReturn) -> str:
    """The end of a notification's details; the whole stands in the bank's own letter."""
    try:
        text = unseal(row.sealed, about=f"payout_return:{row.key}") if row.sealed else ""
    except CannotOpen:
        return "cannot be read with the keys that are set"
    return f"••••{text.strip()[-4:]}" if text.strip() else "none"
