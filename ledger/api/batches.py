"""Bulk runs over HTTP: start one over a month or a file, follow it, read its rejects, resume, reverse, discard."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from batconnect.api.content import StrictJSONParser
from batconnect.api.errors import NotFound
from batconnect.api.idempotency import KEY_PARAMETER, once
from batconnect.api.pagination import bounded_time, by_key, page_bounds, page_of, paginate
from batconnect.api.schema import Error
from batconnect.api.uploads import limited, parts_of, was_too_large
from batconnect.api.views import ApiView
from batconnect.common.idempotency import Answer
from batconnect.exports import ExporterFactory
from batconnect.exports.download import as_download
from batconnect.jobs.models import JobRun
from ledger import batch_jobs

from ..models import ImportBatch, JournalRun
from ..selectors.batch_rejects import count_rejects, rejects
from ..selectors.batch_standing import with_standing
from ..services import batches
from ..services.batch_files import import_rejects_table, run_rejects_table
from ..services.batch_uploads import forget_upload, receive_upload, too_large
from ..services.batches.errors import UnknownRun
from . import batch_answers as answers
from . import batch_schemas as schemas

_FILES = {
    (200, "text/csv"): OpenApiTypes.BINARY,
    (200, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"): OpenApiTypes.BINARY,
}
_TOO_LARGE = OpenApiResponse(Error, description="The body is larger than 1 MB, or the file than may be sent.")


class Batches(ApiView):
    permissions = {"GET": "ledger.view_journalrun", "POST": "ledger.post_batch"}
    query_class = schemas.RunsQuery
    parser_classes = [StrictJSONParser, MultiPartParser]

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        # Before the log-in is checked, for which a form may be read.
        whole: Request = super().initialize_request(
            limited(request, settings.BATCH_UPLOAD_MAX_BYTES), *args, **kwargs
        )
        return whole

    @extend_schema(tags=["batches"], operation_id="list_batches", responses=schemas.BatchPage)
    def get(self, request: Request) -> Response:
        """List bulk runs, the newest first."""
        runs = JournalRun.objects.filter(
            **{name: self.query[name] for name in ("pack", "state", "month") if name in self.query}
        )

        def rows(keys: Any) -> Any:
            found = with_standing(JournalRun.objects.select_related("started_by", "import_batch"))
            return by_key(keys, [answers.run_row(run) for run in found.filter(pk__in=keys)], "run_id")

        return Response(paginate(runs, self.query, schemas.RunsQuery.sorts, rows))

    @extend_schema(
        tags=["batches"],
        operation_id="start_batch",
        parameters=[KEY_PARAMETER],
        request={"application/json": schemas.MonthRequest, "multipart/form-data": schemas.FileRequest},
        responses={202: schemas.BatchStarted, 413: _TOO_LARGE},
    )
    def post(self, request: Request) -> Response:
        """Journalise the rows of a month that have no entry, or of a file that is loaded first.

        The answer names the run, or for a file the upload, which names the run once it is planned.
        """
        if (request.content_type or "").startswith("multipart/form-data"):
            return self._from_file(request)
        body = self.body(schemas.MonthRequest)

        def effect() -> Answer:
            return answers.started(batch_jobs.start_month(**body, actor=self.actor))

        return once(request, body, effect)

    def _from_file(self, request: Request) -> Response:
        parts = parts_of(request)
        if was_too_large(request._request):
            raise too_large()
        body = self.checked(schemas.FileRequest, parts)
        file = body.pop("file")
        upload = receive_upload(chunks=file.chunks(), name=file.name)
        asked = {**body, "name": upload.name, "size": upload.size, "sha256": upload.sha256}

        def effect() -> Answer:
            job = batch_jobs.start_file(upload=upload.token, actor=self.actor, **body)
            return answers.received(job)

        try:
            answer = once(request, asked, effect)
        except BaseException:
            forget_upload(upload.token)
            raise
        if answer.headers.get("Idempotent-Replayed"):
            forget_upload(upload.token)  # the first one is kept
        return answer


class BatchDetail(ApiView):
    permissions = {"GET": "ledger.view_journalrun"}

    @extend_schema(tags=["batches"], operation_id="show_batch", responses=schemas.BatchDetail)
    def get(self, request: Request, run_id: int) -> Response:
        """Show a run: how far it is, its counts and totals layer by layer, its timings, what it brings."""
        return Response(answers.run_detail(found_run(run_id)))


class BatchRejects(ApiView):
    permissions = {"GET": "ledger.view_journalrun"}
    query_class = schemas.RejectsQuery

    @extend_schema(
        tags=["batches"],
        operation_id="list_batch_rejects",
        responses={(200, "application/json"): schemas.BatchRejectPage, **_FILES},
    )
    def get(self, request: Request, run_id: int) -> HttpResponseBase:
        """List what was rejected, with file, row, column and reason, or take it all as a file."""
        run = found_run(run_id)
        if self.query["format"] != "json":
            return self._file(run)
        start, end = page_bounds(self.query)
        with bounded_time():
            total, rows = count_rejects(run), rejects(run, start, end)
        return Response(page_of(rows, self.query, total))

    def _file(self, run: JournalRun) -> HttpResponseBase:
        if ExporterFactory.get(self.query["format"]).most_rows is not None:
            with bounded_time(60_000):
                ExporterFactory.get(self.query["format"]).check_size(count_rejects(run))
        return as_download(run_rejects_table(run), self.query["format"], f"rejects-run-{run.pk}")


class BatchResume(ApiView):
    permissions = {"POST": "ledger.post_batch"}

    @extend_schema(
        tags=["batches"],
        operation_id="resume_batch",
        parameters=[KEY_PARAMETER],
        request=schemas.ResumeRequest,
        responses={202: schemas.BatchStarted},
    )
    def post(self, request: Request, run_id: int) -> Response:
        """Go on with a run that stopped, from wherever it is."""
        found_run(run_id)
        body = self.body(schemas.ResumeRequest)
        return once(
            request, body, lambda: answers.started(batch_jobs.resume(run_id=run_id, actor=self.actor))
        )


class BatchReverse(ApiView):
    permissions = {"POST": "ledger.reverse_batch"}

    @extend_schema(
        tags=["batches"],
        operation_id="reverse_batch",
        parameters=[KEY_PARAMETER],
        request=schemas.ReverseRequest,
        responses={202: schemas.BatchStarted},
    )
    def post(self, request: Request, run_id: int) -> Response:
        """Take a posted run back, by a mirrored run. Refused, naming the rows, while any of them is settled."""
        found_run(run_id)
        body = self.body(schemas.ReverseRequest)

        def effect() -> Answer:
            return answers.started(batch_jobs.reverse(run_id=run_id, actor=self.actor, **body))

        return once(request, body, effect)


class BatchDiscard(ApiView):
    permissions = {"POST": "ledger.post_batch"}

    @extend_schema(
        tags=["batches"],
        operation_id="discard_batch",
        parameters=[KEY_PARAMETER],
        request=schemas.DiscardRequest,
        responses={200: schemas.BatchDetail},
    )
    def post(self, request: Request, run_id: int) -> Response:
        """Give up a run that is not posted: what it staged is dropped, and its rows are free for another."""
        found_run(run_id)
        body = self.body(schemas.DiscardRequest)

        def effect() -> Answer:
            batches.discard_run(run_id=run_id, actor=self.actor, reason=body["reason"])
            return Answer(200, answers.run_detail(found_run(run_id)))

        return once(request, body, effect)


class BatchUploadDetail(ApiView):
    permissions = {"GET": "ledger.view_journalrun"}

    @extend_schema(tags=["batches"], operation_id="show_batch_upload", responses=schemas.BatchUpload)
    def get(self, request: Request, upload_id: Any) -> Response:
        """Follow a file from being received to being planned as a run."""
        return Response(answers.upload_detail(_upload(upload_id)))


class BatchUploadRejects(ApiView):
    permissions = {"GET": "ledger.view_journalrun"}

    @extend_schema(
        tags=["batches"],
        operation_id="list_batch_upload_rejects",
        responses={(200, "text/csv"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, upload_id: Any) -> HttpResponseBase:
        """Take all that was rejected of a file as CSV, also of one that was refused for it and has no run."""
        result = _upload(upload_id).result or {}
        if "import_batch" not in result:
            raise NotFound(kind="import of upload", key=upload_id)
        batch = ImportBatch.objects.get(pk=result["import_batch"])
        return as_download(import_rejects_table(batch), "csv", f"rejects-import-{batch.pk}")


def found_run(run_id: int) -> JournalRun:
    """A run with its standing. Raises UnknownRun."""
    runs = JournalRun.objects.select_related("started_by", "import_batch")
    run = with_standing(runs).filter(pk=run_id).first()
    if run is None:
        raise UnknownRun(run=run_id)
    return run


def _upload(upload_id: Any) -> JobRun:
    job = JobRun.objects.filter(pk=upload_id, kind=batch_jobs.BULK_FILE).first()
    if job is None:
        raise NotFound(kind="upload", key=upload_id)
    return job
