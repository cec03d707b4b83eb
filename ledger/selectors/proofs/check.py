"""What a proof is made of, and what it gives."""

from dataclasses import dataclass
from typing import NamedTuple


class Check(NamedTuple):
    """One proof: when all is well, the rows of `table` are counted, in these words.

    `query` must be empty when the proof holds; its one text column names what is wrong, worst first.
    """

    name: str
    table: str
    counted: str
    query: str


@dataclass(frozen=True)
class Proof:
    """One proof's outcome; `detail` says how much was compared, or names the first thing that breaks it."""

    name: str
    ok: bool
    detail: str


def money(amount: str) -> str:
    """SQL that shows a journal amount with two decimals, and more only where it has more."""
    return f"round({amount}, greatest(2, scale(trim_scale({amount}))))"
