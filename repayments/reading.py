"""Repayments as lists, files and answers show them, by the filters people know."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db.models import F, QuerySet
from django.utils import timezone

from batconnect.exports import Column, Kind

from .matrix import Planned
from .models import Repayment
from .services.decisions import Change
from .services.plans import Plan

PATHS = {
    "driver_name": "driver__name__icontains",
    "driver_id": "driver_id",
    "tlc_license": "driver__tlc_license__iexact",
    "lease_id": "lease_id",
    "medallion_no": "lease__medallion__number__iexact",
    "status": "standing__status",
    "start_date": "starts_on__gte",
    "end_date": "starts_on__lte",
    "case_no": "case_no",
}
NAMES = {
    "driver_name": F("driver__name"),
    "tlc_license": F("driver__tlc_license"),
    "lease_number": F("lease__number"),
    "medallion_no": F("lease__medallion__number"),
    "status": F("standing__status"),
    "scheduled": F("standing__scheduled"),
    "posted": F("standing__posted"),
    "adrift": F("standing__adrift"),
    "open_amount": F("standing__open_amount"),
    "next_due_on": F("standing__next_due_on"),
    "created_by_name": F("created_by__username"),
}
FIELDS = (
    "id",
    "number",
    "driver_id",
    "lease_id",
    "amount",
    "billed",
    "rate",
    "starts_on",
    "weekly_principal",
    "forgiven",
    "state_reason",
    "case_no",
    "created_at",
)
COLUMNS = (
    Column("driver_name", "Driver", width=28),
    Column("tlc_license", "TLC licence", width=12),
    Column("lease_number", "Lease", width=12),
    Column("medallion_no", "Medallion", width=11),
    Column("amount", "Amount", Kind.MONEY, 12),
    Column("scheduled", "Not posted yet", Kind.MONEY, 14),
    Column("open_amount", "Open", Kind.MONEY, 12),
    Column("next_due_on", "Next due", Kind.DATE, 12),
    Column("status", "Status", width=11),
)


def filtered(model: type[Repayment], filters: Mapping[str, Any], paths: Mapping[str, str]) -> QuerySet[Any]:
    """Those that match; the dates are of the invoice or loan, both included."""
    known = {**PATHS, **paths}
    return model._default_manager.order_by().filter(
        **{path: filters[name] for name, path in known.items() if name in filters}
    )


def rows_of(
    model: type[Repayment], ids: Sequence[int], fields: Sequence[str], names: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The rows of these, in any order."""
    return [_local(row) for row in _rows(model._default_manager.filter(pk__in=ids), fields, names)]


def stream(
    found: QuerySet[Any], fields: Sequence[str], names: Mapping[str, Any], size: int = 2_000
) -> Iterator[dict[str, Any]]:
    """Every row of a query, oldest first, through a server-side cursor."""
    rows = found.model._default_manager.filter(pk__in=found.values("pk")).order_by("pk")
    return map(_local, _rows(rows, fields, names).iterator(chunk_size=size))


def installments_of(plan: Plan) -> list[dict[str, Any]]:
    """Every installment ever made, in order, JSON-ready."""
    return [
        {
            "position": row.position,
            "reference_id": row.reference_id,
            "due_on": row.due_on.isoformat(),
            "principal": str(row.principal),
            "interest": str(row.interest),
            "amount": str(row.principal + row.interest),
            "left": str(row.left),
            "status": row.standing.status,
            "charged": str(row.standing.charged),
            "open_amount": str(row.standing.open_amount),
            "posting_id": row.standing.current_posting_id,
            "cancelled_because": row.cancelled_because,
        }
        for row in plan.rows
    ]


def effect_of(plan: Plan, change: Change) -> dict[str, Any]:
    """What a decision would change, JSON-ready."""
    posts = [{"reference_id": row.reference_id, **_planned(row)} for row in change.posts]
    added = [{"reference_id": "", **_planned(one)} for one in change.adds]
    return {
        "number": plan.number,
        "status": plan.status,
        "charged_at_once": str(change.charged),
        "charges": [*posts, *(added if change.posts_added else [])],
        "cancels": [row.reference_id for row in change.cancels],
        "schedules": [] if change.posts_added else added,
    }


def _planned(one: Planned | Any) -> dict[str, str]:
    return {
        "due_on": one.due_on.isoformat(),
        "principal": str(one.principal),
        "interest": str(one.interest),
        "amount": str(one.principal + one.interest),
        "left": str(one.left),
    }


def planned_rows(planned: Sequence[Planned]) -> list[dict[str, str]]:
    """A schedule to be, JSON-ready."""
    return [_planned(one) for one in planned]


def _rows(found: QuerySet[Any], fields: Sequence[str], names: Mapping[str, Any]) -> Any:
    return found.values(*FIELDS, *fields, **NAMES, **names)


def _local(row: dict[str, Any]) -> dict[str, Any]:
    row["created_at"] = timezone.localtime(row["created_at"])
    return row
