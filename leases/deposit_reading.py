"""Deposits as lists, pages and files show them, by the filters people know; each part with what became of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import models
from django.db.models import Case, Exists, F, Func, OuterRef, QuerySet, Subquery, Value, When

from ledger.models import InstallmentStatus, LedgerBalance, LedgerPosting

from .deposit_models import STANDING, DepositPart, DepositRelease, LeaseDeposit

_PATHS = {
    "status": "status",
    "lease_id": "lease_id",
    "lease_number": "lease__number__iexact",
    "driver_id": "lease__driver_id",
    "driver_name": "lease__driver__name__icontains",
    "tlc_license": "lease__driver__tlc_license__iexact",
    "medallion_no": "lease__medallion__number__iexact",
    "due_from": "due_on__gte",
    "due_to": "due_on__lte",
}
_COMPUTED = {"status", "due_from", "due_to", "to_refund"}


def filtered_deposits(filters: Mapping[str, Any]) -> QuerySet[LeaseDeposit]:
    """Deposits that match; the due dates are those of the release, both included."""
    found: Any = LeaseDeposit.objects.order_by()
    if _COMPUTED & set(filters):
        found = LeaseDeposit.objects.with_standing().order_by()
    if "to_refund" in filters:
        found = found.filter(to_refund__gt=0) if filters["to_refund"] else found.filter(to_refund=0)
    return found.filter(**{path: filters[name] for name, path in _PATHS.items() if name in filters})


def rows_of(ids: Sequence[int]) -> list[dict[str, Any]]:
    """The rows of these deposits, in any order."""
    found = LeaseDeposit.objects.filter(pk__in=ids).with_standing()
    return list(
        found.values(
            "id",
            "lease_id",
            "due_on",
            *STANDING,
            lease_number=F("lease__number"),
            driver_id=F("lease__driver_id"),
            driver_name=F("lease__driver__name"),
            tlc_license=F("lease__driver__tlc_license"),
            medallion_no=F("lease__medallion__number"),
            released_on=F("release__released_on"),
        )
    )


def parts_of(deposit: LeaseDeposit) -> Any:
    """A deposit's parts as the ledger has them now: `current_posting_id`, `charged`, `open_amount` and `status`.

    A part that was corrected (`L-00001/D1/2`) is followed to its latest posting.
    """
    item = LedgerBalance.objects.filter(posting_id=OuterRef("current_posting_id"))
    posting = LedgerPosting.objects.filter(pk=OuterRef("current_posting_id"))
    released = DepositRelease.objects.filter(deposit=OuterRef("deposit"))
    return (
        DepositPart.objects.filter(deposit=deposit)
        .order_by("number")
        .annotate(
            current_posting_id=Func(
                F("posting_id"), function="ledger_latest_posting", output_field=models.UUIDField()
            ),
            charged=Subquery(posting.values("amount")[:1]),
            open_amount=Subquery(item.values("balance")[:1]),
            posting_status=Subquery(posting.values("status")[:1]),
            released=Exists(released),
        )
        .annotate(
            status=Case(
                When(posting_id__isnull=True, released=True, then=Value(InstallmentStatus.CANCELLED)),
                When(posting_id__isnull=True, then=Value(InstallmentStatus.SCHEDULED)),
                When(posting_status=LedgerPosting.Status.VOIDED, then=Value(InstallmentStatus.VOIDED)),
                When(open_amount=0, then=Value(InstallmentStatus.PAID)),
                default=Value(InstallmentStatus.POSTED),
                output_field=models.CharField(choices=InstallmentStatus.choices),
            )
        )
    )
