"""Manual journals: write one and see what it does, approve or reject somebody else's."""

import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesCheckboxFilter, RangeDateFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from batconnect.common.errors import BatConnectError
from batconnect.common.idempotency import Answer, run_once
from batconnect.common.screens import (
    Action,
    Cell,
    Detail,
    ReadOnlyAdmin,
    admin_url,
    day,
    day_column,
    label_column,
    moment,
    text_column,
)
from batconnect.common.transactions import money_transaction
from batconnect.common.weeks import local_date
from ledger.models import ManualJournal
from ledger.selectors.journal import je_number
from ledger.services import journals
from ledger.services.errors import LedgerError
from ledger.services.journal_lines import examine
from ledger.services.months import check_open_for_journals
from ledger.services.reasons import LONGEST_REASON

from . import journal_parts as parts
from .journal_form import JournalForm
from .posting_parts import audit_table

JOURNAL_TONES = {"SUBMITTED": "warning", "POSTED": "success", "REJECTED": "danger"}
OWN = "You wrote this journal; somebody else has to decide on it."


class ApproveForm(forms.Form):
    """An optional word by who approves."""

    note = forms.CharField(
        required=False, max_length=LONGEST_REASON, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2})
    )


class RejectForm(forms.Form):
    """Why a journal is turned down."""

    note = forms.CharField(
        label="Why",
        max_length=LONGEST_REASON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="At least 10 characters. The journal is kept, with this note.",
    )


@display(description="Total")
def total(journal: ManualJournal) -> str:
    debits = sum((Decimal(line["amount"]) for line in journal.lines if line["side"] == "DR"), Decimal(0))
    return format_html('<span class="bc-money">{}</span>', parts.total_text(debits))


@admin.register(ManualJournal)
class ManualJournalAdmin(ReadOnlyAdmin):
    """Journals that people wrote. They become entries when somebody else approves them."""

    empty_note = "One accountant writes a journal, another approves it."
    list_display = (
        text_column("number", "Number", ordering="number"),
        day_column("je_date", "Accounted on", ordering="je_date"),
        text_column("description", "Description"),
        text_column("created_by__username", "Written by"),
        text_column("decided_by__username", "Decided by"),
        label_column("status", "Status", JOURNAL_TONES),
        total,
    )
    list_filter = (("status", ChoicesCheckboxFilter), ("je_date", RangeDateFilter))
    list_select_related = ("created_by", "decided_by")
    search_fields = ("=number", "=reference", "description")
    search_help_text = "Number, reference, or words of the description"
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("created_by", "decided_by")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("ledger.enter_journal"))

    def get_urls(self) -> list[URLPattern]:
        pages = (("approve", self.approve_view), ("reject", self.reject_view))
        decisions = [
            path(
                f"<int:journal_id>/{name}/",
                self.admin_site.admin_view(view),
                name=f"ledger_manualjournal_{name}",
            )
            for name, view in pages
        ]
        return [*decisions, *super().get_urls()]

    def detail(self, request: HttpRequest, record: ManualJournal) -> Detail:
        waiting = record.status == ManualJournal.Status.SUBMITTED
        own = record.created_by_id == request.user.pk
        lines = parts.lines_of_journal(record)
        return Detail(
            title=record.number,
            subtitle=f"{record.description} · {OWN}" if waiting and own else record.description,
            badges=[
                (record.get_status_display(), JOURNAL_TONES[record.status]),
                *([("reversal", "info")] if record.reverses_id else []),
            ],
            facts=_facts(record),
            tables=[
                parts.lines_table("Lines", lines),
                *([parts.effects_table(lines)] if waiting else []),
                audit_table(f"journal:{record.number}"),
            ],
            actions=_decisions(record) if waiting and not own and _may_decide(request) else [],
        )

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Write a journal, see what it does, submit it."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        step = request.POST.get("step", "")
        form = JournalForm(request.POST if step else None, initial={"je_date": _today()})
        if step in ("preview", "submit") and form.is_valid():
            lines, problems = examine(form.lines)
            form.blame(problems)
            if not problems and step == "preview":
                return self._preview(request, form, lines)
            if not problems:
                try:
                    return self._submit(request, form)
                except BatConnectError as error:
                    form.add_error(None, str(error))
        return self.render(
            request, "admin/ledger/journal_form.html", title="New manual journal", form=form, **form.choices()
        )

    def _preview(self, request: HttpRequest, form: JournalForm, lines: Any) -> HttpResponse:
        try:
            journals.check_journal(**form.asked(), on=_today())
        except BatConnectError as error:
            form.add_error(None, str(error))
            return self.render(
                request,
                "admin/ledger/journal_form.html",
                title="New manual journal",
                form=form,
                **form.choices(),
            )
        asked = form.asked()
        return self.render(
            request,
            "admin/ledger/journal_preview.html",
            title="New manual journal",
            detail=Detail(
                title="Submit this journal?",
                subtitle="Nothing is entered yet: somebody else has to approve it.",
                facts=[
                    ("Accounted on", Cell(day(asked["je_date"]))),
                    ("Description", Cell(asked["description"])),
                    ("Reference", Cell(asked["reference"] or "–")),
                ],
                tables=[parts.lines_table("The entry, once approved", lines), parts.effects_table(lines)],
            ),
            kept=form.kept(),
            token=uuid.uuid4().hex,
        )

    def _submit(self, request: HttpRequest, form: JournalForm) -> HttpResponse:
        asked = form.asked()

        def effect() -> Answer:
            journal = journals.submit_journal(**asked, actor=request.user, on=_today())  # type: ignore[arg-type]
            return Answer(201, {"id": journal.pk, "number": journal.number})

        # Clicked twice, it is one journal.
        answer = money_transaction(run_once)(
            scope=f"{request.user.pk}:admin:manual-journal",
            key=request.POST.get("token", "")[:64] or uuid.uuid4().hex,
            request=asked,
            effect=effect,
        )
        messages.success(request, f"{answer.body['number']} is submitted. Somebody else has to approve it.")
        return HttpResponseRedirect(admin_url(ManualJournal, answer.body["id"]))

    def approve_view(self, request: HttpRequest, journal_id: int) -> HttpResponse:
        """Show what approving enters, then enter it."""
        journal = self._to_decide(request, journal_id)
        form = ApproveForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                done = journals.approve_journal(
                    number=journal.number,
                    note=form.cleaned_data["note"],
                    actor=request.user,  # type: ignore[arg-type]
                )
            except BatConnectError as error:
                form.add_error(None, str(error))
            else:
                number = parts.journal_entry(done) or ""
                messages.success(request, f"{done.number} is approved. This is its entry.")
                return HttpResponseRedirect(parts.entry_url(number))
        lines, problems = examine(journal.lines, takes_back=journal.reverses_id is not None)
        shown = lines if not problems else parts.lines_of_journal(journal)
        detail = Detail(
            title=f"Approve {journal.number}?",
            subtitle=journal.description,
            facts=_facts(journal),
            tables=[parts.lines_table("The entry", shown), parts.effects_table(shown)],
        )
        refused = _why_not_entered(journal, problems)
        return self._decision(request, journal, detail, form, "Approve and enter", "primary", refused)

    def reject_view(self, request: HttpRequest, journal_id: int) -> HttpResponse:
        """Ask why, then turn the journal down."""
        journal = self._to_decide(request, journal_id)
        form = RejectForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                journals.reject_journal(
                    number=journal.number,
                    note=form.cleaned_data["note"],
                    actor=request.user,  # type: ignore[arg-type]
                )
            except BatConnectError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, f"{journal.number} is rejected; nothing was entered.")
                return HttpResponseRedirect(admin_url(journal))
        detail = Detail(
            title=f"Reject {journal.number}?",
            subtitle=f"{journal.description}: it is kept, and nothing is entered.",
            tables=[parts.lines_table("Lines", parts.lines_of_journal(journal))],
        )
        return self._decision(request, journal, detail, form, "Reject this journal", "danger")

    def _to_decide(self, request: HttpRequest, journal_id: int) -> ManualJournal:
        if not _may_decide(request):
            raise PermissionDenied
        journal: ManualJournal = get_object_or_404(self.get_queryset(request), pk=journal_id)
        return journal

    def _decision(
        self,
        request: HttpRequest,
        journal: ManualJournal,
        detail: Detail,
        form: forms.Form,
        label: str,
        look: str,
        refused: str = "",
    ) -> HttpResponse:
        if journal.status != ManualJournal.Status.SUBMITTED:
            refused = f"{journal.number} is no longer waiting: it is {journal.get_status_display().lower()}."
        elif journal.created_by_id == request.user.pk:
            refused = OWN
        return self.render(
            request,
            "admin/form_page.html",
            title=detail.title,
            detail=detail,
            refused=refused,
            form=None if refused else form,
            submit_label=label,
            submit_look=look,
            cancel_url=admin_url(journal),
        )


def _may_decide(request: HttpRequest) -> bool:
    return bool(request.user.has_perm("ledger.approve_journal"))


def _why_not_entered(journal: ManualJournal, problems: Sequence[LedgerError]) -> str:
    """Why a journal can no longer be entered: an account or a month changed since it was written."""
    obstacle: LedgerError | None = problems[0] if problems else None
    if obstacle is None:
        try:
            check_open_for_journals(journal.je_date)
        except LedgerError as error:
            obstacle = error
    return f"{obstacle} Reject this journal, and have it written anew." if obstacle else ""


def _decisions(journal: ManualJournal) -> list[Action]:
    return [
        Action("Approve…", reverse("admin:ledger_manualjournal_approve", args=[journal.pk]), look="primary"),
        Action("Reject…", reverse("admin:ledger_manualjournal_reject", args=[journal.pk])),
    ]


def _facts(journal: ManualJournal) -> list[tuple[str, Cell]]:
    facts = [
        ("Accounted on", Cell(day(journal.je_date))),
        ("Written", Cell(f"{moment(journal.created_at)} by {journal.created_by}")),
        ("Reference", Cell(journal.reference or "–")),
    ]
    if journal.reverses_id and journal.reverses_date:
        facts.append(("Reverses", parts.entry_cell(je_number(journal.reverses_id, journal.reverses_date))))
        facts.append(("Reason", Cell(journal.reason)))
    if journal.decided_by:
        facts.append(("Decided", Cell(f"{moment(journal.decided_at)} by {journal.decided_by}")))
    if journal.decision_note:
        facts.append(("Note", Cell(journal.decision_note)))
    if journal.entry_id:
        facts.append(("Journal entry", parts.entry_cell(parts.journal_entry(journal))))
    facts.extend((name, Cell(str(note))) for name, note in (journal.metadata or {}).items())
    return facts


def _today() -> Any:
    return local_date(timezone.now())
