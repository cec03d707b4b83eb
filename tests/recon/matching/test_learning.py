"""A model is learned from the rows alone, and says what people would."""

import json
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon.matching.learning import TooLittleToLearn, peaked, rising
from recon.matching.match import Learning, Result, learn_from, match
from recon.matching.models import DAY, LearnedModel, from_dict
from recon.matching.reasons import reasons

from .makers import row, rows

NAMES = ["ANNA BERG", "TOM REED", "MAYA SEN", "IVO KRAL", "LEA HOLT", "JAN OTT", "EVA LIND", "BO DAHL"]


def month(people: int = 400) -> tuple[pl.DataFrame, pl.DataFrame]:
    """People who pay, and the bank's rows of the same: one to three days later, sometimes with a fee taken off."""
    ledger, external = [], []
    for n in range(people):
        name = f"{NAMES[n % 8]} {n * 7919 % 1000}"
        cents = 5_000 + n * 6_151 % 90_000
        taken = cents - cents // 50 if n % 3 == 0 else cents
        at = timedelta(days=n * 31 % 28)
        if n % 11:
            ledger.append(row(f"L{n}", f"{cents / 100:.2f}", at=at, description=f"{name} PAYMENT"))
        if n % 13:
            late = at + timedelta(days=1 + n % 3)
            external.append(row(f"E{n}", f"{taken / 100:.2f}", at=late, description=name))
    return rows(*ledger), rows(*external)


@pytest.fixture(scope="module")
def learned() -> LearnedModel:
    return learn_from(*month())


def test_the_right_partners_are_found_without_being_told_any(learned: LearnedModel) -> None:
    found = match(*month(), model=learned)
    assert found.pairs.filter(
        pl.col("ledger_key").str.slice(1) != pl.col("external_key").str.slice(1)
    ).is_empty()
    assert found.pairs.height >= 330  # of 336
    assert reasons(found.pairs)[0].startswith("amount ")


def test_learning_while_matching_is_learning_before(learned: LearnedModel) -> None:
    found = match(*month(), model=Learning())
    assert found.model == learned
    assert found.pairs.equals(match(*month(), model=learned).pairs)


def test_more_difference_never_speaks_louder_and_more_likeness_never_softer(learned: LearnedModel) -> None:
    assert list(learned.amount.weights) == sorted(learned.amount.weights, reverse=True)
    assert list(learned.text.weights) == sorted(learned.text.weights)
    peak = learned.delay.weights.index(max(learned.delay.weights))
    assert list(learned.delay.weights[:peak]) == sorted(learned.delay.weights[:peak])
    assert list(learned.delay.weights[peak:]) == sorted(learned.delay.weights[peak:], reverse=True)


def test_it_learns_that_the_bank_is_later(learned: LearnedModel) -> None:
    def weight(days: int) -> int:
        return learned.delay.weights[sum(days * DAY > edge for edge in learned.delay.edges)]

    assert weight(1) > 0 > weight(-1)
    assert weight(2) > weight(-2)


def test_partners_that_are_drawn_by_chance_are_not_counted_as_chance(learned: LearnedModel) -> None:
    """Of the pairs drawn, one in some 370 is a true one; counted, equal amounts would be worth 8 bits."""
    assert learned.amount.weights[0] > 10_000


def test_identifiers_of_rows_teach_nothing(learned: LearnedModel) -> None:
    ledger, external = month()
    renamed = [
        side.with_columns(key=pl.lit("K") + pl.col("key").hash(seed).cast(pl.String))
        for seed, side in ((1, ledger), (2, external))
    ]
    again = learn_from(*renamed)
    assert (again.amount, again.text, again.share) == (learned.amount, learned.text, learned.share)


def test_shuffled_rows_teach_the_same(learned: LearnedModel) -> None:
    shuffled = [side.sample(fraction=1, shuffle=True, seed=9) for side in month()]
    assert learn_from(*shuffled).version == learned.version


def test_it_survives_the_journey_to_json_and_its_content_names_its_version(learned: LearnedModel) -> None:
    again = from_dict(json.loads(json.dumps(learned.to_dict())))
    assert again == learned
    assert again.version == learned.version
    assert again.version.startswith("learned-")


def test_too_few_rows_teach_nothing_and_say_so() -> None:
    with pytest.raises(TooLittleToLearn, match="too few to learn from"):
        learn_from(*month(20))
    with pytest.raises(TooLittleToLearn):
        learn_from(rows(), rows())


def test_references_that_agree_are_learned_from_when_both_sides_have_them() -> None:
    ledger, external = month()
    named = [
        side.with_columns(reference=pl.lit("INV-0") + pl.col("key").str.slice(1))
        for side in (ledger, external)
    ]
    model = learn_from(*named)
    assert model.reference.weights[-1] > 4000 > 0 > model.reference.weights[0]
    assert list(model.reference.weights) == sorted(model.reference.weights)


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(0.1, 9)), min_size=1, max_size=12))
def test_smoothing_gives_what_it_promises(drawn: list[tuple[float, float]]) -> None:
    values, importance = zip(*drawn, strict=True)
    up = rising(values, importance)
    assert all(after >= before - 1e-9 for before, after in pairwise(up))
    assert sum(v * w for v, w in zip(up, importance, strict=True)) == pytest.approx(
        sum(v * w for v, w in drawn), abs=1e-6
    )
    hill = peaked(values, importance, importance)
    peak = hill.index(max(hill))
    assert hill[:peak] == sorted(hill[:peak])
    assert hill[peak:] == sorted(hill[peak:], reverse=True)


# The hard public set: amounts and memos differ, the external side is one to 21 days later.


@pytest.fixture(scope="module")
def hard(shared_data: Path) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    sides = [
        pl.read_csv(shared_data / f"recon_{name}.csv", schema_overrides={"amount": pl.Decimal(14, 2)}).select(
            "amount",
            "currency",
            "description",
            key="txn_id",
            occurred_at=pl.col("date").str.to_datetime("%Y-%m-%d", time_unit="us", time_zone="UTC"),
        )
        for name in ("ledger", "external")
    ]
    truth = pl.read_csv(shared_data / "recon_truth.csv")
    return sides[0], sides[1], truth.select(ledger_key="ledger_txn_id", external_key="external_txn_id")


@pytest.fixture(scope="module")
def solved(hard: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]) -> Result:
    return match(hard[0], hard[1], model=Learning())


def precision_and_recall(pairs: pl.DataFrame, truth: pl.DataFrame) -> tuple[float, float]:
    right = pairs.join(truth, on=["ledger_key", "external_key"], how="semi").height
    return right / max(pairs.height, 1), right / truth.height


def test_the_hard_set_is_solved(
    solved: Result, hard: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]
) -> None:
    precision, recall = precision_and_recall(solved.pairs, hard[2])
    assert 2 * precision * recall / (precision + recall) >= 0.985
    automatic, share = precision_and_recall(solved.pairs.filter(pl.col("end") == "matched"), hard[2])
    assert automatic >= 0.999
    assert share >= 0.93


def test_the_hard_set_shuffled_is_solved_alike(
    solved: Result, hard: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]
) -> None:
    shuffled = [side.sample(fraction=1, shuffle=True, seed=3) for side in hard[:2]]
    again = match(*shuffled, model=Learning())
    assert again.model == solved.model
    for name in ("ledger", "external", "pairs", "options", "groups"):
        assert getattr(again, name).equals(getattr(solved, name)), name


def test_the_default_model_is_not_made_for_rows_that_are_days_apart(
    hard: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame],
) -> None:
    """No true pair is less than a day apart, so within 50 minutes it can only be wrong."""
    precision, recall = precision_and_recall(match(hard[0], hard[1]).pairs, hard[2])
    assert (precision, recall) == (0.0, 0.0)
