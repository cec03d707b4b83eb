"""Saving master data so that its history names who changed it, whether or not a request is under way."""

from typing import Any

from django.db import models

from batconnect.common.models import User


def save_as(instance: Any, actor: User, **fields: Any) -> None:
    """Save with `actor` as the history row's user."""
    instance._history_user = actor
    instance.save(**fields)


def facts(instance: models.Model, *names: str) -> dict[str, Any]:
    """The named fields as the audit trail keeps them: numbers and text, dates and amounts as text."""
    values = {name: getattr(instance, name) for name in names}
    return {
        name: value if value is None or isinstance(value, int | str) else str(value)
        for name, value in values.items()
    }
