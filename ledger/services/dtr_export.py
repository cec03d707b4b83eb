"""A closed week's DTRs as PDF files in a folder. Reads the frozen reports and writes no table."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from batconnect.common.errors import BatConnectError
from batconnect.common.weeks import check_sunday
from batconnect.exports.pdf_files import PdfFile, make_folder, write_pdfs, write_whole
from ledger.models import DTR, WeeklyRun

from .dtr_pdf import STYLESHEET, dtr_html, render_dtrs_pdf

AT_A_TIME = 200


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
            write_whole(out / f"DTRs-{week}.pdf", render_dtrs_pdf(dtrs.prefetch_related("payments")))
        return Exported(week=week, dtrs=count, files=min(count, 1), out=out)
    processes = min(workers or os.cpu_count() or 1, count)
    written = write_pdfs(_files(week, out), stylesheet=STYLESHEET, workers=processes, progress=progress)
    return Exported(week=week, dtrs=written, files=written, out=out)


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
