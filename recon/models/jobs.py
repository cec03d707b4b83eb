"""Runs of a source, the outside rows they brought, and how each row of both sides ended."""

from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from batconnect.common.protection import APPEND_ONLY, NEVER_DELETED
from ledger.models import Currency

from .sources import ReconSource

MONEY: Any = {"max_digits": 20, "decimal_places": 6}
TOTAL: Any = {"max_digits": 26, "decimal_places": 6, "null": True}


class Side(models.TextChoices):
    LEDGER = "ledger", "Ledger"
    EXTERNAL = "external", "Outside"


class Outcome(models.TextChoices):
    MATCHED = "matched", "Matched"
    SUGGESTED = "suggested", "Suggested"
    AMBIGUOUS = "ambiguous", "Ambiguous"
    UNMATCHED = "unmatched", "Unmatched"


class ReconJob(models.Model):
    """One source reconciled for one date.

    PENDING → RUNNING → COMPLETED or FAILED, and then it stands; a newer completed job of the same source and date sets
    `superseded_by`. `repeats`: it found everything as that job had left it, and wrote nothing.
    counts: rows by side and outcome, rows that were new or came again. variance: outside less ledger, of the rows that
    this job looked at. fingerprint: of all that went into it.
    """

    class Status(models.TextChoices):
        PENDING = "PENDING", "Waiting"
        RUNNING = "RUNNING", "Running"
        COMPLETED = "COMPLETED", "Completed"
        FAILED = "FAILED", "Failed"

    source = models.ForeignKey(ReconSource, on_delete=models.PROTECT, related_name="jobs")
    date = models.DateField()
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.PENDING)
    file_name = models.CharField(max_length=255, blank=True)
    file_sha256 = models.CharField(max_length=64, blank=True)
    error_code = models.CharField(max_length=80, blank=True)
    error = models.TextField(blank=True)
    counts = models.JSONField(default=dict)
    external_total = models.DecimalField(**TOTAL)
    ledger_total = models.DecimalField(**TOTAL)
    variance = models.DecimalField(**TOTAL)
    oldest_unmatched = models.DateField(null=True)
    model_version = models.CharField(max_length=40, blank=True)
    fingerprint = models.CharField(max_length=64, blank=True)
    superseded_by = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="supersedes", db_index=False
    )
    repeats = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="repeated_by", db_index=False
    )
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=models.functions.Now())
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "recon_job"
        ordering = ["-id"]
        verbose_name = "reconciliation"
        indexes = [models.Index(fields=["date", "source"], name="recon_job_date_idx")]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "date"],
                condition=Q(status__in=["PENDING", "RUNNING"]),
                name="recon_job_one_at_work",
            ),
            models.UniqueConstraint(
                fields=["source", "date"],
                condition=Q(status="COMPLETED", superseded_by__isnull=True, repeats__isnull=True),
                name="recon_job_one_in_force",
            ),
            models.CheckConstraint(
                condition=Q(status="FAILED") & ~Q(error="") | ~Q(status="FAILED") & Q(error=""),
                name="recon_job_failed_says_why",
            ),
            models.CheckConstraint(
                condition=Q(superseded_by__isnull=True) | Q(status="COMPLETED", superseded_by__gt=F("id")),
                name="recon_job_superseded_by_newer",
            ),
            models.CheckConstraint(
                condition=~Q(status="COMPLETED")
                | Q(variance__isnull=False, variance=F("external_total") - F("ledger_total")),
                name="recon_job_variance_adds_up",
            ),
        ]
        triggers = NEVER_DELETED

    def __str__(self) -> str:
        return f"{self.source.name} {self.date}"


class ExternalRow(models.Model):
    """One row that the outside told us, as it came; once per source and id, for ever. Append-only.

    amount: signed as the outside writes it. figures_hash: of what may never change under one id.
    raw: the row's own columns, before they were read.
    """

    source = models.ForeignKey(ReconSource, on_delete=models.PROTECT, related_name="rows")
    external_id = models.CharField(max_length=160)
    figures_hash = models.CharField(max_length=64)
    amount = models.DecimalField(**MONEY)
    currency = models.ForeignKey(
        Currency, on_delete=models.PROTECT, related_name="+", db_column="currency", db_index=False
    )
    occurred_at = models.DateTimeField()
    reference = models.CharField(max_length=160, blank=True)
    description = models.CharField(max_length=500, blank=True)
    group_key = models.CharField(max_length=160, blank=True)
    raw = models.JSONField(default=dict)
    job = models.ForeignKey(ReconJob, on_delete=models.PROTECT, related_name="brought")
    loaded_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        db_table = "recon_external_row"
        ordering = ["id"]
        verbose_name = "outside row"
        constraints = [
            models.UniqueConstraint(fields=["source", "external_id"], name="recon_external_row_once"),
            models.CheckConstraint(condition=~Q(external_id=""), name="recon_external_row_has_id"),
            models.CheckConstraint(condition=~Q(amount=0), name="recon_external_row_not_zero"),
        ]
        indexes = [models.Index(fields=["source", "occurred_at"], name="recon_external_row_time_idx")]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return self.external_id


class ReconLog(models.Model):
    """How one row of one side ended in one job; the row's figures are told again, so that it can be read alone.

    key: the outside id, or the journal line as `JE-201903-17/2`. partners: keys of the other side. nearest, failed: of
    an unmatched row, what comes closest and what stands between. waiting: its partner may still come. difference:
    outside less ledger; delay: seconds from ledger to outside. Append-only.
    """

    job = models.ForeignKey(ReconJob, on_delete=models.PROTECT, related_name="logs", db_index=False)
    side = models.CharField(max_length=8, choices=Side.choices)
    key = models.CharField(max_length=160)
    external_row_id = models.BigIntegerField(null=True)
    line_id = models.BigIntegerField(null=True)
    line_date = models.DateField(null=True)
    amount = models.DecimalField(**MONEY)
    currency = models.CharField(max_length=3)
    occurred_at = models.DateTimeField()
    reference = models.CharField(max_length=160, blank=True)
    description = models.CharField(max_length=500, blank=True)
    outcome = models.CharField(max_length=9, choices=Outcome.choices)
    rule = models.CharField(max_length=12, blank=True)
    score = models.DecimalField(max_digits=7, decimal_places=6, null=True)
    reasons = models.TextField(blank=True)
    partners = ArrayField(models.CharField(max_length=160), default=list)
    nearest = models.CharField(max_length=160, blank=True)
    failed = models.CharField(max_length=120, blank=True)
    difference = models.DecimalField(**MONEY, null=True)
    delay = models.BigIntegerField(null=True)
    waiting = models.BooleanField(default=False)
    age_days = models.IntegerField(default=0)

    class Meta:
        db_table = "recon_log"
        ordering = ["id"]
        verbose_name = "exception"
        constraints = [
            models.UniqueConstraint(fields=["job", "side", "key"], name="recon_log_row_once_per_job"),
            models.CheckConstraint(
                condition=Q(side="external", external_row_id__isnull=False, line_id__isnull=True)
                | Q(side="ledger", external_row_id__isnull=True, line_id__isnull=False),
                name="recon_log_of_one_side",
            ),
            models.CheckConstraint(
                condition=~Q(outcome="unmatched") | Q(partners=[]), name="recon_log_unmatched_is_alone"
            ),
        ]
        indexes = [
            models.Index(fields=["job", "outcome", "id"], name="recon_log_outcome_idx"),
        ]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return f"{self.side} {self.key}: {self.outcome}"
