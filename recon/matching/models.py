"""The two ways to score a pair, as plain values that can be kept, compared and used again.

`DefaultModel` adds three weighted parts. `LearnedModel` adds evidence: per field, how many bits an agreement of
that level speaks for or against (`learning.py` finds them in the rows). Both are frozen, versioned by their content
and go to JSON and back.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any, Self

DAY = 86_400
ANY_AMOUNT = 2.0  # two amounts of one sign differ by less than twice their mean


@dataclass(frozen=True)
class Windows:
    """How far apart the rows of a pair may be to be compared at all.

    earliest, latest: seconds from the ledger's row to the external one (negative: external came first).
    amount_share: the difference as a share of the mean of both amounts.
    """

    earliest: float
    latest: float
    amount_share: float

    def __post_init__(self) -> None:
        if not (self.earliest <= self.latest and 0 <= self.amount_share <= ANY_AMOUNT):
            raise ValueError(f"no window is {self}")

    @classmethod
    def of(cls, *, earliest: timedelta, latest: timedelta, amount_share: float) -> Self:
        return cls(earliest.total_seconds(), latest.total_seconds(), amount_share)


@dataclass(frozen=True)
class Limits:
    """From which score a pair is a match, or a suggestion, and how near a rival makes it ambiguous."""

    match: float
    suggest: float
    margin: float

    def __post_init__(self) -> None:
        if not 0 < self.suggest <= self.match <= 1 or self.margin < 0:
            raise ValueError(f"no limits are {self}")


@dataclass(frozen=True)
class DefaultModel:
    """Amount, time and text, weighted. Scores are from 0 to 1.

    With d the amount difference as a share of the mean and t the seconds between: amount is 1 when equal,
    1 - 0.5 d / tight_share up to `tight_share`, then max(0, 0.5 (1 - d)); time is 1 - 0.5 t / near_seconds up to
    `near_seconds`, then 0.5 (1 - (t - near) / (far - near)) up to `far_seconds`, then 0; text is the ratio of the
    descriptions, 0.5 where there is nothing to compare.
    """

    amount_weight: float = 0.4
    time_weight: float = 0.3
    text_weight: float = 0.3
    tight_share: float = 0.001
    near_seconds: float = 300
    far_seconds: float = 3_000
    windows: Windows = field(default_factory=lambda: Windows(-3_000, 3_000, 0.05))
    limits: Limits = field(default_factory=lambda: Limits(match=0.8, suggest=0.8, margin=0.02))

    @property
    def version(self) -> str:
        return _version("default", self)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": "default", **asdict(self)}


@dataclass(frozen=True)
class Evidence:
    """What each level of agreement in one field says, in thousandths of a bit.

    A value's level is the number of `edges` it exceeds; `weights` has one more than there are edges. Where a side
    has nothing to compare, the field says nothing.
    """

    edges: tuple[float, ...]
    weights: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.weights) != len(self.edges) + 1 or sorted(self.edges) != list(self.edges):
            raise ValueError(f"{len(self.weights)} weights do not belong to edges {self.edges}")


@dataclass(frozen=True)
class LearnedModel:
    """Evidence per field. A pair's score is the probability that its rows belong together.

    amount: by difference as a share of the mean, never rising; delay: by seconds from ledger to external, rising to
    one peak and falling; text: by bits shared times likeness, never falling; reference: by likeness, never falling.
    share: of the ledger's rows, those that have a partner. learned_from: counts, for people.
    """

    amount: Evidence
    delay: Evidence
    text: Evidence
    reference: Evidence
    share: float
    windows: Windows
    limits: Limits
    learned_from: dict[str, int] = field(default_factory=dict, hash=False)

    @property
    def version(self) -> str:
        return _version("learned", self)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": "learned", **asdict(self)}


Model = DefaultModel | LearnedModel

STANDARD_WINDOWS = Windows(-3.5 * DAY, 31.5 * DAY, 0.15)
STANDARD_LIMITS = Limits(match=0.9, suggest=0.3, margin=0.1)


def from_dict(values: dict[str, Any]) -> Model:
    """The model that `to_dict` wrote, also after a journey through JSON. Raises ValueError, KeyError or TypeError."""
    values = dict(values)
    kind = values.pop("kind")
    values["windows"] = Windows(**values["windows"])
    values["limits"] = Limits(**values["limits"])
    if kind == "default":
        return DefaultModel(**values)
    if kind != "learned":
        raise ValueError(f"no model is called {kind}")
    for name in ("amount", "delay", "text", "reference"):
        evidence = values[name]
        values[name] = Evidence(tuple(evidence["edges"]), tuple(evidence["weights"]))
    return LearnedModel(**values)


def _version(kind: str, model: "Model") -> str:
    content = json.dumps(asdict(model), sort_keys=True, separators=(",", ":"))
    return f"{kind}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"
