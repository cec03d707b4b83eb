"""The ledger in the admin: everything can be found and read; what changes goes through `ledger.services`."""

from . import (
    accounts,
    bulk_runs,
    chart,
    chart_rules,
    hierarchy,
    imports,
    items,
    journal,
    journal_templates,
    manual_journals,
    months,
    parked_rows,
    postings,
    reports,
    statements,
    weekly_runs,
)

__all__ = [
    "accounts",
    "bulk_runs",
    "chart",
    "chart_rules",
    "hierarchy",
    "imports",
    "items",
    "journal",
    "journal_templates",
    "manual_journals",
    "months",
    "parked_rows",
    "postings",
    "reports",
    "statements",
    "weekly_runs",
]
