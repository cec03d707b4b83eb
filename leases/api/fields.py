"""Fields that leases take and no other part of the API does."""

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from django.db.models import Model
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from batconnect.api.errors import NotFound
from batconnect.api.fields import DateField, PositiveAmountField

from ..schedule import FIRST_DAY, LAST_DAY

_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})\Z")
Named = TypeVar("Named", bound=Model)


class DayField(DateField):
    """A day of a lease: of this century, for weeks are counted from it."""

    default_error_messages = {"far": "Name a day from 2000 to 2100."}

    def to_internal_value(self, value: Any) -> date:
        day = super().to_internal_value(value)
        if not FIRST_DAY <= day <= LAST_DAY:
            self.fail("far")
        return day


@extend_schema_field({"type": "string", "format": "date-time", "example": "2025-10-01T14:37:00-04:00"})
class MomentField(serializers.Field):
    """A moment with its offset; counted to the minute."""

    default_error_messages = {"invalid": "Name a moment with its offset, like 2025-10-01T14:37:00-04:00."}

    def to_internal_value(self, data: Any) -> datetime:
        if not (isinstance(data, str) and _MOMENT.match(data)):
            self.fail("invalid")
        try:
            moment = datetime.fromisoformat(data)
        except ValueError:
            self.fail("invalid")
        if not FIRST_DAY <= moment.date() <= LAST_DAY:
            self.fail("invalid")
        return moment

    def to_representation(self, value: datetime) -> str:
        return value.isoformat()


@extend_schema_field(
    {
        "anyOf": [
            {"type": "string", "pattern": r"^[0-9]{1,12}(\.[0-9]{1,2})?$", "example": "500.00"},
            {"type": "number", "minimum": 0, "maximum": 999_999_999_999.99},
        ]
    }
)
class FeeField(PositiveAmountField):
    """A fee: as an amount, and zero as well."""

    def to_internal_value(self, data: Any) -> Decimal:
        plain = isinstance(data, str | int | Decimal) and not isinstance(data, bool)
        if plain and re.fullmatch(r"0+(\.0{1,2})?", str(data)):
            return Decimal("0.00")
        return super().to_internal_value(data)


def named(model: type[Named], key: int) -> Named:
    """The record of a body's id. Raises NotFound."""
    found = model._default_manager.filter(pk=key).first()
    if found is None:
        raise NotFound(kind=model._meta.verbose_name, key=key)
    return found
