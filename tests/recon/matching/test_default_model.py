"""The default model does what its formulas say."""

from datetime import timedelta
from decimal import Decimal

import polars as pl
import pytest

from recon.matching.match import match
from recon.matching.models import DefaultModel, Limits, Windows, from_dict
from recon.matching.reasons import reasons

from .makers import MINUTE, SECOND, ends, one, row, rows

OPEN = Windows(-4_000, 4_000, 1.0)
EVERYTHING = DefaultModel(windows=OPEN, limits=Limits(match=0.01, suggest=0.01, margin=0))


def scored(ledger: dict[str, object], external: dict[str, object]) -> dict[str, object]:
    return match(rows(ledger), rows(external), model=EVERYTHING).pairs.row(0, named=True)


def test_equal_amounts_a_minute_apart_with_like_texts_score_87_hundredths() -> None:
    found = match(
        rows(row("L", "25.00", description="CURB CARD")),
        rows(row("E", "25.00", at=MINUTE, description="CURB TAXI")),
    )
    pair = found.pairs.row(0, named=True)
    assert (pair["score"], pair["end"], pair["rule"]) == (0.87, "matched", "score")
    assert [pair[part] for part in ("amount_part", "time_part", "text_part")] == [0.4, 0.27, 0.2]
    assert reasons(found.pairs).to_list() == ["amount equal (+0.4), 1.0 min later (+0.27), text (+0.2)"]


@pytest.mark.parametrize(
    ("there", "part"),
    [
        ("10000.00", 0.4),
        ("10005.00", 0.3000),  # d = 5 / 10002.5
        ("10010.00", 0.2001),  # just inside a thousandth of the mean
        ("10010.02", 0.1998),  # just outside
        ("20000.00", 0.4 * 0.5 * (1 - 10_000 / 15_000)),
    ],
)
def test_the_amount_counts_by_its_difference_as_a_share_of_the_mean(there: str, part: float) -> None:
    found = scored(row("L", "10000.00"), row("E", there))
    assert found["amount_part"] == pytest.approx(part, abs=1e-4)
    assert found["difference"] == Decimal(there) - Decimal("10000.00")


@pytest.mark.parametrize(
    ("seconds", "part"),
    [
        (0, 0.3),
        (150, 0.225),
        (300, 0.15),
        (301, 0.3 * 0.5 * (1 - 1 / 2700)),
        (1650, 0.075),
        (3000, 0),
        (3001, 0),
    ],
)
@pytest.mark.parametrize("direction", [1, -1])
def test_the_time_counts_by_the_seconds_between(seconds: int, part: float, direction: int) -> None:
    found = scored(row("L"), row("E", at=direction * seconds * SECOND))
    assert found["time_part"] == pytest.approx(part, abs=1e-6)
    assert found["delay"] == timedelta(seconds=direction * seconds)


@pytest.mark.parametrize(
    ("ours", "theirs", "part"),
    [("curb  card", "CURB CARD", 0.3), ("CURB CARD", "", 0.15), ("", "", 0.15), ("ABC", "XYZ", 0)],
)
def test_the_text_counts_by_its_ratio_and_half_where_there_is_none(
    ours: str, theirs: str, part: float
) -> None:
    assert scored(row("L", description=ours), row("E", description=theirs))["text_part"] == pytest.approx(
        part
    )


def test_eight_tenths_is_enough_and_less_is_not() -> None:
    ledger = rows(row("L", "1000.00", description="SAME"))
    # 0.2 of the amount, at a difference of a thousandth, and all of the rest.
    assert ends(match(ledger, rows(row("E", "1001.00", description="SAME"))).ledger) == {"L": "matched"}
    short = match(ledger, rows(row("E", "1001.00", at=SECOND, description="SAME"))).ledger
    assert ends(short) == {"L": "unmatched"}
    assert one(short, "L")["failed"] == "score"
    assert one(short, "L")["nearest"] == "E"


def test_a_day_with_two_exact_and_one_fuzzy_match() -> None:
    ledger = rows(
        row("L1", "100.00", reference="T1", description="CURB CARD"),
        row("L2", "-40.00", at=MINUTE, reference="T2", description="REFUND"),
        row("L3", "25.00", at=5 * MINUTE, reference="T3", description="CURB CARD"),
    )
    external = rows(
        row("E1", "100.00", reference="T1", description="card"),
        row("E2", "-40.00", at=MINUTE, reference="T2"),
        row("E3", "25.00", at=6 * MINUTE, reference="B-77", description="CURB TAXI"),
    )
    found = match(ledger, external).pairs
    assert found.select("ledger_key", "external_key", "rule", "score").rows() == [
        ("L1", "E1", "exact", 1.0),
        ("L2", "E2", "exact", 1.0),
        ("L3", "E3", "score", 0.87),
    ]
    assert reasons(found)[0] == "same reference, amount and moment"


def test_weights_and_windows_are_the_callers() -> None:
    weeks = DefaultModel(
        amount_weight=0.5,
        time_weight=0.1,
        text_weight=0.4,
        near_seconds=86_400,
        far_seconds=10 * 86_400,
        windows=Windows(0, 10 * 86_400, 0.01),
    )
    ledger, external = (
        rows(row("L", description="RENT")),
        rows(row("E", at=timedelta(days=1), description="RENT")),
    )
    assert match(ledger, external, model=weeks).pairs["score"].to_list() == [0.95]
    assert match(ledger, external).pairs.is_empty()
    before = rows(row("E", at=-SECOND, description="RENT"))
    assert match(ledger, before, model=weeks).pairs.is_empty()


def test_a_model_survives_the_journey_to_json_and_has_a_version_of_its_own() -> None:
    import json

    model = DefaultModel(text_weight=0.25)
    again = from_dict(json.loads(json.dumps(model.to_dict())))
    assert again == model
    assert again.version == model.version != DefaultModel().version


def test_the_search_finds_every_pair_that_could_pass() -> None:
    """Blocks leave nothing out: the same as comparing all with all."""
    amounts = [1000 + n * 7 % 50 for n in range(60)]
    ledger = rows(*(row(f"L{n}", f"{a}.00", at=n * 37 * SECOND) for n, a in enumerate(amounts)))
    external = rows(*(row(f"E{n}", f"{a}.50", at=n * 41 * SECOND) for n, a in enumerate(reversed(amounts))))
    far = DefaultModel(limits=Limits(match=0.7, suggest=0.7, margin=0))
    found = match(ledger, external, model=far)
    every = ledger.join(external, how="cross", suffix="_x").with_columns(
        d=(pl.col("amount_x") - pl.col("amount")).abs().cast(pl.Float64)
        / ((pl.col("amount_x") + pl.col("amount")).cast(pl.Float64) / 2),
        t=(pl.col("occurred_at_x") - pl.col("occurred_at")).dt.total_seconds().abs(),
    )
    amount = pl.when(pl.col("d") <= 0.001).then(1 - 500 * pl.col("d")).otherwise(0.5 - 0.5 * pl.col("d"))
    time = (
        pl.when(pl.col("t") <= 300)
        .then(1 - pl.col("t") / 600)
        .otherwise((0.5 - (pl.col("t") - 300) / 5400).clip(0))
    )
    passing = every.with_columns(s=0.4 * amount + 0.3 * time + 0.15).filter(pl.col("s") >= 0.7)
    claimed = {*found.pairs["ledger_key"], *found.ledger.filter(pl.col("end") == "ambiguous")["key"]}
    taken = set(found.pairs["external_key"])
    assert passing.height > 0
    for key, other in passing.select("key", "key_x").iter_rows():
        assert key in claimed or other in taken
