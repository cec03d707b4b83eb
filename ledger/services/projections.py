"""Writing projections anew from the log: postings, allocations and journal entries are what happened, the rest follows.

Compared first, written after; and written is only what differs, in the database, from what the log says there
(`migrations/sql/0013_projections_and_seals.sql`). Nobody's number comes in from outside.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection

from batconnect.common import audit
from batconnect.common.models import User
from batconnect.common.transactions import money_transaction

from ..models import Account, DriverAccount
from .errors import LedgerError, UnknownAccount, translated
from .snapshots import rebuild_snapshots


class UnknownCode(LedgerError):
    code, status = "account.unknown_code", 404
    message = "There is no account {code} in the chart of accounts."


class StillDifferent(LedgerError):
    code, status = "projection.still_different", 500
    message = (
        "{name} was written anew and still differs from the log; nothing of it was kept. Please report this."
    )


@dataclass(frozen=True)
class Difference:
    """One projected row that is not what the log says; `was` and `should_be` hold the values that differ.

    None: there is no such row, or there should be none.
    """

    projection: str
    owner_id: int
    name: str
    was: dict[str, Any] | None
    should_be: dict[str, Any] | None

    def as_dict(self) -> dict[str, Any]:
        return {
            "projection": self.projection,
            "name": self.name,
            "was": self.was,
            "from_the_log": self.should_be,
        }


DRIVER_ACCOUNT, OPEN_ITEM, GUARDED, SNAPSHOT = "driver account", "open item", "guarded balance", "snapshot"
BATCH_TOTAL = "batch total"
NONE: list[int] = []
AUDITED = 200  # differing totals of one run that its audit entry names

_COMPARE = """
SELECT projection, owner_id, name, was, should_be
  FROM ledger_projection_differences(%s::bigint[], %s::int[])
"""
_COMPARE_BATCHES = "SELECT * FROM ledger_batch_differences()"


def rebuild_projections(
    *,
    actor: User,
    driver_account_id: int | None = None,
    account_code: str | None = None,
    dry_run: bool = False,
) -> list[Difference]:
    """Compare what follows from the log with the log, put right what differs, and return what did.

    One driver account or one account of the chart, or, with neither, all of both, the totals of bulk runs and the
    month-end snapshots, which are made of these. Each account, and each run, is a transaction of its own. With
    `dry_run` nothing is written. Raises UnknownAccount, UnknownCode, and Refused when an open item has no posting:
    then the log itself was changed.
    """
    drivers, accounts = _scope(driver_account_id, account_code)
    found = _compare(drivers, accounts)
    if not dry_run:
        found = [
            difference
            for is_driver, owner_id in sorted({(row.projection != GUARDED, row.owner_id) for row in found})
            for difference in _rebuild(is_driver=is_driver, owner_id=owner_id, actor=actor)
        ]
    if drivers is None and accounts is None:
        found += _batch_totals(actor=actor, dry_run=dry_run)
        found += _snapshots(dry_run=dry_run)
    return found


def _scope(driver_account_id: int | None, code: str | None) -> tuple[list[int] | None, list[int] | None]:
    """Which driver accounts and which accounts of the chart; None is all of them."""
    if driver_account_id is None and code is None:
        return None, None
    drivers, accounts = NONE, NONE
    if driver_account_id is not None:
        if not DriverAccount.objects.filter(pk=driver_account_id).exists():
            raise UnknownAccount
        drivers = [driver_account_id]
    if code is not None:
        accounts = list(Account.objects.filter(code=code).values_list("pk", flat=True))
        if not accounts:
            raise UnknownCode(code=code)
    return drivers, accounts


@money_transaction
def _rebuild(*, is_driver: bool, owner_id: int, actor: User) -> list[Difference]:
    """Make one account's projections be what its log says; returns what was different, compared under its lock."""
    scope = ([owner_id], NONE) if is_driver else (NONE, [owner_id])
    column = "driver_account_id" if is_driver else "account_id"
    if is_driver:
        with connection.cursor() as cursor:
            cursor.execute("SELECT FROM driver_account WHERE id = %s FOR NO KEY UPDATE", [owner_id])
    different = _compare(*scope)
    if not different:
        return []
    with translated(), connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO ledger_rebuild ({column}) VALUES (%s)", [owner_id])  # noqa: S608 (one of two names)
    remaining = _compare(*scope)
    if remaining:
        raise StillDifferent(name=remaining[0].name)
    audit.record(
        actor=actor,
        action="projection.rebuilt",
        subject=f"{'account' if is_driver else 'chart'}:{owner_id}",
        before={f"{row.projection} {row.name}": row.was for row in different},
        after={f"{row.projection} {row.name}": row.should_be for row in different},
    )
    return different


def _compare(drivers: list[int] | None, accounts: list[int] | None) -> list[Difference]:
    with connection.cursor() as cursor:
        cursor.execute(_COMPARE, [drivers, accounts])
        return [_difference(*row) for row in cursor.fetchall()]


def _difference(
    projection: str, owner_id: int, name: str, was_text: str | None, should_be_text: str | None
) -> Difference:
    # Amounts keep their decimals as text.
    was, should_be = (
        None if text is None else json.loads(text, parse_float=str, parse_int=str)
        for text in (was_text, should_be_text)
    )
    if was is not None and should_be is not None:
        changed = [key for key in was if was[key] != should_be[key]]
        was, should_be = ({key: row[key] for key in changed} for row in (was, should_be))
    return Difference(projection, owner_id, name, was, should_be)


def _batch_totals(*, actor: User, dry_run: bool) -> list[Difference]:
    """What bulk runs came to by day, and by slice of a shard, against their lines."""
    found = _compare_batches()
    if not dry_run:
        for run_id in sorted({difference.owner_id for difference in found}):
            _rebuild_batch(
                run_id, [difference for difference in found if difference.owner_id == run_id], actor=actor
            )
        if found and (remaining := _compare_batches()):
            raise StillDifferent(name=remaining[0].name)
    return found


@money_transaction
def _rebuild_batch(run_id: int, different: Sequence[Difference], *, actor: User) -> None:
    with translated(), connection.cursor() as cursor:
        cursor.execute("INSERT INTO ledger_rebuild_batch (batch_id) VALUES (%s)", [run_id])
    listed = different[:AUDITED]
    audit.record(
        actor=actor,
        action="projection.rebuilt",
        subject=f"run:{run_id}",
        before={row.name: row.was for row in listed},
        after={**{row.name: row.should_be for row in listed}, "differences": len(different)},
    )


def _compare_batches() -> list[Difference]:
    with connection.cursor() as cursor:
        cursor.execute(_COMPARE_BATCHES)
        return [_batch_difference(*row) for row in cursor.fetchall()]


def _batch_difference(
    run_id: int,
    shard: int | None,
    part: int | None,
    on: date,
    account: str,
    fund: str,
    was: str | None,
    should_be: str | None,
) -> Difference:
    of_shard = "" if shard is None else f", shard {shard}.{part}"
    name = f"run {run_id}{of_shard}, {on}, account {account}, fund {fund}"
    return _difference(BATCH_TOTAL, run_id, name, was, should_be)


def _snapshots(*, dry_run: bool) -> list[Difference]:
    names = ("opening", "debits", "credits", "closing")

    def shown(figures: Sequence[Any] | None) -> dict[str, Any] | None:
        return None if figures is None else dict(zip(names, map(str, figures), strict=True))

    return [
        Difference(
            SNAPSHOT,
            0,
            f"{row.month:%Y-%m}, account {row.account}, fund {row.fund}",
            shown(row.stored),
            shown(row.computed),
        )
        for row in rebuild_snapshots(write=not dry_run)
    ]
