"""Which rows are within reach of which, without looking at every pair.

A row on the left reaches over a stretch of each dimension (time, amount); a row on the right is a point. Space is
cut into cells, a stretch is laid over the few cells that it touches, and only rows of one cell are compared. A cell
with too many pairs is cut further by finer keys; what is still crowded then is compared with its neighbours in time
only, so that the work stays in proportion to the rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

CROWDED = 20_000  # pairs in one cell
NEIGHBOURS = 8  # on each side of a row, in a cell that stays crowded
EMPTY = pl.DataFrame(schema={"left": pl.UInt32, "right": pl.UInt32})


@dataclass(frozen=True)
class Dimension:
    """Left frames have `{name}` and its stretch, `{name}_low` to `{name}_high`; right frames `{name}` alone.

    width: of a cell, in the units of the column; > 0.
    """

    name: str
    width: float


@dataclass(frozen=True)
class Reach:
    """pairs: left, right UInt32, in no particular order, each once. crowded: left rows not compared with all."""

    pairs: pl.DataFrame
    crowded: pl.Series


class Index:
    """Rows on the right, laid out in cells, to be asked for what is within reach of rows on the left.

    Pairs are equal in `keys` (null equals nothing) and within reach in every dimension. Both sides have row UInt32,
    unique; the keys; the columns of the dimensions; and `finer`: more keys, used one after another only where a cell
    is crowded, so that there rows that differ in them are not paired. Neighbours are counted in the first dimension.
    crowd: pairs in a cell from which it is crowded; None: all are compared, always.
    neighbours: whether rows of a crowded cell are compared with those nearest to them, or with none.
    """

    def __init__(
        self,
        right: pl.DataFrame,
        *,
        keys: Sequence[str],
        dimensions: Sequence[Dimension],
        finer: Sequence[str] = (),
        crowd: int | None = CROWDED,
        neighbours: bool = True,
    ) -> None:
        self.neighbours = neighbours
        self.right, self.keys, self.dimensions, self.finer, self.crowd = right, keys, dimensions, finer, crowd
        self.cells = _cells(right, keys, dimensions, "right")
        self.counts = _counts(self.cells)

    def reach(self, left: pl.DataFrame) -> Reach:
        left_cells = _cells(left, self.keys, self.dimensions, "left")
        pairs, left_busy, right_busy = self._meet(left, left_cells)
        busy = (left_busy, right_busy) if self.neighbours else (left_busy.clear(), right_busy.clear())
        near = _neighbours(*busy, left, self.right, self.dimensions[0].name)
        places = self._verified(pl.concat([pairs, near]), left)
        rows = {
            side: frame["row"].gather(places[side]) for side, frame in (("left", left), ("right", self.right))
        }
        return Reach(pl.DataFrame(rows), left["row"].gather(left_busy["left"].unique()))

    def _meet(
        self, left: pl.DataFrame, left_cells: pl.DataFrame
    ) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        """Pairs of rows in the same cell, and the cells of both sides that are too crowded to be paired."""
        right_cells, right_counts, found = self.cells, self.counts, [EMPTY]
        for key in (None, *self.finer):
            if key is not None:
                left_cells = _cut(left_cells, left, "left", key)
                right_cells = _cut(right_cells, self.right, "right", key)
                right_counts = _counts(right_cells)
            busy = self._busy(left_cells, right_counts)
            calm = left_cells.join(busy, on="cell", how="anti") if busy.height else left_cells
            found.append(calm.join(right_cells, on="cell").select("left", "right"))
            left_cells = left_cells.join(busy, on="cell", how="semi")
            right_cells = right_cells.join(busy, on="cell", how="semi")
            if left_cells.is_empty():
                break
        return pl.concat(found), left_cells, right_cells

    def _busy(self, left_cells: pl.DataFrame, right_counts: pl.DataFrame) -> pl.DataFrame:
        if self.crowd is None:
            return right_counts.clear()
        # A cell that is full on the right alone is crowded whatever part of the left is asked for.
        pairs = pl.col("count").cast(pl.UInt64) * pl.max_horizontal("count", "count_right")
        return right_counts.join(_counts(left_cells), on="cell").filter(pairs > self.crowd)

    def _verified(self, pairs: pl.DataFrame, left: pl.DataFrame) -> pl.DataFrame:
        """Those that are in reach: sharing a cell says only that they may be."""
        for key in self.keys:
            same = left[key].gather(pairs["left"]) == self.right[key].gather(pairs["right"])
            pairs = pairs.filter(same)
        for dimension in self.dimensions:
            point = self.right[dimension.name].gather(pairs["right"])
            low = left[f"{dimension.name}_low"].gather(pairs["left"])
            high = left[f"{dimension.name}_high"].gather(pairs["left"])
            pairs = pairs.filter((point >= low) & (point <= high))
        return pairs


def _counts(cells: pl.DataFrame) -> pl.DataFrame:
    return cells.group_by("cell").len("count")


def _cells(
    rows: pl.DataFrame, keys: Sequence[str], dimensions: Sequence[Dimension], side: str
) -> pl.DataFrame:
    """Every row in each cell that it touches: left or right (the row's place), cell UInt64."""
    cells = rows.lazy().with_row_index(side).drop_nulls(list(keys))
    names = [f"_{dimension.name}" for dimension in dimensions]
    for name, dimension in zip(names, dimensions, strict=True):
        if side == "right":
            cells = cells.with_columns(_cell(dimension.name, dimension.width).alias(name))
            continue
        first = _cell(f"{dimension.name}_low", dimension.width)
        last = _cell(f"{dimension.name}_high", dimension.width)
        cells = cells.with_columns(pl.int_ranges(first, last + 1).alias(name)).explode(name)
    return cells.select(side, cell=pl.struct(*keys, *names).hash()).collect()


def _cell(column: str, width: float) -> pl.Expr:
    return (pl.col(column) / width).floor().cast(pl.Int64)


def _cut(cells: pl.DataFrame, rows: pl.DataFrame, place: str, key: str) -> pl.DataFrame:
    return cells.with_columns(finer=rows[key].gather(cells[place])).select(
        place, cell=pl.struct("cell", "finer").hash()
    )


def _neighbours(
    left_cells: pl.DataFrame, right_cells: pl.DataFrame, left: pl.DataFrame, right: pl.DataFrame, name: str
) -> pl.DataFrame:
    """The rows on the right that stand nearest before and after each one on the left, in its crowded cell."""
    if left_cells.is_empty():
        return EMPTY
    ordered = right_cells.with_columns(at=right[name].gather(right_cells["right"]))
    ordered = ordered.sort("cell", "at", "right").with_columns(place=pl.int_range(pl.len(), dtype=pl.Int64))
    bounds = ordered.group_by("cell").agg(first=pl.col("place").min(), last=pl.col("place").max())
    placed = (
        left_cells.with_columns(at=left[name].gather(left_cells["left"]))
        .join(bounds, on="cell")
        .sort("at", "left")
        .join_asof(
            ordered.select("cell", "at", "place").sort("at", "place"),
            on="at",
            by="cell",
            strategy="backward",
            check_sortedness=False,
        )
        .with_columns(pl.col("place").fill_null(pl.col("first") - 1))
    )
    offsets = pl.DataFrame({"offset": range(1 - NEIGHBOURS, NEIGHBOURS + 1)})
    return (
        placed.join(offsets, how="cross")
        .with_columns(place=pl.col("place") + pl.col("offset"))
        .filter(pl.col("place").is_between(pl.col("first"), pl.col("last")))
        .join(ordered.select("place", "right"), on="place")
        .select("left", "right")
        .unique()
    )
