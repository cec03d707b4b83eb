"""The OpenAPI document: what every operation shares is said here once."""

from typing import Any, Literal

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers

from .views import ApiView

_ERRORS = {
    "400": "The request is invalid; `details` names the fields.",
    "401": "Not logged in, or the token is no longer good.",
    "403": "Logged in, but without the permission for this.",
    "404": "There is no such thing.",
    "409": "The thing is not in a state that allows this.",
    "413": "The body is larger than 1 MB.",
    "415": "The body is not JSON in UTF-8.",
    "422": "The idempotency key was used with another request.",
    "429": "Too many requests; `Retry-After` says how many seconds to wait.",
}


class Error(serializers.Serializer[Any]):
    """How every failure answers."""

    error = serializers.CharField(help_text="For programs, e.g. `payment.over_allocated`.")
    message = serializers.CharField(help_text="For people: what is wrong and what to do.")
    details = serializers.DictField(help_text="The facts behind the message.")


class Schema(AutoSchema):
    """Adds to each operation its query parameters, its permission, and the failures it can answer."""

    def get_override_parameters(self) -> list[Any]:
        parameters = list(super().get_override_parameters())
        if self.method == "GET" and isinstance(self.view, ApiView) and self.view.query_class().fields:
            parameters.append(self.view.query_class)
        return parameters

    def get_summary(self) -> str | None:
        return str(self.get_description() or "").partition("\n")[0].rstrip(".") or None

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        needed = getattr(self.view, "permissions", {}).get(self.method)
        if operation and needed:
            operation["description"] = (
                f"{operation.get('description', '')}\n\nPermission: `{needed}`.".strip()
            )
        return operation

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for status in self._failures():
            if status not in bodies:
                response = OpenApiResponse(Error, description=_ERRORS[status])
                bodies[status] = self._get_response_for_code(
                    response, status, ["application/json"], direction
                )
        return dict(sorted(bodies.items()))

    def _failures(self) -> list[str]:
        failures = ["400", "401", "415", "429"]
        if isinstance(self.view, ApiView):
            failures.append("403")
        if "{" in self.path or self.method == "POST":
            failures.append("404")
        if self.method in ("POST", "PUT", "PATCH"):
            failures.append("413")
        if self.method == "POST":
            failures += ["409", "422"]
        elif self.method in getattr(self.view, "conflicts", ()):
            failures.append("409")
        return failures
