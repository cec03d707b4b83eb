"""PDF tables. What a page needs is in its HTML: nothing is fetched, no address and no file (`html_pdf`)."""

from collections.abc import Iterator
from typing import Any

from django.template.loader import render_to_string

from .columns import Kind, Table, text_of

MOST_ROWS = 5_000  # a layout engine keeps every row in memory; some seconds at most


def stream(table: Table) -> Iterator[bytes]:
    from .html_pdf import render_html_pdf  # loads Pango: only who prints needs it

    html = render_to_string(
        "exports/table.html",
        {
            "title": table.title,
            "notes": table.notes,
            "columns": [
                (column.label, column.kind in (Kind.MONEY, Kind.INTEGER)) for column in table.columns
            ],
            "rows": [
                [
                    (_shown(row[column.key], column.kind), column.kind in (Kind.MONEY, Kind.INTEGER))
                    for column in table.columns
                ]
                for row in table.rows
            ],
        },
    )
    yield render_html_pdf(html)


def _shown(value: Any, kind: Kind) -> str:
    if kind is Kind.MONEY and value is not None:
        return f"{value:,.2f}"
    if kind is Kind.MOMENT and value is not None:
        return f"{value:%Y-%m-%d %H:%M}"
    return text_of(value)
