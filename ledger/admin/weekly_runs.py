"""The weekly run: see what it would do, run it, watch it, and read what came of it."""

from collections.abc import Callable
from datetime import date
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.widgets import UnfoldAdminSingleDateWidget

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
    money_cell,
)
from batconnect.common.weeks import check_sunday, local_date, saturday_of, sunday_of
from batconnect.jobs.admin import job_state, progress_url
from batconnect.jobs.models import JobRun
from batconnect.jobs.services import start_job
from ledger import tasks, week_jobs
from ledger.models import DTR, JournalRun, ParkedRow, WeeklyRun
from ledger.selectors.week_warnings import week_warnings
from ledger.services import weekly_close
from ledger.services.dtr_export import WeekFormat, week_file

from . import dtr_files
from .posting_parts import audit_table

RUN_TONES = {"OPEN": "warning", "INSTALLMENTS_POSTED": "warning", "CLOSED": "success"}
# The result's figures as people read them; all but the last are the large ones. A preview does not say what is charged.
MONEY_FIGURES = (
    ("earnings", "Card earnings"),
    ("charged", "Charged"),
    ("allocated", "Paid to debts"),
    ("net_pay", "Net pay"),
    ("open_receivables", "Still owed to us"),
    ("taxes", "Taxes"),
)
PREVIEW = "Preview (nothing is kept) of the week of"
RUN = "Run of the week of"
COUNT_FIGURES = (
    ("leases", "Leases"),
    ("installments_posted", "Installments posted"),
    ("dtrs", "DTRs"),
)


class FirstWeekForm(forms.Form):
    """Before the first run ever, which week it is; the first run decides the calendar."""

    week = forms.DateField(
        label="First week (its Sunday)",
        widget=UnfoldAdminSingleDateWidget(attrs={"type": "date"}),
        help_text="Weeks are run one after another from this one on.",
    )

    def clean_week(self) -> date:
        week: date = self.cleaned_data["week"]
        try:
            return check_sunday(week)
        except BatConnectError as error:
            raise forms.ValidationError(str(error)) from error


@admin.register(WeeklyRun)
class WeeklyRunAdmin(ReadOnlyAdmin):
    """The weeks that were run."""

    empty_note = "Import the week's trips, then run it under Weekly run."
    list_display = (
        day_column("week", "Week", ordering="week"),
        label_column("status", "Status", RUN_TONES),
        moment_column("started_at", "Started"),
        moment_column("closed_at", "Closed"),
    )
    list_select_related = ("started_by",)

    def get_urls(self) -> list[URLPattern]:
        pages = [
            ("run/", self.run_view, "run"),
            ("<str:week>/files/", self.files_view, "files"),
            ("<str:week>/files/<str:file_format>/", self.file_view, "file"),
        ]
        return [
            *(
                path(route, self.admin_site.admin_view(view), name=f"ledger_weeklyrun_{name}")
                for route, view, name in pages
            ),
            *super().get_urls(),
        ]

    def detail(self, request: HttpRequest, record: WeeklyRun) -> Detail:
        return Detail(
            title=f"Week of {day(record.week)}",
            subtitle=f"Sunday {day(record.week)} to Saturday {day(saturday_of(record.week))}",
            badges=[(record.get_status_display(), RUN_TONES[record.status])],
            figures=result_figures(record.result),
            facts=[
                *result_facts(record.result),
                ("Started", Cell(f"{moment(record.started_at)} by {record.started_by}")),
                ("Closed", Cell(moment(record.closed_at))),
            ],
            tables=[audit_table(f"week:{record.week}")],
            actions=_actions(request, record),
        )

    def run_view(self, request: HttpRequest) -> HttpResponse:
        """The page of the next run: preview, run, progress, result."""
        if not request.user.has_perm("ledger.run_week"):
            raise PermissionDenied
        week = weekly_close.week_to_run(today=_today())
        form = self._first_week_form(request, week)
        if request.method == "POST":
            chosen = _chosen_week(week, form)
            if chosen:
                return self._start(request, chosen, dry_run="preview" in request.POST)
        shown = form.cleaned_data["week"] if form and form.is_bound and form.is_valid() else week
        return self.render(
            request,
            "admin/ledger/weekly_run.html",
            title="Weekly run",
            week_form=form,
            week=shown,
            saturday=saturday_of(shown) if shown else None,
            next_week=_next_week(),
            jobs=_watched(shown, may_print=request.user.has_perm("ledger.view_dtr")),
            working=week_jobs.at_work(),
            warnings=_warnings(shown, request.user.has_perm),
        )

    def _first_week_form(self, request: HttpRequest, week: date | None) -> FirstWeekForm | None:
        if week is None or WeeklyRun.objects.exists():
            return None
        return FirstWeekForm(request.POST or request.GET or None, initial={"week": week})

    def _start(self, request: HttpRequest, week: date, *, dry_run: bool) -> HttpResponse:
        try:
            week_jobs.start_week(
                week=week,
                dry_run=dry_run,
                actor=request.user,  # type: ignore[arg-type]
                today=_today(),
            )
        except BatConnectError as error:
            messages.error(request, str(error))
        return HttpResponseRedirect(f"{reverse('admin:ledger_weeklyrun_run')}?week={week}")

    def files_view(self, request: HttpRequest, week: str) -> HttpResponse:
        """The DTRs of a closed week as a file: have one made, watch it, download it."""
        run = self._closed_run(request, week)
        if request.method == "POST":
            file_format = request.POST.get("format")
            if file_format in dtr_files.FORMATS:
                start_job(
                    kind=tasks.DTR_FILE,
                    parameters={"week": run.week, "format": file_format},
                    actor=request.user,  # type: ignore[arg-type]
                )
            return HttpResponseRedirect(dtr_files.files_url(run.week))
        return self.render(
            request,
            "admin/ledger/dtr_files.html",
            title="DTRs as a file",
            **dtr_files.page(run.week),
            list_url=week_dtrs(run.week),
        )

    def file_view(self, request: HttpRequest, week: str, file_format: str) -> HttpResponseBase:
        run = self._closed_run(request, week)
        if file_format not in dtr_files.FORMATS:
            raise Http404
        path = week_file(run.week, cast(WeekFormat, file_format))
        try:
            return FileResponse(path.open("rb"), as_attachment=True, filename=path.name)
        except FileNotFoundError:
            messages.warning(request, "This file is no longer kept. Make it again.")
            return HttpResponseRedirect(dtr_files.files_url(run.week))

    def _closed_run(self, request: HttpRequest, week: str) -> WeeklyRun:
        """The closed week whose DTRs are asked for, by someone who may read them."""
        if not request.user.has_perm("ledger.view_dtr"):
            raise PermissionDenied
        run: WeeklyRun | None = self.get_object(request, week)
        if run is None or run.status != WeeklyRun.Status.CLOSED:
            raise Http404
        return run


def _actions(request: HttpRequest, run: WeeklyRun) -> list[Action]:
    if not run.result:
        return [Action("Continue this run", reverse("admin:ledger_weeklyrun_run"), look="primary")]
    actions = [Action("DTRs of this week", week_dtrs(run.week), look="primary")]
    if request.user.has_perm("ledger.view_dtr"):
        actions.append(Action("DTRs as a file…", dtr_files.files_url(run.week)))
    return actions


def _today() -> date:
    return local_date(timezone.now())


def _chosen_week(week: date | None, form: FirstWeekForm | None) -> date | None:
    if form is None:
        return week
    return form.cleaned_data["week"] if form.is_valid() else None


def _next_week() -> date:
    """The week that can be run next when none can be today."""
    return sunday_of(_today())


def _warnings(week: date | None, can: Callable[[str], bool]) -> list[tuple[str, str]]:
    """(sentence, where to look) for each; the second is empty where this user may not look."""
    if week is None:
        return []
    links = {
        "import": reverse("admin:ledger_importbatch_upload") if can("ledger.import_trips") else "",
        "journal": list_url(JournalRun) if can("ledger.view_journalrun") else "",
        "parked": list_url(ParkedRow, "status__exact=PARKED") if can("ledger.view_parkedrow") else "",
    }
    return [(warning.sentence, links.get(warning.what, "")) for warning in week_warnings(week)]


def _watched(week: date | None, *, may_print: bool) -> list[dict[str, Any]]:
    """The latest preview of this week, and the last run of any: the one just started, or the one before."""
    preview = week_jobs.jobs_of(week, dry_run=True).first() if week else None
    runs = JobRun.objects.filter(kind=tasks.WEEKLY_RUN, parameters__dry_run=False)
    run = runs.select_related("started_by").first()
    latest = [job for job in (preview, run) if job]
    return [_shown(job, may_print) for job in sorted(latest, key=lambda job: job.created_at, reverse=True)]


def _shown(job: JobRun, may_print: bool) -> dict[str, Any]:
    dry_run = bool(job.parameters.get("dry_run"))
    week = date.fromisoformat(job.parameters["week"])
    done = job.status == JobRun.Status.SUCCEEDED
    return {
        "title": f"Preview of the week of {day(week)}: nothing is kept"
        if dry_run
        else f"Run of the week of {day(week)}",
        "when": f"{moment(job.created_at)} by {job.started_by}",
        "detail": Detail(
            title="",
            figures=result_figures(job.result) if done else (),
            facts=result_facts(job.result) if done else (),
            context={"progress": job_state(job), "progress_url": progress_url(job)},
        ),
        "job_url": admin_url(job),
        "dtrs_url": "" if dry_run or not done else week_dtrs(week),
        "files_url": dtr_files.files_url(week) if may_print and done and not dry_run else "",
    }


def result_figures(result: dict[str, Any] | None) -> list[tuple[str, Cell]]:
    return (
        [(label, money_cell(result[name])) for name, label in MONEY_FIGURES[:-1] if name in result]
        if result
        else []
    )


def result_facts(result: dict[str, Any] | None) -> list[tuple[str, Cell]]:
    if not result:
        return []
    sums = [(label, money_cell(result[name])) for name, label in MONEY_FIGURES[-1:] if name in result]
    return sums + [
        (label, Cell(f"{result[name]:,}", look="money")) for name, label in COUNT_FIGURES if name in result
    ]


def week_dtrs(week: date) -> str:
    return list_url(DTR, f"week_from={week}&week_to={week}")
