"""A ledger with bulk runs of all kinds beside what was entered online, for tests of whoever reads lines."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from ledger.models import JournalRun, JournalShard

from .bulk_runs import Entry, entries, plan, post, posted_run, source_rows, taken_back
from .factories import broken_proofs
from .journal_story import enter_plain

DAYS = [date(2019, 3, 12), date(2019, 3, 5), date(2019, 4, 2)]
SLICE = 32_768


def broken() -> list[str]:
    """The proofs that fail; but for that of loading, for these source rows come from no file."""
    return [found for found in broken_proofs() if not found.startswith("trips are loaded once")]


def spread(shard: JournalShard, ids: Iterable[int]) -> list[Entry]:
    """Sound entries over several days, funds and slices of their shard: no two of a row alike."""
    made = []
    for position, source in enumerate(ids):
        (entry,) = entries(shard, [source], day=DAYS[position % 3])
        number = shard.entry_base + 1 + position // 2 * (SLICE - 1) + position % 2
        entry.header["entry_id"] = number
        gross = Decimal(100 + position)
        entry.header["total"] = gross
        for line, amount in zip(entry.lines, (gross, -gross + 1, Decimal(-1)), strict=True):
            line.update(entry_id=number, amount=amount, fund="TBR" if position % 4 == 3 else "OP")
        made.append(entry)
    return made


def spread_run(rows: int = 6, shards: int = 2, *, large: bool = True) -> JournalRun:
    """A posted run of `spread` entries, `rows` for each shard."""
    ids = [source_rows(rows) for _ in range(shards)]
    run, its = plan(*ids, large=large)
    return post(run, its, [spread(shard, of_shard) for shard, of_shard in zip(its, ids, strict=True)])


def mixed_ledger() -> tuple[JournalRun, JournalRun, JournalRun]:
    """Online entries before and after a large, a small and a reversed large run; returns the first two and the last."""
    enter_plain("5200", "1010", "7.00", on=date(2019, 3, 1))
    enter_plain("5200", "1010", "8.00", on=date(2019, 3, 12))
    large = spread_run()
    small = spread_run(4, 1, large=False)
    gone = posted_run(2)
    taken_back(gone)
    enter_plain("1010", "3000", "9.00", on=date(2019, 3, 12))
    enter_plain("1010", "3000", "10.00", on=date(2019, 4, 2))
    return large, small, gone
