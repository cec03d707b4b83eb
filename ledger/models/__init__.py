"""Every table of the ledger. Written by `ledger.services` only; read by anyone through `ledger.selectors`."""

from .accounts import Account, AccountKind, BalanceSnapshot, Currency, GuardedBalance
from .archives import ArchivedAccountTotal, ArchivedFile, ArchivedMonth
from .batches import BatchAccountTotal, JournalRun, JournalShard, RunReject, RunState, RunTripTotal
from .credits import CreditDecision, OpeningImport, OutgoingMethod
from .drawers import CheckBounce, Drawer, DrawerClose, DrawerMovement
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
from .installments import InstallmentStatus
from .journal import (
    AccountingMonth,
    EntryHeader,
    EntryLine,
    EntryReversal,
    LedgerSeal,
    ManualJournal,
    MonthEvent,
    Origin,
    SourceRowJournalised,
)
from .payments import InterimPayment, PaymentMethod
from .payout_methods import PayoutHold, PayoutInstruction, PayoutMethod
from .payouts import Checkbook, PayoutBatch, PayoutCheck, PayoutItem, PayoutReturn, ReturnFile
from .source import ImportBatch, ParkedRow, SourceReject, SourceRowSeen, SourceTransaction, TripTotal
from .statements import DTR, DTRPayment, WeeklyRun
from .templates import (
    JournalTemplate,
    JournalTemplateControl,
    JournalTemplateLine,
    JournalTemplateMatch,
    ProductAccountMap,
    TemplatePolicy,
)

__all__ = [
    "DTR",
    "Account",
    "AccountKind",
    "AccountingMonth",
    "ArchivedAccountTotal",
    "ArchivedFile",
    "ArchivedMonth",
    "BalanceSnapshot",
    "BatchAccountTotal",
    "Category",
    "CategoryRank",
    "CheckBounce",
    "Checkbook",
    "CreditDecision",
    "Currency",
    "DTRPayment",
    "Drawer",
    "DrawerClose",
    "DrawerMovement",
    "DriverAccount",
    "EntryHeader",
    "EntryLine",
    "EntryReversal",
    "EntryType",
    "GuardedBalance",
    "ImportBatch",
    "InstallmentStatus",
    "InterimPayment",
    "JournalRun",
    "JournalShard",
    "JournalTemplate",
    "JournalTemplateControl",
    "JournalTemplateLine",
    "JournalTemplateMatch",
    "LedgerAllocation",
    "LedgerBalance",
    "LedgerPosting",
    "LedgerSeal",
    "ManualJournal",
    "MonthEvent",
    "OpeningImport",
    "Origin",
    "OutgoingMethod",
    "ParkedRow",
    "PaymentMethod",
    "PayoutBatch",
    "PayoutCheck",
    "PayoutHold",
    "PayoutInstruction",
    "PayoutItem",
    "PayoutMethod",
    "PayoutReturn",
    "ProductAccountMap",
    "ReturnFile",
    "RunReject",
    "RunState",
    "RunTripTotal",
    "SourceReject",
    "SourceRowJournalised",
    "SourceRowSeen",
    "SourceTransaction",
    "Tax",
    "TemplatePolicy",
    "TripTotal",
    "WeeklyRun",
]
