"""Runs of sources: the list, one run's summary, and starting one."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.contrib.filters.admin import ChoicesCheckboxFilter, RangeDateFilter, RelatedDropdownFilter
from unfold.decorators import action
from unfold.widgets import UnfoldAdminDateWidget, UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget

from batconnect.common.errors import BatConnectError
from batconnect.common.screens import (
    Action,
    Cell,
    Detail,
    ReadOnlyAdmin,
    admin_url,
    day,
    day_column,
    label_column,
    list_url,
    moment,
    moment_column,
    text_column,
)
from batconnect.common.weeks import local_date
from ledger.services.batch_uploads import receive_upload

from ..models import ReconJob, ReconLog, ReconSource
from ..selectors.exceptions import open_exceptions
from ..services.runs import start_recon
from .parts import JOB_TONES, actor_of, audit_table, counts_table, exceptions_table, may, shown_money

SHOWN = 50


class RunForm(forms.Form):
    """What to reconcile."""

    source = forms.ModelChoiceField(
        queryset=ReconSource.objects.filter(active=True), widget=UnfoldAdminSelectWidget
    )
    date = forms.DateField(widget=UnfoldAdminDateWidget(attrs={"type": "date"}))
    file = forms.FileField(
        required=False,
        widget=UnfoldAdminFileFieldWidget,
        help_text="Without a file: the source's usual one, or its API.",
    )


def _matched(job: ReconJob) -> str:
    outside = job.counts.get("external")
    return f"{outside['matched']:,} of {outside['rows']:,}" if outside else "–"


_matched.short_description = "Matched"  # type: ignore[attr-defined]


def _variance(job: ReconJob) -> str:
    return shown_money(job.variance)


_variance.short_description = "Difference"  # type: ignore[attr-defined]


@admin.register(ReconJob)
class ReconJobAdmin(ReadOnlyAdmin):
    """What was reconciled, when, and how it ended."""

    empty_note = "Reconcile compares a day of the bank or the processor with the journal."
    list_display = (
        text_column("source__name", "Source", ordering="source__name"),
        day_column("date", "For", ordering="date"),
        label_column("status", "Status", JOB_TONES),
        _matched,
        _variance,
        text_column("started_by__username", "By"),
        moment_column("created_at", "Started", ordering="created_at"),
    )
    list_filter = (
        ("status", ChoicesCheckboxFilter),
        ("source", RelatedDropdownFilter),
        ("date", RangeDateFilter),
    )
    list_select_related = ("source", "started_by")
    search_fields = ("source__name", "file_name")
    actions_list = ["new_run"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return (
            super().get_queryset(request).select_related("source", "started_by", "superseded_by", "repeats")
        )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.start_view)
        return [path("start/", view, name="recon_reconjob_start"), *super().get_urls()]

    def has_run_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return may(request, "run_recon")

    @action(description="Reconcile", url_path="new", permissions=["run"])
    def new_run(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:recon_reconjob_start"))

    def start_view(self, request: HttpRequest) -> HttpResponse:
        """Choose a source and a day; a worker does the rest."""
        if not may(request, "run_recon"):
            raise PermissionDenied
        initial = {"date": local_date(timezone.now()), "source": request.GET.get("source")}
        form = RunForm(request.POST or None, request.FILES or None, initial=initial)
        if request.method == "POST" and form.is_valid():
            try:
                job = self._start(request, form)
            except BatConnectError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, f"{job.source} is being reconciled for {day(job.date)}.")
                return HttpResponseRedirect(admin_url(job))
        detail = Detail(
            title="Reconcile a day",
            subtitle="What the outside says is compared with what is posted. Done again, it changes only what is new.",
        )
        return self.render(
            request, "admin/form_page.html", title=detail.title, detail=detail, form=form,
            submit_label="Reconcile", cancel_url=list_url(ReconJob),
        )  # fmt: skip

    def _start(self, request: HttpRequest, form: RunForm) -> ReconJob:
        given = form.cleaned_data
        file: UploadedFile | None = given["file"]
        upload = receive_upload(chunks=file.chunks(), name=file.name or "").token if file else ""
        job, _ = start_recon(
            source=given["source"], on=given["date"], actor=actor_of(request), upload=upload,
            today=local_date(timezone.now()),
        )  # fmt: skip
        return job

    def detail(self, request: HttpRequest, record: ReconJob) -> Detail:
        exceptions = open_exceptions([record.pk]).order_by("waiting", "id")
        total = exceptions.count()
        tables = [counts_table(record)]
        if record.counts and may(request, "view_reconlog"):
            more = list_url(ReconLog, f"job__id__exact={record.pk}")
            logs = list(exceptions[:SHOWN])
            tables.append(exceptions_table(logs, total, more))
        tables.append(audit_table(f"recon_job:{record.pk}"))
        actions = []
        if may(request, "run_recon"):
            again = f"{reverse('admin:recon_reconjob_start')}?source={record.source_id}"
            actions.append(Action("Reconcile again…", again))
        return Detail(
            title=f"{record.source} for {day(record.date)}",
            subtitle=record.error or record.file_name,
            badges=_badges(record),
            figures=[
                ("Outside", Cell(shown_money(record.external_total), look="money")),
                ("Ledger", Cell(shown_money(record.ledger_total), look="money")),
                ("Difference", Cell(shown_money(record.variance), look="money strong")),
                ("Open", Cell(f"{total:,}", look="money")),
            ],
            facts=[
                ("Oldest without partner", Cell(day(record.oldest_unmatched))),
                ("New rows", Cell(f"{record.counts.get('new_rows', 0):,}")),
                ("Came again", Cell(f"{record.counts.get('repeated_rows', 0):,}")),
                ("Matched by", Cell(record.model_version or "–")),
                ("Started", Cell(f"{moment(record.created_at)} by {record.started_by}")),
                ("Ended", Cell(moment(record.ended_at))),
            ],
            tables=tables,
            actions=actions,
        )


def _badges(job: ReconJob) -> list[tuple[str, str]]:
    badges = [(str(job.get_status_display()), JOB_TONES[job.status])]
    if job.superseded_by_id:
        badges.append(("superseded", "info"))
    if job.repeats_id:
        badges.append(("nothing new", "info"))
    return badges
