"""What was agreed about a lease besides its dates and fees: days that are free, how it ended, what it may cost.

Part of `leases.models`, which imports it.
"""

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from simple_history.models import HistoricalRecords

from batconnect.common.protection import APPEND_ONLY, NEVER_DELETED

LONGEST_REASON = 500
RULE = "58-21"


class LeaseType(models.TextChoices):
    DOV = "dov", "Driver-owned vehicle"
    LONG_TERM = "long-term", "Long-term"
    SHIFT = "shift-lease", "Shift lease"
    SHORT_TERM = "short-term", "Short-term"
    MEDALLION_ONLY = "medallion-only", "Medallion only"


class LeaseSuspension(models.Model):
    """Days of a lease that cost nothing; first and last count, and `ends_on` null is until somebody resumes it.

    The database refuses two on one day. One that was withdrawn suspends nothing; it is kept, never deleted.
    """

    lease = models.ForeignKey("leases.Lease", on_delete=models.PROTECT, related_name="suspensions")
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True)
    reason = models.CharField(max_length=LONGEST_REASON)
    withdrawn = models.BooleanField(default=False)
    history = HistoricalRecords()

    class Meta:
        db_table = "lease_suspension"
        ordering = ["lease_id", "starts_on", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_on__isnull=True) | Q(ends_on__gte=F("starts_on")),
                name="lease_suspension_ends_after_start",
            ),
        ]
        triggers = NEVER_DELETED

    def __str__(self) -> str:
        return f"{self.lease_id}: suspended from {self.starts_on}"


class LeaseTermination(models.Model):
    """A lease that was ended early: from which day, why, and what that cost.

    `posting_id` is the CANCELLATION_FEE posting, or null when none was due or it was waived; the reason for a waiver
    is kept beside the amount that was waived.
    """

    lease = models.ForeignKey("leases.Lease", on_delete=models.PROTECT, related_name="terminations")
    ends_on = models.DateField(help_text="The last day, which counts.")
    agreed_end = models.DateField(null=True, help_text="The last day as it was agreed before; null: open.")
    reason = models.CharField(max_length=LONGEST_REASON)
    cancellation_fee = models.DecimalField(
        max_digits=14, decimal_places=2, help_text="What was agreed; zero: none."
    )
    waiver_reason = models.CharField(max_length=LONGEST_REASON, blank=True)
    posting_id = models.UUIDField(null=True, editable=False)
    entered_on = models.DateField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "lease_termination"
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(cancellation_fee__gte=0), name="lease_termination_fee_not_negative"
            ),
            # A fee was posted, or waived with a reason; where there is none, neither.
            models.CheckConstraint(
                condition=Q(cancellation_fee=0, posting_id__isnull=True, waiver_reason="")
                | Q(cancellation_fee__gt=0, posting_id__isnull=False, waiver_reason="")
                | Q(cancellation_fee__gt=0, posting_id__isnull=True, waiver_reason__regex=r"\S.{8,}\S"),
                name="lease_termination_fee_posted_or_waived",
            ),
            models.CheckConstraint(
                condition=Q(agreed_end__isnull=True) | Q(agreed_end__gt=F("ends_on")),
                name="lease_termination_is_early",
            ),
        ]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return f"{self.lease_id}: ends on {self.ends_on}"


class LeaseCancellation(models.Model):
    """That a lease was cancelled before it began, and why: made with the change of its status, and only then."""

    lease = models.OneToOneField("leases.Lease", on_delete=models.PROTECT, related_name="cancellation")
    reason = models.CharField(max_length=LONGEST_REASON)
    cancelled_on = models.DateField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "lease_cancellation"
        ordering = ["-id"]
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                condition=Q(reason__regex=r"\S.{8,}\S"), name="lease_cancellation_says_why"
            ),
        ]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return f"{self.lease_id}: cancelled on {self.cancelled_on}"


class LeaseCap(models.Model):
    """The most a week of a kind of lease may cost from a date on, by city rule; prorated by days like the fee.

    `vehicle_type` empty is for all vehicles that no row names; `weekly_cap` null says that there is no cap from that
    date on. In force is the latest row for the vehicle's type, or else for all (`lease_cap_on` in the database).
    The database keeps one that closed weeks were checked against, and takes none for a closed day.
    """

    lease_type = models.CharField(max_length=20, choices=LeaseType.choices)
    vehicle_type = models.CharField(max_length=10, blank=True, help_text="Empty: all that are not named.")
    effective_from = models.DateField()
    weekly_cap = models.DecimalField(
        max_digits=14,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="US dollars a week. Empty: no cap from this date on.",
    )
    rule = models.CharField(max_length=40, default=RULE, help_text="The rule that a refusal names.")
    history = HistoricalRecords()

    class Meta:
        db_table = "lease_cap"
        ordering = ["lease_type", "vehicle_type", "-effective_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["lease_type", "vehicle_type", "effective_from"], name="lease_cap_one_per_day"
            ),
            models.CheckConstraint(
                condition=Q(weekly_cap__isnull=True) | Q(weekly_cap__gt=0), name="lease_cap_positive"
            ),
            models.CheckConstraint(condition=Q(lease_type__in=LeaseType.values), name="lease_cap_lease_type"),
            models.CheckConstraint(condition=~Q(rule=""), name="lease_cap_names_its_rule"),
        ]
        triggers = NEVER_DELETED

    def __str__(self) -> str:
        kind = f"{self.get_lease_type_display()}{f', {self.vehicle_type}' if self.vehicle_type else ''}"
        return f"{kind} from {self.effective_from}"
