"""One-off charges to a driver: a lost key, a cleaning. The record says what for; the ledger says what is owed."""

from decimal import Decimal
from typing import Any

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Case, F, Func, OuterRef, Q, Subquery, Value, When

from batconnect.common.protection import APPEND_ONLY
from ledger.models import LedgerBalance, LedgerPosting

SMALLEST = Decimal("0.01")
LARGEST = Decimal("99999.99")

_POSTING_FITS = """
IF NOT EXISTS (
  SELECT FROM ledger_posting p
   WHERE p.id = NEW.posting_id AND p.category = 'MISC' AND p.amount = NEW.amount AND p.reference_id = NEW.expense_id
     AND p.product = NEW.category AND p.account_id = NEW.account_id AND p.driver_id = NEW.driver_id
     AND p.lease_id = NEW.lease_id AND p.reversal_for_id IS NULL AND p.replaces_id IS NULL
) THEN
  RAISE EXCEPTION 'misc expense % does not fit its posting', NEW.expense_id
    USING ERRCODE = 'check_violation', CONSTRAINT = 'misc_expense_fits_posting';
END IF;
RETURN NEW;
"""


class ExpenseCategory(models.TextChoices):
    """What was charged; the ledger's template for MISC knows it as the product, and finds its account by it."""

    LOST_KEY = "Lost Key", "Lost Key"
    CLEANING = "Cleaning", "Cleaning"
    LATE_RETURN = "Late Return", "Late Return"
    DAMAGE = "Damage", "Damage"
    TOWING = "Towing", "Towing"
    DOCUMENTATION = "Documentation", "Documentation"
    ADMINISTRATIVE = "Administrative", "Administrative"
    CAR_WASH = "Car Wash", "Car Wash"
    CHARGEBACK = "Chargeback", "Chargeback"
    OTHER = "Other", "Other"


class ExpenseStatus(models.TextChoices):
    """Follows the ledger; nobody sets it."""

    OPEN = "OPEN", "Open"
    RECOVERED = "RECOVERED", "Recovered"
    VOIDED = "VOIDED", "Voided"


class ExpenseQuerySet(models.QuerySet["MiscellaneousExpense"]):
    def with_status(self) -> "ExpenseQuerySet":
        """Adds, as the ledger has it now: `current_posting_id`, `open_amount` and `status`.

        A charge that was corrected (`MISC-2025-00123/2`) is followed to its latest posting.
        """
        items = LedgerBalance.objects.filter(posting_id=OuterRef("current_posting_id"))
        postings = LedgerPosting.objects.filter(pk=OuterRef("current_posting_id"))
        return self.annotate(
            current_posting_id=Func(
                F("posting_id"), function="misc_expense_current_posting", output_field=models.UUIDField()
            ),
            open_amount=Subquery(items.values("balance")[:1]),
            charged_amount=Subquery(postings.values("amount")[:1]),
            posting_status=Subquery(postings.values("status")[:1]),
        ).annotate(
            status=Case(
                When(posting_status=LedgerPosting.Status.VOIDED, then=Value(ExpenseStatus.VOIDED)),
                When(open_amount=0, then=Value(ExpenseStatus.RECOVERED)),
                default=Value(ExpenseStatus.OPEN),
                output_field=models.CharField(choices=ExpenseStatus.choices),
            )
        )


class MiscellaneousExpense(models.Model):
    """One charge, as it was entered, and the posting it became; never changed. `entered_on` is the day it was posted.

    Ask `objects.with_status()` for what became of it.
    """

    expense_id = models.CharField("expense", max_length=20, unique=True)
    account = models.ForeignKey(
        "ledger.DriverAccount", on_delete=models.PROTECT, related_name="misc_expenses"
    )
    driver = models.ForeignKey("leases.Driver", on_delete=models.PROTECT, related_name="misc_expenses")
    lease = models.ForeignKey("leases.Lease", on_delete=models.PROTECT, related_name="misc_expenses")
    vehicle = models.ForeignKey("leases.Vehicle", on_delete=models.PROTECT, related_name="+")
    medallion = models.ForeignKey("leases.Medallion", on_delete=models.PROTECT, related_name="+")
    category = models.CharField(max_length=20, choices=ExpenseCategory.choices)
    amount = models.DecimalField(max_digits=14, decimal_places=2)
    expense_date = models.DateField()
    entered_on = models.DateField()
    notes = models.CharField(max_length=500, blank=True)
    posting = models.OneToOneField(LedgerPosting, on_delete=models.PROTECT, related_name="misc_expense")
    case_no = models.CharField("case", max_length=20, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=models.functions.Now())
    objects = ExpenseQuerySet.as_manager()

    class Meta:
        db_table = "misc_expense"
        ordering = ["-id"]
        verbose_name = "miscellaneous expense"
        constraints = [
            models.CheckConstraint(
                condition=Q(expense_id__regex=r"^MISC-[0-9]{4}-[0-9]{5,10}$"), name="misc_expense_number"
            ),
            models.CheckConstraint(
                condition=Q(amount__gte=SMALLEST, amount__lte=LARGEST), name="misc_expense_amount"
            ),
            models.CheckConstraint(
                condition=Q(expense_date__lte=F("entered_on")), name="misc_expense_not_ahead"
            ),
            models.CheckConstraint(
                condition=Q(category__in=ExpenseCategory.values), name="misc_expense_category"
            ),
            models.UniqueConstraint(
                fields=["case_no"], condition=~Q(case_no=""), name="misc_expense_one_per_case"
            ),
        ]
        permissions = [("export_miscellaneousexpense", "Can export miscellaneous expenses")]
        triggers = [
            *APPEND_ONLY,
            pgtrigger.Trigger(
                name="posting_fits",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                func=_POSTING_FITS,
            ),
        ]

    def __str__(self) -> str:
        return self.expense_id


Row = Any  # a MiscellaneousExpense with what `with_status` adds, which types cannot say
