"""A pair's score in words, field by field: `amount +3.20 (+3.69), 2.0 d later (+3.40), text (+6.90)`.

The number in brackets is what the field gave: of the score, with the default model; bits of evidence for (or, below
zero, against) the pair, with a learned one.
"""

import polars as pl

EXACT = "same reference, amount and moment"
SECONDS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def reasons(pairs: pl.DataFrame) -> pl.Series:
    """One sentence for each of `Result.pairs` or `Result.options`, in order."""
    spoken = pl.concat_str(
        [
            pl.format("{} ({})", _amount(), _part("amount_part")),
            pl.format("{} ({})", _delay(), _part("time_part")),
            pl.format("text ({})", _part("text_part")),
            pl.when(pl.col("reference_part") != 0).then(pl.format("reference ({})", _part("reference_part"))),
        ],
        separator=", ",
        ignore_nulls=True,
    )
    exact = pl.col("amount_part").is_null()
    return pairs.select(reasons=pl.when(exact).then(pl.lit(EXACT)).otherwise(spoken))["reasons"]


def _amount() -> pl.Expr:
    difference = pl.col("difference")
    sign = pl.when(difference > 0).then(pl.lit("+")).otherwise(pl.lit(""))
    return (
        pl.when(difference == 0)
        .then(pl.lit("amount equal"))
        .otherwise(pl.format("amount {}{}", sign, difference.cast(pl.String)))
    )


def _delay() -> pl.Expr:
    seconds = pl.col("delay").dt.total_microseconds() / 1_000_000
    size = seconds.abs()
    words: pl.Expr = pl.lit("same moment")
    for unit, name in reversed(SECONDS):
        told = pl.format("{} {}", (size / unit).round(1), pl.lit(name))
        words = pl.when(size >= unit).then(told).otherwise(words)
    direction = pl.when(seconds > 0).then(pl.lit(" later")).otherwise(pl.lit(" earlier"))
    return pl.when(size < 1).then(words).otherwise(words + direction)


def _part(name: str) -> pl.Expr:
    value = pl.col(name).round(3)
    return pl.when(value >= 0).then(pl.lit("+")).otherwise(pl.lit("")) + value.cast(pl.String)
