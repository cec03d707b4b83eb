"""How one value of a source file is read: expressions that give the value, or null where it cannot be read."""

from collections.abc import Mapping

import polars as pl

from .source_files import CURRENCY, DATES, GROSS, TXN_TYPE, VALUE_DATE, SourceFormat

AMOUNT = pl.Decimal(20, 6)
WHOLE_DIGITS, PLACES = 14, 6  # what numeric(20, 6) holds before and after the point

# Zeros at the end are no decimals; what the table holds is what Polars reads, exactly.
READABLE = rf"^-?[0-9]{{1,{WHOLE_DIGITS}}}(\.[0-9]{{1,{PLACES}}}0{{0,{PLACES}}})?$"
ISO_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
ISO_MONTH = r"^[0-9]{4}-(0[1-9]|1[0-2])(-01)?$"
CONTROL = "[\x00-\x1f\x7f]"


def as_came(column: str) -> pl.Expr:
    """Any kind of value as text; null is no text."""
    return pl.col(column).cast(pl.String).fill_null("")


def text_of(column: str) -> pl.Expr:
    return as_came(column).str.strip_chars()


def date_of(column: str, kind: pl.DataType) -> pl.Expr:
    """A day; for the month, its first one."""
    if kind == pl.Date:
        return pl.col(column)
    text = text_of(column)
    if column == VALUE_DATE:
        return (
            pl.when(text.str.contains(ISO_DATE))
            .then(text)
            .str.to_date("%Y-%m-%d", strict=False)
            .alias(column)
        )
    first_day = pl.when(text.str.contains(ISO_MONTH)).then(text.str.slice(0, 7) + "-01")
    return first_day.str.to_date("%Y-%m-%d", strict=False).alias(column)


def amount_of(column: str, kind: pl.DataType) -> pl.Expr:
    if isinstance(kind, pl.Decimal) and kind.scale <= PLACES and kind.precision - kind.scale <= WHOLE_DIGITS:
        return pl.col(column).cast(AMOUNT)
    text = text_of(column)
    return pl.when(text.str.contains(READABLE)).then(text).cast(AMOUNT).alias(column)


def texts_sound(format: SourceFormat) -> pl.Expr:
    """Every text is there, fits its column, and has no control characters."""
    return pl.all_horizontal(
        (pl.col(column) != "")
        & (pl.col(column).str.len_chars() <= longest)
        & ~pl.col(column).str.contains(CONTROL)
        for column, longest in format.texts.items()
    )


def within_currency(exponents: Mapping[str, int]) -> pl.Expr:
    """The gross has no more decimals than its currency. Shares may: they are rounded when they are entered."""
    return pl.any_horizontal(
        pl.col(CURRENCY).is_in([code for code, places in exponents.items() if places == exponent])
        & (pl.col(GROSS).round(exponent) == pl.col(GROSS))
        for exponent in sorted(set(exponents.values()))
    )


def parts_sum(format: SourceFormat) -> pl.Expr:
    """What the gross of a row has to be, by the identity of its txn_type."""
    chain = pl.lit(None, dtype=AMOUNT)
    for txn_type, signs in format.identities.items():
        parts = pl.sum_horizontal(
            pl.col(column) if sign > 0 else -pl.col(column) for column, sign in signs.items()
        )
        chain = pl.when(pl.col(TXN_TYPE) == txn_type).then(parts).otherwise(chain)
    return chain


def out_of_place(column: str, format: SourceFormat) -> pl.Expr:
    """An amount other than 0 where the txn_type's identity has none."""
    without = [txn_type for txn_type, signs in format.identities.items() if column not in signs]
    return pl.col(TXN_TYPE).is_in(without) & (pl.col(column) != 0)


def adds_up(format: SourceFormat) -> pl.Expr:
    placed = [~out_of_place(column, format) for column in format.components]
    return pl.all_horizontal(pl.col(GROSS) == parts_sum(format), *placed)


def dates_sound() -> pl.Expr:
    value_date, month = map(pl.col, DATES)
    return month == value_date.dt.month_start()
