"""Loading a file of tolls or summonses: read, told from what came before, kept for ever, and settled as far as certain.

One transaction, one import at a time. The same number with the same figures is known and ignored; with other figures
it is a revision, which waits for a person.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl
from django.db import connection

from batconnect.common import audit, locks
from batconnect.common.models import User
from batconnect.common.money import ZERO
from batconnect.common.transactions import money_transaction
from ledger.engine.data_loader import read_frames, read_query, schema_of
from ledger.engine.staging_writer import copy
from ledger.services.trips import FileUnreadable

from ...matching.attribute import ASSIGN_AT
from ...models import AgencyDecision, AgencyFile, AgencyItem, AgencyKind, State
from ...sources import tolls, violations
from ...sources.agency_rows import ITEMS, Read
from . import settling
from .holding import lock_items

BLOCK = 4 * 1024 * 1024
LONGEST_NAME = 255
READERS: dict[str, Any] = {AgencyKind.EZPASS: tolls, AgencyKind.PVB: violations}
_KNOWN = """
SELECT number, version, figures_hash FROM agency_item WHERE kind = %(kind)s AND number = ANY(%(numbers)s)
"""
_KNOWN_READ = schema_of({"number": pl.String, "known_version": pl.Int64, "known_hash": pl.String})


@dataclass(frozen=True)
class Ended:
    """How many items ended in a state, and what they come to: charged where posted, else the amount they are of."""

    rows: int
    amount: Decimal


@dataclass(frozen=True)
class AgencyImport:
    """What one load did. `ended` is of the new rows, by state.

    attributed: tolls and tickets of a known vehicle whose trip is certain (0.90 and more), of `known_vehicle` in all.
    found_again: items from before that could be decided now.
    """

    file: AgencyFile
    ended: dict[str, Ended]
    known_vehicle: int
    attributed: int
    found_again: int


def import_tolls(*, path: Path, actor: User, on: date, file_name: str = "") -> AgencyImport:
    """Load an E-ZPass statement.

    `on` is today in New York. What is certain is charged in the open week, under the day it happened. Raises
    FileUnreadable, and a FileRefused when the file is not of the agency's shape; then nothing is written.
    """
    return import_file(kind=AgencyKind.EZPASS, path=path, actor=actor, on=on, file_name=file_name)


def import_violations(*, path: Path, actor: User, on: date, file_name: str = "") -> AgencyImport:
    """Load parking violations. As `import_tolls`."""
    return import_file(kind=AgencyKind.PVB, path=path, actor=actor, on=on, file_name=file_name)


def import_file(*, kind: str, path: Path, actor: User, on: date, file_name: str = "") -> AgencyImport:
    try:
        file = path.open("rb")
    except (OSError, ValueError) as error:
        raise FileUnreadable(path=path, problem=getattr(error, "strerror", None) or str(error)) from error
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise FileUnreadable(path=path, problem="not an ordinary file")
        return _load(kind=kind, file=file, name=file_name or path.name, actor=actor, on=on)


@money_transaction
def _load(*, kind: str, file: BinaryIO, name: str, actor: User, on: date) -> AgencyImport:
    file.seek(0)  # for the attempt after a deadlock
    digest = hashlib.sha256()
    reader = READERS[kind]
    read = [reader.read(raw, today=on) for raw in read_frames(_blocks(file, digest), reader.COLUMNS)]
    whole = Read(
        pl.concat([ITEMS.to_frame(), *(part.items for part in read)]),
        pl.concat([part.rejects for part in read]) if read else pl.DataFrame(),
    )
    hold_imports()
    fresh, again = _told_apart(kind, whole.items)
    kept = AgencyFile.objects.create(
        kind=kind,
        file_name=name.encode("utf-8", "replace").decode()[:LONGEST_NAME],
        sha256=digest.hexdigest(),
        rows=whole.items.height + whole.rejects.height,
        new=fresh.height,
        repeated=whole.items.height - fresh.height,
        rejected=whole.rejects.height,
        created_by=actor,
    )
    _keep(kept, fresh, whole.rejects)
    items = list(AgencyItem.objects.filter(file=kept).order_by("row_number"))
    waiting = _waiting(kind, again)  # items are locked before accounts, by everybody
    decisions = settling.settle_new(items, actor=actor, on=on)
    found_again = settling.look_again(waiting, actor=actor, on=on)
    result = _result(kept, decisions, found_again)
    audit.record(
        actor=actor,
        action="agency.imported",
        subject=f"agency_file:{kept.pk}",
        after={
            "kind": kind, "file": kept.file_name, "rows": kept.rows, "new": kept.new, "repeated": kept.repeated,
            "rejected": kept.rejected, "found_again": len(found_again),
            **{state.lower(): {"rows": end.rows, "amount": str(end.amount)} for state, end in result.ended.items()},
        },
    )  # fmt: skip
    return result


def hold_imports() -> None:
    """One import, or entry by hand, at a time: two that bring the same number end one after the other."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [locks.AGENCY_IMPORT])


def _blocks(file: BinaryIO, digest: Any) -> Iterator[bytes]:
    while block := file.read(BLOCK):
        digest.update(block)
        yield block


def _told_apart(kind: str, items: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """What is new, with its version; and the numbers of what came again."""
    connection.ensure_connection()
    asked = {"kind": kind, "numbers": items["number"].unique().to_list()}
    known = read_query(connection.connection, _KNOWN, asked, _KNOWN_READ)
    seen = known.select("number", figures_hash="known_hash")
    latest = known.group_by("number").agg(pl.col("known_version").max())
    fresh = (
        items.join(seen, on=["number", "figures_hash"], how="anti", maintain_order="left")
        .unique(["number", "figures_hash"], keep="first", maintain_order=True)
        .join(latest, on="number", how="left", maintain_order="left")
        .with_columns(
            version=pl.col("known_version").fill_null(0) + pl.int_range(1, pl.len() + 1).over("number")
        )
        .drop("known_version")
    )
    again = items.join(seen, on=["number", "figures_hash"], how="semi")["number"].unique().to_list()
    return fresh, again


def _keep(kept: AgencyFile, fresh: pl.DataFrame, rejects: pl.DataFrame) -> None:
    with connection.cursor() as cursor:
        if fresh.height:
            copy(
                cursor,
                "agency_item",
                fresh.with_columns(
                    pl.col("occurred_at").dt.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
                    file_id=pl.lit(kept.pk),
                    created_by_id=pl.lit(kept.created_by_id),
                    case_no=pl.lit(""),
                ),
            )
        if rejects.height:
            named = rejects.rename({"column": "column_name"}).with_columns(file_id=pl.lit(kept.pk))
            copy(cursor, "agency_reject", named)


def _waiting(kind: str, numbers: list[str]) -> list[AgencyItem]:
    """Items of these numbers that wait, locked."""
    states = [State.REVIEW, State.UNASSIGNED]
    return lock_items(AgencyItem.objects.filter(kind=kind, number__in=numbers, state__in=states))


def _result(
    kept: AgencyFile, decisions: list[AgencyDecision], found_again: list[AgencyDecision]
) -> AgencyImport:
    ended: dict[str, Ended] = {}
    for one in decisions:
        so_far = ended.get(one.state, Ended(0, ZERO))
        amount = one.item.amount if one.amount is None else one.amount
        ended[one.state] = Ended(so_far.rows + 1, so_far.amount + amount)
    chargeable = [one for one in decisions if one.item.nature in ("TOLL", "TICKET")]
    return AgencyImport(
        file=kept,
        ended=dict(sorted(ended.items())),
        known_vehicle=sum(one.vehicle_id is not None for one in chargeable),
        attributed=sum((one.score or 0) >= ASSIGN_AT for one in chargeable),
        found_again=len(found_again),
    )
