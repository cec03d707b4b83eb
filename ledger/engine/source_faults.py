"""What is wrong with rows of a source file: for every wrong value its row, column, code and a sentence.

Called with the few rows that `source_rows.py` parted from the others. One fault a value, the first of its list.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import polars as pl

from .data_loader import ROW_NUMBER, SHOWN, schema_of
from .source_files import CURRENCY, GROSS, MONTH, ROWID, TXN_TYPE, VALUE_DATE, SourceFormat
from .source_values import CONTROL, ISO_DATE, PLACES, WHOLE_DIGITS, out_of_place, parts_sum, within_currency

FAULTS = schema_of({ROW_NUMBER: pl.Int64, "column": pl.String, "code": pl.String, "message": pl.String})
LONGEST_MESSAGE = 500
REPLACED = "\N{REPLACEMENT CHARACTER}"  # in place of what neither a screen nor the database takes

_NUMBER = r"^-?[0-9]+(\.[0-9]+)?$"
_EXPONENT = r"^[+-]?[0-9.,]+[eE][+-]?[0-9]+$"
_SEPARATED = r"^-?[0-9]{1,3}([, '][0-9]{3})+(\.[0-9]+)?$"
_UNHELD = rf"^-?[0-9]{{{WHOLE_DIGITS + 1},}}(\.|$)"
_TOO_FINE = rf"\.[0-9]{{{PLACES}}}0*[1-9]"


@dataclass(frozen=True)
class Measure:
    """What rows are held against: the days within reach, and the decimals of each known currency."""

    format: SourceFormat
    first: date
    last: date
    exponents: Mapping[str, int]


class Rule(NamedTuple):
    """Wrong where `wrong`; the message goes on after the value, which is shown in quotes."""

    wrong: pl.Expr
    code: str
    message: str | pl.Expr


def faults_of(came: pl.DataFrame, read: pl.DataFrame, repeated: pl.Series, measure: Measure) -> pl.DataFrame:
    """The faults of these rows, in their order and that of the columns.

    `came`: the rows as text; `read`: the same rows' values, null where one cannot be read; `repeated`: whether
    the row id stood in the file before.
    """
    frame = read.with_columns(
        *(pl.lit(came[column]).alias(f"{column} came") for column in came.columns if column != ROW_NUMBER),
        repeated.alias("repeated"),
    )
    found = [FAULTS.to_frame()]
    for column, rules in _rules(measure):
        if column in came.columns and frame.height:
            found.append(_faults(frame, column, rules))
    faults = pl.concat(found).sort(ROW_NUMBER, maintain_order=True)
    assert faults.schema == FAULTS, faults.schema
    unexplained = frame.join(faults, on=ROW_NUMBER, how="anti")
    assert unexplained.is_empty(), unexplained
    return faults


def revised(rows: pl.DataFrame) -> pl.DataFrame:
    """The faults of rows whose id was loaded before, as `transaction_id`, with other figures."""
    message = "'{}' was loaded before, as source row {}, with other figures. Give the new figures an id of their own."
    faults = rows.select(
        ROW_NUMBER,
        pl.lit(ROWID).alias("column"),
        pl.lit("row.revision").alias("code"),
        pl.format(message, _shown(pl.col(ROWID)), pl.col("transaction_id")).alias("message"),
    )
    assert faults.schema == FAULTS, faults.schema
    return faults


def _faults(frame: pl.DataFrame, column: str, rules: list[Rule]) -> pl.DataFrame:
    code, message = pl.lit(None, dtype=pl.String), pl.lit(None, dtype=pl.String)
    for rule in reversed(rules):
        said = pl.lit(rule.message) if isinstance(rule.message, str) else rule.message
        code = pl.when(rule.wrong).then(pl.lit(rule.code)).otherwise(code)
        message = pl.when(rule.wrong).then(said).otherwise(message)
    came = pl.col(f"{column} came")
    shown = pl.format("'{}' {}", _shown(came), message)
    sentence = pl.when(came.str.strip_chars() != "").then(shown).otherwise(message)
    found = frame.select(
        ROW_NUMBER,
        pl.lit(column).alias("column"),
        code.alias("code"),
        sentence.str.slice(0, LONGEST_MESSAGE).alias("message"),
    )
    return found.filter(pl.col("code").is_not_null())


def _rules(measure: Measure) -> Iterator[tuple[str, list[Rule]]]:
    format = measure.format
    for column, longest in format.texts.items():
        yield column, [*_text_rules(column, longest), *_own_rules(column, measure)]
    yield VALUE_DATE, _date_rules(measure)
    yield MONTH, _month_rules()
    yield GROSS, [*_amount_rules(GROSS), *_gross_rules(measure)]
    for column in format.components:
        elsewhere = pl.format("is an amount that {} does not have; it has to be 0", TXN_TYPE)
        placeless = Rule(out_of_place(column, format), "amount.out_of_place", elsewhere)
        yield column, [*_amount_rules(column), placeless]


def _text_rules(column: str, longest: int) -> list[Rule]:
    value = pl.col(column)
    rules = [
        Rule(value == "", "value.empty", "The value is missing"),
        Rule(value.str.contains(CONTROL), "value.control_character", "has a control character in it"),
    ]
    if column not in (TXN_TYPE, CURRENCY):  # which are one of a list
        too_long = value.str.len_chars() > longest
        rules.append(Rule(too_long, "value.too_long", f"is longer than {longest} characters"))
    return rules


def _own_rules(column: str, measure: Measure) -> list[Rule]:
    """What is asked of particular texts."""
    if column == ROWID:
        said = "stands earlier in the file; find out which of the rows is right, and leave the other out"
        return [Rule(pl.col("repeated"), "row.repeated", said)]
    if column == TXN_TYPE:
        known = list(measure.format.identities)
        return [Rule(~pl.col(column).is_in(known), "txn_type.unknown", f"is none of {', '.join(known)}")]
    if column == CURRENCY:
        unknown = ~pl.col(column).is_in(list(measure.exponents))
        return [Rule(unknown, "currency.unknown", "is no currency of the ledger; write a code like USD")]
    return []


def _date_rules(measure: Measure) -> list[Rule]:
    text, value, month = pl.col(f"{VALUE_DATE} came").str.strip_chars(), pl.col(VALUE_DATE), pl.col(MONTH)
    outside = pl.format("is not in the month of the row, {}", month.dt.strftime("%Y-%m"))
    return [
        Rule(text == "", "value.empty", "The value is missing"),
        Rule(~text.str.contains(ISO_DATE), "date.unreadable", "is not a date; write it like 2019-03-31"),
        Rule(value.is_null(), "date.impossible", "is a day that does not exist"),
        Rule(value > measure.last, "date.future", "is in the future"),
        Rule(
            value < measure.first,
            "date.too_early",
            f"is before {measure.first}, further back than rows are kept",
        ),
        Rule(month != value.dt.month_start(), "date.outside_month", outside),
    ]


def _month_rules() -> list[Rule]:
    text, value = pl.col(f"{MONTH} came").str.strip_chars(), pl.col(MONTH)
    unreadable = value.is_null() | (value.dt.day() != 1)
    return [
        Rule(text == "", "value.empty", "The value is missing"),
        Rule(unreadable, "date.not_a_month", "is not a month; write its first day, like 2019-03-01"),
    ]


def _amount_rules(column: str) -> list[Rule]:
    text, value = pl.col(f"{column} came").str.strip_chars(), pl.col(column)
    separated = "has a thousands separator; write it like 1234.50"
    exponent = "is in exponent notation; write it in full, like 1234.50"
    large = f"is larger than the ledger holds: more than {WHOLE_DIGITS} digits before the point"
    return [
        Rule(text == "", "value.empty", "The value is missing; where there is no such amount write 0"),
        Rule(text.str.contains(_EXPONENT), "amount.exponent", exponent),
        Rule(text.str.contains(_SEPARATED), "amount.thousands_separator", separated),
        Rule(~text.str.contains(_NUMBER), "amount.not_a_number", "is not a number; write it like 1234.50"),
        Rule(text.str.contains(_UNHELD), "amount.too_large", large),
        Rule(text.str.contains(_TOO_FINE), "amount.too_many_decimals", f"has more than {PLACES} decimals"),
        Rule(value.is_null(), "amount.too_many_decimals", f"has more zeros than {PLACES} decimals need"),
        Rule(value < 0, "amount.negative", "is negative, which no amount of these rows can be"),
    ]


def _gross_rules(measure: Measure) -> list[Rule]:
    gross, parts = pl.col(GROSS), parts_sum(measure.format)
    known = pl.col(CURRENCY).is_in(list(measure.exponents))
    places = pl.col(CURRENCY).replace_strict(measure.exponents, default=0, return_dtype=pl.Int64)
    finer = pl.format("has more decimals than {} has: {}", pl.col(CURRENCY), places)
    apart = pl.format(
        "is not what the parts add up to, {}: a difference of {}", _plain(parts), _plain(gross - parts)
    )
    # Parts that are wrong by themselves have their own faults.
    readable = pl.all_horizontal(
        (pl.col(column) >= 0).fill_null(value=False) for column in measure.format.components
    )
    placed = ~pl.any_horizontal(out_of_place(column, measure.format) for column in measure.format.components)
    return [
        Rule(known & ~within_currency(measure.exponents), "amount.too_many_decimals", finer),
        Rule(readable & placed & (gross != parts), "row.does_not_add_up", apart),
    ]


def _plain(amount: pl.Expr) -> pl.Expr:
    """An amount without the zeros it needs not: two decimals at least."""
    return amount.cast(pl.String).str.replace(r"(\.[0-9]{2}[0-9]*?)0+$", "$1")


def _shown(text: pl.Expr) -> pl.Expr:
    short = pl.when(text.str.len_chars() > SHOWN).then(text.str.slice(0, SHOWN) + "…").otherwise(text)
    return printable(short)


def printable(text: pl.Expr) -> pl.Expr:
    return text.str.replace_all(CONTROL, REPLACED)
