"""`ExporterFactory`: the exporter of a format, with its file type and how many rows it takes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from batconnect.common.errors import BatConnectError

from . import csv, excel, pdf
from .columns import Table


class UnknownFormat(BatConnectError):
    code, status = "export.unknown_format", 400
    message = "{format} is not an export format; choose one of {choices}."


class ExportTooLarge(BatConnectError):
    code, status = "export.too_large", 400
    message = "A {format} file takes {most} rows, and this has more; add a filter, or take {instead}."


@dataclass(frozen=True)
class Exporter:
    """One format. `stream` gives the file in pieces; `most_rows` None means no limit."""

    format: str
    extension: str
    content_type: str
    most_rows: int | None
    stream: Callable[[Table], Iterator[bytes]]

    def check_size(self, rows: int) -> None:
        """Raises ExportTooLarge. Callers count at most one row more than `most_rows`."""
        if self.most_rows is not None and rows > self.most_rows:
            instead = "excel or csv" if self.format == "pdf" else "csv"
            raise ExportTooLarge(format=self.format, most=f"{self.most_rows:,}", instead=instead)


_EXPORTERS = {
    exporter.format: exporter
    for exporter in (
        Exporter(
            "excel",
            "xlsx",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            excel.MOST_ROWS,
            excel.stream,
        ),
        Exporter("csv", "csv", "text/csv; charset=utf-8", None, csv.stream),
        Exporter("pdf", "pdf", "application/pdf", pdf.MOST_ROWS, pdf.stream),
    )
}
EXPORT_FORMATS = tuple(_EXPORTERS)


class ExporterFactory:
    @staticmethod
    def get(export_format: str) -> Exporter:
        """The exporter of `excel`, `csv` or `pdf`. Raises UnknownFormat."""
        if export_format not in _EXPORTERS:
            raise UnknownFormat(format=export_format, choices=", ".join(EXPORT_FORMATS))
        return _EXPORTERS[export_format]
