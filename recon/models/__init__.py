"""Tables of reconciliation: sources and models, jobs and what they found, matches and what people decided; tolls and
tickets, and what was decided about them; and what the card processor sends: fetched trips, and settlements.
"""

from .agency import (
    AgencyDecision,
    AgencyFile,
    AgencyItem,
    AgencyKind,
    AgencyReject,
    MoneyState,
    Payer,
    State,
)
from .curb import CurbFetch, CurbSettlement, Row, SettlementStatus
from .jobs import ExternalRow, Outcome, ReconJob, ReconLog, Side
from .matches import ReconMatch, ReconMatchRow, ReconNote
from .sources import ReconModel, ReconSource

__all__ = [
    "AgencyDecision",
    "AgencyFile",
    "AgencyItem",
    "AgencyKind",
    "AgencyReject",
    "CurbFetch",
    "CurbSettlement",
    "ExternalRow",
    "MoneyState",
    "Outcome",
    "Payer",
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
    "State",
]
