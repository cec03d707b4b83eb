"""What is due every night: months ahead are made, months that are old enough leave, and what runs left is cleared away.

How old is old enough is counted back from the newest closed month: a fleet that closes its books late keeps its months
longer. A month that cannot leave yet is told with the reason, and keeps no other from leaving.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from batconnect.common import locks
from batconnect.common.errors import BatConnectError
from batconnect.common.models import User

from ...models import ArchivedMonth
from ...selectors.archives import months_here
from ...selectors.months import closed_through
from .. import partitions
from ..errors import LedgerError
from . import files
from .moving import archive_month, drop_archived, drop_staging, obstacle_to_archiving

# The ledger first: its entries are read with their source rows as long as those are here.
KEPT = {
    ArchivedMonth.Kind.LEDGER: "LEDGER_MONTHS_KEPT",
    ArchivedMonth.Kind.SOURCE: "SOURCE_MONTHS_KEPT",
}
# From the tables that are there, for of the runs there will be many.
_STAGED_AND_OVER = """
SELECT DISTINCT r.id
  FROM pg_inherits i
  JOIN pg_class c ON c.oid = i.inhrelid
  JOIN journal_run_shard s ON s.id = substring(c.relname FROM '[0-9]+$')::bigint
  JOIN journal_run r ON r.id = s.run_id
 WHERE i.inhparent IN ('je_header_staging'::regclass, 'je_line_staging'::regclass)
   AND (r.state IN ('POSTED', 'FAILED') OR (r.dry_run AND r.state = 'VALIDATED'))
   AND coalesce(r.ended_at, r.validated_at, r.created_at) < now() - make_interval(days => %s)
 ORDER BY r.id
"""


class RotationAtWork(LedgerError):
    code, status = "archive.rotation_at_work", 409
    message = "A rotation of the partitions is at work already. Nothing was done."


@dataclass(frozen=True)
class Step:
    """One month and what became of it: `archived`, `would be archived`, or `kept`, and then why."""

    kind: str
    month: str
    outcome: str
    reason: str = ""
    rows: int = 0
    files: int = 0
    bytes: int = 0

    def __str__(self) -> str:
        named = f"{ArchivedMonth.Kind(self.kind).label} of {self.month}: {self.outcome}"
        if self.reason:
            return f"{named}: {self.reason}"
        if self.files:
            return f"{named}, {self.rows:,} rows in {self.files:,} files of {self.bytes:,} bytes"
        return named


@dataclass
class Rotation:
    """What one rotation did, or would do."""

    dry_run: bool
    months_ahead: int = 0
    newest_closed: str = ""
    steps: list[Step] = field(default_factory=list)
    staging_dropped: list[int] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def rotate_partitions(
    *,
    today: date,
    actor: User,
    dry_run: bool = False,
    progress: Callable[[str, int, int], None] = lambda step, done, total: None,
) -> Rotation:
    """Make the months ahead, archive and drop those beyond retention, clear what runs left. Raises RotationAtWork."""
    rotation = Rotation(dry_run=dry_run)
    with _alone():
        if not dry_run:
            rotation.months_ahead = partitions.make_months_ahead(today=today)
            files.remove_abandoned()
        through = closed_through()
        due: list[tuple[str, date]] = []
        if through is not None:
            newest = through.replace(day=1)
            rotation.newest_closed = f"{newest:%Y-%m}"
            due = [(kind, month) for kind in KEPT for month in due_months(kind, newest)]
        for done, (kind, month) in enumerate(due):
            progress(f"Archiving {kind.lower()} {month:%Y-%m}", done, len(due))
            rotation.steps.append(_rotate(kind, month, actor=actor, dry_run=dry_run))
        if not dry_run:
            _analyze({step.kind for step in rotation.steps if step.outcome == "archived"})
        rotation.staging_dropped = _drop_staging(dry_run=dry_run)
    return rotation


def due_months(kind: str, newest_closed: date) -> list[date]:
    """The months of this kind that are in the database and beyond retention, oldest first."""
    kept: int = getattr(settings, KEPT[ArchivedMonth.Kind(kind)])
    # The newest closed month is the first of those kept.
    number = newest_closed.year * 12 + newest_closed.month - 1 - kept
    last_due = date(number // 12, number % 12 + 1, 1)
    return [month for month in months_here(kind) if month <= last_due]


def _rotate(kind: str, month: date, *, actor: User, dry_run: bool) -> Step:
    named = f"{month:%Y-%m}"
    stays_until = _stays_until(kind, month)
    if stays_until is not None:
        return Step(kind, named, "kept", f"it was brought back, and stays until {stays_until}")
    try:
        if dry_run:
            refused = obstacle_to_archiving(kind=kind, month=month)
            return Step(kind, named, "kept" if refused else "would be archived", _reason(refused))
        archive = _unused_archive(kind, month)
        if archive is not None:
            try:
                return _step(drop_archived(archive=archive, actor=actor))
            except BatConnectError:
                # Its month changed, or its files did, since it was written: another is written.
                pass
        archive = archive_month(kind=kind, month=month, actor=actor)
        return _step(drop_archived(archive=archive, actor=actor))
    except BatConnectError as error:
        return Step(kind, named, "kept", _reason(error))


def _stays_until(kind: str, month: date) -> date | None:
    """Until when a month that was brought back is left alone; None when it is not."""
    last = ArchivedMonth.objects.filter(kind=kind, month=month).order_by("-number").first()
    if last is None or last.restored_at is None:
        return None
    until = timezone.localdate(last.restored_at) + timedelta(days=settings.RESTORED_DAYS_KEPT)
    return until if timezone.localdate() < until else None


def _unused_archive(kind: str, month: date) -> ArchivedMonth | None:
    """The last archive of a month, if it was written and the month not dropped: a rotation was killed in between."""
    last = ArchivedMonth.objects.filter(kind=kind, month=month).order_by("-number").first()
    return last if last is not None and last.dropped_at is None else None


def _step(archive: ArchivedMonth) -> Step:
    return Step(
        archive.kind,
        f"{archive.month:%Y-%m}",
        "archived",
        rows=archive.rows,
        files=archive.files.count(),
        bytes=archive.bytes,
    )


def _reason(error: BatConnectError | None) -> str:
    return "" if error is None else str(error.details.get("reason", error))


def _analyze(kinds: set[str]) -> None:
    with connection.cursor() as cursor:
        for kind in sorted(kinds):
            cursor.execute("SELECT ledger_analyze_months(%s)", [kind])


def _drop_staging(*, dry_run: bool) -> list[int]:
    """Drop what was staged for runs that ended long enough ago; returns their numbers."""
    with connection.cursor() as cursor:
        cursor.execute(_STAGED_AND_OVER, [settings.STAGING_DAYS_KEPT])
        runs = [run for (run,) in cursor.fetchall()]
    if dry_run:
        return runs
    dropped = []
    for run in runs:
        with suppress(LedgerError):
            drop_staging(run=run)
            dropped.append(run)
    return dropped


@contextmanager
def _alone() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [locks.ROTATION])
        if not cursor.fetchone()[0]:
            raise RotationAtWork
        try:
            yield
        finally:
            if connection.is_usable():
                cursor.execute("SELECT pg_advisory_unlock(%s)", [locks.ROTATION])
