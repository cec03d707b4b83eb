"""The statements by which trips come and go between frames and tables; nothing is decided here."""

from collections.abc import Sequence
from typing import Any

import polars as pl
from django.db import connection
from psycopg import sql

from ledger.engine.trip_leases import ADDITIONAL, ASSIGNMENTS, CABS, DRIVERS, LEASES, References
from ledger.engine.trips import PARKED, SEEN, Window

from .accounts import open_account
from .errors import translated

SOURCE = "curb"
BLOCK_ATTEMPTS = 3

# One load per source at a time: a second one waits, and then finds the first one's rows.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('import:' || %s, 0))"

# Today in New York, and the first day ensure_txn_source_month surely takes: it counts from a month's first.
_WINDOW = "SELECT current_date - 7320 + 31, (now() AT TIME ZONE 'America/New_York')::date"

_SEEN = """
SELECT source_rowid, figures_hash, transaction_id FROM source_row_seen
 WHERE source = %s AND source_rowid = ANY(%s)
"""
_PARKED = """
SELECT source_rowid, raw_hash, id, status = 'PARKED' FROM parked_row
 WHERE source = %s AND source_rowid = ANY(%s)
"""
_DRIVERS = "SELECT tlc_license, id FROM driver WHERE tlc_license = ANY(%s)"
_CABS = "SELECT number, id FROM medallion WHERE number = ANY(%s)"
_LEASES = """
SELECT l.medallion_id, l.id, l.number, l.driver_id, a.id, l.vehicle_id, l.starts_on, l.ends_on
  FROM lease l
  LEFT JOIN driver_account a ON a.lease_id = l.id AND a.driver_id = l.driver_id
 WHERE l.status <> 'CANCELLED' AND l.medallion_id = ANY(%s)
"""
_ADDITIONAL = """
SELECT lease_id, driver_id, starts_on, ends_on FROM lease_driver WHERE NOT withdrawn AND lease_id = ANY(%s)
"""
_ASSIGNMENTS = """
SELECT medallion_id, vehicle_id, started_at AT TIME ZONE 'UTC', ended_at AT TIME ZONE 'UTC'
  FROM vehicle_assignment WHERE medallion_id = ANY(%s)
"""
_TAKE_BLOCK = """
SELECT min(id), max(id) FROM (SELECT nextval('txn_source_id_seq') AS id FROM generate_series(1, %s)) AS taken
"""
_TAKE_IDS = "SELECT nextval('txn_source_id_seq') FROM generate_series(1, %s)"
_ENSURE_MONTH = "SELECT ensure_txn_source_month(%s)"

_RESOLVE = """
UPDATE parked_row p
   SET status = 'RESOLVED', transaction_id = n.transaction_id, decided_by_id = %s, decided_at = now()
  FROM unnest(%s::bigint[], %s::bigint[]) AS n (id, transaction_id)
 WHERE p.id = n.id
"""
_STILL_PARKED = """
UPDATE parked_row p SET reason = n.reason, message = n.message
  FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS n (id, reason, message)
 WHERE p.id = n.id AND (p.reason, p.message) IS DISTINCT FROM (n.reason, n.message)
"""


def lock_source(source: str = SOURCE) -> None:
    """Hold the right to load rows of a source until the transaction ends."""
    _execute(_LOCK, [source])


def window() -> Window:
    return Window(*_execute(_WINDOW, [])[0])


def seen_rows(rowids: list[str], source: str = SOURCE) -> pl.DataFrame:
    return _frame(SEEN, _SEEN, [source, rowids])


def parked_rows(rowids: list[str]) -> pl.DataFrame:
    return _frame(PARKED, _PARKED, [SOURCE, rowids])


def references(*, cabs: list[str], drivers: list[str]) -> References:
    """The master data of these cabs and drivers; a lease that never had an account gets one."""
    cab_frame = _frame(CABS, _CABS, [cabs])
    medallions = cab_frame["medallion_id"].to_list()
    lease_rows = [list(row) for row in _execute(_LEASES, [medallions])]
    holder, lease_id, account = (
        LEASES.names().index(name) for name in ("holder_id", "lease_id", "account_id")
    )
    for row in lease_rows:
        if row[account] is None:
            row[account] = open_account(driver_id=row[holder], lease_id=row[lease_id]).pk
    moments = {name: kind for name, kind in ASSIGNMENTS.items() if kind.is_temporal()}
    assignments = pl.DataFrame(
        _execute(_ASSIGNMENTS, [medallions]),
        schema={**ASSIGNMENTS, **dict.fromkeys(moments, pl.Datetime("us"))},
        orient="row",
    ).with_columns(pl.col(name).dt.replace_time_zone("UTC") for name in moments)
    return References(
        drivers=_frame(DRIVERS, _DRIVERS, [drivers]),
        cabs=cab_frame,
        leases=pl.DataFrame(lease_rows, schema=LEASES, orient="row"),
        additional=_frame(ADDITIONAL, _ADDITIONAL, [[row[lease_id] for row in lease_rows]]),
        assignments=assignments,
    )


def take_transaction_ids(count: int) -> pl.Series:
    """New ids for source transactions, in one go; never given out again. One block, unless others draw all the time."""
    for _ in range(BLOCK_ATTEMPTS if count else 0):
        first, last = _execute(_TAKE_BLOCK, [count])[0]
        if last - first + 1 == count:
            return pl.int_range(first, last + 1, dtype=pl.Int64, eager=True).alias("id")
    return pl.Series("id", [number for (number,) in _execute(_TAKE_IDS, [count])], dtype=pl.Int64)


def ensure_months(months: pl.Series) -> None:
    """Raises MonthIsArchived when rows of one of these months are in files alone."""
    for month in months.unique().sort():
        with translated():
            _execute(_ENSURE_MONTH, [month])


def copy_into(table: str, frame: pl.DataFrame) -> None:
    """COPY a frame into the columns of its names. Instants are UTC; bytes are given as `\\x…` text."""
    if frame.is_empty():
        return
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, frame.columns))
    )
    text = frame.with_columns(
        pl.col(name).dt.replace_time_zone(None)
        for name, kind in frame.schema.items()
        if kind == pl.Datetime("us", "UTC")
    ).write_csv(include_header=False, datetime_format="%Y-%m-%d %H:%M:%S+00")
    with connection.cursor() as cursor, cursor.cursor.copy(statement) as copy:
        copy.write(text)


def bytea(column: str) -> pl.Expr:
    return pl.format("\\x{}", pl.col(column).bin.encode("hex"))


def resolve_parked(*, ids: Sequence[int], transaction_ids: Sequence[int], actor_id: int) -> None:
    _execute(_RESOLVE, [actor_id, list(ids), list(transaction_ids)])


def keep_parked(*, ids: Sequence[int], reasons: Sequence[str], messages: Sequence[str]) -> None:
    _execute(_STILL_PARKED, [list(ids), list(reasons), list(messages)])


def _execute(statement: str, parameters: list[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


def _frame(schema: pl.Schema, statement: str, parameters: list[Any]) -> pl.DataFrame:
    return pl.DataFrame(_execute(statement, parameters), schema=schema, orient="row")
