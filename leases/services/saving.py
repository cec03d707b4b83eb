"""Saving master data so that its history names who changed it, whether or not a request is under way; and how large
an amount of a lease may be.
"""

from decimal import Decimal
from typing import Any

from django.db import models

from batconnect.common.errors import BatConnectError
from batconnect.common.models import User

# No account overflows by it: one that did would stop the weekly run of the whole fleet.
LARGEST = Decimal("99999.99")


class AmountTooLarge(BatConnectError):
    code, status = "lease.amount_too_large", 400
    message = "{amount} is more than {largest}; look at the amount again."


def checked_size(amount: Decimal) -> Decimal:
    """Raises AmountTooLarge."""
    if amount > LARGEST:
        raise AmountTooLarge(amount=amount, largest=f"{LARGEST:,}")
    return amount


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
