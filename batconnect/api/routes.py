"""Routes: the optional trailing slash, and the endpoints that belong to no application."""

from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, register_converter
from django.urls.converters import IntConverter
from django.urls.resolvers import RoutePattern
from drf_spectacular.renderers import OpenApiJsonRenderer2
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerView
from rest_framework.renderers import TemplateHTMLRenderer

from . import probes, tokens


class OptionalSlash(RoutePattern):
    """A route without a trailing slash that matches with one too."""

    def match(self, path: str) -> Any:
        return super().match(path.removesuffix("/"))


def route(path: str, view: Callable[..., Any], *, name: str) -> URLPattern:
    """Like `django.urls.path`, for an endpoint whose trailing slash is optional."""
    return URLPattern(OptionalSlash(path, name=name, is_endpoint=True), view, {}, name)


class Id(IntConverter):
    """An id that fits its column."""

    regex = "[0-9]{1,18}"


class Document(SpectacularAPIView):
    """The OpenAPI document, in JSON."""

    renderer_classes = [OpenApiJsonRenderer2]


class Swagger(SpectacularSwaggerView):
    renderer_classes = [TemplateHTMLRenderer]


class Redoc(SpectacularRedocView):
    # The template of the library loads fonts from elsewhere.
    template_name = "api/redoc.html"


register_converter(Id, "id")

urlpatterns = [
    route("openapi.json", Document.as_view(), name="openapi"),
    route("docs", Swagger.as_view(url_name="openapi"), name="swagger"),
    route("redoc", Redoc.as_view(url_name="openapi"), name="redoc"),
    route("healthz", probes.healthz, name="healthz"),
    route("readyz", probes.readyz, name="readyz"),
    route("metrics", probes.metrics, name="metrics"),
    route("auth/token", tokens.Obtain.as_view(), name="token"),
    route("auth/token/refresh", tokens.Refresh.as_view(), name="token-refresh"),
    route("auth/token/revoke", tokens.Revoke.as_view(), name="token-revoke"),
]
