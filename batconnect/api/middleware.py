"""Refuse, before anything reads them, the few inputs that Django itself would stumble over.

A charset that is no text encoding (`zlib`) makes Django fail while it makes its request object from WSGI, before
any middleware: so that is answered around the application, and again inside it for ASGI. A session key with a
NUL makes the database fail; it is no session.
"""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.http import parse_header_parameters

from .errors import error_body

_UTF8 = {"utf-8", "utf8"}
_SESSION_KEY = re.compile(r"[0-9a-z]{32}\Z")
_REFUSAL = json.dumps(
    error_body("media_type.unsupported", "Send UTF-8; other charsets are not read.")
).encode()

WSGI = Callable[[dict[str, Any], Any], Iterable[bytes]]


def refusing_charsets(application: WSGI) -> WSGI:
    """A WSGI application that answers 415 to what does not come in UTF-8."""

    def guarded(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if not _is_utf8(environ.get("CONTENT_TYPE", "")):
            headers = [("Content-Type", "application/json"), ("Content-Length", str(len(_REFUSAL)))]
            start_response("415 Unsupported Media Type", headers)
            return [_REFUSAL]
        return application(environ, start_response)

    return guarded


class HostileInputMiddleware:
    """The same inside Django, and the check of the session key."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not _is_utf8(request.META.get("CONTENT_TYPE", "")):
            return HttpResponse(_REFUSAL, status=415, content_type="application/json")
        key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
        if key is not None and not _SESSION_KEY.match(key):
            del request.COOKIES[settings.SESSION_COOKIE_NAME]
        return self.get_response(request)


def _is_utf8(content_type: str) -> bool:
    if ";" not in content_type:
        return True
    try:
        _, parameters = parse_header_parameters(content_type)
    except (LookupError, ValueError):  # a parameter may name a charset of its own (RFC 2231)
        return False
    return parameters.get("charset", "utf-8").lower() in _UTF8
