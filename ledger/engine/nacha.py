"""NACHA files of credits to people (PPD): records of 94 characters, in blocks of ten. Pure: no database, no clock.

File header (1), batch header (5), one entry (6) for each payment, batch control (8), file control (9), and lines of
nines up to a full block. Only what the format's character set has goes in: names are written without accents, in
capitals.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

RECORD = 94
BLOCKING = 10
HASH_DIGITS = 10**10
LARGEST_ENTRY = Decimal("99999999.99")
CREDIT_CODES = {"CHECKING": "22", "SAVINGS": "32"}
CREDITS_ONLY = "220"
_WEIGHTS = (3, 7, 1, 3, 7, 1, 3, 7, 1)


@dataclass(frozen=True)
class Originator:
    """Who pays, and through which bank. `destination` and `odfi` are routing numbers of nine digits."""

    destination: str
    destination_name: str
    origin: str  # ten characters, as the bank assigned it
    origin_name: str
    company_name: str
    company_id: str
    odfi: str
    description: str  # at most ten characters; receivers see it


@dataclass(frozen=True)
class CreditEntry:
    """One payment. `trace_number` has the originating bank's first eight digits and a number of ours."""

    routing_number: str = field(repr=False)
    account_number: str = field(repr=False)
    account_type: str
    amount: Decimal
    identification: str
    name: str
    trace_number: str


def routing_checksum_holds(routing_number: str) -> bool:
    """Whether nine digits are a routing number: their weighted sum is a multiple of ten."""
    if len(routing_number) != 9 or not (routing_number.isascii() and routing_number.isdigit()):
        return False
    total = sum(int(digit) * weight for digit, weight in zip(routing_number, _WEIGHTS, strict=True))
    return total % 10 == 0 and total > 0


def write_credits(
    *,
    originator: Originator,
    entries: Sequence[CreditEntry],
    made_at: datetime,
    modifier: str,
    effective_on: date,
) -> bytes:
    """The file of one batch of credits. `made_at` is local time; the same arguments give the same bytes."""
    assert entries, "a batch has at least one entry"
    lines = [_file_header(originator, made_at, modifier), _batch_header(originator, effective_on)]
    lines += [_entry(entry) for entry in entries]
    entry_hash = sum(int(entry.routing_number[:8]) for entry in entries) % HASH_DIGITS
    cents = sum(_cents(entry.amount) for entry in entries)
    lines.append(
        f"8{CREDITS_ONLY}{len(entries):06}{entry_hash:010}{0:012}{cents:012}{_text(originator.company_id, 10)}"
        f"{'':19}{'':6}{originator.odfi[:8]}{1:07}"
    )
    blocks = -(-(len(lines) + 1) // BLOCKING)
    lines.append(f"9{1:06}{blocks:06}{len(entries):08}{entry_hash:010}{0:012}{cents:012}{'':39}")
    lines += ["9" * RECORD] * (blocks * BLOCKING - len(lines))
    assert all(len(line) == RECORD for line in lines), "every record has 94 characters"
    return ("\n".join(lines) + "\n").encode("ascii")


def _file_header(originator: Originator, made_at: datetime, modifier: str) -> str:
    return (
        f"101{originator.destination:>10}{originator.origin:>10}{made_at:%y%m%d%H%M}{modifier}094101"
        f"{_text(originator.destination_name, 23)}{_text(originator.origin_name, 23)}{'':8}"
    )


def _batch_header(originator: Originator, effective_on: date) -> str:
    return (
        f"5{CREDITS_ONLY}{_text(originator.company_name, 16)}{'':20}{_text(originator.company_id, 10)}PPD"
        f"{_text(originator.description, 10)}{'':6}{effective_on:%y%m%d}{'':3}1{originator.odfi[:8]}{1:07}"
    )


def _entry(entry: CreditEntry) -> str:
    return (
        f"6{CREDIT_CODES[entry.account_type]}{entry.routing_number}{_text(entry.account_number, 17)}"
        f"{_cents(entry.amount):010}{_text(entry.identification, 15)}{_text(entry.name, 22)}{'':2}0{entry.trace_number}"
    )


def _cents(amount: Decimal) -> int:
    cents = amount * 100
    assert cents == int(cents) and 0 < amount <= LARGEST_ENTRY, "an entry is in whole cents, up to ten digits"
    return int(cents)


def _text(value: str, width: int) -> str:
    """A field of letters: capitals without accents, cut and padded to its width; other characters are blanks."""
    plain = unicodedata.normalize("NFKD", value)
    kept = "".join(sign for sign in plain if not unicodedata.combining(sign))
    ascii_only = "".join(sign if " " <= sign <= "~" else " " for sign in kept)
    return f"{ascii_only.upper()[:width]:<{width}}"
