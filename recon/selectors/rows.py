"""Both sides of a reconciliation as frames: what is open, and what the jobs of the same date had matched before.

A row is open while it is in no active match. What earlier jobs of the same source and date matched is looked at again
(`match`: the match it is in; `decided`: whether a person made that one), so that a second run sees what the first saw.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from django.db import connection

from ledger.engine.data_loader import read_query, schema_of
from ledger.selectors.archives import check_entries_here

from ..models import ReconSource
from ..sources import get_adapter
from ..sources.base import AMOUNT, DEFAULT_ZONE

# Matches that hold a row: those of other jobs take it out of view, those of this date's jobs do not.
_HELD = """
  LEFT JOIN LATERAL (
    SELECT r.match_id, m.decided_by_id IS NOT NULL AS decided, j.id IS NOT NULL AS ours
      FROM recon_match_row r
      JOIN recon_match m ON m.id = r.match_id
      LEFT JOIN recon_job j ON j.id = m.job_id AND j.source_id = %(source)s AND j.date = %(date)s
     WHERE r.active AND {row}
    OFFSET 0
  ) held ON true
"""
# A settlement that was not entered, because it seems to come twice, belongs to no day until a person says so. One that
# was dismissed, or whose entry was taken back, is no money, and is not looked at.
_EXTERNAL = f"""
SELECT e.id, e.external_id AS key, e.amount, e.currency, (extract(epoch FROM e.occurred_at) * 1000000)::bigint AS at,
       e.reference, e.description,
       CASE WHEN c.id IS NOT NULL AND c.entry_id IS NULL THEN '' ELSE e.group_key END,
       e.figures_hash, held.match_id AS match, coalesce(held.decided, false)
  FROM recon_external_row e
  LEFT JOIN curb_settlement c ON c.external_row_id = e.id
  {_HELD.format(row="r.side = 'external' AND r.external_row_id = e.id")}
 WHERE e.source_id = %(source)s AND e.occurred_at < %(until)s AND (held.match_id IS NULL OR held.ours)
   AND (held.match_id IS NOT NULL OR c.id IS NULL OR c.dismissed_at IS NULL AND NOT EXISTS (
     SELECT FROM ledger_entry_reversal v WHERE v.entry_id = c.entry_id AND v.reversed_by_date <= %(date)s))
"""
# Entries that were taken back stand for nothing, unless one of the two was matched before the other came. Entries that
# the source's own settlements made are the other side of its rows already.
_LEDGER = f"""
SELECT l.id, l.je_date, h.je_number || '/' || l.line_number AS key,
       CASE WHEN (l.side = 'DR') <> %(reversed)s THEN l.amount ELSE -l.amount END AS amount, l.currency,
       (extract(epoch FROM coalesce(s.ended_at, h.event_on::timestamp AT TIME ZONE %(zone)s)) * 1000000)::bigint AS at,
       coalesce(nullif(h.reference, ''), h.metadata ->> 'reference', p.reference_id, s.source_rowid, '') AS reference,
       coalesce(nullif(h.description, ''), h.metadata ->> 'description', p.description, '') AS description,
       coalesce(h.metadata ->> 'group_key',
                CASE WHEN %(by_day)s AND h.source_id IS NOT NULL THEN h.event_on::text END, '') AS group_key,
       coalesce(h.metadata ->> 'occurred_at', '') AS told,
       held.match_id AS match, coalesce(held.decided, false)
  FROM ledger_entry_line l
  JOIN ledger_entry_header h ON h.id = l.entry_id AND h.je_date = l.je_date AND h.batch_id = l.batch_id
  LEFT JOIN ledger_posting p ON p.id = h.posting_id
  LEFT JOIN txn_source_parent s ON s.id = h.source_id
  {_HELD.format(row="r.side = 'ledger' AND r.line_id = l.id")}
 WHERE l.account_id = ANY(%(accounts)s) AND l.currency = %(currency)s AND l.je_date <= %(date)s
   AND l.je_date >= %(earliest)s
   AND (l.je_date >= %(from)s OR held.match_id IS NOT NULL OR l.id IN (
     SELECT g.line_id FROM recon_log g WHERE g.job_id = %(previous)s AND g.side = 'ledger' AND g.outcome <> 'matched'))
   AND (held.match_id IS NULL OR held.ours)
   AND NOT EXISTS (SELECT FROM curb_settlement c WHERE c.source_id = %(source)s AND c.entry_id = l.entry_id)
   AND (held.match_id IS NOT NULL OR NOT EXISTS (
     SELECT FROM ledger_entry_reversal v WHERE v.entry_id = l.entry_id AND v.reversed_by_date <= %(date)s))
   AND (held.match_id IS NOT NULL OR h.reverses_id IS NULL OR EXISTS (
     SELECT FROM recon_match_row r
      WHERE r.active AND r.side = 'ledger'
        AND r.line_id BETWEEN h.reverses_id * 100000 AND h.reverses_id * 100000 + 99999))
"""
_PREVIOUS = """
SELECT j.id, (SELECT min(line_date) FROM recon_log g WHERE g.job_id = j.id AND g.side = 'ledger')
  FROM recon_job j
 WHERE j.source_id = %(source)s AND j.status = 'COMPLETED' AND j.repeats_id IS NULL AND j.superseded_by_id IS NULL
   AND j.date <= %(date)s
 ORDER BY j.date DESC, j.id DESC LIMIT 1
"""
_COMMON = {"key": pl.String, "amount": AMOUNT, "currency": pl.String, "at": pl.Int64}
_WORDS = {"reference": pl.String, "description": pl.String, "group_key": pl.String}
_TAKEN = {"match": pl.Int64, "decided": pl.String}
_EXTERNAL_SCHEMA = schema_of({"id": pl.Int64, **_COMMON, **_WORDS, "figures_hash": pl.String, **_TAKEN})
_LEDGER_SCHEMA = schema_of(
    {"id": pl.Int64, "line_date": pl.Date, **_COMMON, **_WORDS, "told": pl.String, **_TAKEN}
)


@dataclass(frozen=True)
class Population:
    """What one job looks at.

    ledger, external: id, key, amount Decimal(20, 6) as the outside would write it, currency, occurred_at, reference,
    description, group_key, match Int64 (null: open), decided Boolean; ledger also line_date.
    """

    ledger: pl.DataFrame
    external: pl.DataFrame


def population(source: ReconSource, on: date) -> Population:
    """Everything a job of this source and date looks at. Raises MonthIsArchived."""
    zone = ZoneInfo(source.mapping.get("time_zone", DEFAULT_ZONE))
    until = datetime.combine(on + timedelta(days=1), time(0), zone)
    scope: dict[str, Any] = {"source": source.pk, "date": on, "until": until, "zone": str(zone)}
    with connection.cursor() as cursor:
        cursor.execute(_PREVIOUS, scope)
        previous, earliest = cursor.fetchone() or (None, None)
    begin = on - timedelta(days=source.reaches_back)
    earliest = min(filter(None, (earliest, begin)))
    check_entries_here(_months(earliest, on))
    ledger = _read(
        _LEDGER,
        {
            **scope,
            "accounts": list(source.accounts.values_list("pk", flat=True)),
            "currency": source.currency_id,
            "reversed": source.reversed_sign,
            "by_day": get_adapter(source.adapter).by_day,
            "from": begin,
            "earliest": earliest,
            "previous": previous,
        },
        _LEDGER_SCHEMA,
    )
    told = pl.col("told").str.replace(" ", "T").str.replace("Z$", "+00:00")
    exact = told.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%:z", strict=False, time_unit="us", time_zone="UTC")
    ledger = ledger.with_columns(occurred_at=pl.coalesce(exact, "occurred_at")).drop("told")
    return Population(ledger, _read(_EXTERNAL, scope, _EXTERNAL_SCHEMA))


def _read(query: str, parameters: Mapping[str, Any], schema: pl.Schema) -> pl.DataFrame:
    connection.ensure_connection()
    rows = read_query(connection.connection, query, parameters, schema)
    texts = [pl.col(name).fill_null("") for name in _WORDS]
    return rows.with_columns(
        *texts,
        decided=pl.col("decided") == "t",
        occurred_at=pl.from_epoch("at", "us").dt.replace_time_zone("UTC"),
    ).drop("at")


def _months(first: date, last: date) -> list[date]:
    months = [first.replace(day=1)]
    while months[-1] < last.replace(day=1):
        months.append((months[-1] + timedelta(days=32)).replace(day=1))
    return months
