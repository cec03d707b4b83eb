"""The journal: every entry can be found, read, and followed to what made it; manual ones are reversed from here."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesCheckboxFilter, RangeDateFilter, TextFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSingleDateWidget, UnfoldAdminTextareaWidget

from batconnect.common.errors import BatConnectError
from batconnect.common.screens import (
    Action,
    Cell,
    Detail,
    QuietChangeList,
    ReadOnlyAdmin,
    admin_url,
    day,
    day_column,
    moment,
    text_column,
)
from batconnect.common.weeks import local_date
from ledger.models import DTR, EntryHeader, EntryLine, LedgerPosting, ManualJournal, Origin
from ledger.selectors.archives import MonthIsArchived
from ledger.selectors.journal import Provenance, entries_of_run, entry_numbered, provenance
from ledger.selectors.postings import postings_with_reference
from ledger.services import journals
from ledger.services.journal_lines import examine, sums_of
from ledger.services.reasons import LONGEST_REASON

from . import journal_parts as parts
from .posting_parts import audit_table, link

LONGEST_NUMBER = 18  # digits of a number that fits a key


class AccountFilter(TextFilter):
    """Entries with a line on the account of this code."""

    title = "account code"
    parameter_name = "account"

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if not self.value():
            return queryset
        # Asked of one entry after another, by the key of its lines: an account may have most lines there are.
        lines = EntryLine.objects.filter(
            entry_id=OuterRef("pk"), je_date=OuterRef("je_date"), account__code=str(self.value()).strip()
        )
        return queryset.filter(Exists(lines))


class RunFilter(TextFilter):
    """Entries that the bulk run of this number brought."""

    title = "bulk run"
    parameter_name = "run"

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        value = str(self.value() or "").strip()
        if not value:
            return queryset
        is_number = value.isascii() and value.isdigit() and len(value) <= LONGEST_NUMBER
        return queryset.filter(entries_of_run(int(value) if is_number else 0))


class EntryChangeList(QuietChangeList):
    """Entries are called by their number, in links too: it names their month, and only that is read."""

    def url_for_result(self, result: EntryHeader) -> str:
        return parts.entry_url(result.je_number)


class ReverseForm(forms.Form):
    """Why an entry is reversed, and optionally the reversal's date."""

    reason = forms.CharField(
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        max_length=LONGEST_REASON,
        help_text="At least 10 characters. The next reader has only this sentence.",
    )
    je_date = forms.DateField(
        label="Accounting date",
        required=False,
        widget=UnfoldAdminSingleDateWidget(attrs={"type": "date"}),
        help_text="Leave empty for today. It must lie in an open week and month.",
    )


@display(description="Total")
def total(entry: EntryHeader) -> str:
    return format_html('<span class="bc-money">{}</span>', parts.total_text(entry.total))


@display(description="What for")
def subject(entry: EntryHeader) -> str:
    if entry.posting_id and entry.posting:
        return f"{entry.posting.get_category_display()} {entry.posting.reference_id}"
    return " · ".join(filter(None, (entry.reference, entry.description))) or "–"


@admin.register(EntryHeader)
class EntryHeaderAdmin(ReadOnlyAdmin):
    """Every entry, the newest first. Nothing here is ever changed; a mistake is reversed by another entry."""

    list_display = (
        text_column("je_number", "Number"),
        day_column("je_date", "Accounted on"),
        text_column("origin", "Made by"),
        subject,
        text_column("line_count", "Lines"),
        total,
    )
    list_filter = (("je_date", RangeDateFilter), ("origin", ChoicesCheckboxFilter), AccountFilter, RunFilter)
    list_select_related = ("posting",)
    search_fields = ("id",)  # shows the box; get_search_results does the work
    search_help_text = "Number (JE-201903-…, MJ-2019-…), or a posting's reference"
    ordering = ("-id",)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[QuietChangeList]:
        return EntryChangeList

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            return queryset.filter(_called(term)), False
        except MonthIsArchived as error:
            messages.warning(request, str(error))
            return queryset.none(), False

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        return entry_numbered(object_id)

    def change_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().change_view(request, *args, **kwargs)
        except MonthIsArchived as error:
            return self._told(request, error)

    def _told(self, request: HttpRequest, error: MonthIsArchived) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        messages.error(request, str(error))
        return HttpResponseRedirect(reverse("admin:ledger_entryheader_changelist"))

    def get_urls(self) -> list[URLPattern]:
        reverse_page = path(
            "<str:number>/reverse/",
            self.admin_site.admin_view(self.reverse_view),
            name="ledger_entryheader_reverse",
        )
        return [reverse_page, *super().get_urls()]

    def detail(self, request: HttpRequest, record: EntryHeader) -> Detail:
        source = provenance(record)
        lines = parts.lines_of_entry(record)
        tables = [parts.lines_table("Lines", lines)]
        if source.manual_journal:
            tables.append(audit_table(f"journal:{source.manual_journal.number}"))
        sums = sums_of(lines)
        return Detail(
            title=record.je_number,
            subtitle=record.description or record.get_origin_display(),
            badges=_badges(record, source),
            figures=[
                *(
                    (f"Debits and credits, {one.currency} {one.fund}", parts.amount_cell(one.debits))
                    for one in sums
                ),
                ("Accounted on", Cell(day(record.je_date))),
                ("Lines", Cell(str(record.line_count))),
            ],
            facts=_facts(record, source),
            tables=tables,
            actions=_actions(request, record, source),
        )

    def reverse_view(self, request: HttpRequest, number: str) -> HttpResponse:
        """Show the mirror of an entry, ask why, then submit it for approval."""
        if not request.user.has_perm("ledger.enter_journal"):
            raise PermissionDenied
        try:
            entry = entry_numbered(number)
        except MonthIsArchived as error:
            return self._told(request, error)
        if entry is None:
            raise Http404
        obstacle = journals.obstacle_to_reversal(entry)
        form = ReverseForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                journal = journals.reverse_journal(
                    je_number=number,
                    reason=form.cleaned_data["reason"],
                    je_date=form.cleaned_data["je_date"],
                    actor=request.user,  # type: ignore[arg-type]
                    on=local_date(timezone.now()),
                )
            except BatConnectError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, f"{journal.number} waits for approval by somebody else.")
                return HttpResponseRedirect(admin_url(journal))
        lines, problems = examine(journals.mirrored(entry), takes_back=True) if obstacle is None else ([], [])
        return self.render(
            request,
            "admin/form_page.html",
            title="Reverse a journal entry",
            detail=Detail(
                title=f"Reverse {number}?",
                subtitle=entry.description,
                tables=[parts.lines_table("The reversal, once approved", lines), parts.effects_table(lines)]
                if lines and not problems
                else [],
            ),
            refused=str(obstacle or (problems and problems[0]) or ""),
            form=None if obstacle else form,
            submit_label="Submit for approval",
            submit_look="danger",
            cancel_url=parts.entry_url(number),
        )


def _called(term: str) -> Q:
    """Entries with this number, from this manual journal, or of postings with this reference."""
    upper = term.upper()
    if upper.startswith("JE-"):
        found = entry_numbered(upper)
        return Q(pk=found.pk, je_date=found.je_date) if found else Q(pk__isnull=True)
    if upper.startswith("MJ-"):
        journal = ManualJournal.objects.filter(number=upper, entry_id__isnull=False).first()
        return Q(pk=journal.entry_id, je_date=journal.je_date) if journal else Q(pk__isnull=True)
    originals = postings_with_reference(term)
    postings = LedgerPosting.objects.filter(Q(pk__in=originals) | Q(reversal_for__in=originals))
    dated = dict(postings.values_list("pk", "effective_on"))
    return Q(posting_id__in=dated, je_date__in=set(dated.values()))


def _badges(entry: EntryHeader, source: Provenance) -> list[tuple[str, str]]:
    badges = [(entry.get_origin_display(), "info")]
    if source.reverses:
        badges.append(("reversal", "warning"))
    if source.reversed_by:
        badges.append(("reversed", "danger"))
    if source.reversal_waiting:
        badges.append(("reversal waiting", "warning"))
    return badges


def _facts(entry: EntryHeader, source: Provenance) -> list[tuple[str, Cell]]:
    facts = [
        ("Happened on", Cell(day(entry.event_on))),
        ("Recorded", Cell(f"{moment(entry.created_at)} by {entry.created_by}")),
        *_origins(entry, source),
        *_run(source),
    ]
    if entry.template:
        facts.append(("Template", Cell(str(entry.template), link(entry.template))))
    if source.reverses:
        facts.append(("Reverses", parts.entry_cell(source.reverses)))
    if source.reversed_by:
        facts.append(("Reversed by", parts.entry_cell(source.reversed_by)))
    if source.reversal_waiting:
        waiting = source.reversal_waiting
        facts.append(("Reversal waiting", Cell(waiting.number, admin_url(waiting))))
    facts.extend((name, Cell(str(note))) for name, note in (entry.metadata or {}).items())
    return facts


def _origins(entry: EntryHeader, source: Provenance) -> list[tuple[str, Cell]]:
    """What it comes from, each leading there."""
    if source.posting:
        text = f"{source.posting.get_category_display()} {source.posting.reference_id}"
        return [("Driver posting", Cell(text, admin_url(source.posting)))]
    if source.source_row:
        row = source.source_row
        where = f"{row.batch.file_name}, row {row.row_number:,}"
        kind = "Trip" if row.txn_type == "TRIP" else "Source row"
        return [(kind, Cell(str(row), admin_url(row))), ("File", Cell(where, admin_url(row.batch)))]
    if source.dtr_number:
        report = DTR.objects.filter(number=source.dtr_number).only("pk").first()
        return [("DTR", Cell(source.dtr_number, admin_url(report) if report else ""))]
    if source.manual_journal:
        journal = source.manual_journal
        approved = ("Approved", Cell(f"{moment(journal.decided_at)} by {journal.decided_by}"))
        reference = [("Reference", Cell(journal.reference))] if journal.reference else []
        return [("Manual journal", Cell(journal.number, admin_url(journal))), approved, *reference]
    return [("Reference", Cell(entry.reference))] if entry.reference else []


def _run(source: Provenance) -> list[tuple[str, Cell]]:
    """The bulk run that brought it, and the rows it was taken with."""
    if source.shard is None:
        return []
    run = source.shard.run
    rows = f"shard {source.shard.number}, source rows {source.shard.first_source_id} to {source.shard.last_source_id}"
    return [("Bulk run", Cell(f"Run {run.pk}, {run.pack}", link(run))), ("Taken with", Cell(rows))]


def _actions(request: HttpRequest, entry: EntryHeader, source: Provenance) -> list[Action]:
    reversible = entry.origin == Origin.MANUAL and not (
        source.reverses or source.reversed_by or source.reversal_waiting
    )
    if reversible and request.user.has_perm("ledger.enter_journal"):
        url = reverse("admin:ledger_entryheader_reverse", args=[entry.je_number])
        return [Action("Reverse…", url, look="danger")]
    if source.posting:
        return [Action("The driver's posting", admin_url(source.posting))]
    return []
