"""Reading the file of opening balances: its rows as postings to be, and all that is wrong, by row and column."""

import csv
import hashlib
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.apps import apps

from batconnect.common.errors import BatConnectError
from batconnect.common.money import ZERO, parse_amount, total

from ..models import Category, LedgerPosting
from .errors import LedgerError
from .obligations import Obligation, check_obligation, refuse_reserved
from .postings import NewPosting

OPENING = "OPENING"
# Deposits come with their leases, taxes and earnings with their trips.
DEBITS = (
    Category.EZPASS,
    Category.LEASE,
    Category.PVB,
    Category.TLC,
    Category.REPAIR,
    Category.LOAN,
    Category.MISC,
    Category.CANCELLATION_FEE,
)
CREDITS = (Category.INTERIM_PAYMENT, Category.ADJUSTMENT)
NEEDED = ("tlc_license", "category", "amount", "reference", "event_date")
COLUMNS = ("tlc_license", "lease", "medallion", "category", "amount", "reference", "due_date", "event_date")
# Numbers that are given out here. Were one of this year taken before, whoever came to it could not go on.
GIVEN_HERE = {
    Category.MISC: ("MISC",),
    Category.INTERIM_PAYMENT: ("INTPAY", "RFD"),
    Category.ADJUSTMENT: ("ADJ",),
}
_NUMBER = re.compile(r"([A-Z]+)-([0-9]{4})-[0-9]{5,}")
MOST_ROWS = 20_000
MOST_BYTES = 5 * 1024 * 1024


class BadOpeningFile(LedgerError):
    code, status = "opening.bad_file", 400
    message = "{what}"


@dataclass(frozen=True)
class RowError:
    """What is wrong in one row (the header is row 1) and column."""

    row: int
    column: str
    reason: str

    def __str__(self) -> str:
        return f"{self.column}: {self.reason}"


@dataclass(frozen=True)
class OpeningRow:
    """One open item: debits positive, credits negative."""

    row: int
    driver_id: int
    lease_id: int
    posting: NewPosting  # its account is filled in when it is imported


@dataclass(frozen=True)
class OpeningFile:
    """A file as it was read: good rows, and everything wrong with the others."""

    name: str
    sha256: str
    rows: Sequence[OpeningRow]
    errors: Sequence[RowError]
    count: int

    @property
    def debits(self) -> Decimal:
        return total(row.posting.amount for row in self.rows if row.posting.amount > 0)

    @property
    def credits(self) -> Decimal:
        return -total(row.posting.amount for row in self.rows if row.posting.amount < 0)

    @property
    def total(self) -> Decimal:
        return self.debits - self.credits

    def by_category(self) -> list[tuple[str, int, Decimal]]:
        """Category, rows and their sum, in the order of the categories."""
        sums: dict[str, list[Decimal]] = {}
        for row in self.rows:
            sums.setdefault(row.posting.category, []).append(row.posting.amount)
        return [(key, len(sums[key]), total(sums[key])) for key in Category.values if key in sums]


class _Wrong(Exception):
    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column, self.reason = column, reason


def read_opening(*, content: bytes, name: str, on: date) -> OpeningFile:
    """Read a file and look everything up; changes nothing. Raises BadOpeningFile for one that cannot be read at all.

    CSV, UTF-8, with the header COLUMNS in any order; of `lease` and `medallion` one says where. `due_date` may be
    empty. Amounts: debits positive, credits (INTERIM_PAYMENT, ADJUSTMENT) negative.
    """
    lines = _lines(content)
    finder = _Finder(line for _, line in lines)
    rows: list[OpeningRow] = []
    errors: list[RowError] = []
    seen: dict[tuple[str, str], int] = {}
    for number, line in lines:
        try:
            row = _row(number, line, finder, on)
            key = (row.posting.category, row.posting.reference_id)
            if key in seen:
                raise _Wrong("reference", f"{key[1]} is in row {seen[key]} already")
            if key in finder.posted:
                raise _Wrong("reference", f"{key[0]} {key[1]} is in the ledger already")
            seen[key] = number
            rows.append(row)
        except _Wrong as wrong:
            errors.append(RowError(number, wrong.column, wrong.reason))
    return OpeningFile(name[:120], hashlib.sha256(content).hexdigest(), rows, errors, len(lines))


def _lines(content: bytes) -> list[tuple[int, dict[Any, Any]]]:
    """The rows that are not empty, each with its line in the file. Raises BadOpeningFile."""
    if len(content) > MOST_BYTES:
        raise BadOpeningFile(what=f"The file is larger than {MOST_BYTES // 1024 // 1024} MB.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadOpeningFile(what="The file is not UTF-8 text; save it as CSV in UTF-8.") from None
    if "\0" in text:
        raise BadOpeningFile(what="The file has NUL characters in it; it is no CSV.")
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in reader.fieldnames or []]
        reader.fieldnames = header
        lines = [(reader.line_num, line) for line in reader if any(line.values())]
    except csv.Error as error:
        raise BadOpeningFile(what=f"The file is not CSV: {error}.") from None
    _check_header(header)
    if not lines:
        raise BadOpeningFile(what="The file has no rows.")
    if len(lines) > MOST_ROWS:
        raise BadOpeningFile(what=f"The file has more than {MOST_ROWS:,} rows.")
    return lines


def _check_header(header: Sequence[str]) -> None:
    missing = [name for name in NEEDED if name not in header]
    if not {"lease", "medallion"} & set(header):
        missing.append("lease or medallion")
    unknown = [name for name in header if name not in COLUMNS]
    doubled = sorted({name for name in header if header.count(name) > 1})
    if missing:
        raise BadOpeningFile(what=f"The header lacks {', '.join(missing)}; it needs {', '.join(COLUMNS)}.")
    if unknown or doubled:
        names = ", ".join(map(repr, unknown or doubled))
        raise BadOpeningFile(what=f"The header has {names}, which is unknown or doubled.")


class _Finder:
    """Drivers, leases and references that a file names, each looked up once for all rows."""

    def __init__(self, lines: Any) -> None:
        rows = [{name: (value or "").strip() for name, value in _named(line)} for line in lines]
        licences = {row.get("tlc_license", "") for row in rows}
        self.drivers = {
            row["tlc_license"]: row
            for row in apps.get_model("leases", "Driver")
            .objects.filter(tlc_license__in=licences)
            .values("id", "tlc_license", "name")
        }
        self.leases: dict[int, list[dict[str, Any]]] = {}
        drivers = [driver["id"] for driver in self.drivers.values()]
        for lease in (
            apps.get_model("leases", "Lease")
            .objects.filter(driver_id__in=drivers)
            .values("id", "driver_id", "number", "medallion__number")
        ):
            self.leases.setdefault(lease["driver_id"], []).append(dict(lease))
        references = {row.get("reference", "") for row in rows}
        self.posted = set(
            LedgerPosting.objects.filter(
                category__in=(*DEBITS, *CREDITS), reference_id__in=references
            ).values_list("category", "reference_id")
        )

    def lease(self, line: Mapping[str, str]) -> tuple[int, int]:
        """The driver's and the lease's id. Raises _Wrong."""
        licence = line["tlc_license"]
        driver = self.drivers.get(licence)
        if driver is None:
            raise _Wrong("tlc_license", f"there is no driver with licence {licence or '(empty)'}")
        named = f"{driver['name']} ({licence})"
        leases = self.leases.get(driver["id"], [])
        if not leases:
            raise _Wrong("tlc_license", f"{named} has no lease")
        number, medallion = line.get("lease", ""), line.get("medallion", "")
        if not number and not medallion:
            raise _Wrong("lease", "neither a lease nor a medallion is given")
        found = [
            lease
            for lease in leases
            if (not number or lease["number"].lower() == number.lower())
            and (not medallion or lease["medallion__number"].lower() == medallion.lower())
        ]
        column = "lease" if number else "medallion"
        if not found:
            told = " and ".join(
                part
                for part in (number and f"lease {number}", medallion and f"medallion {medallion}")
                if part
            )
            raise _Wrong(column, f"{named} has no {told}")
        if len(found) > 1:
            choices = ", ".join(lease["number"] for lease in found)
            raise _Wrong(column, f"{named} had several leases on {medallion}: {choices}; say which")
        return driver["id"], found[0]["id"]


def _named(line: Mapping[Any, Any]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in line.items() if isinstance(name, str)]


def _row(number: int, given: Mapping[Any, Any], finder: _Finder, on: date) -> OpeningRow:
    if None in given or any(value is None for value in given.values()):
        raise _Wrong("row", "it has not as many columns as the header")
    line = {name: value.strip() for name, value in _named(given)}
    driver_id, lease_id = finder.lease(line)
    category = line["category"].upper()
    if category not in (*DEBITS, *CREDITS):
        choices = ", ".join((*DEBITS, *CREDITS))
        raise _Wrong("category", f"{line['category'] or '(empty)'} is not one of {choices}")
    amount = _amount(line["amount"], category)
    event_on = _day(line, "event_date")
    due_on = _day(line, "due_date") if line.get("due_date") else None
    if event_on is None or event_on > on:
        raise _Wrong("event_date", f"{event_on} is after {on}")
    reference = line["reference"]
    ours = _NUMBER.fullmatch(reference)
    if ours and ours[1] in GIVEN_HERE.get(Category(category), ()) and int(ours[2]) >= on.year:
        raise _Wrong(
            "reference", f"{reference} is a number that will be given out here; write OLD-{reference}"
        )
    # A loan's installment had left the loan before; here it is one sum.
    components = {"principal": str(amount), "interest": "0.00"} if category == Category.LOAN else None
    charge = Obligation(
        0,
        Category.LEASE if category in CREDITS else category,
        abs(amount),
        reference,
        due_on=due_on,
        event_on=event_on,
        components=components,
    )
    try:
        checked = check_obligation(charge, on)
        if category in DEBITS:
            refuse_reserved([checked])
    except BatConnectError as error:
        raise _Wrong("reference", str(error).rstrip(".")) from error
    return OpeningRow(
        number,
        driver_id,
        lease_id,
        NewPosting(
            account_id=0,
            category=category,
            amount=amount,
            reference_id=reference,
            event_on=event_on,
            product=OPENING,
            components=components,
            description="Open at cut-over",
            due_on=due_on if amount > 0 else None,
        ),
    )


def _amount(text: str, category: str) -> Decimal:
    try:
        amount = parse_amount(text)
    except BatConnectError as error:
        raise _Wrong("amount", str(error).rstrip(".")) from error
    if amount == ZERO:
        raise _Wrong("amount", "it is zero")
    if (amount < 0) is not (category in CREDITS):
        sign = "a credit, below zero" if category in CREDITS else "a debit, above zero"
        raise _Wrong("amount", f"{category} is {sign}; this is {amount}")
    return amount


def _day(line: Mapping[str, str], column: str) -> date:
    text = line.get(column, "")
    try:
        if len(text) != len("2019-03-03"):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise _Wrong(column, f"{text or '(empty)'} is not a date; write it like 2019-03-03") from None
