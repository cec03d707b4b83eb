"""Bulk runs: source rows journalised in shards, what was rejected, and what the runs that posted came to.

Entries and lines lie beside those of the online leaves, in partitions named by the run. How a run moves from state
to state is held by the database (`migrations/sql/0016_bulk_runs.sql`): its functions write state, counts and totals,
and nothing else can. What is staged (`je_header_staging`, `je_line_staging`, one leaf per shard) has no model.
"""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Func, Q, Value
from django.utils import timezone

from batconnect.common.protection import NEVER_DELETED, NEVER_TRUNCATED

from .accounts import JOURNAL_MONEY, Account
from .source import ImportBatch

TOTAL: Any = {"max_digits": 40, "decimal_places": 6}
SHARD_ROWS = 100_000  # source rows of a shard, unless the run says otherwise
LARGEST_SHARD = 262_144  # what a shard's block of entry numbers holds
FIRST_BASE = 1_000_000_262_144  # numbers of bulk entries are above it, all others below
LARGE_RUN = 20_000  # entries; beyond it a run gets partitions of its own


class RunState(models.TextChoices):
    PENDING = "PENDING", "Being staged"
    STAGED = "STAGED", "Staged"
    VALIDATED = "VALIDATED", "Validated"
    POSTED = "POSTED", "Posted"
    FAILED = "FAILED", "Failed or discarded"


ENDED = (RunState.POSTED, RunState.FAILED)


class JournalRun(models.Model):
    """One bulk run. Its id is also the `batch_id` of its entries, if it is `large`; small ones go among the online.

    `month` or `import_batch` says which source rows; a reversal (`reverses_run`) has those of the run it takes back.
    `layers` holds counts and hash totals of frame, staging and ledger; `timings` seconds per step, summed over
    workers. `large` may be set when planned; else it is decided when all shards are validated.
    """

    pack = models.CharField(max_length=40)
    origin = models.CharField(max_length=12, choices=[("TRIP", "Trip"), ("BATCH", "Bulk batch")])
    month = models.DateField(null=True)
    import_batch = models.ForeignKey(
        ImportBatch, on_delete=models.PROTECT, null=True, related_name="journal_runs"
    )
    reverses_run = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="reversals")
    state = models.CharField(max_length=9, choices=RunState.choices, default=RunState.PENDING)
    dry_run = models.BooleanField(default=False)
    accept_valid = models.BooleanField(default=False)
    large = models.BooleanField(null=True)
    shard_rows = models.PositiveIntegerField(default=SHARD_ROWS)
    policy_version = models.BigIntegerField()
    floor_date = models.DateField(null=True)
    source_rows = models.BigIntegerField(default=0)
    entries = models.BigIntegerField(default=0)
    lines = models.BigIntegerField(default=0)
    rejects = models.BigIntegerField(default=0)
    skipped = models.BigIntegerField(default=0)
    debits = models.DecimalField(**TOTAL, default=0)
    layers = models.JSONField(default=dict)
    timings = models.JSONField(default=dict)
    error_code = models.CharField(max_length=60, blank=True, default="")
    error = models.TextField(blank=True, default="")
    reason = models.CharField(max_length=500, blank=True, default="")
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    posted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    staged_at = models.DateTimeField(null=True)
    validated_at = models.DateTimeField(null=True)
    posted_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "journal_run"
        verbose_name = "bulk run"
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(month__isnull=False) | Q(import_batch__isnull=False), name="journal_run_has_scope"
            ),
            models.CheckConstraint(
                condition=Q(month__isnull=True) | Q(month__day=1), name="journal_run_month_is_first_day"
            ),
            models.CheckConstraint(condition=Q(origin__in=["TRIP", "BATCH"]), name="journal_run_origin"),
            models.CheckConstraint(condition=Q(state__in=RunState.values), name="journal_run_state"),
            models.CheckConstraint(
                condition=Q(shard_rows__gte=1, shard_rows__lte=LARGEST_SHARD), name="journal_run_shard_rows"
            ),
            models.UniqueConstraint(
                fields=["pack", "month"],
                condition=Q(month__isnull=False)
                & ~Q(state__in=ENDED)
                & ~Q(state=RunState.VALIDATED, dry_run=True),
                name="journal_run_month_at_once",
            ),
            models.UniqueConstraint(
                fields=["import_batch"],
                condition=~Q(state__in=ENDED) & ~Q(state=RunState.VALIDATED, dry_run=True),
                name="journal_run_file_at_once",
            ),
            models.UniqueConstraint(
                fields=["reverses_run"],
                condition=~Q(state=RunState.FAILED) & Q(dry_run=False),
                name="journal_run_reversed_once",
            ),
        ]
        permissions = [
            ("post_batch", "Can start, resume and discard bulk runs"),
            ("reverse_batch", "Can reverse bulk runs"),
        ]
        triggers = NEVER_DELETED

    def __str__(self) -> str:
        return f"run {self.pk} ({self.pack})"


class JournalShard(models.Model):
    """A stretch of a run's source rows, taken by one worker at a time.

    Entries have the numbers `entry_base + 1` and up, by the row's position in the shard, so that a shard staged
    anew gets the same ones. Totals are those of the frame; the database compares them with what it finds staged and
    posted. `months` are those of the entries' dates; `accounts` their accounts, each with its currency.
    """

    run = models.ForeignKey(JournalRun, on_delete=models.PROTECT, db_index=False, related_name="shards")
    number = models.PositiveIntegerField()
    txn_month = models.DateField()
    first_source_id = models.BigIntegerField()
    last_source_id = models.BigIntegerField()
    source_rows = models.PositiveIntegerField()
    entry_base = models.BigIntegerField(
        unique=True, db_default=Func(Value("ledger_batch_entry_id_seq"), function="nextval")
    )
    state = models.CharField(max_length=9, choices=RunState.choices[:-1], default=RunState.PENDING)
    entries = models.PositiveIntegerField(default=0)
    lines = models.PositiveIntegerField(default=0)
    rejects = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    source_gross = models.DecimalField(**TOTAL, default=0)
    source_ids_sum = models.DecimalField(max_digits=40, decimal_places=0, default=0)
    debits = models.DecimalField(**TOTAL, default=0)
    keys_total = models.DecimalField(max_digits=40, decimal_places=0, default=0)
    weighted_total = models.DecimalField(**TOTAL, default=0)
    months = models.JSONField(default=list)
    accounts = models.JSONField(default=dict)
    timings = models.JSONField(default=dict)
    worker = models.CharField(max_length=100, blank=True, default="")
    taken_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "journal_run_shard"
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["run", "number"], name="journal_run_shard_once"),
            models.CheckConstraint(
                condition=Q(source_rows__gte=1, source_rows__lte=LARGEST_SHARD)
                & Q(last_source_id__gte=F("first_source_id")),
                name="journal_run_shard_range",
            ),
            models.CheckConstraint(
                condition=Q(state=RunState.PENDING)
                | Q(source_rows=F("entries") + F("rejects") + F("skipped")),
                name="journal_run_shard_adds_up",
            ),
            models.CheckConstraint(
                condition=Q(state__in=RunState.values[:-1]), name="journal_run_shard_state"
            ),
        ]
        triggers = NEVER_DELETED

    def __str__(self) -> str:
        return f"shard {self.number} of run {self.run_id}"


class RunReject(models.Model):
    """A row that got no entry, and why; those of a shard go when it is staged again."""

    run = models.ForeignKey(JournalRun, on_delete=models.PROTECT, db_index=False, related_name="reject_rows")
    shard = models.ForeignKey(JournalShard, on_delete=models.PROTECT, null=True, related_name="+")
    row_number = models.PositiveIntegerField(null=True)
    source_id = models.BigIntegerField(null=True)
    column = models.CharField(max_length=60, blank=True, default="")
    code = models.CharField(max_length=60)
    message = models.CharField(max_length=500)
    raw = models.JSONField(null=True)

    class Meta:
        db_table = "journal_run_reject"
        ordering = ["id"]
        indexes = [models.Index(fields=["run", "id"], name="journal_run_reject_idx")]

    def __str__(self) -> str:
        return f"row {self.row_number or self.source_id}: {self.message}"


class RunTripTotal(models.Model):
    """What a shard's trips bring onto the clearing account, by account, week and file; added up by the database."""

    run = models.ForeignKey(
        JournalRun, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="trip_totals"
    )
    shard = models.ForeignKey(JournalShard, on_delete=models.PROTECT, db_constraint=False, related_name="+")
    account_id = models.BigIntegerField()
    week = models.DateField()
    import_batch_id = models.BigIntegerField()
    amount = models.DecimalField(**JOURNAL_MONEY)

    class Meta:
        db_table = "journal_run_trip_total"
        ordering = ["id"]

    def __str__(self) -> str:
        return f"account {self.account_id}, week {self.week}: {self.amount}"


class BatchAccountTotal(models.Model):
    """What a large run's lines come to, by day, account and fund; written when it is attached, as lasting as they."""

    pk = models.CompositePrimaryKey("batch_id", "je_date", "account_id", "fund")
    batch_id = models.BigIntegerField()
    je_date = models.DateField()
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="+"
    )
    fund = models.CharField(max_length=10)
    debits = models.DecimalField(**TOTAL)
    credits = models.DecimalField(**TOTAL)

    class Meta:
        db_table = "batch_account_total"
        ordering = ["batch_id", "je_date", "account_id", "fund"]
        triggers = NEVER_TRUNCATED  # the rest is refused by 0019_batch_totals.sql

    def __str__(self) -> str:
        return f"batch {self.batch_id}, {self.je_date}, account {self.account_id}: {self.debits} - {self.credits}"
