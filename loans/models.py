"""Loans to drivers, and what the books say of each besides its installments: paid out, and forgiven."""

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from batconnect.common.protection import APPEND_ONLY
from ledger.models import OutgoingMethod
from repayments.models import Repayment

if TYPE_CHECKING:
    from django_stubs_ext.db.models.manager import RelatedManager


class DriverLoan(Repayment):
    """How a loan is handed over; what of it is repaid when is the `Repayment` it extends. Never changed.

    `starts_on` is the loan date: the day the money is handed over, from which interest counts.
    """

    method = models.CharField(max_length=5, choices=OutgoingMethod.choices)
    method_reference = models.CharField("check number or ACH reference", max_length=60, blank=True)
    purpose = models.CharField(max_length=500, blank=True)
    movements: "RelatedManager[LoanMovement]"

    class Meta:
        db_table = "driver_loan"
        ordering = ["-number"]
        constraints = [
            models.CheckConstraint(condition=Q(method__in=OutgoingMethod.values), name="driver_loan_method"),
            models.CheckConstraint(
                condition=Q(method="CASH") | ~Q(method_reference=""), name="driver_loan_method_reference"
            ),
        ]
        permissions = [
            ("export_driverloan", "Can export loans"),
            ("pay_out_driverloan", "Can pay out a loan"),
            ("approve_driverloan", "Can approve a large loan of somebody else"),
            ("forgive_driverloan", "Can forgive what is left of a loan"),
            ("cancel_driverloan", "Can cancel the draft of a loan"),
        ]
        triggers = APPEND_ONLY


class LoanMovement(models.Model):
    """One entry of the journal about a loan that no driver posting stands behind; append-only."""

    class Movement(models.TextChoices):
        PAID_OUT = "PAID_OUT", "Paid out"
        FORGIVEN = "FORGIVEN", "Forgiven"

    loan = models.ForeignKey(DriverLoan, on_delete=models.PROTECT, related_name="movements")
    movement = models.CharField(max_length=8, choices=Movement.choices)
    amount = models.DecimalField(max_digits=14, decimal_places=2)
    entry_id = models.BigIntegerField(unique=True)
    je_date = models.DateField()
    je_number = models.CharField("entry", max_length=30)
    reason = models.CharField(max_length=500, blank=True)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "loan_movement"
        ordering = ["id"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["loan"], condition=Q(movement="PAID_OUT"), name="loan_movement_paid_out_once"
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="loan_movement_positive"),
            models.CheckConstraint(
                condition=Q(movement="PAID_OUT") | ~Q(reason=""), name="loan_movement_says_why"
            ),
        ]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return f"{self.loan_id} {self.movement} {self.amount}"
