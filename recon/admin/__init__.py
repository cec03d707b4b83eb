"""Screens of reconciliation: sources, runs, exceptions side by side, matches, models; fetched trips, settlements; tolls
and tickets.
"""

from . import agency, agency_files, exceptions, fetches, home, jobs, matches, settlements, sources

__all__ = [
    "agency",
    "agency_files",
    "exceptions",
    "fetches",
    "home",
    "jobs",
    "matches",
    "settlements",
    "sources",
]
