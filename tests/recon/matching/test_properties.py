"""What holds for any rows: everybody ends once, nobody is claimed twice, and the order of the rows is nothing."""

import os
from datetime import timedelta

import polars as pl
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from recon.matching.assign import AMBIGUOUS, MATCHED, SUGGESTED, UNMATCHED
from recon.matching.cells import Dimension, Index
from recon.matching.match import Result, match
from recon.matching.models import (
    DAY,
    STANDARD_LIMITS,
    STANDARD_WINDOWS,
    DefaultModel,
    Evidence,
    LearnedModel,
    Limits,
    Windows,
)

from .makers import row, rows

# Making a failure smaller takes minutes here; `make soak` may.
QUICKLY = tuple(Phase) if "SOAK" in os.environ else (Phase.explicit, Phase.reuse, Phase.generate)
# Few values, so that rows collide; all amounts at hand add up to others.
AMOUNTS = ["-10.00", "0.00", "10.00", "10.01", "20.01", "30.00"]
TEXTS = ["", "CURB CARD", "CURB TAXI", "ANNA"]
LEARNED = LearnedModel(
    amount=Evidence((0.0, 0.01), (6000, 3000, -4000)),
    delay=Evidence((-float(DAY), float(DAY)), (-5000, 2000, -1000)),
    text=Evidence((0.5, 2.0), (-2000, 1000, 4000)),
    reference=Evidence((0.9,), (-1000, 5000)),
    share=0.8,
    windows=STANDARD_WINDOWS,
    limits=STANDARD_LIMITS,
)
LOOSE = DefaultModel(windows=Windows(-9_000, 9_000, 0.5), limits=Limits(match=0.85, suggest=0.6, margin=0.03))
MODELS = st.sampled_from([DefaultModel(), LOOSE, LEARNED])


def side(prefix: str) -> st.SearchStrategy[pl.DataFrame]:
    one = st.fixed_dictionaries(
        {
            "amount": st.sampled_from(AMOUNTS),
            "at": st.integers(0, 8).map(lambda n: timedelta(seconds=n * 400)),
            "reference": st.sampled_from(["", "", "T1", "T2", "G"]),
            "description": st.sampled_from(TEXTS),
            "group_key": st.sampled_from(["", "", "G", "H"]),
            "currency": st.sampled_from(["USD", "USD", "USD", "EUR"]),
        }
    )
    return st.lists(one, max_size=9).map(
        lambda drawn: rows(*(row(f"{prefix}{n}", **values) for n, values in enumerate(drawn)))
    )


@given(ledger=side("L"), external=side("E"), model=MODELS)
@settings(max_examples=25, phases=QUICKLY)
def test_every_row_ends_once_and_no_row_is_claimed_twice(
    ledger: pl.DataFrame, external: pl.DataFrame, model: DefaultModel | LearnedModel
) -> None:
    found = match(ledger, external, model=model)
    for given_rows, ended, key in (
        (ledger, found.ledger, "ledger_key"),
        (external, found.external, "external_key"),
    ):
        assert sorted(ended["key"]) == sorted(given_rows["key"])
        claims = [*found.pairs[key], *found.groups[key].unique()]
        assert len(claims) == len(set(claims))
        told = {name: set(ended.filter(pl.col("end") == name)["key"]) for name in ended["end"].unique()}
        assert told.get(MATCHED, set()) | told.get(SUGGESTED, set()) == set(claims)
        assert told.get(AMBIGUOUS, set()) <= set(found.options[key])
        assert not set(found.options[key]) & set(claims)
        alone = ended.filter(pl.col("end") == UNMATCHED)
        assert alone["failed"].null_count() == alone["partner"].count() == alone["group"].count() == 0
        assert ended.filter(pl.col("end").is_in([MATCHED, SUGGESTED]))["rule"].null_count() == 0
    assert_money_adds_up(found, ledger, external)


def assert_money_adds_up(found: Result, ledger: pl.DataFrame, external: pl.DataFrame) -> None:
    ours, theirs = (
        dict(ledger.select("key", "amount").iter_rows()),
        dict(external.select("key", "amount").iter_rows()),
    )
    gate = {
        key: (currency, amount > 0)
        for key, currency, amount in pl.concat([ledger, external])
        .select("key", "currency", "amount")
        .iter_rows()
    }
    for left, right, difference in found.pairs.select("ledger_key", "external_key", "difference").iter_rows():
        assert difference == theirs[right] - ours[left]
        assert gate[left] == gate[right]
    for _, group in found.groups.group_by("group"):
        left, right = set(group["ledger_key"]), set(group["external_key"])
        assert min(len(left), len(right)) == 1 < max(len(left), len(right))
        assert sum(ours[key] for key in left) == sum(theirs[key] for key in right)


@given(ledger=side("L"), external=side("E"), model=MODELS, order=st.randoms(use_true_random=False))
@settings(max_examples=15, phases=QUICKLY)
def test_the_order_in_which_rows_come_changes_nothing(
    ledger: pl.DataFrame, external: pl.DataFrame, model: DefaultModel | LearnedModel, order: object
) -> None:
    seed = order.randrange(2**32)  # type: ignore[attr-defined]
    found = match(ledger, external, model=model)
    again = match(
        ledger.sample(fraction=1, shuffle=True, seed=seed),
        external.sample(fraction=1, shuffle=True, seed=seed + 1),
        model=model,
    )
    for name in ("ledger", "external", "pairs", "options", "groups"):
        assert getattr(found, name).equals(getattr(again, name)), name


@given(
    left=st.lists(st.tuples(st.integers(0, 2), st.integers(-50, 50), st.integers(0, 30)), max_size=20),
    right=st.lists(st.tuples(st.integers(0, 2), st.integers(-60, 60)), max_size=20),
    width=st.sampled_from([1.0, 7.0, 100.0]),
)
def test_cells_find_what_comparing_all_finds(
    left: list[tuple[int, int, int]], right: list[tuple[int, int]], width: float
) -> None:
    spans = pl.DataFrame(
        [(n, key, low, low, low + length) for n, (key, low, length) in enumerate(left)],
        schema={"row": pl.UInt32, "key": pl.Int64, "at": pl.Int64, "at_low": pl.Int64, "at_high": pl.Int64},
        orient="row",
    )
    points = pl.DataFrame(
        [(n, *point) for n, point in enumerate(right)],
        schema={"row": pl.UInt32, "key": pl.Int64, "at": pl.Int64},
        orient="row",
    )
    found = Index(points, keys=("key",), dimensions=(Dimension("at", width),)).reach(spans)
    expected = {
        (i, j)
        for i, (key, low, length) in enumerate(left)
        for j, (other, at) in enumerate(right)
        if key == other and low <= at <= low + length
    }
    assert set(found.pairs.rows()) == expected
    assert (found.pairs.height, len(found.crowded)) == (len(expected), 0)


def test_a_crowd_is_compared_with_its_neighbours_in_time_and_counted() -> None:
    many = 400
    crowd = pl.DataFrame({"row": range(many), "at": range(many)}, schema={"row": pl.UInt32, "at": pl.Int64})
    crowd = crowd.with_columns(key=pl.lit(1), at_low=pl.col("at") - many, at_high=pl.col("at") + many)
    found = Index(crowd, keys=("key",), dimensions=(Dimension("at", 2.0 * many),)).reach(crowd)
    assert sorted(found.crowded) == list(range(many))
    assert found.pairs.height <= 16 * many
    beside = found.pairs.filter((pl.col("left").cast(pl.Int64) - pl.col("right").cast(pl.Int64)).abs() <= 7)
    assert beside.height == found.pairs.height - (many - 8)  # eight after, seven before and the row itself
    told_apart = crowd.with_columns(finer=pl.col("row"))
    finer = Index(told_apart, keys=("key",), dimensions=(Dimension("at", 2.0 * many),), finer=("finer",))
    assert finer.reach(told_apart).pairs.sort("left").rows() == [(n, n) for n in range(many)]
