"""Bulk runs: millions of source rows into the journal, in shards that any number of workers take.

`plan_run` writes a run down, `work_on_run` is one worker's part of it, `runs` holds what people do. The states and
what each step may do are in `ledger/migrations/sql/0016_bulk_runs.sql`; the picture is in `ledger/README.md`.
"""

from .plan import Preview, plan_run, preview_run
from .reversals import plan_reversal
from .runs import discard_run, load_file, post_batch, reopen_run, resume_run, reverse_run
from .work import work_on_run

__all__ = [
    "Preview",
    "discard_run",
    "load_file",
    "plan_reversal",
    "plan_run",
    "post_batch",
    "preview_run",
    "reopen_run",
    "resume_run",
    "reverse_run",
    "work_on_run",
]
