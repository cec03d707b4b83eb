"""Payments taken at the desk, as the receipt shows them; the money itself is a posting."""

from django.conf import settings
from django.db import models

from batconnect.common.protection import APPEND_ONLY

from .driver_ledger import MONEY, DriverAccount, LedgerPosting


class PaymentMethod(models.TextChoices):
    CASH = "CASH", "Cash"
    CHECK = "CHECK", "Check"
    ACH = "ACH", "ACH"
    CARD = "CARD", "Card"


class InterimPayment(models.Model):
    """One receipt: how a driver paid, and which credit posting it became. Its allocations are the posting's."""

    number = models.CharField(max_length=20, unique=True)
    account = models.ForeignKey(DriverAccount, on_delete=models.PROTECT, related_name="interim_payments")
    posting = models.OneToOneField(LedgerPosting, on_delete=models.PROTECT, related_name="interim_payment")
    method = models.CharField(max_length=5, choices=PaymentMethod.choices)
    method_reference = models.CharField("check number or ACH reference", max_length=60, blank=True)
    amount = models.DecimalField(**MONEY)
    received_on = models.DateField()
    allocations = models.JSONField(
        help_text="What the receipt says the payment was put to, when it was taken."
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "interim_payment"
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="interim_payment_positive"),
        ]
        permissions = [("take_payment", "Can take a payment at the desk")]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return self.number
