"""The same request twice is one effect. The key row, the effect and the answer commit together."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction

from .errors import BatConnectError
from .models import IdempotencyKey


class KeyReused(BatConnectError):
    code, status = "idempotency.key_reused", 422
    message = "The idempotency key {key} was used before with another request; take a new key."


@dataclass(frozen=True)
class Answer:
    """What an effect answered: an HTTP status and a JSON-ready body."""

    status: int
    body: Any
    replayed: bool = False


_CLAIM = """
INSERT INTO idempotency_key (scope, key, request_hash, created_at) VALUES (%s, %s, %s, now())
ON CONFLICT (scope, key) DO NOTHING RETURNING id
"""


@transaction.atomic
def run_once(*, scope: str, key: str, request: Any, effect: Callable[[], Answer]) -> Answer:
    """Run `effect` once per (scope, key); a repeat with an equal request gets the stored answer.

    A copy that arrives while the first is still running waits for it. An effect that raises leaves no key
    behind, so the request may be tried again. Raises KeyReused when the request differs.
    """
    digest = hashlib.sha256(json.dumps(request, sort_keys=True, cls=DjangoJSONEncoder).encode()).hexdigest()
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [scope, key, digest])
        claimed = cursor.fetchone()
    if claimed is None:
        stored = IdempotencyKey.objects.get(scope=scope, key=key)
        if stored.request_hash != digest:
            raise KeyReused(key=key)
        return Answer(stored.response_status or 200, stored.response, replayed=True)
    answer = effect()
    body = json.loads(json.dumps(answer.body, cls=DjangoJSONEncoder))
    IdempotencyKey.objects.filter(pk=claimed[0]).update(response_status=answer.status, response=body)
    return Answer(answer.status, body)
