"""Bulk runs to try the database with: source rows, and entries staged for them by hand, row by row.

A row of the story is 100.00 earned on the 12th of March 2019: `5200` owes it, `1010` and `4100` get it in two parts.
"""

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection, transaction

from batconnect.common.audit import system_user
from ledger.engine import ledger_poster as poster
from ledger.models import (
    Account,
    DriverAccount,
    ImportBatch,
    JournalRun,
    JournalShard,
    JournalTemplate,
    TemplatePolicy,
    TripTotal,
)

MARCH = date(2019, 3, 1)
DAY = date(2019, 3, 12)
GROSS = Decimal("100.00")

Line = dict[str, Any]


@dataclass
class Entry:
    """One entry to stage: a header and its lines, amounts signed."""

    header: dict[str, Any]
    lines: list[Line] = field(default_factory=list)


Change = Callable[[list[Entry]], Any]


# --- source rows --------------------------------------------------------------------------------------------


def source_rows(count: int = 3, *, month: date = MARCH, batch: ImportBatch | None = None) -> list[int]:
    """Ids of new rows of a month that are no trips, one after another."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ensure_txn_source_month(%s)", [month])
        cursor.execute(
            "INSERT INTO txn_source_parent (txn_month, batch_id, row_number, source, source_rowid, txn_type,"
            " product_code, channel, bank_value_date, currency, gross_amount)"
            " SELECT %s, %s, n, 'test', n::text, 'FEE', 'P', 'C', %s, 'USD', 100 FROM generate_series(1, %s) n"
            " RETURNING id",
            [month, batch.pk if batch else 0, month.replace(day=12), count],
        )
        return [row[0] for row in cursor.fetchall()]


def import_batch() -> ImportBatch:
    return ImportBatch.objects.create(
        source="test", file_name="rows", sha256="", rows=0, accepted=0, rejected=0, duplicates=0,
        card_earnings=0, taxes=0, created_by=system_user(),
    )  # fmt: skip


def trips(account: DriverAccount, earnings: Sequence[str], *, week: date = date(2019, 3, 10)) -> list[int]:
    """Ids of trips in March that were loaded and not journalised, with their total."""
    batch = import_batch()
    lease = account.lease
    ids = []
    with connection.cursor() as cursor:
        for number, gross in enumerate(earnings, 1):
            cursor.execute(
                "INSERT INTO txn_source_parent (txn_month, batch_id, row_number, source, source_rowid, txn_type,"
                " product_code, channel, bank_value_date, currency, gross_amount, account_id, driver_id, lease_id,"
                " medallion_id, vehicle_id, week, started_at, ended_at, fare, extras, tips, tolls, mta_tax,"
                " improvement_surcharge, congestion_fee, airport_fee, cbd_toll)"
                " VALUES (%s, %s, %s, 'test', %s, 'TRIP', 'C', 'CURB', %s, 'USD', %s, %s, %s, %s, %s, %s, %s,"
                " '2019-03-12 10:00Z', '2019-03-12 10:20Z', %s, 0, 0, 0, 0, 0, 0, 0, 0) RETURNING id",
                [
                    MARCH, batch.pk, number, f"{batch.pk}/{number}", DAY, gross, account.pk, account.driver_id,
                    lease.pk, lease.medallion_id, lease.vehicle_id, week, gross,
                ],
            )  # fmt: skip
            ids.append(cursor.fetchone()[0])
    total = sum(map(Decimal, earnings), Decimal(0))
    TripTotal.objects.create(
        account=account, week=week, batch=batch, earnings=total, card_trips=len(ids), cash_trips=0, other_trips=0,
        mta_tax=0, mta_trips=0, improvement_surcharge=0, improvement_trips=0, congestion_fee=0, congestion_trips=0,
        airport_fee=0, airport_trips=0, cbd_toll=0, cbd_trips=0,
    )  # fmt: skip
    return ids


# --- runs ---------------------------------------------------------------------------------------------------


def plan(
    *shards: Sequence[int], months: Sequence[date] = (), origin: str = "BATCH", **more: Any
) -> tuple[JournalRun, list[JournalShard]]:
    """A run over these source rows, a shard for each sequence of ids."""
    fields = {"pack": "test", "month": MARCH, "large": True, "floor_date": None, **more}
    run = JournalRun.objects.create(
        origin=origin, started_by=system_user(), policy_version=TemplatePolicy.objects.get().version, **fields
    )
    for number, ids in enumerate(shards):
        JournalShard.objects.create(
            run=run, number=number, txn_month=months[number] if months else MARCH, first_source_id=min(ids),
            last_source_id=max(ids), source_rows=len(ids),
        )  # fmt: skip
    return run, list(JournalShard.objects.filter(run=run).order_by("number"))


def template_id(code: str = "TRIP") -> int:
    return JournalTemplate.objects.filter(status="ACTIVE", code__startswith=code).values_list(
        "pk", flat=True
    )[0]


def account_id(code: str) -> int:
    return Account.objects.values_list("pk", flat=True).get(code=code)


def entries(
    shard: JournalShard, ids: Iterable[int], *, day: date = DAY, credits: Sequence[str] = ("1010", "4100")
) -> list[Entry]:
    """A sound entry for each source row."""
    debit, template = account_id("5200"), template_id()
    credit = [account_id(code) for code in credits]
    made = []
    for position, source in enumerate(ids, 1):
        number = shard.entry_base + position
        amounts = [GROSS, *(-GROSS / len(credit) for _ in credit)]
        lines = [
            {
                "entry_id": number, "line_number": at, "template_line": at, "je_date": day, "account_id": account,
                "currency": "USD", "fund": "OP", "amount": amount,
            }
            for at, (account, amount) in enumerate(zip([debit, *credit], amounts, strict=True), 1)
        ]  # fmt: skip
        header = {
            "entry_id": number, "source_id": source, "je_date": day, "event_on": day, "template_id": template,
            "line_count": len(lines), "total": GROSS, "reference": "", "description": "",
            "reverses_id": None, "reverses_date": None,
        }  # fmt: skip
        made.append(Entry(header, lines))
    return made


def trip_entries(
    shard: JournalShard, ids: Iterable[int], earnings: Sequence[str], *, day: date = DAY
) -> list[Entry]:
    """A trip's entry for each: the processor owes it, the clearing account has it."""
    made = entries(shard, ids, day=day, credits=["1010"])
    for entry, gross in zip(made, earnings, strict=True):
        entry.lines[0].update(account_id=account_id("1100"), amount=Decimal(gross))
        entry.lines[1].update(account_id=account_id("2300"), amount=-Decimal(gross))
        entry.header["total"] = Decimal(gross)
    return made


def totals(made: Sequence[Entry], source_rows: int, **said: Any) -> poster.ShardTotals:
    """What a worker says of these entries, by the rules all layers follow; `said` tells something else."""
    lines = [line for entry in made for line in entry.lines]
    values: dict[str, Any] = {
        "entries": len(made),
        "lines": len(lines),
        "rejects": source_rows - len(made),
        "skipped": 0,
        "source_gross": GROSS * source_rows,
        "source_ids_sum": 0,
        "debits": sum((line["amount"] for line in lines if line["amount"] > 0), Decimal(0)),
        "keys_total": sum(
            line["entry_id"] % 1_000_003 * line["account_id"] * (1000 + line["line_number"]) for line in lines
        ),
        "weighted_total": sum(
            (
                line["amount"]
                * (line["line_number"] + (line["entry_id"] % 1009 if line["amount"] > 0 else 0))
                for line in lines
            ),
            Decimal(0),
        ),
    }
    return poster.ShardTotals(**{**values, **said})


def copy(shard: JournalShard, made: Iterable[Entry]) -> None:
    """Copy entries into the shard's leaves."""
    made = list(made)
    with connection.cursor() as cursor:
        _copy(cursor, poster.header_leaf(shard.pk), poster.HEADER_COLUMNS, [entry.header for entry in made])
        lines = [line for entry in made for line in entry.lines]
        _copy(cursor, poster.line_leaf(shard.pk), poster.LINE_COLUMNS, lines)


def _copy(cursor: Any, table: str, columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> None:
    text = io.StringIO()
    for row in rows:
        text.write("\t".join(r"\N" if row[name] is None else str(row[name]) for name in columns) + "\n")
    with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
        copy.write(text.getvalue())


def stage(shard: JournalShard, made: Sequence[Entry], **said: Any) -> None:
    """Open a shard, copy these entries, say so."""
    step(poster.open_shard, shard.pk)
    copy(shard, made)
    step(poster.shard_staged, shard.pk, totals(made, shard.source_rows, **said), {"stage": 0.1})


def validate(shard: JournalShard) -> list[poster.Problem]:
    found: list[poster.Problem] = step(poster.validate_shard, shard.pk)
    return found


def step(call: Callable[..., Any], *arguments: Any) -> Any:
    with connection.cursor() as cursor:
        return call(cursor, *arguments)


def validated(run: JournalRun, shards: Sequence[JournalShard], made: Sequence[Sequence[Entry]]) -> str:
    """Bring a run with these entries to VALIDATED; returns the state it got."""
    for shard, its in zip(shards, made, strict=True):
        stage(shard, its)
    step(poster.run_staged, run.pk)
    for shard in shards:
        assert validate(shard) == []
    return str(step(poster.run_validated, run.pk))


def fill(run: JournalRun) -> None:
    """Post a large run's shards and index them: all but the last step."""
    step(poster.open_run_leaves, run.pk)
    for shard in JournalShard.objects.filter(run=run).order_by("number"):
        assert step(poster.post_shard, shard.pk) == "POSTED"
    for part in poster.INDEX_PARTS:
        step(poster.index_run, run.pk, part)


def attach(run: JournalRun) -> JournalRun:
    with transaction.atomic():
        step(poster.attach_run, run.pk, system_user().pk)
    run.refresh_from_db()
    return run


def post(run: JournalRun, shards: Sequence[JournalShard], made: Sequence[Sequence[Entry]]) -> JournalRun:
    """A run with these entries, brought into the ledger, in partitions or not."""
    assert validated(run, shards, made) == "VALIDATED"
    run.refresh_from_db()
    if run.large:
        fill(run)
    return attach(run)


def posted_run(count: int = 3, **more: Any) -> JournalRun:
    """A posted run over new source rows, with the entries of the story."""
    ids = source_rows(count)
    run, (shard,) = plan(ids, **more)
    return post(run, [shard], [entries(shard, ids)])


def reverse(run: JournalRun, **more: Any) -> tuple[JournalRun, list[JournalShard]]:
    """A run that takes this one back, planned and staged."""
    back = JournalRun.objects.create(
        pack=run.pack, origin=run.origin, month=run.month, import_batch=run.import_batch, reverses_run=run,
        large=run.large, started_by=system_user(), policy_version=run.policy_version, **more,
    )  # fmt: skip
    for shard in run.shards.order_by("number"):
        JournalShard.objects.create(
            run=back, number=shard.number, txn_month=shard.txn_month, first_source_id=shard.first_source_id,
            last_source_id=shard.last_source_id, source_rows=shard.source_rows,
        )  # fmt: skip
    shards = list(back.shards.order_by("number"))
    for shard in shards:
        step(poster.stage_reversal, shard.pk)
    return back, shards


def taken_back(run: JournalRun) -> JournalRun:
    """A posted reversal of a posted run."""
    back, shards = reverse(run)
    step(poster.run_staged, back.pk)
    for shard in shards:
        assert validate(shard) == []
    step(poster.run_validated, back.pk)
    back.refresh_from_db()
    if back.large:
        fill(back)
    return attach(back)
