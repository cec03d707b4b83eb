"""Pages of a list. Their cost is bounded, however many rows there are and whichever page is asked for:

- Counting stops at 10,001 rows; above 10,000 the total is the planner's estimate, and says so.
- A page is found by its keys alone and only its rows are then joined to names, so that what is skipped is read
  from an index; nobody pages past the first 100,000 rows: a filter or the export is the way there.
- What still takes longer than `LIST_TIMEOUT_MS` (an unselective filter with no index) is stopped by the database
  and refused with `query.too_broad`.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection, models, transaction
from rest_framework import serializers

from batconnect.common.errors import BatConnectError

from .fields import IntegerField
from .views import Query

EXACT_COUNT = 10_000
DEEPEST_ROW = 100_000
LIST_TIMEOUT_MS = 5_000
DEFAULT_PER_PAGE = 25
PAGE_FIELDS = ("page", "per_page", "sort_by", "sort_order")
SORT_ORDERS = ("asc", "desc")

Sorts = Mapping[str, str]  # what a client may name → the ORM path it sorts by


class TooDeep(BatConnectError):
    code, status = "page.too_deep", 400
    message = "Pages end at the first {deepest} rows; add a filter, or take the export."


class PageQuery(Query):
    """`page`, `per_page`, `sort_by`, `sort_order`. Subclasses set `sorts` and may add filters."""

    sorts: Sorts = {"id": "pk"}
    default_order = "desc"

    page = IntegerField(min_value=1, max_value=2**31 - 1, default=1)
    per_page = IntegerField(min_value=1, max_value=100, default=DEFAULT_PER_PAGE)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        fields = super().get_fields()
        fields["sort_by"] = serializers.ChoiceField(choices=list(self.sorts), default=next(iter(self.sorts)))
        fields["sort_order"] = serializers.ChoiceField(choices=SORT_ORDERS, default=self.default_order)
        return fields


def paginate(
    queryset: models.QuerySet[Any],
    query: Mapping[str, Any],
    sorts: Sorts,
    rows: Callable[[Sequence[Any]], Sequence[Mapping[str, Any]]],
) -> dict[str, Any]:
    """The page asked for, as a list endpoint answers it. `rows` makes rows of primary keys, in their order."""
    start, end = page_bounds(query)
    with bounded_time():
        total, estimated = bounded_count(queryset)
        keys = list(ordered(queryset, query, sorts).values_list("pk", flat=True)[start:end])
        items = rows(keys) if keys else []
    if start + len(keys) > total:  # an estimate may be below what was just seen
        total = start + len(keys)
    return page_of(items, query, total, estimated)


def page_bounds(query: Mapping[str, Any]) -> tuple[int, int]:
    """First and last row of the page asked for. Raises TooDeep."""
    start = (query["page"] - 1) * query["per_page"]
    if start >= DEEPEST_ROW:
        raise TooDeep(deepest=DEEPEST_ROW)
    return start, start + query["per_page"]


def page_of(
    items: Sequence[Mapping[str, Any]], query: Mapping[str, Any], total: int, estimated: bool = False
) -> dict[str, Any]:
    """The answer of a list endpoint."""
    return {
        "items": items,
        "total_items": total,
        "page": query["page"],
        "per_page": query["per_page"],
        "total_pages": -(-total // query["per_page"]),
        "total_is_estimate": estimated,
    }


def ordered(queryset: models.QuerySet[Any], query: Mapping[str, Any], sorts: Sorts) -> models.QuerySet[Any]:
    """Sorted as asked, then by key, so that equal rows keep their place from page to page."""
    sign = "-" if query["sort_order"] == "desc" else ""
    path = sorts[query["sort_by"]]
    return queryset.order_by(*dict.fromkeys([f"{sign}{path}", f"{sign}pk"]))


def bounded_count(queryset: models.QuerySet[Any]) -> tuple[int, bool]:
    """How many rows, exactly up to 10,000; then the planner's estimate and True."""
    counted = queryset.order_by()[: EXACT_COUNT + 1].count()
    if counted <= EXACT_COUNT:
        return counted, False
    plan = json.loads(queryset.order_by().values("pk").explain(format="json"))
    return max(counted, int(plan[0]["Plan"]["Plan Rows"])), True


@contextmanager
def bounded_time(milliseconds: int | None = None) -> Iterator[None]:
    """Let the database stop any statement inside that takes longer; by default, than a list may."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('statement_timeout', %s, true)", [str(milliseconds or LIST_TIMEOUT_MS)]
        )
        yield
        # Given back for whoever goes on in an outer transaction.
        cursor.execute("SELECT set_config('statement_timeout', '0', true)")


def by_key(keys: Sequence[Any], rows: Sequence[Mapping[str, Any]], name: str) -> list[Mapping[str, Any]]:
    """Rows that were read in any order, in the order of their keys."""
    found = {row[name]: row for row in rows}
    return [found[key] for key in keys if key in found]


def page_schema(row: type[serializers.Serializer[Any]], name: str) -> type[serializers.Serializer[Any]]:
    """The documentation of a page of such rows."""
    return type(
        name,
        (serializers.Serializer,),
        {
            "items": row(many=True),
            "total_items": serializers.IntegerField(),
            "page": serializers.IntegerField(),
            "per_page": serializers.IntegerField(),
            "total_pages": serializers.IntegerField(),
            "total_is_estimate": serializers.BooleanField(
                help_text="True above 10,000 rows: the totals are then estimates."
            ),
        },
    )
