"""Screens of reconciliation: sources, runs, exceptions side by side, matches, models."""

from . import exceptions, jobs, matches, sources

__all__ = ["exceptions", "jobs", "matches", "sources"]
