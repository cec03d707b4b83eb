"""What matching found, into the tables: matches that hold, and one log row for each row of both sides."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
from django.db import connection
from django.utils import timezone

from batconnect.common.models import User
from ledger.engine.staging_writer import copy

from ..matching.match import Result
from ..matching.reasons import reasons
from ..models import Outcome, ReconJob, ReconMatch, Side
from ..selectors.rows import Population

MATCHED = Outcome.MATCHED.value
REJECTED = "rejected"
SAID_BY_PERSON = "decided"
_LOG_TEXTS = ("rule", "reasons", "nearest", "failed", "reference", "description")
OPTION = "{} {}: {}"


@dataclass(frozen=True)
class Written:
    """What a job found: counts by side and outcome, totals, and the day of its oldest row without a partner."""

    counts: dict[str, Any]
    external_total: Any
    ledger_total: Any
    oldest_unmatched: date | None


def write_results(job: ReconJob, rows: Population, result: Result, rejected: set[tuple[str, str]]) -> Written:
    """Log every row, make the matches that are new, and end those of earlier jobs of this date that no longer hold.

    rejected: pairs (outside key, ledger key) that people turned down. The job is RUNNING.
    """
    refused = _refused(result, rejected)
    pairs = result.pairs.with_columns(reasons=reasons(result.pairs)).join(
        refused, on=["external_key", "ledger_key"], how="anti"
    )
    logs = pl.concat(
        [_logs(job, rows, result, pairs, refused, side.value) for side in (Side.EXTERNAL, Side.LEDGER)]
    )
    _write_logs(logs)
    _write_matches(job, rows, pairs.filter(pl.col("end") == MATCHED))
    late = logs.filter(pl.col("outcome") != MATCHED, ~pl.col("waiting"))
    oldest = late["day"].min()
    return Written(
        counts={side.value: _counts(logs.filter(pl.col("side") == side.value)) for side in Side},
        external_total=rows.external["amount"].sum(),
        ledger_total=rows.ledger["amount"].sum(),
        oldest_unmatched=oldest if isinstance(oldest, date) else None,
    )


def rejected_pairs(job: ReconJob) -> set[tuple[str, str]]:
    """Pairs of the job's source that people said do not belong together, by the rows' keys."""
    query = """
    SELECT e.external_id,
           'JE-' || to_char(l.line_date, 'YYYYMM') || '-' || l.line_id / 100000 || '/' || l.line_id %% 100000
      FROM recon_match m
      JOIN recon_match_row x ON x.match_id = m.id AND x.side = 'external'
      JOIN recon_external_row e ON e.id = x.external_row_id
      JOIN recon_match_row l ON l.match_id = m.id AND l.side = 'ledger'
     WHERE m.source_id = %s AND m.status = 'REJECTED'
    """
    with connection.cursor() as cursor:
        cursor.execute(query, [job.source_id])
        return {(outside, line) for outside, line in cursor.fetchall()}


def _refused(result: Result, rejected: set[tuple[str, str]]) -> pl.DataFrame:
    """Of the rejected pairs, those that the result has, alone or in a group."""
    schema = {"external_key": pl.String, "ledger_key": pl.String}
    found = pl.DataFrame(sorted(rejected), schema=schema, orient="row")
    both = pl.concat([result.pairs.select(*schema), result.groups.select(*schema)])
    return both.join(found, on=list(schema), how="semi").unique()


def _logs(
    job: ReconJob, rows: Population, result: Result, pairs: pl.DataFrame, refused: pl.DataFrame, side: str
) -> pl.DataFrame:
    """One log row for each row of a side."""
    ends, mine = (result.ledger, rows.ledger) if side == "ledger" else (result.external, rows.external)
    own, other = ("ledger_key", "external_key") if side == "ledger" else ("external_key", "ledger_key")
    broken = set(
        result.groups.join(refused, on=["external_key", "ledger_key"], how="semi")["group"].to_list()
    )
    ends = ends.join(
        refused.select(key=own, turned_down=other).unique("key"), on="key", how="left"
    ).with_columns(
        turned=pl.col("turned_down").is_not_null() | pl.col("group").is_in(list(broken)).fill_null(False)
    )
    told = (
        ends.join(pairs.select(key=own, why="reasons"), on="key", how="left")
        .join(_members(result.groups, own, other), on="key", how="left")
        .join(_options(result, ends, own, other), on="key", how="left")
    )
    turned = pl.col("turned")
    told = told.select(
        "key",
        outcome=pl.when(turned).then(pl.lit("unmatched")).otherwise("end"),
        rule=pl.when(~turned).then("rule"),
        score=pl.col("score"),
        reasons=pl.when(~turned).then(pl.coalesce("why", "said")),
        partners=pl.when(~turned).then(
            pl.coalesce(
                "members", "choices", pl.when(pl.col("partner").is_not_null()).then(pl.concat_list("partner"))
            )
        ),
        nearest=pl.when(turned).then(pl.coalesce("turned_down", "partner")).otherwise("nearest"),
        failed=pl.when(turned).then(pl.lit(REJECTED)).otherwise("failed"),
        difference="difference",
        delay=pl.col("delay").dt.total_seconds(),
        waiting=pl.col("waiting") & ~turned,
    )
    decided = mine.filter(pl.col("decided")).select(
        "key", outcome=pl.lit(MATCHED), rule=pl.lit(SAID_BY_PERSON), waiting=pl.lit(False)
    )
    told = pl.concat([told, decided], how="diagonal")
    whole = mine.join(told, on="key", how="inner", maintain_order="left")
    assert whole.height == mine.height, "a row of the population is missing in the result"
    day = pl.col("occurred_at").dt.convert_time_zone("America/New_York").dt.date()
    return whole.with_columns(day=day).select(
        "key",
        "amount",
        "currency",
        "occurred_at",
        "outcome",
        "score",
        "difference",
        "delay",
        "waiting",
        "day",
        *(pl.col(name).fill_null("") for name in _LOG_TEXTS),
        pl.col("partners").fill_null([]),
        job_id=pl.lit(job.pk),
        side=pl.lit(side),
        external_row_id=pl.col("id") if side == "external" else pl.lit(None, pl.Int64),
        line_id=pl.col("id") if side == "ledger" else pl.lit(None, pl.Int64),
        line_date=pl.col("line_date") if side == "ledger" else pl.lit(None, pl.Date),
        age_days=(pl.lit(job.date) - pl.col("day")).dt.total_days(),
    )


def _members(groups: pl.DataFrame, own: str, other: str) -> pl.DataFrame:
    return groups.group_by(own).agg(members=pl.col(other).unique().sort()).rename({own: "key"})


def _options(result: Result, ends: pl.DataFrame, own: str, other: str) -> pl.DataFrame:
    """What an ambiguous row may belong to, best first, each with its score and reasons.

    A row may be an option of an ambiguous one and itself be unmatched, for better claims to that one: it has none.
    """
    ambiguous = ends.filter(pl.col("end") == Outcome.AMBIGUOUS.value).select(pl.col("key").alias(own))
    options = (
        result.options.with_columns(why=reasons(result.options))
        .join(ambiguous, on=own, how="semi")
        .sort("score", other, descending=[True, False])
    )
    line = pl.format(OPTION, other, pl.col("score").round(4), "why")
    return (
        options.group_by(own, maintain_order=True)
        .agg(choices=pl.col(other), said=line)
        .with_columns(pl.col("said").list.join("\n"))
        .rename({own: "key"})
    )


def _write_logs(logs: pl.DataFrame) -> None:
    escaped = (
        pl.element().str.replace_all("\\", "\\\\", literal=True).str.replace_all('"', '\\"', literal=True)
    )
    quoted = pl.col("partners").list.eval(pl.lit('"') + escaped + pl.lit('"')).list.join(",")
    ready = logs.drop("day").with_columns(
        partners=pl.lit("{") + quoted.fill_null("") + pl.lit("}"),
        occurred_at=pl.col("occurred_at").dt.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00"),
        score=pl.col("score").round(6).clip(-9, 9),
    )
    with connection.cursor() as cursor:
        copy(cursor, "recon_log", ready)


def _write_matches(job: ReconJob, rows: Population, pairs: pl.DataFrame) -> None:
    """The automatic matches of this date are those of `pairs`, no more and no fewer; what stays the same stays."""
    ledger = rows.ledger.select(
        ledger_key="key", line_id="id", line_date="line_date", line_amount="amount", held="match"
    )
    external = rows.external.select(
        external_key="key", external_row_id="id", amount="amount", held_too="match"
    )
    found = pairs.join(ledger, on="ledger_key", how="left").join(external, on="external_key", how="left")
    same = (pl.col("held") == pl.col("held_too")).fill_null(False)
    kept = found.filter(same)["held"]
    former = pl.concat(
        [side.filter(~side["decided"])["match"].drop_nulls() for side in (rows.ledger, rows.external)]
    )
    _supersede(job.started_by, former.filter(~former.is_in(kept.implode())).unique().to_list())
    new = found.filter(~same)
    if new.is_empty():
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence('recon_match', 'id')) FROM generate_series(1, %s)",
            [new.height],
        )
        new = new.with_columns(id=pl.Series([row[0] for row in cursor.fetchall()], dtype=pl.Int64))
        matches = new.select(
            "id",
            "rule",
            pl.col("score").round(6).alias("score"),
            pl.col("reasons"),
            pl.col("difference").alias("difference"),
            source_id=pl.lit(job.source_id),
            job_id=pl.lit(job.pk),
            status=pl.lit("ACTIVE"),
            note=pl.lit(""),
            undo_reason=pl.lit(""),
        )
        copy(cursor, "recon_match", matches)
        both = pl.concat(
            [
                new.select(
                    match_id="id", side=pl.lit("external"), external_row_id="external_row_id", amount="amount"
                ),
                new.select(
                    match_id="id",
                    side=pl.lit("ledger"),
                    line_id="line_id",
                    line_date="line_date",
                    amount="line_amount",
                ),
            ],
            how="diagonal",
        ).with_columns(active=pl.lit(True))
        copy(cursor, "recon_match_row", both)


def _supersede(actor: User, matches: list[int]) -> None:
    ReconMatch.objects.filter(pk__in=matches).update(
        status=ReconMatch.Status.SUPERSEDED, undone_by=actor, undone_at=timezone.now()
    )


def _counts(logs: pl.DataFrame) -> dict[str, int]:
    by = dict(logs.group_by("outcome").len().iter_rows())
    return {
        "rows": logs.height,
        **{outcome.value: int(by.get(outcome.value, 0)) for outcome in Outcome},
        "waiting": int(logs["waiting"].sum() or 0),
    }
