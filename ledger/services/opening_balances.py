"""Opening balances: what was owed, and owing, when the fleet came over from its former books. Imported once.

A file of rows (`opening_file`), one open item each. A row keeps its category, so that the hierarchy knows it; its
product OPENING books it against opening equity (3000) and not as income of ours. All rows or none; the control total
is checked to the cent.
"""

from dataclasses import replace
from datetime import date
from decimal import Decimal

from django.db import connection

from batconnect.common import audit, locks
from batconnect.common.models import User
from batconnect.common.money import parse_amount
from batconnect.common.transactions import money_transaction

from ..models import LedgerPosting, OpeningImport
from .accounts import lock_accounts, open_account
from .errors import LedgerError, translated
from .opening_file import OpeningFile, read_opening
from .postings import insert_postings


class OpeningImported(LedgerError):
    code, status = "opening.imported", 409
    message = "The opening balances were imported before, from {file} by {by}; that is done once."


class ControlTotalDiffers(LedgerError):
    code, status = "opening.control_total", 400
    message = (
        "The rows come to {total} (debits {debits} less credits {credits}); the control total is {control}. "
        "They differ by {difference}; nothing was imported."
    )


class BadOpeningRows(LedgerError):
    code, status = "opening.bad_rows", 400
    message = "{count} of {rows} rows are wrong, the first in row {row}: {first} Nothing was imported."


def check_opening(file: OpeningFile, *, control_total: Decimal) -> None:
    """Whether it can be imported. Raises OpeningImported, BadOpeningRows, ControlTotalDiffers."""
    done = OpeningImport.objects.select_related("created_by").first()
    if done is not None:
        raise OpeningImported(file=done.file_name, by=done.created_by)
    if file.errors:
        first = file.errors[0]
        raise BadOpeningRows(
            count=len(file.errors), rows=file.count, row=first.row, first=f"{first}.".replace("..", ".")
        )
    if file.total != control_total:
        raise ControlTotalDiffers(
            total=file.total,
            debits=file.debits,
            credits=file.credits,
            control=control_total,
            difference=file.total - control_total,
        )


@money_transaction
def import_opening_balances(
    *,
    content: bytes,
    name: str,
    control_total: Decimal,
    actor: User,
    on: date,
    accounting_date: date | None = None,
) -> OpeningImport:
    """Post every row of the file, all or none, and record that it was done, which the database takes once.

    control_total: debits less credits, to the cent. Dated `on`, or `accounting_date` in an open week. Raises the errors
    of this module, ClosedPeriod and DatedAhead. Source: domain.md, misc expenses and adjustments.
    """
    control_total = parse_amount(control_total)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [locks.OPENING_BALANCES])
    file = read_opening(content=content, name=name, on=on)
    check_opening(file, control_total=control_total)
    accounts = {
        (row.driver_id, row.lease_id): open_account(driver_id=row.driver_id, lease_id=row.lease_id).pk
        for row in file.rows
    }
    lock_accounts(accounts.values())
    postings = [replace(row.posting, account_id=accounts[row.driver_id, row.lease_id]) for row in file.rows]
    posted = insert_postings(postings, actor_id=actor.pk, on=on, accounting_date=accounting_date)
    with translated():
        done = OpeningImport.objects.create(
            file_name=file.name,
            sha256=file.sha256,
            dated=LedgerPosting.objects.values_list("effective_on", flat=True).get(pk=posted[0].posting_id),
            rows=len(file.rows),
            debits=file.debits,
            credits=file.credits,
            control_total=control_total,
            created_by=actor,
        )
    audit.record(
        actor=actor,
        action="opening_balances.imported",
        subject=f"opening_import:{done.pk}",
        after={
            "file": file.name,
            "sha256": file.sha256,
            "rows": done.rows,
            "debits": str(done.debits),
            "credits": str(done.credits),
        },
    )
    return done
