"""What files of source rows look like, pack by pack, and how they come as frames: from CSV, Parquet or memory.

Only the shape is judged here: columns, their kinds, encoding. A file of the wrong shape is refused whole. What
the values say is judged by `source_rows.py`. Trips have a file and an importer of their own (`trips.py`).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from .data_loader import ROW_NUMBER, FileRefused, read_frames, shown

FRAME_ROWS = 100_000  # rows held, judged and written at a time
PARQUET_MAGIC = b"PAR1"

ROWID = "source_rowid"
TXN_TYPE = "txn_type"
CURRENCY = "currency"
VALUE_DATE = "bank_value_date"
MONTH = "txn_month"  # may be left out: it follows from the value date
GROSS = "gross_amount"
DATES = (VALUE_DATE, MONTH)

ADDED, TAKEN = 1, -1


@dataclass(frozen=True)
class SourceFormat:
    """The columns of a pack's source file.

    `texts`: columns of text, and how many characters each may have. `components`: amounts that make up the gross;
    `identities` says how for each txn_type: gross is the sum of the amounts named, each times its sign, and an
    amount that is not named has no meaning there and must be 0.
    """

    texts: Mapping[str, int]
    components: tuple[str, ...]
    identities: Mapping[str, Mapping[str, int]]

    @property
    def amounts(self) -> tuple[str, ...]:
        return (GROSS, *self.components)

    @property
    def required(self) -> tuple[str, ...]:
        return (*self.texts, VALUE_DATE, *self.amounts)

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.texts, *DATES, *self.amounts)


COMMON = {ROWID: 64, TXN_TYPE: 20, "product_code": 20, "channel": 20, CURRENCY: 3}
FORMATS = {
    "takaful": SourceFormat(
        texts={**COMMON, "policy_no": 40},
        components=("tabarru_amount", "tanahud_amount", "invest_amount", "ujroh_amount", "admin_amount"),
        identities={
            "PREMIUM_RECEIPT": {
                "tabarru_amount": ADDED,
                "tanahud_amount": ADDED,
                "invest_amount": ADDED,
                "ujroh_amount": ADDED,
                "admin_amount": ADDED,
            },
            "CLAIM_PAID": {"tabarru_amount": ADDED, "invest_amount": ADDED, "admin_amount": TAKEN},
        },
    ),
}


class WrongSchema(FileRefused):
    code = "file.wrong_schema"
    message = "Column {column} is {found}; it has to be {wanted}. Write the file again with that."


class WrongColumns(FileRefused):
    code = "file.wrong_columns"
    message = "The columns are not those that were expected: {problem}. Correct their names and try again."


class BrokenParquet(FileRefused):
    code = "file.broken_parquet"
    message = "This is not a whole Parquet file: {problem}. Write it again and try once more."


def read_csv(blocks: Iterable[bytes], format: SourceFormat) -> Iterator[pl.DataFrame]:
    """Frames of `row_number` and text, as read_frames gives them; the header is row 1. Raises a FileRefused."""
    return read_frames(blocks, format.required, optional=[MONTH])


def read_parquet(path: Path, format: SourceFormat) -> Iterator[pl.DataFrame]:
    """Frames of `row_number` (the first row is 1) and the columns in their own kinds. Raises a FileRefused."""
    try:
        _check_schema(pl.read_parquet_schema(path), format)
        file = pl.scan_parquet(path, glob=False, hive_partitioning=False)
        batches = file.collect_batches(chunk_size=FRAME_ROWS, maintain_order=True)
        yield from _numbered(batches)
    except (PolarsError, OSError) as error:
        raise BrokenParquet(problem=str(error).partition("\n")[0]) from error


def read_frame(frame: pl.DataFrame, format: SourceFormat) -> Iterator[pl.DataFrame]:
    """As read_parquet, from memory."""
    _check_schema(frame.schema, format)
    return _numbered(frame.iter_slices(FRAME_ROWS))


def _numbered(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    first = 1
    for frame in frames:
        if frame.height:
            yield frame.with_columns(
                pl.int_range(first, first + frame.height, dtype=pl.Int64).alias(ROW_NUMBER)
            )
        first += frame.height


def _check_schema(schema: Mapping[str, pl.DataType], format: SourceFormat) -> None:
    problems = [
        f"{what} {', '.join(map(shown, listed))}"
        for what, listed in (
            ("missing", [name for name in format.required if name not in schema]),
            ("not known", [name for name in schema if name not in format.columns][: len(format.columns)]),
        )
        if listed
    ]
    if problems:
        raise WrongColumns(problem="; ".join(problems))
    for column, kind in schema.items():
        wanted, fits = _wanted(column, kind, format)
        if not fits and kind not in (pl.String, pl.Null):
            raise WrongSchema(column=column, found=kind, wanted=wanted)


def _wanted(column: str, kind: pl.DataType, format: SourceFormat) -> tuple[str, bool]:
    """What a column should be, and whether it is; text and a column of nulls always pass, and are read."""
    if column in format.amounts:
        return (
            "Decimal, an integer or text (amounts are never floats)",
            kind.is_decimal() or kind.is_integer(),
        )
    if column in DATES:
        return "Date or text", kind == pl.Date
    return "text or an integer", kind.is_integer() or kind in (pl.Categorical, pl.Enum)
