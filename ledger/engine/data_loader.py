"""From the bytes of a delimited file to frames of text, a few thousand rows at a time; and from a query to a frame.

Only the shape of the file is judged here: encoding, header, number of fields. A file of the wrong shape is
refused whole, with row and column, for its rows cannot be trusted to be what they seem. What the fields say
is judged by the stages after this one (`trips.py`), row by row.

A row is a line, and carries the number a spreadsheet shows: the header is row 1. Blank lines are passed over.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl
import psycopg
from polars.exceptions import PolarsError
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus

from batconnect.common.errors import BatConnectError

ROW_NUMBER = "row_number"
LONGEST_LINE = 1_000_000  # bytes
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
CONTROL_CHARACTERS = bytes(set(range(32)) - set(b"\t\n")) + b"\x7f"
SHOWN = 40  # characters of a wrong value that a message repeats


class FileRefused(BatConnectError):
    """The file as a whole is not what it should be; nothing of it was loaded."""

    code = "file.refused"


class EmptyFile(FileRefused):
    code = "file.empty"
    message = "The file is empty; it should start with a header that names the columns."


class WrongHeader(FileRefused):
    code = "file.wrong_header"
    message = "Row 1 is not the header that was expected: {problem}. Correct the column names and try again."


class NotUtf8(FileRefused):
    code = "file.not_utf8"
    message = (
        "Row {row}, column {column}: this is not UTF-8 text. Save the file as CSV in UTF-8 and try again."
    )


class ControlCharacter(FileRefused):
    code = "file.control_character"
    message = (
        "Row {row}, column {column}: there is a control character ({character}) in the text. "
        "Export the file again as plain CSV."
    )


class LineTooLong(FileRefused):
    code = "file.line_too_long"
    message = "Row {row} is longer than {limit} bytes, from column {column} on; this is not a file of rows."


class RaggedRow(FileRefused):
    code = "file.ragged_row"
    message = "Row {row} has {found} fields instead of {expected}: {problem}. Export the file again."


class BrokenQuote(FileRefused):
    code = "file.broken_quote"
    message = 'Row {row}, column {column}: a quotation mark (") is opened and not closed, or misplaced.'


def read_frames(
    blocks: Iterable[bytes], columns: Sequence[str], *, optional: Sequence[str] = ()
) -> Iterator[pl.DataFrame]:
    """Frames of `row_number` and the given columns, as text exactly as it came, in the order of the file.

    The file may have its columns in any order, but has to have these and no others, save the `optional` ones:
    those that it has come last. Holds one block at a time. Raises a FileRefused.
    """
    header: list[str] | None = None
    for first_row, chunk in _whole_lines(blocks):
        text = _decoded(chunk, first_row, header or columns)
        if header is None:
            first, first_row, text = _first_line(text, first_row)
            if not first:
                continue
            header = _header((first_row - 1, first), columns, optional)
        frame = _fields(text, first_row, header)
        if frame.height:
            expected = [*columns, *(name for name in optional if name in header)]
            schema = schema_of({ROW_NUMBER: pl.Int64, **dict.fromkeys(expected, pl.String)})
            frame = frame.select(*schema)
            assert frame.schema == schema, frame.schema
            yield frame
    if header is None:
        raise EmptyFile


def schema_of(columns: Mapping[str, Any]) -> pl.Schema:
    """A schema from names and kinds of columns, where the kinds are a mix of classes and instances."""
    return pl.Schema(columns)


def read_query(
    connection: psycopg.Connection, query: str, parameters: Mapping[str, Any], schema: pl.Schema
) -> pl.DataFrame:
    """The rows of a query, whose columns are those of `schema` in their order; decimals are exact.

    By COPY, for nothing brings rows into a frame faster. Nobody else uses the connection meanwhile.
    """
    query = psycopg.ClientCursor(connection).mogrify(query, parameters)
    text = _copied_out(connection, f"COPY ({query}) TO STDOUT (FORMAT csv, ENCODING 'UTF8')".encode())
    frame = pl.read_csv(text, has_header=False, schema=schema) if text else pl.DataFrame(schema=schema)
    assert frame.schema == schema, frame.schema
    return frame


def _copied_out(connection: psycopg.Connection, statement: bytes) -> bytes:
    """What a COPY … TO STDOUT gives. Row by row through psycopg's own Copy takes four times as long."""
    server = connection.pgconn
    result = server.exec_(statement)
    rows: list[bytes] = []
    if result.status == ExecStatus.COPY_OUT:
        while (found := server.get_copy_data(0))[0] > 0:
            rows.append(bytes(found[1]))
        result = server.get_result() or result
    if result.status != ExecStatus.COMMAND_OK:
        raise error_from_result(result)
    while server.get_result() is not None:
        pass
    return b"".join(rows)


def shown(value: str) -> str:
    """A wrong value as a message repeats it: in quotes, and never long."""
    return f"'{value}'" if len(value) <= SHOWN else f"'{value[:SHOWN]}…'"


def _whole_lines(blocks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """The number of a first row, and bytes that end where a line ends."""
    row, rest, at_start = 1, b"", True
    for block in blocks:
        data = rest + block
        if at_start and len(data) >= len(BYTE_ORDER_MARK):
            data, at_start = data.removeprefix(BYTE_ORDER_MARK), False
        cut = data.rfind(b"\n") + 1
        whole, rest = data[:cut], data[cut:]
        if whole:
            yield row, whole
            row += whole.count(b"\n")
        if len(rest) > LONGEST_LINE:
            _refuse_long_line(row, rest)
    rest = rest.removeprefix(BYTE_ORDER_MARK) if at_start else rest
    if rest:
        yield row, rest


def _refuse_long_line(row: int, line: bytes) -> None:
    raise LineTooLong(row=row, limit=LONGEST_LINE, column=line[:LONGEST_LINE].count(b",") + 1)


def _decoded(chunk: bytes, first_row: int, header: Sequence[str]) -> str:
    chunk = chunk.replace(b"\r\n", b"\n")
    longest = max(chunk.split(b"\n"), key=len)
    if len(longest) > LONGEST_LINE:
        _refuse_long_line(first_row + chunk.count(b"\n", 0, chunk.index(longest)), longest)
    if len(chunk.translate(None, CONTROL_CHARACTERS)) != len(chunk):
        position = next(i for i, byte in enumerate(chunk) if byte in CONTROL_CHARACTERS)
        row, column = _place(chunk, position, first_row, header)
        raise ControlCharacter(row=row, column=column, character=f"0x{chunk[position]:02X}")
    try:
        return chunk.decode("utf-8")
    except UnicodeDecodeError as error:
        row, column = _place(chunk, error.start, first_row, header)
        raise NotUtf8(row=row, column=column) from None


def _place(chunk: bytes, position: int, first_row: int, header: Sequence[str]) -> tuple[int, str]:
    """Row and column of a byte; good enough for a message also where commas stand in quotes."""
    line_start = chunk.rfind(b"\n", 0, position) + 1
    row = first_row + chunk.count(b"\n", 0, position)
    return row, _column_name(chunk.count(b",", line_start, position), header)


def _column_name(index: int, header: Sequence[str]) -> str:
    return header[index] if index < len(header) else str(index + 1)


def _first_line(text: str, row: int) -> tuple[str, int, str]:
    """The first line that is not blank, or nothing; the number of the row after it; and the rest."""
    while text:
        line, _, text = text.partition("\n")
        row += 1
        if line.strip():
            return line, row, text
    return "", row, text


def _header(line: tuple[int, str], columns: Sequence[str], optional: Sequence[str]) -> list[str]:
    row, text = line
    names = [name.strip() for name in _split_quoted(row, text, columns)] if row == 1 else []
    missing = [name for name in columns if name not in names]
    unknown = [name for name in names if name not in columns and name not in optional]
    twice = sorted({name for name in names if names.count(name) > 1})
    problems = [
        f"{what} {', '.join(shown(name) for name in listed[: len(columns)])}"
        for what, listed in (("missing", missing), ("not known", unknown), ("there twice", twice))
        if listed
    ]
    if problems:
        raise WrongHeader(problem="; ".join(problems))
    return names


def _fields(text: str, first_row: int, header: Sequence[str]) -> pl.DataFrame:
    """`row_number` and the fields of every line that is not blank."""
    frame = _plain_fields(text, first_row, header)
    if frame is not None:
        return frame
    lines = [(row, line) for row, line in enumerate(text.split("\n"), first_row) if line.strip()]
    rows = pl.Series(ROW_NUMBER, [row for row, _ in lines], dtype=pl.Int64)
    split = [_split_quoted(row, line, header) for row, line in lines]
    _refuse_ragged(rows, pl.Series([len(fields) for fields in split], dtype=pl.Int64), header)
    return pl.DataFrame(split, schema=dict.fromkeys(header, pl.String), orient="row").with_columns(rows)


def _plain_fields(text: str, first_row: int, header: Sequence[str]) -> pl.DataFrame | None:
    """As `_fields`, many times faster, for the usual: no quotation marks, no blank lines, no line of another length.

    Null for the others, which are looked at line by line. Whoever has too many fields makes the library refuse; and
    where none has, the number of commas tells that none has too few.
    """
    lines = text.count("\n") + (not text.endswith("\n"))
    commas = len(header) - 1
    if '"' in text or "\n\n" in text or text.startswith("\n") or text.count(",") != lines * commas:
        return None
    schema = dict.fromkeys(header, pl.String)
    try:
        frame = pl.read_csv(
            text.encode(), has_header=False, schema=schema, quote_char=None, empty_string_is_null=False
        )
    except PolarsError:
        return None
    if frame.height != lines:
        return None
    return frame.with_columns(pl.int_range(first_row, first_row + lines, dtype=pl.Int64).alias(ROW_NUMBER))


def _refuse_ragged(rows: pl.Series, counts: pl.Series, header: Sequence[str]) -> None:
    wrong = (counts != len(header)).arg_max()
    if wrong is None or counts[wrong] == len(header):
        return
    found = counts[wrong]
    problem = (
        f"there is nothing for column {header[found]}"
        if found < len(header)
        else f"field {len(header) + 1} belongs to no column"
    )
    raise RaggedRow(row=rows[wrong], found=found, expected=len(header), problem=problem)


def _split_quoted(row: int, line: str, header: Sequence[str]) -> list[str]:
    """One line's fields where quotation marks may enclose them; a field never goes over the end of a line."""
    if '"' not in line:
        return line.split(",")
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error:
        column = _column_name(line.count(",", 0, line.index('"')), header)
        raise BrokenQuote(row=row, column=column) from None
