"""Months out of the database into files, and back; and reading the whole ledger while some are out.

`moving` archives, drops and restores one month; `rotation` does what is due; `reading` brings archived rows into a
session for proofs and exports; `files` knows the folder. What may be dropped is decided by the database
(`migrations/sql/0018_archive.sql`, decision 020).
"""

from .files import ArchiveDamaged
from .moving import (
    ArchiveBusy,
    ArchiveRefused,
    CannotWriteArchive,
    NotArchived,
    archive_month,
    drop_archived,
    obstacle_to_archiving,
    restore_month,
)
from .reading import whole_ledger
from .rotation import Rotation, rotate_partitions

__all__ = [
    "ArchiveBusy",
    "ArchiveDamaged",
    "ArchiveRefused",
    "CannotWriteArchive",
    "NotArchived",
    "Rotation",
    "archive_month",
    "drop_archived",
    "obstacle_to_archiving",
    "restore_month",
    "rotate_partitions",
    "whole_ledger",
]
