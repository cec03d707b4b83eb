"""Rows of the takaful pack's source file for tests: sound ones, and a file with every kind of wrong value in it."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import polars as pl

from batconnect.common.audit import system_user
from benchmarks.takaful_rows import MONTH, takaful_rows
from ledger.engine.source_files import FORMATS
from ledger.services.source_files import SourceLoad, load_source_file

COLUMNS = FORMATS["takaful"].columns
__all__ = [
    "BAD_VALUES",
    "COLUMNS",
    "MONTH",
    "Bad",
    "claim",
    "load",
    "premium",
    "takaful_rows",
    "with_bad_rows",
    "written",
]


class Bad(NamedTuple):
    """What is wrong with a row: the columns that differ, and the fault that has to be found."""

    kind: str
    values: Mapping[str, str]
    column: str
    code: str


SOUND_CLAIM = {
    "txn_type": "CLAIM_PAID",
    "gross_amount": "780.00",
    "tabarru_amount": "800.00",
    "tanahud_amount": "0",
    "invest_amount": "0",
    "ujroh_amount": "0",
    "admin_amount": "20.00",
}


def _one(kind: str, column: str, value: str, code: str) -> Bad:
    return Bad(kind, {column: value}, column, code)


BAD_VALUES = [
    _one("no row id", "source_rowid", "", "value.empty"),
    _one("row id of blanks", "source_rowid", "   ", "value.empty"),
    _one("row id too long", "source_rowid", "T" * 65, "value.too_long"),
    _one("row id again", "source_rowid", "T000000001", "row.repeated"),
    _one("no type", "txn_type", "", "value.empty"),
    _one("unknown type", "txn_type", "REFUND", "txn_type.unknown"),
    _one("a type in small letters", "txn_type", "claim_paid", "txn_type.unknown"),
    _one("no product", "product_code", "", "value.empty"),
    _one("product too long", "product_code", "P" * 21, "value.too_long"),
    _one("channel too long", "channel", "\N{SNOWMAN}" * 21, "value.too_long"),
    _one("a tab in a channel", "channel", "AGE\tNCY", "value.control_character"),
    _one("no policy", "policy_no", "", "value.empty"),
    _one("policy too long", "policy_no", "9" * 41, "value.too_long"),
    _one("no currency", "currency", "", "value.empty"),
    _one("unknown currency", "currency", "ZZZ", "currency.unknown"),
    _one("currency in words", "currency", "dollars", "currency.unknown"),
    _one("no date", "bank_value_date", "", "value.empty"),
    _one("another way of dates", "bank_value_date", "03/15/2019", "date.unreadable"),
    _one("a date with a time", "bank_value_date", "2019-03-15T00:00:00", "date.unreadable"),
    _one("29 February of no leap year", "bank_value_date", "2019-02-29", "date.impossible"),
    _one("a 32nd", "bank_value_date", "2019-03-32", "date.impossible"),
    _one("a date before the month", "bank_value_date", "2019-02-28", "date.outside_month"),
    _one("a date after the month", "bank_value_date", "2019-04-01", "date.outside_month"),
    _one("a date to come", "bank_value_date", "2199-03-15", "date.future"),
    _one("a date long past", "bank_value_date", "1919-03-15", "date.too_early"),
    _one("no month", "txn_month", "", "value.empty"),
    _one("a month in words", "txn_month", "March 2019", "date.not_a_month"),
    _one("a day as month", "txn_month", "2019-03-15", "date.not_a_month"),
    _one("a 13th month", "txn_month", "2019-13-01", "date.not_a_month"),
    *(
        _one(f"{kind} in {column}", column, value, code)
        for column in ("gross_amount", "tabarru_amount", "admin_amount")
        for kind, value, code in (
            ("nothing", "", "value.empty"),
            ("a word", "ten", "amount.not_a_number"),
            ("NaN", "NaN", "amount.not_a_number"),
            ("infinity", "-inf", "amount.not_a_number"),
            ("null", "NULL", "amount.not_a_number"),
            ("a dollar sign", "$5.00", "amount.not_a_number"),
            ("a plus", "+5.00", "amount.not_a_number"),
            ("an open end", "5.", "amount.not_a_number"),
            ("digits of another script", "\N{ARABIC-INDIC DIGIT FIVE}", "amount.not_a_number"),
            ("an exponent", "1e9", "amount.exponent"),
            ("a small exponent", "1.5E-3", "amount.exponent"),
            ("a thousands separator", "1 234", "amount.thousands_separator"),
            ("seven decimals", "1.2345678", "amount.too_many_decimals"),
            ("too many digits", "123456789012345.00", "amount.too_large"),
            ("a negative", "-5.00", "amount.negative"),
        )
    ),
    _one("a thousands comma", "tabarru_amount", "1,234", "amount.thousands_separator"),
    _one("too many decimals for dollars", "gross_amount", "100.005", "amount.too_many_decimals"),
    _one("too many decimals for yen", "currency", "JPY", "amount.too_many_decimals")._replace(
        values={"currency": "JPY", "gross_amount": "100.5"}, column="gross_amount"
    ),
    _one("a gross that does not add up", "gross_amount", "1.00", "row.does_not_add_up"),
    _one("a part that does not add up", "ujroh_amount", "0.000001", "row.does_not_add_up")._replace(
        column="gross_amount"
    ),
    Bad("a fee in a claim", {**SOUND_CLAIM, "ujroh_amount": "1"}, "ujroh_amount", "amount.out_of_place"),
    Bad(
        "savings in a claim", {**SOUND_CLAIM, "tanahud_amount": "1"}, "tanahud_amount", "amount.out_of_place"
    ),
]


def premium(rowid: str = "P-1", **columns: str) -> dict[str, str]:
    """A premium of 1,000.00 on 2019-03-15: tabarru 300, invest 600, ujroh 100."""
    row = {
        "source_rowid": rowid,
        "txn_type": "PREMIUM_RECEIPT",
        "product_code": "LIFE01",
        "channel": "AGENCY",
        "currency": "USD",
        "policy_no": "LP-1",
        "bank_value_date": "2019-03-15",
        "txn_month": "2019-03-01",
        "gross_amount": "1000.00",
        "tabarru_amount": "300.00",
        "tanahud_amount": "0.00",
        "invest_amount": "600.00",
        "ujroh_amount": "100.00",
        "admin_amount": "0.00",
    }
    assert columns.keys() <= row.keys(), columns
    return {**row, **columns}


def claim(rowid: str = "C-1", **columns: str) -> dict[str, str]:
    """A claim of 780.00: tabarru 800, less 20 for administration."""
    return premium(rowid, **{**SOUND_CLAIM, **columns})


def with_bad_rows(rows: int, *, every: int = 100) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The benchmark batch as text, with every so manieth row wrong, in each of the ways in turn.

    Also what has to be found: `row`, counted from 1, `column` and `code`, in the order of the rows. The first row
    is sound.
    """
    frame = takaful_rows(rows).select(pl.col(column).cast(pl.String) for column in COLUMNS)
    wrong = range(every // 2, rows, every)
    kinds = [BAD_VALUES[n % len(BAD_VALUES)] for n in range(len(wrong))]
    bad = pl.DataFrame(
        [bad.values for bad in kinds], schema=dict.fromkeys(COLUMNS, pl.String), orient="row"
    ).with_columns(pl.Series("index", wrong, dtype=pl.UInt32))
    text = frame.with_row_index().update(bad, on="index").drop("index")
    expected = pl.DataFrame(
        {
            "row": [index + 1 for index in wrong],
            "column": [bad.column for bad in kinds],
            "code": [bad.code for bad in kinds],
        }
    )
    return text, expected


def written(path: Path, *rows: Mapping[str, str]) -> Path:
    """The rows as a CSV file."""
    pl.DataFrame(rows, schema=dict.fromkeys(COLUMNS, pl.String)).write_csv(path)
    return path


def load(*rows: Mapping[str, str], folder: Path, accept_valid: bool = False) -> SourceLoad:
    """Write the rows to a file and load it."""
    return load_source_file(
        pack="takaful",
        path=written(folder / "rows.csv", *rows),
        actor=system_user(),
        accept_valid=accept_valid,
    )
