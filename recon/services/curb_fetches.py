"""Trips from the processor's API into the ledger, by the same import as a file of them.

A fetch asks for a window of time, from some hours before the end of the last one that succeeded. All pages come before
anything is written: first what came is kept as a file, then one transaction imports the trips and says that the fetch
is done. So a fetch that dies anywhere leaves a row that says so, and no trip; and windows may overlap as they like,
for the import knows every row that it ever took: the same figures again are ignored, others are parked for a person.

It is here and not in the ledger because it speaks HTTP as the sources of reconciliation do, and the ledger knows
nothing of outside hosts. See docs/decisions/028-the-card-processor.md.
"""

import csv
import hashlib
import io
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from batconnect.common import audit, locks
from batconnect.common.errors import BatConnectError
from batconnect.common.models import User
from batconnect.common.transactions import money_transaction
from batconnect.common.weeks import NEW_YORK
from batconnect.exports.pdf_files import make_folder, write_whole
from ledger.engine.trips import COLUMNS
from ledger.services.trips import import_trips

from ..models import CurbFetch
from ..sources.errors import BadFile
from ..sources.http_client import Page, Paging, read_pages
from .errors import ReconError

FOLDER = "curb"  # below MEDIA_ROOT
LOST = "Its worker was lost. No trip of it was imported; the next fetch asks for the same hours again."
WRITTEN = (1980, 1, 1, 0, 0, 0)  # in the archive, so that the same pages make the same file
# The end of the stretch without a gap that the first fetch which succeeded lies in.
_FETCHED_UNTIL = """
WITH done AS (SELECT id, window_from, window_to FROM curb_fetch WHERE status = 'DONE'),
     stretches AS (SELECT unnest(range_agg(tstzrange(window_from, window_to, '[]'))) AS stretch FROM done)
SELECT upper(stretch) FROM stretches WHERE stretch @> (SELECT window_to FROM done ORDER BY id LIMIT 1)
"""
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)  # moments far from it cannot be reckoned with
Telling = Callable[..., Any]


class FetchUnset(ReconError):
    code, status = "curb.unset", 400
    message = "No address to fetch trips from is set. Set CURB_TRIPS_URL, and its host in RECON_API_HOSTS."


class FetchAtWork(ReconError):
    code, status = "curb.at_work", 409
    message = "Trips are being fetched already. Wait until that fetch has ended."


class WrongWindow(ReconError):
    code, status = "curb.window", 400
    message = "A window ends after it begins, and not in the future: {begin} to {end}."


class WindowTooEarly(ReconError):
    code, status = "curb.window_too_early", 400
    message = "There are no trips from before 2000. Say when the window begins and ends."


class EvidenceGone(ReconError):
    code, status = "curb.evidence_gone", 409
    message = (
        "The file of fetch {fetch} is not on this machine, or not as it was kept. Fetch the window again."
    )


def next_window(now: datetime) -> tuple[datetime, datetime]:
    """From some hours before the moment up to which everything was fetched since the first fetch, until now.

    A window that a person asked for further ahead does not leave what lies between unfetched.
    """
    with connection.cursor() as cursor:
        cursor.execute(_FETCHED_UNTIL)
        found = cursor.fetchone()
    if found is None:
        return now - timedelta(days=settings.CURB_FETCH_FIRST_DAYS), now
    return found[0] - timedelta(hours=settings.CURB_FETCH_OVERLAP_HOURS), now


def check_window(*, now: datetime, begin: datetime | None, end: datetime | None) -> tuple[datetime, datetime]:
    """The window to fetch, where one may be fetched. Raises FetchUnset, WindowTooEarly, WrongWindow."""
    if not settings.CURB_TRIPS_URL:
        raise FetchUnset
    if any(moment is not None and moment < EARLIEST for moment in (begin, end)):
        raise WindowTooEarly
    usual = next_window(now)
    begin, end = begin or min(usual[0], (end or now) - timedelta(hours=1)), end or usual[1]
    if not begin < end <= now:
        shown = [f"{moment.astimezone(NEW_YORK):%Y-%m-%d %H:%M}" for moment in (begin, end)]
        raise WrongWindow(begin=shown[0], end=shown[1])
    return begin, end


def fetch_trips(
    *,
    actor: User,
    now: datetime,
    begin: datetime | None = None,
    end: datetime | None = None,
    progress: Telling = lambda step, *count: None,
) -> CurbFetch:
    """Fetch the trips of a window (else of `next_window`) and import them. Not inside another transaction.

    Raises FetchUnset, FetchAtWork, WrongWindow; and SourceError, FileRefused, CannotWrite, which are kept with the
    fetch that failed.
    """
    begin, end = check_window(now=now, begin=begin, end=end)
    with _alone():
        fetch = CurbFetch.objects.create(window_from=begin, window_to=end, started_by=actor)
        try:
            pages = []
            for page in read_pages(_paging(begin, end)):
                progress(f"Page {page.number} is here", page.number)
                pages.append(page)
            progress("Importing")
            return _import(fetch, pages, actor)
        except BatConnectError as error:
            _fail(fetch, error.code, str(error), actor)
            raise
        except Exception:
            _fail(
                fetch,
                "curb.unexpected",
                "It stopped on an error nobody foresaw. No trip was imported.",
                actor,
            )
            raise


def evidence(fetch: CurbFetch) -> Path:
    """The file of what was fetched. Raises EvidenceGone where it is not there, or not as it was."""
    path = _folder() / fetch.file
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest() if fetch.file else ""
    except OSError:
        found = ""
    if not found or found != fetch.sha256:
        raise EvidenceGone(fetch=fetch.pk)
    return path


@contextmanager
def _alone() -> Iterator[None]:
    """One fetch at a time. What still says that it runs, and holds no lock, was lost with its worker."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [locks.CURB_FETCH])
        if not cursor.fetchone()[0]:
            raise FetchAtWork
    try:
        for lost in CurbFetch.objects.filter(status=CurbFetch.Status.RUNNING):
            _fail(lost, "curb.lost", LOST, lost.started_by)
        yield
    finally:
        # After a lost connection there is nothing to unlock: the server has done it.
        if connection.connection is not None and not connection.connection.closed and connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [locks.CURB_FETCH])


def _paging(begin: datetime, end: datetime) -> Paging:
    url = settings.CURB_TRIPS_URL
    for name, moment in (("{from}", begin), ("{to}", end)):
        url = url.replace(name, quote(moment.astimezone(UTC).isoformat(timespec="seconds")))
    return Paging.of(settings.CURB_TRIPS_PAGING, url=url)


def _import(fetch: CurbFetch, pages: Sequence[Page], actor: User) -> CurbFetch:
    """Keep what came, then import it; the file is there before anything says so."""
    table, count = _table(pages)
    content = _archive(pages, table)
    name = f"fetch-{fetch.pk:06}.zip"
    write_whole(_folder() / name, content)
    return _imported(
        fetch=fetch, actor=actor, table=table,
        kept={"pages": len(pages), "rows": count, "file": name, "sha256": hashlib.sha256(content).hexdigest()},
    )  # fmt: skip


@money_transaction
def _imported(*, fetch: CurbFetch, actor: User, table: bytes, kept: dict[str, Any]) -> CurbFetch:
    """The trips and the end of their fetch, together or not at all."""
    batch = None
    if kept["rows"]:
        with tempfile.NamedTemporaryFile(suffix=".csv") as file:
            file.write(table)
            file.flush()
            batch = import_trips(
                path=Path(file.name), actor=actor, file_name=f"CURB fetch {fetch.pk}"
            ).batch_id
    CurbFetch.objects.filter(pk=fetch.pk).update(
        status=CurbFetch.Status.DONE, batch_id=batch, ended_at=Now(), **kept
    )
    audit.record(
        actor=actor,
        action="curb.fetched",
        subject=f"curb_fetch:{fetch.pk}",
        after={"from": str(fetch.window_from), "to": str(fetch.window_to), "batch": batch, **kept},
    )
    return CurbFetch.objects.select_related("batch").get(pk=fetch.pk)


@money_transaction
def _fail(fetch: CurbFetch, code: str, error: str, actor: User) -> None:
    CurbFetch.objects.filter(pk=fetch.pk).update(
        status=CurbFetch.Status.FAILED, error_code=code, error=error, ended_at=Now()
    )
    audit.record(
        actor=actor,
        action="curb.fetch_failed",
        subject=f"curb_fetch:{fetch.pk}",
        after={"error": code, "message": error},
    )


def _table(pages: Sequence[Page]) -> tuple[bytes, int]:
    """The rows as the file import takes them, and how many there are. Fields we do not know are left out.

    Raises BadFile where a row lacks one of CURB's columns.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    count = 0
    for page in pages:
        for row in page.rows:
            count += 1
            missing = [name for name in COLUMNS if name not in row]
            if missing:
                raise BadFile(problem=f"row {count} on page {page.number} has no {missing[0]}")
            writer.writerow([_field(row[name], name, count) for name in COLUMNS])
    return text.getvalue().encode(), count


def _field(value: Any, name: str, row: int) -> str:
    """As a file would write it; numbers came as they were written."""
    if value is None:
        return ""
    if isinstance(value, str | int) and not isinstance(value, bool):
        return " ".join(str(value).split("\n"))
    raise BadFile(problem=f"row {row}, {name}: there is no single value")


def _archive(pages: Sequence[Page], table: bytes) -> bytes:
    """Every page as it came, and the table made of them."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for page in pages:
            _put(archive, f"pages/{page.number:05}.json", page.content)
        _put(archive, "trips.csv", table)
    return content.getvalue()


def _put(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, WRITTEN), content, compress_type=zipfile.ZIP_DEFLATED)


def _folder() -> Path:
    return make_folder(Path(settings.MEDIA_ROOT) / FOLDER)
