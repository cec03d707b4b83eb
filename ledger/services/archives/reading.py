"""The whole ledger in one session: what is in the database, and what was archived, under the tables' own names.

Archived rows are copied into tables of this session alone, and views of this session put them together with those
of the database under the names that every query uses. So proofs, seals and exports are not written a second time.
Nothing is left behind: what belongs to a session ends with it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from batconnect.common import locks

from ...models import ArchivedMonth
from ...selectors.account_balances import one_moment
from ...selectors.archives import archives_away
from . import files

PREFIX = "archived_"


@contextmanager
def whole_ledger() -> Iterator[list[ArchivedMonth]]:
    """All reads inside see the ledger as it is at one moment, archived months too; gives the archives that are read.

    No month is dropped or restored meanwhile. Inside, this session can write no entries. Raises ArchiveDamaged.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock_shared(%s)", [locks.ARCHIVES])
        away = archives_away()
        try:
            if away:
                open_archives(away)
            with one_moment():
                yield away
        finally:
            if not connection.needs_rollback and connection.is_usable():
                if away:
                    cursor.execute("SELECT ledger_close_archives()")
                cursor.execute("SELECT pg_advisory_unlock_shared(%s)", [locks.ARCHIVES])


def open_archives(archives: list[ArchivedMonth]) -> None:
    """Bring the rows of these archives into the session and show them; `ledger_close_archives()` ends it."""
    for archive in archives:
        files.check_files(archive)
    # One transaction: a failure in the middle leaves nothing open.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT ledger_open_archives()")
        for archive in archives:
            files.copy_rows(cursor.cursor, archive, into=PREFIX)
        cursor.execute("SELECT ledger_show_archives()")
