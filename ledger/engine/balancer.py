"""What lines come to: hash totals, by which one layer is compared with another.

The same totals are computed here of the frame, and by the database of what was staged (`ledger_validate_shard`) and of
what is posted (`ledger_bring_in_run`). A line lost, doubled, moved to another entry or account, or changed by a cent
shows in at least one of them, and so do two accounts or amounts that change places, within an entry or between two.
"""

from dataclasses import dataclass
from decimal import Decimal

import polars as pl

ENTRY_MODULUS, WEIGHT_MODULUS, NUMBER_OFFSET = 1_000_003, 1_009, 1_000
ZERO = Decimal(0)
# The keys are taken in halves, and so are their sums: nothing overflows, whatever the accounts' ids.
HALF = 2**31


@dataclass(frozen=True)
class HashTotals:
    """lines: how many; debits: their sum; keys: which entry has which line on which account.

    weighted: which amount is in which line, and which debit in which entry. Entries balance, so that debits and
    credits both weighed by their entry would come to nothing.
    """

    lines: int
    debits: Decimal
    keys_total: int
    weighted_total: Decimal


NOTHING = HashTotals(0, ZERO, 0, ZERO)


def hash_totals(lines: pl.DataFrame) -> HashTotals:
    """The totals of lines with entry_id, line_number, account_id and amount (signed, debits positive)."""
    if lines.is_empty():
        return NOTHING
    entry, number = pl.col("entry_id"), pl.col("line_number").cast(pl.Int64)
    key = pl.col("account_id") * (NUMBER_OFFSET + number)
    residue = entry % ENTRY_MODULUS
    low = residue * (key % HALF)
    weight = number + pl.when(pl.col("amount") > 0).then(entry % WEIGHT_MODULUS).otherwise(0)
    found = lines.select(
        (residue * (key // HALF) + low // HALF).sum().alias("high"),
        (low % HALF).sum().alias("low"),
        pl.col("amount").filter(pl.col("amount") > 0).cast(pl.Decimal(38, 6)).sum().alias("debits"),
        (pl.col("amount").cast(pl.Decimal(38, 6)) * weight.cast(pl.Decimal(9, 0))).sum().alias("weighted"),
    ).row(0, named=True)
    return HashTotals(
        lines=lines.height,
        debits=Decimal(found["debits"]),
        keys_total=found["high"] * HALF + found["low"],
        weighted_total=Decimal(found["weighted"]),
    )
