"""The base of every endpoint: it names its permissions, and its query parameters are checked before it runs."""

from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar, cast

from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from batconnect.common.models import User
from batconnect.common.weeks import local_date

from .permissions import serves

# No OPTIONS: what an endpoint takes stands in the OpenAPI document.
SERVED_METHODS = ["get", "head", "post", "put", "patch", "delete"]


class Query(serializers.Serializer[Any]):
    """Query parameters of an endpoint, and their documentation. Subclasses declare the fields."""


class ApiView(APIView):
    """`permissions` maps each method to the permission it needs; what is not in it is refused.

    `query_class` declares the query of GET. Unknown, repeated, empty and malformed parameters answer 400, so that a
    misspelt filter is never a filter ignored.
    """

    http_method_names = SERVED_METHODS
    permissions: ClassVar[Mapping[str, str]] = {}
    query_class: ClassVar[type[Query]] = Query
    query: dict[str, Any]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        method = request.method or ""
        if serves(self, method):
            self.query = read_query(request, self.query_class if method in ("GET", "HEAD") else Query)

    @property
    def actor(self) -> User:
        return cast(User, self.request.user)

    def body(
        self, serializer_class: type[serializers.Serializer[Any]], *, partial: bool = False
    ) -> dict[str, Any]:
        """The request's JSON, checked; names that the serializer does not know are refused.

        `partial`: what is not sent is not asked for.
        """
        return self.checked(serializer_class, cast(dict[str, Any], self.request.data), partial=partial)

    def checked(
        self,
        serializer_class: type[serializers.Serializer[Any]],
        given: Mapping[str, Any],
        *,
        partial: bool = False,
    ) -> dict[str, Any]:
        """What came in another way than as JSON, checked as `body` does."""
        serializer = serializer_class(data=given, partial=partial)
        serializer.is_valid(raise_exception=True)
        _refuse_unknown(given, serializer)
        return cast(dict[str, Any], serializer.validated_data)


def today() -> date:
    """Today in New York: the date that endpoints hand to services."""
    return local_date(timezone.now())


def read_query(request: Request, query_class: type[Query]) -> dict[str, Any]:
    given = dict(request.query_params.lists())
    repeated = [name for name, values in given.items() if len(values) > 1]
    if repeated:
        raise serializers.ValidationError({name: ["Give this parameter once."] for name in repeated})
    serializer = query_class(data={name: values[0] for name, values in given.items()})
    serializer.is_valid(raise_exception=True)
    _refuse_unknown(given, serializer)
    return cast(dict[str, Any], serializer.validated_data)


def _refuse_unknown(given: Mapping[str, Any], serializer: serializers.Serializer[Any]) -> None:
    unknown = [name for name in given if name not in serializer.fields]
    if unknown:
        known = ", ".join(serializer.fields) or "none"
        raise serializers.ValidationError({name: [f"Unknown; known are: {known}."] for name in unknown})
