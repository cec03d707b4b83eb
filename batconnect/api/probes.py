"""Is it alive, can it serve, how is it doing: for load balancers and Prometheus.

`/healthz` answers anybody and touches nothing. The other two answer only clients on `PROBE_CLIENTS`.
"""

import ipaddress
from collections.abc import Callable
from functools import wraps

from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.views.decorators.http import require_safe
from django_prometheus.exports import ExportToDjangoView

from .errors import error_body

View = Callable[[HttpRequest], HttpResponseBase]


def _for_probes(view: View) -> View:
    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponseBase:
        if not _on_allow_list(request):
            return JsonResponse(error_body("permission.denied", "This address may not ask."), status=403)
        return view(request)

    return guarded


@require_safe
def healthz(request: HttpRequest) -> HttpResponseBase:
    return JsonResponse({"status": "ok"})


@require_safe
@_for_probes
def readyz(request: HttpRequest) -> HttpResponseBase:
    """Ready when the database answers and no migration is missing."""
    try:
        executor = MigrationExecutor(connection)
        missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    except Error:
        return JsonResponse(error_body("database.unreachable", "The database does not answer."), status=503)
    if missing:
        return JsonResponse(
            error_body("database.not_migrated", "Migrations are missing.", {"missing": missing}), status=503
        )
    return JsonResponse({"status": "ready"})


@require_safe
@_for_probes
def metrics(request: HttpRequest) -> HttpResponseBase:
    answer: HttpResponseBase = ExportToDjangoView(request)
    return answer


def _on_allow_list(request: HttpRequest) -> bool:
    """Every address the request came through must be allowed: a proxy beside us makes outsiders look local."""
    through = [request.META.get("REMOTE_ADDR", ""), *request.headers.get("X-Forwarded-For", "").split(",")]
    if "Forwarded" in request.headers:
        return False
    networks = [ipaddress.ip_network(network) for network in settings.PROBE_CLIENTS]
    try:
        addresses = [ipaddress.ip_address(address.strip()) for address in through if address.strip()]
    except ValueError:
        return False
    return bool(addresses) and all(any(address in network for network in networks) for address in addresses)
