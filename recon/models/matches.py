"""Which rows belong together, who said so, and who took it back."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from batconnect.common.protection import APPEND_ONLY, NEVER_DELETED

from .jobs import MONEY, ExternalRow, ReconJob, Side
from .sources import ReconSource


class ReconMatch(models.Model):
    """Outside rows and ledger lines that are one and the same; or that a person said are not.

    ACTIVE until it is UNDONE by a person, or SUPERSEDED by a newer job that decides otherwise; REJECTED from the
    beginning keeps a pair from being matched again. `decided_by` is null where the engine matched by itself.
    A write-off names its journal entry, whose line is among the rows.
    """

    class Status(models.TextChoices):
        ACTIVE = "ACTIVE", "Active"
        UNDONE = "UNDONE", "Undone"
        SUPERSEDED = "SUPERSEDED", "Superseded"
        REJECTED = "REJECTED", "Rejected"

    class Rule(models.TextChoices):
        EXACT = "exact", "Exact"
        SCORE = "score", "Score"
        GROUP_KEY = "group_key", "Group key"
        SUM = "sum", "Sum"
        HAND = "hand", "By hand"
        WRITE_OFF = "write_off", "Written off"
        TAKEN_BACK = "taken_back", "Write-off taken back"

    source = models.ForeignKey(ReconSource, on_delete=models.PROTECT, related_name="matches")
    job = models.ForeignKey(ReconJob, on_delete=models.PROTECT, null=True, related_name="matches")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    rule = models.CharField(max_length=10, choices=Rule.choices)
    score = models.DecimalField(max_digits=7, decimal_places=6, null=True)
    reasons = models.TextField(blank=True)
    difference = models.DecimalField(**MONEY, default=0)
    note = models.CharField(max_length=500, blank=True)
    entry_id = models.BigIntegerField(null=True)
    entry_date = models.DateField(null=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    decided_at = models.DateTimeField(db_default=models.functions.Now())
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    undone_at = models.DateTimeField(null=True)
    undo_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        db_table = "recon_match"
        ordering = ["-id"]
        verbose_name = "match"
        verbose_name_plural = "matches"
        indexes = [models.Index(fields=["job", "status"], name="recon_match_job_idx")]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    status__in=["UNDONE", "SUPERSEDED"], undone_by__isnull=False, undone_at__isnull=False
                )
                | Q(status__in=["ACTIVE", "REJECTED"], undone_by__isnull=True, undone_at__isnull=True),
                name="recon_match_undone_says_by_whom",
            ),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=False)
                | Q(rule__in=["exact", "score"], job__isnull=False) & ~Q(status="REJECTED"),
                name="recon_match_decided_or_automatic",
            ),
            models.CheckConstraint(
                condition=Q(
                    rule__in=["write_off", "taken_back"], entry_id__isnull=False, entry_date__isnull=False
                )
                | ~Q(rule__in=["write_off", "taken_back"])
                & Q(entry_id__isnull=True, entry_date__isnull=True),
                name="recon_match_write_off_names_entry",
            ),
        ]
        triggers = NEVER_DELETED

    def __str__(self) -> str:
        return f"{self.get_rule_display()} {self.pk}"


class ReconMatchRow(models.Model):
    """One row of a match, of one side. An outside row, and a ledger line, is in one active match at most.

    amount: as the outside would write it, also for ledger lines. Written with its match; `active` follows its match,
    by trigger.
    """

    match = models.ForeignKey(ReconMatch, on_delete=models.PROTECT, related_name="rows")
    side = models.CharField(max_length=8, choices=Side.choices)
    external_row = models.ForeignKey(
        ExternalRow, on_delete=models.PROTECT, null=True, related_name="match_rows"
    )
    line_id = models.BigIntegerField(null=True)
    line_date = models.DateField(null=True)
    amount = models.DecimalField(**MONEY)
    active = models.BooleanField()

    class Meta:
        db_table = "recon_match_row"
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    side="external", external_row__isnull=False, line_id__isnull=True, line_date__isnull=True
                )
                | Q(side="ledger", external_row__isnull=True, line_id__isnull=False, line_date__isnull=False),
                name="recon_match_row_of_one_side",
            ),
            models.UniqueConstraint(
                fields=["external_row"],
                condition=Q(active=True, side="external"),
                name="recon_match_external_row_once",
            ),
            models.UniqueConstraint(
                fields=["line_id"], condition=Q(active=True, side="ledger"), name="recon_match_line_once"
            ),
        ]
        triggers = NEVER_DELETED

    def __str__(self) -> str:
        return f"{self.side} {self.external_row_id or self.line_id}"


class ReconNote(models.Model):
    """What somebody said of a row; append-only. `key` is the row's, as in the logs."""

    source = models.ForeignKey(ReconSource, on_delete=models.PROTECT, related_name="notes")
    side = models.CharField(max_length=8, choices=Side.choices)
    key = models.CharField(max_length=160)
    text = models.CharField(max_length=1000)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        db_table = "recon_note"
        ordering = ["id"]
        verbose_name = "note"
        indexes = [models.Index(fields=["source", "side", "key"], name="recon_note_row_idx")]
        constraints = [models.CheckConstraint(condition=~Q(text=""), name="recon_note_says_something")]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return self.text
