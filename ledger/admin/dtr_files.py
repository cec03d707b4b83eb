"""The DTRs of a closed week as one file to download: what can be made, how far it is, and what is there."""

from datetime import UTC, date, datetime
from typing import Any

from django.template.defaultfilters import filesizeformat
from django.urls import reverse

from batconnect.common.screens import Detail, admin_url, day, moment
from batconnect.jobs.admin import job_state, progress_url
from batconnect.jobs.models import JobRun
from ledger import tasks
from ledger.models import DTR
from ledger.services.dtr_export import KEPT, WeekFormat, week_file
from ledger.services.dtr_pdf import MOST_IN_ONE_FILE

FORMATS: dict[str, str] = {"zip": "ZIP with a PDF for each DTR", "pdf": "One PDF of all DTRs, to print"}


def files_url(week: date) -> str:
    return reverse("admin:ledger_weeklyrun_files", args=[week])


def page(week: date) -> dict[str, Any]:
    count = DTR.objects.filter(week=week).count()
    return {
        "week_title": f"DTRs of the week of {day(week)}",
        "count": count,
        "kept_days": KEPT.days,
        "files": [_file(week, "zip", count), _file(week, "pdf", count)],
    }


def _file(week: date, file_format: WeekFormat, count: int) -> dict[str, Any]:
    job = (
        JobRun.objects.filter(kind=tasks.DTR_FILE, parameters={"format": file_format, "week": str(week)})
        .select_related("started_by")
        .first()
    )
    state = job_state(job) if job else None
    download = _download(week, file_format)
    return {
        "format": file_format,
        "title": FORMATS[file_format],
        "refused": _refused(file_format, count),
        "working": bool(state and not state["ended"]),
        "job_url": admin_url(job) if job else "",
        "when": f"Asked for {moment(job.created_at)} by {job.started_by}" if job else "",
        "detail": Detail(title="", context={"progress": state, "progress_url": progress_url(job)})
        if job
        else None,
        "download": download,
        "forgotten": bool(job and job.status == JobRun.Status.SUCCEEDED and not download),
    }


def _refused(file_format: WeekFormat, count: int) -> str:
    if not count:
        return "No DTR was made for this week."
    if file_format == "pdf" and count > MOST_IN_ONE_FILE:
        return f"One PDF takes at most {MOST_IN_ONE_FILE:,} DTRs; take the ZIP."
    return ""


def _download(week: date, file_format: WeekFormat) -> dict[str, str] | None:
    try:
        found = week_file(week, file_format).stat()
    except FileNotFoundError:
        return None
    return {
        "url": reverse("admin:ledger_weeklyrun_file", args=[week, file_format]),
        "size": filesizeformat(found.st_size),
        "made": moment(datetime.fromtimestamp(found.st_mtime, UTC)),
    }
