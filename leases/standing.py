"""What became of a lease's installments: read from the ledger, set by nobody."""

from typing import Any

from django.db import models
from django.db.models import Case, F, Func, OuterRef, Q, QuerySet, Subquery, Value, When

from ledger.models import LedgerBalance, LedgerPosting

from .models import Lease, LeaseInstallment


class InstallmentStatus(models.TextChoices):
    """As `ledger.models.InstallmentStatus`, and REPLACED: enums cannot be extended."""

    SCHEDULED = "SCHEDULED", "Scheduled"
    POSTED = "POSTED", "Posted"
    PAID = "PAID", "Paid"
    VOIDED = "VOIDED", "Voided"
    REPLACED = "REPLACED", "Replaced"
    CANCELLED = "CANCELLED", "Cancelled"


def with_status(rows: QuerySet[LeaseInstallment]) -> QuerySet[Any]:
    """Adds `current_posting_id`, `open_amount` and `status`, as the ledger has them now.

    A charge that was corrected by hand (`…/2`) is followed to its latest posting. REPLACED rows made way for others;
    VOIDED ones were taken back and nothing came in their place.
    """
    postings = LedgerPosting.objects.filter(pk=OuterRef("current_posting_id"))
    items = LedgerBalance.objects.filter(pk=OuterRef("current_posting_id"))
    return rows.annotate(
        current_posting_id=Case(
            When(replaced__gt=0, then=F("posting_id")),
            default=Func(
                F("posting_id"), function="lease_installment_current_posting", output_field=models.UUIDField()
            ),
        ),
        posting_status=Subquery(postings.values("status")[:1]),
        open_amount=Subquery(items.values("balance")[:1]),
    ).annotate(
        status=Case(
            When(replaced__gt=0, then=Value(InstallmentStatus.REPLACED)),
            When(
                Q(posting_id__isnull=True, lease__status=Lease.Status.CANCELLED),
                then=Value(InstallmentStatus.CANCELLED),
            ),
            When(posting_id__isnull=True, then=Value(InstallmentStatus.SCHEDULED)),
            When(posting_status=LedgerPosting.Status.VOIDED, then=Value(InstallmentStatus.VOIDED)),
            When(open_amount=0, then=Value(InstallmentStatus.PAID)),
            default=Value(InstallmentStatus.POSTED),
            output_field=models.CharField(choices=InstallmentStatus.choices),
        )
    )
