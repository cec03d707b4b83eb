"""The cashiers' drawers: what went in and out of each, its closes, and checks that bounced (account 1020).

A cashier has one drawer. Movements are written by the database when a payment, a void, a refund or a DTR's cash is;
a close counts what came since the one before, and from then on that day takes no more.
"""

from django.conf import settings
from django.db import models
from django.db.models import F, Func, Q

from batconnect.common.protection import APPEND_ONLY

from .driver_ledger import MONEY, LedgerPosting
from .payments import InterimPayment
from .statements import DTRPayment


class Drawer(models.Model):
    """A cashier's drawer, there from its first movement on. Its row is what a close locks."""

    cashier = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, primary_key=True, related_name="drawer"
    )
    opened_at = models.DateTimeField(db_default=Func(function="statement_timestamp"))

    class Meta:
        db_table = "drawer"
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return str(self.cashier)


class DrawerClose(models.Model):
    """A drawer counted at the end of a day: what it should have held, what was in it, where that went.

    Counts everything since the close before. `difference` is counted less expected, cash and checks together: below
    zero is short. `kept` is the cash left in as the next float; everything else counted was banked. `checks` says of
    each check whether it was there: payment, number, amount, present.
    """

    number = models.CharField(max_length=24, unique=True)
    drawer = models.ForeignKey(Drawer, on_delete=models.PROTECT, related_name="closes")
    day = models.DateField()
    expected_cash = models.DecimalField(**MONEY)
    expected_checks = models.DecimalField(**MONEY)
    counted_cash = models.DecimalField(**MONEY)
    counted_checks = models.DecimalField(**MONEY)
    difference = models.DecimalField(**MONEY)
    kept = models.DecimalField(**MONEY)
    banked = models.DecimalField(**MONEY)
    checks = models.JSONField()
    reason = models.CharField(max_length=500, blank=True)
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    closed_at = models.DateTimeField(db_default=Func(function="statement_timestamp"))

    class Meta:
        db_table = "drawer_close"
        ordering = ["-id"]
        verbose_name = "drawer close"
        constraints = [
            models.UniqueConstraint(fields=["drawer", "day"], name="drawer_close_once_a_day"),
            models.CheckConstraint(
                condition=Q(
                    difference=F("counted_cash")
                    + F("counted_checks")
                    - F("expected_cash")
                    - F("expected_checks")
                ),
                name="drawer_close_difference",
            ),
            models.CheckConstraint(
                condition=Q(banked=F("counted_cash") + F("counted_checks") - F("kept"))
                & Q(counted_cash__gte=F("kept"), kept__gte=0, counted_checks__gte=0),
                name="drawer_close_banks_the_rest",
            ),
            models.CheckConstraint(
                condition=Q(difference=0) | ~Q(reason=""), name="drawer_close_difference_has_reason"
            ),
        ]
        permissions = [
            ("close_drawer", "Can count and close the own drawer"),
            ("close_other_drawer", "Can count and close anybody's drawer"),
            ("fund_drawer", "Can put cash from the bank into a drawer"),
        ]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return self.number


class DrawerMovement(models.Model):
    """Cash or a check that went into a drawer (positive) or out of it; append-only.

    `day` is the day of the drawer it is counted in: the day it happened, or the first one not closed yet. The entry
    behind it on 1020 is that of `posting`; where there is none, the entries whose reference is `reference`.
    """

    class Kind(models.TextChoices):
        PAYMENT = "PAYMENT", "Payment taken"
        VOID = "VOID", "Taken back"
        REFUND = "REFUND", "Credit paid back"
        DTR_PAID = "DTR_PAID", "Net pay handed over"
        DTR_RETURNED = "DTR_RETURNED", "Net pay that came back"
        FLOAT = "FLOAT", "Put in from the bank"
        DIFFERENCE = "DIFFERENCE", "Over or short"
        BANKED = "BANKED", "Taken to the bank"

    class Medium(models.TextChoices):
        CASH = "CASH", "Cash"
        CHECK = "CHECK", "Check"

    drawer = models.ForeignKey(Drawer, on_delete=models.PROTECT, related_name="movements")
    day = models.DateField()
    kind = models.CharField(max_length=12, choices=Kind.choices)
    medium = models.CharField(max_length=5, choices=Medium.choices)
    amount = models.DecimalField(**MONEY)
    reference = models.CharField(max_length=40)
    posting = models.OneToOneField(
        LedgerPosting, on_delete=models.PROTECT, null=True, related_name="drawer_movement"
    )
    payment = models.ForeignKey(
        InterimPayment, on_delete=models.PROTECT, null=True, related_name="drawer_movements"
    )
    dtr_payment = models.OneToOneField(
        DTRPayment, on_delete=models.PROTECT, null=True, related_name="drawer_movement"
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=Func(function="statement_timestamp"))

    class Meta:
        db_table = "drawer_movement"
        ordering = ["id"]
        constraints = [models.CheckConstraint(condition=~Q(amount=0), name="drawer_movement_not_zero")]
        indexes = [
            models.Index(fields=["drawer", "day"], name="drawer_movement_day_idx"),
            models.Index(fields=["reference"], name="drawer_movement_reference_idx"),
        ]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.reference}: {self.amount}"


class CheckBounce(models.Model):
    """A check the bank sent back after it was banked: its payment is voided, against the bank and not the drawer."""

    payment = models.OneToOneField(InterimPayment, on_delete=models.PROTECT, related_name="bounce")
    bounced_on = models.DateField()
    reason = models.CharField(max_length=500)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=Func(function="statement_timestamp"))

    class Meta:
        db_table = "check_bounce"
        ordering = ["-id"]
        permissions = [("bounce_check", "Can record that a check bounced")]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return str(self.payment)
