"""The sub-ledger: accounts, postings, their open items, and the allocations between them.

A posting is a fact and never changes. Inserting one makes its open item (`LedgerBalance`) and moves its
account's running balance, inside the database, so the three sums cannot part. Allocations move two open items
towards zero in the same way. See `ledger/README.md`.
"""

from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Case, F, Func, Q, Value, When
from simple_history.models import HistoricalRecords

from batconnect.common.protection import APPEND_ONLY, NEVER_DELETED

MONEY: Any = {"max_digits": 14, "decimal_places": 2}


class Category(models.TextChoices):
    """What a posting is for. `CategoryRank` says in which order debits are paid and credits are used."""

    TAXES = "TAXES", "Taxes"
    EZPASS = "EZPASS", "E-ZPass tolls"
    LEASE = "LEASE", "Lease"
    PVB = "PVB", "Parking violations"
    TLC = "TLC", "TLC tickets"
    REPAIR = "REPAIR", "Repairs"
    LOAN = "LOAN", "Loans"
    MISC = "MISC", "Miscellaneous"
    DEPOSIT = "DEPOSIT", "Deposit"
    CANCELLATION_FEE = "CANCELLATION_FEE", "Cancellation fee"
    EARNINGS = "EARNINGS", "Card earnings"
    INTERIM_PAYMENT = "INTERIM_PAYMENT", "Payment at the desk"
    DEPOSIT_APPLIED = "DEPOSIT_APPLIED", "Deposit applied"
    ADJUSTMENT = "ADJUSTMENT", "Adjustment"
    WRITE_OFF = "WRITE_OFF", "Write-off"
    PAYOUT = "PAYOUT", "Net pay"


class Tax(models.TextChoices):
    """The products of TAXES: one posting each, per driver, lease and week."""

    MTA = "MTA", "MTA tax"
    IMPROVEMENT = "IMPROVEMENT", "Improvement surcharge"
    CONGESTION = "CONGESTION", "Congestion surcharge"
    AIRPORT = "AIRPORT", "Airport fee"
    CBD = "CBD", "Central business district toll"


class EntryType(models.TextChoices):
    DEBIT = "DEBIT", "Debit"
    CREDIT = "CREDIT", "Credit"


def _uuid7() -> Func:
    return Func(function="uuid7", output_field=models.UUIDField())


def _entry_type(amount: str) -> models.GeneratedField:
    return models.GeneratedField(
        expression=Case(When(**{f"{amount}__gt": 0}, then=Value("DEBIT")), default=Value("CREDIT")),
        output_field=models.CharField(max_length=6, choices=EntryType.choices),
        db_persist=True,
    )


class CategoryRank(models.Model):
    """The payment hierarchy as data: lower ranks are paid first (debits) or used first (credits)."""

    category = models.CharField(max_length=20, choices=Category.choices)
    side = models.CharField(max_length=6, choices=EntryType.choices)
    rank = models.PositiveSmallIntegerField()
    history = HistoricalRecords()

    class Meta:
        db_table = "category_rank"
        ordering = ["-side", "rank", "category"]
        constraints = [
            models.UniqueConstraint(fields=["category", "side"], name="category_rank_once"),
        ]
        permissions = [("change_hierarchy", "Can change the payment hierarchy")]

    def __str__(self) -> str:
        return f"{self.get_side_display()} {self.rank}: {self.get_category_display()}"


class DriverAccount(models.Model):
    """What one driver owes (positive) or is owed (negative) on one lease.

    `balance` is the sum of the account's postings, kept by the database. Locking this row is how every
    service serialises work on an account; many are always locked in id order.
    """

    driver = models.ForeignKey("leases.Driver", on_delete=models.PROTECT, related_name="accounts")
    lease = models.ForeignKey("leases.Lease", on_delete=models.PROTECT, related_name="accounts")
    balance = models.DecimalField(**MONEY, db_default=0, editable=False)

    class Meta:
        db_table = "driver_account"
        constraints = [
            models.UniqueConstraint(fields=["driver", "lease"], name="driver_account_once"),
        ]

    def __str__(self) -> str:
        return f"account {self.pk}"


class LedgerPosting(models.Model):
    """One immutable financial event on an account. Debits are positive: the driver owes more.

    `effective_on` is the accounting date, `event_on` the day it happened, `due_on` (debits) when it is to be
    paid. `seq` grows within an account in the order postings became visible. A reversal names what it undoes;
    inserting it is the only thing that turns a posting VOIDED. A replacement names what it corrects.
    `run_week` is set on what a weekly run posted. Driver, lease, vehicle and medallion are those of the lease
    when posted; their references are checked once per statement, not by constraint (decision 004).
    """

    class Status(models.TextChoices):
        POSTED = "POSTED", "Posted"
        VOIDED = "VOIDED", "Voided"

    id = models.UUIDField(primary_key=True, db_default=_uuid7(), editable=False)
    seq = models.BigIntegerField(db_default=Func(Value("ledger_posting_seq"), function="nextval"))
    account = models.ForeignKey(
        DriverAccount, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="postings"
    )
    driver = models.ForeignKey(
        "leases.Driver", on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="+"
    )
    lease = models.ForeignKey(
        "leases.Lease", on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="+"
    )
    vehicle = models.ForeignKey(
        "leases.Vehicle", on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="+"
    )
    medallion = models.ForeignKey(
        "leases.Medallion", on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="+"
    )
    category = models.CharField(max_length=20, choices=Category.choices)
    amount = models.DecimalField(**MONEY)
    entry_type = _entry_type("amount")
    status = models.CharField(max_length=6, choices=Status.choices, db_default=Status.POSTED)
    reference_id = models.CharField(max_length=80)
    product = models.CharField(max_length=40, blank=True, db_default="")
    components = models.JSONField(null=True)
    description = models.CharField(max_length=160, blank=True, db_default="")
    reversal_for = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="reversals",
    )
    replaces = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="replacements",
    )
    effective_on = models.DateField()
    event_on = models.DateField()
    due_on = models.DateField(null=True)
    run_week = models.DateField(null=True)
    reason = models.CharField(max_length=500, blank=True, db_default="")
    created_at = models.DateTimeField(db_default=Func(function="statement_timestamp"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )

    class Meta:
        db_table = "ledger_posting"
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=~Q(amount=0), name="ledger_posting_not_zero"),
            models.CheckConstraint(condition=~Q(reference_id=""), name="ledger_posting_has_reference"),
            models.CheckConstraint(
                condition=Q(amount__lt=0) | Q(due_on__isnull=False), name="ledger_posting_debit_has_due_date"
            ),
            models.CheckConstraint(
                condition=Q(reversal_for__isnull=True) | Q(replaces__isnull=True),
                name="ledger_posting_reverses_or_replaces",
            ),
            models.UniqueConstraint(
                fields=["category", "reference_id"],
                condition=Q(reversal_for__isnull=True),
                name="ledger_posting_reference_once",
            ),
            models.UniqueConstraint(
                fields=["reversal_for"],
                condition=Q(reversal_for__isnull=False),
                name="ledger_posting_one_reversal",
            ),
            models.UniqueConstraint(
                fields=["replaces"],
                condition=Q(replaces__isnull=False),
                name="ledger_posting_one_replacement",
            ),
        ]
        indexes = [
            models.Index(fields=["account", "seq"], name="ledger_posting_account_idx"),
            # Postings arrive nearly in the order of their dates, so the least of indexes serves.
            BrinIndex(fields=["effective_on"], name="ledger_posting_effective_brin", autosummarize=True),
            models.Index(fields=["id"], condition=Q(status="VOIDED"), name="ledger_posting_voided_idx"),
            # The few that deposits are made of, for what an account's deposit stands at.
            models.Index(
                fields=["account"],
                condition=Q(category__in=["DEPOSIT", "DEPOSIT_APPLIED"]),
                name="ledger_posting_deposit_idx",
            ),
        ]
        permissions = [
            ("void_posting", "Can void a posting"),
            ("reverse_settlement", "Can reverse a week's settlement"),
            ("export_ledger", "Can export the ledger"),
        ]
        triggers = NEVER_DELETED

    def __str__(self) -> str:
        return f"{self.category} {self.reference_id} {self.amount}"


class LedgerBalance(models.Model):
    """The open item of one posting: what of it is still open, signed like the posting.

    Shares its posting's id, and repeats what the hierarchy sorts by, so that allocating reads one table.
    Written by the database when postings and allocations are inserted; anything else is refused.
    `applied_payment_refs` lists the postings on the other side whose allocations to it are in force.
    """

    class Status(models.TextChoices):
        OPEN = "OPEN", "Open"
        CLOSED = "CLOSED", "Closed"

    posting = models.OneToOneField(
        LedgerPosting,
        on_delete=models.PROTECT,
        primary_key=True,
        db_constraint=False,
        related_name="open_item",
    )
    account = models.ForeignKey(
        DriverAccount, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="items"
    )
    category = models.CharField(max_length=20, choices=Category.choices)
    reference_id = models.CharField(max_length=80)
    original_amount = models.DecimalField(**MONEY)
    balance = models.DecimalField(**MONEY)
    status = models.GeneratedField(
        expression=Case(When(balance=0, then=Value("CLOSED")), default=Value("OPEN")),
        output_field=models.CharField(max_length=6, choices=Status.choices),
        db_persist=True,
    )
    effective_on = models.DateField()
    due_on = models.DateField(null=True)
    created_at = models.DateTimeField()
    last_allocated_on = models.DateField(null=True)
    applied_payment_refs = ArrayField(models.UUIDField(), db_default=Value("{}"))

    class Meta:
        db_table = "ledger_balance"
        ordering = ["-posting_id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(original_amount__gt=0, balance__gte=0, balance__lte=F("original_amount"))
                | Q(original_amount__lt=0, balance__lte=0, balance__gte=F("original_amount")),
                name="ledger_balance_between_zero_and_original",
            ),
        ]
        indexes = [
            # On `status`, not `balance`: an item paid in part then stays a heap-only update.
            models.Index(fields=["account"], condition=Q(status="OPEN"), name="ledger_balance_open_idx"),
        ]
        triggers = NEVER_DELETED

    def __str__(self) -> str:
        return f"{self.category} {self.reference_id}: {self.balance} of {self.original_amount} open"


class LedgerAllocation(models.Model):
    """An amount of one credit applied to one debit of the same account; append-only.

    An undo is a row of the opposite amount that names the row it undoes. Both items move when it is inserted.
    """

    account = models.ForeignKey(
        DriverAccount,
        on_delete=models.PROTECT,
        db_constraint=False,
        db_index=False,
        related_name="allocations",
    )
    credit = models.ForeignKey(
        LedgerPosting,
        on_delete=models.PROTECT,
        db_constraint=False,
        db_index=False,
        related_name="allocated_to",
    )
    debit = models.ForeignKey(
        LedgerPosting, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="paid_by"
    )
    amount = models.DecimalField(**MONEY)
    effective_on = models.DateField()
    undoes = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="undone_by",
    )
    created_at = models.DateTimeField(db_default=Func(function="statement_timestamp"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )

    class Meta:
        db_table = "ledger_allocation"
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0, undoes__isnull=True) | Q(amount__lt=0, undoes__isnull=False),
                name="ledger_allocation_negative_only_to_undo",
            ),
            models.UniqueConstraint(
                fields=["undoes"], condition=Q(undoes__isnull=False), name="ledger_allocation_undone_once"
            ),
        ]
        indexes = [models.Index(fields=["account", "id"], name="ledger_allocation_account_idx")]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return f"{self.amount} of {self.credit_id} to {self.debit_id}"
