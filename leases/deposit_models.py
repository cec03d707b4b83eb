"""Deposits of leases: what was agreed, in one part or two; the release after the lease; what was paid back.

What of it is collected, held, applied and owed back is never kept here: it follows from the ledger's postings, and
`LeaseDeposit.objects.with_standing()` reads it.
"""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Case, ExpressionWrapper, F, Q, Value, When
from django.db.models.functions import Coalesce, Now

from batconnect.common.protection import APPEND_ONLY, NEVER_TRUNCATED
from ledger.models import LedgerPosting

MONEY: Any = {"max_digits": 14, "decimal_places": 2}
MOST_PARTS = 2
HOLD_DAYS = 30  # from the lease's last day to the day its deposit is released


class DepositStatus(models.TextChoices):
    """Follows the ledger and the release; nobody sets it."""

    COLLECTING = "COLLECTING", "Collecting"
    HELD = "HELD", "Held"
    APPLIED = "APPLIED", "Applied"
    REFUNDED = "REFUNDED", "Refunded"


class RefundMethod(models.TextChoices):
    """What leaves the bank. Cash would leave the drawer, which is counted by itself."""

    CHECK = "CHECK", "Check"
    ACH = "ACH", "ACH"


class DepositQuerySet(models.QuerySet["LeaseDeposit"]):
    def with_standing(self) -> "DepositQuerySet":
        """Adds what the ledger has of each now, the fields of `DepositStanding`, and `due_on`: when the hold ends.

        That is counted from the lease's last day, or the first of one cancelled before it began; none while it is open.
        """
        over = Coalesce("lease__ends_on", Case(When(lease__status="CANCELLED", then=F("lease__starts_on"))))
        due_on = ExpressionWrapper(over + Value(HOLD_DAYS), output_field=models.DateField())
        return self.annotate(due_on=due_on, **{name: F(f"standing__{name}") for name in STANDING})


class LeaseDeposit(models.Model):
    """That a lease has a deposit; how much and when due say its parts. One per lease, on the lease's own account."""

    lease = models.OneToOneField("leases.Lease", on_delete=models.PROTECT, related_name="deposit")
    account = models.OneToOneField(
        "ledger.DriverAccount", on_delete=models.PROTECT, related_name="lease_deposit"
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    objects = DepositQuerySet.as_manager()

    class Meta:
        db_table = "lease_deposit"
        ordering = ["-id"]
        verbose_name = "deposit"
        permissions = [
            ("release_deposit", "Can release a deposit before its hold ends"),
            ("refund_deposit", "Can record that a deposit was paid back, or came back"),
        ]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return f"Deposit of {self.lease}"


class DepositStanding(models.Model):
    """A view: where a deposit stands, from the ledger's postings, its release and its refunds.

    Amounts are US dollars: `scheduled` is not charged yet, `open_amount` charged and not paid, `held` collected less
    applied and refunded, `to_refund` what of it is owed back.
    """

    deposit = models.OneToOneField(
        LeaseDeposit, on_delete=models.DO_NOTHING, primary_key=True, related_name="standing"
    )
    status = models.CharField(max_length=10, choices=DepositStatus.choices)
    is_released = models.BooleanField()
    agreed = models.DecimalField(**MONEY)
    scheduled = models.DecimalField(**MONEY)
    charged = models.DecimalField(**MONEY)
    open_amount = models.DecimalField(**MONEY)
    collected = models.DecimalField(**MONEY)
    applied = models.DecimalField(**MONEY)
    refunded = models.DecimalField(**MONEY)
    held = models.DecimalField(**MONEY)
    to_refund = models.DecimalField(**MONEY)

    class Meta:
        db_table = "lease_deposit_standing"
        managed = False
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.deposit_id}: {self.status}"


STANDING = tuple(field.name for field in DepositStanding._meta.local_fields if not field.primary_key)


class DepositPart(models.Model):
    """One part of a deposit, which the weekly run posts when due; the database keeps a posted one as it is.

    The parts that are not posted yet may be changed. `posting_id` is set by whoever posts it, and by nobody else.
    """

    # No index of its own: the unique key on deposit and number serves it.
    deposit = models.ForeignKey(LeaseDeposit, on_delete=models.PROTECT, db_index=False, related_name="parts")
    number = models.PositiveSmallIntegerField()
    amount = models.DecimalField(**MONEY)
    due_on = models.DateField()
    reference_id = models.CharField(max_length=40)
    posting_id = models.UUIDField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "deposit_part"
        ordering = ["deposit_id", "number"]
        constraints = [
            models.UniqueConstraint(fields=["deposit", "number"], name="deposit_part_once"),
            models.UniqueConstraint(fields=["reference_id"], name="deposit_part_reference_once"),
            models.UniqueConstraint(fields=["posting_id"], name="deposit_part_posting_once"),
            models.CheckConstraint(condition=Q(number__in=[1, 2]), name="deposit_part_one_or_two"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="deposit_part_positive"),
        ]
        indexes = [
            models.Index(
                fields=["due_on"],
                name="deposit_part_unposted_idx",
                condition=Q(posting_id__isnull=True),
            ),
        ]
        triggers = NEVER_TRUNCATED

    def __str__(self) -> str:
        return self.reference_id


class DepositRelease(models.Model):
    """The end of a deposit: what was collected paid the debts of its lease, and the rest is owed back. Once, for ever.

    `fell_due` is what was posted ahead of its day, `cancelled` what was posted and never collected. A `reason` is given
    where somebody released it before the hold ended.
    """

    deposit = models.OneToOneField(LeaseDeposit, on_delete=models.PROTECT, related_name="release")
    released_on = models.DateField()
    reason = models.CharField(max_length=500, blank=True)
    fell_due = models.DecimalField(**MONEY)
    cancelled = models.DecimalField(**MONEY)
    collected = models.DecimalField(**MONEY)
    applied = models.DecimalField(**MONEY)
    refundable = models.DecimalField(**MONEY)
    posting = models.OneToOneField(
        LedgerPosting,
        on_delete=models.PROTECT,
        null=True,
        db_constraint=False,
        related_name="deposit_release",
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "deposit_release"
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(fell_due__gte=0, cancelled__gte=0, applied__gte=0, refundable__gte=0),
                name="deposit_release_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(collected=F("applied") + F("refundable")), name="deposit_release_adds_up"
            ),
            models.CheckConstraint(
                condition=Q(applied=0, posting__isnull=True) | Q(applied__gt=0, posting__isnull=False),
                name="deposit_release_applied_is_posted",
            ),
        ]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return f"Release of {self.deposit_id} on {self.released_on}"


class DepositRefund(models.Model):
    """What was left of a deposit was paid back to the driver; or, with `returns`, that payment came back."""

    release = models.ForeignKey(DepositRelease, on_delete=models.PROTECT, related_name="refunds")
    amount = models.DecimalField(**MONEY)
    paid_on = models.DateField()
    method = models.CharField(max_length=5, choices=RefundMethod.choices)
    method_reference = models.CharField(max_length=60)
    returns = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, related_name="returned_by", verbose_name="came back"
    )
    reason = models.CharField(max_length=500, blank=True)
    entry_id = models.BigIntegerField()
    entry_date = models.DateField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "deposit_refund"
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="deposit_refund_positive"),
            models.CheckConstraint(
                condition=Q(method__in=RefundMethod.values) & ~Q(method_reference=""),
                name="deposit_refund_says_how",
            ),
            models.CheckConstraint(
                condition=Q(returns__isnull=True, reason="") | (Q(returns__isnull=False) & ~Q(reason="")),
                name="deposit_refund_returned_has_reason",
            ),
            models.UniqueConstraint(fields=["entry_id"], name="deposit_refund_entry_once"),
        ]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return f"{self.amount} by {self.method} {self.method_reference}"


Row = Any  # a LeaseDeposit with what `with_standing` adds, which types cannot say
