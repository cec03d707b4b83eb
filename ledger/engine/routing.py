"""Which template an event goes to: its date chooses the version, its fields the template.

Matches are tried from the most specific to the least: product before channel before amounts before a condition,
then by priority, the lower number first. Two templates that fit equally well are an error, never a choice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import combinations, groupby
from typing import NamedTuple

import polars as pl

from .exact import NumberOverflow, first_overflow
from .expressions import parse
from .templates import JournalTemplate, TemplateMatch, TemplateProblem

NO_TEMPLATE, AMBIGUOUS = "template.none", "template.ambiguous"
REJECT_COLUMNS = ["row", "code", "message"]
_ONE_DAY = timedelta(days=1)


class Period(NamedTuple):
    first: date
    last: date | None

    def holds(self, on: date) -> bool:
        return self.first <= on and (self.last is None or on <= self.last)

    def meets(self, other: "Period") -> bool:
        return (other.last is None or self.first <= other.last) and (
            self.last is None or other.first <= self.last
        )

    def __str__(self) -> str:
        return f"from {self.first}" + (f" to {self.last}" if self.last else " on")


@dataclass(frozen=True)
class Candidate:
    """One match of one template version. `rank`: the lower is tried first. `template` is an index."""

    template: int
    name: str
    code: str
    number: int
    match: TemplateMatch
    rank: tuple[bool, bool, bool, bool, int]
    periods: tuple[Period, ...]
    condition: pl.Expr | None

    def takes(self, on: date, amount: Decimal) -> bool:
        """Whether date and magnitude fit; a condition is not looked at."""
        low, high = self.match.min_amount, self.match.max_amount
        return (
            any(period.holds(on) for period in self.periods)
            and (low is None or low <= abs(amount))
            and (high is None or abs(amount) <= high)
        )

    def in_period(self) -> pl.Expr:
        return pl.any_horizontal(
            pl.lit(False),
            *(
                (pl.col("on") >= period.first)
                & (pl.lit(True) if period.last is None else pl.col("on") <= period.last)
                for period in self.periods
            ),
        )

    def in_range(self) -> pl.Expr:
        low, high = self.match.min_amount, self.match.max_amount
        size = pl.col("amount").abs()
        tests = [] if low is None else [size >= pl.lit(low)]
        tests += [] if high is None else [size <= pl.lit(high)]
        return pl.all_horizontal(pl.lit(True), *tests)

    def holds(self) -> pl.Expr:
        """The condition; what it cannot decide (an empty column, a division by zero) does not hold."""
        return pl.lit(True) if self.condition is None else self.condition.fill_null(False)


@dataclass(frozen=True)
class Plan:
    """The candidates of one (txn_type, product, channel), level by level of equal rank."""

    levels: tuple[tuple[Candidate, ...], ...]

    def choose(self, on: date, amount: Decimal) -> int | None:
        """The template of one event; None where it takes a closer look (`route`)."""
        for level in self.levels:
            fitting = [candidate for candidate in level if candidate.takes(on, amount)]
            if fitting:
                templates = {candidate.template for candidate in fitting}
                undecided = len(templates) > 1 or any(each.condition is not None for each in fitting)
                return None if undecided else templates.pop()
        return None

    def route(self, events: pl.DataFrame) -> list[tuple[int | None, pl.DataFrame]]:
        """The events of each template, and under None those that no single one fits."""
        if not self.levels:
            return [(None, events)]
        first, last = events["on"].min(), events["on"].max()
        assert isinstance(first, date) and isinstance(last, date)
        if only := self._takes_all(first, last):
            return [(only.template, events)]
        chosen = events.select(self._choice()).to_series()
        return [
            (None if template is None else int(template), events.filter(chosen.eq_missing(template)))
            for template in chosen.unique(maintain_order=True)
        ]

    def _takes_all(self, first: date, last: date) -> Candidate | None:
        """The one candidate of the first level, if it is sure to fit every event."""
        candidate = self.levels[0][0]
        match = candidate.match
        free = match.min_amount is None and match.max_amount is None and match.condition is None
        covers = any(period.holds(first) and period.holds(last) for period in candidate.periods)
        return candidate if free and covers and len(self.levels[0]) == 1 else None

    def _choice(self) -> pl.Expr:
        """The index of the template, or null where none or more than one of a level fits."""
        choice = pl.lit(None, dtype=pl.Int64)
        for level in reversed(self.levels):
            fits = _fits(level)
            single = pl.coalesce(pl.when(test).then(pl.lit(index, pl.Int64)) for index, test in fits.items())
            count = pl.sum_horizontal(test.cast(pl.UInt32) for test in fits.values())
            choice = pl.when(count == 1).then(single).when(count == 0).then(choice)
        return choice.alias("template")


class Router:
    """Plans for every (txn_type, product, channel) there may be. `schema` is that of the events."""

    def __init__(self, templates: Sequence[JournalTemplate], schema: Mapping[str, pl.DataType]) -> None:
        self.candidates = [
            Candidate(
                template=index,
                name=template.name,
                code=template.code,
                number=number,
                match=match,
                rank=_rank(match),
                periods=periods,
                condition=None if match.condition is None else parse(match.condition).compile(schema),
            )
            for index, (template, periods) in enumerate(zip(templates, _periods(templates), strict=True))
            for number, match in enumerate(template.matches, 1)
            if periods
        ]
        self.candidates.sort(key=lambda each: (each.rank, each.code, each.template, each.number))

    def plan(self, txn_type: str, product: str, channel: str) -> Plan:
        fitting = [
            each
            for each in self.candidates
            if each.match.txn_type == txn_type
            and each.match.product in (None, product)
            and each.match.channel in (None, channel)
        ]
        return Plan(tuple(tuple(level) for _, level in groupby(fitting, key=lambda each: each.rank)))

    def overflow(self, txn_type: str, events: pl.DataFrame) -> NumberOverflow | None:
        """Which condition on events of this kind does not fit, and for which of them."""
        return first_overflow(
            events,
            (
                (each.name, f"match {each.number}", str(each.match.condition), each.holds())
                for each in self.candidates
                if each.match.txn_type == txn_type and each.condition is not None
            ),
        )

    def ambiguities(self, templates: Sequence[JournalTemplate]) -> list[TemplateProblem]:
        """Pairs of templates that fit some event equally well, as far as that shows without data."""
        return [
            TemplateProblem(
                one.code,
                templates[one.template].version,
                f"match {one.number}",
                "priority",
                None,
                f"{other.name}, match {other.number}, fits the same events as well; give one of them another "
                "priority",
            )
            for one, other in combinations(self.candidates, 2)
            if one.template != other.template and _clash(one, other)
        ]

    def refuse(self, key: tuple[str, str, str], events: pl.DataFrame) -> pl.DataFrame:
        """Rejects (row, code, message) for events of one key that no single template fits."""
        txn_type, product, channel = key
        related = [each for each in self.candidates if each.match.txn_type == txn_type]
        said = f" of product {product}" if product else ""
        via = f" with channel {channel}" if channel else ""
        head = pl.format("no template for {}{} on {}{}: ", *map(pl.lit, (txn_type, said)), "on", pl.lit(via))
        if not related:
            return events.select("row", pl.lit(NO_TEMPLATE).alias("code"), _no_rule(head, txn_type))
        ambiguous = self._ambiguity(self.plan(*key))
        missed = [_missed(each, product, channel) for each in related]
        counts = events.select(
            pl.sum_horizontal(parts[n].is_not_null().cast(pl.UInt32) for n in range(len(parts))).alias(
                str(at)
            )
            for at, parts in enumerate(missed)
        )
        fewest = counts.select(pl.min_horizontal(pl.all())).to_series()
        nearest = pl.coalesce(
            pl.when(counts[str(at)] == fewest).then(
                pl.format(
                    "{} wants {}",
                    pl.lit(each.name),
                    pl.concat_str(parts, separator=" and ", ignore_nulls=True),
                )
            )
            for at, (each, parts) in enumerate(zip(related, missed, strict=True))
        )
        return events.select(
            "row",
            pl.when(ambiguous.is_not_null())
            .then(pl.lit(AMBIGUOUS))
            .otherwise(pl.lit(NO_TEMPLATE))
            .alias("code"),
            pl.coalesce(ambiguous, head + nearest).alias("message"),
        )

    def _ambiguity(self, plan: Plan) -> pl.Expr:
        """A sentence where the first level that fits at all is fitted by several templates."""
        sentence = pl.lit(None, dtype=pl.String)
        for level in reversed(plan.levels):
            names = {each.template: each.name for each in level}
            fits = _fits(level)
            fitting = pl.concat_str(
                (pl.when(test).then(pl.lit(names[index])) for index, test in fits.items()),
                separator=" and ",
                ignore_nulls=True,
            )
            count = pl.sum_horizontal(test.cast(pl.UInt32) for test in fits.values())
            told = pl.format("{} fit this event equally well; give one of them another priority", fitting)
            sentence = pl.when(count > 1).then(told).when(count == 0).then(sentence)
        return sentence


def _rank(match: TemplateMatch) -> tuple[bool, bool, bool, bool, int]:
    return (
        match.product is None,
        match.channel is None,
        match.min_amount is None and match.max_amount is None,
        match.condition is None,
        match.priority,
    )


def _fits(level: Sequence[Candidate]) -> dict[int, pl.Expr]:
    """For every template of a level, whether one of its matches fits."""
    return {
        template: pl.any_horizontal(each.in_period() & each.in_range() & each.holds() for each in matches)
        for template, matches in groupby(level, key=lambda each: each.template)
    }


def _periods(templates: Sequence[JournalTemplate]) -> list[tuple[Period, ...]]:
    """When each version is the latest of its code: its own range without those of later versions."""
    return [
        _without(
            Period(template.effective_from, template.effective_to),
            [
                Period(other.effective_from, other.effective_to)
                for other in templates
                if other.code == template.code and other.version > template.version
            ],
        )
        for template in templates
    ]


def _without(whole: Period, taken: Sequence[Period]) -> tuple[Period, ...]:
    left = [whole]
    for hole in taken:
        parts = [period for period in left if not period.meets(hole)]
        for period in left:
            if not period.meets(hole):
                continue
            if period.first < hole.first:
                parts.append(Period(period.first, hole.first - _ONE_DAY))
            if hole.last is not None and (period.last is None or hole.last < period.last):
                parts.append(Period(hole.last + _ONE_DAY, period.last))
        left = parts
    return tuple(sorted(left, key=lambda period: period.first))


def _clash(one: Candidate, other: Candidate) -> bool:
    first, second = one.match, other.match
    same = (one.rank, first.txn_type, first.product, first.channel) == (
        other.rank,
        second.txn_type,
        second.product,
        second.channel,
    )
    apart = (
        first.max_amount is not None
        and second.min_amount is not None
        and first.max_amount < second.min_amount
    ) or (
        second.max_amount is not None
        and first.min_amount is not None
        and second.max_amount < first.min_amount
    )
    met = any(period.meets(another) for period in one.periods for another in other.periods)
    return same and met and not apart and first.condition is None


def _missed(candidate: Candidate, product: str, channel: str) -> list[pl.Expr]:
    """What a match wants and an event of this product and channel has not; null where it has."""
    match = candidate.match
    nothing = pl.lit(None, dtype=pl.String)
    bounds = " ".join(
        f"{word} {bound}"
        for word, bound in (("from", match.min_amount), ("to", match.max_amount))
        if bound is not None
    )
    dates = " or ".join(map(str, candidate.periods))
    return [
        nothing if match.product in (None, product) else pl.lit(f"product {match.product}"),
        nothing if match.channel in (None, channel) else pl.lit(f"channel {match.channel}"),
        pl.when(~candidate.in_period()).then(pl.lit(f"a date {dates}")),
        pl.when(~candidate.in_range()).then(pl.lit(f"an amount {bounds}")),
        pl.when(~candidate.holds()).then(pl.lit(f"{match.condition}")),
    ]


def _no_rule(head: pl.Expr, txn_type: str) -> pl.Expr:
    return (head + pl.lit(f"no template is for {txn_type} at all")).alias("message")
