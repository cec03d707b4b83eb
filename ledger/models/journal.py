"""The journal: entries and their lines, the months they lie in, and what is asked for before it is entered.

Headers and lines are partitioned by month and batch and only ever inserted; the database holds that every entry
balances (`migrations/sql/0008_journal.sql`). Django knows them by one key; in the database the month and the
batch belong to it.
"""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from batconnect.common.protection import APPEND_ONLY, NEVER_DELETED, NEVER_TRUNCATED

from .accounts import JOURNAL_MONEY, Account, Currency


class Origin(models.TextChoices):
    """What made an entry; a control account takes entries of its own origins alone."""

    POSTING = "POSTING", "Driver posting"
    TRIP = "TRIP", "Trip"
    DTR = "DTR", "Net pay handed over or returned"
    LOAN = "LOAN", "Loan paid out or forgiven"
    DEPOSIT = "DEPOSIT", "Deposit refunded"
    TRANSFER = "TRANSFER", "Transfer"
    MANUAL = "MANUAL", "Manual journal"
    BATCH = "BATCH", "Bulk batch"
    RECON = "RECON", "Reconciliation"
    HOUSE = "HOUSE", "Event of the fleet"


class EntryHeader(models.Model):
    """One balanced journal entry. `line_count` and `total` (the sum of its debits) say what its lines must be.

    `je_date` is the accounting date, `event_on` the day it happened. What it comes from is named by one of
    posting, source transaction or `reference`.
    """

    id = models.BigIntegerField(primary_key=True)
    je_date = models.DateField()
    batch_id = models.BigIntegerField(db_default=0)
    je_number = models.CharField(max_length=30, editable=False)
    origin = models.CharField(max_length=12, choices=Origin.choices)
    template = models.ForeignKey(
        "ledger.JournalTemplate",
        on_delete=models.PROTECT,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    posting = models.ForeignKey(
        "ledger.LedgerPosting",
        on_delete=models.PROTECT,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="entries",
    )
    source_id = models.BigIntegerField(null=True)
    reverses = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, db_constraint=False, db_index=False, related_name="+"
    )
    reverses_date = models.DateField(null=True)
    event_on = models.DateField()
    line_count = models.SmallIntegerField()
    total = models.DecimalField(**JOURNAL_MONEY)
    reference = models.CharField(max_length=80, db_default="")
    description = models.CharField(max_length=160, db_default="")
    metadata = models.JSONField(null=True)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )

    class Meta:
        db_table = "ledger_entry_header"
        ordering = ["-id"]
        verbose_name = "journal entry"
        verbose_name_plural = "journal entries"
        permissions = [
            ("enter_journal", "Can enter manual journals"),
            ("approve_journal", "Can approve and reject manual journals"),
            ("read_reports", "Can read financial reports"),
        ]

    def __str__(self) -> str:
        return self.je_number


class EntryLine(models.Model):
    """One side of an entry: DR or CR, an amount above zero.

    `template_line` is the number of the template's line it was made of; 0 where it came online.
    """

    class Side(models.TextChoices):
        DR = "DR", "Debit"
        CR = "CR", "Credit"

    id = models.BigIntegerField(primary_key=True)
    entry = models.ForeignKey(
        EntryHeader, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="lines"
    )
    line_number = models.SmallIntegerField()
    je_date = models.DateField()
    batch_id = models.BigIntegerField(db_default=0)
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="lines"
    )
    fund = models.CharField(max_length=10, db_default="OP")
    currency = models.ForeignKey(
        Currency,
        on_delete=models.PROTECT,
        db_constraint=False,
        db_index=False,
        related_name="+",
        db_column="currency",
    )
    side = models.CharField(max_length=2, choices=Side.choices)
    amount = models.DecimalField(**JOURNAL_MONEY)
    template_line = models.SmallIntegerField(db_default=0)

    class Meta:
        db_table = "ledger_entry_line"
        ordering = ["entry_id", "line_number"]

    def __str__(self) -> str:
        return f"{self.side} {self.account_id} {self.amount}"


class EntryReversal(models.Model):
    """That an entry was reversed, and by which; at most once. Written by the database."""

    entry_id = models.BigIntegerField(primary_key=True)
    reversed_by_id = models.BigIntegerField()
    reversed_by_date = models.DateField()

    class Meta:
        db_table = "ledger_entry_reversal"
        triggers = NEVER_DELETED

    def __str__(self) -> str:
        return f"{self.entry_id} by {self.reversed_by_id}"


class SourceRowJournalised(models.Model):
    """That a source transaction has its entry, so that none gets a second. Written by the database.

    Gone only when that entry was reversed: then the row may be journalised again.
    """

    source_id = models.BigIntegerField(primary_key=True)
    entry_id = models.BigIntegerField()
    je_date = models.DateField()

    class Meta:
        db_table = "source_row_journalised"
        triggers = NEVER_TRUNCATED

    def __str__(self) -> str:
        return f"{self.source_id} in {self.entry_id}"


class AccountingMonth(models.Model):
    """A month that was closed, or closed and reopened. A month without a row was never closed.

    A CLOSED one takes nothing; the database says so. They close in order, and the last closed reopens first.
    """

    class Status(models.TextChoices):
        CLOSED = "CLOSED", "Closed"
        REOPENED = "REOPENED", "Reopened"

    month = models.DateField(primary_key=True)
    status = models.CharField(max_length=8, choices=Status.choices)

    class Meta:
        db_table = "accounting_month"
        ordering = ["-month"]
        constraints = [
            models.CheckConstraint(condition=Q(month__day=1), name="accounting_month_is_first_day"),
        ]
        permissions = [
            ("close_month", "Can close months"),
            ("reopen_month", "Can reopen months"),
        ]
        triggers = NEVER_DELETED

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"


class MonthEvent(models.Model):
    """A month closed or reopened: by whom, when, and why; append-only."""

    month = models.ForeignKey(AccountingMonth, on_delete=models.PROTECT, related_name="events")
    status = models.CharField(max_length=8, choices=AccountingMonth.Status.choices)
    reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    class Meta:
        db_table = "accounting_month_event"
        ordering = ["id"]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return f"{self.month_id} {self.status}"


class ManualJournal(models.Model):
    """A journal somebody wrote and somebody else approves; entered into the journal when approved.

    `lines` is a list of {account, side, amount, fund, currency}: account codes, amounts as strings.
    `reverses` names the entry that this one takes back.
    """

    class Status(models.TextChoices):
        SUBMITTED = "SUBMITTED", "Waiting for approval"
        POSTED = "POSTED", "Posted"
        REJECTED = "REJECTED", "Rejected"

    number = models.CharField(max_length=20, unique=True)
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.SUBMITTED)
    je_date = models.DateField()
    description = models.CharField(max_length=160)
    reference = models.CharField(max_length=80, blank=True)
    lines = models.JSONField()
    metadata = models.JSONField(null=True, blank=True)
    reverses_id = models.BigIntegerField(null=True)
    reverses_date = models.DateField(null=True)
    reason = models.CharField(max_length=500, blank=True)
    entry_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    decision_note = models.CharField(max_length=500, blank=True)

    class Meta:
        db_table = "manual_journal"
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("created_by")),
                name="manual_journal_approved_by_another",
            ),
            models.CheckConstraint(
                condition=Q(status="SUBMITTED", decided_by__isnull=True, entry_id__isnull=True)
                | Q(status="POSTED", decided_by__isnull=False, entry_id__isnull=False)
                | Q(status="REJECTED", decided_by__isnull=False, entry_id__isnull=True),
                name="manual_journal_decided",
            ),
            models.UniqueConstraint(
                fields=["entry_id"], condition=Q(entry_id__isnull=False), name="manual_journal_entry_once"
            ),
        ]
        triggers = NEVER_DELETED

    def __str__(self) -> str:
        return self.number


class LedgerSeal(models.Model):
    """A block of one log, hashed, each chained to the block before: what changed later no longer fits its hash.

    `first_key` and `last_key` bound the block's rows in the order of the log, within `batch_id` (0 is what came
    online). `marks` holds 16 bytes a row, its key and the beginning of its hash, so that what changed can be named.
    Append-only.
    """

    class Log(models.TextChoices):
        POSTINGS = "POSTINGS", "Postings"
        ALLOCATIONS = "ALLOCATIONS", "Allocations"
        HEADERS = "HEADERS", "Journal headers"
        LINES = "LINES", "Journal lines"

    log = models.CharField(max_length=11, choices=Log.choices)
    block = models.PositiveIntegerField()
    batch_id = models.BigIntegerField(db_default=0)
    first_key = models.BigIntegerField()
    last_key = models.BigIntegerField()
    rows = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    chain = models.CharField(max_length=64)
    marks = models.BinaryField()
    sealed_at = models.DateTimeField(auto_now_add=True)
    sealed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    class Meta:
        db_table = "ledger_seal"
        ordering = ["log", "block"]
        constraints = [
            models.UniqueConstraint(fields=["log", "block"], name="ledger_seal_block_once"),
            models.CheckConstraint(
                condition=Q(last_key__gte=F("first_key")), name="ledger_seal_keys_in_order"
            ),
        ]
        permissions = [("seal_ledger", "Can seal the ledger")]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return f"{self.log} {self.block}"
