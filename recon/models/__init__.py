"""Tables of reconciliation: sources and models, jobs and what they found, matches and what people decided.

And what the card processor sends: fetched trips, and settlements.
"""

from .curb import CurbFetch, CurbSettlement, Row, SettlementStatus
from .jobs import ExternalRow, Outcome, ReconJob, ReconLog, Side
from .matches import ReconMatch, ReconMatchRow, ReconNote
from .sources import ReconModel, ReconSource

__all__ = [
    "CurbFetch",
    "CurbSettlement",
    "ExternalRow",
    "Outcome",
    "ReconJob",
    "ReconLog",
    "ReconMatch",
    "ReconMatchRow",
    "ReconModel",
    "ReconNote",
    "ReconSource",
    "Row",
    "SettlementStatus",
    "Side",
]
