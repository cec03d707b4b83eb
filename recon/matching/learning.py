"""Learning what agreement means in two sets of rows, without being told a single match.

Fellegi and Sunter's model: a level of agreement in a field is as strong as it is more frequent among rows that
belong together than among rows that do not. Neither is known, so expectation and maximisation take turns: from the
weights of the moment follows how probable each candidate is (against all others of its ledger row, and none), and
from these probabilities follow the frequencies and so the weights. How frequent a level is by chance is counted in
pairs drawn evenly from the same windows, less the part of them that are matches.

Weights are kept monotone: more difference never speaks louder for a pair, more likeness never against it, and the
delay has one peak. Identifiers of rows are not looked at; references are compared, as a person would.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2

import polars as pl

from batconnect.common.errors import BatConnectError

from .candidates import MEANINGFUL, Candidates
from .models import (
    ANY_AMOUNT,
    DAY,
    STANDARD_LIMITS,
    STANDARD_WINDOWS,
    Evidence,
    LearnedModel,
    Limits,
    Windows,
)
from .rows import Sides
from .scoring import compare, compare_fields, in_order, level, rivals

SAMPLE = 20_000  # ledger rows
DRAWN = 25  # pairs drawn for each of them
FEWEST_MATCHES = 30
MOST_ROUNDS = 60
SETTLED = 5  # thousandths of a bit
HALF = 0.5  # of a pair, added to each level: what was never seen is rare, not impossible
SURE = (0.001, 0.999)

# Where the levels are cut, and what is believed before the first round.
HOUR = 3_600
AMOUNT = Evidence(
    (0.0, 0.001, 0.005, 0.01, 0.02, 0.03, 0.045, 0.06, 0.08, 0.1, 0.15),
    (8000, 5000, 4000, 3500, 3000, 2000, 1000, 0, -1000, -2000, -4000, -8000),
)
DELAY_EDGES = (
    *(-7.5 * DAY, -3.5 * DAY, -1.5 * DAY, -DAY / 2, -HOUR, -301.0, -61.0),
    *(
        60.0,
        300.0,
        HOUR,
        DAY / 2,
        1.5 * DAY,
        2.5 * DAY,
        3.5 * DAY,
        6.5 * DAY,
        10.5 * DAY,
        21.5 * DAY,
        31.5 * DAY,
    ),
)
DELAY = Evidence(DELAY_EDGES, (0,) * (len(DELAY_EDGES) + 1))
TEXT = Evidence(
    (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 15.0, 20.0),
    (-6000, -4000, -2000, 0, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10000, 11000, 12000),
)
REFERENCE = Evidence((0.6, 0.8, 0.89, 0.95, 0.999), (-3000, -2000, 0, 3000, 5000, 10000))
FIELDS = {"share": AMOUNT, "delay": DELAY, "text": TEXT, "reference": REFERENCE}


class TooLittleToLearn(BatConnectError):
    """There are too few pairs that look like matches; use a model learned elsewhere, or the default one."""

    code = "recon.too_little_to_learn"
    message = (
        "Of {rows} ledger rows about {matches} seem to have a partner; that is too few to learn from. Use the default "
        "model, or one that was learned from more rows."
    )


def learn(
    sides: Sides,
    *,
    windows: Windows = STANDARD_WINDOWS,
    limits: Limits = STANDARD_LIMITS,
    left: pl.Series | None = None,
    right: pl.Series | None = None,
) -> LearnedModel:
    """The model that explains these rows best. left, right: the rows that are still free; all, if not said.

    At most some twenty thousand ledger rows are looked at, spread evenly over time, against the whole other side.
    Raises TooLittleToLearn.
    """
    left = sides.ledger["row"] if left is None else left
    right = sides.external["row"] if right is None else right
    sample = left.gather_every(max(1, len(left) // SAMPLE))
    material = _gather(sides, windows, sample, right)
    belief = {name: [float(weight) for weight in evidence.weights] for name, evidence in FIELDS.items()}
    share, rounds, settled = 0.5, 0, False
    while rounds < MOST_ROUNDS and not settled:
        rounds += 1
        probable = _expect(material, belief, share)
        matches = float(probable.sum())
        share = min(max(matches / max(len(sample), 1), SURE[0]), SURE[1])
        better = {name: _maximise(name, material, probable) for name in FIELDS}
        settled = all(
            abs(new - old) <= SETTLED
            for name in FIELDS
            for new, old in zip(better[name], belief[name], strict=True)
        )
        belief = better
    if matches < FEWEST_MATCHES:
        raise TooLittleToLearn(rows=len(sample), matches=round(matches))
    evidence = {
        name: Evidence(FIELDS[name].edges, tuple(round(weight) for weight in belief[name])) for name in FIELDS
    }
    return LearnedModel(
        amount=evidence["share"],
        delay=evidence["delay"],
        text=evidence["text"],
        reference=evidence["reference"],
        share=round(share, 4),
        windows=windows,
        limits=limits,
        learned_from={
            "ledger_rows": len(sample),
            "external_rows": len(right),
            "candidates": material.pairs.height,
            "rounds": rounds,
        },
    )


@dataclass(frozen=True)
class _Material:
    """pairs: the sample's candidates as levels, with l and count. drawn: pairs by chance as levels, with the place
    of the same pair among the candidates, where it is one. present: fields that have anything to compare."""

    pairs: pl.DataFrame
    drawn: pl.DataFrame


def _gather(sides: Sides, windows: Windows, sample: pl.Series, right: pl.Series) -> _Material:
    found, _ = Candidates(sides, windows, MEANINGFUL, right).of(sample)
    pairs = compare(sides, found, windows)
    reach = rivals(sides, windows, right)
    drawn = _draw(sides, reach, sample, right)
    # The amount's window is not applied: how rare it is to be inside is part of what the amount says.
    drawn = compare(sides, drawn, Windows(windows.earliest, windows.latest, ANY_AMOUNT))
    levels = [
        compare_fields(sides, part).select(
            "l", "x", *(level(pl.col(name), evidence).alias(name) for name, evidence in FIELDS.items())
        )
        for part in (pairs, drawn)
    ]
    candidates = levels[0].with_columns(count=reach["count"].gather(levels[0]["l"]).clip(1))
    numbered = candidates.select("l", "x").with_row_index("place")
    return _Material(candidates, levels[1].join(numbered, on=["l", "x"], how="left", maintain_order="left"))


def _draw(sides: Sides, reach: pl.DataFrame, sample: pl.Series, right: pl.Series) -> pl.DataFrame:
    """For each ledger row of the sample some external rows of its gate and window, spread over it evenly."""
    ordered = in_order(sides, right)["row"]
    steps = pl.DataFrame({"step": range(DRAWN)}, schema={"step": pl.Int64})
    wanted = reach.select("first", "count")[sample].with_columns(l=sample).filter(pl.col("count") > 0)
    # Each row starts elsewhere in its window: a golden ratio of steps leaves no gaps and repeats no pattern.
    shift = (pl.col("l").cast(pl.Int64) * 618_034) % 1_000_000
    place = (pl.col("step") * 1_000_000 + shift) * pl.col("count") // (DRAWN * 1_000_000)
    drawn = (
        wanted.join(steps, how="cross").select("l", place=pl.col("first") + place).unique().sort("l", "place")
    )
    return drawn.select("l", x=ordered.gather(drawn["place"]))


def _expect(material: _Material, belief: dict[str, list[float]], share: float) -> pl.Series:
    """How probable it is that each candidate is a match: one of its ledger row's candidates is, or none."""
    bits = [
        pl.col(name)
        .replace_strict(dict(enumerate(weights)), default=None, return_dtype=pl.Float64)
        .fill_null(0.0)
        for name, weights in belief.items()
    ]
    odds = pl.lit(2.0) ** (pl.sum_horizontal(bits) / 1000) * share / pl.col("count")
    return (
        material.pairs.lazy()
        .with_columns(odds=odds)
        .select(probable=pl.col("odds") / (1 - share + pl.col("odds").sum().over("l")))
        .collect()["probable"]
    )


def _maximise(name: str, material: _Material, probable: pl.Series) -> list[float]:
    """The field's weights: how much more frequent each level is among matches than by chance."""
    among_matches = _frequencies(name, material.pairs.with_columns(times=probable))
    chance = 1 - probable.gather(material.drawn["place"]).fill_null(0.0)
    by_chance = _frequencies(name, material.drawn.with_columns(times=chance))
    total, total_by_chance = sum(among_matches), sum(by_chance)
    if total < 1:
        return [0.0] * len(among_matches)
    weights = [
        1000 * log2(((m + HALF) / (total + HALF)) / ((u + HALF) / (total_by_chance + HALF)))
        for m, u in zip(among_matches, by_chance, strict=True)
    ]
    seen = [m + u / DRAWN + HALF for m, u in zip(among_matches, by_chance, strict=True)]
    if name == "share":
        return [-weight for weight in rising([-weight for weight in weights], seen)]
    if name == "delay":
        return peaked(weights, seen, among_matches)
    return rising(weights, seen)


def _frequencies(name: str, pairs: pl.DataFrame) -> list[float]:
    found = dict(pairs.drop_nulls(name).group_by(name).agg(pl.col("times").sum()).iter_rows())
    return [float(found.get(number, 0.0)) for number in range(len(FIELDS[name].weights))]


def rising(values: Sequence[float], importance: Sequence[float]) -> list[float]:
    """The nearest values that never fall: neighbours that do are replaced by their weighted mean."""
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values, importance, strict=True):
        mean, mass, length = value, weight, 1
        while blocks and blocks[-1][0] > mean:
            before, heavy, long = blocks.pop()
            mean = (mean * mass + before * heavy) / (mass + heavy)
            mass, length = mass + heavy, length + long
        blocks.append((mean, mass, length))
    return [mean for mean, _, length in blocks for _ in range(length)]


def peaked(values: Sequence[float], importance: Sequence[float], times: Sequence[float]) -> list[float]:
    """The nearest values that rise to a peak and fall from there.

    The peak is the highest of the levels that a hundredth of all matches have (`times`): what was hardly ever seen
    may look like anything.
    """
    common = [place for place, count in enumerate(times) if count >= sum(times) / 100]
    peak = max(common, key=lambda place: values[place])
    up = rising(values[: peak + 1], importance[: peak + 1])
    down = rising([-value for value in values[peak:]], importance[peak:])
    return [*up[:-1], max(up[-1], -down[0]), *(-value for value in down[1:])]
