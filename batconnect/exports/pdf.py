"""PDF tables. What a page needs is in its HTML: nothing is fetched, no address and no file (`html_pdf`).

A row is one line of a fixed-width face, its columns set by spaces. Laying out a table of real cells took a
millisecond a cell, a minute for what takes seconds this way.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

from django.template.loader import render_to_string

from .columns import STRONG, Column, Kind, Table, text_of

MOST_ROWS = 5_000  # a layout engine keeps every row in memory
LINE_POINTS = 734  # between the margins of a landscape letter page
LARGEST_TYPE, EM_PER_CHARACTER = 8.0, 0.603
_GAP = "  "
_NUMBERS = (Kind.MONEY, Kind.INTEGER)


def stream(table: Table) -> Iterator[bytes]:
    """The file, in one piece."""
    from .html_pdf import render_html_pdf  # loads Pango: only who prints needs it

    found = [
        ([_shown(row[column.key], column.kind) for column in table.columns], bool(row.get(STRONG)))
        for row in table.rows
    ]
    rows = [texts for texts, _ in found]
    widths = [
        min(column.width, max(_width(text) for text in (column.label, *values)))
        for column, values in zip(table.columns, zip(*rows, strict=True) if rows else [()] * 99, strict=False)
    ]
    line = sum(widths) + len(_GAP) * (len(widths) - 1)
    html = render_to_string(
        "exports/table.html",
        {
            "title": table.title,
            "notes": table.notes,
            "type_size": f"{min(LARGEST_TYPE, LINE_POINTS / (line * EM_PER_CHARACTER)):.2f}",
            "header": _line([column.label for column in table.columns], table.columns, widths),
            "lines": [(_line(texts, table.columns, widths), strong) for texts, strong in found],
        },
    )
    yield render_html_pdf(html)


def _line(texts: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    cells = (
        _padded(text, width, right=column.kind in _NUMBERS)
        for text, column, width in zip(texts, columns, widths, strict=True)
    )
    return _GAP.join(cells).rstrip()


def _padded(text: str, width: int, *, right: bool) -> str:
    """Cut or filled to a width; a number is never cut, for part of it would be another number."""
    if _width(text) > width and not right:
        while _width(text) > width - 1:
            text = text[:-1]
        text += "…"
    fill = " " * (width - _width(text))
    return fill + text if right else text + fill


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _shown(value: Any, kind: Kind) -> str:
    if value is not None and kind is Kind.MONEY:
        return f"{value:,.2f}"
    if value is not None and kind is Kind.MOMENT:
        return f"{value:%Y-%m-%d %H:%M}"
    # Line ends and other controls would break the line.
    return "".join(character if character.isprintable() else " " for character in text_of(value))
