"""Spreadsheets, written row by row in flat memory. Numbers are numbers; text is never a formula or a link."""

import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import xlsxwriter
from django.utils import timezone

from .columns import STRONG, Column, Kind, Table, text_of

MOST_ROWS = 1_048_575  # of one sheet, below its header
LONGEST_CELL = 32_767
_CHUNK = 256 * 1024
_FORMATS = {
    Kind.TEXT: {"num_format": "@"},
    Kind.MONEY: {"num_format": "#,##0.00"},
    Kind.INTEGER: {"num_format": "0"},
    Kind.DATE: {"num_format": "yyyy-mm-dd"},
    Kind.MOMENT: {"num_format": "yyyy-mm-dd hh:mm"},
}


def stream(table: Table) -> Iterator[bytes]:
    """The file in pieces. A workbook is complete only at its end, so it is made on disk first."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.xlsx"
        write(table, path)
        with path.open("rb") as file:
            while piece := file.read(_CHUNK):
                yield piece


def write(table: Table, path: Path) -> None:
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "tmpdir": str(path.parent),
    }
    with xlsxwriter.Workbook(str(path), options) as book:
        sheet = book.add_worksheet(table.title[:31])
        formats = {kind: book.add_format(properties) for kind, properties in _FORMATS.items()}
        strong = {
            kind: book.add_format({**properties, "bold": True}) for kind, properties in _FORMATS.items()
        }
        bold = book.add_format({"bold": True})
        for index, column in enumerate(table.columns):
            sheet.set_column(index, index, column.width)
            sheet.write_string(0, index, column.label, bold)
        sheet.freeze_panes(1, 0)
        for number, row in enumerate(table.rows, start=1):
            forms = strong if row.get(STRONG) else formats
            for index, column in enumerate(table.columns):
                _write_cell(sheet, number, index, row[column.key], column, forms)


def _write_cell(
    sheet: Any, row: int, index: int, value: Any, column: Column, formats: dict[Kind, Any]
) -> None:
    form = formats[column.kind]
    if value is None:
        return
    if column.kind in (Kind.MONEY, Kind.INTEGER):
        sheet.write_number(row, index, value, form)
    elif column.kind is Kind.DATE:
        sheet.write_datetime(row, index, value, form)
    elif column.kind is Kind.MOMENT and isinstance(value, datetime):
        sheet.write_datetime(row, index, timezone.localtime(value).replace(tzinfo=None), form)
    else:
        sheet.write_string(row, index, text_of(value)[:LONGEST_CELL], form)
