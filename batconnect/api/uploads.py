"""Files that come by HTTP: to disk as they arrive, one at a time, and no further than their limit.

Django itself takes files of any size. A view that takes files hands `limited(request, …)` the request before
anything reads its body, and asks `was_too_large` afterwards: what is beyond the limit is read off and forgotten.
"""

from typing import Any, cast

from django.core.files.uploadhandler import StopUpload, TemporaryFileUploadHandler
from django.http import HttpRequest, QueryDict
from rest_framework import serializers
from rest_framework.request import Request

FIELDS_TOO = 1_000_000  # bytes of the body beside the file


class _LimitedHandler(TemporaryFileUploadHandler):
    """A file on disk, stopped where it is larger than may be."""

    def __init__(self, request: HttpRequest, most_bytes: int) -> None:
        super().__init__(request)
        self.most_bytes = most_bytes
        self.received = 0
        self.too_large = False

    def handle_raw_input(
        self,
        input_data: Any,
        META: Any,  # noqa: N803  (Django's name)
        content_length: int,
        boundary: Any,
        encoding: Any = None,
    ) -> None:
        # Said already, but read to its end: who is still sending would not see an answer.
        self.too_large = content_length > self.most_bytes + FIELDS_TOO

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        if self.too_large:
            self._stop()
        super().new_file(*args, **kwargs)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.received += len(raw_data)
        if self.received > self.most_bytes:
            self._stop()
        super().receive_data_chunk(raw_data, start)

    def _stop(self) -> None:
        self.too_large = True
        raise StopUpload(connection_reset=False)


def limited(request: HttpRequest, most_bytes: int) -> HttpRequest:
    """The same request, whose files together may have so many bytes."""
    request.upload_handlers = [_LimitedHandler(request, most_bytes)]
    return request


def was_too_large(request: HttpRequest) -> bool:
    """Whether files were cut off; known once the body was read."""
    return any(getattr(handler, "too_large", False) for handler in request.upload_handlers)


def parts_of(request: Request) -> dict[str, Any]:
    """The parts of a multipart request by name. Raises ValidationError where two have one name."""
    parts: dict[str, Any] = {}
    for name, values in cast(QueryDict, request.data).lists():
        if len(values) > 1:
            raise serializers.ValidationError({name: ["Give this once."]})
        parts[name] = values[0]
    return parts
