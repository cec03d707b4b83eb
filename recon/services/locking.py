"""The lock that runs and decisions on one source take in turn."""

from django.db import connection

from batconnect.common import locks


def hold_source(source_id: int) -> None:
    """Nobody else reconciles or decides on this source until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [locks.RECON_SOURCE, source_id])
