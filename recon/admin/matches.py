"""Matches: who made them, what is in them, and taking them back."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.contrib.filters.admin import ChoicesCheckboxFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from batconnect.common.errors import BatConnectError
from batconnect.common.screens import (
    Action,
    Cell,
    Detail,
    ReadOnlyAdmin,
    Table,
    admin_url,
    day,
    label_column,
    moment,
    moment_column,
    text_column,
)
from batconnect.common.weeks import local_date
from ledger.selectors.journal import je_number
from ledger.services.reasons import LONGEST_REASON

from ..models import ReconMatch
from ..services import write_offs
from ..services.rules import line_key
from .parts import MATCH_TONES, actor_of, audit_table, line_cell, may, score_text, shown_money

PAGES = {
    "undo": ("Take this match back?", "Take back", "decide_exception"),
    "write-off": ("Write the difference off?", "Write off", "write_off"),
}


class ReasonForm(forms.Form):
    """Why."""

    reason = forms.CharField(
        max_length=LONGEST_REASON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="At least 10 characters; the next reader has only this sentence.",
    )


@display(description="Difference")
def _difference(match: ReconMatch) -> str:
    return shown_money(match.difference)


SHOWN = 50  # rows of a match; a settled day has thousands


@display(description="Decided by")
def _decided_by(match: ReconMatch) -> str:
    return str(match.decided_by or "automatic")


@admin.register(ReconMatch)
class ReconMatchAdmin(ReadOnlyAdmin):
    """What belongs together, and what was said not to."""

    empty_note = "They are made when a source is reconciled."
    list_display = (
        text_column("pk", "Match"),
        text_column("source__name", "Source"),
        text_column("rule", "Rule"),
        label_column("status", "Status", MATCH_TONES),
        _difference,
        _decided_by,
        moment_column("decided_at", "When"),
    )
    list_filter = (
        ("status", ChoicesCheckboxFilter),
        ("rule", ChoicesCheckboxFilter),
        ("source", RelatedDropdownFilter),
    )
    list_select_related = ("source", "decided_by")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("source", "decided_by", "undone_by", "job")

    def get_urls(self) -> list[URLPattern]:
        pages = [
            path(
                f"<int:match_id>/{name}/",
                self.admin_site.admin_view(self.decision_view),
                {"action": name},
                name=f"recon_reconmatch_{name}",
            )
            for name in PAGES
        ]
        return [*pages, *super().get_urls()]

    def detail(self, request: HttpRequest, record: ReconMatch) -> Detail:
        active = record.status == ReconMatch.Status.ACTIVE and record.rule != ReconMatch.Rule.TAKEN_BACK
        offered = []
        if active and may(request, "decide_exception"):
            offered.append(Action("Take back…", reverse("admin:recon_reconmatch_undo", args=[record.pk])))
        if active and record.difference and may(request, "write_off"):
            url = reverse("admin:recon_reconmatch_write-off", args=[record.pk])
            offered.append(Action("Write off the difference…", url, look="danger"))
        facts = [
            ("Made", Cell(f"{moment(record.decided_at)} by {_decided_by(record)}")),
            ("Reasons", Cell(record.reasons or "–")),
            ("Note", Cell(record.note or "–")),
        ]
        if record.job is not None:
            facts.append(("Reconciliation", Cell(str(record.job), admin_url(record.job))))
        if record.entry_id and record.entry_date:
            facts.append(("Journal entry", line_cell(je_number(record.entry_id, record.entry_date))))
        if record.undone_by is not None:
            facts.append(("Taken back", Cell(f"{moment(record.undone_at)} by {record.undone_by}")))
            facts.append(("Why", Cell(record.undo_reason or "a newer run decided otherwise")))
        return Detail(
            title=f"Match {record.pk}",
            subtitle=f"{record.source}: {record.get_rule_display().lower()}",
            badges=[(str(record.get_status_display()), MATCH_TONES[record.status])],
            figures=[
                ("Score", Cell(score_text(record.score), look="money")),
                ("Difference", Cell(shown_money(record.difference), look="money")),
            ],
            facts=facts,
            tables=[_rows_table(record), audit_table(f"recon_match:{record.pk}")],
            actions=offered,
        )

    def decision_view(self, request: HttpRequest, match_id: int, action: str) -> HttpResponse:
        """Take a match back, or write its difference off."""
        title, label, permission = PAGES[action]
        if not may(request, permission):
            raise PermissionDenied
        match = get_object_or_404(self.get_queryset(request), pk=match_id)
        form = ReasonForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            asked = {"match_id": match_id, "reason": form.cleaned_data["reason"], "actor": actor_of(request)}
            call = write_offs.undo if action == "undo" else write_offs.write_off_match
            try:
                done = call(**asked, on=local_date(timezone.now()))
            except BatConnectError as error:
                form.add_error(None, str(error))
            else:
                said = "Taken back; its rows are open again." if action == "undo" else "Written off."
                messages.success(request, said)
                return HttpResponseRedirect(admin_url(done))
        detail = Detail(title=title, subtitle=f"{match.source}: {match}", tables=[_rows_table(match)])
        return self.render(
            request, "admin/form_page.html", title=title, detail=detail, form=form, submit_label=label,
            submit_look="danger", cancel_url=admin_url(match),
        )  # fmt: skip


def _rows_table(match: ReconMatch) -> Table:
    rows, count = [], match.rows.count()
    for row in match.rows.select_related("external_row")[:SHOWN]:
        if row.external_row is not None:
            outside = row.external_row
            named, words = Cell(outside.external_id), outside.description
            when = moment(outside.occurred_at)
        else:
            assert row.line_id is not None
            named, words, when = line_cell(line_key(row.line_id, row.line_date)), "", day(row.line_date)
        rows.append(
            [
                Cell(row.get_side_display()),
                named,
                Cell(when),
                Cell(words or "–"),
                Cell(shown_money(row.amount), look="money"),
            ]
        )
    note = f"The first {SHOWN} of {count:,}." if count > SHOWN else ""
    return Table("What belongs together", ["Side", "Row", "When", "Description", "#Amount"], rows, note=note)
