"""For a row that stays alone: which row of the other side comes nearest, and what stands between them.

`failed` lists, separated by commas: currency, account, sign (a gate); amount, time (outside the window); text
(nothing in common to go by); score (in reach, and not alike enough, followed by the fields that speak against it);
taken (it has a better partner); contested (it is one of several); nothing (the other side is empty).
"""

import polars as pl

from .models import DefaultModel, Model
from .rows import MICROSECONDS, SideName, Sides
from .scoring import PARTS

FIELDS = ("amount", "time", "text", "reference")


def nearest(
    sides: Sides,
    model: Model,
    side: SideName,
    rows: pl.Series,
    scored: pl.DataFrame,
    held: pl.Series,
    contested: pl.Series,
) -> pl.DataFrame:
    """One line for each of `rows`: row, nearest (UInt32; null if nothing is there), score, difference, delay, failed.

    scored: pairs that were in reach. held, contested: rows of the other side that have a partner, or several claims.
    """
    mine, other = ("l", "x") if side == "ledger" else ("x", "l")
    best = (
        scored.filter(pl.col(mine).is_in(rows.implode()))
        .sort("weight", other, descending=[True, False])
        .unique(mine, keep="first", maintain_order=True)
    )
    plausible = pl.col("alone") >= model.limits.suggest
    why = (
        pl.when(plausible & pl.col(other).is_in(held.implode()))
        .then(pl.lit("taken"))
        .when(plausible & pl.col(other).is_in(contested.implode()))
        .then(pl.lit("contested"))
        .otherwise(pl.concat_str([pl.lit("score"), *_against(model)], separator=",", ignore_nulls=True))
    )
    in_reach = best.select(
        pl.col(mine).alias("row"),
        pl.col(other).alias("nearest"),
        pl.col("alone").alias("score"),
        "difference",
        pl.col("delay"),
        why.alias("failed"),
    )
    beyond = _beyond(sides, model, side, rows.filter(~rows.is_in(in_reach["row"].implode())), held)
    return pl.concat([in_reach, beyond]).sort("row")


def _against(model: Model) -> list[pl.Expr]:
    """The fields that lower the score: less than half of what they could give, or evidence against the pair."""
    if isinstance(model, DefaultModel):
        halves = [model.amount_weight / 2, model.time_weight / 2, model.text_weight / 2]
    else:
        halves = [0.0] * len(FIELDS)
    return [
        pl.when(pl.col(part) < half).then(pl.lit(name))
        for part, half, name in zip(PARTS, halves, FIELDS, strict=False)
    ]


def _beyond(sides: Sides, model: Model, side: SideName, rows: pl.Series, held: pl.Series) -> pl.DataFrame:
    """The nearest of all rows, by what they share: reference, else amount, text, currency and size, else time."""
    mine, others = (sides.ledger, sides.external) if side == "ledger" else (sides.external, sides.ledger)
    columns = ["row", "at", "amount", "currency", "account", "reference", "text"]
    size = pl.col("amount").abs().alias("size")
    wanted, there = mine.select(*columns, size)[rows], others.select(*columns, size)
    found = wanted.select("row", nearest=pl.lit(None, pl.UInt32))
    for key, on in (
        ("reference", "at"),
        ("size", "at"),
        ("text", "at"),
        ("currency", "size"),
        (None, "at"),
    ):
        open_rows = wanted.join(found.filter(pl.col("nearest").is_null()), on="row", how="semi")
        found = found.join(_closest(open_rows, there, key, on), on="row", how="left").select(
            "row", nearest=pl.coalesce("nearest", "closest")
        )
    facts = found.join(wanted, on="row", how="left", maintain_order="left").join(
        there.rename({"row": "nearest"}), on="nearest", how="left", suffix="_there", maintain_order="left"
    )
    forward = 1 if side == "ledger" else -1
    # Sizes without their signs, which are a gate of their own.
    apart = (pl.col("amount_there").abs() - pl.col("amount").abs()).abs()
    share = apart / ((pl.col("amount_there").abs().cast(pl.Float64) + pl.col("amount").abs()) / 2)
    facts = facts.with_columns(
        difference=(pl.col("amount_there") - pl.col("amount")) * forward,
        delay=(pl.col("at_there") - pl.col("at")) * forward / MICROSECONDS,
    )
    account_differs = pl.col("account") != pl.col("account_there")
    windows = model.windows
    outside = [
        pl.when(pl.col("nearest").is_null()).then(pl.lit("nothing")),
        pl.when(pl.col("currency") != pl.col("currency_there")).then(pl.lit("currency")),
        pl.when(account_differs).then(pl.lit("account")),
        pl.when(pl.col("amount").sign() != pl.col("amount_there").sign()).then(pl.lit("sign")),
        pl.when((apart != 0) & (share > windows.amount_share)).then(pl.lit("amount")),
        pl.when(~pl.col("delay").is_between(windows.earliest, windows.latest)).then(pl.lit("time")),
    ]
    said = pl.concat_str(outside, separator=",", ignore_nulls=True)
    taken = pl.when(pl.col("nearest").is_in(held.implode())).then(pl.lit("taken"))
    return facts.select(
        "row",
        "nearest",
        pl.lit(None, pl.Float64).alias("score"),
        "difference",
        "delay",
        failed=pl.concat_str(
            [pl.when(said == "").then(pl.lit("text")).otherwise(said), taken],
            separator=",",
            ignore_nulls=True,
        ),
    )


def _closest(rows: pl.DataFrame, there: pl.DataFrame, key: str | None, on: str) -> pl.DataFrame:
    """row, closest: the row there that is nearest in column `on` among those with the same `key`."""
    keys = [] if key is None else [key]
    left = rows.select("row", on, *keys).drop_nulls().sort(on, "row")
    right = there.select(on, *keys, closest="row").drop_nulls().sort(on, "closest")
    return left.join_asof(right, on=on, by=key, strategy="nearest", check_sortedness=False).select(
        "row", "closest"
    )
