"""What the card processor sends: trips fetched from its API, and what it settled for each day of trips."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Case, Exists, F, OuterRef, Q, Value, When

from batconnect.common.protection import NEVER_DELETED
from ledger.models import ImportBatch
from ledger.models.journal import EntryReversal

from .jobs import ExternalRow
from .sources import ReconSource

MONEY: Any = {"max_digits": 14, "decimal_places": 2}


class CurbFetch(models.Model):
    """One fetch of trips for a window of time. RUNNING → DONE or FAILED, and then it stands.

    file: below MEDIA_ROOT, every page as it came and the table that was imported; sha256 is of it. rows: as fetched;
    batch: what the import made of them, in the same transaction that made the fetch DONE; none where nothing came.
    """

    class Status(models.TextChoices):
        RUNNING = "RUNNING", "Running"
        DONE = "DONE", "Done"
        FAILED = "FAILED", "Failed"

    window_from = models.DateTimeField("from")
    window_to = models.DateTimeField("to")
    status = models.CharField(max_length=7, choices=Status.choices, default=Status.RUNNING)
    pages = models.PositiveIntegerField(default=0)
    rows = models.PositiveIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    file = models.CharField(max_length=120, blank=True)
    batch = models.OneToOneField(ImportBatch, on_delete=models.PROTECT, null=True, related_name="curb_fetch")
    error_code = models.CharField(max_length=80, blank=True)
    error = models.TextField(blank=True)
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    started_at = models.DateTimeField(db_default=models.functions.Now())
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "curb_fetch"
        ordering = ["-id"]
        verbose_name = "fetch of trips"
        verbose_name_plural = "fetches of trips"
        permissions = [("fetch_curb", "Can fetch trips from the processor")]
        constraints = [
            models.CheckConstraint(condition=Q(window_from__lt=F("window_to")), name="curb_fetch_window"),
            models.UniqueConstraint(
                fields=["status"], condition=Q(status="RUNNING"), name="curb_fetch_one_at_work"
            ),
            models.CheckConstraint(
                condition=Q(status="RUNNING", ended_at__isnull=True)
                | Q(status__in=["DONE", "FAILED"], ended_at__isnull=False),
                name="curb_fetch_ended",
            ),
            models.CheckConstraint(
                condition=Q(status="DONE", error="", sha256__regex="^[0-9a-f]{64}$", pages__gt=0)
                & ~Q(file="")
                & (Q(rows=0, batch__isnull=True) | Q(rows__gt=0, batch__isnull=False))
                | Q(status="FAILED", batch__isnull=True) & ~Q(error="")
                | Q(status="RUNNING", batch__isnull=True, error=""),
                name="curb_fetch_says_how_it_ended",
            ),
        ]
        triggers = NEVER_DELETED

    def __str__(self) -> str:
        return f"Trips fetched {self.started_at:%Y-%m-%d %H:%M}"


class SettlementStatus(models.TextChoices):
    """Follows the ledger and what a person decided; nobody sets it."""

    HELD = "HELD", "Held for a person"
    ENTERED = "ENTERED", "Entered"
    REVERSED = "REVERSED", "Taken back"
    DISMISSED = "DISMISSED", "Dismissed"


class SettlementQuerySet(models.QuerySet["CurbSettlement"]):
    def with_status(self) -> "SettlementQuerySet":
        """Adds `status`, as the ledger has it now."""
        reversed_since = EntryReversal.objects.filter(entry_id=OuterRef("entry_id"))
        return self.annotate(
            status=Case(
                When(dismissed_at__isnull=False, then=Value(SettlementStatus.DISMISSED)),
                When(entry_id__isnull=True, then=Value(SettlementStatus.HELD)),
                When(Exists(reversed_since), then=Value(SettlementStatus.REVERSED)),
                default=Value(SettlementStatus.ENTERED),
                output_field=models.CharField(choices=SettlementStatus.choices),
            )
        )


class CurbSettlement(models.Model):
    """What the processor settled for one day of trips, once per row it told us, and the journal entry of it.

    gross: card money of the day's trips; fees: what the processor kept; net = gross - fees came to the bank on
    `settled_on`. Without an entry it is held (`held_because`) until a person has it entered, or dismisses it.
    """

    source = models.ForeignKey(ReconSource, on_delete=models.PROTECT, related_name="settlements")
    external_row = models.OneToOneField(ExternalRow, on_delete=models.PROTECT, related_name="settlement")
    trip_date = models.DateField("trips of")
    settled_on = models.DateField()
    gross = models.DecimalField(**MONEY)
    fees = models.DecimalField(**MONEY)
    net = models.DecimalField(**MONEY)
    trips = models.PositiveIntegerField()
    held_because = models.CharField(max_length=200, blank=True)
    entry_id = models.BigIntegerField(null=True)
    entry_date = models.DateField(null=True)
    entered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    dismissed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    dismissed_at = models.DateTimeField(null=True)
    dismissed_because = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(db_default=models.functions.Now())
    objects = SettlementQuerySet.as_manager()

    class Meta:
        db_table = "curb_settlement"
        ordering = ["-settled_on", "-id"]
        verbose_name = "card settlement"
        indexes = [models.Index(fields=["source", "trip_date"], name="curb_settlement_day_idx")]
        permissions = [("decide_settlement", "Can enter, dismiss, match and take back card settlements")]
        constraints = [
            models.CheckConstraint(condition=Q(net=F("gross") - F("fees")), name="curb_settlement_adds_up"),
            models.CheckConstraint(condition=~Q(gross=0), name="curb_settlement_not_zero"),
            models.CheckConstraint(
                condition=Q(trip_date__lte=F("settled_on")), name="curb_settlement_not_before_its_trips"
            ),
            models.CheckConstraint(
                condition=Q(entry_id__isnull=True, entry_date__isnull=True, entered_by__isnull=True)
                | Q(entry_id__isnull=False, entry_date__isnull=False, entered_by__isnull=False),
                name="curb_settlement_entry_whole",
            ),
            models.CheckConstraint(
                condition=Q(dismissed_at__isnull=True, dismissed_by__isnull=True, dismissed_because="")
                | Q(dismissed_at__isnull=False, dismissed_by__isnull=False, entry_id__isnull=True)
                & ~Q(dismissed_because=""),
                name="curb_settlement_dismissed_says_why",
            ),
            models.CheckConstraint(
                condition=Q(entry_id__isnull=False) | ~Q(held_because=""),
                name="curb_settlement_held_says_why",
            ),
            models.UniqueConstraint(
                fields=["entry_id"], condition=Q(entry_id__isnull=False), name="curb_settlement_entry_once"
            ),
        ]
        triggers = NEVER_DELETED

    def __str__(self) -> str:
        return f"Settlement of {self.trip_date}"


Row = Any  # a CurbSettlement with the status that `with_status` adds, which types cannot say
