"""A month's rows between tables and Parquet files: written chunk by chunk, read back the same way, to the last bit.

Every file holds at most `ROWS_PER_FILE` rows, so that memory stays flat whatever a month has. Columns keep their
types: whole numbers, dates, instants and decimals are what they are in the database, and everything else is its text
there. What is to be moved, and where files may lie, is decided by `ledger.services.archives`.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
from psycopg import sql

ROWS_PER_FILE = 250_000
ROWS_PER_GROUP = 125_000
_MARK = "="  # before every text, so that an empty one and none are not the same
_WHOLE: dict[str, Any] = {"bigint": pl.Int64, "integer": pl.Int32, "smallint": pl.Int16}
_MICROSECONDS = "(extract(epoch FROM {column}) * 1000000)::bigint"


@dataclass(frozen=True)
class Column:
    """One column: its name, and its type as the catalogue calls it."""

    name: str
    kind: str

    @property
    def dtype(self) -> Any:
        """The type in frames and files."""
        if self.kind in _WHOLE:
            return _WHOLE[self.kind]
        if self.kind == "date":
            return pl.Date
        if self.kind == "timestamp with time zone":
            return pl.Datetime("us", "UTC")
        if self.kind.startswith("numeric("):
            precision, scale = self.kind.removeprefix("numeric(").removesuffix(")").split(",")
            return pl.Decimal(int(precision), int(scale))
        return pl.String

    @property
    def sent_as(self) -> Any:
        """The type in the text that the database sends."""
        return pl.Int64 if self.dtype == pl.Datetime("us", "UTC") else self.dtype

    def selected(self) -> sql.Composable:
        """What is selected so that nothing is lost in that text."""
        name = sql.Identifier(self.name)
        if self.dtype == pl.String:
            return sql.SQL("{} || {}::text").format(sql.Literal(_MARK), name)
        if self.sent_as != self.dtype:
            return sql.SQL(_MICROSECONDS).format(column=name)
        return name


@dataclass(frozen=True)
class Written:
    """A file that was written: its name, how many rows it has, how long it is, and the hash of its bytes."""

    name: str
    rows: int
    bytes: int
    sha256: str


def columns_of(described: Sequence[Sequence[str]]) -> list[Column]:
    """Columns from (name, type) as the database describes them."""
    return [Column(name, kind) for name, kind in described]


def write_rows(
    cursor: Any, *, table: str, where: sql.Composable, columns: Sequence[Column], folder: Path, name: str
) -> list[Written]:
    """Write the rows of a table to files `NAME-0001.parquet` and on; one with no rows when there are none.

    `cursor` is psycopg's own. The rows keep the order in which they lie in the table.
    """
    query = sql.SQL("COPY (SELECT {} FROM {} WHERE {}) TO STDOUT (FORMAT csv)").format(
        sql.SQL(", ").join(column.selected() for column in columns), sql.Identifier(table), where
    )
    written: list[Written] = []
    for frame in _frames(cursor, query, columns):
        path = folder / f"{name}-{len(written) + 1:04}.parquet"
        frame.write_parquet(path, compression="zstd", row_group_size=ROWS_PER_GROUP)
        written.append(Written(path.name, frame.height, path.stat().st_size, _synced_digest(path)))
    return written


def copy_file(cursor: Any, path: Path, *, table: Sequence[str], columns: Sequence[Column]) -> int:
    """COPY a file's rows into a table, named by schema and name or by name alone; returns how many.

    Raises OSError and polars' errors where the file cannot be read.
    """
    frame = pl.read_parquet(path, columns=[column.name for column in columns])
    instants = [name for name, kind in frame.schema.items() if kind == pl.Datetime("us", "UTC")]
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(
        sql.Identifier(*table), sql.SQL(", ").join(map(sql.Identifier, frame.columns))
    )
    with cursor.copy(statement) as copy:
        for part in frame.iter_slices(ROWS_PER_GROUP):
            copy.write(
                part.with_columns(pl.col(name).dt.replace_time_zone(None) for name in instants).write_csv(
                    include_header=False,
                    datetime_format="%Y-%m-%d %H:%M:%S%.6f+00",
                    quote_style="non_numeric",
                )
            )
    return frame.height


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Make sure that the names in a folder outlast a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _frames(cursor: Any, query: sql.Composable, columns: Sequence[Column]) -> Iterator[pl.DataFrame]:
    """What a COPY gives, in frames of at most ROWS_PER_FILE rows; at least one."""
    rows: list[bytes] = []
    given = 0
    with cursor.copy(query) as copy:
        for row in copy:
            rows.append(bytes(row))
            if len(rows) == ROWS_PER_FILE:
                yield _frame(rows, columns)
                given += 1
                rows.clear()
    if rows or not given:
        yield _frame(rows, columns)


def _frame(rows: Sequence[bytes], columns: Sequence[Column]) -> pl.DataFrame:
    if not rows:
        return pl.DataFrame(schema={column.name: column.dtype for column in columns})
    sent = pl.read_csv(
        BytesIO(b"".join(rows)),
        has_header=False,
        schema={column.name: column.sent_as for column in columns},
    )
    return sent.with_columns(
        pl.col(column.name).str.slice(1)
        if column.dtype == pl.String
        else pl.col(column.name).cast(column.dtype)
        for column in columns
    )


def _synced_digest(path: Path) -> str:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()
