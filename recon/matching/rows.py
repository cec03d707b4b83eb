"""What goes into matching: two frames of rows, checked, and made comparable.

A side is a frame with these columns; the last four may be missing or null:

    key          String, unique: names the row for ever; also the last word when two rows are otherwise alike
    amount       Decimal, or whole minor units; signed; both sides alike
    currency     String
    occurred_at  Datetime with a time zone
    account      String: rows of different accounts are never paired; a side without any has no such gate
    reference    String: the identifier that both sides may know; it may come twice
    description  String
    group_key    String: a batch, payout or deposit that rows belong to

`prepare` raises WrongRows for anything else. Inside, amounts are whole numbers of the finer of the two scales and
times are microseconds since 1970 in UTC. Rows are sorted by time, amount and key and numbered, so that the order
in which they came changes nothing.
"""

from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from batconnect.common.errors import BatConnectError

from .texts import Texts, vocabulary

SideName = Literal["ledger", "external"]
REQUIRED = ("key", "amount", "currency", "occurred_at")
OPTIONAL = ("account", "reference", "description", "group_key")
MICROSECONDS = 1_000_000
LARGEST = 2**62 - 1  # whole units of an amount: two of them can still be subtracted
TOO_MANY_DIGITS = "an amount has more digits than fit"


class WrongRows(BatConnectError):
    """A side is not of the shape that matching works on."""

    code = "recon.wrong_rows"
    message = "The {side} rows cannot be matched: {problem}."


@dataclass(frozen=True)
class Sides:
    """Both sides, prepared alike. A row's number is its place in its frame.

    ledger, external: row UInt32, key, amount Int64 (signed, `scale` decimals), at Int64, gate UInt32 (currency,
    account and sign: equal numbers may be paired), currency, account, reference, group_key (null where empty), text
    UInt32 (the description's place in `texts`).
    """

    ledger: pl.DataFrame
    external: pl.DataFrame
    texts: Texts
    scale: int


def prepare(ledger: pl.DataFrame, external: pl.DataFrame) -> Sides:
    """Check both sides and make them comparable. Raises WrongRows."""
    scale = max(_checked(ledger, "ledger"), _checked(external, "external"))
    if ledger.schema["amount"].is_integer() != external.schema["amount"].is_integer():
        raise WrongRows(side="external", problem="one side counts minor units and the other has decimals")
    sides = [_plain(ledger, "ledger", scale), _plain(external, "external", scale)]
    if any(side["account"].is_null().all() for side in sides):
        sides = [side.with_columns(account=pl.lit(None, pl.String)) for side in sides]
    ours, theirs = _with_gates(*sides)
    texts, our_texts, their_texts = vocabulary(ours["description"], theirs["description"])
    return Sides(
        ledger=ours.drop("description").with_columns(text=our_texts),
        external=theirs.drop("description").with_columns(text=their_texts),
        texts=texts,
        scale=scale,
    )


def _checked(rows: pl.DataFrame, side: SideName) -> int:
    """The scale of a side's amounts, once the side has the right shape."""
    schema = rows.schema
    missing = [name for name in REQUIRED if name not in schema]
    if missing:
        raise WrongRows(side=side, problem=f"there is no column {', '.join(missing)}")
    kind: Any = schema["amount"]
    if not (kind.is_decimal() or kind.is_signed_integer()):
        raise WrongRows(side=side, problem=f"amounts are {kind}, and neither Decimal nor whole minor units")
    when: Any = schema["occurred_at"]
    if not isinstance(when, pl.Datetime) or when.time_zone is None:
        raise WrongRows(side=side, problem=f"times are {when}, without a time zone")
    for name in ("key", "currency", *OPTIONAL):
        if schema.get(name, pl.String) not in (pl.String, pl.Null):
            raise WrongRows(side=side, problem=f"column {name} is {schema[name]}, not text")
    for name in REQUIRED:
        if rows[name].null_count():
            raise WrongRows(side=side, problem=f"column {name} has empty values")
    if rows["key"].n_unique() < rows.height:
        twice = rows.filter(pl.col("key").is_duplicated())["key"].min()
        raise WrongRows(side=side, problem=f"key {twice!s} comes more than once")
    return int(kind.scale) if kind.is_decimal() else 0


def _plain(rows: pl.DataFrame, side: SideName, scale: int) -> pl.DataFrame:
    absent = [pl.lit(None, pl.String).alias(name) for name in OPTIONAL if name not in rows.columns]
    try:
        plain = (
            rows.with_columns(absent)
            .select(
                "key",
                _whole_units(rows.schema["amount"], scale).alias("amount"),
                pl.col("occurred_at")
                .dt.convert_time_zone("UTC")
                .dt.cast_time_unit("us")
                .dt.epoch("us")
                .alias("at"),
                "currency",
                _or_null(pl.col("account").cast(pl.String)),
                _or_null(pl.col("reference").cast(pl.String)),
                pl.col("description").cast(pl.String),
                _or_null(pl.col("group_key").cast(pl.String)),
            )
            .sort("at", "amount", "key")
            .with_row_index("row")
        )
    except pl.exceptions.PolarsError as error:
        raise WrongRows(side=side, problem=TOO_MANY_DIGITS) from error
    if not plain["amount"].is_between(-LARGEST, LARGEST).all():
        raise WrongRows(side=side, problem=TOO_MANY_DIGITS)
    return plain


def _whole_units(kind: Any, scale: int) -> pl.Expr:
    if kind.is_integer():
        return pl.col("amount").cast(pl.Int64)
    return pl.col("amount").cast(pl.Decimal(38, scale)).to_physical().cast(pl.Int64)


def _or_null(text: pl.Expr) -> pl.Expr:
    stripped = text.str.strip_chars()
    return pl.when(stripped != "").then(stripped)


def _with_gates(ledger: pl.DataFrame, external: pl.DataFrame) -> list[pl.DataFrame]:
    """Number what two rows must have in common: currency, account, and the direction of the money."""
    gate = ["currency", "account", "sign"]
    signed = [side.with_columns(sign=pl.col("amount").sign()) for side in (ledger, external)]
    known = pl.concat([side.select(gate).unique() for side in signed]).unique().sort(gate)
    known = known.with_row_index("gate")
    return [
        side.join(known, on=gate, how="left", nulls_equal=True, maintain_order="left").drop("sign")
        for side in signed
    ]
