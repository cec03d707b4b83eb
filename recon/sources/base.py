"""What an adapter is given, what it gives, and how texts become rows of one shape for all of them."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, ClassVar
from zoneinfo import ZoneInfo, available_timezones

import polars as pl

from .errors import BadMapping, BadRow, SourceError, UnsupportedCurrency

AMOUNT = pl.Decimal(20, 6)
MOMENT = pl.Datetime("us", "UTC")
DEFAULT_ZONE = "America/New_York"
# What adapters hand to `shaped`: everything as text, times as written. `row` is what people call the row.
TEXTS = ("id", "amount", "currency", "time", "reference", "description", "group")
LONGEST = {"id": 160, "reference": 160, "description": 500, "group": 160}
WHOLE_DIGITS = 14
SHOWN = 40


class UnknownAdapter(SourceError):
    code, status = "recon.unknown_adapter", 400
    message = "There is no adapter {name}; choose one of {known}."


@dataclass(frozen=True)
class Feed:
    """What there is to read: a file (or nothing, for an API), how the source is set up, and for which day."""

    mapping: Mapping[str, Any]
    currency: str
    decimals: int
    on: date
    path: Path | None = None

    @property
    def zone(self) -> str:
        return str(self.mapping.get("time_zone", DEFAULT_ZONE))


@dataclass(frozen=True)
class Statement:
    """All rows of a feed.

    rows: row Int64; external_id, currency, reference, description, group_key, raw (JSON) String, never null; amount
    Decimal(20, 6), signed and never zero; occurred_at Datetime UTC; figures_hash String, of amount, currency and time.
    facts: what the feed told of itself, for people.
    """

    rows: pl.DataFrame
    facts: dict[str, str] = field(default_factory=dict)


class Adapter:
    """One format. `options`: the names its mapping may have; `reads_files`: whether it wants a path.

    by_day: its rows stand for whole days of trips, so ledger lines of trips are grouped by the day of the trip.
    window: seconds from the ledger's row to the outside one, first and last, where the source itself says nothing.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    reads_files: ClassVar[bool] = True
    by_day: ClassVar[bool] = False
    window: ClassVar[tuple[int | None, int | None]] = (None, None)
    options: ClassVar[frozenset[str]] = frozenset({"time_zone"})

    def check(self, mapping: Mapping[str, Any]) -> None:
        """Whether a source may be set up so. Raises BadMapping."""
        if not isinstance(mapping, Mapping):
            raise BadMapping(problem="the mapping is no JSON object")
        unknown = sorted(set(mapping) - self.options)
        if unknown:
            known = ", ".join(sorted(self.options))
            raise BadMapping(problem=f"{self.title} knows no {unknown[0]!r}, only {known}")
        zone = mapping.get("time_zone", DEFAULT_ZONE)
        if zone not in available_timezones():
            raise BadMapping(problem=f"{zone!r} is no time zone")

    def read(self, feed: Feed) -> Statement:
        """Raises SourceError."""
        raise AssertionError(f"{self.name} does not say how it reads")


def shaped(
    texts: pl.DataFrame,
    feed: Feed,
    *,
    columns: Mapping[str, str] | None = None,
    figures: Sequence[str] = (),
) -> pl.DataFrame:
    """Rows of texts as typed rows; `columns` says what each text is called outside, for messages.

    figures: columns of rows that, besides amount, currency and time, may never change under one id.
    texts: row, raw, and TEXTS (String, may be null). Empty currencies are the source's own. Rows without an id get one
    made of their figures and of how many alike came before, so that the same file gives the same ids again.
    Raises BadRow, UnsupportedCurrency for the first row that is wrong.
    """
    called = {name: name for name in TEXTS} | dict(columns or {})
    texts = texts.with_columns(pl.col(*TEXTS).cast(pl.String).str.strip_chars().fill_null(""))
    _check_texts(texts, called)
    texts = texts.with_columns(
        currency=pl.when(pl.col("currency") == "").then(pl.lit(feed.currency)).otherwise("currency")
    )
    wrong = texts.filter(pl.col("currency").str.to_uppercase() != feed.currency)
    if wrong.height:
        raise UnsupportedCurrency(
            row=wrong["row"][0],
            column=called["currency"],
            currency=shown(wrong["currency"][0]),
            expected=feed.currency,
        )
    rows = texts.with_columns(amount=_amounts(texts, feed, called), occurred_at=_moments(texts, feed, called))
    rows = rows.select(
        "row",
        external_id="id",
        amount="amount",
        currency=pl.lit(feed.currency),
        occurred_at="occurred_at",
        reference="reference",
        description="description",
        group_key="group",
        raw="raw",
    )
    rows = rows.with_columns(figures_hash=_hashes(rows, figures))
    return _without_twins(_with_ids(rows), called["id"])


def shown(value: str) -> str:
    """A wrong value as a message repeats it: in quotes, and never long."""
    return repr(value if len(value) <= SHOWN else f"{value[:SHOWN]}…")


def _check_texts(texts: pl.DataFrame, called: Mapping[str, str]) -> None:
    for name, longest in LONGEST.items():
        wrong = texts.filter(pl.col(name).str.len_chars() > longest)
        if wrong.height:
            raise BadRow(
                row=wrong["row"][0], column=called[name], problem=f"is longer than {longest} characters"
            )
    for name in (*TEXTS, "raw"):
        wrong = texts.filter(pl.col(name).str.contains("\0", literal=True))
        if wrong.height:
            raise BadRow(
                row=wrong["row"][0], column=called.get(name, name), problem="has a character that is none"
            )


def _amounts(texts: pl.DataFrame, feed: Feed, called: Mapping[str, str]) -> pl.Series:
    """Exact, with no more decimals than the currency has."""
    places = rf"(\.[0-9]{{1,{feed.decimals}}}0*)?" if feed.decimals else r"(\.0*)?"
    good = texts["amount"].str.contains(rf"^[+-]?[0-9]{{1,{WHOLE_DIGITS}}}{places}$")
    if not good.all():
        wrong = texts.filter(~good)
        problem = (
            f"{shown(wrong['amount'][0])} is not an amount with up to {feed.decimals} decimals"
            if wrong["amount"][0]
            else "there is no amount"
        )
        raise BadRow(row=wrong["row"][0], column=called["amount"], problem=problem)
    amounts = texts["amount"].str.strip_prefix("+").cast(AMOUNT)
    if (amounts == 0).any():
        wrong = texts.filter(amounts == 0)
        raise BadRow(row=wrong["row"][0], column=called["amount"], problem="the amount is zero")
    return amounts


def _moments(texts: pl.DataFrame, feed: Feed, called: Mapping[str, str]) -> pl.Series:
    """Instants. A day alone is its first moment in the source's zone, as the ledger's own days are."""
    moments = _parsed(texts["time"], feed.mapping.get("date_format"), feed.zone)
    if moments.null_count():
        wrong = texts.filter(moments.is_null())
        problem = f"{shown(wrong['time'][0])} is not a time" if wrong["time"][0] else "there is no date"
        raise BadRow(row=wrong["row"][0], column=called["time"], problem=problem)
    years = moments.dt.year()
    if not years.is_between(1990, 2100).all():
        wrong = texts.filter(~years.is_between(1990, 2100))
        raise BadRow(
            row=wrong["row"][0], column=called["time"], problem=f"{shown(wrong['time'][0])} is no likely date"
        )
    return moments


def _parsed(written: pl.Series, date_format: str | None, zone: str) -> pl.Series:
    local: Any = {"time_zone": zone, "ambiguous": "earliest", "non_existent": "null"}
    text = pl.col("time")
    if date_format and re.search(r"%:?#?z|%\+", date_format):
        found = text.str.to_datetime(date_format, strict=False, time_unit="us", time_zone="UTC")
    elif date_format:
        found = text.str.to_datetime(date_format, strict=False, time_unit="us").dt.replace_time_zone(**local)
    else:
        iso = (
            text.str.replace(r"^(\S{10}) ", "${1}T")
            .str.replace("Z$", "+00:00")
            .str.replace(r"^(.{10}T\d\d:\d\d)($|[+-])", "${1}:00${2}")
        )
        day = iso.str.to_datetime("%Y-%m-%d", strict=False, time_unit="us").dt.replace_time_zone(**local)
        naive = iso.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False, time_unit="us")
        exact = iso.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%:z", strict=False, time_unit="us", time_zone="UTC")
        found = pl.coalesce(
            exact.dt.convert_time_zone("UTC"),
            naive.dt.replace_time_zone(**local).dt.convert_time_zone("UTC"),
            day.dt.convert_time_zone("UTC"),
        )
    return written.to_frame("time").select(found.dt.convert_time_zone("UTC").cast(MOMENT))["time"]


def _hashes(rows: pl.DataFrame, figures: Sequence[str]) -> pl.Series:
    told = rows.select(
        told=pl.concat_str(
            pl.col("amount").cast(pl.String),
            "currency",
            pl.col("occurred_at").dt.epoch("us").cast(pl.String),
            *figures,
            separator="|",
        )
    )["told"]
    return pl.Series(
        "figures_hash", [hashlib.sha256(text.encode()).hexdigest() for text in told], dtype=pl.String
    )


def _with_ids(rows: pl.DataFrame) -> pl.DataFrame:
    """Ids for rows that came without: their content, and the how-manieth of its kind."""
    nameless = rows["external_id"] == ""
    if not nameless.any():
        return rows
    content = pl.concat_str("figures_hash", "reference", "description", separator="|")
    made = rows.with_columns(content=content).with_columns(
        nth=pl.int_range(pl.len()).over("content", "external_id") + 1
    )
    digests = [
        f"row-{hashlib.sha256(text.encode()).hexdigest()[:24]}-{nth}"
        for text, nth in made.select("content", "nth").iter_rows()
    ]
    return rows.with_columns(
        external_id=pl.when(nameless).then(pl.Series(digests, dtype=pl.String)).otherwise("external_id")
    )


def _without_twins(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    """An id that comes twice with the same figures is one row; with others, nobody knows which is true."""
    differing = rows.group_by("external_id").agg(
        pl.col("figures_hash").n_unique().alias("kinds"),
        pl.col("row").min().alias("first"),
        pl.col("row").max(),
    )
    wrong = differing.filter(pl.col("kinds") > 1).sort("row")
    if wrong.height:
        name, first, last = wrong.row(0)[0], wrong["first"][0], wrong["row"][0]
        raise BadRow(
            row=last,
            column=column,
            problem=f"{shown(name)} stands in row {first} already, with other figures",
        )
    return rows.unique("external_id", keep="first", maintain_order=True)


def zone_of(feed: Feed) -> ZoneInfo:
    return ZoneInfo(feed.zone)
