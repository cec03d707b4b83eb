"""The expression language of journal templates: what an amount or a condition means, as a Polars expression.

An expression is read by hand (`syntax.py`), checked against the columns there are, and compiled; it is never
evaluated as Python or SQL. Numbers are exact (`exact.py`): nothing is rounded but by round() and, once, by the
line that uses the result, half away from zero. Two limits of that exactness are the caller's to know: what does
not fit 38 digits raises when it is evaluated, and a division by zero gives null.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Literal

import polars as pl

from . import exact
from .exact import Exact, TooLarge
from .syntax import (
    Arithmetic,
    Call,
    Column,
    Comparison,
    ExpressionError,
    Logic,
    Membership,
    Negate,
    Node,
    Not,
    Number,
    Text,
    did_you_mean,
    read,
)

__all__ = ["Expression", "ExpressionError", "Kind", "Schema", "parse"]

Kind = Literal["number", "text", "boolean", "date"]
Schema = Mapping[str, pl.DataType]
MOST_PLACES = 12


@dataclass(frozen=True)
class Expression:
    """`source` as it was written, and its tree. Equal sources are equal expressions, and hashable."""

    source: str
    root: Node

    @cached_property
    def columns(self) -> frozenset[str]:
        """The names of the columns it reads."""
        return frozenset(node.name for node in _walk(self.root) if isinstance(node, Column))

    def kind(self, schema: Schema) -> Kind:
        """What it gives, after every part has been checked. Raises ExpressionError."""
        return _value(self.root, schema)[0]

    def compile(self, schema: Schema, places: int | None = None) -> pl.Expr:
        """A Polars expression over columns of that schema.

        A number is Decimal(38, s), rounded half away from zero to `places` decimals; without `places` it has
        all its digits, a quotient twelve. Null where a column is null or a divisor is zero, though `false and
        null` is false and `true or null` is true. Raises ExpressionError; what it gives raises a Polars error
        where a number does not fit 38 digits.
        """
        kind, value = _value(self.root, schema)
        if not isinstance(value, Exact):
            assert kind != "number", kind
            return value
        with _TooLargeAt(1):
            return value.expr() if places is None else value.rounded(places)


def parse(source: str) -> Expression:
    """Read an expression of at most 500 characters, 50 levels and 28 digits a number. Raises ExpressionError."""
    return Expression(source, read(source))


def _walk(node: Node) -> list[Node]:
    found, waiting = [], [node]
    while waiting:
        node = waiting.pop()
        found.append(node)
        waiting.extend(_children(node))
    return found


def _children(node: Node) -> tuple[Node, ...]:
    match node:
        case Arithmetic() | Comparison() | Logic():
            return node.left, node.right
        case Negate() | Not():
            return (node.operand,)
        case Membership():
            return node.subject, *node.options
        case Call():
            return node.arguments
        case _:
            return ()


_Value = tuple[Kind, Exact | pl.Expr]


def _value(node: Node, schema: Schema) -> _Value:
    """The kind of a node and its value: Exact for a number, a Polars expression for anything else."""
    match node:
        case Number() | Text() | Column():
            return _atom(node, schema)
        case Negate():
            return "number", exact.negate(_number(node.operand, schema))
        case Arithmetic():
            return "number", _arithmetic(node, schema)
        case Comparison():
            return "boolean", _comparison(node, schema)
        case Logic():
            left, right = _boolean(node.left, schema), _boolean(node.right, schema)
            return "boolean", left & right if node.word == "and" else left | right
        case Not():
            return "boolean", ~_boolean(node.operand, schema)
        case Membership():
            return "boolean", _membership(node, schema)
        case Call():
            return "number", _call(node, schema)


def _atom(node: Number | Text | Column, schema: Schema) -> _Value:
    if isinstance(node, Text):
        return "text", pl.lit(node.value)
    if isinstance(node, Column):
        return _column(node, schema)
    with _TooLargeAt(node.position):
        return "number", exact.constant(Fraction(node.value))


def _column(node: Column, schema: Schema) -> _Value:
    dtype = schema.get(node.name)
    if dtype is None:
        names = ", ".join(f":{name}" for name in sorted(schema))
        hint = did_you_mean(node.name, schema).replace("mean ", "mean :")
        raise ExpressionError(
            f"unknown column :{node.name} at position {node.position}; the columns are {names}{hint}",
            node.position,
        )
    if isinstance(dtype, pl.Decimal) or dtype.is_integer():
        return "number", exact.column(node.name, dtype)
    if dtype == pl.Boolean:
        return "boolean", pl.col(node.name)
    if dtype == pl.Date:
        return "date", pl.col(node.name)
    if dtype == pl.String or isinstance(dtype, pl.Categorical | pl.Enum):
        return "text", pl.col(node.name).cast(pl.String)
    raise ExpressionError(
        f"column :{node.name} at position {node.position} is {dtype}; only exact numbers, texts, dates and "
        "yes/no columns can be used",
        node.position,
    )


def _number(node: Node, schema: Schema) -> Exact:
    kind, value = _value(node, schema)
    if not isinstance(value, Exact):
        raise _wrong_kind(node, "a number", kind)
    return value


def _boolean(node: Node, schema: Schema) -> pl.Expr:
    kind, value = _value(node, schema)
    if kind != "boolean" or isinstance(value, Exact):
        raise _wrong_kind(node, "a condition, like :amount > 0,", kind)
    return value


def _arithmetic(node: Arithmetic, schema: Schema) -> Exact:
    left, right = _number(node.left, schema), _number(node.right, schema)
    with _TooLargeAt(node.position):
        if node.sign == "/":
            try:
                return exact.divide(left, right)
            except ZeroDivisionError:
                raise ExpressionError(
                    f"division by zero at position {node.position}; divide by something else", node.position
                ) from None
        if node.sign == "*":
            return exact.multiply(left, right)
        return exact.add(left, right if node.sign == "+" else exact.negate(right))


def _comparison(node: Comparison, schema: Schema) -> pl.Expr:
    kind, left = _value(node.left, schema)
    other, right = _value(node.right, schema)
    if kind != other:
        raise ExpressionError(
            f"a {kind} and a {other} are compared at position {node.position}; compare things of one kind",
            node.position,
        )
    if isinstance(left, Exact) and isinstance(right, Exact):
        with _TooLargeAt(node.position):
            return exact.compare(node.sign, left, right)
    if kind in ("text", "boolean") and node.sign not in ("=", "!="):
        raise ExpressionError(
            f"a {kind} can be compared by = and != only, not by {node.sign} at position {node.position}",
            node.position,
        )
    assert isinstance(left, pl.Expr) and isinstance(right, pl.Expr)
    return exact.TESTS[node.sign](left, right)


def _membership(node: Membership, schema: Schema) -> pl.Expr:
    tests = [_comparison(Comparison("=", node.subject, each, node.position), schema) for each in node.options]
    found = tests[0]
    for test in tests[1:]:
        found = found | test
    return found


def _call(node: Call, schema: Schema) -> Exact:
    arguments = [_number(argument, schema) for argument in node.arguments]
    with _TooLargeAt(node.position):
        match node.function, arguments:
            case "abs", [number]:
                return exact.absolute(number)
            case "round", [number, places]:
                return exact.round_to(number, _places(node.arguments[1], places))
            case "min" | "max", [_, _, *_]:
                return exact.extreme(arguments, largest=node.function == "max")
    wanted = {"abs": "one number", "round": "a number and a number of decimals"}
    raise ExpressionError(
        f"{node.function} at position {node.position} takes {wanted.get(node.function, 'two numbers or more')}",
        node.position,
    )


def _places(node: Node, number: Exact) -> int:
    value = number.constant
    if value is None or value.denominator != 1 or not 0 <= value <= MOST_PLACES:
        raise ExpressionError(
            f"round at position {node.position} takes a whole number of decimals from 0 to {MOST_PLACES}, "
            "like round(:amount, 2)",
            node.position,
        )
    return int(value)


def _wrong_kind(node: Node, wanted: str, kind: Kind) -> ExpressionError:
    return ExpressionError(
        f"{wanted} is needed at position {node.position}, but this is a {kind}", node.position
    )


class _TooLargeAt:
    """Turns what the arithmetic cannot hold into an error at a position."""

    def __init__(self, position: int) -> None:
        self.position = position

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, TooLarge):
            raise ExpressionError(f"{error} (position {self.position})", self.position) from None
