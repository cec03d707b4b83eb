"""DTRs as lists show them. Everything on a DTR is read from the DTR itself, as it was frozen."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import F, QuerySet
from django.db.models.fields.json import KT

from ..models import DTR
from .postings import accounts_of

_FIELDS = (
    "number",
    "week",
    "driver_id",
    "lease_id",
    "status",
    "gross_earnings",
    "taxes",
    "allocated",
    "net_pay",
    "open_debits",
    "open_credits",
)
_ROW = {
    "driver_name": F("driver__name"),
    "lease_number": F("lease__number"),
    "medallion_no": KT("figures__medallion"),
}


def filtered_dtrs(filters: Mapping[str, Any]) -> QuerySet[DTR]:
    """DTRs of a week, driver, lease, status or medallion (the lease's)."""
    queryset = DTR.objects.order_by()
    accounts = accounts_of({name: filters[name] for name in ("driver_id",) if name in filters})
    if accounts is not None:
        queryset = queryset.filter(account__in=accounts)
    for name, path in (
        ("week", "week"),
        ("lease_id", "lease_id"),
        ("status", "status"),
        ("medallion_no", "lease__medallion__number"),
    ):
        if name in filters:
            queryset = queryset.filter(**{path: filters[name]})
    return queryset


def rows_of_dtrs(ids: Sequence[int]) -> list[dict[str, Any]]:
    """The rows of these DTRs, in any order; `id` is for the caller to order them by."""
    return list(DTR.objects.order_by().filter(pk__in=ids).values("id", *_FIELDS, **_ROW))
