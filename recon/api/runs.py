"""Starting a reconciliation, following it, and reading what it found."""

from datetime import date
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from batconnect.api.content import StrictJSONParser
from batconnect.api.idempotency import KEY_PARAMETER, once
from batconnect.api.pagination import by_key, paginate
from batconnect.api.schema import Error
from batconnect.api.uploads import limited, parts_of, was_too_large
from batconnect.api.views import ApiView, today
from batconnect.common.idempotency import Answer
from ledger.services.batch_uploads import forget_upload, receive_upload, too_large

from ..models import Outcome, ReconJob, ReconLog
from ..selectors.summaries import job_answer, job_in_force, jobs_of
from ..services.errors import UnknownJob
from ..services.runs import find_source, start_recon
from . import answers, schemas

TAG = ["reconciliation"]


class Run(ApiView):
    permissions = {"POST": "recon.run_recon"}
    parser_classes = [StrictJSONParser, MultiPartParser]

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        # Before the log-in is checked, for which a form may be read.
        whole: Request = super().initialize_request(
            limited(request, settings.BATCH_UPLOAD_MAX_BYTES), *args, **kwargs
        )
        return whole

    @extend_schema(
        tags=TAG,
        operation_id="run_recon",
        parameters=[KEY_PARAMETER],
        request={"application/json": schemas.RunRequest, "multipart/form-data": schemas.UploadRequest},
        responses={
            202: schemas.Started,
            413: OpenApiResponse(
                Error, description="The body is larger than 1 MB, or the file than may be sent."
            ),
        },
    )
    def post(self, request: Request) -> Response:
        """Reconcile a source for a day, in the background: its usual file or API, a file named, or a file sent."""
        if (request.content_type or "").startswith("multipart/form-data"):
            return self._from_upload(request)
        body = self.body(schemas.RunRequest)
        return once(request, body, lambda: self._started(body, file_path=body.get("file_path", "")))

    def _from_upload(self, request: Request) -> Response:
        parts = parts_of(request)
        if was_too_large(request._request):
            raise too_large()
        body = self.checked(schemas.UploadRequest, parts)
        file = body.pop("file")
        upload = receive_upload(chunks=file.chunks(), name=file.name)
        asked = {**body, "name": upload.name, "size": upload.size, "sha256": upload.sha256}
        try:
            answer = once(request, asked, lambda: self._started(body, upload=upload.token))
        except BaseException:
            forget_upload(upload.token)
            raise
        if answer.headers.get("Idempotent-Replayed"):
            forget_upload(upload.token)  # the first one is kept
        return answer

    def _started(self, body: dict[str, Any], *, file_path: str = "", upload: str = "") -> Answer:
        source = find_source(body["source"])
        job, _ = start_recon(
            source=source,
            on=body["date"],
            actor=self.actor,
            file_path=file_path,
            upload=upload,
            today=today(),
        )
        message = f"{source.name} is being reconciled for {job.date}."
        return Answer(
            202,
            {
                "message": message,
                "job_id": job.pk,
                "source": source.name,
                "date": str(job.date),
                "status": job.status,
            },
        )


class Status(ApiView):
    permissions = {"GET": "recon.view_reconjob"}

    @extend_schema(tags=TAG, operation_id="show_recon_status", responses=schemas.StatusAnswer)
    def get(self, request: Request, on: date) -> Response:
        """Show the last reconciliation of each source for a day: waiting, running, completed or failed."""
        return Response({"date": on, "items": [job_answer(job) for job in jobs_of(on)]})


class DaySummary(ApiView):
    permissions = {"GET": "recon.view_reconjob"}

    @extend_schema(tags=TAG, operation_id="show_recon_day", responses=schemas.DaySummary)
    def get(self, request: Request, on: date) -> Response:
        """Summarise what was found for a day, source by source."""
        jobs = (
            ReconJob.objects.filter(
                date=on, status=ReconJob.Status.COMPLETED, superseded_by=None, repeats=None
            )
            .select_related("source__currency")
            .order_by("source__name")
        )
        return Response({"date": on, "items": answers.summaries(list(jobs))})


class SourceSummary(ApiView):
    permissions = {"GET": "recon.view_reconjob"}

    @extend_schema(tags=TAG, operation_id="show_recon_summary", responses=schemas.Summary)
    def get(self, request: Request, on: date, source: str) -> Response:
        """Summarise what was found for a day and a source."""
        find_source(source)
        job = job_in_force(on, source)
        if job is None:
            raise UnknownJob(source=source, date=on)
        return Response(answers.summaries([job])[0])


class Logs(ApiView):
    permissions = {"GET": "recon.view_reconlog"}
    query_class = schemas.LogsQuery

    @extend_schema(tags=TAG, operation_id="list_recon_logs", responses=schemas.LogPage)
    def get(self, request: Request) -> Response:
        """List how each row ended in the reconciliations in force."""
        logs = ReconLog.objects.filter(
            job__status=ReconJob.Status.COMPLETED, job__superseded_by=None, job__repeats=None
        )
        paths = {"source": "job__source__name", "date": "job__date", "outcome": "outcome", "side": "side"}
        logs = logs.filter(**{path: self.query[name] for name, path in paths.items() if name in self.query})
        if "matched" in self.query:
            matched = {"outcome": Outcome.MATCHED}
            logs = logs.filter(**matched) if self.query["matched"] else logs.exclude(**matched)
        return Response(paginate(logs, self.query, schemas.LogsQuery.sorts, log_rows))


def log_rows(keys: Any) -> Any:
    found = ReconLog.objects.filter(pk__in=keys).select_related("job__source__currency")
    return by_key(keys, [answers.log_row(log) for log in found], "log_id")
