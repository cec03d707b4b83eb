"""What a driver pays back by the week: the amount, its installments, and what the ledger says became of them.

A repair and a loan are each a `Repayment` with facts of their own (`repairs`, `loans`). Rows are never deleted, and an
installment never changes but twice: it is posted, or it is cancelled and others take its place. Statuses are
computed from the ledger by two views (`migrations/sql/0001_repayments.sql`).
"""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from batconnect.common.protection import NEVER_DELETED
from ledger.models import InstallmentStatus, LedgerPosting

if TYPE_CHECKING:
    from django_stubs_ext.db.models.manager import RelatedManager

MONEY: Any = {"max_digits": 14, "decimal_places": 2}
SMALLEST = Decimal("0.01")
LARGEST = Decimal("99999.99")
HIGHEST_RATE = Decimal("25.00")


class Kind(models.TextChoices):
    """Also the category of the ledger that its installments are posted in."""

    REPAIR = "REPAIR", "Repair"
    LOAN = "LOAN", "Loan"


class State(models.TextChoices):
    """What people decided; `Status` adds what follows from the ledger."""

    DRAFT = "DRAFT", "Draft"
    OPEN = "OPEN", "Open"
    HOLD = "HOLD", "On hold"
    CANCELLED = "CANCELLED", "Cancelled"


class Status(models.TextChoices):
    DRAFT = "DRAFT", "Draft"
    OPEN = "OPEN", "Open"
    HOLD = "HOLD", "On hold"
    CLOSED = "CLOSED", "Closed"
    CANCELLED = "CANCELLED", "Cancelled"


class Because(models.TextChoices):
    """Why an installment was cancelled; others stand in its place, but where there is nothing more to pay."""

    SHIFTED = "SHIFTED", "Shifted"
    RESCHEDULED = "RESCHEDULED", "Rescheduled"
    PAID_OFF = "PAID_OFF", "Paid off early"
    FELL_DUE = "FELL_DUE", "Fell due at once"
    FORGIVEN = "FORGIVEN", "Forgiven"
    CANCELLED = "CANCELLED", "Cancelled"


class Repayment(models.Model):
    """An amount and how it is paid back. `billed` is what the driver repays: all of it, or nothing.

    `starts_on` is the day interest counts from. Of `billed`, `waived` is scheduled no more, since it was forgiven;
    `forgiven` is what was booked as such, which may be more: a voided installment's principal too.
    """

    number = models.CharField(max_length=20, unique=True)
    kind = models.CharField(max_length=6, choices=Kind.choices)
    account = models.ForeignKey("ledger.DriverAccount", on_delete=models.PROTECT, related_name="repayments")
    driver = models.ForeignKey("leases.Driver", on_delete=models.PROTECT, related_name="+")
    lease = models.ForeignKey("leases.Lease", on_delete=models.PROTECT, related_name="repayments")
    amount = models.DecimalField(**MONEY)
    billed = models.DecimalField(**MONEY)
    rate = models.DecimalField("interest, per cent a year", max_digits=5, decimal_places=2, default=0)
    starts_on = models.DateField()
    weekly_principal = models.DecimalField(**MONEY)
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    state_reason = models.CharField(max_length=500, blank=True)
    state_since = models.DateField()
    waived = models.DecimalField(**MONEY, default=0)
    forgiven = models.DecimalField(**MONEY, default=0)
    case_no = models.CharField("case", max_length=20, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    standing: "RepaymentStanding"
    installments: "RelatedManager[RepaymentInstallment]"

    class Meta:
        db_table = "repayment"
        ordering = ["-id"]
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="REPAIR", number__regex=r"^RPR-[0-9]{4}-[0-9]{5,10}$")
                | Q(kind="LOAN", number__regex=r"^DLN-[0-9]{4}-[0-9]{5,10}$"),
                name="repayment_number",
            ),
            models.CheckConstraint(
                condition=Q(amount__gte=SMALLEST, amount__lte=LARGEST), name="repayment_amount"
            ),
            models.CheckConstraint(
                condition=Q(billed=0) | Q(billed=F("amount")), name="repayment_billed_whole_or_not"
            ),
            models.CheckConstraint(
                condition=Q(kind="LOAN", rate__gte=0, rate__lte=HIGHEST_RATE, billed=F("amount"))
                | Q(kind="REPAIR", rate=0),
                name="repayment_rate",
            ),
            models.CheckConstraint(
                condition=Q(waived__gte=0, forgiven__gte=F("waived"), forgiven__lte=F("billed"))
                & (Q(kind="LOAN") | Q(forgiven=0)),
                name="repayment_forgiven",
            ),
            models.CheckConstraint(condition=Q(weekly_principal__gt=0), name="repayment_weekly_principal"),
            models.CheckConstraint(condition=Q(state__in=State.values), name="repayment_state"),
            models.CheckConstraint(
                condition=~Q(state__in=["HOLD", "CANCELLED"]) | ~Q(state_reason=""), name="repayment_says_why"
            ),
        ]
        indexes = [models.Index(fields=["case_no"], name="repayment_case_idx", condition=~Q(case_no=""))]
        triggers = NEVER_DELETED

    def __str__(self) -> str:
        return self.number


class RepaymentInstallment(models.Model):
    """One part of a repayment, due on a Saturday. `left` is the principal that is still owed after it.

    `posting_id` names the first posting it became, and is set once, by what posts it; later corrections are
    followed from there (`standing`).
    """

    repayment = models.ForeignKey(Repayment, on_delete=models.PROTECT, related_name="installments")
    position = models.PositiveSmallIntegerField()
    reference_id = models.CharField(max_length=40)
    due_on = models.DateField()
    principal = models.DecimalField(**MONEY)
    interest = models.DecimalField(**MONEY)
    amount = models.GeneratedField(
        expression=F("principal") + F("interest"), output_field=models.DecimalField(**MONEY), db_persist=True
    )
    left = models.DecimalField("principal left", **MONEY)
    posting_id = models.UUIDField(null=True, editable=False)
    cancelled_on = models.DateField(null=True, editable=False)
    cancelled_because = models.CharField(max_length=12, choices=Because.choices, blank=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    standing: "InstallmentStanding"

    class Meta:
        db_table = "repayment_installment"
        ordering = ["position"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["repayment", "position"], name="repayment_installment_once"),
            models.UniqueConstraint(fields=["reference_id"], name="repayment_installment_reference_once"),
            models.UniqueConstraint(fields=["posting_id"], name="repayment_installment_posting_once"),
            models.CheckConstraint(condition=Q(due_on__week_day=7), name="repayment_installment_saturday"),
            models.CheckConstraint(
                condition=Q(principal__gt=0, interest__gte=0, left__gte=0, position__gte=1),
                name="repayment_installment_amounts",
            ),
            models.CheckConstraint(
                condition=Q(cancelled_on__isnull=True, cancelled_because="")
                | Q(
                    cancelled_on__isnull=False, posting_id__isnull=True, cancelled_because__in=Because.values
                ),
                name="repayment_installment_posted_or_cancelled",
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_on", "repayment"],
                name="repayment_scheduled_idx",
                condition=Q(posting_id__isnull=True, cancelled_on__isnull=True),
            ),
        ]
        triggers = NEVER_DELETED

    def __str__(self) -> str:
        return self.reference_id


class InstallmentStanding(models.Model):
    """A view: where an installment stands now. `charged` and `open_amount` are of its latest correction."""

    installment = models.OneToOneField(
        RepaymentInstallment, models.DO_NOTHING, primary_key=True, related_name="standing"
    )
    current_posting = models.ForeignKey(LedgerPosting, models.DO_NOTHING, null=True, related_name="+")
    charged = models.DecimalField(**MONEY)
    charged_principal = models.DecimalField(**MONEY)
    open_amount = models.DecimalField(**MONEY)
    status = models.CharField(max_length=10, choices=InstallmentStatus.choices)

    class Meta:
        db_table = "repayment_installment_standing"
        managed = False
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.pk}: {self.status}"


class RepaymentStanding(models.Model):
    """A view: where a repayment stands now, in principal but for `open_amount`, which is what the driver owes of it.

    `adrift` is principal that is neither scheduled nor posted nor forgiven: that of voided installments.
    """

    repayment = models.OneToOneField(Repayment, models.DO_NOTHING, primary_key=True, related_name="standing")
    scheduled = models.DecimalField(**MONEY)
    posted = models.DecimalField(**MONEY)
    adrift = models.DecimalField(**MONEY)
    open_amount = models.DecimalField(**MONEY)
    next_due_on = models.DateField(null=True)
    status = models.CharField(max_length=10, choices=Status.choices)

    class Meta:
        db_table = "repayment_standing"
        managed = False
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.pk}: {self.status}"
