"""Default deny: an endpoint names the permission each of its methods needs, or nobody may call it."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request


def serves(view: Any, method: str) -> bool:
    return method.lower() in view.http_method_names and hasattr(view, method.lower())


class NamedPermission(BasePermission):
    """Asks for `view.permissions[method]`; HEAD is GET. A method the view does not serve goes on to its 405."""

    message = "Your account lacks the permission for this."

    def has_permission(self, request: Request, view: Any) -> bool:
        user = request.user
        if not (user and user.is_authenticated):
            return False
        method = (request.method or "").upper()
        if not serves(view, method):
            return True
        needed = getattr(view, "permissions", {}).get("GET" if method == "HEAD" else method)
        return needed is not None and user.has_perm(needed)
