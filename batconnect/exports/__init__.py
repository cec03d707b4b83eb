"""Tables as files: `ExporterFactory.get(format)` gives the one that writes xlsx, csv or pdf. Knows no application."""

from .columns import STRONG, Column, Kind, Table
from .factory import EXPORT_FORMATS, ExporterFactory, ExportTooLarge, UnknownFormat

__all__ = [
    "EXPORT_FORMATS",
    "STRONG",
    "Column",
    "ExportTooLarge",
    "ExporterFactory",
    "Kind",
    "Table",
    "UnknownFormat",
]
