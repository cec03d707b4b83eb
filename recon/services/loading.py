"""Outside rows into their table: each once per source and id, for ever, all of a file or nothing."""

from dataclasses import dataclass

import polars as pl
from django.db import connection

from ledger.engine.data_loader import read_query, schema_of
from ledger.engine.staging_writer import copy

from ..models import ReconJob
from ..sources import BadRow, Statement
from ..sources.base import AMOUNT, shown

_KNOWN = """
SELECT external_id, figures_hash AS known, amount AS known_amount, occurred_at::date AS known_on
  FROM recon_external_row WHERE source_id = %(source)s AND external_id = ANY(%(ids)s)
"""
_KNOWN_SCHEMA = schema_of(
    {"external_id": pl.String, "known": pl.String, "known_amount": AMOUNT, "known_on": pl.Date}
)
COLUMNS = (
    "external_id", "figures_hash", "amount", "currency", "occurred_at", "reference", "description", "group_key", "raw",
)  # fmt: skip


@dataclass(frozen=True)
class Loaded:
    """new: rows not known before; again: rows that came before, with the same figures."""

    new: int
    again: int


def load(statement: Statement, job: ReconJob) -> Loaded:
    """Keep what is new of a statement. The caller holds the source's lock.

    Raises BadRow where a known id comes with other figures; then nothing is kept.
    """
    rows = statement.rows
    if rows.is_empty():
        return Loaded(0, 0)
    connection.ensure_connection()
    named = {"source": job.source_id, "ids": rows["external_id"].to_list()}
    known = read_query(connection.connection, _KNOWN, named, _KNOWN_SCHEMA)
    found = rows.join(known, on="external_id", how="left", maintain_order="left")
    changed = found.filter(pl.col("known") != pl.col("figures_hash"))
    if changed.height:
        row = changed.row(0, named=True)
        problem = (
            f"{shown(row['external_id'])} came before with {row['known_amount'].normalize():f} of {row['known_on']}; "
            "a row is never changed afterwards"
        )
        raise BadRow(row=row["row"], column="id", problem=problem)
    new = found.filter(pl.col("known").is_null()).select(
        *(pl.col(name) for name in COLUMNS if name != "occurred_at"),
        pl.col("occurred_at").dt.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00"),
        source_id=pl.lit(job.source_id),
        job_id=pl.lit(job.pk),
    )
    with connection.cursor() as cursor:
        copy(cursor, "recon_external_row", new)
    return Loaded(new.height, rows.height - new.height)
