"""What a table to export is: a title, columns with a kind each, and rows that are read once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

STRONG = "strong row"  # the key of no column


class Kind(StrEnum):
    """How a column's values are written."""

    TEXT = "text"
    MONEY = "money"
    INTEGER = "integer"
    DATE = "date"
    MOMENT = "moment"


@dataclass(frozen=True)
class Column:
    key: str
    label: str
    kind: Kind = Kind.TEXT
    width: int = 16  # in characters, for spreadsheets


@dataclass(frozen=True)
class Table:
    """`notes` say what was asked for (filters, date); they head the PDF.

    A row with `STRONG` set is a sum: PDFs and spreadsheets print it bold.
    """

    title: str
    columns: Sequence[Column]
    rows: Iterable[Mapping[str, Any]]
    notes: Sequence[str] = field(default_factory=list)


def text_of(value: Any) -> str:
    """A value as text: lists joined by spaces, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return " ".join(text_of(part) for part in value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
