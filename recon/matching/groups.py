"""One row here that is several there: a deposit and its payments, a payout and its trips.

Only rows that no pair took are looked at, and what is found is a suggestion. Rows that name the same group (the
single row may name it as its reference) must add up exactly, signs kept. Without a name, a few rows of the same
gate and window whose descriptions open alike must add up exactly, and in one way only.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from .cells import Dimension, Index
from .models import Windows
from .rows import MICROSECONDS, Sides

MOST_MEMBERS = 4  # of a sum without a name
LARGEST_POOL = 12  # rows that may be members; with more, almost any amount is the sum of some of them
CROWDED = 2_000  # pairs of single and possible member that are looked at for one pool
SCHEMA = pl.Schema({"group": pl.UInt32, "rule": pl.String, "l": pl.UInt32, "x": pl.UInt32})


@dataclass(frozen=True)
class Groups:
    """members: group UInt32 (1, 2, …), rule (group_key or sum), l, x UInt32: one line per pair of single and member.

    crowded: single rows left alone because too many others might be their members.
    """

    members: pl.DataFrame
    crowded: int


def find_groups(sides: Sides, windows: Windows, left: pl.Series, right: pl.Series) -> Groups:
    """Groups among free rows (`left`, `right`), no row in two of them."""
    named = _free_of([], _by_name(sides, windows, left, right))
    left = left.filter(~left.is_in(_rows(named, "l").implode()))
    right = right.filter(~right.is_in(_rows(named, "x").implode()))
    summed, crowded = [], 0
    for single, singles, members in (("l", left, right), ("x", right, left)):
        found, skipped = _by_sum(sides, windows, single, singles, members)
        summed += found
        crowded += skipped
    kept = [("group_key", group) for group in named]
    kept += [("sum", group) for group in _free_of(named, summed)]
    lines = [
        (number, rule, left_row, right_row)
        for number, (rule, group) in enumerate(kept, 1)
        for left_row in group.left
        for right_row in group.right
    ]
    return Groups(pl.DataFrame(lines, schema=SCHEMA, orient="row"), crowded)


@dataclass(frozen=True, order=True)
class _Group:
    """Rows of both sides that belong together; sorts by how few they are, then by their place in time."""

    size: int
    left: tuple[int, ...]
    right: tuple[int, ...]


def _free_of(taken: Sequence[_Group], groups: Sequence[_Group]) -> list[_Group]:
    """The smallest first, leaving out those that share a row with one before."""
    used = {("l", row) for group in taken for row in group.left}
    used |= {("x", row) for group in taken for row in group.right}
    kept = []
    for group in sorted(groups):
        rows = {("l", row) for row in group.left} | {("x", row) for row in group.right}
        if not rows & used:
            used |= rows
            kept.append(group)
    return kept


def _rows(groups: Sequence[_Group], side: str) -> pl.Series:
    rows = [row for group in groups for row in (group.left if side == "l" else group.right)]
    return pl.Series(rows, dtype=pl.UInt32)


def _by_name(sides: Sides, windows: Windows, left: pl.Series, right: pl.Series) -> list[_Group]:
    """Groups by key on both sides, then those whose single row has the key as its reference."""
    ledger, external = sides.ledger[left], sides.external[right]
    both = [
        _adding_up(ledger, external, "group_key", "group_key", windows),
        _adding_up(ledger, external, "reference", "group_key", windows).filter(pl.col("l").list.len() == 1),
        _adding_up(ledger, external, "group_key", "reference", windows).filter(pl.col("x").list.len() == 1),
    ]
    return [
        _Group(len(l) + len(x), tuple(l), tuple(x))
        for found in both
        for l, x in found.select(pl.col("l", "x").list.sort()).iter_rows()  # noqa: E741
    ]


def _adding_up(
    ledger: pl.DataFrame, external: pl.DataFrame, ledger_name: str, external_name: str, windows: Windows
) -> pl.DataFrame:
    """One against several of the same name, currency and account, with the same sum, all within the window."""
    place = ["currency", "account", "name"]
    sums = [
        side.with_columns(name=pl.col(name))
        .drop_nulls("name")
        .group_by(place)
        .agg(
            pl.col("row").alias(row),
            pl.col("amount").cast(pl.Int128).sum().alias(f"sum_{row}"),
            pl.col("at").min().alias(f"first_{row}"),
            pl.col("at").max().alias(f"last_{row}"),
        )
        for side, name, row in ((ledger, ledger_name, "l"), (external, external_name, "x"))
    ]
    counts = pl.col("l").list.len(), pl.col("x").list.len()
    return (
        sums[0]
        .join(sums[1], on=place, nulls_equal=True)
        .filter(
            pl.min_horizontal(*counts) == 1,
            pl.max_horizontal(*counts) > 1,
            pl.col("sum_l") == pl.col("sum_x"),
            pl.col("last_x") - pl.col("first_l") <= int(windows.latest * MICROSECONDS),
            pl.col("first_x") - pl.col("last_l") >= int(windows.earliest * MICROSECONDS),
        )
    )


def _by_sum(
    sides: Sides, windows: Windows, single: str, singles: pl.Series, members: pl.Series
) -> tuple[list[_Group], int]:
    """Rows of side `single` (l or x) that are, in one way, the sum of a few of the other side's."""
    one, many = (sides.ledger, sides.external) if single == "l" else (sides.external, sides.ledger)
    earliest, latest = (
        (windows.earliest, windows.latest) if single == "l" else (-windows.latest, -windows.earliest)
    )
    reaching = _pooled(sides, one, singles).with_columns(
        at_low=pl.col("at") + int(earliest * MICROSECONDS), at_high=pl.col("at") + int(latest * MICROSECONDS)
    )
    width = max(latest - earliest, 1.0) * MICROSECONDS
    index = Index(
        _pooled(sides, many, members),
        keys=("gate", "pool"),
        dimensions=(Dimension("at", width),),
        crowd=CROWDED,
        neighbours=False,
    )
    reached = index.reach(reaching)
    # Of a row with part of its possible members nobody can say that they add up in one way only.
    pairs = reached.pairs.filter(~pl.col("left").is_in(reached.crowded.implode()))
    pairs = pairs.with_columns(
        whole=one["amount"].gather(pairs["left"]), amount=many["amount"].gather(pairs["right"])
    ).filter(pl.col("amount").abs() < pl.col("whole").abs())
    pools = (
        pairs.sort("left", "right")
        .group_by("left", maintain_order=True)
        .agg("right", "amount", pl.first("whole"))
    )
    pools = pools.filter(pl.col("right").list.len() > 1)
    crowded = pools["right"].list.len() > LARGEST_POOL
    groups = []
    for row, rows, amounts, whole in pools.filter(~crowded).iter_rows():
        parts = _only_way(amounts, whole)
        if parts:
            chosen = tuple(sorted(rows[part] for part in parts))
            left, right = ((row,), chosen) if single == "l" else (chosen, (row,))
            groups.append(_Group(1 + len(chosen), left, right))
    return groups, int(crowded.sum()) + len(reached.crowded)


def _pooled(sides: Sides, rows: pl.DataFrame, free: pl.Series) -> pl.DataFrame:
    """Rows with what their possible partners must share beside the gate: the opening of the description, or none."""
    rows = rows.select("row", "gate", "at", "text")[free]
    openings = sides.texts.frame["opening_3"]
    pool = openings.gather(rows["text"]) if len(openings) else pl.repeat(None, rows.height, eager=True)
    return rows.select("row", "gate", "at", pool.cast(pl.UInt32).fill_null(0).alias("pool"))


def _only_way(amounts: Sequence[int], whole: int) -> tuple[int, ...] | None:
    """Places of the few amounts that add up to `whole`; None if there is no way, or more than one."""
    # All have one sign. The largest come first, so that most attempts end at the first sum.
    ordered = sorted(((abs(amount), place) for place, amount in enumerate(amounts)), reverse=True)
    ways = _ways(ordered, abs(whole), MOST_MEMBERS)
    first = next(ways, None)
    return first if first is not None and next(ways, None) is None else None


def _ways(amounts: Sequence[tuple[int, int]], whole: int, most: int) -> Iterator[tuple[int, ...]]:
    """Up to `most` of the amounts, in falling order, that add up to `whole`."""
    for number, (amount, place) in enumerate(amounts):
        if amount * most < whole:
            return  # nor will any of the smaller ones
        if amount == whole:
            yield (place,)
        elif amount < whole and most > 1:
            for others in _ways(amounts[number + 1 :], whole - amount, most - 1):
                yield (place, *others)
