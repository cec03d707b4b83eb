"""`/ledger/export`: a filtered list as a file."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from batconnect.api.pagination import bounded_time
from batconnect.api.views import ApiView, today
from batconnect.exports import Column, ExporterFactory, Kind, Table

from ..selectors import balances, postings
from . import queries

_BOTH = [
    Column("effective_on", "Date", Kind.DATE, 12),
    Column("category", "Category", width=18),
    Column("reference_id", "Reference", width=28),
    Column("status", "Status", width=10),
    Column("driver_name", "Driver", width=28),
    Column("lease_number", "Lease", width=16),
    Column("medallion_no", "Medallion", width=11),
    Column("vehicle_vin", "VIN", width=20),
]
_IDS = [
    Column("driver_id", "Driver id", Kind.INTEGER, 10),
    Column("lease_id", "Lease id", Kind.INTEGER, 10),
    Column("posting_id", "Posting id", width=38),
    Column("created_at", "Recorded", Kind.MOMENT, 18),
]
_POSTINGS = [
    *_BOTH,
    Column("entry_type", "Entry type", width=10),
    Column("amount", "Amount", Kind.MONEY, 14),
    Column("due_date", "Due", Kind.DATE, 12),
    Column("event_on", "Happened", Kind.DATE, 12),
    Column("description", "Description", width=40),
    Column("reason", "Reason", width=40),
    *_IDS,
]
_BALANCES = [
    *_BOTH,
    Column("original_amount", "Original", Kind.MONEY, 14),
    Column("prior_balance", "Prior balance", Kind.MONEY, 14),
    Column("balance", "Balance", Kind.MONEY, 14),
    Column("due_date", "Due", Kind.DATE, 12),
    Column("last_allocated_on", "Last applied", Kind.DATE, 12),
    Column("description", "Description", width=40),
    Column("applied_payment_refs", "Applied postings", width=38),
    *_IDS,
]
# A printed page has no room for ids and free text.
_NOT_PRINTED = {
    "driver_id",
    "lease_id",
    "posting_id",
    "created_at",
    "vehicle_vin",
    "reason",
    "applied_payment_refs",
}

_COLUMNS = {"postings": _POSTINGS, "balances": _BALANCES}
_FILTERED = {"postings": postings.filtered_postings, "balances": balances.filtered_balances}
_STREAMED: dict[str, Callable[[Any], Iterator[dict[str, Any]]]] = {
    "postings": postings.stream_postings,
    "balances": balances.stream_balances,
}


class Export(ApiView):
    permissions = {"GET": "ledger.export_ledger"}
    query_class = queries.ExportQuery

    @extend_schema(
        tags=["ledger"],
        operation_id="export_ledger",
        responses={
            (200, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"): OpenApiTypes.BINARY,
            (200, "text/csv"): OpenApiTypes.BINARY,
            (200, "application/pdf"): OpenApiTypes.BINARY,
        },
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Export postings or balances to a file, oldest first. PDF takes up to 5,000 rows."""
        exporter = ExporterFactory.get(self.query["format"])
        kind = self.query["export_type"]
        found: QuerySet[Any] = _FILTERED[kind](self.query)
        if exporter.most_rows is not None:
            with bounded_time(60_000):
                exporter.check_size(found[: exporter.most_rows + 1].count())
        rows = _STREAMED[kind](found.order_by("pk"))
        columns = _COLUMNS[kind]
        if exporter.format == "pdf":
            columns = [column for column in columns if column.key not in _NOT_PRINTED]
        table = Table(kind.capitalize(), columns, rows, _notes(self.query))
        # A PDF is whole before its first byte, and can still fail with an answer; the others go out as they come.
        pieces = exporter.stream(table)
        answer: HttpResponseBase = (
            HttpResponse(b"".join(pieces)) if exporter.format == "pdf" else StreamingHttpResponse(pieces)
        )
        answer.headers["Content-Type"] = exporter.content_type
        answer.headers["Content-Disposition"] = (
            f'attachment; filename="{kind}-{today()}.{exporter.extension}"'
        )
        return answer


def _notes(query: Mapping[str, Any]) -> list[str]:
    filters = [f"{name}: {value}" for name, value in query.items() if name not in ("export_type", "format")]
    return [f"As of {today()}", *filters]
