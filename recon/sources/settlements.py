"""Settlements of the card processor: one row for each day of trips, with what it kept of the money.

A row has an id, the day it settled on, the day of the trips, the gross card money, the fees, the net that came to the
bank, and the count of trips; gross less fees has to be net. `columns` in the mapping says what each is called outside;
the usual names need none. As a file (`curb_settlement`), or from an API (`curb_settlement_api`, whose paging is that of
an `api` source). What a row becomes for matching: amount the gross, time the day it settled, group the day of trips.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

import polars as pl

from .base import TEXTS, Adapter, Feed, Statement, shaped, shown
from .errors import BadFile, BadMapping, BadRow
from .http_api import PAGING, fetched_rows
from .http_client import Paging, inside
from .tables import plain_number, records

FIELDS = ("settlement_id", "settled_on", "trip_date", "card_gross", "fees", "net", "trips")
_CALLED = {"id": "settlement_id", "amount": "card_gross", "time": "settled_on", "group": "trip_date"}
LARGEST = Decimal("999999999999.99")
MOST_TRIPS = 10_000_000
DAY = 86_400


@dataclass(frozen=True)
class Settled:
    """What one row says; amounts with two decimals, gross - fees = net."""

    trip_date: date
    settled_on: date
    gross: Decimal
    fees: Decimal
    net: Decimal
    trips: int


class Settlements(Adapter):
    """What file and API share."""

    by_day = True
    window = (-DAY, 7 * DAY)

    def check(self, mapping: Mapping[str, Any]) -> None:
        super().check(mapping)
        columns = mapping.get("columns", {})
        if not isinstance(columns, Mapping) or not set(columns) <= set(FIELDS):
            raise BadMapping(problem=f"columns names some of {', '.join(FIELDS)}")

    def statement(self, rows: Sequence[tuple[int, Mapping[str, Any]]], feed: Feed) -> Statement:
        """Rows with their numbers, as they came, as a statement. Raises BadRow."""
        names = names_of(feed.mapping)
        told = [(number, row, settled(row, feed.mapping, number)) for number, row in rows]
        texts = pl.DataFrame(
            [
                {
                    **dict.fromkeys(TEXTS, ""),
                    "row": number,
                    "id": _text(row, names["settlement_id"]),
                    "amount": f"{one.gross:f}",
                    "time": one.settled_on.isoformat(),
                    "reference": _text(row, names["settlement_id"]),
                    "description": f"Card settlement of {one.trip_date}: {one.trips} trips, fees {one.fees}",
                    "group": one.trip_date.isoformat(),
                    "raw": json.dumps(dict(row), ensure_ascii=False),
                }
                for number, row, one in told
            ],
            schema={"row": pl.Int64, **dict.fromkeys(TEXTS, pl.String), "raw": pl.String},
        )
        nameless = texts.filter(pl.col("id").str.strip_chars() == "")
        if nameless.height:
            raise BadRow(row=nameless["row"][0], column=names["settlement_id"], problem="there is no id")
        called = {name: names[field] for name, field in _CALLED.items()}
        # Everything that a settlement says is a figure: the same id with other fees is no repetition.
        found = shaped(texts, feed, columns=called, figures=("description", "group_key"))
        return Statement(found, {"settlements": str(found.height)})


class SettlementFile(Settlements):
    name = "curb_settlement"
    title = "Card settlements (CSV)"
    options = frozenset({"columns", "delimiter", "encoding", "time_zone"})

    def read(self, feed: Feed) -> Statement:
        lines = records(feed)
        header = [name.strip() for name in next(lines, (0, []))[1]]
        missing = [name for name in names_of(feed.mapping).values() if name not in header]
        if missing:
            raise BadFile(problem=f"there is no column {missing[0]!r} among {', '.join(header)[:200]}")
        rows = []
        for number, record in lines:
            if len(record) != len(header):
                problem = f"the row has {len(record)} fields and the header {len(header)}"
                raise BadRow(row=number, column=header[min(len(record), len(header)) - 1], problem=problem)
            rows.append((number, dict(zip(header, record, strict=True))))
        return self.statement(rows, feed)


class SettlementApi(Settlements):
    name = "curb_settlement_api"
    title = "Card settlements (API)"
    reads_files = False
    options = PAGING | {"columns", "time_zone"}

    def check(self, mapping: Mapping[str, Any]) -> None:
        super().check(mapping)
        Paging.of(mapping)

    def read(self, feed: Feed) -> Statement:
        self.check(feed.mapping)
        return self.statement(list(enumerate(fetched_rows(feed), 1)), feed)


def names_of(mapping: Mapping[str, Any]) -> dict[str, str]:
    """What each field is called outside."""
    return {name: str(mapping.get("columns", {}).get(name, name)) for name in FIELDS}


def settled(row: Mapping[str, Any], mapping: Mapping[str, Any], number: int) -> Settled:
    """What a row says. Raises BadRow."""
    names = names_of(mapping)
    gross, fees, net = (_amount(row, names[name], number) for name in ("card_gross", "fees", "net"))
    if gross == 0:
        raise BadRow(row=number, column=names["card_gross"], problem="the amount is zero")
    if gross - fees != net:
        raise BadRow(row=number, column=names["net"], problem=f"{gross} less fees of {fees} is not {net}")
    trip_date, settled_on = (_day(row, names[name], number) for name in ("trip_date", "settled_on"))
    if settled_on < trip_date:
        raise BadRow(row=number, column=names["settled_on"], problem="it is before the day of the trips")
    count = _text(row, names["trips"])
    if not (count.isascii() and count.isdigit() and len(count) <= 9 and int(count) <= MOST_TRIPS):
        raise BadRow(row=number, column=names["trips"], problem=f"{shown(count)} is no count of trips")
    return Settled(trip_date, settled_on, gross, fees, net, int(count))


def _text(row: Mapping[str, Any], path: str) -> str:
    value = row[path] if path in row else inside(row, path, "")
    return value.strip() if isinstance(value, str) else json.dumps(value)


def _amount(row: Mapping[str, Any], name: str, number: int) -> Decimal:
    text = plain_number(_text(row, name), ".")
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or abs(amount) > LARGEST or amount != amount.quantize(Decimal("0.01")):
        raise BadRow(row=number, column=name, problem=f"{shown(text)} is not an amount with up to 2 decimals")
    return amount.quantize(Decimal("0.01"))


def _day(row: Mapping[str, Any], name: str, number: int) -> date:
    text = _text(row, name)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadRow(row=number, column=name, problem=f"{shown(text)} is not a day") from None
