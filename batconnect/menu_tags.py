"""Template tags: a page is called above what the menu calls it, and stands in the menu's group."""

from typing import Any

from django import template
from django.http import HttpRequest

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
