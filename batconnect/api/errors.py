"""Every failure answers `{"error", "message", "details"}`, whichever layer it comes from."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from batconnect.common.errors import BatConnectError
from batconnect.common.transactions import RETRIED, sqlstate

QUERY_CANCELED = "57014"
RETRY_AFTER_SECONDS = 5
# The server is starting, stopping or full; a connection that was not made, or was lost, has no state of its own.
_GONE = {"", "53300", "57P01", "57P02", "57P03"}
# By status, where DRF's own exception says too little for a program to act on.
_CODES = {
    400: "request.invalid",
    401: "auth.required",
    403: "permission.denied",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "request.too_large",
    415: "media_type.unsupported",
    429: "throttled",
    500: "server_error",
}


class NotFound(BatConnectError):
    """The thing that the path names is not there."""

    code, status = "not_found", 404
    message = "There is no {kind} {key}."


class TooBroad(BatConnectError):
    code, status = "query.too_broad", 400
    message = "This reads too much to answer in time; add a filter, or take the export."


class Busy(BatConnectError):
    code, status = "conflict.busy", 409
    message = "Someone else was working on the same account; nothing was changed. Please send it again."


class DatabaseUnreachable(BatConnectError):
    code, status = "database.unreachable", 503
    message = "The database does not answer. Send it again in a moment; with an Idempotency-Key nothing is done twice."


def error_body(code: str, message: str, details: Any = None) -> dict[str, Any]:
    return {"error": code, "message": _sayable(message), "details": _plain(details or {})}


def answer_exception(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's exception handler: our errors and its own, in one shape; anything else is a fault and a 500."""
    error = _understood(error)
    if isinstance(error, BatConnectError):
        set_rollback()
        later = (
            {"Retry-After": str(RETRY_AFTER_SECONDS)} if error.status == DatabaseUnreachable.status else {}
        )
        return Response(error_body(error.code, str(error), error.details), status=error.status, headers=later)
    if not isinstance(error, exceptions.APIException):
        return None
    set_rollback()
    headers = {}
    details: Any = {}
    if header := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = header
    if (wait := getattr(error, "wait", None)) is not None:
        headers["Retry-After"] = str(int(wait) + 1)
        details = {"retry_after_seconds": int(wait) + 1}
    if isinstance(error, exceptions.ValidationError):
        details = error.detail if isinstance(error.detail, dict) else {"body": error.detail}
    message = _first_sentence(error.detail)
    return Response(error_body(_code(error), message, details), status=error.status_code, headers=headers)


@csrf_exempt  # or a POST would be told of a token, in HTML
def unknown_route(request: HttpRequest, *args: Any, **kwargs: Any) -> JsonResponse:
    """Answer a path nobody serves; also the last route, so that DEBUG answers alike."""
    return JsonResponse(error_body("not_found", "There is nothing at this address."), status=404)


def handler400(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return _for_api(request, 400, "The request could not be read.") or defaults.bad_request(
        request, exception
    )


def handler403(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return _for_api(request, 403, "You may not do this.") or defaults.permission_denied(request, exception)


def handler404(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return _for_api(request, 404, "There is nothing at this address.") or defaults.page_not_found(
        request, exception
    )


def handler500(request: HttpRequest) -> HttpResponseBase:
    return _for_api(
        request, 500, "Something went wrong on our side; it was logged."
    ) or defaults.server_error(request)


def _for_api(request: HttpRequest, status: int, message: str) -> HttpResponse | None:
    if request.path.startswith("/admin"):
        return None
    return JsonResponse(error_body(_CODES[status], message), status=status)


def _understood(error: Exception) -> Exception:
    if isinstance(error, Http404):
        return exceptions.NotFound("There is nothing at this address.")
    if isinstance(error, PermissionDenied):
        return exceptions.PermissionDenied()
    if isinstance(error, OperationalError):
        if sqlstate(error) == QUERY_CANCELED:
            return TooBroad()
        if sqlstate(error) in RETRIED:
            return Busy()
    if isinstance(error, OperationalError | InterfaceError):
        state = sqlstate(error)
        if state in _GONE or state.startswith("08"):
            return DatabaseUnreachable()
    return error


def _code(error: exceptions.APIException) -> str:
    if isinstance(error, exceptions.ParseError):
        return "request.malformed"
    if isinstance(error, exceptions.AuthenticationFailed):
        return "auth.failed"
    return _CODES.get(error.status_code, "error")


def _first_sentence(detail: Any, field: str = "") -> str:
    """The first message of a nested error, with the name of its field."""
    if isinstance(detail, Mapping):
        if "detail" in detail:  # simplejwt wraps its sentence so
            return str(detail["detail"])
        name, inner = next(iter(detail.items()), ("", ""))
        outer = f"{field}.{name}" if field else str(name)
        return _first_sentence(inner, "" if name == "non_field_errors" else outer)
    if isinstance(detail, Sequence) and not isinstance(detail, str):
        return _first_sentence(next((part for part in detail if part), ""), field)
    return f"{field}: {detail}" if field else str(detail)


def _sayable(text: str) -> str:
    """The text without halves of surrogate pairs, which a request can carry and no answer can."""
    return text.encode("utf-8", "replace").decode()


def _plain(value: Any) -> Any:
    """What JSON can carry, for the facts an error brings along are anything."""
    if isinstance(value, Mapping):
        return {_sayable(str(key)): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(part) for part in value]
    if isinstance(value, str):
        return _sayable(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Decimal | UUID):
        return str(value)
    return value.isoformat() if isinstance(value, date) else str(value)
