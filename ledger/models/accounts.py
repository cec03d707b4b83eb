"""The chart of accounts: finance's own accounts, and those that clients open through the transfers API.

Both are rows of one table, so that every entry of the journal, whatever made it, names accounts of one kind.
"""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Func, Q
from simple_history.models import HistoricalRecords

from batconnect.common.protection import NEVER_DELETED

JOURNAL_MONEY: Any = {"max_digits": 20, "decimal_places": 6}


class Currency(models.Model):
    """An ISO-4217 currency; `exponent` is how many decimals its amounts have (USD 2, JPY 0, KWD 3)."""

    code = models.CharField(max_length=3, primary_key=True)
    name = models.CharField(max_length=60)
    exponent = models.PositiveSmallIntegerField()

    class Meta:
        db_table = "currency"
        ordering = ["code"]
        verbose_name_plural = "currencies"

    def __str__(self) -> str:
        return self.code


class AccountKind(models.Model):
    """A kind of account that clients may open, and the rules its accounts begin with.

    `overdraft_limit`: how far below zero a balance may go; null is no limit. `transfer_limit`: the most one
    transfer may move, null is no limit.
    """

    code = models.CharField(max_length=20, primary_key=True)
    name = models.CharField(max_length=60)
    overdraft_limit = models.DecimalField(**JOURNAL_MONEY, null=True, blank=True)
    transfer_limit = models.DecimalField(**JOURNAL_MONEY, null=True, blank=True)
    history = HistoricalRecords()

    class Meta:
        db_table = "account_kind"
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(overdraft_limit__isnull=True) | Q(overdraft_limit__gte=0),
                name="account_kind_overdraft_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(transfer_limit__isnull=True) | Q(transfer_limit__gt=0),
                name="account_kind_transfer_limit_positive",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Account(models.Model):
    """One account of the journal.

    `code` is what people and templates name it by; `uid` is its name in the API. `overdraft_limit` makes it
    guarded: its balance, counted in its normal direction, never falls below minus that; null leaves it free.
    `control_origins` makes it a control account: only entries of these origins may name it, and the database
    says so. `kind` is set on accounts opened by clients.
    """

    class Type(models.TextChoices):
        ASSET = "ASSET", "Asset"
        LIABILITY = "LIABILITY", "Liability"
        EQUITY = "EQUITY", "Equity"
        INCOME = "INCOME", "Income"
        EXPENSE = "EXPENSE", "Expense"

    DEBIT_NORMAL = (Type.ASSET, Type.EXPENSE)

    id = models.AutoField(primary_key=True)
    uid = models.UUIDField(unique=True, db_default=Func(function="uuid7"), editable=False)
    code = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=120)
    type = models.CharField(max_length=9, choices=Type.choices)
    currency = models.ForeignKey(Currency, on_delete=models.PROTECT, related_name="+", default="USD")
    fund = models.CharField(max_length=10, db_default="OP", default="OP")
    parent = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="children"
    )
    kind = models.ForeignKey(
        AccountKind, on_delete=models.PROTECT, null=True, blank=True, related_name="accounts"
    )
    overdraft_limit = models.DecimalField(**JOURNAL_MONEY, null=True, blank=True)
    control_origins = ArrayField(models.CharField(max_length=12), blank=True, db_default=[], default=list)
    active = models.BooleanField(db_default=True, default=True)
    metadata = models.JSONField(blank=True, db_default={}, default=dict)
    created_at = models.DateTimeField(db_default=models.functions.Now())
    history = HistoricalRecords()

    class Meta:
        db_table = "chart_of_accounts"
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(overdraft_limit__isnull=True) | Q(overdraft_limit__gte=0),
                name="account_overdraft_not_negative",
            ),
            models.CheckConstraint(condition=~Q(code=""), name="account_has_code"),
            models.CheckConstraint(
                condition=Q(parent__isnull=True) | ~Q(parent=F("id")), name="account_not_its_own_parent"
            ),
        ]
        indexes = [models.Index(fields=["kind", "id"], name="account_kind_idx")]
        permissions = [("open_account", "Can open accounts and transfer between them")]
        triggers = NEVER_DELETED

    def __str__(self) -> str:
        return f"{self.code} {self.name}"

    @property
    def is_control(self) -> bool:
        return bool(self.control_origins)

    @property
    def is_debit_normal(self) -> bool:
        """Whether debits make its balance larger: assets and expenses."""
        return self.type in self.DEBIT_NORMAL


class GuardedBalance(models.Model):
    """The running balance of a guarded account, in its normal direction; kept by the database, never below floor.

    Only guarded accounts have one: a row that every posting moved would make all postings wait for each other.
    """

    account = models.OneToOneField(
        Account, on_delete=models.PROTECT, primary_key=True, related_name="guarded_balance"
    )
    balance = models.DecimalField(**JOURNAL_MONEY, db_default=0)
    floor = models.DecimalField(**JOURNAL_MONEY, db_default=0)

    class Meta:
        db_table = "guarded_balance"
        constraints = [
            models.CheckConstraint(
                condition=Q(balance__gte=F("floor")), name="guarded_balance_not_overdrawn"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id}: {self.balance}"


class BalanceSnapshot(models.Model):
    """What one account and fund came to by the end of a closed month: opening, what moved, closing.

    Debits minus credits, whatever the account's type. Projections: rebuilt from the lines at any time.
    """

    month = models.DateField()
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="snapshots")
    fund = models.CharField(max_length=10)
    opening = models.DecimalField(**JOURNAL_MONEY)
    debits = models.DecimalField(**JOURNAL_MONEY)
    credits = models.DecimalField(**JOURNAL_MONEY)
    closing = models.DecimalField(**JOURNAL_MONEY)

    class Meta:
        db_table = "account_balance_snapshot"
        constraints = [
            models.UniqueConstraint(fields=["month", "account", "fund"], name="balance_snapshot_once"),
            models.CheckConstraint(
                condition=Q(closing=F("opening") + F("debits") - F("credits")),
                name="balance_snapshot_adds_up",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.account_id} {self.fund}"
