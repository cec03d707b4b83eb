"""Entries that take no calculation: every line is one of the event's amounts as it stands.

Most postings are such events, and come one at a time, where building a frame for one row costs more than posting
it. Whatever takes more than reading a column (an expression, a condition, a choice between templates, a rounding, an
adjustment) is left to `engine.CompiledTemplates.expand`; what is given here is exactly what that would give.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from .engine import CompiledTemplates
from .entries import Recipe
from .syntax import Column

ZERO = Decimal(0)


class PlainLine(NamedTuple):
    """`amount` is signed: debits positive. `account` is an id where the templates were compiled with ids."""

    account: str | int
    fund: str
    amount: Decimal


def plain_lines(
    compiled: CompiledTemplates,
    txn_type: str,
    product: str,
    channel: str,
    on: date,
    amounts: Mapping[str, Decimal | None],
) -> tuple[int, list[PlainLine]] | None:
    """The template (an index into `compiled.templates`) and lines of one event, or None where it takes a frame."""
    amount = amounts["amount"]
    if amount is None:
        return None
    template = compiled.plan((txn_type, product, channel)).choose(on, amount)
    if template is None:
        return None
    lines = []
    off: dict[str, Decimal] = {}
    for account, fund, debit, column, places in _plan(compiled.recipe(template, product)) or ():
        value = amounts.get(column)
        if value is None or value.as_tuple().exponent < -places:  # type: ignore[operator]
            return None
        if value:
            signed = value if debit else -value
            lines.append(PlainLine(account, fund, signed))
            off[fund] = off.get(fund, ZERO) + signed
    if len(lines) < 2 or any(off.values()):
        return None
    return template, lines


_Step = tuple[str | int, str, bool, str, int]


def _plan(recipe: Recipe) -> list[_Step] | None:
    """A recipe's lines as columns to read, kept with it; None where one of them takes more than that."""
    kept: list[_Step] | None = recipe.__dict__.get("plain_steps")
    if kept is None and "plain_steps" not in recipe.__dict__:
        kept = recipe.__dict__["plain_steps"] = _steps(recipe)
    return kept


def _steps(recipe: Recipe) -> list[_Step] | None:
    steps: list[_Step] = []
    for line in recipe.lines:
        unit = recipe.units[line.unit]
        if unit.condition is not None or not isinstance(unit.amount.root, Column):
            return None
        steps.append(
            (recipe.account(line.account), line.fund, line.debit, unit.amount.root.name, unit.line.places)
        )
    return steps
