"""The expression language: what it says of what cannot be used, and that its arithmetic is exact.

The oracle is plain Python over the same tree: whole fractions, rounded once by `decimal`.
"""

import pickle
from collections.abc import Callable
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from random import Random

import polars as pl
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from ledger.engine import syntax
from ledger.engine.exact import OVERFLOWS
from ledger.engine.expressions import ExpressionError, parse

SCHEMA = {
    "fare": pl.Decimal(20, 6),
    "fee": pl.Decimal(14, 2),
    "days": pl.Int32(),
    "kind": pl.String(),
    "late": pl.Boolean(),
    "on": pl.Date(),
    "rate": pl.Float64(),
}
Row = dict[str, Decimal | int]
PRECISE = Context(prec=400, rounding=ROUND_HALF_UP, Emax=999_999, Emin=-999_999)


def one(source: str, places: int | None = None, **values: object) -> object:
    """What an expression gives for one row of these values."""
    row = {"fare": Decimal("10.000000"), "fee": Decimal("2.50"), "days": 3, "kind": "dov", "late": True}
    row |= {"on": date(2019, 3, 2), "rate": 0.5} | values
    frame = pl.DataFrame({name: [value] for name, value in row.items()}, schema=SCHEMA)
    return frame.with_columns(result=parse(source).compile(SCHEMA, places))["result"][0]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (":fare", "10"),
        (":fare + :fee * 2", "15"),
        ("(:fare + :fee) * 2", "25"),
        (":fare - :fee - 1", "6.50"),
        (":fare / :days * 3", "10"),
        (":fare / 4 / 5", "0.5"),
        ("-:fare + +1", "-9"),
        ("- -:fare", "10"),
        ("abs(:fee - :fare)", "7.50"),
        ("min(:fare, :fee, 7)", "2.5"),
        ("MAX(:fare, :fee, 7)", "10"),
        ("round(:fee, 0)", "3"),
        ("round(-:fee, 0)", "-3"),
        ("round(:fare / 3, 4) * 3", "9.9999"),
        ("0.1 + 0.2", "0.3"),
        ("1 / 3 * 3", "1"),
        (":days * 0.000001", "0.000003"),
    ],
)
def test_what_amounts_say(source: str, expected: str) -> None:
    assert parse(source).kind(SCHEMA) == "number"
    assert one(source) == Decimal(expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (":fare > :fee", True),
        (":fare / 3 > 3.33", True),
        (":fare / -3 < -3.33", True),
        (":fare / 4 = 2.5", True),
        (":fare != 10", False),
        (":fare <> 10", False),
        (":days >= 3 and :days <= 3", True),
        ("not :late or :days = 3", True),
        ("not (:late or :days = 3)", False),
        ("not :fare > 5", False),
        (":kind = 'dov'", True),
        (":kind in ('shift', 'dov')", True),
        (":kind not in ('shift', 'dov')", False),
        (":days in (1, -3)", False),
        (":kind = 'it''s'", False),
        (":on = :on AND :late", True),
        ("1 = 1", True),
        # What is on the other side decides alone.
        (":days / 0.0001 > 1 or :fare / (:days - 3) = 1", True),
        ("not :late and :fare / (:days - 3) = 1", False),
        (":fare / (:days - 3) = 1", None),
    ],
)
def test_what_conditions_say(source: str, expected: bool | None) -> None:
    assert parse(source).kind(SCHEMA) == "boolean"
    assert one(source) is expected


@pytest.mark.parametrize(
    ("places", "value", "expected"),
    [
        (2, "1.005000", "1.01"),
        (2, "-1.005000", "-1.01"),
        (2, "1.015000", "1.02"),
        (2, "2.345000", "2.35"),
        (2, "1.004999", "1.00"),
        (2, "-1.004999", "-1.00"),
        (0, "0.500000", "1"),
        (0, "-2.500000", "-3"),
        (6, "0.000001", "0.000001"),
    ],
)
def test_halves_are_rounded_away_from_zero(places: int, value: str, expected: str) -> None:
    assert one(":fare", places, fare=Decimal(value)) == Decimal(expected)
    assert one(":fare / 7 * 7", places, fare=Decimal(value)) == Decimal(expected)
    assert one(f"round(:fare, {places})", fare=Decimal(value)) == Decimal(expected)


def test_a_quotient_is_rounded_once() -> None:
    """Carried with twelve decimals, a millionth below a half would become one and be rounded up."""
    assert one(":fare / 3000000000000", 2, fare=Decimal("14999999999.999999")) == Decimal("0.00")
    assert one(":fare / 3000000000000", 2, fare=Decimal("15000000000")) == Decimal("0.01")


def test_interest_of_the_worked_loan() -> None:
    """domain.md: 1,200.00 at 10 % from 2025-10-01: 3.29, 1.82, 1.34, 0.86, 0.38."""
    source = ":fare * 10 / 100 * :days / 365"
    figures = [(1200, 10, "3.29"), (950, 7, "1.82"), (700, 7, "1.34"), (450, 7, "0.86"), (200, 7, "0.38")]
    for principal, days, interest in figures:
        assert one(source, 2, fare=Decimal(principal), days=days) == Decimal(interest)


@pytest.mark.parametrize(
    "source", [":fare / :days", "min(:fare / :days, 1)", "round(1 / :days, 2)", "3 / (1 / :days)"]
)
def test_a_division_by_zero_gives_nothing_whatever_is_around_it(source: str) -> None:
    assert one(source, days=0) is None
    assert one(f"max({source}, 5)", days=0) is None
    assert one(f"{source} + 1 > 0", days=0) is None


def test_a_function_of_nothing_is_nothing() -> None:
    assert one("max(:fare, 5)", fare=None) is None


@pytest.mark.parametrize(
    "source",
    [":fare * :fare * :fare", ":fare * 1000000000000000000000000", ":fare / 0.0000000000000000000000001"],
)
def test_what_does_not_fit_is_an_error_and_never_another_number(source: str) -> None:
    with pytest.raises(OVERFLOWS):
        one(source, 2, fare=Decimal("99999999999999.999999"))


@pytest.mark.parametrize(
    ("source", "position", "words"),
    [
        ("", 1, "empty"),
        (":fara", 1, "unknown column :fara at position 1; the columns are :days, .* did you mean :fare?"),
        ("1 + :zzz", 5, "unknown column :zzz at position 5"),
        ("roud(1, 2)", 1, "unknown function roud .* did you mean round?"),
        ("1 + fare", 5, "a column is written :fare"),
        ("1 +", 4, "found the end at position 4"),
        ("(1", 3, "found the end .* where \\) was expected"),
        ("1 2", 3, "found 2 at position 3"),
        ("1)", 2, "found \\)"),
        ("'dov", 1, "not closed"),
        ('"dov"', 1, "single quotes"),
        ("1e5", 1, "without exponent"),
        ("1,000.00", 2, "found ,"),
        (".5", 1, "0.5"),
        ("1.", 1, "not a number"),
        (": fare", 1, "without a space"),
        ("1 % 2", 3, "'%' has no meaning"),
        ("__import__('os')", 1, "unknown function"),
        (":fare.real", 6, "digit"),
        (":a < :b < :c", 9, "join two by and"),
        (":fare / 0", 7, "division by zero at position 7"),
        (":fare / (2 - 2)", 7, "division by zero"),
        (":kind + 1", 1, "a number is needed at position 1, but this is a text"),
        ("-:kind", 2, "a number is needed"),
        (":kind > 'a'", 7, "= and != only"),
        (":kind = 1", 7, "a text and a number are compared"),
        (":fare and :late", 1, "condition"),
        ("not :fare", 5, "condition"),
        (":rate * 2", 1, "Float64"),
        ("abs(1, 2)", 1, "takes one number"),
        ("min(1)", 1, "takes two numbers or more"),
        ("round(1)", 1, "takes a number and a number of decimals"),
        ("round(:fare, :days)", 14, "whole number of decimals"),
        ("round(:fare, 13)", 14, "whole number of decimals"),
        (":kind in (:kind)", 11, "a number or a text"),
        ("9" * 29, 1, "more than 28 digits"),
        ("1" * 28 + "*" + "1" * 28, 29, "38 digits"),
        (" " * 501, 501, "501 characters"),
        ("(" * 51 + "1" + ")" * 51, 52, "more than 50"),
        ("-" * 60 + "1", 52, "more than 50"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_position(source: str, position: int, words: str) -> None:
    with pytest.raises(ExpressionError, match=words) as caught:
        parse(source).kind(SCHEMA)
    assert caught.value.position == position
    assert str(pickle.loads(pickle.dumps(caught.value))) == caught.value.message


def test_limits_are_reached_but_not_passed() -> None:
    assert one("(" * 50 + "1" + ")" * 50) == 1
    assert one("+".join(["1"] * 250) + " ") == 250
    assert one("9" * 28) == Decimal("9" * 28)


def test_an_expression_that_would_grow_without_end_is_refused() -> None:
    source = "min(1/" * 40 + ":fare" + ",1)" * 40
    with pytest.raises(ExpressionError, match=r"too complicated|38 decimals"):
        parse(source).compile(SCHEMA, 2)


def test_the_columns_an_expression_reads() -> None:
    assert parse("min(:a, -:b) > 0 and not :c in (1, 2)").columns == {"a", "b", "c"}
    assert parse("1 + 2").columns == frozenset()


# --- against an oracle --------------------------------------------------------------------------------------


def amount(chance: Random, depth: int, literals: Callable[[Random], str]) -> str:
    """Any amount of that depth at most. Drawn from one seed: built of strategies, its parts are mostly equal."""
    if depth == 0 or chance.random() < 0.1:
        return literals(chance) if chance.random() < 0.3 else chance.choice([":fare", ":fee", ":days"])
    parts = [amount(chance, depth - 1, literals) for _ in range(2)]
    shape = chance.choice(
        ["({} {} {})"] * 4 + ["-{}", "abs({})", "min({}, {})", "max({}, {})", "round({}, {})"]
    )
    if shape.startswith("("):
        return shape.format(parts[0], chance.choice("+-*//"), parts[1])
    return shape.format(parts[0], chance.randint(0, 4) if shape.startswith("round") else parts[1])


def row_of(chance: Random, digits: int) -> Row:
    """Values of up to so many digits before the point; often zero, often a half of something."""
    whole = [0, 1, chance.randrange(100), chance.randrange(10**digits)]
    sign = chance.choice([1, -1])
    return {
        "fare": sign
        * Decimal(f"{chance.choice(whole)}.{chance.choice([0, 500_000, chance.randrange(10**6)]):06}"),
        "fee": sign * Decimal(f"{chance.choice(whole)}.{chance.choice([0, 50, chance.randrange(100)]):02}"),
        "days": chance.choice([0, 1, 3, -7, chance.randint(-400, 400)]),
    }


def small_number(chance: Random) -> str:
    return chance.choice(["0", "2", "7", "0.5", "1.25", "365"])


def large_number(chance: Random) -> str:
    return f"{chance.randrange(10 ** chance.randint(1, 18))}.{chance.randrange(10 ** chance.randint(1, 9))}"


SEEDS = st.integers(0, 2**40)


def value_of(node: syntax.Node, row: Row) -> Fraction | None:
    """The oracle: None where something is divided by zero."""
    match node:
        case syntax.Number():
            return Fraction(node.value)
        case syntax.Column():
            return Fraction(row[node.name])
        case syntax.Negate():
            inner = value_of(node.operand, row)
            return None if inner is None else -inner
        case syntax.Arithmetic():
            parts = [value_of(node.left, row), value_of(node.right, row)]
        case syntax.Call():
            parts = [value_of(argument, row) for argument in node.arguments]
        case _:
            raise AssertionError(node)
    if None in parts:
        return None
    known = [part for part in parts if part is not None]
    if isinstance(node, syntax.Call):
        if node.function == "round":
            return Fraction(rounded(known[0], int(known[1])))
        return {"abs": lambda x: abs(x), "min": min, "max": max}[node.function](*known)
    left, right = known
    if node.sign == "/":
        return left / right if right else None
    return {"+": left + right, "-": left - right, "*": left * right}[node.sign]


def rounded(value: Fraction, places: int) -> Decimal:
    quotient = PRECISE.divide(Decimal(value.numerator), Decimal(value.denominator))
    return quotient.quantize(Decimal(1).scaleb(-places), context=PRECISE)


def compiled(source: str, places: int) -> pl.Expr | None:
    try:
        return parse(source).compile(SCHEMA, places)
    except ExpressionError as error:
        assert any(words in str(error) for words in ("division by zero", "38", "too many decimals")), error
        return None


def frame_of(rows: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={name: SCHEMA[name] for name in ("fare", "fee", "days")})


@settings(max_examples=400)
@given(SEEDS, st.integers(1, 4), st.integers(0, 6))
def test_amounts_are_what_exact_fractions_say(seed: int, depth: int, places: int) -> None:
    chance = Random(seed)
    source = amount(chance, depth, small_number)
    compare_with_fractions(source, places, [row_of(chance, 4) for _ in range(4)])


@settings(max_examples=400)
@given(SEEDS, st.integers(1, 4), st.integers(0, 6))
def test_large_amounts_are_right_or_refused(seed: int, depth: int, places: int) -> None:
    chance = Random(seed)
    source = amount(chance, depth, large_number)
    for _ in range(3):
        compare_with_fractions(source, places, [row_of(chance, 14)])


def compare_with_fractions(source: str, places: int, rows: list[Row]) -> None:
    event(kind := outcome(source, places, rows))
    assert kind in ("equal", "refused", "does not fit"), source


def outcome(source: str, places: int, rows: list[Row]) -> str:
    expr = compiled(source, places)
    if expr is None:
        return "refused"
    try:
        found = frame_of(rows).with_columns(result=expr)["result"].to_list()
    except OVERFLOWS:
        return "does not fit"
    expected = [value_of(parse(source).root, row) for row in rows]
    wanted = [None if value is None else rounded(value, places) for value in expected]
    return "equal" if found == wanted else f"{source} gives {found}, not {wanted}"


def test_most_of_what_is_tried_can_be_computed() -> None:
    """Or the two tests above would say little."""
    kinds = []
    for seed in range(200):
        chance = Random(seed)
        kinds.append(outcome(amount(chance, 3, small_number), 2, [row_of(chance, 4)]))
    assert kinds.count("equal") > 120, kinds


@settings(max_examples=300)
@given(SEEDS, st.integers(0, 2), st.sampled_from(["=", "!=", "<", "<=", ">", ">="]))
def test_comparisons_are_what_exact_fractions_say(seed: int, depth: int, sign: str) -> None:
    chance = Random(seed)
    left, right = (amount(chance, depth, small_number) for _ in range(2))
    rows = [row_of(chance, 4) for _ in range(4)]
    try:
        expr = parse(f"{left} {sign} {right}").compile(SCHEMA)
        found = frame_of(rows).with_columns(result=expr)["result"].to_list()
    except (ExpressionError, *OVERFLOWS):
        return
    for row, result in zip(rows, found, strict=True):
        one, other = value_of(parse(left).root, row), value_of(parse(right).root, row)
        if one is None or other is None:
            assert result is None
        else:
            order = (one > other) - (one < other)
            tests = {"=": order == 0, "!=": order != 0, "<": order < 0, "<=": order <= 0, ">": order > 0}
            assert result is tests.get(sign, order >= 0)


@settings(max_examples=300)
@given(st.text(alphabet=":ab1.'()+-*/=<>,! andornotinround", max_size=40))
def test_any_text_is_read_or_refused_with_a_position(source: str) -> None:
    try:
        parse(source).kind(SCHEMA)
    except ExpressionError as error:
        assert 1 <= error.position <= len(source) + 1
