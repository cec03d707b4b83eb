"""Rows that both sides tell alike: the same reference, amount and moment, inside the same gate."""

import polars as pl

from .rows import Sides

ALIKE = ["gate", "reference", "amount", "at"]


def match_exactly(sides: Sides) -> pl.DataFrame:
    """Pairs of l and x (UInt32), no row twice.

    A reference that comes again is paired as often as both sides have it.
    """
    numbered = [
        side.select("row", *ALIKE)
        .drop_nulls("reference")
        .with_columns(time=pl.int_range(pl.len()).over(ALIKE))
        for side in (sides.ledger, sides.external)
    ]
    return numbered[0].join(numbered[1], on=[*ALIKE, "time"]).select(l="row", x="row_right").sort("l")
