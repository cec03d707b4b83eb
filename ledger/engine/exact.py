"""Exact arithmetic inside Polars: numbers as fractions of two decimals, rounded once, half away from zero.

Polars multiplies decimals to the larger scale of the two and rounds what is beyond it, so a product is given its
whole scale first; a division is kept as a numerator and a denominator until something rounds it. What does not
fit 38 digits raises in Polars when it is evaluated, and never wraps. A division by zero gives null: only the
caller knows the row. Integers of 128 bits do wrap in Polars, so nothing but the last division is done in them.
"""

import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import polars as pl

from batconnect.common.errors import BatConnectError

DIGITS = 38
LARGEST_SIZE = (
    4_000  # nodes of a Polars expression; what nests quotients or minima grows faster than its source
)
QUOTIENT_PLACES = 12  # of a quotient that nothing rounds

TESTS: dict[str, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


OVERFLOWS = (pl.exceptions.ComputeError, pl.exceptions.InvalidOperationError)


class NumberOverflow(BatConnectError):
    """A calculation inside an expression passed 38 digits; nothing was expanded."""

    code = "template.overflow"
    message = (
        "TEMPLATE {template}, {where}, row {row}: a number does not fit 38 digits in {source}. Correct the "
        "amounts of that row, or round parts of the expression."
    )


class TooLarge(ValueError):
    """No exact decimal of 38 digits, or an expression of reasonable size, can hold this."""


@dataclass(frozen=True)
class Scaled:
    """A Polars expression of Decimal(38, scale). `size` counts its nodes."""

    expr: pl.Expr
    scale: int
    size: int = 1

    def at(self, scale: int) -> pl.Expr:
        """The same values with more decimals; raises in Polars where they do not fit."""
        return self.expr if scale == self.scale else self.expr.cast(_decimal(scale))

    def times(self, other: "Scaled") -> "Scaled":
        scale = self.scale + other.scale
        return _sized(self.at(scale) * other.expr, scale, self, other)

    def units(self) -> pl.Expr:
        """The unscaled integers, as Decimal(38, 0)."""
        return self.expr.to_physical().cast(_decimal(0))


@dataclass(frozen=True)
class Exact:
    """`top / bottom`, or `top` alone; a zero in `bottom` makes the value null. `constant` where it is known."""

    top: Scaled
    bottom: Scaled | None = None
    constant: Fraction | None = None

    @property
    def size(self) -> int:
        return self.top.size + (self.bottom.size if self.bottom else 0)

    def rounded(self, places: int) -> pl.Expr:
        """Decimal(38, s) with s <= max(places, scale), rounded half away from zero to `places` decimals."""
        if self.bottom is not None:
            return _quotient(self.top, self.bottom, places)
        if self.top.scale <= places:
            return self.top.expr
        return self.top.expr.round(places, mode="half_away_from_zero")

    def expr(self) -> pl.Expr:
        """Every digit where there is no division; else twelve decimals."""
        return self.rounded(self.top.scale if self.bottom is None else QUOTIENT_PLACES)


def constant(value: Fraction) -> Exact:
    """A number written in the source, or computed from such numbers alone. Raises TooLarge."""
    scale, rest = 0, value.denominator
    for prime in (2, 5):
        times = 0
        while rest % prime == 0:
            rest, times = rest // prime, times + 1
        scale = max(scale, times)
    if rest == 1:
        return Exact(_literal(value, scale), constant=value)
    top, bottom = Fraction(value.numerator), Fraction(value.denominator)
    return Exact(_literal(top, 0), _literal(bottom, 0), constant=value)


def column(name: str, dtype: pl.DataType) -> Exact:
    """A column of decimals or integers."""
    assert isinstance(dtype, pl.Decimal) or dtype.is_integer(), dtype
    scale = dtype.scale if isinstance(dtype, pl.Decimal) else 0
    return Exact(Scaled(pl.col(name).cast(_decimal(scale)), scale))


def add(left: Exact, right: Exact) -> Exact:
    if left.constant is not None and right.constant is not None:
        return constant(left.constant + right.constant)
    first, second, bottom = _common(left, right)
    scale = max(first.scale, second.scale)
    return Exact(_sized(first.at(scale) + second.at(scale), scale, first, second), bottom)


def negate(number: Exact) -> Exact:
    if number.constant is not None:
        return constant(-number.constant)
    return Exact(_sized(-number.top.expr, number.top.scale, number.top), number.bottom)


def multiply(left: Exact, right: Exact) -> Exact:
    if left.constant is not None and right.constant is not None:
        return constant(left.constant * right.constant)
    return Exact(left.top.times(right.top), _product(left.bottom, right.bottom))


def divide(left: Exact, right: Exact) -> Exact:
    """Raises ZeroDivisionError where the divisor is a constant zero."""
    if right.constant is not None:
        return multiply(left, constant(1 / right.constant))
    top = left.top.times(right.bottom) if right.bottom else left.top
    # What makes the divisor undefined makes the quotient undefined: its own bottom stays below.
    if right.bottom is None:
        return Exact(top, _product(left.bottom, right.top))
    defined = _sized(_null_if_zero(right.bottom, right.top.expr), right.top.scale, right.top, right.bottom)
    return Exact(top, _product(left.bottom, defined))


def absolute(number: Exact) -> Exact:
    if number.constant is not None:
        return constant(abs(number.constant))
    bottom = number.bottom and _sized(number.bottom.expr.abs(), number.bottom.scale, number.bottom)
    return Exact(_sized(number.top.expr.abs(), number.top.scale, number.top), bottom)


def round_to(number: Exact, places: int) -> Exact:
    """Half away from zero."""
    if number.constant is not None:
        return constant(_round_fraction(number.constant, places))
    if number.bottom is None and number.top.scale <= places:
        return number
    rounded = number.rounded(places).cast(_decimal(places))
    return Exact(_sized(rounded, places, number.top, number.top, *([number.bottom] * 2)))


def extreme(numbers: Sequence[Exact], *, largest: bool) -> Exact:
    """The smallest or largest; undefined where one of them is, though Polars would pass over a null."""
    constants = [number.constant for number in numbers if number.constant is not None]
    if len(constants) == len(numbers):
        return constant(max(constants) if largest else min(constants))
    first, *others = numbers
    for other in others:
        first = _extreme(first, other, largest=largest)
    return first


def compare(sign: str, left: Exact, right: Exact) -> pl.Expr:
    """Boolean, by one of the TESTS; null where a side is undefined."""
    first, second, bottom = _common(left, right, positive=True)
    scale = max(first.scale, second.scale)
    result = TESTS[sign](first.at(scale), second.at(scale))
    _sized(result, scale, first, second)
    return _null_if_zero(bottom, result) if bottom else result


def first_overflow(
    events: pl.DataFrame, parts: Iterable[tuple[str, str, str, pl.Expr]]
) -> NumberOverflow | None:
    """The first of (template, where, source, expression) that does not fit, and its first row in `events`."""
    for template, where, source, expr in parts:
        if not _overflows(events, expr):
            continue
        while events.height > 1:
            half = events.head(events.height // 2)
            events = half if _overflows(half, expr) else events.slice(half.height)
        return NumberOverflow(template=template, where=where, source=source, row=events["row"][0])
    return None


def _overflows(events: pl.DataFrame, expr: pl.Expr) -> bool:
    try:
        events.select(expr.alias("value"))
    except OVERFLOWS:
        return True
    return False


def _extreme(left: Exact, right: Exact, *, largest: bool) -> Exact:
    first, second, bottom = _common(left, right, positive=True)
    scale = max(first.scale, second.scale)
    one, other = first.at(scale), second.at(scale)
    best = pl.max_horizontal(one, other) if largest else pl.min_horizontal(one, other)
    known = pl.when(one.is_not_null() & other.is_not_null()).then(best)
    return Exact(_sized(known, scale, first, second, first, second), bottom)


def _common(left: Exact, right: Exact, *, positive: bool = False) -> tuple[Scaled, Scaled, Scaled | None]:
    """Two tops over one bottom, which is not negative if asked for."""
    if left.bottom is None and right.bottom is None:
        return left.top, right.top, None
    first = left.top.times(right.bottom) if right.bottom else left.top
    second = right.top.times(left.bottom) if left.bottom else right.top
    bottom = _product(left.bottom, right.bottom)
    if positive and bottom is not None:
        negative = bottom.expr < 0
        first, second = (
            _sized(pl.when(negative).then(-top.expr).otherwise(top.expr), top.scale, top, top, bottom)
            for top in (first, second)
        )
        bottom = _sized(bottom.expr.abs(), bottom.scale, bottom)
    return first, second, bottom


def _product(left: Scaled | None, right: Scaled | None) -> Scaled | None:
    if left is None or right is None:
        return left or right
    return left.times(right)


def _quotient(top: Scaled, bottom: Scaled, places: int) -> pl.Expr:
    """`top / bottom` rounded half away from zero, as Decimal(38, places): (2n + m) // 2m of whole numbers."""
    shift = places + bottom.scale - top.scale
    n, m = top.units().abs(), bottom.units().abs()
    if shift >= 0:
        n = n * _power(shift)
    else:
        m = m * _power(-shift)
    whole = (n * 2 + m).cast(pl.Int128) // (m * 2).cast(pl.Int128)
    sign = (
        pl.when(top.expr < 0).then(-1).otherwise(1) * pl.when(bottom.expr < 0).then(-1).otherwise(1)
    ).cast(pl.Int128)
    return (whole * sign).cast(_decimal(0)) * _literal(Fraction(1, 10**places), places).expr


def _null_if_zero(bottom: Scaled, value: pl.Expr) -> pl.Expr:
    return pl.when(bottom.expr != 0).then(value)


def _power(exponent: int) -> pl.Expr:
    if exponent >= DIGITS:
        raise TooLarge("a division has too many decimals; round one of its parts first")
    return _literal(Fraction(10**exponent), 0).expr


def _literal(value: Fraction, scale: int) -> Scaled:
    units = int(value * 10**scale)
    if abs(units) >= 10**DIGITS or scale > DIGITS:
        raise TooLarge("a number computed from numbers alone has more than 38 digits; write it shorter")
    # From text: arithmetic on a Python Decimal would round to the 28 digits of its context.
    return Scaled(pl.lit(Decimal(f"{units}E-{scale}"), dtype=_decimal(scale)), scale)


def _decimal(scale: int) -> pl.Decimal:
    if scale > DIGITS:
        raise TooLarge("a product has more than 38 decimals; round one of its parts first")
    return pl.Decimal(DIGITS, scale)


def _sized(expr: pl.Expr, scale: int, *parts: Scaled | None) -> Scaled:
    size = 1 + sum(part.size for part in parts if part)
    if size > LARGEST_SIZE:
        raise TooLarge(
            "the expression is too complicated; use fewer divisions, min and max inside each other"
        )
    return Scaled(expr, scale, size)


def _round_fraction(value: Fraction, places: int) -> Fraction:
    shifted = abs(value) * 10**places
    whole = (2 * shifted.numerator + shifted.denominator) // (2 * shifted.denominator)
    return Fraction(whole if value >= 0 else -whole, 10**places)
