"""Files that are not of CURB's shape are refused whole, with row and column, and nothing is written."""

import io
import json
import tracemalloc
import zipfile
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import polars as pl
import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from leases.models import Lease
from ledger.engine.data_loader import EmptyFile, FileRefused, LineTooLong, read_frames
from ledger.models import ImportBatch, ParkedRow, SourceTransaction
from tests.factories import make_lease

from .trip_files import HEADER, load, trip, written

BOM = b"\xef\xbb\xbf"


def _zipped() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("trips.csv", HEADER)
    return target.getvalue()


GOOD = written([trip(), trip()])
LINES = GOOD.splitlines(keepends=True)
SHORT_ROW = b",".join(LINES[2].split(b",")[:-1]) + b"\n"
BROKEN: dict[str, tuple[bytes, str, str]] = {
    "empty": (b"", "file.empty", "header"),
    "blank": (b"\n \n\n", "file.empty", "header"),
    "no header": (LINES[1] + LINES[2], "file.wrong_header", "missing 'ROWID'"),
    "header not on row 1": (b"\n" + GOOD, "file.wrong_header", "Row 1"),
    "unknown column": (
        GOOD.replace(b"cbdt,", b"cbdt,surprise,", 1),
        "file.wrong_header",
        "not known 'surprise'",
    ),
    "missing column": (GOOD.replace(b"TAX,IMPTAX", b"IMPTAX", 1), "file.wrong_header", "missing 'TAX'"),
    "column twice": (GOOD.replace(b"IMPTAX", b"TAX", 1), "file.wrong_header", "there twice 'TAX'"),
    "column by another name": (
        GOOD.replace(b"CongFee", b"congfee", 1),
        "file.wrong_header",
        "not known 'congfee'",
    ),
    "too few fields": (LINES[0] + LINES[1] + SHORT_ROW, "file.ragged_row", "Row 3 .* PAYMENT_TYPE"),
    "too many fields": (GOOD + LINES[1].replace(b"\n", b",x\n"), "file.ragged_row", "Row 4 has 18 fields"),
    "thousands separator": (
        GOOD.replace(b"10.00", b"1,234", 1),
        "file.ragged_row",
        "Row 2 has 18 fields instead of 17",
    ),
    "latin-1": (GOOD.replace(b"4P58", b"4\xe958", 1), "file.not_utf8", "Row 2, column CABNUMBER"),
    "utf-16": (GOOD.decode().encode("utf-16"), "file.", "Row 1"),
    "null byte": (
        GOOD.replace(b"15.80", b"15\x0080", 1),
        "file.control_character",
        "Row 2, column TOTAL_AMOUNT",
    ),
    "old mac lines": (GOOD.replace(b"\n", b"\r"), "file.control_character", "Row 1"),
    "open quote": (GOOD.replace(b"4P58", b'"4P58', 1), "file.broken_quote", "Row 2, column CABNUMBER"),
    "a zip": (_zipped(), "file.", "Row 1"),
    "huge line": (GOOD + b"x" * 2_000_000, "file.line_too_long", "Row 4"),
    "huge line in the middle": (
        LINES[0] + b"x" * 1_500_000 + b"\n" + LINES[1],
        "file.line_too_long",
        "Row 2",
    ),
}


@pytest.mark.django_db
@pytest.mark.parametrize("what", BROKEN)
def test_a_file_of_another_shape_is_refused_and_nothing_is_written(tmp_path: Path, what: str) -> None:
    content, code, message = BROKEN[what]
    path = tmp_path / "trips.csv"
    path.write_bytes(content)
    out = StringIO()
    with pytest.raises(CommandError, match=message):
        call_command("import_trips", str(path), "--json", stdout=out)
    assert json.loads(out.getvalue())["error"].startswith(code)
    assert ImportBatch.objects.count() == ParkedRow.objects.count() == SourceTransaction.objects.count() == 0


@pytest.mark.django_db
def test_a_fault_far_down_undoes_what_was_written_before_it(tmp_path: Path) -> None:
    lease = make_lease()
    lines = written(trip(lease) for _ in range(45_000))  # more than one block of 4 MB
    with pytest.raises(FileRefused, match="Row 45002 has 1 fields"):
        load(tmp_path, content=lines + b"the end\n")
    assert ImportBatch.objects.count() == SourceTransaction.objects.count() == 0


@pytest.fixture
def lease() -> Lease:
    return make_lease()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        lambda text: BOM + text,
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text.rstrip(b"\n"),
        lambda text: text.replace(b"\n", b"\n\n") if not text.startswith(b"\n") else text,
        lambda text: b"".join(
            b",".join(b'"%s"' % f for f in line.split(b",")) + b"\n" for line in text.splitlines()
        ),
        lambda text: b"".join(b",".join(reversed(line.split(b","))) + b"\n" for line in text.splitlines()),
    ],
    ids=["byte order mark", "windows lines", "no last newline", "blank lines", "all quoted", "other order"],
)
def test_what_spreadsheets_do_to_a_file_does_not_matter(
    tmp_path: Path, lease: Lease, change: Callable[[bytes], bytes]
) -> None:
    assert load(tmp_path, content=change(written([trip(lease), trip(lease)]))).accepted == 2


@pytest.mark.django_db
def test_a_header_alone_is_a_file_without_trips(tmp_path: Path) -> None:
    assert load(tmp_path, content=HEADER.encode()).rows == 0


@given(st.lists(st.integers(0, len(GOOD)), max_size=8).map(sorted))
def test_where_blocks_are_cut_changes_nothing(cuts: list[int]) -> None:
    columns = HEADER.split(",")
    data = BOM + GOOD.replace(b"\n", b"\r\n")
    ends = [*cuts, len(data)]
    blocks = [data[start:end] for start, end in zip([0, *cuts], ends, strict=True) if start < end]
    whole = pl.concat(read_frames([GOOD], columns))
    assert pl.concat(read_frames(blocks, columns)).equals(whole)


def test_a_hundred_megabytes_on_one_line_take_no_more_memory_than_a_block() -> None:
    blocks = (b"x" * 4_000_000 for _ in range(25))
    tracemalloc.start()
    with pytest.raises(LineTooLong):
        list(read_frames(blocks, ["a"]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


def test_no_bytes_at_all_are_an_empty_file() -> None:
    with pytest.raises(EmptyFile):
        list(read_frames([], ["a"]))
