"""Whether what was sealed still is what it was: every block recomputed, and the row named that is not.

What a seal cannot show by itself is a chain that was made anew from its beginning, or cut off at its end. For that,
heads are kept elsewhere (`heads`) and compared (`check_seals(expected=...)`).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import CharField, F, Func, Value

from batconnect.common.errors import BatConnectError

from ..models import LedgerSeal
from .proofs import Proof
from .sealed_rows import (
    DIGEST,
    GENESIS,
    LINES_PER_ENTRY,
    MARK,
    MARKS,
    ONLINE,
    Stretch,
    chained,
    hashed_rows,
    stretches_of_runs,
)

LISTED = 3  # rows that one broken block names
BROKEN_LISTED = 20  # broken blocks named per log
BEFORE_ALL = -(2**62)  # a key below every row's
_MARKS_HASH = Func(
    Func(F("marks"), function="sha256"), Value("hex"), function="encode", output_field=CharField()
)


class UnreadableHead(BatConnectError):
    code, status = "seal.unreadable_head", 400
    message = "{line!r} is no head of a chain; a head is what `verify_ledger --head` prints: LOG BLOCK CHAIN."


@dataclass(frozen=True)
class Head:
    """The end of one log's chain; kept elsewhere, it proves everything up to it."""

    log: str
    block: int
    chain: str

    def __str__(self) -> str:
        return f"{self.log} {self.block} {self.chain}"


def heads() -> list[Head]:
    """The last block of each log that has any."""
    last = LedgerSeal.objects.order_by("log", "-block").distinct("log")
    return [Head(seal.log, seal.block, seal.chain) for seal in last.only("log", "block", "chain")]


def read_heads(text: str) -> list[Head]:
    """Heads as `Head.__str__` writes them, one a line; lines with `#` are comments. Raises UnreadableHead."""
    found = []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        words = line.replace(":", " ").split()
        if len(words) != 3 or words[0] not in LedgerSeal.Log.values or not words[1].isdecimal():
            raise UnreadableHead(line=line)
        found.append(Head(words[0], int(words[1]), words[2].lower()))
    if not found:
        raise UnreadableHead(line="")
    return found


def check_seals(*, expected: Sequence[Head] = ()) -> Iterator[Proof]:
    """One outcome per log, or one per broken block; and one per head that was kept and is not there."""
    for log in LedgerSeal.Log:
        yield from _check_log(log)
    for head in expected:
        yield _compare(head)


def _check_log(log: LedgerSeal.Log) -> Iterator[Proof]:
    name = f"sealed {log.label.lower()} are as they were"
    seals = list(
        # All marks together are large; their hash is enough to begin with.
        LedgerSeal.objects.filter(log=log)
        .order_by("block")
        .annotate(marks_hash=_MARKS_HASH)
        .defer("marks", "sealed_at")
    )
    broken = [*_broken_links(seals), *_broken_blocks(log, seals)]
    if not broken:
        rows = sum(seal.rows for seal in seals)
        yield Proof(name, True, f"{len(seals):,} blocks of {rows:,} {log.label.lower()}")
    for detail in broken[:BROKEN_LISTED]:
        yield Proof(name, False, detail)
    if len(broken) > BROKEN_LISTED:
        yield Proof(name, False, f"and {len(broken) - BROKEN_LISTED} more blocks")


def _broken_links(seals: Sequence[Any]) -> Iterator[str]:
    """Blocks that are missing, and seals that do not follow from the one before."""
    previous, number = GENESIS, 0
    for seal in seals:
        number += 1
        if seal.block != number:
            yield f"block {number} of {seal.log} is missing; {seal.block} is the next that is there"
        elif chained(previous, seal, seal.marks_hash) != seal.chain:
            yield f"block {seal.block} of {seal.log}: its seal is not the one chained to block {seal.block - 1}"
        previous, number = seal.chain, seal.block


def _broken_blocks(log: LedgerSeal.Log, seals: Sequence[Any]) -> Iterator[str]:
    stretches = {stretch.batch_id: stretch for stretch in [ONLINE, *stretches_of_runs()]}
    for batch in sorted({seal.batch_id for seal in seals}):
        of_batch = sorted((seal for seal in seals if seal.batch_id == batch), key=lambda seal: seal.last_key)
        stretch = stretches.get(batch, Stretch(batch, batch))
        now = _recomputed(log, stretch, [seal.last_key for seal in of_batch])
        after = BEFORE_ALL
        for place, seal in enumerate(of_batch):
            if now.get(place) != (seal.rows, seal.digest, seal.marks_hash):
                yield _named(log, stretch, seal, after)
            after = seal.last_key


def _recomputed(
    log: LedgerSeal.Log, stretch: Stretch, last_keys: list[int]
) -> dict[int, tuple[int, str, str]]:
    """Rows, digest and hash of the marks, as they are now, of the stretches that end with these keys."""
    query = f"""
SELECT width_bucket(key - 1, %(last_keys)s::bigint[]) AS place, count(*), {DIGEST},
       encode(sha256({MARKS}), 'hex')
  FROM ({hashed_rows(log, stretch)}) hashed
 GROUP BY 1
"""  # noqa: S608 (constants of sealed_rows)
    parameters: dict[str, Any] = {
        "after": BEFORE_ALL,
        "through": last_keys[-1],
        "last_keys": last_keys,
    }
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return {place: (rows, digest, marks) for place, rows, digest, marks in cursor.fetchall()}


def _named(log: LedgerSeal.Log, stretch: Stretch, seal: LedgerSeal, after: int) -> str:
    """What is different in one block, by its rows."""
    sealed = Counter(_marks(bytes(seal.marks)))
    now = Counter(_rows_now(log, stretch, seal, after))
    gone, come = sealed - now, now - sealed
    gone_keys, come_keys = {key for key, _ in gone}, {key for key, _ in come}
    different = [(key, "was changed") for key in gone_keys & come_keys]
    different += [(key, "is gone") for key in gone_keys - come_keys]
    different += [(key, "was added") for key in come_keys - gone_keys]
    where = f"block {seal.block} of {log} (keys {seal.first_key} to {seal.last_key}, {seal.rows} rows)"
    if not different:
        return (
            f"{where}: its rows are those of its list, and the seal does not fit them; the seal was changed"
        )
    different.sort()
    names = _names(log, [key for key, _ in different[:LISTED]])
    listed = [f"{names.get(key) or _number(log, key)} {what}" for key, what in different[:LISTED]]
    more = len(different) - LISTED
    return f"{where}: {', '.join(listed)}" + (f", and {more} more rows" if more > 0 else "")


def _marks(marks: bytes) -> Iterator[tuple[int, bytes]]:
    for start in range(0, len(marks), MARK):
        yield int.from_bytes(marks[start : start + 8], "big", signed=True), marks[start + 8 : start + MARK]


def _rows_now(
    log: LedgerSeal.Log, stretch: Stretch, seal: LedgerSeal, after: int
) -> Iterator[tuple[int, bytes]]:
    query = f"SELECT key, substr(hash, 1, 8) FROM ({hashed_rows(log, stretch)}) hashed"  # noqa: S608 (constants)
    with connection.cursor() as cursor:
        cursor.execute(query, {"after": after, "through": seal.last_key})
        for key, mark in cursor.fetchall():
            yield key, bytes(mark)


_NAMES = {
    LedgerSeal.Log.POSTINGS: """
SELECT seq, format('posting %%s (%%s %%s of account %%s, %%s)', seq, category, reference_id, account_id, amount)
  FROM ledger_posting WHERE seq = ANY(%s)""",
    LedgerSeal.Log.ALLOCATIONS: """
SELECT id, format('allocation %%s of account %%s, %%s', id, account_id, amount)
  FROM ledger_allocation WHERE id = ANY(%s)""",
    LedgerSeal.Log.HEADERS: "SELECT id, 'entry ' || je_number FROM ledger_entry_header WHERE id = ANY(%s)",
    LedgerSeal.Log.LINES: f"""
SELECT l.id, format('line %%s of entry %%s (%%s %%s on %%s)', l.line_number, coalesce(h.je_number, l.entry_id::text),
                    l.side, trim_scale(l.amount), coalesce(a.code, l.account_id::text))
  FROM unnest(%s::bigint[]) AS k(id)
  JOIN ledger_entry_line l ON l.entry_id = k.id / {LINES_PER_ENTRY} AND l.line_number = k.id %% {LINES_PER_ENTRY}
  LEFT JOIN ledger_entry_header h ON h.id = l.entry_id AND h.je_date = l.je_date
  LEFT JOIN chart_of_accounts a ON a.id = l.account_id""",  # noqa: S608 (constants)
}


def _names(log: LedgerSeal.Log, keys: list[int]) -> dict[int, str]:
    """What people call these rows, as far as they are there."""
    with connection.cursor() as cursor:
        cursor.execute(_NAMES[log], [keys])
        return dict(cursor.fetchall())


def _number(log: LedgerSeal.Log, key: int) -> str:
    """What a row that is gone was, as far as its key tells."""
    if log is LedgerSeal.Log.LINES:
        return f"line {key % LINES_PER_ENTRY} of entry {key // LINES_PER_ENTRY}"
    singular: dict[Any, str] = {
        LedgerSeal.Log.POSTINGS: "posting",
        LedgerSeal.Log.ALLOCATIONS: "allocation",
        LedgerSeal.Log.HEADERS: "entry",
    }
    return f"{singular[log]} {key}"


def _compare(head: Head) -> Proof:
    name = f"the chain of {LedgerSeal.Log(head.log).label.lower()} leads to the head that was kept"
    seal = LedgerSeal.objects.filter(log=head.log, block=head.block).only("chain").first()
    if seal is None:
        return Proof(name, False, f"block {head.block} of {head.log} was sealed, and is not there any more")
    if seal.chain != head.chain:
        return Proof(
            name,
            False,
            f"block {head.block} of {head.log}: kept was {head.chain}, and now it is {seal.chain}",
        )
    return Proof(name, True, f"block {head.block}")
