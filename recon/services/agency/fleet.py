"""Whose vehicles, leases and trips may be behind tolls and tickets, as frames; reads only, decides nothing."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import polars as pl
from django.db import connection

from batconnect.common.weeks import sunday_of
from ledger.engine.data_loader import read_query, schema_of

MOMENT = pl.Datetime("us", "UTC")

# A plate, the vehicles that carry it, and the medallions these were on; from and until are microseconds.
_PLATES = """
SELECT upper(v.plate), v.id, v.plate_state, a.medallion_id, (extract(epoch FROM a.started_at) * 1000000)::bigint,
       (extract(epoch FROM a.ended_at) * 1000000)::bigint
  FROM vehicle v LEFT JOIN vehicle_assignment a ON a.vehicle_id = v.id
 WHERE upper(v.plate) = ANY(%(plates)s)
"""
_LEASES = """
SELECT l.medallion_id, l.id, l.starts_on, l.ends_on FROM lease l
 WHERE l.status <> 'CANCELLED' AND l.medallion_id = ANY(%(medallions)s)
"""
# By the accounts that may have driven these vehicles: the index of trips is by account and week.
_TRIPS = """
SELECT t.id, t.vehicle_id, t.account_id, t.lease_id, (extract(epoch FROM t.started_at) * 1000000)::bigint,
       (extract(epoch FROM t.ended_at) * 1000000)::bigint, t.tolls > 0, t.source_rowid
  FROM txn_source_parent t
 WHERE t.txn_type = 'TRIP' AND t.week = ANY(%(weeks)s) AND t.vehicle_id = ANY(%(vehicles)s)
   AND t.account_id = ANY(ARRAY(
     SELECT a.id FROM driver_account a JOIN lease l ON l.id = a.lease_id
      WHERE l.vehicle_id = ANY(%(vehicles)s)
         OR l.medallion_id IN (SELECT medallion_id FROM vehicle_assignment WHERE vehicle_id = ANY(%(vehicles)s))))
"""
_PLATES_READ = schema_of(
    {
        "plate": pl.String,
        "vehicle_id": pl.Int64,
        "registered_in": pl.String,
        "medallion_id": pl.Int64,
        "since": pl.Int64,
        "until": pl.Int64,
    }
)
_LEASES_READ = schema_of(
    {"medallion_id": pl.Int64, "lease_id": pl.Int64, "starts_on": pl.Date, "ends_on": pl.Date}
)
_TRIPS_READ = schema_of(
    {
        "id": pl.Int64,
        "vehicle_id": pl.Int64,
        "driver_id": pl.Int64,
        "lease_id": pl.Int64,
        "started_at": pl.Int64,
        "ended_at": pl.Int64,
        "has_toll": pl.String,
        "rowid": pl.String,
    }
)


def vehicles_of_plates(plates: Sequence[str]) -> pl.DataFrame:
    """plate, vehicle_id, registered_in, medallion_id, since, until (moments): a line for each assignment, or one."""
    rows = _read(_PLATES, {"plates": list(plates)}, _PLATES_READ)
    return rows.with_columns(_moment("since"), _moment("until"))


def leases_of_medallions(medallions: Sequence[int]) -> pl.DataFrame:
    """medallion_id, lease_id, starts_on, ends_on (null: open-ended)."""
    return _read(_LEASES, {"medallions": list(medallions)}, _LEASES_READ)


def trips_around(events: pl.DataFrame) -> pl.DataFrame:
    """The trips of the events' vehicles in the weeks around them, as `attribute` takes them, and their `rowid`.

    `driver_id` is the account a trip is settled on: an additional driver's trips are the lease's driver's.
    """
    days = events["occurred_at"].dt.convert_time_zone("America/New_York").dt.date().unique()
    day = timedelta(days=1)
    weeks = {sunday_of(one + shift) for one in days for shift in (-day, day)}
    asked = {
        "weeks": sorted(weeks),
        "vehicles": events["vehicle_id"].unique().sort().to_list(),
    }
    rows = _read(_TRIPS, asked, _TRIPS_READ)
    return rows.with_columns(_moment("started_at"), _moment("ended_at"), pl.col("has_toll") == "t")


def _moment(name: str) -> pl.Expr:
    return pl.from_epoch(pl.col(name), "us").dt.replace_time_zone("UTC").alias(name)


def _read(query: str, parameters: Mapping[str, Any], schema: pl.Schema) -> pl.DataFrame:
    connection.ensure_connection()
    return read_query(connection.connection, query, parameters, schema)
