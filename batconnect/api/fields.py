"""Serializer fields that accept exactly what the OpenAPI document says, no more.

DRF's own take `"1_0"` for 10, `yes` for true and 12.5 (a float) for money.
"""

import re
from datetime import date
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from batconnect.common.money import LARGEST, BadAmount, parse_amount

LARGEST_ID = 2**63 - 1
_DIGITS = re.compile(r"-?[0-9]{1,19}\Z")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])\Z")
SHORTEST_EXPONENT = -2  # writing out 1e-999999999 would take a gigabyte
MONEY_PATTERN = r"^-?[0-9]{1,12}\.[0-9]{2}$"


class TextField(serializers.CharField):
    """A string, and nothing that could be written as one."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class IntegerField(serializers.IntegerField):
    """A whole number in a query: digits."""

    def to_internal_value(self, data: Any) -> int:
        if not (isinstance(data, str) and _DIGITS.match(data)):
            self.fail("invalid")
        return int(data)


class IdField(IntegerField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=LARGEST_ID, **kwargs)


class BodyIdField(IdField):
    """An id in a body: a JSON number."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return int(data)


class DateField(serializers.DateField):
    """`2019-03-03`, nothing looser."""

    def to_internal_value(self, value: Any) -> date:
        if not (isinstance(value, str) and _DATE.match(value)):
            self.fail("invalid", format="YYYY-MM-DD")
        return super().to_internal_value(value)


@extend_schema_field({"type": "boolean"})
class FlagField(serializers.Field):
    """`true` or `false` in a query."""

    default_error_messages = {"invalid": "Say true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if data not in ("true", "false"):
            self.fail("invalid")
        return bool(data == "true")


@extend_schema_field({"type": "boolean"})
class BodyFlagField(serializers.Field):
    """True or false in a body: a JSON boolean."""

    default_error_messages = {"invalid": "Say true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return bool(data)


@extend_schema_field({"type": "string", "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$", "example": "2019-03"})
class MonthField(serializers.Field):
    """`2019-03`, as the month's first day."""

    default_error_messages = {"invalid": "Name a month like 2019-03."}

    def to_internal_value(self, data: Any) -> date:
        if not (isinstance(data, str) and _MONTH.match(data)) or data.startswith("0000"):
            self.fail("invalid")
        return date.fromisoformat(f"{data}-01")

    def to_representation(self, value: date) -> str:
        return f"{value:%Y-%m}"


@extend_schema_field({"type": "string", "pattern": MONEY_PATTERN, "example": "125.00"})
class AmountField(serializers.Field):
    """Money in an answer: a string with two decimals."""

    def to_representation(self, value: Decimal) -> str:
        return str(value)


@extend_schema_field(
    {
        "anyOf": [
            {"type": "string", "pattern": r"^[0-9]{1,12}(\.[0-9]{1,2})?$", "example": "125.00"},
            {"type": "number", "exclusiveMinimum": True, "minimum": 0, "maximum": float(LARGEST)},
        ]
    }
)
class PositiveAmountField(serializers.Field):
    """Money in a request: a string, or a JSON number that is read exactly; above zero, no fraction of a cent."""

    default_error_messages = {"not_positive": "An amount is more than zero."}

    def to_internal_value(self, data: Any) -> Decimal:
        if not isinstance(data, str | int | Decimal) or isinstance(data, bool):
            raise serializers.ValidationError('An amount is a string like "12.50".')
        if isinstance(data, Decimal) and not SHORTEST_EXPONENT <= data.adjusted() <= LARGEST.adjusted():
            raise serializers.ValidationError("This is not an amount in dollars and cents.")
        try:
            # A number such as 1e2 is exact as well; only its way of writing is unusual.
            amount = parse_amount(f"{data:f}" if isinstance(data, Decimal) else data)
        except BadAmount as error:
            raise serializers.ValidationError(str(error)) from None
        if self.refuses(amount):
            self.fail("not_positive")
        return amount

    def refuses(self, amount: Decimal) -> bool:
        return amount <= 0


@extend_schema_field(
    {
        "anyOf": [
            {"type": "string", "pattern": r"^[0-9]{1,12}(\.[0-9]{1,2})?$", "example": "125.00"},
            {"type": "number", "minimum": 0, "maximum": float(LARGEST)},
        ]
    }
)
class CountedAmountField(PositiveAmountField):
    """Money that was counted: as `PositiveAmountField`, and nothing at all too."""

    default_error_messages = {"not_positive": "An amount is zero or more."}

    def refuses(self, amount: Decimal) -> bool:
        return amount < 0
