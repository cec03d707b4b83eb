"""One shard staged: its rows read, expanded by the templates, and copied into the shard's own staging tables.

Whatever happens half-way, the shard is PENDING again and is staged anew, with the same entries under the same
numbers: they follow from the rows, their order and the templates alone.
"""

import polars as pl
from django.db import connection, transaction

from ledger.engine import ledger_poster, staging_writer
from ledger.engine.balancer import hash_totals
from ledger.engine.ledger_poster import ShardTotals
from ledger.engine.staging_writer import Staged
from ledger.engine.template_loader import LoadedTemplates, load_templates, policy_version
from ledger.models import JournalRun, JournalShard, Origin, RunReject

from .clock import Clock
from .errors import PolicyChanged
from .plan import txn_types
from .source_events import ShardRows, read_shard

LONGEST_MESSAGE = 500
REJECTED_AT_ONCE = 5_000


class Templates:
    """The templates that a worker read last; read again when others are in force."""

    def __init__(self) -> None:
        self._read: dict[str, LoadedTemplates] = {}

    def of(self, run: JournalRun) -> LoadedTemplates:
        """Those the run was planned with. Raises PolicyChanged if they are not in force any more."""
        with connection.cursor() as cursor:
            if policy_version(cursor) != run.policy_version:
                raise PolicyChanged
            read = self._read.get(run.pack)
            if read is None or read.version != run.policy_version:
                read = load_templates(cursor, run.pack)
                # What was changed while they were read may be in them by half.
                if policy_version(cursor) != run.policy_version:
                    raise PolicyChanged
                self._read[run.pack] = read
        return read


def stage_shard(run: JournalRun, shard: JournalShard, templates: Templates, clock: Clock) -> None:
    """Stage a shard that the caller holds, outside of any transaction.

    Raises PolicyChanged, SourceChanged, TooManyDecimals, NumberOverflow.
    """
    if run.reverses_run_id is not None:
        with clock("stage"), transaction.atomic(), connection.cursor() as cursor:
            ledger_poster.stage_reversal(cursor, shard.pk)
        return
    with transaction.atomic(), connection.cursor() as cursor:
        ledger_poster.open_shard(cursor, shard.pk)
    staged, rejects, skipped = _expanded(run, shard, templates.of(run), clock)
    with clock("expand"):
        totals = hash_totals(staged.lines)
    with transaction.atomic(), connection.cursor() as cursor:
        with clock("stage"), connection.wrap_database_errors:
            staging_writer.copy(cursor.cursor, ledger_poster.header_leaf(shard.pk), staged.headers)
            staging_writer.copy(cursor.cursor, ledger_poster.line_leaf(shard.pk), staged.lines)
        RunReject.objects.bulk_create(
            (RunReject(run=run, shard=shard, **row) for row in rejects.iter_rows(named=True)),
            batch_size=REJECTED_AT_ONCE,
        )
        ledger_poster.shard_staged(
            cursor,
            shard.pk,
            ShardTotals(
                entries=staged.headers.height,
                lines=totals.lines,
                rejects=rejects.height,
                skipped=skipped,
                source_gross=shard.source_gross,
                source_ids_sum=int(shard.source_ids_sum),
                debits=totals.debits,
                keys_total=totals.keys_total,
                weighted_total=totals.weighted_total,
            ),
            clock.taken(),
        )
        # Nobody starts the run over from here to the commit. If somebody did before, these entries are those of other
        # templates or days: the shard stays PENDING and is staged by what is in force now.
        now = JournalRun.objects.only("policy_version", "floor_date").get(pk=run.pk)
        if (now.policy_version, now.floor_date) != (run.policy_version, run.floor_date):
            transaction.set_rollback(True)


def _expanded(
    run: JournalRun, shard: JournalShard, templates: LoadedTemplates, clock: Clock
) -> tuple[Staged, pl.DataFrame, int]:
    """What the templates make of a shard's rows; its rejects, as columns of RunReject; and how many were skipped."""
    types = tuple(sorted(txn_types(run.pack, templates)))
    connection.ensure_connection()
    with clock("load"), connection.wrap_database_errors:
        rows = read_shard(connection.connection, run, shard, types)
    with clock("expand"):
        expansion = templates.compiled.expand(rows.events)
        staged = staging_writer.stage(
            expansion, rows.origins, entry_base=shard.entry_base, template_keys=templates.keys
        )
    rejects = expansion.rejects.sort("row")
    skipped = expansion.skipped
    if run.origin == Origin.TRIP and rejects.height:
        # A trip that cost nothing has nothing to enter.
        amounts = rows.events["amount"].gather(rejects["row"] - 1)
        skipped += int((amounts == 0).sum())
        rejects = rejects.filter(amounts != 0)
    return staged, _named(rejects, rows), skipped


def _named(rejects: pl.DataFrame, rows: ShardRows) -> pl.DataFrame:
    places = rejects["row"] - 1
    return rejects.select(
        "code",
        pl.col("message").str.slice(0, LONGEST_MESSAGE),
        source_id=rows.origins["source_id"].gather(places),
        row_number=rows.numbers.gather(places),
    )
