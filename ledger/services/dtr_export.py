"""A closed week's DTRs as PDF files in a folder, or as one file to download. Writes no table.

Files to download are kept in a folder of their own for `KEPT`, then forgotten: they can be made again.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Literal
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from django.conf import settings

from batconnect.common.errors import BatConnectError
from batconnect.common.weeks import check_sunday, saturday_of
from batconnect.exports.pdf_files import CannotWrite, PdfFile, make_folder, write_pdfs, write_whole
from ledger.models import DTR, WeeklyRun

from .dtr_pdf import STYLESHEET, NothingToRender, dtr_html, render_dtrs_pdf

AT_A_TIME = 200
KEPT = timedelta(days=14)

WeekFormat = Literal["zip", "pdf"]


class WeekHasNoDtrs(BatConnectError):
    code, status = "dtr.week_not_closed", 409
    message = "The week of {week} is not closed, so it has no DTRs yet. {advice}"


@dataclass(frozen=True)
class Exported:
    """What was written: how many DTRs, as how many files, into which folder."""

    week: date
    dtrs: int
    files: int
    out: Path

    def as_dict(self) -> dict[str, str | int]:
        return {"week": self.week.isoformat(), "dtrs": self.dtrs, "files": self.files, "out": str(self.out)}


def export_dtrs(
    *,
    week: date,
    out: Path,
    one_file: bool = False,
    workers: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Exported:
    """Write one PDF for each DTR of `week`, named by its number, or all in one named by the week.

    Files that are there already are replaced: by the same bytes, unless a DTR was paid or returned since.
    workers: processes to lay pages out in; by default one per processor.
    Raises NotASunday, WeekHasNoDtrs, CannotWrite, WorkerLost, TooManyForOneFile.
    """
    _check_closed(check_sunday(week))
    out = make_folder(out.resolve())
    dtrs = DTR.objects.filter(week=week).order_by("number")
    count = dtrs.count()
    if one_file:
        if count:
            content = render_dtrs_pdf(dtrs.prefetch_related("payments"), progress)
            write_whole(out / f"DTRs-{week}.pdf", content)
        return Exported(week=week, dtrs=count, files=min(count, 1), out=out)
    processes = min(workers or os.cpu_count() or 1, count)
    written = write_pdfs(_files(week, out), stylesheet=STYLESHEET, workers=processes, progress=progress)
    return Exported(week=week, dtrs=written, files=written, out=out)


def week_file(week: date, file_format: WeekFormat) -> Path:
    """Where the file to download of a week is, once `make_week_file` has made it."""
    return Path(settings.MEDIA_ROOT) / "dtrs" / f"DTRs-{week}.{file_format}"


def make_week_file(
    *,
    week: date,
    file_format: WeekFormat,
    workers: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Exported:
    """Make the file to download of a week: a ZIP of one PDF for each DTR, or one PDF of them all.

    It replaces the one that was there; both give the same bytes, unless a DTR was paid or returned since.
    Raises NotASunday, WeekHasNoDtrs, NothingToRender, CannotWrite, WorkerLost, TooManyForOneFile.
    """
    path = week_file(week, file_format)
    folder = make_folder(path.parent)
    _forget_old(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".part-") as part:
        pdfs = Path(part) / "pdfs"
        exported = export_dtrs(
            week=week, out=pdfs, one_file=file_format == "pdf", workers=workers, progress=progress
        )
        if not exported.dtrs:
            raise NothingToRender
        try:
            whole = _zipped(pdfs, Path(part) / path.name, week) if file_format == "zip" else pdfs / path.name
            whole.replace(path)
        except OSError as error:
            raise CannotWrite(path=path, problem=error.strerror or error) from None
    return Exported(week=week, dtrs=exported.dtrs, files=1, out=path)


def _zipped(folder: Path, path: Path, week: date) -> Path:
    """The folder's files in a ZIP, stored as they are: PDFs are compressed already."""
    saturday = saturday_of(week)
    with ZipFile(path, "w", ZIP_STORED) as archive:
        for file in sorted(folder.iterdir()):
            # Not the clock's time: the same DTRs are the same file.
            entry = ZipInfo(file.name, date_time=(saturday.year, saturday.month, saturday.day, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes())
    return path


def _forget_old(folder: Path) -> None:
    """Remove what is older than `KEPT`, and what a job that was killed left behind."""
    oldest = time.time() - KEPT.total_seconds()
    for path in folder.iterdir():
        if path.lstat().st_mtime >= oldest:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _check_closed(week: date) -> None:
    if WeeklyRun.objects.filter(week=week, status=WeeklyRun.Status.CLOSED).exists():
        return
    last = WeeklyRun.objects.filter(status=WeeklyRun.Status.CLOSED).order_by("-week").first()
    advice = (
        f"The last closed week is {last.week}." if last else "No week was closed yet; run one with run_week."
    )
    raise WeekHasNoDtrs(week=week, advice=advice)


def _files(week: date, out: Path) -> Iterator[PdfFile]:
    dtrs = DTR.objects.filter(week=week).order_by("number").prefetch_related("payments")
    for dtr in dtrs.iterator(chunk_size=AT_A_TIME):
        yield PdfFile(html=dtr_html(dtr), path=out / f"{dtr.number}.pdf")
