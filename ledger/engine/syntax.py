"""The text of an expression, read into a tree. What the tree means is in `expressions.py`.

    or     = and ("or" and)*
    and    = not ("and" not)*
    not    = "not" not | test
    test   = sum [("=" | "!=" | "<>" | "<" | "<=" | ">" | ">=") sum | ["not"] "in" "(" literal ("," literal)* ")"]
    sum    = term (("+" | "-") term)*
    term   = sign (("*" | "/") sign)*
    sign   = ("+" | "-") sign | atom
    atom   = number | 'text' | :column | function "(" or ("," or)* ")" | "(" or ")"

Every node carries the 1-based position of the character it begins with, or of its operator.
"""

import difflib
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple, NoReturn

LONGEST = 500  # characters
DEEPEST = 50  # parentheses, functions and signs inside each other
MOST_DIGITS = 28  # of one number
FUNCTIONS = ("abs", "min", "max", "round")
COMPARISONS = ("=", "!=", "<>", "<", "<=", ">", ">=")


class ExpressionError(ValueError):
    """An expression that cannot be used. `message` says what to do, `position` is the 1-based character."""

    def __init__(self, message: str, position: int) -> None:
        self.message, self.position = message, position
        super().__init__(message)

    def __reduce__(self) -> tuple[type["ExpressionError"], tuple[str, int]]:
        return type(self), (self.message, self.position)


@dataclass(frozen=True)
class Number:
    value: Decimal
    position: int


@dataclass(frozen=True)
class Text:
    value: str
    position: int


@dataclass(frozen=True)
class Column:
    name: str
    position: int


@dataclass(frozen=True)
class Negate:
    operand: "Node"
    position: int


@dataclass(frozen=True)
class Arithmetic:
    """`sign` is + - * or /."""

    sign: str
    left: "Node"
    right: "Node"
    position: int


@dataclass(frozen=True)
class Comparison:
    """`sign` is = != < <= > or >=."""

    sign: str
    left: "Node"
    right: "Node"
    position: int


@dataclass(frozen=True)
class Logic:
    """`word` is and, or."""

    word: str
    left: "Node"
    right: "Node"
    position: int


@dataclass(frozen=True)
class Not:
    operand: "Node"
    position: int


@dataclass(frozen=True)
class Membership:
    """`subject in (options)`; the options are numbers or texts."""

    subject: "Node"
    options: "tuple[Node, ...]"
    position: int


@dataclass(frozen=True)
class Call:
    function: str
    arguments: "tuple[Node, ...]"
    position: int


Node = Number | Text | Column | Negate | Arithmetic | Comparison | Logic | Not | Membership | Call


def read(source: str) -> Node:
    """The tree of an expression. Raises ExpressionError."""
    if len(source) > LONGEST:
        raise ExpressionError(
            f"the expression has {len(source)} characters, {LONGEST} are allowed; split it over more lines",
            LONGEST + 1,
        )
    return _Parser(_tokens(source), len(source) + 1).whole()


def did_you_mean(word: str, known: Collection[str]) -> str:
    """`; did you mean lease?`, or nothing."""
    close = difflib.get_close_matches(word, sorted(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


class _Token(NamedTuple):
    kind: str  # number, text, column, word, sign, end
    text: str
    position: int

    @property
    def shown(self) -> str:
        return "the end" if self.kind == "end" else self.text


_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    |(?P<number>[0-9]+(?:\.[0-9]+)?(?![0-9A-Za-z_.]))
    |(?P<column>:[A-Za-z_][A-Za-z0-9_]*)
    |(?P<text>'(?:[^']|'')*')
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign><=|>=|<>|!=|[-+*/(),=<>])""",
    re.VERBOSE,
)
_HINTS = {
    "'": "a text is opened by ' and not closed; add the second '",
    '"': "texts stand in single quotes, 'like this'",
    ":": "a column is : and its name without a space, like :amount",
    ".": "a number begins with a digit, like 0.5",
}


def _tokens(source: str) -> list[_Token]:
    tokens, at = [], 0
    while at < len(source):
        match = _TOKEN.match(source, at)
        if match is None:
            _refuse_character(source, at)
        kind, text = str(match.lastgroup), match.group()
        if kind == "number" and len(text.replace(".", "")) > MOST_DIGITS:
            raise ExpressionError(
                f"the number at position {at + 1} has more than {MOST_DIGITS} digits; write it shorter",
                at + 1,
            )
        if kind != "space":
            tokens.append(_Token(kind, text, at + 1))
        at = match.end()
    return [*tokens, _Token("end", "", len(source) + 1)]


def _refuse_character(source: str, at: int) -> NoReturn:
    character = source[at]
    what = _HINTS.get(character)
    if what is None and character.isascii() and character.isdigit():
        what = "this is not a number; write it like 12.50, without exponent or thousands separator"
    what = what or f"{character!r} has no meaning in an expression; take it out"
    raise ExpressionError(f"{what} (position {at + 1})", at + 1)


class _Parser:
    def __init__(self, tokens: list[_Token], end: int) -> None:
        self.tokens, self.at, self.depth, self.end = tokens, 0, 0, end

    def whole(self) -> Node:
        if self.token.kind == "end":
            raise ExpressionError("the expression is empty; write for instance :amount", 1)
        node = self.either()
        if self.token.kind != "end":
            self.refuse("an operator or the end")
        return node

    @property
    def token(self) -> _Token:
        return self.tokens[self.at]

    def either(self) -> Node:
        node = self.both()
        while self.is_word("or"):
            position = self.take().position
            node = Logic("or", node, self.both(), position)
        return node

    def both(self) -> Node:
        node = self.negated()
        while self.is_word("and"):
            position = self.take().position
            node = Logic("and", node, self.negated(), position)
        return node

    def negated(self) -> Node:
        if not self.is_word("not"):
            return self.test()
        position = self.take().position
        return Not(self.nested(self.negated), position)

    def test(self) -> Node:
        node = self.sum()
        if self.token.text in COMPARISONS:
            sign = self.take()
            node = Comparison("!=" if sign.text == "<>" else sign.text, node, self.sum(), sign.position)
            if self.token.text in COMPARISONS:
                second = self.token
                raise ExpressionError(
                    f"a second comparison at position {second.position}; join two by and: :a < :b and :b < :c",
                    second.position,
                )
            return node
        if self.is_word("in"):
            return self.membership(node)
        if self.is_word("not") and self.tokens[self.at + 1].text.lower() == "in":
            position = self.take().position
            return Not(self.membership(node), position)
        return node

    def membership(self, subject: Node) -> Node:
        position = self.take().position
        self.expect("(")
        options = [self.literal()]
        while self.token.text == ",":
            self.take()
            options.append(self.literal())
        self.expect(")")
        return Membership(subject, tuple(options), position)

    def literal(self) -> Node:
        negative = self.token.text == "-"
        if negative:
            self.take()
        if self.token.kind not in (("number",) if negative else ("number", "text")):
            self.refuse("a number or a text in single quotes")
        node = self.atom()
        if negative and isinstance(node, Number):
            return Number(-node.value, node.position)
        return node

    def sum(self) -> Node:
        return self.chain(self.term, ("+", "-"))

    def term(self) -> Node:
        return self.chain(self.signed, ("*", "/"))

    def chain(self, operand: Callable[[], Node], signs: tuple[str, str]) -> Node:
        node = operand()
        while self.token.kind == "sign" and self.token.text in signs:
            sign = self.take()
            node = Arithmetic(sign.text, node, operand(), sign.position)
        return node

    def signed(self) -> Node:
        if self.token.text not in ("+", "-"):
            return self.atom()
        sign = self.take()
        operand = self.nested(self.signed)
        return Negate(operand, sign.position) if sign.text == "-" else operand

    def atom(self) -> Node:
        token = self.token
        if token.kind == "word":
            return self.call()
        if token.text == "(":
            self.take()
            node = self.nested(self.either)
            self.expect(")")
            return node
        if token.kind not in ("number", "text", "column"):
            self.refuse("a number, a column like :amount, a function or (")
        self.take()
        if token.kind == "number":
            return Number(Decimal(token.text), token.position)
        if token.kind == "text":
            return Text(token.text[1:-1].replace("''", "'"), token.position)
        return Column(token.text[1:], token.position)

    def call(self) -> Node:
        name = self.token
        function = name.text.lower()
        if function not in FUNCTIONS and self.tokens[self.at + 1].text != "(":
            raise ExpressionError(
                f"{name.text} at position {name.position} is no number, column or function; "
                f"a column is written :{name.text}, a text '{name.text}'",
                name.position,
            )
        if function not in FUNCTIONS:
            raise ExpressionError(
                f"unknown function {name.text} at position {name.position}; the functions are "
                f"{', '.join(FUNCTIONS)}{did_you_mean(function, FUNCTIONS)}",
                name.position,
            )
        self.take()
        self.expect("(")
        arguments = [self.nested(self.either)]
        while self.token.text == ",":
            self.take()
            arguments.append(self.nested(self.either))
        self.expect(")")
        return Call(function, tuple(arguments), name.position)

    def nested(self, rule: Callable[[], Node]) -> Node:
        self.depth += 1
        if self.depth > DEEPEST:
            raise ExpressionError(
                f"more than {DEEPEST} parentheses, functions or signs stand inside each other at position "
                f"{self.token.position}; write it more simply",
                self.token.position,
            )
        node = rule()
        self.depth -= 1
        return node

    def take(self) -> _Token:
        token = self.token
        if token.kind != "end":
            self.at += 1
        return token

    def expect(self, text: str) -> None:
        if self.token.text != text:
            self.refuse(text)
        self.take()

    def is_word(self, word: str) -> bool:
        return self.token.kind == "word" and self.token.text.lower() == word

    def refuse(self, expected: str) -> NoReturn:
        token = self.token
        raise ExpressionError(
            f"found {token.shown} at position {token.position}, where {expected} was expected", token.position
        )
