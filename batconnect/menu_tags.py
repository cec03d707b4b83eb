"""Template tags: a page is called above what the menu calls it, and links lead only where this person may go."""

from typing import Any

from django import template
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

from batconnect.admin_site import places

register = template.Library()


@register.simple_tag(takes_context=True)
def as_in_menu(context: template.Context, parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The way to this page, [{link, title}], in the menu's words where the page or its list is in the menu."""
    request: HttpRequest | None = context.get("request")
    known = places()
    own = known.get(request.path) if request else None
    if request and own:
        return [{"title": title} for title in own if title]
    for position, part in enumerate(parts):
        found = known.get(str(part.get("link", "")))
        if found:
            group, title = found
            return [{"title": group}, {**part, "title": title}, *parts[position + 1 :]]
    return parts


@register.filter
def as_listed(opts: Any) -> str:
    """What a list's rows are called within a sentence: as the list is called in the menu."""
    address = reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")
    _, title = places().get(address, ("", str(opts.verbose_name_plural)))
    return title if title[:2].isupper() else f"{title[:1].lower()}{title[1:]}"


@register.simple_tag(takes_context=True)
def reachable(context: template.Context, href: str) -> str:
    """The address, or nothing where it is a record or a list that this person may not see.

    Pages of their own (a case's start, a report) are offered by code that asked already.
    """
    request: HttpRequest | None = context.get("request")
    parts = href.partition("?")[0].split("/")
    # "/admin/<app>/<model>/", or the same with a key and "change/".
    if request is None or len(parts) not in (5, 7) or (len(parts) == 7 and parts[5] != "change"):
        return href
    name = (parts[2], parts[3])
    answers: dict[tuple[str, str], bool] = request.__dict__.setdefault("_reachable", {})
    if name not in answers:
        answers[name] = all(
            each.has_view_permission(request)
            for model, each in admin.site._registry.items()
            if (model._meta.app_label, model._meta.model_name) == name
        )
    return href if answers[name] else ""
