"""Where scheduled charges come from: the registry the weekly run asks for installments that are due.

A source module (leases, repairs, loans) registers one object; a new kind of charge touches no ledger code.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol
from uuid import UUID

from .obligations import Obligation, reserve_references


@dataclass(frozen=True)
class DueInstallment:
    """One row of a source's schedule that is due, and the obligation it becomes."""

    source_id: int
    obligation: Obligation


class InstallmentSource(Protocol):
    """What a source module offers the weekly run. All three are set-based and safe to repeat."""

    name: str
    category: str
    reference_pattern: (
        str  # a regular expression: the references of its installments, which nobody else may use
    )

    def prepare(self, *, through: date) -> None:
        """Make every schedule row due on or before `through` that does not exist yet."""

    def due(self, *, through: date, limit: int, part: int = 0, parts: int = 1) -> Sequence[DueInstallment]:
        """Up to `limit` rows due on or before `through` that were never posted, in account order.

        Of `parts` that ask at the same time, each asks for a `part` of its own, from 0: the accounts whose id
        divided by `parts` leaves that.
        """

    def mark_posted(self, posted: Sequence[tuple[int, UUID]]) -> None:
        """Link rows to their postings: (source_id, posting id), in the transaction that posted them."""


_sources: dict[str, InstallmentSource] = {}


def register_source(source: InstallmentSource) -> None:
    """Announce a source of installments; called once from the source app's `ready`."""
    _sources[source.name] = source
    reserve_references(source.category, source.reference_pattern)


def registered_sources() -> Sequence[InstallmentSource]:
    """The sources in the order of their names, so that runs are alike."""
    return [_sources[name] for name in sorted(_sources)]
