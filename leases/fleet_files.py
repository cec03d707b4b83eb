"""The fleet's two files, read and checked: medallions with their vehicles, and drivers with their cabs.

Nothing is written here. What is wrong with a file is said with its name, row and column; the header is row 1,
as a spreadsheet shows it.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TextIO, TypeVar

from django.db.models import Model

from batconnect.common.errors import BatConnectError

from .models import Driver, Medallion, Vehicle

MEDALLION_COLUMNS = ("medallion_no", "fleet", "medallion_type", "vehicle_type", "model_year", "plate", "vin")
DRIVER_COLUMNS = ("tlc_license", "medallion_no", "name")
LONGEST_ROW = 10_000
OLDEST_YEAR, NEWEST_YEAR = 1900, 2100


class BadFleetFile(BatConnectError):
    code, status = "fleet_import.bad_file", 400
    message = "{file}, row {row}, column {column}: {problem}"


class UnreadableFleetFile(BatConnectError):
    code, status = "fleet_import.unreadable", 400
    message = "{file}: {problem}"


@dataclass(frozen=True)
class FleetCab:
    """One row of the medallions file."""

    row: int
    number: str
    fleet: str
    medallion_type: str
    vehicle_type: str
    model_year: int | None
    plate: str
    vin: str


@dataclass(frozen=True)
class FleetDriver:
    """One row of the drivers file; `cab` is the row its medallion was found in."""

    row: int
    tlc_license: str
    name: str
    cab: FleetCab


Row = TypeVar("Row", FleetCab, FleetDriver)


def read_cabs(path: Path) -> list[FleetCab]:
    """Every medallion and its vehicle. Raises BadFleetFile, UnreadableFleetFile."""
    cabs = []
    for row, cells in _rows(path, MEDALLION_COLUMNS):
        cabs.append(
            FleetCab(
                row=row,
                number=_text(path, row, cells, "medallion_no", Medallion, "number", required=True),
                fleet=_text(path, row, cells, "fleet", Medallion, "fleet"),
                medallion_type=_text(path, row, cells, "medallion_type", Medallion, "medallion_type"),
                vehicle_type=_text(path, row, cells, "vehicle_type", Vehicle, "vehicle_type"),
                model_year=_year(path, row, cells["model_year"]),
                plate=_text(path, row, cells, "plate", Vehicle, "plate"),
                vin=_text(path, row, cells, "vin", Vehicle, "vin", required=True),
            )
        )
    _refuse_repeats(path, cabs, "medallion_no", lambda cab: cab.number)
    _refuse_repeats(path, cabs, "vin", lambda cab: cab.vin)
    return cabs


def read_drivers(path: Path, cabs: Sequence[FleetCab]) -> list[FleetDriver]:
    """Every driver with their cab. Raises BadFleetFile, UnreadableFleetFile."""
    by_number = {cab.number: cab for cab in cabs}
    drivers = []
    for row, cells in _rows(path, DRIVER_COLUMNS):
        number = _text(path, row, cells, "medallion_no", Medallion, "number", required=True)
        if number not in by_number:
            _refuse(path, row, "medallion_no", f"medallion {number} is not in the medallions file.")
        drivers.append(
            FleetDriver(
                row=row,
                tlc_license=_text(path, row, cells, "tlc_license", Driver, "tlc_license", required=True),
                name=_text(path, row, cells, "name", Driver, "name", required=True),
                cab=by_number[number],
            )
        )
    _refuse_repeats(path, drivers, "tlc_license", lambda driver: driver.tlc_license)
    _refuse_repeats(path, drivers, "medallion_no", lambda driver: driver.cab.number)
    return drivers


def _rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """(row number, cells by column); rows are read one at a time, so that a huge file stays on disk."""
    row = 1
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(_bounded(path, file), strict=True)
            header = [name.strip() for name in next(lines, [])]
            _check_header(path, header, columns)
            for row, values in enumerate(lines, start=2):
                if not any(value.strip() for value in values):
                    continue
                if len(values) != len(header):
                    column = header[min(len(values), len(header) - 1)]
                    _refuse(path, row, column, f"the row has {len(values)} cells, not {len(header)}.")
                yield row, dict(zip(header, (value.strip() for value in values), strict=True))
    except UnicodeDecodeError:
        # Decoding runs ahead of the rows, so the row is looked for from the start.
        row, column = _undecodable(path)
        _refuse(path, row, column, "the text is not UTF-8; save the file as UTF-8.")
    except csv.Error as error:
        _refuse(path, row + 1, "any", f"not a well-formed CSV row ({error}).")
    except OSError as error:
        raise UnreadableFleetFile(file=path, problem=error.strerror or str(error)) from None


def _bounded(path: Path, file: TextIO) -> Iterator[str]:
    """The file's lines, none of them longer than a row of these files can be."""
    number = 0
    while line := file.readline(LONGEST_ROW + 1):
        number += 1
        if len(line) > LONGEST_ROW:
            _refuse(path, number, "any", f"the row is longer than {LONGEST_ROW} characters.")
        if "\0" in line:
            _refuse(path, number, "any", "the row contains NUL characters; is this a CSV file?")
        yield line


def _check_header(path: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    missing = [name for name in columns if name not in header]
    if missing:
        _refuse(path, 1, ", ".join(missing), f"not in the header; the columns are {', '.join(columns)}.")
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        _refuse(path, 1, ", ".join(repeated), "in the header more than once.")


def _undecodable(path: Path) -> tuple[int, str]:
    """The row and column of the first bytes that are not UTF-8."""
    header: list[str] = []
    with path.open("rb") as file:
        for row, line in enumerate(iter(lambda: file.readline(LONGEST_ROW), b""), start=1):
            try:
                text = line.decode()
            except UnicodeDecodeError as error:
                place = len(next(csv.reader([line[: error.start].decode()]), [""])) - 1
                return row, header[place] if 0 <= place < len(header) else "any"
            header = header or next(csv.reader([text.removeprefix("\ufeff")]), [])
    return 1, "any"


def _text(
    path: Path,
    row: int,
    cells: dict[str, str],
    column: str,
    model: type[Model],
    field: str,
    *,
    required: bool = False,
) -> str:
    value = cells[column]
    longest = getattr(model._meta.get_field(field), "max_length", None)
    if required and not value:
        _refuse(path, row, column, "empty; it needs a value.")
    if longest is not None and len(value) > longest:
        _refuse(path, row, column, f"{len(value)} characters long; at most {longest} are possible.")
    if not value.isprintable():
        _refuse(path, row, column, "contains characters that cannot be printed.")
    return value


def _year(path: Path, row: int, value: str) -> int | None:
    if not value:
        return None
    if not (value.isascii() and value.isdigit() and OLDEST_YEAR <= int(value) <= NEWEST_YEAR):
        _refuse(path, row, "model_year", f"{value!r} is not a year such as 2019.")
    return int(value)


def _refuse_repeats(path: Path, rows: Sequence[Row], column: str, key: Callable[[Row], str]) -> None:
    first: dict[str, int] = {}
    for entry in rows:
        value = key(entry)
        if value in first:
            _refuse(path, entry.row, column, f"{value} is already in row {first[value]}.")
        first[value] = entry.row


def _refuse(path: Path, row: int, column: str, problem: str) -> NoReturn:
    raise BadFleetFile(file=path, row=row, column=column, problem=problem)
