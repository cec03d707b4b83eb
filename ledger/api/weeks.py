"""The weekly run over HTTP: try a week out, run it, follow it, and read what came of it."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from batconnect.api.errors import NotFound
from batconnect.api.idempotency import KEY_PARAMETER, once
from batconnect.api.pagination import by_key, paginate
from batconnect.api.views import ApiView, today
from batconnect.common.idempotency import Answer
from batconnect.common.weeks import check_sunday, saturday_of
from batconnect.jobs.models import JobRun
from ledger import week_jobs

from ..models import WeeklyRun
from ..selectors.week_warnings import week_warnings
from ..services.weekly_close import RESULT_NAMES, week_to_run
from . import week_schemas as schemas
from .batch_answers import job_progress


class Weeks(ApiView):
    permissions = {"GET": "ledger.view_weeklyrun", "POST": "ledger.run_week"}
    query_class = schemas.WeeksQuery

    @extend_schema(tags=["weekly run"], operation_id="list_weeks", responses=schemas.WeekPage)
    def get(self, request: Request) -> Response:
        """List the weeks that were run or begun, the newest first."""
        runs = WeeklyRun.objects.all()
        if "status" in self.query:
            runs = runs.filter(status=self.query["status"])

        def rows(weeks: Sequence[date]) -> list[Mapping[str, Any]]:
            found = WeeklyRun.objects.filter(pk__in=weeks).select_related("started_by")
            return by_key(weeks, [_row(run.week, run) for run in found], "week")

        return Response(paginate(runs, self.query, schemas.WeeksQuery.sorts, rows))

    @extend_schema(
        tags=["weekly run"],
        operation_id="run_week",
        parameters=[KEY_PARAMETER],
        request=schemas.RunRequest,
        responses={202: schemas.WeekStarted},
    )
    def post(self, request: Request) -> Response:
        """Run a week and close it, or try it out. Asked again while it is at work, it is the same job.

        A closed week is not run again: its job gives the result that is kept. So name the week, or send a key:
        without either, a request repeated after the run has ended is one for the week after.
        """
        body = self.body(schemas.RunRequest)

        def effect() -> Answer:
            job = week_jobs.start_week(
                week=body.get("week"), dry_run=body["dry_run"], actor=self.actor, today=today()
            )
            return Answer(202, _started(job))

        return once(request, body, effect)


class WeekDetail(ApiView):
    permissions = {"GET": "ledger.view_weeklyrun"}

    @extend_schema(tags=["weekly run"], operation_id="show_week", responses=schemas.WeekDetail)
    def get(self, request: Request, week: date) -> Response:
        """Show a week: its state and result, how far its run is, and what its last dry run gave.

        It is there once it was begun or tried out, or is the next one to run.
        """
        check_sunday(week)
        run = WeeklyRun.objects.select_related("started_by").filter(pk=week).first()
        jobs = {
            name: week_jobs.jobs_of(week, dry_run=dry_run).first()
            for name, dry_run in (("run", False), ("preview", True))
        }
        if not (run or any(jobs.values()) or week == week_to_run(today=today())):
            raise NotFound(kind="weekly run", key=str(week))
        at_work = week_jobs.at_work()
        closed = run is not None and run.status == WeeklyRun.Status.CLOSED
        return Response(
            {
                **_row(week, run),
                "warnings": [] if closed else _warnings(week),
                **{name: job and _job(job) for name, job in jobs.items()},
                "at_work": at_work and job_progress(at_work),
            }
        )


def _row(week: date, run: WeeklyRun | None) -> dict[str, Any]:
    return {
        "week": week,
        "ends_on": saturday_of(week),
        "status": run and run.status,
        "installments_posted": run.installments_posted if run else 0,
        "started_by_name": run and run.started_by.username,
        "started_at": run and _local(run.started_at),
        "closed_at": run and _local(run.closed_at),
        "result": run and _result(run.result),
    }


def _job(job: JobRun) -> dict[str, Any]:
    return {
        **job_progress(job),
        "started_by_name": job.started_by.username,
        "created_at": _local(job.created_at),
        "ended_at": _local(job.ended_at),
        "error": {"code": job.error_code, "message": job.error} if job.error_code else None,
        "result": _result(job.result),
    }


def _result(result: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The figures of a run; they name the week too, which stands beside them already."""
    return {name: result[name] for name in RESULT_NAMES if name != "week"} if result else None


def _warnings(week: date) -> list[dict[str, str]]:
    return [{"what": warning.what, "message": warning.sentence} for warning in week_warnings(week)]


def _started(job: JobRun) -> dict[str, Any]:
    week, dry_run = job.parameters["week"], job.parameters["dry_run"]
    return {
        "week": week,
        "dry_run": dry_run,
        "job_id": job.pk,
        "status": job.status,
        "message": f"The week of {week} is {'tried out' if dry_run else 'run'} as soon as a worker is free; "
        f"follow it at /ledger/weeks/{week}.",
    }


def _local(moment: datetime | None) -> datetime | None:
    return timezone.localtime(moment) if moment else None
