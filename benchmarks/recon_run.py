"""A reconciliation through the database: rows of a Parquet file against journal lines, from file to logs and matches.

`recon_matching` measures matching alone. Here the outside rows are loaded, the ledger's lines read, both matched by the
default model, and a log of every row, the matches and their rows are written, under the database's rules; then the same
is run again, which has to find that nothing changed. ROWS says how many a side (default 100,000; `ROWS=1000000` for the
million), of which 90 % have their partner at the same moment, 5 % a little later and differing, and 5 % none.
"""

import os
import resource
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
from django.db import connection

from batconnect.common.audit import system_user
from ledger.models import Account
from recon.models import ReconLog, ReconMatch, ReconSource
from recon.services import runs
from recon.services.files import Given

DAY = date(2026, 9, 15)
CHUNK = 20_000


def measure(rows: int = int(os.environ.get("ROWS", 100_000))) -> dict[str, Any]:
    """Seconds to make the ledger's side, of the first run by steps, of the second; rows written; memory."""
    source = ReconSource.objects.create(
        name="bench", adapter="parquet", currency_id="USD", reaches_back=45,
        mapping={"columns": {"id": "id", "amount": "amount", "time": "at", "reference": "ref", "description": "text"}},
    )  # fmt: skip
    source.accounts.set(Account.objects.filter(code="1100"))
    frame = _rows(rows)
    started = time.perf_counter()
    _enter(frame)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    made = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "outside.parquet"
        _outside(frame).write_parquet(path)
        before = _peak_mib()
        steps: dict[str, float] = {}
        last = ["Starting", time.perf_counter()]

        def progress(step: str) -> None:
            now = time.perf_counter()
            steps[str(last[0])] = round(now - float(last[1]), 2)
            last[:] = [step, now]

        started = time.perf_counter()
        job = runs.run_recon(
            source=source, on=DAY, actor=system_user(), file=Given(path, path.name), progress=progress
        )
        seconds = time.perf_counter() - started
        progress("")
        started = time.perf_counter()
        again = runs.run_recon(source=source, on=DAY, actor=system_user(), file=Given(path, path.name))
        repeated = time.perf_counter() - started
    assert again == job, "the second run found something new"
    return {
        "rows_a_side": rows,
        "seconds": round(seconds, 2),
        "steps": {name: value for name, value in steps.items() if name != "Starting"},
        "again_seconds": round(repeated, 2),
        "setup_seconds": round(made, 2),
        "counts": job.counts,
        "logs": ReconLog.objects.count(),
        "matches": ReconMatch.objects.count(),
        "peak_before_mib": before,
        "peak_mib": _peak_mib(),
    }


def _rows(count: int) -> pl.DataFrame:
    """What both sides are made of: cents from 1.00 to 201.00, moments over 30 days, four words."""
    number = pl.int_range(1, count + 1, dtype=pl.Int64)
    day = pl.datetime(2026, 8, 17, 4, time_zone="UTC")
    return pl.select(row=number).with_columns(
        cents=100 + (pl.col("row").hash(1) % 20_000).cast(pl.Int64),
        at=day + pl.duration(seconds=(pl.col("row").hash(2) % (29 * 86_400)).cast(pl.Int64)),
        text=pl.lit(["CARD TRIP", "PREPAID TRIP", "CARD REFUND", "TIP"]).list.get(pl.col("row").hash(3) % 4),
        kind=(pl.col("row").hash(4) % 20).cast(pl.Int64),
    )


def _enter(frame: pl.DataFrame) -> None:
    """One entry per row: account 1100 against 4900, as a manual journal would."""
    accounts = dict(Account.objects.filter(code__in=["1100", "4900"]).values_list("code", "pk"))
    for start in range(0, frame.height, CHUNK):
        part = frame.slice(start, CHUNK).with_row_index("place", offset=1)
        with connection.cursor() as cursor:
            cursor.execute(_ENTER, {
                "actor": system_user().pk,
                "dates": part["at"].dt.convert_time_zone("America/New_York").dt.date().to_list(),
                "references": [f"R{row}" for row in part["row"]],
                "descriptions": part["text"].to_list(),
                "told": part["at"].dt.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_list(),
                "cents": part["cents"].to_list(), "debit": accounts["1100"], "credit": accounts["4900"],
            })  # fmt: skip


_ENTER = """
SELECT count(*) FROM ledger_enter(
  'MANUAL', %(actor)s::bigint, 0::bigint, %(dates)s::date[], %(dates)s::date[],
  NULL::bigint[], NULL::bigint[], %(references)s::text[], %(descriptions)s::text[],
  (SELECT array_agg(jsonb_build_object('occurred_at', at) ORDER BY n)
     FROM unnest(%(told)s::text[]) WITH ORDINALITY AS t (at, n)),
  NULL::bigint[], NULL::date[],
  (SELECT array_agg(n::int ORDER BY n, side) FROM unnest(%(cents)s::bigint[]) WITH ORDINALITY AS c (cents, n),
          generate_series(1, 2) AS side),
  (SELECT array_agg(CASE side WHEN 1 THEN %(debit)s ELSE %(credit)s END::int ORDER BY n, side)
     FROM unnest(%(cents)s::bigint[]) WITH ORDINALITY AS c (cents, n), generate_series(1, 2) AS side),
  NULL::text[], NULL::text[],
  (SELECT array_agg((CASE side WHEN 1 THEN cents ELSE -cents END)::numeric / 100 ORDER BY n, side)
     FROM unnest(%(cents)s::bigint[]) WITH ORDINALITY AS c (cents, n), generate_series(1, 2) AS side)
)
"""


def _outside(frame: pl.DataFrame) -> pl.DataFrame:
    """Kinds 0 to 17 come as they are, 18 four minutes later and cut short; 19 is another row, of nobody."""
    late = pl.col("kind") == 18
    nobody = pl.col("kind") == 19
    return frame.select(
        id=pl.when(nobody | late).then(pl.format("X{}", "row")).otherwise(pl.format("R{}", "row")),
        ref=pl.when(nobody | late).then(pl.lit("")).otherwise(pl.format("R{}", "row")),
        amount=(pl.when(nobody).then(-pl.col("cents")).otherwise("cents").cast(pl.Decimal(20, 2)) / 100).cast(
            pl.Decimal(20, 2)
        ),
        at=pl.col("at") + pl.when(late).then(pl.duration(minutes=4)).otherwise(pl.duration(minutes=0)),
        text=pl.when(late).then(pl.col("text").str.slice(0, 7)).otherwise("text"),
    )


def _peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
