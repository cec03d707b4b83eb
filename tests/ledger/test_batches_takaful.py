"""Takaful rows in bulk: the same entries as a slow reference that walks row by row, and each fund by itself."""

from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import polars as pl
import pytest

from benchmarks.takaful_rows import takaful_rows
from ledger.models import JournalRun
from ledger.selectors.batches import run_effect

from . import batch_stories as story
from .batch_stories import Line

pytestmark = pytest.mark.django_db

CENT = Decimal("0.01")
# takaful.md: line number of the template, side, account, fund, amount.
PREMIUM = (
    (1, "DR", "1010", "OP", "gross_amount"), (2, "CR", "2610", "OP", "tabarru_amount"),
    (3, "CR", "2620", "OP", "tanahud_amount"), (4, "CR", "2630", "OP", "invest_amount"),
    (5, "CR", "4510", "OP", "ujroh_amount"), (6, "CR", "4520", "OP", "admin_amount"),
    (7, "DR", "1610", "TBR", "tabarru_amount"), (8, "CR", "4610", "TBR", "tabarru_amount"),
    (9, "DR", "1620", "TNH", "tanahud_amount"), (10, "CR", "4620", "TNH", "tanahud_amount"),
    (11, "DR", "1630", "INV", "invest_amount"), (12, "CR", "4630", "INV", "invest_amount"),
)  # fmt: skip
CLAIM = (
    (1, "DR", "5610", "TBR", "tabarru_amount"), (2, "CR", "2710", "TBR", "tabarru_amount"),
    (3, "DR", "5630", "INV", "invest_amount"), (4, "CR", "2730", "INV", "invest_amount"),
    (5, "DR", "1710", "OP", "tabarru_amount"), (6, "DR", "1730", "OP", "invest_amount"),
    (7, "CR", "1010", "OP", "gross_amount"), (8, "CR", "4520", "OP", "admin_amount"),
)  # fmt: skip
OTHER = {"DR": "CR", "CR": "DR"}


def reference(row: Mapping[str, Any]) -> list[Line]:
    """The lines of one row, one after the other: rounded to the cent, zeros dropped, INV01 adjusted on 4520."""
    template = PREMIUM if row["txn_type"] == "PREMIUM_RECEIPT" else CLAIM
    lines: list[Line] = []
    off = Decimal(0)  # of fund OP

    def add(number: int, side: str, account: str, fund: str, amount: Decimal) -> None:
        if amount < 0:
            side, amount = OTHER[side], -amount
        if amount:
            lines.append((row["source_rowid"], len(lines) + 1, number, account, fund, side, amount))

    for number, side, account, fund, column in template:
        amount = row[column].quantize(CENT, ROUND_HALF_UP)
        add(number, side, account, fund, amount)
        if fund == "OP":
            off += amount if side == "DR" else -amount
    if row["product_code"] == "INV01" and abs(off) <= Decimal("0.03"):
        add(len(template) + 1, "DR", "4520", "OP", -off)
    return lines


def references(rows: pl.DataFrame) -> Iterator[Line]:
    for row in rows.iter_rows(named=True):
        yield from reference(row)


@pytest.mark.parametrize("large", [False, True], ids=["among the online", "in a partition of its own"])
def test_ten_thousand_rows_give_the_entries_of_a_reference_that_walks_row_by_row(large: bool) -> None:
    rows = takaful_rows(10_000)
    story.loaded(rows)
    run = story.run(shard_rows=3_000, large=large)
    assert (run.state, run.error, run.entries, run.rejects) == ("POSTED", "", 10_000, 0)
    assert run.shards.count() == 4
    expected = list(references(rows))
    assert story.bulk_lines() == expected
    assert run.lines == len(expected)
    assert any(line[2] == 13 for line in expected), "an automatic adjustment is among them"
    assert story.fund_balances() == dict.fromkeys(("OP", "TBR", "TNH", "INV"), Decimal(0))
    batches = {header[3] for header in story.bulk_headers()}
    assert batches == ({run.pk} if large else {0})
    assert _effect(run) == _sums(expected)


def _effect(run: JournalRun) -> dict[tuple[str, str], tuple[Decimal, Decimal]]:
    return {(row["account"], row["fund"]): (row["debits"], row["credits"]) for row in run_effect(run)}


def _sums(lines: list[Line]) -> dict[tuple[str, str], tuple[Decimal, Decimal]]:
    sums: dict[tuple[str, str], list[Decimal]] = {}
    for _, _, _, account, fund, side, amount in lines:
        sums.setdefault((account, fund), [Decimal(0), Decimal(0)])[side == "CR"] += amount
    return {key: (debits, credit) for key, (debits, credit) in sums.items()}
