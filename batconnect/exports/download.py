"""A table as the answer to a request: a file to download."""

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from .columns import Table
from .factory import ExporterFactory


def as_download(table: Table, export_format: str, file_name: str) -> HttpResponseBase:
    """The file, named `file_name` and the format's extension. Raises UnknownFormat, RefusedResource.

    A PDF is whole before its first byte, and can still fail with an answer; the others go out as they come.
    """
    exporter = ExporterFactory.get(export_format)
    pieces = exporter.stream(table)
    answer: HttpResponseBase = (
        HttpResponse(b"".join(pieces)) if exporter.format == "pdf" else StreamingHttpResponse(pieces)
    )
    answer.headers["Content-Type"] = exporter.content_type
    answer.headers["Content-Disposition"] = f'attachment; filename="{file_name}.{exporter.extension}"'
    return answer
