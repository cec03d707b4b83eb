"""Every table of the ledger. Written by `ledger.services` only; read by anyone through `ledger.selectors`."""

from .driver_ledger import (
    Category,
    CategoryRank,
    DriverAccount,
    EntryType,
    LedgerAllocation,
    LedgerBalance,
    LedgerPosting,
    Tax,
)
from .payments import InterimPayment, PaymentMethod
from .source import ImportBatch, ParkedRow, SourceRowSeen, SourceTransaction, TripTotal
from .statements import DTR, DTRPayment, WeeklyRun

__all__ = [
    "DTR",
    "Category",
    "CategoryRank",
    "DTRPayment",
    "DriverAccount",
    "EntryType",
    "ImportBatch",
    "InterimPayment",
    "LedgerAllocation",
    "LedgerBalance",
    "LedgerPosting",
    "ParkedRow",
    "PaymentMethod",
    "SourceRowSeen",
    "SourceTransaction",
    "Tax",
    "TripTotal",
    "WeeklyRun",
]
