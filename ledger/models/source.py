"""What came from outside: imported files, source transactions, rows not accepted, and what trips add up to.

`SourceTransaction` sits on `txn_source_parent`, partitioned by `txn_month`; its rows never change. Trips that cannot
be accepted are parked for a person (`ParkedRow`); rows of other packs' files are listed (`SourceReject`), for their
file to be corrected. What a weekly run settles is not the trip row but the
`TripTotal` the trip was counted into when it was loaded: one per account, week and batch. So settling a week touches a
few rows per lease, however many trips it had.
"""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from batconnect.common.protection import APPEND_ONLY, NEVER_DELETED

from .driver_ledger import MONEY, DriverAccount


class ImportBatch(models.Model):
    """One file (or one correction of parked rows) that was loaded, and what became of its rows.

    `source` is whose row ids they are: `curb`, or a pack. A pack's file that was refused for its rejects has none
    accepted. `first_source_id` and `last_source_id` enclose the accepted rows of a pack's file; null without any.
    `card_earnings` and `taxes` are those of trips, and 0 for other packs.
    """

    source = models.CharField(max_length=20)
    file_name = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64)
    rows = models.PositiveIntegerField()
    accepted = models.PositiveIntegerField()
    rejected = models.PositiveIntegerField()
    duplicates = models.PositiveIntegerField()
    first_source_id = models.BigIntegerField(null=True)
    last_source_id = models.BigIntegerField(null=True)
    card_earnings = models.DecimalField(**MONEY)
    taxes = models.DecimalField(**MONEY)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    class Meta:
        db_table = "import_batch"
        ordering = ["-id"]
        permissions = [("import_trips", "Can import trips")]
        triggers = NEVER_DELETED
        verbose_name_plural = "import batches"

    def __str__(self) -> str:
        return f"{self.file_name} ({self.accepted} of {self.rows} rows)"

    @property
    def withheld(self) -> int:
        """Rows that nothing was wrong with, not loaded because others of their file were rejected."""
        return self.rows - self.accepted - self.rejected - self.duplicates


class SourceTransaction(models.Model):
    """One accepted source row: a trip of the meter (`txn_type` TRIP), or a transaction of another pack.

    Trips have the columns from `account` to `cbd_toll`, their times are New York's, their amounts dollars; rows of
    other packs have none of these. The takaful pack's have those from `policy_no` on. The database holds that, and
    that gross is the sum of its components (`chk_taxi_balance`, `chk_takaful_balance`).
    """

    class PaymentType(models.TextChoices):
        CARD = "C", "Card"
        PREPAID = "P", "Prepaid"
        CASH = "$", "Cash"
        NO_CHARGE = "N", "No charge"
        DISPUTE = "D", "Dispute"

    id = models.BigIntegerField(primary_key=True)
    txn_month = models.DateField()
    batch = models.ForeignKey(
        ImportBatch,
        on_delete=models.PROTECT,
        db_constraint=False,
        db_index=False,
        related_name="transactions",
    )
    row_number = models.PositiveIntegerField()
    source = models.CharField(max_length=20)
    source_rowid = models.CharField(max_length=64)
    txn_type = models.CharField(max_length=20)
    product_code = models.CharField(max_length=20)
    channel = models.CharField(max_length=20)
    bank_value_date = models.DateField()
    currency = models.CharField(max_length=3)
    gross_amount = models.DecimalField(max_digits=20, decimal_places=6)
    account = models.ForeignKey(
        DriverAccount,
        on_delete=models.PROTECT,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="trips",
    )
    driver = models.ForeignKey(
        "leases.Driver",
        on_delete=models.PROTECT,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="trips",
    )
    lease = models.ForeignKey(
        "leases.Lease",
        on_delete=models.PROTECT,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="trips",
    )
    medallion = models.ForeignKey(
        "leases.Medallion",
        on_delete=models.PROTECT,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="trips",
    )
    vehicle = models.ForeignKey(
        "leases.Vehicle",
        on_delete=models.PROTECT,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="trips",
    )
    week = models.DateField(null=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    fare = models.DecimalField(**MONEY, null=True)
    extras = models.DecimalField(**MONEY, null=True)
    tips = models.DecimalField(**MONEY, null=True)
    tolls = models.DecimalField(**MONEY, null=True)
    mta_tax = models.DecimalField(**MONEY, null=True)
    improvement_surcharge = models.DecimalField(**MONEY, null=True)
    congestion_fee = models.DecimalField(**MONEY, null=True)
    airport_fee = models.DecimalField(**MONEY, null=True)
    cbd_toll = models.DecimalField(**MONEY, null=True)
    policy_no = models.CharField(max_length=40, null=True)
    tabarru_amount = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    tanahud_amount = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    invest_amount = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    ujroh_amount = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    admin_amount = models.DecimalField(max_digits=20, decimal_places=6, null=True)

    class Meta:
        db_table = "txn_source_parent"
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.source} {self.source_rowid}"


class SourceRowSeen(models.Model):
    """Every source row ever loaded, kept for ever: same figures again is a duplicate, other figures a revision."""

    source = models.CharField(max_length=20)
    source_rowid = models.CharField(max_length=64)
    figures_hash = models.BinaryField(max_length=32)
    transaction_id = models.BigIntegerField()

    class Meta:
        db_table = "source_row_seen"
        constraints = [
            models.UniqueConstraint(fields=["source", "source_rowid"], name="source_row_seen_once"),
        ]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return f"{self.source} {self.source_rowid}"


class ParkedRow(models.Model):
    """A source row that could not be accepted, kept as it came, until a person corrects or dismisses it."""

    class Status(models.TextChoices):
        PARKED = "PARKED", "Waiting for a person"
        RESOLVED = "RESOLVED", "Corrected and loaded"
        DISMISSED = "DISMISSED", "Dismissed"

    class Reason(models.TextChoices):
        DOES_NOT_ADD_UP = "DOES_NOT_ADD_UP", "Components do not add up to the total"
        BAD_VALUE = "BAD_VALUE", "A value cannot be read"
        UNKNOWN_DRIVER = "UNKNOWN_DRIVER", "No such driver"
        UNKNOWN_CAB = "UNKNOWN_CAB", "No such cab"
        NO_LEASE = "NO_LEASE", "The cab had no lease on that day"
        NOT_ON_LEASE = "NOT_ON_LEASE", "The driver is not on the cab's lease"
        REVISION = "REVISION", "Loaded before with other figures"
        REPEATED_IN_FILE = "REPEATED_IN_FILE", "The same row id twice in one file, with other figures"

    batch = models.ForeignKey(ImportBatch, on_delete=models.PROTECT, related_name="parked_rows")
    source = models.CharField(max_length=20)
    source_rowid = models.CharField(max_length=64)
    row_number = models.PositiveIntegerField()
    reason = models.CharField(max_length=20, choices=Reason.choices)
    message = models.CharField(max_length=500)
    raw = models.JSONField()
    raw_hash = models.BinaryField(max_length=32)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PARKED)
    corrected = models.JSONField(null=True)
    note = models.CharField(max_length=500, blank=True)
    transaction_id = models.BigIntegerField(null=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "parked_row"
        ordering = ["batch_id", "row_number"]
        constraints = [
            models.UniqueConstraint(fields=["source", "source_rowid", "raw_hash"], name="parked_row_once"),
        ]
        indexes = [
            models.Index(fields=["batch"], condition=Q(status="PARKED"), name="parked_row_waiting_idx")
        ]
        permissions = [("correct_parked_row", "Can correct and re-submit parked rows")]
        triggers = NEVER_DELETED

    def __str__(self) -> str:
        return f"row {self.row_number}: {self.message}"


class SourceReject(models.Model):
    """What is wrong with one value of a pack's file: row, column, why, and the row as it came.

    A row with two wrong values has two. `row_number` is what a spreadsheet shows, where the header is row 1; in
    Parquet and frames, which have none, the first row is 1.
    """

    batch = models.ForeignKey(ImportBatch, on_delete=models.PROTECT, db_index=False, related_name="rejects")
    row_number = models.PositiveIntegerField()
    column = models.CharField(max_length=40)
    code = models.CharField(max_length=40)
    message = models.CharField(max_length=500)
    raw = models.JSONField()

    class Meta:
        db_table = "source_reject"
        ordering = ["id"]
        indexes = [models.Index(fields=["batch", "id"], name="source_reject_batch_idx")]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return f"row {self.row_number}, {self.column}: {self.message}"


class TripTotal(models.Model):
    """What the trips of one account, week and batch add up to; `settled_week` names the run that settled them.

    `earnings` counts card and prepaid trips; each tax counts card, prepaid and cash ones, and so do the trip
    counts beside them. No-charge and dispute trips are counted and never settled into money.
    """

    account = models.ForeignKey(DriverAccount, on_delete=models.PROTECT, related_name="trip_totals")
    week = models.DateField()
    batch = models.ForeignKey(ImportBatch, on_delete=models.PROTECT, related_name="trip_totals")
    earnings = models.DecimalField(**MONEY)
    card_trips = models.PositiveIntegerField()
    cash_trips = models.PositiveIntegerField()
    other_trips = models.PositiveIntegerField()
    mta_tax = models.DecimalField(**MONEY)
    mta_trips = models.PositiveIntegerField()
    improvement_surcharge = models.DecimalField(**MONEY)
    improvement_trips = models.PositiveIntegerField()
    congestion_fee = models.DecimalField(**MONEY)
    congestion_trips = models.PositiveIntegerField()
    airport_fee = models.DecimalField(**MONEY)
    airport_trips = models.PositiveIntegerField()
    cbd_toll = models.DecimalField(**MONEY)
    cbd_trips = models.PositiveIntegerField()
    settled_week = models.DateField(null=True)
    journalised = models.DecimalField(**MONEY, db_default=0)

    class Meta:
        db_table = "trip_total"
        constraints = [
            models.CheckConstraint(
                condition=Q(settled_week__isnull=True) | Q(journalised=F("earnings")),
                name="trip_total_settled_is_journalised",
            ),
            models.UniqueConstraint(fields=["account", "week", "batch"], name="trip_total_once"),
        ]
        indexes = [
            models.Index(
                fields=["account", "week"], condition=Q(settled_week=None), name="trip_total_open_idx"
            ),
            models.Index(fields=["account", "settled_week"], name="trip_total_settled_idx"),
        ]

    def __str__(self) -> str:
        return f"trips of account {self.account_id}, week {self.week}, batch {self.batch_id}"
