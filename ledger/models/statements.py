"""Weeks that were run and closed, and the DTR (driver transaction report) each lease got for them."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from batconnect.common.protection import APPEND_ONLY, NEVER_DELETED

from .driver_ledger import MONEY, DriverAccount, LedgerPosting
from .payments import PaymentMethod


class WeeklyRun(models.Model):
    """The run of one week, named by its Sunday. Once CLOSED the week takes no posting dated inside it.

    Weeks close in order and never reopen; the database holds both.
    """

    class Status(models.TextChoices):
        OPEN = "OPEN", "Started"
        INSTALLMENTS_POSTED = "INSTALLMENTS_POSTED", "Installments posted"
        CLOSED = "CLOSED", "Closed"

    week = models.DateField(primary_key=True)
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.OPEN)
    started_at = models.DateTimeField(auto_now_add=True)
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    installments_posted = models.PositiveIntegerField(default=0)
    closed_at = models.DateTimeField(null=True)
    result = models.JSONField(null=True)

    class Meta:
        db_table = "weekly_run"
        ordering = ["-week"]
        constraints = [
            models.CheckConstraint(condition=Q(week__week_day=1), name="weekly_run_starts_on_sunday"),
            models.CheckConstraint(
                condition=~Q(status="CLOSED") | Q(closed_at__isnull=False, result__isnull=False),
                name="weekly_run_closed_has_result",
            ),
        ]
        permissions = [("run_week", "Can preview and run the weekly settlement")]
        triggers = NEVER_DELETED

    def __str__(self) -> str:
        return f"week of {self.week}"


class DTR(models.Model):
    """One lease's report for one week, frozen: read it through `data` and `trips`, as it was then.

    The long lists are stored compactly, charges as arrays and trips as lines of text, because a fleet's run
    writes them by the hundred thousand.

    `still_open` repeats, per category, what the next DTR starts from. Movements are told apart by
    `through_posting_seq` and `through_allocation_id`: the last of each that this report has seen.
    Only `status` ever changes: FINALIZED when frozen, PAID, and FINALIZED again when a payment comes back.
    """

    class Status(models.TextChoices):
        DRAFT = "DRAFT", "Draft"
        FINALIZED = "FINALIZED", "Finalized"
        PAID = "PAID", "Paid"

    number = models.CharField(max_length=20, unique=True)
    account = models.ForeignKey(
        DriverAccount, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="dtrs"
    )
    driver = models.ForeignKey(
        "leases.Driver", on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="dtrs"
    )
    lease = models.ForeignKey(
        "leases.Lease", on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="dtrs"
    )
    week = models.DateField()
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.FINALIZED)
    gross_earnings = models.DecimalField(**MONEY)
    taxes = models.DecimalField(**MONEY)
    allocated = models.DecimalField(**MONEY)
    net_pay = models.DecimalField(**MONEY)
    open_debits = models.DecimalField(**MONEY)
    open_credits = models.DecimalField(**MONEY)
    still_open = models.JSONField()
    figures = models.JSONField()
    charges = models.JSONField(
        help_text="One array per charge since the last DTR, in the order of CHARGE_COLUMNS."
    )
    trip_log = models.TextField(
        blank=True, help_text="One line per settled trip, in the order of TRIP_COLUMNS."
    )
    payout = models.OneToOneField(
        LedgerPosting, on_delete=models.PROTECT, null=True, db_constraint=False, related_name="dtr"
    )
    through_posting_seq = models.BigIntegerField()
    through_allocation_id = models.BigIntegerField()
    frozen_at = models.DateTimeField()

    class Meta:
        db_table = "dtr"
        verbose_name = "DTR"
        ordering = ["-week", "number"]
        constraints = [
            models.UniqueConstraint(fields=["account", "week"], name="dtr_one_per_account_and_week"),
            models.CheckConstraint(condition=Q(net_pay__gte=0), name="dtr_net_pay_not_negative"),
            models.CheckConstraint(
                condition=Q(net_pay=0, payout__isnull=True) | Q(net_pay__gt=0, payout__isnull=False),
                name="dtr_net_pay_has_payout",
            ),
        ]
        indexes = [
            models.Index(fields=["week", "number"], name="dtr_week_idx"),
            models.Index(fields=["lease", "week"], name="dtr_lease_idx"),
            models.Index(
                fields=["week"], condition=Q(status="FINALIZED", net_pay__gt=0), name="dtr_unpaid_idx"
            ),
        ]
        permissions = [("pay_dtr", "Can record a DTR as paid or returned")]
        triggers = NEVER_DELETED

    CHARGE_COLUMNS = ("category", "reference", "description", "event_on", "due_on", "amount", "open", "late")
    TRIP_COLUMNS = (
        "started", "minutes", "payment_type", "fare", "extras", "tips", "tolls", "taxes", "total", "late"
    )  # fmt: skip

    def __str__(self) -> str:
        return self.number

    @property
    def data(self) -> dict[str, Any]:
        """Everything on the report but the trips: the figures, and `details` as one dict per charge."""
        details = [dict(zip(self.CHARGE_COLUMNS, charge, strict=True)) for charge in self.charges]
        return {**self.figures, "details": details}

    @property
    def trips(self) -> list[list[Any]]:
        """The settled trips in the order they were driven, one list of TRIP_COLUMNS each; amounts are strings."""
        rows = []
        for line in self.trip_log.splitlines():
            started, minutes, *middle, late = line.split(",")
            rows.append([started.replace(" ", "T")[:16], int(minutes), *middle, int(late)])
        return rows


class DTRPayment(models.Model):
    """A DTR's net pay handed over, or come back; append-only. The DTR's status follows the last one.

    `item` is the transfer or check it was paid by, and `entry_id` its journal entry; those of old have neither.
    """

    class Kind(models.TextChoices):
        PAID = "PAID", "Paid"
        RETURNED = "RETURNED", "Returned"

    dtr = models.ForeignKey(DTR, on_delete=models.PROTECT, related_name="payments")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    method = models.CharField(max_length=5, choices=PaymentMethod.choices, blank=True)
    method_reference = models.CharField(max_length=60, blank=True)
    amount = models.DecimalField(**MONEY)
    on = models.DateField()
    reason = models.CharField(max_length=500, blank=True)
    item = models.ForeignKey(
        "ledger.PayoutItem", on_delete=models.PROTECT, null=True, related_name="payments"
    )
    entry_id = models.BigIntegerField(null=True, unique=True)
    entry_date = models.DateField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    class Meta:
        db_table = "dtr_payment"
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="dtr_payment_positive"),
            models.UniqueConstraint(fields=["item", "kind"], name="dtr_payment_item_once_each_way"),
        ]
        indexes = [
            # What was paid in cash is looked for by its receipt.
            models.Index(
                fields=["method_reference"], condition=Q(method="CASH"), name="dtr_payment_receipt_idx"
            ),
        ]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return f"{self.dtr_id} {self.kind} {self.amount}"
