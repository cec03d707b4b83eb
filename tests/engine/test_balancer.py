"""Hash totals: the same as adding up line by line with whole numbers and Decimals, however large these are."""

from decimal import Decimal

import polars as pl
import pytest

from ledger.engine.balancer import HashTotals, hash_totals

Line = tuple[int, int, int, Decimal]
LARGEST_ACCOUNT = 2**31 - 1
LARGEST = Decimal("99999999999999.999999")
ENTRY = 1_000_000_262_145
LINES: list[Line] = [
    (ENTRY, 1, 17, Decimal("10.00")),
    (ENTRY, 2, 18, Decimal("-10.00")),
    (ENTRY + 1, 1, 18, Decimal("7.25")),
    (ENTRY + 1, 2, 17, Decimal("-7.25")),
]


def totals(lines: list[Line]) -> HashTotals:
    return hash_totals(
        pl.DataFrame(
            lines,
            schema={
                "entry_id": pl.Int64,
                "line_number": pl.Int32,
                "account_id": pl.Int64,
                "amount": pl.Decimal(20, 6),
            },
            orient="row",
        )
    )


def added_up(lines: list[Line]) -> HashTotals:
    return HashTotals(
        lines=len(lines),
        debits=sum((amount for *_, amount in lines if amount > 0), Decimal(0)),
        keys_total=sum(entry % 1_000_003 * account * (1_000 + number) for entry, number, account, _ in lines),
        weighted_total=sum(
            (amount * (number + (entry % 1_009 if amount > 0 else 0)) for entry, number, _, amount in lines),
            Decimal(0),
        ),
    )


@pytest.mark.parametrize(
    "lines",
    [
        [],
        LINES,
        [
            (ENTRY + n, number, LARGEST_ACCOUNT, amount)
            for n in range(3_000)
            for number, amount in ((1, LARGEST), (32_767, -LARGEST))
        ],
    ],
    ids=["none", "a few", "the largest there may be"],
)
def test_they_are_what_adding_up_line_by_line_gives(lines: list[Line]) -> None:
    assert totals(lines) == added_up(lines)


def moved_by_a_cent(lines: list[Line]) -> list[Line]:
    return [(*lines[0][:3], Decimal("10.01")), (*lines[1][:3], Decimal("-10.01")), *lines[2:]]


def between_entries(lines: list[Line]) -> list[Line]:
    return [(ENTRY + 1, *lines[0][1:]), *lines[1:]]


def onto_another_account(lines: list[Line]) -> list[Line]:
    return [(*lines[0][:2], 19, lines[0][3]), *lines[1:]]


def accounts_swapped(lines: list[Line]) -> list[Line]:
    (entry, one, first, amount), (_, other, second, contra) = lines[:2]
    return [(entry, one, second, amount), (entry, other, first, contra), *lines[2:]]


def amounts_swapped_between_entries(lines: list[Line]) -> list[Line]:
    return [(*line[:3], amount) for line, (*_, amount) in zip(lines, lines[2:] + lines[:2], strict=True)]


def sides_swapped(lines: list[Line]) -> list[Line]:
    return [(*line[:3], -line[3]) for line in lines]


@pytest.mark.parametrize(
    "changed",
    [
        lambda lines: lines[:-1],
        lambda lines: [*lines, lines[-1]],
        moved_by_a_cent,
        between_entries,
        onto_another_account,
        accounts_swapped,
        amounts_swapped_between_entries,
        sides_swapped,
    ],
    ids=[
        "one lost",
        "one twice",
        "a cent more",
        "to another entry",
        "to another account",
        "accounts swapped",
        "amounts of two entries swapped",
        "debits and credits swapped",
    ],
)
def test_whatever_changes_shows(changed) -> None:
    assert totals(changed(LINES)) != totals(LINES)
