"""One month out of the database, and back.

Out: its rows are written to files in one consistent view; the files are read back into the session; the database
compares what came back with what it holds, column by column, and only then records the archive. Dropping is a step
of its own, in which the database validates everything again. Every step can be killed and begun again.

Back: one transaction that copies the files into new partitions, compares them with what was recorded, and attaches
them; so a month is back whole, or not at all.
"""

import json
import random
import shutil
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from django.db import OperationalError, connection, transaction
from psycopg import sql

from batconnect.common import audit
from batconnect.common.models import User
from batconnect.common.transactions import sqlstate
from ledger.engine.archive_files import columns_of, copy_file, write_rows

from ...models import ArchivedMonth
from ...selectors.account_balances import next_month
from ..errors import ArchiveRefused, LedgerError, translated
from . import files
from .reading import PREFIX

LOCK_WAIT = "2s"  # for a lock that everybody who posts would wait behind
ATTEMPTS = 15
_BUSY = {"55P03", "40P01"}  # a lock not granted in time, a deadlock
_DATED = {"LEDGER": "je_date", "SOURCE": "txn_month"}

Result = TypeVar("Result")


class NotArchived(LedgerError):
    code, status = "archive.not_archived", 404
    message = "The {kind} of {month} are not archived: they are in the database, or never were."


class ArchiveBusy(LedgerError):
    code, status = "archive.busy", 409
    message = "{what} is being read or written without a pause; nothing was changed. Try again later."


class CannotWriteArchive(LedgerError):
    code, status = "archive.cannot_write", 500
    message = "The archive of {month} cannot be written in {folder}: {problem}. Nothing was dropped."


def archive_month(*, kind: str, month: date, actor: User) -> ArchivedMonth:
    """Write a month's rows to files, prove that they hold all of it, and record that; the month stays where it is.

    kind: LEDGER (entries and their lines) or SOURCE (source rows). Raises ArchiveRefused, ArchiveBusy,
    CannotWriteArchive.
    """
    refused = obstacle_to_archiving(kind=kind, month=month)
    if refused:
        raise refused
    try:
        with files.new_folder(kind, month) as folder:
            return _retried(f"{month:%Y-%m}", lambda: _archive(kind, month, folder, actor), attempts=1)
    except OSError as error:
        raise CannotWriteArchive(
            month=f"{month:%Y-%m}", folder=files.archive_root(), problem=error.strerror or error
        ) from None


def drop_archived(*, archive: ArchivedMonth, actor: User) -> ArchivedMonth:
    """Drop the partitions of an archived month. The files are checked first, and the database checks the rest.

    Raises ArchiveDamaged, ArchiveRefused (also where the month changed since), ArchiveBusy.
    """
    files.check_files(archive)

    def drop() -> None:
        with translated(), transaction.atomic(), connection.cursor() as cursor:
            _be_brief(cursor)
            cursor.execute("SELECT ledger_drop_archived(%s, %s)", [archive.pk, actor.pk])
            audit.record(
                actor=actor, action="month.dropped", subject=_subject(archive), after=_facts(archive)
            )

    _retried(f"{archive.month:%Y-%m}", drop)
    archive.refresh_from_db()
    return archive


def restore_month(*, kind: str, month: date, actor: User) -> ArchivedMonth:
    """Bring an archived month back from its files, as it was. Raises NotArchived, ArchiveDamaged, ArchiveRefused."""
    archive = ArchivedMonth.objects.filter(
        kind=kind, month=month, dropped_at__isnull=False, restored_at__isnull=True
    ).first()
    if archive is None:
        raise NotArchived(kind=ArchivedMonth.Kind(kind).label.lower(), month=f"{month:%Y-%m}")
    files.check_files(archive)

    def restore() -> None:
        with translated(), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT ledger_open_restore(%s)", [archive.pk])
            files.copy_rows(cursor.cursor, archive, into=None)
            _be_brief(cursor)
            cursor.execute("SELECT ledger_close_restore(%s, %s)", [archive.pk, actor.pk])
            audit.record(
                actor=actor, action="month.restored", subject=_subject(archive), after=_facts(archive)
            )

    _retried(f"{month:%Y-%m}", restore)
    archive.refresh_from_db()
    return archive


def obstacle_to_archiving(*, kind: str, month: date) -> ArchiveRefused | None:
    """Why a month cannot be moved out of the database now; None when it can."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_archive_obstacle(%s, %s)", [kind, month])
        (reason,) = cursor.fetchone()
    return None if reason is None else ArchiveRefused(reason=reason)


def drop_staging(*, run: int) -> None:
    """Drop what was staged for a bulk run that is over. Raises ArchiveBusy, and Refused when it is not over."""

    def drop() -> None:
        with translated(), transaction.atomic(), connection.cursor() as cursor:
            _be_brief(cursor)
            cursor.execute("SELECT ledger_drop_staging(%s)", [run])

    _retried(f"What run {run} staged", drop)


def _archive(kind: str, month: date, folder: Path, actor: User) -> ArchivedMonth:
    """The files of one archive, and its record."""
    with transaction.atomic(), connection.cursor() as cursor:
        written, columns = _write(cursor, kind, month, folder)
        # Read back into this session, by the same way as a restore reads them.
        cursor.execute("SELECT ledger_open_archives()")
        for file in written:
            copy_file(
                cursor.cursor,
                folder / file["name"],
                table=("pg_temp", PREFIX + file["parent"]),
                columns=columns_of(columns[file["parent"]]),
            )
        lasting = files.finish(folder, {"kind": kind, "month": month, "columns": columns, "files": written})
        try:
            archive = _record(cursor, kind, month, lasting, written, actor)
        except BaseException:
            shutil.rmtree(lasting, ignore_errors=True)
            raise
        cursor.execute("SELECT ledger_close_archives()")
        audit.record(actor=actor, action="month.archived", subject=_subject(archive), after=_facts(archive))
    return archive


def _record(
    cursor: Any, kind: str, month: date, folder: Path, written: Sequence[dict[str, Any]], actor: User
) -> ArchivedMonth:
    described = [{**file, "path": files.relative(folder / file["name"])} for file in written]
    with translated():
        cursor.execute(
            "SELECT ledger_record_archive(%s, %s, %s, %s)", [kind, month, json.dumps(described), actor.pk]
        )
    return ArchivedMonth.objects.get(pk=cursor.fetchone()[0])


def _write(
    cursor: Any, kind: str, month: date, folder: Path
) -> tuple[list[dict[str, Any]], dict[str, list[list[str]]]]:
    """Every leaf of a month as files; what they are, and the columns of each table."""
    # Rows come in the order in which they lie, whatever else reads the table.
    cursor.execute("SET LOCAL synchronize_seqscans = off")
    cursor.execute("SET LOCAL max_parallel_workers_per_gather = 0")
    cursor.execute(
        "SELECT parent, leaf, batch_id, ledger_archive_columns(parent)::text FROM ledger_archive_leaves(%s, %s)",
        [kind, month],
    )
    written: list[dict[str, Any]] = []
    columns: dict[str, list[list[str]]] = {}
    for parent, leaf, batch_id, described in cursor.fetchall():
        columns[parent] = json.loads(described)
        where = sql.SQL("{dated} >= {first} AND {dated} < {next}").format(
            dated=sql.Identifier(_DATED[kind]), first=sql.Literal(month), next=sql.Literal(next_month(month))
        )
        if kind == ArchivedMonth.Kind.LEDGER:
            where += sql.SQL(" AND batch_id = {}").format(sql.Literal(batch_id))
        parts = write_rows(
            cursor.cursor,
            table=parent,
            where=where,
            columns=columns_of(columns[parent]),
            folder=folder,
            name=leaf,
        )
        for number, part in enumerate(parts, 1):
            named = {"parent": parent, "leaf": leaf, "batch_id": batch_id, "part": number}
            written.append({**named, **vars(part)})
    return written, columns


def _be_brief(cursor: Any) -> None:
    """Give up soon on a lock that is not to be had: whoever posts would wait behind whoever waits for it."""
    cursor.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_WAIT])


def _retried(what: str, work: Callable[[], Result], *, attempts: int = ATTEMPTS) -> Result:
    """Do it, and again where a lock was not to be had in time. Raises ArchiveBusy in the end."""
    for attempt in range(1, attempts + 1):
        try:
            return work()
        except OperationalError as error:
            if sqlstate(error) not in _BUSY:
                raise
            if attempt == attempts or connection.in_atomic_block:
                raise ArchiveBusy(what=what) from error
            time.sleep(random.uniform(0.2, 1.0))  # noqa: S311
    raise AssertionError("unreachable")


def _subject(archive: ArchivedMonth) -> str:
    return f"archive:{archive.kind}:{archive.month:%Y-%m}:{archive.number}"


def _facts(archive: ArchivedMonth) -> dict[str, Any]:
    return {"rows": archive.rows, "bytes": archive.bytes, "files": archive.files.count()}
