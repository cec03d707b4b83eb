"""Matching two sides, from frames to frames: exact, scored, grouped, and what is left, explained.

    result = match(ledger, external)                       # by the default model
    result = match(ledger, external, model=Learning())     # by one learned from these rows
    result = match(ledger, external, model=from_dict(...)) # by one that was kept

Every row of both sides ends in exactly one way, in `result.ledger` and `result.external`. The same rows in another
order give the same result.
"""

from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from .assign import AMBIGUOUS, MATCHED, SUGGESTED, UNMATCHED, Assignment, assign
from .exact import match_exactly
from .groups import find_groups
from .learning import learn
from .models import STANDARD_LIMITS, STANDARD_WINDOWS, DefaultModel, LearnedModel, Limits, Model, Windows
from .nearest import nearest
from .rows import MICROSECONDS, SideName, Sides, prepare
from .scoring import PARTS, score

FACTS = ("score", "rival", "difference", "delay", *PARTS)


@dataclass(frozen=True)
class Result:
    """How every row ended.

    ledger, external: key; end (matched, suggested, ambiguous, unmatched); rule (exact, score, group_key, sum; null
        where unmatched); partner (key; null for groups and where there is none); group UInt32; score Float64; nearest
        (key), failed (see `nearest.py`), both for unmatched rows only; difference (as the amounts are; external minus
        ledger) and delay (Duration, from ledger to external), to the partner or the nearest; waiting Boolean: an
        unmatched row whose partner may still come, because its window goes beyond the other side's newest row.
    pairs: ledger_key, external_key, end, rule, score, rival (the best other claim), difference, delay, and the parts
        of the score: amount_part, time_part, text_part, reference_part.
    options: for ambiguous rows: ledger_key, external_key, score, difference, delay, parts.
    groups: group, rule, ledger_key, external_key; each is a suggestion.
    """

    ledger: pl.DataFrame
    external: pl.DataFrame
    pairs: pl.DataFrame
    options: pl.DataFrame
    groups: pl.DataFrame
    model: Model
    crowded: int


@dataclass(frozen=True)
class Learning:
    """In place of a model: learn one from the rows themselves, for these windows and limits."""

    windows: Windows = STANDARD_WINDOWS
    limits: Limits = STANDARD_LIMITS


def match(ledger: pl.DataFrame, external: pl.DataFrame, *, model: Model | Learning | None = None) -> Result:
    """Match two frames of rows (`rows.py` says which columns). Without a model, by the default one.

    Raises WrongRows; TooLittleToLearn where a model is to be learned.
    """
    sides = prepare(ledger, external)
    exact = match_exactly(sides)
    free = _free(sides, exact)
    known = _learn(sides, model, free) if isinstance(model, Learning) else model or DefaultModel()
    return _match(sides, exact, free, known, ledger.schema["amount"])


def learn_from(
    ledger: pl.DataFrame, external: pl.DataFrame, *, learning: Learning | None = None
) -> LearnedModel:
    """The model that `match` would learn, to be kept. Raises WrongRows, TooLittleToLearn."""
    sides = prepare(ledger, external)
    return _learn(sides, learning or Learning(), _free(sides, match_exactly(sides)))


def _free(sides: Sides, exact: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    return _others(sides.ledger["row"], exact["l"]), _others(sides.external["row"], exact["x"])


def _learn(sides: Sides, learning: Learning, free: tuple[pl.Series, pl.Series]) -> LearnedModel:
    """Exact partners are left out: what they agree in says nothing about rows that differ."""
    return learn(sides, windows=learning.windows, limits=learning.limits, left=free[0], right=free[1])


def _match(
    sides: Sides, exact: pl.DataFrame, free: tuple[pl.Series, pl.Series], model: Model, like: pl.DataType
) -> Result:
    left, right = free
    scored, crowded = score(sides, model, left, right)
    taken = assign(scored, model.limits)
    pairs = pl.concat([_exact_pairs(exact, scored), _scored_pairs(taken)])
    # Whom a doubtful row may still belong to is kept out as well: a group would take him from under its options.
    left = _others(left, pl.concat([taken.pairs["l"], taken.ambiguous_l, taken.options["l"]]))
    right = _others(right, pl.concat([taken.pairs["x"], taken.ambiguous_x, taken.options["x"]]))
    groups = find_groups(sides, model.windows, left, right)
    told = _Telling(sides, model, pairs, taken, groups.members, scored, like)
    return Result(
        ledger=told.ends("ledger"),
        external=told.ends("external"),
        pairs=told.named(pairs, "end", "rule", *FACTS),
        options=told.named(taken.options, "score", "difference", "delay", *PARTS),
        groups=told.named(groups.members.sort("group", "l", "x"), "group", "rule").select(
            "group", "rule", "ledger_key", "external_key"
        ),
        model=model,
        crowded=crowded + groups.crowded,
    )


def _others(rows: pl.Series, without: pl.Series) -> pl.Series:
    return rows.filter(~rows.is_in(without.implode()))


def _exact_pairs(exact: pl.DataFrame, like: pl.DataFrame) -> pl.DataFrame:
    values: dict[str, pl.Expr] = dict.fromkeys(FACTS, pl.lit(None, pl.Float64))
    values |= {"score": pl.lit(1.0), "difference": pl.lit(0, like.schema["difference"]), "delay": pl.lit(0.0)}
    return exact.select("l", "x", end=pl.lit(MATCHED), rule=pl.lit("exact"), **values)


def _scored_pairs(taken: Assignment) -> pl.DataFrame:
    return taken.pairs.select("l", "x", "end", pl.lit("score").alias("rule"), *FACTS)


@dataclass(frozen=True)
class _Telling:
    """Turns row numbers back into keys, and what happened into one end for each row."""

    sides: Sides
    model: Model
    pairs: pl.DataFrame
    taken: Assignment
    groups: pl.DataFrame
    scored: pl.DataFrame
    like: pl.DataType

    def named(self, pairs: pl.DataFrame, *columns: str) -> pl.DataFrame:
        told = pairs.sort("l", "x") if "group" not in columns else pairs
        told = told.with_columns(
            ledger_key=self.sides.ledger["key"].gather(told["l"]),
            external_key=self.sides.external["key"].gather(told["x"]),
        )
        return self._as_given(told.select("ledger_key", "external_key", *columns))

    def ends(self, side: SideName) -> pl.DataFrame:
        mine, other = ("l", "x") if side == "ledger" else ("x", "l")
        rows, others = (
            (self.sides.ledger, self.sides.external)
            if side == "ledger"
            else (self.sides.external, self.sides.ledger)
        )
        ambiguous = self.taken.ambiguous_l if side == "ledger" else self.taken.ambiguous_x
        paired = self.pairs.select(
            pl.col(mine).alias("row"),
            "end",
            "rule",
            pl.col(other).alias("to"),
            "score",
            "difference",
            "delay",
        )
        grouped = self.groups.select(
            pl.col(mine).alias("row"), "group", "rule", end=pl.lit(SUGGESTED)
        ).unique("row")
        doubtful = (
            ambiguous.alias("row").to_frame().select("row", end=pl.lit(AMBIGUOUS), rule=pl.lit("score"))
        )
        settled = pl.concat([paired, grouped, doubtful], how="diagonal")
        alone = self._alone(side, _others(rows["row"], settled["row"]))
        ends = pl.concat([settled, alone], how="diagonal").sort("row")
        assert ends["row"].equals(rows["row"], check_names=False), "a row ends twice, or not at all"
        key = others["key"]
        return self._as_given(
            ends.select(
                rows["key"],
                "end",
                "rule",
                key.gather(ends["to"]).alias("partner"),
                "group",
                "score",
                key.gather(ends["nearest"]).alias("nearest"),
                "failed",
                "difference",
                "delay",
                pl.col("waiting").fill_null(False),
            )
        )

    def _alone(self, side: SideName, rows: pl.Series) -> pl.DataFrame:
        held, contested = (
            (pl.concat([self.pairs["x"], self.groups["x"]]), self.taken.ambiguous_x)
            if side == "ledger"
            else (pl.concat([self.pairs["l"], self.groups["l"]]), self.taken.ambiguous_l)
        )
        found = nearest(self.sides, self.model, side, rows, self.scored, held, contested)
        return found.with_columns(
            self._waiting(side, rows).alias("waiting"), end=pl.lit(UNMATCHED), rule=pl.lit(None, pl.String)
        )

    def _waiting(self, side: SideName, rows: pl.Series) -> pl.Series:
        mine, others, until = (
            (self.sides.ledger, self.sides.external, self.model.windows.latest)
            if side == "ledger"
            else (self.sides.external, self.sides.ledger, -self.model.windows.earliest)
        )
        newest = others["at"].max()
        last = mine["at"].gather(rows) + int(until * MICROSECONDS)
        return last > newest if newest is not None else last.is_not_null()

    def _as_given(self, told: pl.DataFrame) -> pl.DataFrame:
        """Differences in the type of the amounts that came in, delays as durations."""
        if "difference" not in told.columns:
            return told
        difference: pl.Expr = pl.col("difference")
        if self.like.is_decimal():
            kind = pl.Decimal(38, self.sides.scale)
            difference = difference.cast(kind) * pl.lit(Decimal(1).scaleb(-self.sides.scale), kind)
        return told.with_columns(
            difference.alias("difference"),
            (pl.col("delay") * MICROSECONDS).round().cast(pl.Int64).cast(pl.Duration("us")).alias("delay"),
        )
