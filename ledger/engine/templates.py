"""Journal templates as data: who is matched, which lines are written, how exactly they must balance.

Plain frozen values, made by the database's rows or by a pack's file, and the check that says in sentences what is
wrong with them. How they are applied is in `engine.py`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

import polars as pl

from .expressions import ExpressionError, parse

MOST_PLACES = 6  # the journal is numeric(20,6)
Side = Literal["DR", "CR"]
Action = Literal["ERROR", "AUTO_ADJUST"]


@dataclass(frozen=True)
class TemplateMatch:
    """Which events a template is for; None is any. Amounts are magnitudes: a reversal goes its original's way."""

    txn_type: str
    product: str | None
    channel: str | None
    min_amount: Decimal | None
    max_amount: Decimal | None
    condition: str | None
    priority: int


@dataclass(frozen=True)
class TemplateLine:
    """One line; a negative amount swaps its side. `places`: decimals to round to, half away from zero."""

    number: int
    side: Side
    account: str
    fund: str
    amount: str
    condition: str | None = None
    places: int = 2
    memo: str = ""


@dataclass(frozen=True)
class TemplateControl:
    """What happens when a fund's debits are not its credits.

    AUTO_ADJUST writes a difference in `adjust_fund` of at most `tolerance` to `adjust_account`; everything else,
    and every difference under ERROR, rejects the entry.
    """

    tolerance: Decimal
    action: Action
    adjust_account: str | None
    adjust_fund: str


@dataclass(frozen=True)
class JournalTemplate:
    """One version of a template. Without lines it says: these events are not journalised.

    `key` is the caller's name for it (a database id) and is not looked at.
    """

    code: str
    version: int
    description: str
    effective_from: date
    effective_to: date | None
    matches: tuple[TemplateMatch, ...]
    lines: tuple[TemplateLine, ...]
    control: TemplateControl
    key: int | None = None

    @property
    def name(self) -> str:
        return f"{self.code}/{self.version}"


@dataclass(frozen=True)
class AccountOverride:
    """For events of a product, another account (and fund) on the lines that name this one.

    `template_code` None is every template, `fund` None every fund; the more specific goes first, the template
    before the fund. The line of an automatic adjustment stays where its control says.
    """

    template_code: str | None
    product: str
    account: str
    fund: str | None
    to_account: str
    to_fund: str | None


@dataclass(frozen=True)
class TemplateProblem:
    """`where` is `line 3`, `match 2`, `control`, `template` or `override 1`; `position` a 1-based character."""

    code: str
    version: int
    where: str
    field: str
    position: int | None
    sentence: str

    def __str__(self) -> str:
        return f"{self.code}/{self.version}, {self.where}, {self.field}: {self.sentence}"


def check_template(
    template: JournalTemplate,
    columns: Mapping[str, pl.DataType],
    accounts: Collection[str],
    control_accounts: Collection[str],
) -> list[TemplateProblem]:
    """Everything that is wrong with a template, in the order in which it is written; empty if it can be used.

    columns: those of the events; accounts: the codes that exist; control_accounts: those that only their own
    services post to.
    """
    check = _Check(template, columns)
    check.head()
    check.matches()
    check.lines()
    for line in template.lines:
        check.account(f"line {line.number}", "account", line.account, accounts)
    control = template.control
    if control.adjust_account is not None:
        check.account("control", "adjust_account", control.adjust_account, accounts)
        if control.action == "AUTO_ADJUST" and control.adjust_account in control_accounts:
            check.add(
                "control",
                "adjust_account",
                f"{control.adjust_account} is a control account, to which only its own services post; "
                "choose another account for differences",
            )
    return check.problems


def check_alone(template: JournalTemplate, columns: Mapping[str, pl.DataType]) -> list[TemplateProblem]:
    """What can be said of a template without the chart of accounts."""
    check = _Check(template, columns)
    check.head()
    check.matches()
    check.lines()
    return check.problems


class _Check:
    def __init__(self, template: JournalTemplate, columns: Mapping[str, pl.DataType]) -> None:
        self.template, self.columns = template, columns
        self.problems: list[TemplateProblem] = []

    def add(self, where: str, field: str, sentence: str, position: int | None = None) -> None:
        template = self.template
        self.problems.append(
            TemplateProblem(template.code, template.version, where, field, position, sentence)
        )

    def head(self) -> None:
        template, control = self.template, self.template.control
        if not template.code:
            self.add("template", "code", "the code is empty; give the template a name")
        if template.version < 1:
            self.add("template", "version", "the version must be 1 or more")
        if template.effective_to is not None and template.effective_to < template.effective_from:
            self.add(
                "template",
                "effective_to",
                f"it ends on {template.effective_to}, before it begins on {template.effective_from}",
            )
        self._exact("control", "tolerance", control.tolerance)
        if not control.tolerance >= 0:
            self.add("control", "tolerance", "the tolerance is negative; 0 allows no difference")
        if control.action not in ("ERROR", "AUTO_ADJUST"):
            self.add("control", "action", f"{control.action} is neither ERROR nor AUTO_ADJUST")
        if control.action == "AUTO_ADJUST" and not (control.adjust_account and control.adjust_fund):
            self.add("control", "adjust_account", "AUTO_ADJUST needs an account and a fund for differences")

    def matches(self) -> None:
        if not self.template.matches:
            self.add("template", "matches", "nothing is matched; add a match, or no event will come here")
        for number, match in enumerate(self.template.matches, 1):
            where = f"match {number}"
            if not match.txn_type:
                self.add(where, "txn_type", "the kind of event is empty; name one")
            for field in ("min_amount", "max_amount"):
                amount = getattr(match, field)
                if amount is not None:
                    self._exact(where, field, amount)
                    if amount < 0:
                        self.add(where, field, "amounts are matched without their sign; use 0 or more")
            if (
                match.min_amount is not None
                and match.max_amount is not None
                and match.min_amount > match.max_amount
            ):
                self.add(where, "min_amount", f"{match.min_amount} is above the maximum {match.max_amount}")
            if match.condition is not None:
                self._expression(where, "condition", match.condition, "boolean")

    def lines(self) -> None:
        lines = self.template.lines
        for side, word in (("DR", "debit"), ("CR", "credit")):
            if lines and all(line.side != side for line in lines):
                self.add("template", "lines", f"there is no {word} line; an entry has both sides")
        seen: set[int] = set()
        for line in lines:
            where = f"line {line.number}"
            if line.number in seen:
                self.add(where, "number", f"there are two lines {line.number}; number them apart")
            seen.add(line.number)
            if not 1 <= line.number < 10_000:
                self.add(where, "number", "lines are numbered from 1 to 9999")
            if line.side not in ("DR", "CR"):
                self.add(where, "side", f"{line.side} is neither DR nor CR")
            if not line.fund:
                self.add(where, "fund", "the fund is empty; every line belongs to one")
            if not 0 <= line.places <= MOST_PLACES:
                self.add(where, "places", f"lines are rounded to 0 to {MOST_PLACES} decimals")
            self._expression(where, "amount", line.amount, "number", line.places)
            if line.condition is not None:
                self._expression(where, "condition", line.condition, "boolean")

    def account(self, where: str, field: str, account: str, accounts: Collection[str]) -> None:
        if account not in accounts:
            self.add(where, field, f"account {account or '(empty)'} is not in the chart of accounts")

    def _expression(
        self, where: str, field: str, source: str, wanted: str, places: int | None = None
    ) -> None:
        try:
            expression = parse(source)
            kind = expression.kind(self.columns)
            if kind == wanted:
                # Only now is it known whether all of it fits the arithmetic.
                expression.compile(self.columns, places)
        except ExpressionError as error:
            self.add(where, field, error.message, error.position)
            return
        if kind != wanted:
            what = {"number": "a number", "boolean": "a condition, like :amount > 0"}[wanted]
            self.add(where, field, f"this is a {kind}, but {what} is needed", 1)

    def _exact(self, where: str, field: str, amount: Decimal) -> None:
        if not isinstance(amount, Decimal) or not amount.is_finite():
            self.add(where, field, f"{amount!r} is not a Decimal; money is never a float")
        elif amount != round(amount, MOST_PLACES):
            self.add(where, field, f"{amount} has more than {MOST_PLACES} decimals; the journal has no more")
