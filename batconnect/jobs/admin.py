"""Job runs as people see them, their live progress, and the schedule they start by."""

import re
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django_celery_beat.admin import CrontabScheduleAdmin as BaseCrontabScheduleAdmin
from django_celery_beat.admin import IntervalScheduleAdmin as BaseIntervalScheduleAdmin
from django_celery_beat.admin import PeriodicTaskAdmin as BasePeriodicTaskAdmin
from django_celery_beat.admin import PeriodicTaskForm, TaskSelectWidget
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesCheckboxFilter
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from batconnect.common.screens import (
    Cell,
    Detail,
    ReadOnlyAdmin,
    Table,
    day,
    label_column,
    moment,
    moment_column,
    money,
    text_column,
)

from .models import JobRun
from .services import kind_label

_AMOUNT = re.compile(r"-?\d+\.\d\d")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
STATUS_TONES = {"PENDING": "info", "RUNNING": "warning", "SUCCEEDED": "success", "FAILED": "danger"}


@admin.display(description="Job", ordering="kind")
def job_name(job: JobRun) -> str:
    return kind_label(job.kind)


@admin.display(description="For")
def job_subject(job: JobRun) -> str:
    told = [
        _told(name.replace("_", " "), value) for name, value in job.parameters.items() if value is not False
    ]
    return ", ".join(told) or "–"


def _told(name: str, value: Any) -> str:
    return name if value is True else f"{name} {_readable(value)}"


@admin.register(JobRun)
class JobRunAdmin(ReadOnlyAdmin):
    """What runs, what ran, and how it ended."""

    empty_note = "Weekly runs, imports and files that are made in the background stand here."
    list_display = (
        job_name,
        job_subject,
        label_column("status", "Status", STATUS_TONES),
        text_column("step", "Step"),
        text_column("started_by__username", "Started by"),
        moment_column("created_at", "Asked for", ordering="created_at"),
        moment_column("ended_at", "Ended"),
    )
    list_filter = (("status", ChoicesCheckboxFilter),)
    list_select_related = ("started_by",)
    search_fields = ("kind",)

    def get_urls(self) -> list[URLPattern]:
        progress = path(
            "<uuid:job_id>/progress/", self.admin_site.admin_view(self.progress_view), name="job_progress"
        )
        return [progress, *super().get_urls()]

    def progress_view(self, request: HttpRequest, job_id: UUID) -> JsonResponse:
        """What a page that watches a job asks for every second."""
        job = get_object_or_404(JobRun, pk=job_id)
        if not (self.has_view_permission(request, job) or job.started_by_id == request.user.pk):
            raise PermissionDenied
        return JsonResponse(job_state(job))

    def detail(self, request: HttpRequest, record: JobRun) -> Detail:
        return Detail(
            title=kind_label(record.kind),
            subtitle=job_subject(record),
            facts=[
                ("Started by", Cell(str(record.started_by))),
                ("Asked for", Cell(moment(record.created_at))),
                ("Started", Cell(moment(record.started_at))),
                ("Ended", Cell(moment(record.ended_at))),
                ("Attempts", Cell(str(record.attempts))),
            ],
            partials=["admin/jobs/progress.html"],
            tables=result_tables(record.result),
            texts=[("Log", record.log or "Nothing was logged.")],
            context={"job": record, "progress": job_state(record), "progress_url": progress_url(record)},
        )


def progress_url(job: JobRun) -> str:
    return reverse("admin:job_progress", args=[job.pk])


def job_state(job: JobRun) -> dict[str, Any]:
    """A job as the progress bar needs it."""
    return {
        "status": job.status,
        "label": job.get_status_display(),
        "step": job.step,
        "done": job.done,
        "total": job.total,
        "percent": 100 if job.status == JobRun.Status.SUCCEEDED else job.percent,
        "error": job.error,
        "ended": job.status in (JobRun.Status.SUCCEEDED, JobRun.Status.FAILED),
        "log": job.log,
    }


def result_tables(result: dict[str, Any] | None) -> list[Table]:
    """A job's result; a list of results (several weeks) is one table each."""
    if not result:
        return []
    if isinstance(result.get("weeks"), list):
        return [result_table(part, f"Week of {part.get('week')}") for part in result["weeks"]]
    return [result_table(result, "Result")]


def result_table(result: dict[str, Any], title: str) -> Table:
    rows = []
    for name, value in result.items():
        if isinstance(value, dict):
            shown = ", ".join(f"{inner} {_readable(number)}" for inner, number in value.items())
        else:
            shown = _readable(value)
        rows.append([Cell(name.replace("_", " ").capitalize()), Cell(shown, look="money")])
    return Table(title, ["", "#"], rows)


def _readable(value: Any) -> str:
    """Results are JSON: amounts and dates come as text, and are shown as everywhere else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, str) and _AMOUNT.fullmatch(value):
        return money(value)
    if isinstance(value, str) and _DATE.fullmatch(value):
        return day(value)
    return str(value)


# --- the schedule -------------------------------------------------------------------------------------------

for schedule in (ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule):
    admin.site.unregister(schedule)


class _TaskSelect(UnfoldAdminSelectWidget, TaskSelectWidget):
    """The registered tasks, in the look of the site."""


class _PeriodicTaskForm(PeriodicTaskForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()
        self.fields["regtask"].widget = _TaskSelect()


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(BasePeriodicTaskAdmin, ModelAdmin):
    """When scheduled work starts."""

    form = _PeriodicTaskForm
    date_hierarchy = None
    list_display = ("name", "enabled", "scheduler", "last_run_at")
    list_filter = ("enabled",)


@admin.register(CrontabSchedule)
class CrontabScheduleAdmin(BaseCrontabScheduleAdmin, ModelAdmin):
    """Times of day and week."""

    inlines = ()


@admin.register(IntervalSchedule)
class IntervalScheduleAdmin(BaseIntervalScheduleAdmin, ModelAdmin):
    """Every so often."""

    inlines = ()
