"""Which pairs are worth scoring: the blocks.

A pair is a candidate when its gates agree, it lies within the windows, and the two rows have something to go by:
the default model can only score a pair high whose amounts and times are near, so for it that alone is enough. The
learned model looks across weeks, where that would be every second row; there a candidate also shares an opening of
its description, its rarest word, its amount or its reference.
"""

from math import log

import polars as pl

from .cells import Dimension, Index, Reach
from .models import ANY_AMOUNT, DefaultModel, Model, Windows
from .rows import MICROSECONDS, Sides

AMOUNT_SLACK = 1e-9  # logarithms are rounded; the exact test comes later
FINER = ("opening_6", "opening_12")


class Candidates:
    """Asks the external rows `right` (their numbers) for candidates of ledger rows, as many at a time as one likes."""

    def __init__(
        self, sides: Sides, windows: Windows, blocks: tuple[tuple[str, ...], ...], right: pl.Series
    ) -> None:
        self.sides, self.windows = sides, windows
        external = _located(sides, sides.external.select(COLUMNS)[right])
        times = Dimension("at", max(windows.latest - windows.earliest, 1.0) * MICROSECONDS)
        sizes = Dimension("size", max(2 * _half_width(windows), 0.001))
        self.blocks = [
            Index(external, keys=("gate", *block), dimensions=(times,), finer=("opening_3", *FINER))
            if "amount" in block
            else Index(external, keys=("gate", *block), dimensions=(times, sizes), finer=FINER)
            for block in blocks
        ]

    def of(self, left: pl.Series) -> tuple[pl.DataFrame, int]:
        """l, x UInt32 (rows of the ledger and of the external side), sorted, each pair once; and how many ledger rows
        have so many look-alikes that they were compared with their neighbours in time only.
        """
        ledger = _reaching(_located(self.sides, self.sides.ledger.select(COLUMNS)[left]), self.windows)
        reached = [block.reach(ledger) for block in self.blocks]
        return _each_once(reached), max(len(reach.crowded) for reach in reached)


def _each_once(reached: list[Reach]) -> pl.DataFrame:
    """The pairs of all blocks. Both numbers are packed into one, which sorts five times as fast."""
    packed = pl.concat(
        [
            reach.pairs.select(pair=pl.col("left").cast(pl.UInt64) * 2**32 + pl.col("right"))
            for reach in reached
        ]
    )
    packed = packed["pair"].unique().sort().to_frame()
    return packed.select(
        l=(pl.col("pair") // 2**32).cast(pl.UInt32), x=(pl.col("pair") % 2**32).cast(pl.UInt32)
    )


COLUMNS = ("row", "gate", "amount", "at", "text", "reference")
NEAR = ((),)
MEANINGFUL = (("opening_3",), ("word_0",), ("amount",), ("reference_hash",))


def blocks_of(model: Model) -> tuple[tuple[str, ...], ...]:
    """The keys of each block that the model needs."""
    return NEAR if isinstance(model, DefaultModel) else MEANINGFUL


def _located(sides: Sides, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with the keys of the blocks (null: not in that block) and their place on the scale of amounts."""
    texts = sides.texts.frame.select("word_0", "opening_3", *FINER)
    known = texts.select(pl.all().gather(rows["text"])) if texts.height else texts.clear(rows.height)
    known = known.with_columns(pl.when(pl.all() > 0).then(pl.all()))
    return pl.concat([rows.drop("text"), known], how="horizontal").with_columns(
        # Zero has a place of its own, far below one minor unit.
        size=pl.max_horizontal(pl.col("amount").abs().cast(pl.Float64), 1e-3).log(),
        reference_hash=pl.when(pl.col("reference").is_not_null()).then(pl.col("reference").hash()),
    )


def _reaching(rows: pl.DataFrame, windows: Windows) -> pl.DataFrame:
    half = _half_width(windows)
    return rows.with_columns(
        at_low=pl.col("at") + int(windows.earliest * MICROSECONDS),
        at_high=pl.col("at") + int(windows.latest * MICROSECONDS),
        size_low=pl.col("size") - half,
        size_high=pl.col("size") + half,
    )


def _half_width(windows: Windows) -> float:
    """How far apart two amounts may be on the scale of logarithms."""
    share = min(windows.amount_share, ANY_AMOUNT - AMOUNT_SLACK)
    return log((2 + share) / (2 - share)) + AMOUNT_SLACK
