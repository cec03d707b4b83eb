"""One row, one partner: who gets whom, and how sure that is.

The best pair of all is taken first, then the best of those that are left. Ties go by weight and then by the rows'
order, which is that of time, amount and key, so the same rows always end alike. A pair that was taken is matched or
suggested only if no other claim comes near it; a claim counts only when its other row would not clearly rather have
a partner of its own.
"""

from dataclasses import dataclass

import polars as pl

from .models import Limits

MATCHED, SUGGESTED, AMBIGUOUS, UNMATCHED = "matched", "suggested", "ambiguous", "unmatched"
OPTIONS = 5  # shown for each ambiguous row
AT_ONCE = 500_000


@dataclass(frozen=True)
class Assignment:
    """pairs: those taken, with end (matched or suggested), and rival (Float64, the best other claim; null if none).

    options: for ambiguous rows, their few best pairs; a row may be in several. ambiguous_l, ambiguous_x: these rows.
    """

    pairs: pl.DataFrame
    options: pl.DataFrame
    ambiguous_l: pl.Series
    ambiguous_x: pl.Series


def assign(scored: pl.DataFrame, limits: Limits) -> Assignment:
    """Take pairs, best first. scored: what `scoring.score` gives, any order, each pair once."""
    plausible = scored.filter(pl.col("alone") >= limits.suggest).sort(
        "score", "weight", "l", "x", descending=[True, True, False, False]
    )
    plausible = plausible.with_columns(taken=_take(plausible))
    held = plausible.filter("taken")
    plausible = plausible.join(
        held.select("l", held_l="score"), on="l", how="left", maintain_order="left"
    ).join(held.select("x", held_x="score"), on="x", how="left", maintain_order="left")
    threats = _threats(plausible, limits.margin)
    taken = _with_rivals(plausible.filter("taken"), threats)
    unclear = pl.col("rival").is_not_null() | (pl.col("score") < limits.suggest)
    pairs = taken.filter(~unclear).with_columns(
        end=pl.when(pl.col("score") >= limits.match).then(pl.lit(MATCHED)).otherwise(pl.lit(SUGGESTED))
    )
    doubtful = taken.filter(unclear)
    rows = {
        row: pl.concat([doubtful[row], _claimants(threats, doubtful, row)]).unique().sort()
        for row in ("l", "x")
    }
    touching = plausible.filter(
        (pl.col("l").is_in(rows["l"].implode()) & ~pl.col("x").is_in(pairs["x"].implode()))
        | (pl.col("x").is_in(rows["x"].implode()) & ~pl.col("l").is_in(pairs["l"].implode()))
    )
    options = touching.filter(
        (pl.int_range(pl.len()).over("l") < OPTIONS) | (pl.int_range(pl.len()).over("x") < OPTIONS)
    ).drop("taken", "held_l", "held_x")
    return Assignment(pairs.drop("taken", "held_l", "held_x"), options, rows["l"], rows["x"])


def _take(plausible: pl.DataFrame) -> pl.Series:
    """Best first, no row twice: True for the pairs that are taken. `plausible` is in order."""
    if plausible.is_empty():
        return pl.Series([], dtype=pl.Boolean)
    used_l = bytearray(int(plausible["l"].max()) + 1)  # type: ignore[arg-type]
    used_x = bytearray(int(plausible["x"].max()) + 1)  # type: ignore[arg-type]
    parts = []
    for part in plausible.select("l", "x").iter_slices(AT_ONCE):
        taken = []
        for left, right in zip(part["l"].to_list(), part["x"].to_list(), strict=True):
            free = not (used_l[left] or used_x[right])
            if free:
                used_l[left] = used_x[right] = 1
            taken.append(free)
        parts.append(pl.Series(taken, dtype=pl.Boolean))
    return pl.concat(parts)


def _threats(plausible: pl.DataFrame, margin: float) -> pl.DataFrame:
    """Pairs not taken that come near one that was: to_l and to_x say for which of the two rows."""
    near = pl.col("score") + margin
    would_l = pl.col("held_l").is_null() | (pl.col("held_l") < near)
    would_x = pl.col("held_x").is_null() | (pl.col("held_x") < near)
    return (
        plausible.filter(~pl.col("taken"))
        .with_columns(
            to_l=(pl.col("held_l") < near) & would_x,
            to_x=(pl.col("held_x") < near) & would_l,
        )
        .filter(pl.col("to_l") | pl.col("to_x"))
    )


def _with_rivals(taken: pl.DataFrame, threats: pl.DataFrame) -> pl.DataFrame:
    best_l = threats.filter("to_l").group_by("l").agg(rival_l=pl.col("score").max())
    best_x = threats.filter("to_x").group_by("x").agg(rival_x=pl.col("score").max())
    return (
        taken.join(best_l, on="l", how="left", maintain_order="left")
        .join(best_x, on="x", how="left", maintain_order="left")
        .with_columns(rival=pl.max_horizontal("rival_l", "rival_x"))
        .drop("rival_l", "rival_x")
    )


def _claimants(threats: pl.DataFrame, doubtful: pl.DataFrame, row: str) -> pl.Series:
    """Rows that hold no pair, but whose claim made another's ambiguous."""
    other = "x" if row == "l" else "l"
    claims = threats.filter(pl.col(f"held_{row}").is_null())
    return claims.filter(pl.col(other).is_in(doubtful[other].implode()))[row]
