"""Tables of reconciliation: sources and models, jobs and what they found, matches and what people decided."""

from .jobs import ExternalRow, Outcome, ReconJob, ReconLog, Side
from .matches import ReconMatch, ReconMatchRow, ReconNote
from .sources import ReconModel, ReconSource

__all__ = [
    "ExternalRow",
    "Outcome",
    "ReconJob",
    "ReconLog",
    "ReconMatch",
    "ReconMatchRow",
    "ReconModel",
    "ReconNote",
    "ReconSource",
    "Side",
]
