"""Postings as lists show them: filtered by what people know of them, with the names in one join."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from batconnect.common.weeks import NEW_YORK, sunday_of

from ..models import Category, DriverAccount, LedgerBalance, LedgerPosting, WeeklyRun

Filters = Mapping[str, Any]
Dated = TypeVar("Dated", LedgerPosting, LedgerBalance)
EARLIEST_BOUND = date(1970, 1, 2)  # moments are counted from 1970 on

_ROW = {
    "posting_id": F("id"),
    "driver_name": F("driver__name"),
    "lease_number": F("lease__number"),
    "medallion_no": F("medallion__number"),
    "vehicle_vin": F("vehicle__vin"),
    "due_date": F("due_on"),
    "created_by_name": F("created_by__username"),
}
_FIELDS = (
    "driver_id",
    "lease_id",
    "category",
    "entry_type",
    "status",
    "amount",
    "reference_id",
    "product",
    "description",
    "effective_on",
    "event_on",
    "run_week",
    "reversal_for_id",
    "replaces_id",
    "reason",
    "created_at",
)


def filtered_postings(filters: Filters) -> QuerySet[LedgerPosting]:
    """Postings that match. `start_date` and `end_date` are accounting dates, both included."""
    queryset = LedgerPosting.objects.order_by()
    accounts = accounts_of(filters)
    if accounts is not None:
        queryset = queryset.filter(account__in=accounts)
    for name, path in (
        ("medallion_no", "medallion__number"),
        ("vehicle_vin", "vehicle__vin"),
        ("status", "status"),
        ("category", "category"),
        ("entry_type", "entry_type"),
    ):
        if name in filters:
            queryset = queryset.filter(**{path: filters[name]})
    queryset = dated_between(queryset, filters)
    if "reference_id" in filters:
        queryset = queryset.filter(pk__in=with_reversals(postings_with_reference(filters["reference_id"])))
    return queryset


def dated_between(queryset: QuerySet[Dated], filters: Filters) -> QuerySet[Dated]:
    """Postings or their open items whose accounting date lies from `start_date` to `end_date`, both included.

    Their keys begin with the moment they were made. Nothing is dated ahead of that, nor into a week that was closed
    by then, so the dates bound the keys as well, and a list that goes by key begins near its first row, however
    long ago. A day more on either side allows for a clock that was set.
    """
    if "start_date" in filters:
        start = filters["start_date"]
        queryset = queryset.filter(effective_on__gte=start)
        if start > EARLIEST_BOUND:
            made = datetime.combine(start - timedelta(days=1), time.min, NEW_YORK)
            queryset = queryset.filter(pk__gte=_first_key(made))
    if "end_date" in filters:
        end = filters["end_date"]
        queryset = queryset.filter(effective_on__lte=end)
        last_week = sunday_of(max(end, EARLIEST_BOUND))
        closed = WeeklyRun.objects.filter(week__gte=last_week, status=WeeklyRun.Status.CLOSED)
        closed_at = closed.order_by("week").values_list("closed_at", flat=True).first()
        if closed_at is not None:
            queryset = queryset.filter(pk__lt=_first_key(closed_at + timedelta(days=1)))
    return queryset


def _first_key(moment: datetime) -> UUID:
    """The least key that a posting made at this moment can have: UUIDv7 begins with its milliseconds."""
    return UUID(int=int(moment.timestamp() * 1_000) << 80)


def posting_rows(queryset: QuerySet[LedgerPosting]) -> QuerySet[LedgerPosting, dict[str, Any]]:
    """The row of each posting, as a dict; order and limit are the caller's."""
    return queryset.values(*_FIELDS, **_ROW)


def rows_of_postings(ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """The rows of these postings, in any order."""
    return [localized(row) for row in posting_rows(LedgerPosting.objects.order_by().filter(pk__in=ids))]


def stream_postings(queryset: QuerySet[LedgerPosting], size: int = 2_000) -> Iterator[dict[str, Any]]:
    """Every row of a query, in its order, through a server-side cursor."""
    return map(localized, posting_rows(queryset).iterator(chunk_size=size))


def accounts_of(filters: Filters) -> QuerySet[DriverAccount] | None:
    """The accounts that driver, lease and cab filters leave, or None without such a filter.

    Postings are found through their account, which is indexed; the driver and lease are the account's own. So is
    the medallion, and the vehicle is one that was on it: who names a cab names its accounts first, and the
    posting's own cab is then compared.
    """
    conditions = [
        Q(**{path: filters[name]})
        for name, path in (
            ("driver_id", "driver_id"),
            ("lease_id", "lease_id"),
            ("driver_name", "driver__name__icontains"),
            ("medallion_no", "lease__medallion__number"),
        )
        if name in filters
    ]
    if "vehicle_vin" in filters:
        vin = filters["vehicle_vin"]
        conditions.append(Q(lease__vehicle__vin=vin) | Q(lease__medallion__assignments__vehicle__vin=vin))
    return DriverAccount.objects.filter(*conditions) if conditions else None


def postings_with_reference(*references: str) -> list[UUID]:
    """Originals with these references: at most one per category, which is how the unique index finds them."""
    return list(
        LedgerPosting.objects.filter(
            category__in=Category.values, reference_id__in=references, reversal_for__isnull=True
        ).values_list("pk", flat=True)
    )


def with_reversals(originals: Sequence[UUID]) -> list[UUID]:
    """These postings and their reversals, by their keys: what is asked for by key is found by its index."""
    reversals = LedgerPosting.objects.filter(reversal_for__in=originals).values_list("pk", flat=True)
    return [*originals, *reversals]


def localized(row: dict[str, Any]) -> dict[str, Any]:
    """Moments in New York time, with their offset."""
    row["created_at"] = timezone.localtime(row["created_at"])
    return row
