"""Tables: CSV with a saved mapping of columns, CSV of a bank as most banks write it, Parquet.

mapping: `columns` says which of the file's columns is which: id, amount (or credit and debit), currency, time,
reference, description, group. `delimiter`, `encoding`, `decimal` ("." or ","), `date_format` (as strftime's; ISO where
it is not set), `time_zone` of times that carry none. `trailer`: {"column", "value", "count", "sum"}: the row by which
a file ends, told by a value in a column, and where it states how many rows there are and what they come to; a file
that lacks it, or does not add up, is half a file.
"""

import codecs
import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

import polars as pl

from .base import TEXTS, Adapter, Feed, Statement, shaped
from .errors import BadFile, BadMapping, BadRow, ControlTotals

COLUMNS = frozenset({*TEXTS, "credit", "debit"})
LIKELY = {
    "id": ("txn_id", "transaction_id", "id", "bank_reference"),
    "amount": ("amount",),
    "currency": ("currency",),
    "time": ("timestamp", "time", "occurred_at", "date", "booking_date", "value_date"),
    "reference": ("reference", "ref"),
    "description": ("description", "memo", "details", "text"),
    "group": ("group", "batch_id", "payout_id"),
}
_THOUSANDS = {".": re.compile(r"(?<=\d)[,'  ](?=\d{3})"), ",": re.compile(r"(?<=\d)[.'  ](?=\d{3})")}


class _Table(Adapter):
    """What tables share: which column is which."""

    needs_columns: ClassVar[bool] = True

    def check(self, mapping: Mapping[str, Any]) -> None:
        super().check(mapping)
        columns = mapping.get("columns", {})
        if not isinstance(columns, Mapping) or not all(isinstance(name, str) for name in columns.values()):
            raise BadMapping(problem="columns is an object of names")
        unknown = sorted(set(columns) - COLUMNS)
        if unknown:
            raise BadMapping(
                problem=f"there is no column {unknown[0]!r}; columns are {', '.join(sorted(COLUMNS))}"
            )
        if self.needs_columns and not (
            "time" in columns and ("amount" in columns or {"credit", "debit"} <= set(columns))
        ):
            raise BadMapping(problem="columns names time and amount, or time, credit and debit")
        if {"credit", "debit"} & set(columns) and "amount" in columns:
            raise BadMapping(problem="columns names amount, or credit and debit, not both")

    def columns_in(self, header: Sequence[str], mapping: Mapping[str, Any]) -> dict[str, str]:
        """Which of a file's columns is which. Raises BadFile where one is not there."""
        columns = dict(mapping.get("columns", {}))
        for name in columns.values():
            if name not in header:
                raise BadFile(problem=f"there is no column {name!r} among {', '.join(header)[:200]}")
        return columns


class Csv(_Table):
    name = "csv"
    title = "CSV with mapped columns"
    options = frozenset(
        {"columns", "delimiter", "encoding", "decimal", "date_format", "time_zone", "trailer"}
    )

    def check(self, mapping: Mapping[str, Any]) -> None:
        super().check(mapping)
        if mapping.get("decimal", ".") not in _THOUSANDS:
            raise BadMapping(problem='decimal is "." or ","')
        if len(str(mapping.get("delimiter", ","))) != 1:
            raise BadMapping(problem="delimiter is one character")
        try:
            codecs.lookup(str(mapping.get("encoding", "utf-8")))
        except LookupError:
            raise BadMapping(problem=f"there is no encoding {mapping['encoding']!r}") from None
        trailer = mapping.get("trailer")
        if trailer is not None and not (
            isinstance(trailer, Mapping)
            and {"column", "value"} <= set(trailer)
            and set(trailer) <= {"column", "value", "count", "sum"}
        ):
            raise BadMapping(problem="trailer has column, value, count and sum")

    def read(self, feed: Feed) -> Statement:
        mapping = feed.mapping
        lines = records(feed)
        header = [name.strip() for name in next(lines, (0, []))[1]]
        if not any(header):
            raise BadFile(problem="it is empty")
        if len(set(header)) < len(header):
            raise BadFile(problem="two columns have one name")
        columns = self.columns_in(header, mapping)
        rows, end = _body(lines, header, mapping.get("trailer"))
        texts = _texts(rows, columns, mapping.get("decimal", "."))
        called = {**columns, "amount": columns.get("amount", columns.get("credit", "amount"))}
        statement = Statement(shaped(texts, feed, columns=called))
        if end is not None:
            _check_trailer(texts, end, mapping)
        return statement


class BankCsv(Csv):
    """As most banks write it: the usual names of columns are known, and any may be mapped."""

    name = "bank_csv"
    title = "Bank CSV"
    needs_columns = False

    def columns_in(self, header: Sequence[str], mapping: Mapping[str, Any]) -> dict[str, str]:
        known = {name.lower(): name for name in reversed(header)}
        likely = {
            column: known[names[0]]
            for column, usual in LIKELY.items()
            if (names := [name for name in usual if name in known])
        }
        mapped = super().columns_in(header, mapping)
        if {"credit", "debit"} & set(mapped):
            likely.pop("amount", None)
        columns = {**likely, **mapped}
        for column in ("time", "amount"):
            if column not in columns and not (column == "amount" and {"credit", "debit"} <= set(columns)):
                raise BadFile(problem=f"no column looks like the {column}; map it in the source")
        return columns


class Parquet(_Table):
    name = "parquet"
    title = "Parquet with mapped columns"
    options = frozenset({"columns", "date_format", "time_zone"})

    def read(self, feed: Feed) -> Statement:
        assert feed.path is not None
        try:
            frame = pl.read_parquet(feed.path)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise BadFile(problem=f"it is no Parquet file ({str(error).splitlines()[0][:120]})") from error
        columns = self.columns_in(frame.columns, feed.mapping)
        for column in ("amount", "credit", "debit"):
            if column in columns and frame.schema[columns[column]].is_float():
                raise BadFile(
                    problem=f"column {columns[column]!r} holds floats, which are not exact; use decimals"
                )
        if "time" in columns:
            frame = frame.with_columns(_written_time(frame, columns["time"], feed))
        return Statement(shaped(_frame_texts(frame, columns), feed, columns=columns))


def _written_time(frame: pl.DataFrame, name: str, feed: Feed) -> pl.Expr:
    kind: Any = frame.schema[name]
    if not isinstance(kind, pl.Datetime):
        return pl.col(name).cast(pl.String)
    moment = (
        pl.col(name) if kind.time_zone else pl.col(name).dt.replace_time_zone(feed.zone, non_existent="null")
    )
    return moment.dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00")


def records(feed: Feed) -> Iterator[tuple[int, list[str]]]:
    """A file's records with the line they end in. Raises BadFile."""
    assert feed.path is not None
    encoding = str(feed.mapping.get("encoding", "utf-8"))
    try:
        with feed.path.open(encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline="") as file:
            reader = csv.reader(file, delimiter=str(feed.mapping.get("delimiter", ",")), strict=True)
            for record in reader:
                if record:
                    yield reader.line_num, record
    except UnicodeDecodeError as error:
        raise BadFile(problem=f"it is not written in {encoding} ({error.reason})") from error
    except csv.Error as error:
        raise BadFile(problem=str(error)) from error
    except OSError as error:
        raise BadFile(problem=str(error.strerror or error)) from error


def _body(
    records: Iterator[tuple[int, list[str]]], header: list[str], trailer: Mapping[str, str] | None
) -> tuple[list[tuple[int, dict[str, str]]], dict[str, str] | None]:
    """The rows, and the trailer where there has to be one."""
    rows: list[tuple[int, dict[str, str]]] = []
    end = None
    for number, record in records:
        if end is not None:
            raise BadRow(row=number, column=header[0], problem="there is more after the trailer")
        if len(record) != len(header):
            problem = f"the row has {len(record)} fields and the header {len(header)}"
            raise BadRow(row=number, column=header[min(len(record), len(header)) - 1], problem=problem)
        row = dict(zip(header, record, strict=True))
        if trailer and row.get(trailer["column"], "").strip() == trailer["value"]:
            end = row
        else:
            rows.append((number, row))
    if trailer and end is None:
        raise BadFile(problem=f"it breaks off: there is no row with {trailer['value']!r} at its end")
    return rows, end


def _texts(
    rows: Sequence[tuple[int, Mapping[str, str]]], columns: Mapping[str, str], decimal: str
) -> pl.DataFrame:
    found: dict[str, list[Any]] = {"row": [number for number, _ in rows]}
    for name in TEXTS:
        if name == "amount":
            found[name] = [_amount_text(row, columns, decimal) for _, row in rows]
        elif name in columns:
            found[name] = [row[columns[name]] for _, row in rows]
        else:
            found[name] = [""] * len(rows)
    found["raw"] = [json.dumps(dict(row), ensure_ascii=False) for _, row in rows]
    return pl.DataFrame(found, schema={"row": pl.Int64, **dict.fromkeys(TEXTS, pl.String), "raw": pl.String})


def _frame_texts(frame: pl.DataFrame, columns: Mapping[str, str]) -> pl.DataFrame:
    """As `_texts`, of typed columns: a million rows are never a million dictionaries at once."""
    plain = pl.col(
        [name for name, kind in frame.schema.items() if not (kind.is_nested() or kind == pl.Binary)]
    )
    told = frame.select(plain).cast(pl.String).fill_null("")
    found: dict[str, Any] = {
        name: told[columns[name]]
        if name in columns
        else pl.repeat("", frame.height, eager=True, dtype=pl.String)
        for name in TEXTS
        if name != "amount"
    }
    amounts = told.select([columns[name] for name in ("amount", "credit", "debit") if name in columns])
    found["amount"] = pl.Series(
        [_amount_text(row, columns, ".") for row in amounts.iter_rows(named=True)], dtype=pl.String
    )
    raw = told.select(raw=pl.struct(pl.all()).struct.json_encode())["raw"]
    return pl.DataFrame(
        {"row": pl.int_range(1, frame.height + 1, dtype=pl.Int64, eager=True), **found, "raw": raw}
    ).select("row", *TEXTS, "raw")


def _amount_text(row: Mapping[str, str], columns: Mapping[str, str], decimal: str) -> str:
    """The signed amount, plainly written; what is no number stays as it is, to be told."""
    if "amount" in columns:
        return plain_number(row[columns["amount"]], decimal)
    credit, debit = (plain_number(row[columns[side]], decimal) for side in ("credit", "debit"))
    if credit and debit and Decimal(0) not in (_number(credit), _number(debit)):
        return f"{credit} and {debit}"
    if debit and _number(debit) != 0:
        return debit.removeprefix("-") if debit.startswith("-") else f"-{debit}"
    return credit or debit


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def plain_number(text: str, decimal: str) -> str:
    """`1.234,50-` as `-1234.50`; `(12.00)` as `-12.00`. Leaves alone what is no number."""
    number = _THOUSANDS[decimal].sub("", text.strip()).replace("\N{MINUS SIGN}", "-")
    if decimal == ",":
        number = number.replace(",", ".")
    if number.endswith("-"):
        number = f"-{number[:-1]}"
    if number.startswith("(") and number.endswith(")"):
        number = f"-{number[1:-1]}"
    return number


def _check_trailer(texts: pl.DataFrame, end: Mapping[str, str], mapping: Mapping[str, Any]) -> None:
    trailer = mapping["trailer"]
    if "count" in trailer and end.get(trailer["count"], "").strip() != str(texts.height):
        raise ControlTotals(what="A count of", stated=end.get(trailer["count"], ""), found=texts.height)
    if "sum" in trailer:
        stated = plain_number(end.get(trailer["sum"], ""), mapping.get("decimal", "."))
        total = sum((Decimal(text) for text in texts["amount"].str.strip_chars()), Decimal(0))
        if _number(stated) != total:
            raise ControlTotals(what="A total of", stated=stated, found=total)
