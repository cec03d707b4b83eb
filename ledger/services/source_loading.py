"""The one way a row of a pack's file gets into the ledger's tables.

A `SourceLoading` takes judged frames one after another, inside the caller's transaction, and writes source rows,
what is known of them, and what is wrong with those it does not write.
"""

from dataclasses import dataclass
from datetime import date

import polars as pl
from django.db import connection, transaction

from batconnect.common.models import User
from batconnect.common.money import ZERO
from ledger.engine.data_loader import ROW_NUMBER
from ledger.engine.source_faults import Measure
from ledger.engine.source_files import DATES, FORMATS, MONTH, ROWID
from ledger.engine.source_rows import SEEN, Judged, set_known_aside, with_raw

from ..models import Currency, ImportBatch
from . import trip_tables

LISTED = 20  # faults that a result names one by one; all of them are kept in source_reject

_ANY_SEEN = "SELECT EXISTS (SELECT FROM source_row_seen WHERE source = %s)"


@dataclass(frozen=True)
class RejectedValue:
    """What is wrong with one value of a row; a row may have several."""

    row_number: int
    column: str
    code: str
    message: str


def measure_of(pack: str) -> Measure:
    """What rows of a pack are held against today."""
    first, last = trip_tables.window()
    exponents = dict(Currency.objects.values_list("code", "exponent"))
    return Measure(format=FORMATS[pack], first=first, last=last, exponents=exponents)


class SourceLoading:
    """One batch being loaded. Call `take` for every judged frame, then `finish`, all in one transaction.

    In a strict load (`accept_valid` false) the first fault undoes what was written; the frames after it are only
    looked through, so that all their faults are known.
    """

    def __init__(self, *, pack: str, file_name: str, actor: User, accept_valid: bool) -> None:
        trip_tables.lock_source(pack)
        self._pack = pack
        self._accept_valid = accept_valid
        self._any_seen = self._ask_any_seen()
        self.listed: list[RejectedValue] = []
        self.refused = False
        self.months: set[date] = set()
        self.batch = ImportBatch.objects.create(
            source=pack,
            file_name=file_name,
            sha256="",
            rows=0,
            accepted=0,
            rejected=0,
            duplicates=0,
            card_earnings=ZERO,
            taxes=ZERO,
            created_by=actor,
        )
        self._untouched = transaction.savepoint()

    def take(self, judged: Judged) -> None:
        """Write the rows of one frame that are sound and new, and keep the faults of the others."""
        known = set_known_aside(judged.rows, self._seen(judged.rows[ROWID]))
        faults = pl.concat([judged.faults, known.faults]).sort(ROW_NUMBER, maintain_order=True)
        batch = self.batch
        batch.rows += judged.raw.height
        batch.duplicates += known.duplicates
        batch.rejected += faults[ROW_NUMBER].n_unique()
        if not (faults.is_empty() or self._accept_valid or self.refused):
            self._refuse()
        if not self.refused:
            self._write(known.fresh)
        self._keep(with_raw(faults, judged.raw))

    def finish(self, *, sha256: str) -> ImportBatch:
        batch = self.batch
        batch.sha256 = sha256
        batch.save()
        assert self.refused or batch.withheld == 0, batch
        return batch

    def _ask_any_seen(self) -> bool:
        with connection.cursor() as cursor:
            cursor.execute(_ANY_SEEN, [self._pack])
            return bool(cursor.fetchone()[0])

    def _seen(self, rowids: pl.Series) -> pl.DataFrame:
        """What was loaded before under these ids; a file's own rows are not, for its ids do not repeat."""
        if not self._any_seen:
            return SEEN.to_frame()
        return trip_tables.seen_rows(rowids.to_list(), self._pack).rename({"rowid": ROWID})

    def _refuse(self) -> None:
        transaction.savepoint_rollback(self._untouched)
        self.refused = True
        self.months.clear()
        self.batch.accepted = 0
        self.batch.first_source_id = self.batch.last_source_id = None

    def _write(self, fresh: pl.DataFrame) -> None:
        if fresh.is_empty():
            return
        ids = trip_tables.take_transaction_ids(fresh.height)
        months = fresh[MONTH].unique()
        trip_tables.ensure_months(months)
        rows = fresh.with_columns(ids)
        trip_tables.copy_into("txn_source_parent", self._source_rows(rows))
        trip_tables.copy_into("source_row_seen", self._seen_rows(rows))
        batch = self.batch
        batch.accepted += fresh.height
        batch.first_source_id = batch.first_source_id or ids[0]
        batch.last_source_id = ids[-1]
        self.months.update(months)

    def _source_rows(self, rows: pl.DataFrame) -> pl.DataFrame:
        format = FORMATS[self._pack]
        return rows.select(
            "id",
            pl.lit(self.batch.pk).alias("batch_id"),
            ROW_NUMBER,
            pl.lit(self._pack).alias("source"),
            *format.texts,
            *DATES,
            *format.amounts,
        )

    def _seen_rows(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.select(
            pl.lit(self._pack).alias("source"),
            ROWID,
            trip_tables.bytea("row_hash").alias("figures_hash"),
            pl.col("id").alias("transaction_id"),
        )

    def _keep(self, faults: pl.DataFrame) -> None:
        trip_tables.copy_into("source_reject", faults.with_columns(pl.lit(self.batch.pk).alias("batch_id")))
        listed = faults.drop("raw").head(LISTED - len(self.listed))
        self.listed += [RejectedValue(**row) for row in listed.iter_rows(named=True)]
