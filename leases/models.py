"""The fleet's master data: drivers, medallions, vehicles, and the leases that tie them together.

Money is not kept here: a lease says what a week costs, the ledger says what is owed. Every change of master
data is kept by simple-history.
"""

from datetime import date

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Now
from simple_history.models import HistoricalRecords

from batconnect.common.protection import NEVER_DELETED

from .deposit_models import DepositPart, DepositRefund, DepositRelease, LeaseDeposit
from .term_models import LeaseCancellation, LeaseCap, LeaseSuspension, LeaseTermination, LeaseType

__all__ = [
    "DepositPart",
    "DepositRefund",
    "DepositRelease",
    "Driver",
    "Lease",
    "LeaseCancellation",
    "LeaseCap",
    "LeaseDeposit",
    "LeaseDriver",
    "LeaseFee",
    "LeaseInstallment",
    "LeaseSuspension",
    "LeaseTermination",
    "LeaseType",
    "Medallion",
    "Vehicle",
    "VehicleAssignment",
]


class Driver(models.Model):
    """Holds a TLC (hack) licence; trips name the driver by its number."""

    tlc_license = models.CharField("TLC licence", max_length=20, unique=True)
    name = models.CharField(max_length=120)
    phone = models.CharField(max_length=30, blank=True)
    email = models.EmailField(blank=True)
    license_expires_on = models.DateField("licence expires on", null=True, blank=True)
    is_active = models.BooleanField(default=True)
    history = HistoricalRecords()

    class Meta:
        db_table = "driver"
        ordering = ["tlc_license"]
        indexes = [models.Index(fields=["name"], name="driver_name_idx")]

    def __str__(self) -> str:
        return f"{self.name} ({self.tlc_license})"


class Medallion(models.Model):
    """A city permit, painted on the cab as its number, e.g. `4P58`; trips name the cab by it."""

    number = models.CharField(max_length=10, unique=True)
    medallion_type = models.CharField(max_length=40, blank=True)
    fleet = models.CharField(max_length=80, blank=True)
    is_active = models.BooleanField(default=True)
    history = HistoricalRecords()

    class Meta:
        db_table = "medallion"
        ordering = ["number"]

    def __str__(self) -> str:
        return self.number


class Vehicle(models.Model):
    vin = models.CharField("VIN", max_length=17, unique=True)
    plate = models.CharField(max_length=12, blank=True)
    plate_state = models.CharField(max_length=2, default="NY")
    vehicle_type = models.CharField(max_length=10, blank=True)
    model_year = models.PositiveSmallIntegerField(null=True, blank=True)
    inspection_expires_on = models.DateField(null=True, blank=True)
    is_active = models.BooleanField(default=True)
    history = HistoricalRecords()

    class Meta:
        db_table = "vehicle"
        ordering = ["vin"]
        indexes = [models.Index(fields=["plate"], name="vehicle_plate_idx")]

    def __str__(self) -> str:
        return f"{self.plate or 'no plate'} ({self.vin})"


class VehicleAssignment(models.Model):
    """Which vehicle carries which medallion, from when to when, to the minute; `ended_at` null is still on.

    The database refuses two vehicles on one medallion, or one vehicle on two medallions, at any moment.
    """

    medallion = models.ForeignKey(Medallion, on_delete=models.PROTECT, related_name="assignments")
    vehicle = models.ForeignKey(Vehicle, on_delete=models.PROTECT, related_name="assignments")
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    history = HistoricalRecords()

    class Meta:
        db_table = "vehicle_assignment"
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | Q(ended_at__gt=F("started_at")),
                name="vehicle_assignment_ends_after_start",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.vehicle} on {self.medallion} from {self.started_at:%Y-%m-%d %H:%M}"


class LeaseQuerySet(models.QuerySet["Lease"]):
    def on(self, day: date) -> "LeaseQuerySet":
        """The leases that run on `day`; the day decides, not the status, for an end may lie ahead."""
        return self.exclude(status=Lease.Status.CANCELLED).filter(
            Q(ends_on__isnull=True) | Q(ends_on__gte=day), starts_on__lte=day
        )


class Lease(models.Model):
    """Ties a driver to a medallion and vehicle for a weekly fee.

    `starts_on` and `ends_on` both count; `ends_on` null is open-ended. A medallion has one lease on any day:
    the database refuses overlaps, cancelled leases aside. ENDED says that somebody ended the lease; its last
    day may still lie ahead, so ask `Lease.objects.on(day)` which leases run. The database numbers leases.
    """

    class Status(models.TextChoices):
        ACTIVE = "ACTIVE", "Active"
        ENDED = "ENDED", "Ended"
        CANCELLED = "CANCELLED", "Cancelled before it began"

    number = models.CharField(
        max_length=20, unique=True, editable=False, db_default=Func(function="next_lease_number")
    )
    driver = models.ForeignKey(Driver, on_delete=models.PROTECT, related_name="leases")
    medallion = models.ForeignKey(Medallion, on_delete=models.PROTECT, related_name="leases")
    vehicle = models.ForeignKey(Vehicle, on_delete=models.PROTECT, related_name="leases")
    lease_type = models.CharField(max_length=20, choices=LeaseType.choices, default=LeaseType.LONG_TERM)
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    objects = LeaseQuerySet.as_manager()
    history = HistoricalRecords()

    class Meta:
        db_table = "lease"
        ordering = ["number"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_on__isnull=True) | Q(ends_on__gte=F("starts_on")),
                name="lease_ends_after_start",
            ),
            models.CheckConstraint(
                condition=~Q(status="ENDED") | Q(ends_on__isnull=False), name="lease_ended_has_end"
            ),
        ]
        permissions = [
            ("terminate_lease", "Can end leases early"),
            ("waive_cancellation_fee", "Can waive the cancellation fee of leases"),
        ]

    def __str__(self) -> str:
        return self.number


class LeaseDriver(models.Model):
    """An additional driver of a lease; trips, tolls and tickets are still the lease's driver's.

    One that was entered by mistake is withdrawn and lets nobody drive. The database keeps whose row it is, and every
    day that the driver drove or whose week is closed.
    """

    lease = models.ForeignKey(Lease, on_delete=models.PROTECT, related_name="additional_drivers")
    driver = models.ForeignKey(Driver, on_delete=models.PROTECT, related_name="additional_leases")
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True)
    withdrawn = models.BooleanField(default=False)
    history = HistoricalRecords()

    class Meta:
        db_table = "lease_driver"
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_on__isnull=True) | Q(ends_on__gte=F("starts_on")),
                name="lease_driver_ends_after_start",
            ),
        ]
        triggers = NEVER_DELETED

    def __str__(self) -> str:
        return f"{self.driver} on {self.lease}"


class LeaseFee(models.Model):
    """What a week of the lease costs from a date on; the first row is from the lease's start."""

    lease = models.ForeignKey(Lease, on_delete=models.PROTECT, related_name="fees")
    effective_from = models.DateField()
    weekly_fee = models.DecimalField(max_digits=14, decimal_places=2, validators=[MinValueValidator(0)])
    history = HistoricalRecords()

    class Meta:
        db_table = "lease_fee"
        ordering = ["lease_id", "effective_from"]
        constraints = [
            models.UniqueConstraint(fields=["lease", "effective_from"], name="lease_fee_one_per_day"),
            models.CheckConstraint(condition=Q(weekly_fee__gte=0), name="lease_fee_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.lease_id}: {self.weekly_fee} from {self.effective_from}"


class LeaseInstallment(models.Model):
    """The fee of one stretch of days, at most a week, at one price; it becomes an obligation when due.

    Days `period_start` to `period_end` lie in the week starting on `week`. `posting_id` names the ledger
    posting once the weekly run has posted it, or whoever replaced what it had posted.

    A posted row never changes but in this: when other terms take its place, `replaced` says which of the rows of its
    day it was (1 first), and its posting is voided. 0 is what stands. Ask `installments.with_status` what became of
    one; nobody sets that.
    """

    # No index of its own: the unique key on lease and period serves it.
    lease = models.ForeignKey(Lease, on_delete=models.PROTECT, db_index=False, related_name="installments")
    week = models.DateField()
    period_start = models.DateField()
    period_end = models.DateField()
    days = models.PositiveSmallIntegerField()
    weekly_fee = models.DecimalField(max_digits=14, decimal_places=2)
    amount = models.DecimalField(max_digits=14, decimal_places=2)
    due_on = models.DateField()
    reference_id = models.CharField(max_length=40)
    posting_id = models.UUIDField(null=True, editable=False)
    replaced = models.PositiveSmallIntegerField(db_default=0, default=0, editable=False)
    replaced_on = models.DateField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "lease_installment"
        ordering = ["due_on", "reference_id"]
        constraints = [
            models.UniqueConstraint(
                fields=["lease", "period_start", "replaced"], name="lease_installment_once"
            ),
            # A constraint rather than `unique=True`, which would add a second index for LIKE.
            models.UniqueConstraint(fields=["reference_id"], name="lease_installment_reference_once"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="lease_installment_positive"),
            models.CheckConstraint(condition=Q(days__gte=1, days__lte=7), name="lease_installment_days"),
            models.CheckConstraint(
                condition=Q(replaced=0, replaced_on__isnull=True)
                | Q(replaced__gt=0, replaced_on__isnull=False, posting_id__isnull=False),
                name="lease_installment_replaced_when_posted",
            ),
            models.CheckConstraint(
                condition=Q(
                    week__week_day=1,
                    week__lte=F("period_start"),
                    period_start__lte=F("period_end"),
                    period_end__lte=F("due_on"),
                    due_on=F("week") + 6,
                ),
                name="lease_installment_within_week",
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_on", "lease"],
                name="lease_installment_unposted_idx",
                condition=Q(posting_id__isnull=True),
            ),
            models.Index(
                fields=["lease", "period_start"],
                name="lease_installment_replaced_idx",
                condition=Q(replaced__gt=0),
            ),
        ]

    def __str__(self) -> str:
        return self.reference_id
