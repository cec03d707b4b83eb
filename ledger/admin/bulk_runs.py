"""Bulk runs: all of them, one with its progress and checksums, and what a person does to it."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesCheckboxFilter, RadioFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from batconnect.common.errors import BatConnectError
from batconnect.common.screens import (
    Cell,
    Detail,
    ReadOnlyAdmin,
    Table,
    admin_url,
    moment_column,
    money,
    text_column,
)
from batconnect.exports import ExporterFactory, ExportTooLarge
from batconnect.exports.download import as_download
from ledger import batch_jobs
from ledger.models import JournalRun
from ledger.selectors.batch_rejects import count_rejects
from ledger.selectors.batch_standing import Standing, failed_runs, standing, waiting_runs, with_standing
from ledger.services import batches
from ledger.services.batch_files import run_rejects_table
from ledger.services.batches.outcomes import STARTS_OVER
from ledger.services.reasons import LONGEST_REASON

from . import bulk_run_parts as parts
from . import bulk_run_tables as tables
from .bulk_run_start import StartPages

FILES = {"xlsx": "excel", "csv": "csv"}
RESUMING = (
    "It goes on from where it is: what was staged or posted of it is kept, and no row is entered twice."
)
STARTING_OVER = (
    "Templates, accounts or days changed since it was planned, so it starts over by what is in force now."
)
REVERSING = (
    "Every entry of the run gets its mirror, with debits and credits swapped, in a run of its own. Nothing is deleted. "
    "The source rows can be journalised again afterwards."
)
DISCARDING = (
    "What was staged of it is dropped. Nothing of it was posted, and its rows are free for another run."
)


class NeedsAPersonFilter(RadioFilter):
    """Runs that stopped and wait, and those that failed lately: what the home page counts."""

    title = "needs a person"
    parameter_name = "attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("stopped", "Stopped, to resume or discard"), ("failed", "Failed in 7 days")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[JournalRun]) -> QuerySet[JournalRun]:
        chosen = {"stopped": waiting_runs, "failed": failed_runs}.get(self.value() or "")
        return queryset.filter(pk__in=chosen().values("pk")) if chosen else queryset


class ReasonForm(forms.Form):
    """Why a run is reversed or discarded."""

    reason = forms.CharField(
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        max_length=LONGEST_REASON,
        help_text="At least 10 characters. The next reader has only this sentence.",
    )


@display(description="Run", ordering="id")
def run_number(run: JournalRun) -> str:
    return f"{run.pk}{' (dry run)' if run.dry_run else ''}"


@display(description="For")
def run_subject(run: JournalRun) -> str:
    return parts.subject(run)


@display(description="Standing", label={str(each): tone for each, tone in parts.TONES.items()})
def run_standing(run: JournalRun) -> str:
    return str(standing(run))


def _number_column(field: str, label: str) -> Callable[[Any], Any]:
    def column(run: JournalRun) -> str:
        return format_html('<span class="bc-money">{}</span>', f"{getattr(run, field):,}")

    column.__name__ = field
    return display(column, description=label, ordering=field)


@display(description="Debits", ordering="debits")
def debits(run: JournalRun) -> str:
    return format_html('<span class="bc-money">{}</span>', money(run.debits))


@admin.register(JournalRun)
class JournalRunAdmin(StartPages, ReadOnlyAdmin):
    """Every bulk run, the newest first."""

    empty_note = "New bulk run journalises a month or a file; it is tried before anything is posted."
    list_display = (
        run_number,
        run_subject,
        run_standing,
        _number_column("source_rows", "Source rows"),
        _number_column("entries", "Entries"),
        _number_column("rejects", "Rejected"),
        debits,
        text_column("started_by__username", "Started by"),
        moment_column("created_at", "Started", ordering="id"),
    )
    list_filter = (NeedsAPersonFilter, ("state", ChoicesCheckboxFilter))
    search_fields = ("=pack", "import_batch__file_name")
    search_help_text = "Pack, or the name of the file"
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> Any:
        runs = super().get_queryset(request).select_related("started_by", "import_batch")
        return with_standing(runs)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        pages: tuple[tuple[str, Callable[..., Any], str], ...] = (
            ("<int:run_id>/progress/", self.progress_view, "progress"),
            ("<int:run_id>/resume/", self.resume_view, "resume"),
            ("<int:run_id>/reverse/", self.reverse_view, "reverse"),
            ("<int:run_id>/discard/", self.discard_view, "discard"),
            ("<int:run_id>/rejects/<str:file_format>/", self.rejects_view, "rejects"),
        )
        return [
            *self.start_urls(),
            *(path(route, wrap(view), name=f"ledger_journalrun_{name}") for route, view, name in pages),
            *super().get_urls(),
        ]

    def detail(self, request: HttpRequest, record: JournalRun) -> Detail:
        return parts.detail_of(request, record)

    def progress_view(self, request: HttpRequest, run_id: int) -> JsonResponse:
        """What the page of a run asks for every second."""
        run = self._run(request, run_id, "ledger.view_journalrun")
        return JsonResponse(parts.progress_state(run, batch_jobs.job_of(run.pk)))

    def rejects_view(self, request: HttpRequest, run_id: int, file_format: str) -> HttpResponseBase:
        run = self._run(request, run_id, "ledger.view_journalrun")
        if file_format not in FILES:
            raise Http404
        try:
            ExporterFactory.get(FILES[file_format]).check_size(count_rejects(run))
        except ExportTooLarge as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(admin_url(run))
        return as_download(run_rejects_table(run), FILES[file_format], f"rejects-run-{run.pk}")

    def resume_view(self, request: HttpRequest, run_id: int) -> HttpResponse:
        run = self._run(request, run_id, "ledger.post_batch")
        return self._decide(
            request,
            run,
            form=forms.Form(request.POST if request.method == "POST" else None),
            possible=standing(run) is Standing.STOPPED,
            title=f"Resume run {run.pk}?",
            subtitle=STARTING_OVER if run.error_code in STARTS_OVER else RESUMING,
            label="Resume this run",
            look="primary",
            act=lambda form: batch_jobs.resume(run_id=run.pk, actor=request.user).run,  # type: ignore[arg-type]
        )

    def reverse_view(self, request: HttpRequest, run_id: int) -> HttpResponse:
        run = self._run(request, run_id, "ledger.reverse_batch")

        def act(form: forms.Form) -> JournalRun:
            reason = form.cleaned_data["reason"]
            return batch_jobs.reverse(run_id=run.pk, actor=request.user, reason=reason).run  # type: ignore[arg-type]

        return self._decide(
            request,
            run,
            form=ReasonForm(request.POST or None),
            possible=standing(run) is Standing.POSTED and not run.reverses_run_id,
            title=f"Reverse run {run.pk}?",
            subtitle=REVERSING,
            label="Reverse this run",
            look="danger",
            act=act,
        )

    def discard_view(self, request: HttpRequest, run_id: int) -> HttpResponse:
        run = self._run(request, run_id, "ledger.post_batch")

        def act(form: forms.Form) -> JournalRun:
            reason = form.cleaned_data["reason"]
            return batches.discard_run(run_id=run.pk, actor=request.user, reason=reason)  # type: ignore[arg-type]

        return self._decide(
            request,
            run,
            form=ReasonForm(request.POST or None),
            possible=not standing(run).has_ended,
            title=f"Discard run {run.pk}?",
            subtitle=DISCARDING,
            label="Discard this run",
            look="danger",
            act=act,
        )

    def _decide(
        self,
        request: HttpRequest,
        run: Any,
        *,
        form: forms.Form,
        possible: bool,
        title: str,
        subtitle: str,
        label: str,
        look: str,
        act: Callable[[forms.Form], JournalRun],
    ) -> HttpResponse:
        """Say what is done, ask, do it, and lead to the run that comes of it. Clicked twice, it is done once."""
        if not possible:
            messages.info(request, f"Run {run.pk} is {str(standing(run)).lower()}; nothing was done.")
            return HttpResponseRedirect(admin_url(_latest(run)))
        if request.method == "POST" and form.is_valid():
            try:
                done = act(form)
            except BatConnectError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, _told(run, done))
                return HttpResponseRedirect(admin_url(done))
        return self.render(
            request,
            "admin/form_page.html",
            title=title,
            detail=Detail(title=title, subtitle=subtitle, facts=_what_it_is(run), tables=_at_stake(run)),
            form=form,
            submit_label=label,
            submit_look=look,
            cancel_url=admin_url(run),
        )

    def _run(self, request: HttpRequest, run_id: int, permission: str) -> Any:
        if not request.user.has_perm(permission):
            raise PermissionDenied
        run = self.get_queryset(request).filter(pk=run_id).first()
        if run is None:
            raise Http404
        return run


def _latest(run: JournalRun) -> JournalRun:
    """The run that took this one back, if there is one: where the second of two clicks leads."""
    mirror = run.reversals.exclude(state="FAILED").order_by("-id").first()
    return mirror or run


def _told(run: JournalRun, done: JournalRun) -> str:
    if done.pk != run.pk:
        return f"Run {done.pk} takes back run {run.pk}. It is taken up as soon as a worker is free."
    if done.state == "FAILED":
        return f"Run {done.pk} is discarded."
    return f"Run {done.pk} goes on as soon as a worker is free."


def _what_it_is(run: JournalRun) -> list[tuple[str, Cell]]:
    return [
        ("For", Cell(parts.subject(run))),
        ("Source rows", tables.number(run.source_rows)),
        ("Entries", tables.number(run.entries)),
        ("Debits and credits", Cell(money(run.debits), look="money")),
    ]


def _at_stake(run: JournalRun) -> list[Table]:
    if run.state != "POSTED":
        return []
    table = tables.effect_table(run, tried=False)
    return [
        Table("What the run brought, and would be taken back", table.headers, table.rows, empty=table.empty)
    ]
