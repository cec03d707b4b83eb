"""Credits that somebody decided on (adjustments, write-offs), credit paid back, and the opening balances."""

from django.conf import settings
from django.db import models
from django.db.models import F, Func, Q

from batconnect.common.protection import APPEND_ONLY

from .driver_ledger import MONEY, DriverAccount, LedgerPosting


class OutgoingMethod(models.TextChoices):
    """How money leaves for a driver: out of a cashier's drawer, or from the bank."""

    CASH = "CASH", "Cash"
    CHECK = "CHECK", "Check"
    ACH = "ACH", "ACH"


class CreditDecision(models.Model):
    """One adjustment, write-off or refund: what was decided, why, by whom, and the posting it became.

    `amount` is positive; the posting of an adjustment or write-off is a credit of it, that of a refund a debit.
    `approval_above` is the amount above which a second person was needed that day; 0 for a refund, always.
    `parts` are the items it was put to (of a refund: the credits it took), as they were then.
    """

    class Kind(models.TextChoices):
        ADJUSTMENT = "ADJUSTMENT", "Adjustment"
        WRITE_OFF = "WRITE_OFF", "Write-off"
        REFUND = "REFUND", "Refund of credit"

    number = models.CharField(max_length=20, unique=True)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    account = models.ForeignKey(DriverAccount, on_delete=models.PROTECT, related_name="credit_decisions")
    posting = models.OneToOneField(LedgerPosting, on_delete=models.PROTECT, related_name="credit_decision")
    amount = models.DecimalField(**MONEY)
    reason = models.CharField(max_length=500)
    method = models.CharField(max_length=5, choices=OutgoingMethod.choices, blank=True)
    method_reference = models.CharField("check number or ACH reference", max_length=60, blank=True)
    parts = models.JSONField()
    approval_above = models.DecimalField(**MONEY)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    decided_on = models.DateField()
    case_no = models.CharField("case", max_length=20, blank=True)
    created_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        db_table = "credit_decision"
        ordering = ["-id"]
        verbose_name = "credit"
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="credit_decision_positive"),
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True) | ~Q(approved_by=F("asked_by")),
                name="credit_decision_approved_by_another",
            ),
            models.CheckConstraint(
                condition=Q(amount__lte=F("approval_above")) | Q(approved_by__isnull=False),
                name="credit_decision_large_is_approved",
            ),
            models.CheckConstraint(
                condition=(Q(kind="REFUND", approval_above=0) & ~Q(method=""))
                | (~Q(kind="REFUND") & Q(method="")),
                name="credit_decision_refund_says_how",
            ),
            models.UniqueConstraint(
                fields=["case_no"], condition=~Q(case_no=""), name="credit_decision_one_per_case"
            ),
        ]
        permissions = [
            ("grant_adjustment", "Can grant an adjustment"),
            ("write_off", "Can write off what a driver owes"),
            ("refund_credit", "Can pay back a driver's credit"),
        ]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return self.number


class OpeningImport(models.Model):
    """The file of opening balances, imported once at cut-over. `once` is always true and unique: there is one row.

    The database compares `rows`, `debits` and `credits` with the postings when it is inserted.
    """

    once = models.BooleanField(default=True, unique=True, editable=False)
    file_name = models.CharField(max_length=120)
    sha256 = models.CharField(max_length=64)
    dated = models.DateField()
    rows = models.PositiveIntegerField()
    debits = models.DecimalField(**MONEY)
    credits = models.DecimalField(**MONEY)
    control_total = models.DecimalField(**MONEY)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=Func(function="statement_timestamp"))

    class Meta:
        db_table = "opening_import"
        verbose_name = verbose_name_plural = "opening balances"
        constraints = [
            models.CheckConstraint(condition=Q(once=True), name="opening_import_only_one"),
            models.CheckConstraint(
                condition=Q(control_total=F("debits") - F("credits")), name="opening_import_adds_up"
            ),
        ]
        permissions = [("import_opening", "Can import the opening balances")]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return self.file_name
