"""Expenses as lists and files show them, by the filters people know."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db.models import F, QuerySet
from django.utils import timezone

from .models import MiscellaneousExpense

_PATHS = {
    "driver_name": "driver__name__icontains",
    "driver_id": "driver_id",
    "tlc_license": "driver__tlc_license__iexact",
    "lease_id": "lease_id",
    "medallion_no": "medallion__number__iexact",
    "vehicle_vin": "vehicle__vin__iexact",
    "category": "category",
    "status": "status",
    "start_date": "expense_date__gte",
    "end_date": "expense_date__lte",
    "expense_id": "expense_id",
    "case_no": "case_no",
}
_NAMES = {
    "driver_name": F("driver__name"),
    "tlc_license": F("driver__tlc_license"),
    "lease_number": F("lease__number"),
    "medallion_no": F("medallion__number"),
    "vehicle_vin": F("vehicle__vin"),
    "created_by_name": F("created_by__username"),
}
_FIELDS = (
    "id",
    "expense_id",
    "driver_id",
    "lease_id",
    "category",
    "amount",
    "charged_amount",
    "open_amount",
    "status",
    "expense_date",
    "notes",
    "posting_id",
    "current_posting_id",
    "case_no",
    "created_at",
)


def filtered_expenses(filters: Mapping[str, Any]) -> QuerySet[MiscellaneousExpense]:
    """Expenses that match; the dates are of the expense, both included."""
    found: QuerySet[MiscellaneousExpense] = MiscellaneousExpense.objects.order_by()
    if "status" in filters:
        found = MiscellaneousExpense.objects.with_status().order_by()
    return found.filter(**{path: filters[name] for name, path in _PATHS.items() if name in filters})


def rows_of(ids: Sequence[int]) -> list[dict[str, Any]]:
    """The rows of these expenses, in any order."""
    return [_local(row) for row in _rows(MiscellaneousExpense.objects.filter(pk__in=ids))]


def stream(expenses: QuerySet[MiscellaneousExpense], size: int = 2_000) -> Iterator[dict[str, Any]]:
    """Every row of a query, in its order, through a server-side cursor."""
    ids = expenses.values("pk")
    found = MiscellaneousExpense.objects.filter(pk__in=ids).order_by("pk")
    return map(_local, _rows(found).iterator(chunk_size=size))


def _rows(expenses: QuerySet[MiscellaneousExpense]) -> Any:
    return expenses.with_status().values(*_FIELDS, **_NAMES)  # type: ignore[attr-defined]


def _local(row: dict[str, Any]) -> dict[str, Any]:
    row["created_at"] = timezone.localtime(row["created_at"])
    return row
