"""What a seal is taken of: the facts of each row, as one text, and the hashes of rows and blocks.

Everything a row says is in its text, but what may rightly change: that a posting became VOIDED follows from its
reversal, which is sealed itself. The text does not depend on partitions, on the session's settings or on the order
in which rows were stored, so a block has the same hash wherever its rows lie. A column that came later (`added`) is in
the text where it says something, and there alone: so what was sealed before it has the hash it had.

Headers and lines are sealed by stretches of their numbers that can no longer be added to: what came online, in the
order of its sequence (`batch_id` 0 of a seal), and each bulk run by itself, for its numbers are its own and all of it
came at once (`batch_id` is the run's id, whether it has partitions of its own or went among the online).
"""

import hashlib
from dataclasses import dataclass

from django.db import connection

from ..models import LedgerSeal

MARK = 16  # bytes kept of each row: 8 of its key, 8 of its hash
GENESIS = "0" * 64  # what the first block of a log is chained to
LINES_PER_ENTRY = 100_000  # as the key of a line is made of its entry's


@dataclass(frozen=True)
class SealedLog:
    """One log: its table, the columns that order it (`key` is the number they make) and the facts of a row."""

    table: str
    key: str
    order: str
    facts: str
    sequence: str
    bounds: str = "{key} > %(after)s AND {key} <= %(through)s"
    batched: bool = False
    added: str = ""
    entry: str = ""

    @property
    def text(self) -> str:
        """SQL: the facts of a row as one text."""
        facts = f"json_build_array({self.facts})::text"
        if not self.added:
            return facts
        return f"CASE {self.added} WHEN 0 THEN {facts} ELSE json_build_array({self.facts}, {self.added})::text END"

    def where(self, stretch: "Stretch") -> str:
        """SQL: which rows; constants of the stretch, and the parameters `after` and `through`."""
        bounds = self.bounds.format(key=self.key)
        if not self.batched:
            return bounds
        partition = f"{bounds} AND batch_id = {stretch.partition:d}"
        if not stretch.blocks:
            return partition
        inside = " OR ".join(f"{self.entry} BETWEEN {first:d} AND {last:d}" for first, last in stretch.blocks)
        return f"{partition} AND ({inside})"


@dataclass(frozen=True)
class Stretch:
    """What is sealed by itself: 0 for what came online, or a bulk run.

    `partition` is the batch its rows lie in; `blocks` are the first and last numbers of its entries where they lie
    among others.
    """

    batch_id: int
    partition: int
    blocks: tuple[tuple[int, int], ...] = ()


ONLINE = Stretch(0, 0)
# A run's entries come with it, all at once, so it is sealed to its end.
_RUNS = """
SELECT r.id, r.large, array_agg(s.entry_base + 1 ORDER BY s.id), array_agg(s.entry_base + 262144 ORDER BY s.id)
  FROM journal_run r JOIN journal_run_shard s ON s.run_id = r.id AND s.entries > 0
 WHERE r.state = 'POSTED'
 GROUP BY r.id ORDER BY r.id
"""


def stretches_of_runs() -> list[Stretch]:
    """Of every bulk run that posted something, in the order of their ids."""
    with connection.cursor() as cursor:
        cursor.execute(_RUNS)
        return [
            Stretch(run, run) if large else Stretch(run, 0, tuple(zip(first, last, strict=True)))
            for run, large, first, last in cursor.fetchall()
        ]


_UTC = "created_at AT TIME ZONE 'UTC'"

LOGS = {
    LedgerSeal.Log.POSTINGS: SealedLog(
        table="ledger_posting",
        key="seq",
        order="seq",
        facts="seq, id, account_id, driver_id, lease_id, vehicle_id, medallion_id, category, amount, reference_id,"
        " product, components, description, reversal_for_id, replaces_id, effective_on, event_on, due_on, run_week,"
        f" reason, {_UTC}, created_by_id",
        sequence="ledger_posting_seq",
    ),
    LedgerSeal.Log.ALLOCATIONS: SealedLog(
        table="ledger_allocation",
        key="id",
        order="id",
        facts=f"id, account_id, credit_id, debit_id, amount, effective_on, undoes_id, {_UTC}, created_by_id",
        sequence="ledger_allocation_id_seq",
    ),
    LedgerSeal.Log.HEADERS: SealedLog(
        table="ledger_entry_header",
        key="id",
        order="id",
        facts="id, je_date, batch_id, je_number, origin, template_id, posting_id, source_id, reverses_id,"
        " reverses_date, event_on, line_count, total, reference, description, metadata,"
        f" {_UTC}, created_by_id",
        sequence="ledger_entry_id_seq",
        batched=True,
        entry="id",
    ),
    LedgerSeal.Log.LINES: SealedLog(
        table="ledger_entry_line",
        key="id",
        order="entry_id, line_number",
        facts="entry_id, line_number, je_date, batch_id, account_id, currency, side, fund, amount",
        sequence="ledger_entry_id_seq",
        # The entry's number is what the index knows.
        bounds=f"{{key}} > %(after)s AND {{key}} <= %(through)s AND entry_id >= %(after)s / {LINES_PER_ENTRY}"
        f" AND entry_id <= %(through)s / {LINES_PER_ENTRY}",
        batched=True,
        added="template_line",
        entry="entry_id",
    ),
}


def hashed_rows(log: str, stretch: Stretch = ONLINE, *, limited: bool = False) -> str:
    """SQL: `key` and `hash` of a stretch's rows between %(after)s and %(through)s; the first %(limit)s if `limited`."""
    spec = LOGS[LedgerSeal.Log(log)]
    cut = f"ORDER BY {spec.order} LIMIT %(limit)s" if limited else ""
    return f"""
SELECT {spec.key} AS key, sha256(convert_to({spec.text}, 'UTF8')) AS hash
  FROM (SELECT * FROM {spec.table} WHERE {spec.where(stretch)} {cut}) kept
"""  # noqa: S608 (constants of this module)


# Of hashed rows that are one block.
DIGEST = "encode(sha256(string_agg(int8send(key) || hash, ''::bytea ORDER BY key, hash)), 'hex')"
MARKS = "string_agg(int8send(key) || substr(hash, 1, 8), ''::bytea ORDER BY key, hash)"


def chained(previous: str, seal: LedgerSeal, marks_hash: str) -> str:
    """The chain's value at a block: it holds the block's digest, its bounds, its marks, and all blocks before."""
    facts = (
        previous, seal.log, seal.block, seal.batch_id, seal.first_key, seal.last_key, seal.rows, seal.digest,
        marks_hash,
    )  # fmt: skip
    return hashlib.sha256(" ".join(map(str, facts)).encode()).hexdigest()
