"""CSV, streamed row by row. Text that a spreadsheet would run as a formula gets an apostrophe before it."""

import csv
import io
from collections.abc import Iterator

from .columns import Column, Kind, Table, text_of

# A spreadsheet takes a cell for a formula by its first character; some strip blanks before they look.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
BYTE_ORDER_MARK = "\ufeff"  # without it Excel does not read the file as UTF-8


def as_harmless_text(value: str) -> str:
    """The text itself, or with an apostrophe in front where it would be a formula."""
    return (
        f"'{value}"
        if value.startswith(FORMULA_STARTS) or value.lstrip().startswith(FORMULA_STARTS)
        else value
    )


def stream(table: Table) -> Iterator[bytes]:
    """The file in pieces of some hundred rows."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write(BYTE_ORDER_MARK)
    writer.writerow([column.label for column in table.columns])
    for number, row in enumerate(table.rows, start=1):
        writer.writerow([_cell(row[column.key], column) for column in table.columns])
        if number % 500 == 0:
            yield _take(buffer)
    yield _take(buffer)


def _cell(value: object, column: Column) -> str:
    text = text_of(value)
    # Amounts may start with a minus: they are numbers, and stay numbers.
    return text if column.kind in (Kind.MONEY, Kind.INTEGER) else as_harmless_text(text)


def _take(buffer: io.StringIO) -> bytes:
    data = buffer.getvalue().encode()
    buffer.seek(0)
    buffer.truncate()
    return data
