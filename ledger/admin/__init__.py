"""The ledger in the admin: everything can be found and read; what changes goes through `ledger.services`."""

from . import accounts, hierarchy, imports, items, parked_rows, postings, statements, weekly_runs

__all__ = [
    "accounts",
    "hierarchy",
    "imports",
    "items",
    "parked_rows",
    "postings",
    "statements",
    "weekly_runs",
]
