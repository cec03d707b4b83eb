"""Settlements beside the trips of their days, as the ledger has both."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef

from ledger.models import EntryLine

from ..models import CurbSettlement, ExternalRow, ReconMatchRow, ReconSource, Row, SettlementStatus

# A trip is entered on its day, or later where that was closed: never more than this.
LATEST_ENTRY = timedelta(days=62)
_LINES = """
SELECT l.id, l.je_date
  FROM ledger_entry_line l
  JOIN ledger_entry_header h ON h.id = l.entry_id AND h.je_date = l.je_date AND h.batch_id = l.batch_id
 WHERE l.account_id = ANY(%(accounts)s) AND l.currency = %(currency)s
   AND l.je_date BETWEEN %(day)s AND %(latest)s AND h.event_on = %(day)s AND h.source_id IS NOT NULL
   AND h.reverses_id IS NULL AND NOT EXISTS (SELECT FROM ledger_entry_reversal v WHERE v.entry_id = l.entry_id)
   AND NOT EXISTS (
     SELECT FROM recon_match_row r WHERE r.side = 'ledger' AND r.line_id = l.id AND r.active)
 ORDER BY l.id
"""
# What the trips of days come to on the accounts of a source, taken back or not, matched or not.
_TRIPS = """
SELECT h.event_on, count(*), sum(CASE WHEN (l.side = 'DR') <> %(reversed)s THEN l.amount ELSE -l.amount END)
  FROM ledger_entry_line l
  JOIN ledger_entry_header h ON h.id = l.entry_id AND h.je_date = l.je_date AND h.batch_id = l.batch_id
 WHERE l.account_id = ANY(%(accounts)s) AND l.currency = %(currency)s
   AND l.je_date BETWEEN %(first)s AND %(latest)s AND h.event_on = ANY(%(days)s) AND h.source_id IS NOT NULL
   AND h.reverses_id IS NULL AND NOT EXISTS (SELECT FROM ledger_entry_reversal v WHERE v.entry_id = l.entry_id)
 GROUP BY 1
"""


def free_rows_of_day(source: ReconSource, day: date) -> tuple[list[ExternalRow], list[EntryLine]]:
    """Entered settlements of a day of trips, and the lines of its trips, that are in no match."""
    held = ReconMatchRow.objects.filter(external_row=OuterRef("external_row_id"), active=True)
    known: Any = CurbSettlement.objects.with_status()
    settlements = (
        known.filter(~Exists(held), source=source, trip_date=day, status=SettlementStatus.ENTERED)
        .select_related("external_row")
        .order_by("external_row_id")
    )
    with connection.cursor() as cursor:
        cursor.execute(_LINES, {**_scope(source), "day": day, "latest": day + LATEST_ENTRY})
        found = cursor.fetchall()
    dates = [je_date for _, je_date in found] or [day]
    lines = EntryLine.objects.filter(
        pk__in=[pk for pk, _ in found], je_date__gte=min(dates), je_date__lte=max(dates)
    )
    return [settlement.external_row for settlement in settlements], list(lines.order_by("pk"))


def trips_of_days(source: ReconSource, days: Iterable[date]) -> dict[date, tuple[int, Decimal]]:
    """How many card trips of each day the ledger has on the source's accounts, and what they come to."""
    asked = sorted(set(days))
    if not asked:
        return {}
    scope = {**_scope(source), "days": asked, "first": asked[0], "latest": asked[-1] + LATEST_ENTRY}
    with connection.cursor() as cursor:
        cursor.execute(_TRIPS, scope)
        return {day: (count, amount.quantize(Decimal("0.01"))) for day, count, amount in cursor.fetchall()}


def settlement_answers(keys: Sequence[int]) -> list[dict[str, Any]]:
    """Settlements as JSON-ready values, the trips of all their days read at once."""
    known: Any = CurbSettlement.objects.with_status()
    found = list(known.filter(pk__in=keys).select_related("external_row", "source"))
    trips = {
        source: trips_of_days(source, [one.trip_date for one in found if one.source == source])
        for source in {one.source for one in found}
    }
    return [_answer(one, trips[one.source].get(one.trip_date, (0, Decimal("0.00")))) for one in found]


def _answer(settlement: Row, trips: tuple[int, Decimal]) -> dict[str, Any]:
    count, amount = trips
    return {
        "settlement_pk": settlement.pk,
        "settlement_id": settlement.external_row.external_id,
        "source": settlement.source.name,
        "trip_date": settlement.trip_date.isoformat(),
        "settled_on": settlement.settled_on.isoformat(),
        "gross": str(settlement.gross),
        "fees": str(settlement.fees),
        "net": str(settlement.net),
        "trips": settlement.trips,
        "status": settlement.status,
        "held_because": settlement.held_because,
        "ledger_trips": count,
        "ledger_amount": str(amount),
        "difference": str(settlement.gross - amount),
        "je_number": f"JE-{settlement.entry_date:%Y%m}-{settlement.entry_id}"
        if settlement.entry_id
        else None,
    }


def _scope(source: ReconSource) -> dict[str, Any]:
    return {
        "accounts": list(source.accounts.values_list("pk", flat=True)),
        "currency": source.currency_id,
        "reversed": source.reversed_sign,
    }
