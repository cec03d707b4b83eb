"""What a pair scores, field by field.

`compare` states the facts of candidate pairs, `score` judges them by a model. Amounts stay whole numbers; shares,
likenesses and scores are floats, rounded, so that the order in which anything was summed shows in no answer.
"""

from math import log2

import polars as pl
from rapidfuzz import fuzz

from .candidates import Candidates, blocks_of
from .models import DefaultModel, Evidence, LearnedModel, Model, Windows
from .rows import MICROSECONDS, Sides
from .texts import agreement, ratio

PLACES = 6
NOTHING_TO_COMPARE = 0.5
MOST_BITS = 60.0  # of evidence for one pair; more would only overflow
AT_ONCE = 100_000  # ledger rows
KEPT = 8  # candidates of a ledger row
FACTS = ("l", "x", "difference", "share", "delay")
PARTS = ("amount_part", "time_part", "text_part", "reference_part")
CONTAINED = 0.9  # likeness of two references of which one is part of the other
SHORTEST_CONTAINED = 4


def compare(sides: Sides, pairs: pl.DataFrame, windows: Windows) -> pl.DataFrame:
    """The facts of each pair of l and x that lies within the windows.

    Adds difference Int64 (external minus ledger, in units of the prepared sides), share Float64 (of the mean) and
    delay Float64 (seconds from the ledger's row to the external one).
    """
    amounts = pl.DataFrame(
        {
            "a": sides.ledger["amount"].gather(pairs["l"]),
            "b": sides.external["amount"].gather(pairs["x"]),
            "delay": sides.external["at"].gather(pairs["x"]) - sides.ledger["at"].gather(pairs["l"]),
        }
    )
    mean = (pl.col("a").abs().cast(pl.Float64) + pl.col("b").abs()) / 2
    facts = amounts.select(
        difference=pl.col("b") - pl.col("a"),
        share=pl.when(pl.col("a") == pl.col("b"))
        .then(0.0)
        .otherwise((pl.col("b") - pl.col("a")).abs() / mean),
        delay=pl.col("delay") / MICROSECONDS,
    )
    return pl.concat([pairs.select("l", "x"), facts], how="horizontal").filter(
        pl.col("share") <= windows.amount_share,
        pl.col("delay").is_between(windows.earliest, windows.latest),
    )


def score(sides: Sides, model: Model, left: pl.Series, right: pl.Series) -> tuple[pl.DataFrame, int]:
    """The candidates of the ledger rows `left` among the external rows `right`, scored, sorted by l and x.

    l, x, and what `compare` adds; score and alone (Float64, 0 to 1; alone is what the pair would score if it had no
    rivals), weight (Int64, for the order of equal scores) and the parts (Float64, in the score's own units, or in bits
    of evidence). Of a row's candidates the best few are kept. Also the number of crowded rows.
    """
    candidates = Candidates(sides, model.windows, blocks_of(model), right)
    counts = rivals(sides, model.windows, right)["count"] if isinstance(model, LearnedModel) else None
    judged, crowded = [], 0
    for start in range(0, max(len(left), 1), AT_ONCE):
        pairs, busy = candidates.of(left.slice(start, AT_ONCE))
        crowded += busy
        facts = compare(sides, pairs, model.windows)
        if isinstance(model, LearnedModel):
            assert counts is not None
            part = _by_evidence(compare_fields(sides, facts), model, counts)
        else:
            part = _by_default(sides, facts, model)
        judged.append(_best_few(part))
    found = pl.concat(judged)
    return (_settled(found, model) if isinstance(model, LearnedModel) else found), crowded


def _best_few(pairs: pl.DataFrame) -> pl.DataFrame:
    """At most KEPT of each ledger row's candidates. Of those that weigh the same some are drawn, for each row others,
    so that rows that cannot be told apart are not all given the same few.
    """
    many = pairs.group_by("l").len().filter(pl.col("len") > KEPT)
    if many.is_empty():
        return pairs
    drawn = (pl.col("l").cast(pl.UInt64) * 40_503 + pl.col("x").cast(pl.UInt64) * 2_654_435_761) % 2**32
    few = (
        pairs.join(many, on="l", how="semi")
        .with_columns(drawn=drawn)
        .sort("l", "weight", "drawn", "x", descending=[False, True, False, False])
        .filter(pl.int_range(pl.len()).over("l") < KEPT)
        .drop("drawn")
    )
    return pl.concat([pairs.join(many, on="l", how="anti"), few]).sort("l", "x")


def _by_default(sides: Sides, pairs: pl.DataFrame, model: DefaultModel) -> pl.DataFrame:
    share, seconds = pl.col("share"), pl.col("delay").abs()
    amount = (
        pl.when(share == 0)
        .then(1.0)
        .when(share <= model.tight_share)
        .then(1 - 0.5 * share / model.tight_share)
        .otherwise(pl.max_horizontal(0.0, 0.5 * (1 - share)))
    )
    beyond = (seconds - model.near_seconds) / (model.far_seconds - model.near_seconds)
    time = (
        pl.when(seconds <= model.near_seconds)
        .then(1 - 0.5 * seconds / model.near_seconds)
        .when(seconds <= model.far_seconds)
        .then(0.5 * (1 - beyond))
        .otherwise(0.0)
    )
    likeness = ratio(sides.texts, _texts_of(sides, pairs)).fill_null(NOTHING_TO_COMPARE)
    parts = [amount * model.amount_weight, time * model.time_weight, pl.col("likeness") * model.text_weight]
    total = pl.sum_horizontal(*parts).round(PLACES)
    return pairs.with_columns(likeness=likeness).select(
        *FACTS,
        total.alias("score"),
        total.alias("alone"),
        (total * 10**PLACES).round().cast(pl.Int64).alias("weight"),
        *(part.round(PLACES).alias(name) for part, name in zip([*parts, pl.lit(0.0)], PARTS, strict=True)),
    )


def compare_fields(sides: Sides, pairs: pl.DataFrame) -> pl.DataFrame:
    """Adds text Float64 (bits shared times likeness) and reference Float64 (likeness); null: nothing to compare."""
    agreed = agreement(sides.texts, _texts_of(sides, pairs))
    text = agreed.select(text=(pl.col("bits") * pl.col("likeness")).round(PLACES))
    return pl.concat([pairs, text, _references(sides, pairs)], how="horizontal")


def _texts_of(sides: Sides, pairs: pl.DataFrame) -> pl.DataFrame:
    return pl.DataFrame(
        {"a": sides.ledger["text"].gather(pairs["l"]), "b": sides.external["text"].gather(pairs["x"])}
    )


def _references(sides: Sides, pairs: pl.DataFrame) -> pl.DataFrame:
    nothing = pl.repeat(None, pairs.height, dtype=pl.Float64, eager=True).alias("reference")
    if any(side["reference"].is_null().all() for side in (sides.ledger, sides.external)):
        return nothing.to_frame()
    both = pl.DataFrame(
        {
            "a": sides.ledger["reference"].gather(pairs["l"]),
            "b": sides.external["reference"].gather(pairs["x"]),
        }
    ).select(pl.all().str.to_uppercase().str.replace_all(r"[^\p{L}\p{N}]|^0+", ""))
    both = both.with_columns(pl.when(pl.all() != "").then(pl.all()))
    known = both.drop_nulls().unique().sort("a", "b")
    contained = pl.when(
        pl.min_horizontal(pl.col("a", "b").str.len_chars()) >= SHORTEST_CONTAINED,
        pl.col("a").str.contains(pl.col("b"), literal=True)
        | pl.col("b").str.contains(pl.col("a"), literal=True),
    ).then(CONTAINED)
    alike = pl.Series(map(fuzz.ratio, known["a"].to_list(), known["b"].to_list()), dtype=pl.Float64) / 100
    known = known.with_columns(alike=alike).with_columns(
        reference=pl.max_horizontal("alike", contained.otherwise(0.0))
    )
    return both.join(known, on=["a", "b"], how="left", maintain_order="left").select("reference")


def rivals(sides: Sides, windows: Windows, right: pl.Series) -> pl.DataFrame:
    """For each ledger row, the external rows of its gate and time window that are its partner or its partner's rivals.

    `right`: the external rows that count. One line per ledger row, in order: first, count (Int64), places in
    `right` sorted by gate and time, as `in_order` gives them.
    """
    ordered = in_order(sides, right).with_row_index("place").with_columns(pl.col("place").cast(pl.Int64))
    starts = ordered.group_by("gate").agg(start=pl.col("place").min())
    places = ordered.select("gate", "at", "place").sort("at", "place")
    wanted = sides.ledger.select(
        "row",
        "gate",
        before=pl.col("at") + int(windows.earliest * MICROSECONDS) - 1,
        until=pl.col("at") + int(windows.latest * MICROSECONDS),
    ).join(starts, on="gate", how="left", maintain_order="left")
    for moment in ("before", "until"):
        found = places.rename({"at": moment, "place": f"{moment}_place"})
        wanted = wanted.sort(moment, "row").join_asof(
            found, on=moment, by="gate", strategy="backward", check_sortedness=False
        )
    begin = pl.coalesce(pl.col("before_place") + 1, "start")
    end = pl.coalesce(pl.col("until_place") + 1, "start")
    return wanted.sort("row").select(first=begin, count=(end - begin).fill_null(0))


def in_order(sides: Sides, right: pl.Series) -> pl.DataFrame:
    """External rows by gate and time: row, gate, at."""
    return sides.external.select("row", "gate", "at")[right].sort("gate", "at", "row")


def level(value: pl.Expr, evidence: Evidence) -> pl.Expr:
    """How many of the edges a value exceeds; null stays null."""
    above = [(value > edge).cast(pl.UInt8) for edge in evidence.edges]
    return pl.sum_horizontal(*above, ignore_nulls=False)


def weigh(value: pl.Expr, evidence: Evidence) -> pl.Expr:
    """Thousandths of a bit that a value speaks for the pair (Int64); 0 where there is none."""
    weights = dict(enumerate(evidence.weights))
    found = level(value, evidence).replace_strict(weights, default=None, return_dtype=pl.Int64)
    return found.fill_null(0)


def _by_evidence(levels: pl.DataFrame, model: LearnedModel, count: pl.Series) -> pl.DataFrame:
    """weight: thousandths of a bit for the pair, less what it takes to be more than any of `count` rows by chance."""
    fields = [
        weigh(pl.col("share"), model.amount),
        weigh(pl.col("delay"), model.delay),
        weigh(pl.col("text"), model.text),
        weigh(pl.col("reference"), model.reference),
    ]
    chance = log2(model.share) - pl.col("count").cast(pl.Float64).log(2)
    return (
        levels.with_columns(count=count.gather(levels["l"]).clip(1), **dict(zip(PARTS, fields, strict=True)))
        .with_columns(weight=pl.sum_horizontal(PARTS) + (chance * 1000).round().cast(pl.Int64))
        .select(*FACTS, "weight", *(pl.col(part) / 1000 for part in PARTS))
    )


def _settled(found: pl.DataFrame, model: LearnedModel) -> pl.DataFrame:
    """Bayes: a row has one partner or none, so a pair competes with all that share a row with it, and with none."""
    none = 1 - model.share
    odds = pl.lit(2.0) ** (pl.col("weight") / 1000).clip(-MOST_BITS, MOST_BITS)
    found = found.with_columns(odds=odds)
    all_odds = pl.col("odds").sum().over("l") + pl.col("odds").sum().over("x") - pl.col("odds")
    return found.with_columns(
        score=(pl.col("odds") / (none + all_odds)).round(PLACES),
        alone=(pl.col("odds") / (none + pl.col("odds"))).round(PLACES),
    ).select(*FACTS, "score", "alone", "weight", *PARTS)
