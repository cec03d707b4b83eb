"""Screens of reconciliation: sources, runs, exceptions side by side, matches, models; fetched trips, settlements."""

from . import exceptions, fetches, home, jobs, matches, settlements, sources

__all__ = ["exceptions", "fetches", "home", "jobs", "matches", "settlements", "sources"]
