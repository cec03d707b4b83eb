"""The one way a trip gets into the ledger's tables, from a file or from a corrected parked row.

A `TripLoad` takes frames of raw rows one after another, inside the caller's transaction, and writes trips,
what is known of their rows, parked rows, and, at the end, what the trips add up to per account and week.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import polars as pl
from django.utils import timezone

from batconnect.common import audit
from batconnect.common.models import User
from batconnect.common.money import ZERO, to_cents
from ledger.engine import trip_leases, trips
from ledger.engine.data_loader import ROW_NUMBER
from ledger.models import ImportBatch, ParkedRow

from . import trip_tables
from .trip_entries import NONE_JOURNALISED, journalise

LISTED = 20  # rejected rows that a result names one by one; the others are found among the parked rows


@dataclass(frozen=True)
class RejectedRow:
    row_number: int
    rowid: str
    reason: str
    message: str


@dataclass(frozen=True)
class TripImport:
    """What one load did. `rejects` are the first of the rejected rows; amounts are US dollars."""

    batch_id: int
    rows: int
    accepted: int
    rejected: int
    duplicates: int
    card_earnings: Decimal
    taxes: Decimal
    rejects: tuple[RejectedRow, ...]


@dataclass(frozen=True)
class Outcome:
    """What became of one frame: both frames carry `parked_id`, `accepted` the transaction too."""

    accepted: pl.DataFrame
    rejects: pl.DataFrame
    duplicates: pl.Series


class TripLoad:
    """One batch being loaded. Call `take` for every frame, then `finish`, all in one transaction.

    Without `journalise` the trips get no entries now; a bulk run enters them later, and only then do they settle.
    """

    def __init__(self, *, file_name: str, actor: User, journalise: bool = True) -> None:
        trip_tables.lock_source()
        self._actor = actor
        self._journalise = journalise
        self._window = trip_tables.window()
        self._in_file = trips.IDENTITY.to_frame()
        self._totals: list[pl.DataFrame] = []
        self._journalised: list[pl.DataFrame] = []
        self._rejects: list[RejectedRow] = []
        self.batch = ImportBatch.objects.create(
            source=trip_tables.SOURCE,
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

    def take(
        self,
        raw: pl.DataFrame,
        *,
        parked: pl.DataFrame | None = None,
        row_numbers: Mapping[int, int] | None = None,
    ) -> Outcome:
        """Load one frame of the file.

        For corrections: `parked` replaces the parked rows that are known, and `row_numbers` gives the number
        to store where `raw` has a key of its own.
        """
        read = trips.read_values(raw, self._window)
        rowids = read["rowid"].unique().to_list()
        if parked is None:
            parked = trip_tables.parked_rows(rowids)
        else:
            identities = read.select(ROW_NUMBER, *trips.IDENTITY.names())
            parked = parked.join(identities, on=ROW_NUMBER, maintain_order="left").select(
                trips.PARKED.names()
            )
            parked = parked.unique(trips.IDENTITY.names(), keep="first", maintain_order=True)
        known = trips.set_known_aside(
            read, earlier=self._in_file, seen=trip_tables.seen_rows(rowids), parked=parked
        )
        self._in_file = pl.concat([self._in_file, read.select(trips.IDENTITY.names())])
        sound, unsound = trips.check_values(known.fresh)
        accepted, homeless = trip_leases.find_leases(sound, self._references(sound))
        rejects = pl.concat([known.rejects, unsound, homeless]).sort(ROW_NUMBER)
        assert raw.height == accepted.height + rejects.height + len(known.duplicates)
        written = self._write_trips(accepted, row_numbers or {})
        rejects = rejects.join(known.rows, on=ROW_NUMBER, how="left", maintain_order="left")
        self._park(rejects)
        self._count(raw, accepted, rejects, known.duplicates)
        return Outcome(written, rejects, known.duplicates)

    def finish(self, *, sha256: str) -> TripImport:
        """Write the totals and the batch's own figures, and say what was done."""
        totals = trip_leases.merge_totals(self._totals)
        batch = self.batch
        batch.sha256 = sha256
        batch.card_earnings = _sum(totals, "earnings")
        batch.taxes = sum((_sum(totals, tax) for tax in trip_leases.TAXES), ZERO)
        batch.save()
        trip_tables.copy_into("trip_total", self._with_journalised(totals))
        result = TripImport(
            batch_id=batch.pk,
            rows=batch.rows,
            accepted=batch.accepted,
            rejected=batch.rejected,
            duplicates=batch.duplicates,
            card_earnings=batch.card_earnings,
            taxes=batch.taxes,
            rejects=tuple(self._rejects),
        )
        assert result.rows == result.accepted + result.rejected + result.duplicates, result
        audit.record(
            actor=self._actor,
            action="trips.imported",
            subject=f"import_batch:{batch.pk}",
            after={
                "file": batch.file_name,
                "rows": result.rows,
                "accepted": result.accepted,
                "rejected": result.rejected,
                "duplicates": result.duplicates,
                "card_earnings": str(result.card_earnings),
                "taxes": str(result.taxes),
            },
        )
        return result

    def _with_journalised(self, totals: pl.DataFrame) -> pl.DataFrame:
        keys = ["account_id", "week"]
        entered = pl.concat([NONE_JOURNALISED, *self._journalised]).group_by(keys).agg(pl.all().sum())
        return totals.join(entered, on=keys, how="left", maintain_order="left").with_columns(
            pl.col("journalised").fill_null(0), batch_id=pl.lit(self.batch.pk, pl.Int64)
        )

    def _references(self, rows: pl.DataFrame) -> trip_leases.References:
        return trip_tables.references(
            cabs=rows["cab"].unique().to_list(), drivers=rows["driver"].unique().to_list()
        )

    def _write_trips(self, accepted: pl.DataFrame, row_numbers: Mapping[int, int]) -> pl.DataFrame:
        ids = trip_tables.take_transaction_ids(accepted.height)
        accepted = accepted.with_columns(ids)
        trip_tables.ensure_months(accepted["txn_month"])
        stored = accepted.with_columns(pl.col(ROW_NUMBER).replace(row_numbers)) if row_numbers else accepted
        trip_tables.copy_into("txn_source_parent", _source_rows(stored, self.batch.pk))
        if self._journalise:
            self._journalised.append(journalise(accepted, actor_id=self._actor.pk))
        trip_tables.copy_into(
            "source_row_seen",
            accepted.select(
                pl.lit(trip_tables.SOURCE).alias("source"),
                pl.col("rowid").alias("source_rowid"),
                trip_tables.bytea("row_hash").alias("figures_hash"),
                pl.col("id").alias("transaction_id"),
            ),
        )
        waiting = accepted.filter(pl.col("parked_id").is_not_null())
        trip_tables.resolve_parked(
            ids=waiting["parked_id"].to_list(),
            transaction_ids=waiting["id"].to_list(),
            actor_id=self._actor.pk,
        )
        return accepted.select(ROW_NUMBER, pl.col("id").alias("transaction_id"), "parked_id")

    def _park(self, rejects: pl.DataFrame) -> None:
        """Park what is new; what is parked already keeps its row, with the reason as it is now."""
        new = rejects.filter(pl.col("parked_id").is_null())
        now = timezone.now()
        raw = [json.dumps(row, ensure_ascii=False) for row in new.select(trips.COLUMNS).iter_rows(named=True)]
        trip_tables.copy_into(
            "parked_row",
            new.select(
                pl.lit(self.batch.pk).alias("batch_id"),
                pl.lit(trip_tables.SOURCE).alias("source"),
                pl.col("rowid").alias("source_rowid"),
                ROW_NUMBER,
                "reason",
                "message",
                pl.Series("raw", raw, dtype=pl.String),
                trip_tables.bytea("row_hash").alias("raw_hash"),
                pl.lit(ParkedRow.Status.PARKED.value).alias("status"),
                pl.lit("").alias("note"),
                pl.lit(now.isoformat()).alias("created_at"),
            ),
        )
        again = rejects.filter(pl.col("parked_id").is_not_null())
        trip_tables.keep_parked(
            ids=again["parked_id"].to_list(),
            reasons=again["reason"].to_list(),
            messages=again["message"].to_list(),
        )

    def _count(
        self, raw: pl.DataFrame, accepted: pl.DataFrame, rejects: pl.DataFrame, duplicates: pl.Series
    ) -> None:
        self.batch.rows += raw.height
        self.batch.accepted += accepted.height
        self.batch.rejected += rejects.height
        self.batch.duplicates += len(duplicates)
        self._totals.append(trip_leases.add_up(accepted))
        room = LISTED - len(self._rejects)
        listed = rejects.head(room).select(ROW_NUMBER, "rowid", "reason", "message")
        self._rejects += [RejectedRow(*row) for row in listed.iter_rows()]


def _source_rows(accepted: pl.DataFrame, batch_id: int) -> pl.DataFrame:
    """The accepted trips as rows of `txn_source_parent`."""
    return accepted.select(
        "id",
        "txn_month",
        pl.lit(batch_id).alias("batch_id"),
        ROW_NUMBER,
        pl.lit(trip_tables.SOURCE).alias("source"),
        pl.col("rowid").alias("source_rowid"),
        pl.lit("TRIP").alias("txn_type"),
        pl.col("payment_type").alias("product_code"),
        pl.lit("CURB").alias("channel"),
        pl.col("trip_on").alias("bank_value_date"),
        pl.lit("USD").alias("currency"),
        *(f"{key}_id" for key in ("account", "driver", "lease", "medallion", "vehicle")),
        "week",
        "started_at",
        "ended_at",
        *trips.AMOUNTS.values(),
    )


def _sum(totals: pl.DataFrame, column: str) -> Decimal:
    return to_cents(Decimal(totals[column].sum() or 0))
