"""Source rows to journalise in bulk, the runs over them, and what the journal then has of them."""

import hashlib
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
from django.db import connection

from batconnect.common.audit import system_user
from benchmarks.takaful_rows import takaful_rows
from ledger.models import ImportBatch, JournalRun
from ledger.services.batches import plan_run, resume_run, work_on_run
from ledger.services.packs import install_pack
from ledger.services.source_files import load_source_file

MARCH = date(2019, 3, 1)
SMALL_SHARD = 100
# A line as both sides of a comparison write it: source row, number, template's line, account, fund, side, amount.
Line = tuple[str, int, int, str, str, str, Decimal]


def takaful(rows: int, *, first: int = 1) -> ImportBatch:
    """So many good takaful rows of March 2019, loaded; the pack is installed if it was not."""
    return loaded(takaful_rows(rows, first=first))


def loaded(frame: pl.DataFrame, **options: Any) -> ImportBatch:
    install_pack(name="takaful", actor=system_user())
    return load_source_file(pack="takaful", frame=frame, actor=system_user(), **options).import_batch


def run(pack: str = "takaful", **options: Any) -> JournalRun:
    """A run over March, by one worker, as `post_batch` would do it."""
    if "import_batch" not in options:
        options.setdefault("month", MARCH)
    return work_on_run(run_id=plan_run(pack=pack, actor=system_user(), **options).pk)


def post_or_resume(month: str, size: str) -> None:
    """Bring a month's run to its end, in shards of 100 rows: a new one, or the one that was left half-way."""
    left = JournalRun.objects.filter(month=month).first()
    if left is not None and left.state == "POSTED":
        done = left
    elif left is not None:
        done = resume_run(run_id=left.pk, actor=system_user())
    else:
        planned = plan_run(
            pack="takaful",
            actor=system_user(),
            month=date.fromisoformat(month),
            shard_rows=SMALL_SHARD,
            large=size == "large",
        )
        done = work_on_run(run_id=planned.pk)
    assert done.state == "POSTED", (done.state, done.error)


def bulk_lines() -> list[Line]:
    """The lines of every entry of a source row, by row and number."""
    return _rows(
        """
        SELECT s.source_rowid, l.line_number, l.template_line, a.code, l.fund, l.side, l.amount
          FROM ledger_entry_header h
          JOIN txn_source_parent s ON s.id = h.source_id
          JOIN ledger_entry_line l ON l.entry_id = h.id AND l.je_date = h.je_date AND l.batch_id = h.batch_id
          JOIN chart_of_accounts a ON a.id = l.account_id
         ORDER BY s.id, h.id, l.line_number
        """
    )


def bulk_headers() -> list[tuple[Any, ...]]:
    return _rows(
        """
        SELECT s.source_rowid, h.je_date, h.event_on, h.batch_id, h.origin, t.code, h.line_count, h.total, h.id
          FROM ledger_entry_header h
          JOIN txn_source_parent s ON s.id = h.source_id
          LEFT JOIN journal_template t ON t.id = h.template_id
         ORDER BY s.id, h.id
        """
    )


def everything() -> dict[str, list[tuple[Any, ...]]]:
    """All that runs bring into the ledger, by source rows in place of numbers, without moments.

    Numbers of entries are told by their place in their shard: whoever plans and is killed uses some up.
    """
    place = "(h.id - 1000000262144 - 1) % 262144"
    return {
        "headers": _rows(
            f"SELECT r.source_rowid, {place}, h.je_date, h.event_on, h.batch_id = 0, h.origin, h.template_id,"
            " h.line_count, h.total, h.reverses_id IS NULL"
            " FROM ledger_entry_header h JOIN txn_source_parent r ON r.id = h.source_id ORDER BY 1, 3, 10"
        ),
        "lines": _rows(
            "SELECT r.source_rowid, l.line_number, l.template_line, l.je_date, l.account_id, l.currency, l.fund,"
            " l.side, l.amount, h.reverses_id IS NULL"
            " FROM ledger_entry_header h JOIN txn_source_parent r ON r.id = h.source_id"
            " JOIN ledger_entry_line l ON l.entry_id = h.id AND l.je_date = h.je_date ORDER BY 1, 2, 10"
        ),
        "claims": _rows(
            "SELECT r.source_rowid, j.je_date FROM source_row_journalised j"
            " JOIN txn_source_parent r ON r.id = j.source_id ORDER BY 1"
        ),
        "runs": _rows(
            "SELECT month, pack, state, large, source_rows, entries, lines, rejects, skipped, debits, error_code,"
            " layers -> 'frame' = layers -> 'ledger', layers -> 'source'"
            " FROM journal_run ORDER BY month"
        ),
        "shards": _rows(
            "SELECT r.month, s.number, s.state, s.entries, s.lines, s.debits, s.source_ids_sum, s.months, s.accounts"
            " FROM journal_run_shard s JOIN journal_run r ON r.id = s.run_id ORDER BY 1, 2"
        ),
        "totals": _rows(
            "SELECT r.month, b.je_date, b.account_id, b.fund, b.debits, b.credits FROM batch_account_total b"
            " JOIN journal_run r ON r.id = b.batch_id ORDER BY 1, 2, 3, 4"
        ),
    }


def digest() -> str:
    """Of everything, for a process that cannot hand it over."""
    return hashlib.sha256(repr(everything()).encode()).hexdigest()


def fund_balances() -> dict[str, Decimal]:
    """Debits less credits of every fund, which are nothing in every one of them."""
    return dict(
        _rows(
            "SELECT fund, sum(CASE side WHEN 'DR' THEN amount ELSE -amount END) FROM ledger_entry_line GROUP BY fund"
        )
    )


def balance_of(account: str) -> Decimal:
    """Debits less credits of an account."""
    ((balance,),) = _rows(
        "SELECT coalesce(sum(CASE side WHEN 'DR' THEN amount ELSE -amount END), 0) FROM ledger_entry_line"
        f" WHERE account_id = (SELECT id FROM chart_of_accounts WHERE code = '{account}')"
    )
    return Decimal(balance)


def staging_tables() -> list[str]:
    return [
        name
        for (name,) in _rows(
            "SELECT relname FROM pg_class WHERE relname ~ '^je_(header|line)_staging_' AND relkind = 'r' ORDER BY 1"
        )
    ]


def _rows(statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, list(parameters) or None)
        return list(cursor.fetchall())
