"""What no module of the product may do: work on a frame as it is imported."""

import polars as pl

TOTAL = pl.DataFrame({"key": range(100_000)}).group_by("key").len().height
