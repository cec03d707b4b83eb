"""How long a month of a million entries and eight million lines takes out of the database, and back."""

import resource
import time
from collections.abc import Callable
from datetime import date
from typing import Any

from django.db import connection

MONTH = date(2019, 3, 1)
ENTRIES, LINES = 1_000_000, 8

# Entered past the triggers: how entries come in is measured elsewhere.
_MONTH = f"""
SET LOCAL session_replication_role = replica;
SELECT ensure_journal_month('{MONTH}');
INSERT INTO ledger_entry_header (id, je_date, origin, event_on, line_count, total, reference, created_by_id)
SELECT e, '{MONTH}'::date + (e %% 31)::int, 'MANUAL', '{MONTH}'::date + (e %% 31)::int, {LINES}, 100, 'POL-' || e,
       (SELECT min(id) FROM common_user)
  FROM generate_series(1, %(entries)s) e;
INSERT INTO ledger_entry_line (entry_id, line_number, je_date, account_id, currency, side, amount)
SELECT e, n, '{MONTH}'::date + (e %% 31)::int, (SELECT min(id) FROM chart_of_accounts) + n, 'USD',
       CASE WHEN n %% 2 = 0 THEN 'DR' ELSE 'CR' END, 25
  FROM generate_series(1, %(entries)s) e, generate_series(1, {LINES}) n;
INSERT INTO accounting_month (month, status) VALUES ('{MONTH}', 'CLOSED');
INSERT INTO account_balance_snapshot (month, account_id, fund, opening, debits, credits, closing)
SELECT '{MONTH}', account_id, fund, 0, coalesce(sum(amount) FILTER (WHERE side = 'DR'), 0),
       coalesce(sum(amount) FILTER (WHERE side = 'CR'), 0), sum(CASE side WHEN 'DR' THEN amount ELSE -amount END)
  FROM ledger_entry_line GROUP BY 2, 3;
INSERT INTO ledger_seal (log, block, first_key, last_key, rows, digest, chain, marks, sealed_at, sealed_by_id)
SELECT log, 1, 1, 2^62, %(entries)s, '', '', '', now(), (SELECT min(id) FROM common_user)
  FROM unnest(ARRAY['HEADERS', 'LINES']) log;
"""


def measure() -> dict[str, Any]:
    from django.db import transaction

    from batconnect.common.audit import system_user
    from ledger.services import archives

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_MONTH, {"entries": ENTRIES})
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE ledger_entry_line")
        cursor.execute("VACUUM ANALYZE ledger_entry_header")
    month: dict[str, Any] = {"kind": "LEDGER", "month": MONTH, "actor": system_user()}
    made: list[Any] = []

    def read() -> None:
        with archives.whole_ledger():
            pass

    seconds = {
        "archive_s": timed(lambda: made.append(archives.archive_month(**month))),
        "drop_s": timed(lambda: archives.drop_archived(archive=made[0], actor=system_user())),
        "read_s": timed(read),
        "restore_s": timed(lambda: archives.restore_month(**month)),
    }
    return {
        "lines": ENTRIES * LINES,
        **seconds,
        "megabytes": round(made[0].bytes / 1e6),
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return round(time.perf_counter() - started, 1)
