"""US dollars as `Decimal` with two decimals, rounded half up. Never float."""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from .errors import BatConnectError

CENT = Decimal("0.01")
ZERO = Decimal("0.00")
LARGEST = Decimal("999999999999.99")  # numeric(14,2)


class BadAmount(BatConnectError):
    code, status = "amount.invalid", 400
    message = "{value} is not an amount in dollars and cents; write it like 12.50."


def to_cents(value: Decimal) -> Decimal:
    """Round half up to the cent."""
    return value.quantize(CENT, rounding=ROUND_HALF_UP)


def parse_amount(value: Any) -> Decimal:
    """A Decimal with exactly two decimals from a Decimal, int or plain string.

    Refuses floats, NaN, infinity, exponents, thousands separators and fractions of a cent.
    Raises BadAmount.
    """
    if (
        type(value) is Decimal
        and value.is_finite()
        and value.as_tuple().exponent == -2
        and abs(value) <= LARGEST
    ):
        return value
    if isinstance(value, float | bool) or value is None:
        raise BadAmount(value=repr(value))
    text = str(value).strip()
    if not text.isascii() or any(c not in "+-.0123456789" for c in text):
        raise BadAmount(value=repr(value))
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise BadAmount(value=repr(value)) from None
    if abs(amount) > LARGEST or amount != amount.quantize(CENT):
        raise BadAmount(value=repr(value))
    return amount.quantize(CENT)


def prorate(weekly_fee: Decimal, days: int) -> Decimal:
    """`days` sevenths of a weekly fee; the product is rounded, never the daily rate."""
    return to_cents(weekly_fee * days / 7)


def total(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, ZERO)
