"""The lines of one template, compiled: events of that template in, balanced lines and rejects out.

An event's amounts stand side by side, one column for each distinct amount, until they are known to balance; only
then are they written one under the other. Dropped lines are zeros until then.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl

from .exact import OVERFLOWS, first_overflow
from .expressions import Expression, parse
from .syntax import Column
from .templates import AccountOverride, JournalTemplate, TemplateLine

AMOUNT = pl.Decimal(20, 6)
ZERO = pl.lit(Decimal(0), dtype=AMOUNT)
LIMIT = Decimal(10) ** 14
BLANK = "blank"  # a column of a condition is empty
UNBALANCED, NO_LINES = "template.unbalanced", "template.no_lines"
EMPTY_COLUMN, BY_ZERO, TOO_LARGE = (
    "template.empty_column",
    "template.division_by_zero",
    "template.amount_too_large",
)


@dataclass(frozen=True)
class Line:
    """A line with its account and fund for one product. `unit` is the column of its amount."""

    number: int
    debit: bool
    account: str
    fund: str
    unit: str
    memo: str


@dataclass(frozen=True)
class Unit:
    """An amount that one or more lines share: expression, condition and decimals."""

    line: TemplateLine
    amount: Expression
    condition: Expression | None
    kept: pl.Expr  # Boolean; null where the condition cannot be decided
    exact: pl.Expr  # rounded, not yet fitted into the journal's numeric(20,6)
    value: pl.Expr  # null where something is wrong with it
    plain: str | None  # the column that is the value as it stands, if one is


@dataclass(frozen=True)
class Expanded:
    """Lines as plans to be collected together, and rejects (row, code, message)."""

    lines: list[pl.LazyFrame]
    rejects: list[pl.DataFrame]


class Recipe:
    """A template's lines for one product, ready to be applied to events with columns of `schema`."""

    def __init__(
        self,
        index: int,
        template: JournalTemplate,
        overrides: Sequence[AccountOverride],
        schema: Mapping[str, pl.DataType],
        account_ids: Mapping[str, int] | None = None,
    ) -> None:
        self.index, self.template, self.account_ids = index, template, account_ids
        self.units: dict[str, Unit] = {}
        names: dict[tuple[str, str | None, int], str] = {}
        lines = []
        for line in template.lines:
            key = (line.amount, line.condition, line.places)
            if key not in names:
                names[key] = f"u{len(names)}"
                self.units[names[key]] = _unit(line, schema)
            account, fund = overridden(line.account, line.fund, overrides)
            lines.append(Line(line.number, line.side == "DR", account, fund, names[key], line.memo))
        self.lines = tuple(lines)
        self.funds = tuple(dict.fromkeys(line.fund for line in lines))
        self._blankable = sorted(
            {name for unit in self.units.values() if unit.condition for name in unit.condition.columns}
        )
        blank = pl.any_horizontal(pl.lit(False), *(pl.col(name).is_null() for name in self._blankable))
        self._wide = [
            pl.col("row"),
            pl.col("currency"),
            *([blank.alias(BLANK)] if self._blankable else []),
            *(unit.value.alias(name) for name, unit in self.units.items()),
        ]
        names_wide = ["row", "currency", *([BLANK] if self._blankable else []), *self.units]
        self._place = {name: at for at, name in enumerate(names_wide)}
        plain = [unit.plain for unit in self.units.values()]
        self._plain = ["row", "currency", *(name for name in plain if name)] if all(plain) else None
        # Looking these up for every event would take longer than all that is done with them.
        self._written = [
            (
                self._place[line.unit],
                line.number,
                *(("DR", "CR") if line.debit else ("CR", "DR")),
                self.account(line.account),
                line.fund,
                line.debit,
            )
            for line in self.lines
        ]

    # --- a few events ---------------------------------------------------------------------------------------

    def expand_few(self, events: pl.DataFrame) -> list[tuple[Any, ...]] | None:
        """Rows of lines for events that balance as they are; None where one of them does not."""
        found: list[tuple[Any, ...]] = []
        wide: Iterable[tuple[Any, ...]]
        if self._plain is not None:
            wide = zip(*(events.get_column(name).to_list() for name in self._plain), strict=True)
        else:
            # One after the other: for a few events, waking the thread pool takes longer than the work.
            wide = self._evaluate(events, pl.DataFrame.select_seq).rows()
        for values in wide:
            if None in values or (self._blankable and values[self._place[BLANK]]):
                return None
            open_by_fund = dict.fromkeys(self.funds, Decimal(0))
            row, currency, before = values[0], values[1], len(found)
            for place, number, side, other, account, fund, debit in self._written:
                amount = values[place]
                if not amount:
                    continue
                if not -LIMIT < amount < LIMIT:
                    return None
                open_by_fund[fund] += amount if debit else -amount
                side = side if amount > 0 else other
                found.append((row, self.index, number, side, account, fund, currency, abs(amount)))
            if any(open_by_fund.values()) or len(found) == before:
                return None
        return found

    def account(self, account: str) -> str | int:
        return account if self.account_ids is None else self.account_ids[account]

    # --- many events ----------------------------------------------------------------------------------------

    def expand(self, events: pl.DataFrame) -> Expanded:
        """Lines and rejects of any number of events. Raises NumberOverflow."""
        rejects = []
        wide = self._evaluate(events)
        if wide.null_count().sum_horizontal().item() or (self._blankable and wide[BLANK].any()):
            undefined = wide.select(
                pl.any_horizontal(
                    *(pl.col(name).is_null() for name in self.units), *([BLANK] if self._blankable else [])
                )
            ).to_series()
            rejects.append(self._explain(events.filter(undefined).rechunk()))
            wide = wide.filter(~undefined)
        adjusted = self._adjustment()
        if adjusted is not None:
            wide = wide.with_columns(adjusted.alias("adjusted"))
        good = wide.select(self._balances() & self._something()).to_series()
        if not good.all():
            rejects.append(self._refuse(wide.filter(~good).rechunk()))
            wide = wide.filter(good)
        return Expanded(list(self._pieces(wide.lazy(), adjusted is not None)), rejects)

    def _evaluate(
        self, events: pl.DataFrame, select: Callable[..., pl.DataFrame] = pl.DataFrame.select
    ) -> pl.DataFrame:
        try:
            return select(events, self._wide)
        except OVERFLOWS as error:
            name = self.template.name
            parts = [
                (name, f"line {unit.line.number}", unit.line.amount, unit.value)
                for unit in self.units.values()
            ]
            raise first_overflow(events, parts) or error from error

    def _signed(self, fund: str) -> list[pl.Expr]:
        """The amounts of a fund's lines, debits positive."""
        return [
            pl.col(line.unit) if line.debit else -pl.col(line.unit)
            for line in self.lines
            if line.fund == fund
        ]

    def _off(self, fund: str) -> pl.Expr:
        return _sum(self._signed(fund))

    def _adjustment(self) -> pl.Expr | None:
        """What the line of the automatic adjustment says, debit positive; zero where it may not help."""
        control = self.template.control
        if control.action != "AUTO_ADJUST" or control.adjust_fund not in self.funds:
            return None
        off = self._off(control.adjust_fund)
        tolerance = pl.lit(control.tolerance, dtype=pl.Decimal(38, 6))
        return pl.when(off.abs() <= tolerance).then(-off).otherwise(ZERO).cast(AMOUNT)

    def _balances(self) -> pl.Expr:
        tests = []
        for fund in self.funds:
            off = self._off(fund)
            if fund == self.template.control.adjust_fund and self._adjustment() is not None:
                off = off + pl.col("adjusted")
            tests.append(off == 0)
        return pl.all_horizontal(tests)

    def _something(self) -> pl.Expr:
        return pl.any_horizontal(pl.col(name) != 0 for name in self.units)

    def _pieces(self, wide: pl.LazyFrame, adjusted: bool) -> Iterator[pl.LazyFrame]:
        for line in self.lines:
            signed = pl.col(line.unit) if line.debit else -pl.col(line.unit)
            yield self._piece(wide, signed, line.number, line.account, line.fund)
        if adjusted:
            control = self.template.control
            last = max(line.number for line in self.lines)
            assert control.adjust_account is not None
            yield self._piece(wide, pl.col("adjusted"), last + 1, control.adjust_account, control.adjust_fund)

    def _piece(
        self, wide: pl.LazyFrame, signed: pl.Expr, number: int, account: str, fund: str
    ) -> pl.LazyFrame:
        name, dtype = ("account", pl.String()) if self.account_ids is None else ("account_id", pl.Int64())
        return wide.filter(signed != 0).select(
            "row",
            pl.lit(self.index, pl.UInt32).alias("template"),
            pl.lit(number, pl.Int32).alias("line_number"),
            pl.when(signed > 0).then(pl.lit("DR")).otherwise(pl.lit("CR")).alias("side"),
            pl.lit(self.account(account), dtype).alias(name),
            pl.lit(fund).alias("fund"),
            "currency",
            signed.abs().cast(AMOUNT).alias("amount"),
        )

    # --- what is wrong --------------------------------------------------------------------------------------

    def _explain(self, events: pl.DataFrame) -> pl.DataFrame:
        """Rejects for events some amount of which cannot be computed: the first fault, line by line."""
        faults = [fault for unit in self.units.values() for fault in self._faults(unit)]
        return events.select(
            "row",
            pl.coalesce(pl.when(test).then(pl.lit(code)) for test, code, _ in faults).alias("code"),
            pl.coalesce(pl.when(test).then(pl.lit(text)) for test, _, text in faults).alias("message"),
        )

    def _faults(self, unit: Unit) -> Iterator[tuple[pl.Expr, str, str]]:
        head = f"TEMPLATE {self.template.name}, line {unit.line.number}"
        if unit.condition is not None:
            for name in sorted(unit.condition.columns):
                text = f"{head}: column {name} is empty, and its condition {unit.condition.source} needs it"
                yield pl.col(name).is_null(), EMPTY_COLUMN, text
            text = f"{head}: division by zero in its condition {unit.condition.source}"
            yield unit.kept.is_null(), BY_ZERO, text
        for name in sorted(unit.amount.columns):
            text = f"{head}: column {name} is empty, and its amount {unit.amount.source} needs it"
            yield unit.kept & pl.col(name).is_null(), EMPTY_COLUMN, text
        text = f"{head}: division by zero in its amount {unit.amount.source}"
        yield unit.kept & unit.exact.is_null(), BY_ZERO, text
        text = f"{head}: its amount {unit.amount.source} has more than 14 digits before the point"
        yield unit.kept & unit.value.is_null(), TOO_LARGE, text

    def _refuse(self, wide: pl.DataFrame) -> pl.DataFrame:
        """Rejects for entries that do not balance, or have no line."""
        off = [
            pl.when(self._off(fund) != 0).then(
                pl.format(
                    "entry off by {} in fund {}: debits {}, credits {}",
                    shown(self._off(fund).abs()),
                    pl.lit(fund),
                    shown(_sum([_positive(signed) for signed in self._signed(fund)])),
                    shown(_sum([_positive(-signed) for signed in self._signed(fund)])),
                )
            )
            for fund in self.funds
        ]
        sentence = pl.concat_str(off, separator="; ", ignore_nulls=True)
        head = f"TEMPLATE {self.template.name}, "
        return wide.select(
            "row",
            pl.when(self._something()).then(pl.lit(UNBALANCED)).otherwise(pl.lit(NO_LINES)).alias("code"),
            pl.when(self._something())
            .then(pl.lit(head) + sentence)
            .otherwise(pl.lit(f"{head}no line is left: every amount is zero or dropped by its condition"))
            .alias("message"),
        )


def overridden(account: str, fund: str, overrides: Sequence[AccountOverride]) -> tuple[str, str]:
    """The account and fund of a line, by the most specific of the overrides that name it."""
    fitting = [each for each in overrides if each.account == account and each.fund in (None, fund)]
    if not fitting:
        return account, fund
    best = min(fitting, key=lambda each: (each.template_code is None, each.fund is None))
    return best.to_account, fund if best.to_fund is None else best.to_fund


def shown(amount: pl.Expr) -> pl.Expr:
    """An amount as text, with cents, and more decimals only where there are any."""
    return amount.cast(pl.Decimal(38, 6)).cast(pl.String).str.replace(r"(\.\d{2}\d*?)0*$", "${1}")


def _unit(line: TemplateLine, schema: Mapping[str, pl.DataType]) -> Unit:
    amount = parse(line.amount)
    condition = None if line.condition is None else parse(line.condition)
    exact = amount.compile(schema, line.places)
    value = exact.cast(AMOUNT, strict=False)
    kept = pl.lit(True)
    plain = None
    if condition is None and isinstance(amount.root, Column):
        dtype = schema[amount.root.name]
        plain = amount.root.name if isinstance(dtype, pl.Decimal) and dtype.scale <= line.places else None
    if condition is not None:
        kept = condition.compile(schema)
        value = pl.when(kept).then(value).when(~kept).then(ZERO)
    return Unit(line, amount, condition, kept, exact, value, plain)


def _sum(terms: Sequence[pl.Expr]) -> pl.Expr:
    total, *rest = terms
    for term in rest:
        total = total + term
    return total


def _positive(signed: pl.Expr) -> pl.Expr:
    return pl.when(signed > 0).then(signed).otherwise(ZERO)
