"""Months that were moved out of the database into files, and what is known of them. Written by the database alone.

A month of the ledger is its entries with their lines; a month of the source is its source rows. An archive is
recorded when its files hold what the database holds, `dropped_at` says since when the database does not hold it any
more, `restored_at` that it does again. A month that is archived again gets another archive, the next `number`.
"""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from batconnect.common.protection import APPEND_ONLY, NEVER_DELETED

from .accounts import JOURNAL_MONEY, Account


class ArchivedMonth(models.Model):
    """One archive of one month. `totals` are its figures by table and batch, `columns` the columns kept of each."""

    class Kind(models.TextChoices):
        LEDGER = "LEDGER", "Journal entries"
        SOURCE = "SOURCE", "Source rows"

    kind = models.CharField(max_length=6, choices=Kind.choices)
    month = models.DateField()
    number = models.PositiveIntegerField()
    rows = models.BigIntegerField()
    bytes = models.BigIntegerField()
    columns = models.JSONField()
    totals = models.JSONField()
    archived_at = models.DateTimeField()
    archived_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    dropped_at = models.DateTimeField(null=True)
    dropped_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    restored_at = models.DateTimeField(null=True)
    restored_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )

    class Meta:
        db_table = "archived_month"
        ordering = ["-month", "kind", "-number"]
        constraints = [
            models.CheckConstraint(condition=Q(month__day=1), name="archived_month_is_first_day"),
            models.UniqueConstraint(fields=["kind", "month", "number"], name="archived_month_number_once"),
            models.UniqueConstraint(
                fields=["kind", "month"],
                condition=Q(dropped_at__isnull=False, restored_at__isnull=True),
                name="archived_month_away_once",
            ),
            models.CheckConstraint(
                condition=Q(restored_at__isnull=True) | Q(restored_at__gte=F("dropped_at")),
                name="archived_month_restored_after_drop",
            ),
        ]
        permissions = [("archive_month", "Can archive and restore months")]
        triggers = NEVER_DELETED

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.month:%Y-%m} ({self.number})"

    @property
    def is_away(self) -> bool:
        """Whether its rows are in the files alone."""
        return self.dropped_at is not None and self.restored_at is None


class ArchivedFile(models.Model):
    """One file of an archive: the `part`-th of the rows of a leaf. `path` is below the folder of archives."""

    archive = models.ForeignKey(ArchivedMonth, on_delete=models.PROTECT, related_name="files")
    parent = models.CharField(max_length=63)
    leaf = models.CharField(max_length=63)
    batch_id = models.BigIntegerField()
    part = models.PositiveIntegerField()
    path = models.CharField(max_length=300)
    rows = models.BigIntegerField()
    bytes = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)

    class Meta:
        db_table = "archived_file"
        ordering = ["archive_id", "parent", "batch_id", "part"]
        constraints = [
            models.UniqueConstraint(fields=["archive", "leaf", "part"], name="archived_file_once"),
        ]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return self.path


class ArchivedAccountTotal(models.Model):
    """What an account and fund moved in an archived month: balances count it without reading the files."""

    archive = models.ForeignKey(ArchivedMonth, on_delete=models.PROTECT, related_name="account_totals")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    fund = models.CharField(max_length=10)
    debits = models.DecimalField(**JOURNAL_MONEY)
    credits = models.DecimalField(**JOURNAL_MONEY)

    class Meta:
        db_table = "archived_account_total"
        ordering = ["archive_id", "account_id", "fund"]
        constraints = [
            models.UniqueConstraint(
                fields=["archive", "account", "fund"], name="archived_account_total_once"
            ),
        ]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return f"{self.account_id} {self.fund}: {self.debits} DR, {self.credits} CR"
