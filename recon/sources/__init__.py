"""Where outside rows are read: one adapter for each format, known by name.

    adapter = get_adapter("camt053")
    adapter.check(mapping)                       # is this source set up as it must be?
    statement = adapter.read(feed)               # every row, or an error that says which row and column

An adapter reads and writes no table. It gives all rows or none: a file that breaks off, or an API that dies on its
third page, raises. To add one, subclass `Adapter` and `register` it.
"""

from .base import Adapter, Feed, Statement, UnknownAdapter
from .camt import Camt053
from .errors import (
    BadFile,
    BadMapping,
    BadRow,
    ControlTotals,
    HostNotAllowed,
    SourceError,
    SourceUnreachable,
    UnsupportedCurrency,
)
from .http_api import HttpApi
from .mt940_files import Mt940
from .ofx import Ofx
from .settlements import SettlementApi, SettlementFile
from .tables import BankCsv, Csv, Parquet

_adapters: dict[str, Adapter] = {}


def register(adapter: Adapter) -> None:
    """Make an adapter known by its name."""
    _adapters[adapter.name] = adapter


def get_adapter(name: str) -> Adapter:
    """Raises UnknownAdapter."""
    if name not in _adapters:
        raise UnknownAdapter(name=name, known=", ".join(sorted(_adapters)))
    return _adapters[name]


def adapter_choices() -> list[tuple[str, str]]:
    return [(name, adapter.title) for name, adapter in sorted(_adapters.items())]


for _adapter in (
    Csv(), BankCsv(), Parquet(), HttpApi(), Camt053(), Mt940(), Ofx(), SettlementFile(), SettlementApi()
):  # fmt: skip
    register(_adapter)

__all__ = [
    "Adapter",
    "BadFile",
    "BadMapping",
    "BadRow",
    "ControlTotals",
    "Feed",
    "HostNotAllowed",
    "SourceError",
    "SourceUnreachable",
    "Statement",
    "UnknownAdapter",
    "UnsupportedCurrency",
    "adapter_choices",
    "get_adapter",
    "register",
]
