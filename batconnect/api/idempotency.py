"""`Idempotency-Key` on every POST that moves money: the same key and body is one effect and one answer."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from batconnect.common.idempotency import Answer, run_once
from batconnect.common.transactions import money_transaction

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
_KEY = re.compile(r"[\x21-\x7e]{1,255}\Z")

KEY_PARAMETER = OpenApiParameter(
    HEADER,
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    OpenApiParameter.HEADER,
    description=(
        "Up to 255 printable characters of your choosing, one per intended effect. The same key and body again "
        "is answered as the first time, with `Idempotent-Replayed: true`, and has no further effect; another "
        "body with that key is refused with 422. Without a key, a repeated request is a new one."
    ),
)


def once(request: Request, body: Mapping[str, Any], effect: Callable[[], Answer]) -> Response:
    """Run `effect` under the request's key, if it carries one, and answer with what it gave.

    Keys are the user's own, and of the path called.
    """
    key = key_of(request)
    if key is None:
        return respond(money_transaction(effect)())
    scope = f"{request.user.pk}:{request.method}:{request.path.rstrip('/')}"
    return respond(money_transaction(run_once)(scope=scope, key=key, request=body, effect=effect))


def key_of(request: Request) -> str | None:
    """The request's key, if it carries one."""
    key = request.headers.get(HEADER)
    if key is not None and not _KEY.match(key):
        raise serializers.ValidationError(
            {HEADER: ["Use 1 to 255 printable ASCII characters without spaces."]}
        )
    return key


def respond(answer: Answer) -> Response:
    """The answer, with the header that tells a repeated one."""
    headers = {REPLAYED: "true"} if answer.replayed else {}
    return Response(answer.body, status=answer.status, headers=headers)
