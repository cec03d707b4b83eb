"""Tolls and tickets for lists and pages: by the filters people know, what waits, and names for what is kept as ids."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum

from leases.models import Lease
from ledger.models import DriverAccount

from ..models import AgencyDecision, AgencyItem, State
from ..models.agency import WAITING

MOST_LEASES = 12
_PATHS = {
    "kind": "kind",
    "state": "state",
    "number": "number",
    "plate": "plate__iexact",
    "start_date": "event_on__gte",
    "end_date": "event_on__lte",
    "score_from": "score__gte",
    "score_to": "score__lte",
    "file_id": "file_id",
    "case_no": "case_no",
}


def filtered_items(kinds: Sequence[str], filters: Mapping[str, Any]) -> QuerySet[AgencyItem]:
    """Items of these kinds that match; dates are of the event, scores hundredths, bounds included.

    `driver_id` and `lease_id`: charged to, or suggested.
    """
    found = AgencyItem.objects.filter(kind__in=kinds).order_by()
    found = found.filter(**{path: filters[name] for name, path in _PATHS.items() if name in filters})
    if filters.get("waiting") is not None:
        waits = Q(state__in=WAITING)
        found = found.filter(waits if filters["waiting"] else ~waits)
    for name in ("driver_id", "lease_id"):
        if name in filters:
            value = filters[name]
            found = found.filter(
                Q(**{f"decision__account__{name}": value})
                | Q(decision__account__isnull=True, **{f"decision__suggested__{name}": value})
            )
    return found


def waiting_counts() -> dict[str, int]:
    """How many wait for a person, by state."""
    rows = AgencyItem.objects.filter(state__in=WAITING).values("state").annotate(number=Count("pk"))
    counts = {row["state"]: row["number"] for row in rows.order_by()}
    return {str(state): counts.get(state, 0) for state in WAITING}


def counts_by_state(items: QuerySet[AgencyItem]) -> list[tuple[str, str, int, Any]]:
    """How items stand now: state, its name, how many, and what they are of."""
    rows = items.order_by().values("state").annotate(number=Count("pk"), amount=Sum("amount"))
    found = {row["state"]: row for row in rows}
    return [
        (state, label, found[state]["number"], found[state]["amount"])
        for state, label in State.choices
        if state in found
    ]


def whole_item(item_id: int) -> AgencyItem | None:
    """An item with everything its page shows, and what the ledger says of its money."""
    return (
        AgencyItem.objects.with_money()
        .select_related(
            "file",
            "created_by",
            "decision__account__driver",
            "decision__account__lease__medallion",
            "decision__suggested__driver",
            "decision__suggested__lease__medallion",
            "decision__lease_then__driver",
            "decision__lease_then__medallion",
            "decision__vehicle",
            "decision__posting",
            "decision__decided_by",
        )
        .filter(pk=item_id)
        .first()
    )


def decisions_of(item: AgencyItem) -> QuerySet[AgencyDecision]:
    return item.decisions.select_related(
        "decided_by", "account__driver", "account__lease", "posting", "counterpart"
    ).order_by("-place")


def accounts_by_id(ids: Sequence[int]) -> dict[int, DriverAccount]:
    rows = DriverAccount.objects.filter(pk__in=ids).select_related("driver", "lease__medallion")
    return {account.pk: account for account in rows}


def leases_matching(term: str, item: AgencyItem) -> list[Lease]:
    """Leases that ran when an item happened, as somebody types: number, driver, licence, medallion, VIN or plate."""
    term = term.strip()
    if len(term) < 2 or not term.isprintable():
        return []
    rows = Lease.objects.on(item.event_on).filter(
        Q(number__istartswith=term)
        | Q(driver__tlc_license__istartswith=term)
        | Q(driver__name__icontains=term)
        | Q(additional_drivers__driver__tlc_license__istartswith=term)
        | Q(medallion__number__istartswith=term)
        | Q(medallion__assignments__vehicle__plate__istartswith=term)
        | Q(medallion__assignments__vehicle__vin__istartswith=term)
    )
    return list(rows.select_related("driver", "medallion", "vehicle").order_by("pk").distinct()[:MOST_LEASES])
