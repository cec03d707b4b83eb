"""Which source rows a run is for: those of its pack, of its month or file, that have no entry yet.

Planning and staging ask by the same condition, so that what a worker finds is what was planned.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection

from ledger.models import ImportBatch, JournalRun, Origin

from ..accounting_policy import FLEET_PACK

# `s` are the source rows without an entry, between two ids of theirs.
ROWS = """
  FROM txn_source_parent s
 WHERE s.id BETWEEN %(first)s AND %(last)s
   AND s.txn_type = ANY(%(txn_types)s)
   AND (%(month)s::date IS NULL OR s.txn_month = %(month)s)
   AND (%(import_batch)s::bigint IS NULL OR s.batch_id = %(import_batch)s)
   AND NOT EXISTS (
     SELECT FROM source_row_journalised j
      WHERE j.source_id = s.id AND j.source_id BETWEEN %(first)s AND %(last)s
   )
"""
_OF_MONTH = "SELECT min(id), max(id) FROM txn_source_parent WHERE txn_month = %s"
_OF_FILE = "SELECT min(id), max(id) FROM txn_source_parent WHERE batch_id = %s"


@dataclass(frozen=True)
class Scope:
    """`month` or `import_batch_id`; for a shard both, where a file's rows lie in several months."""

    txn_types: tuple[str, ...]
    month: date | None
    import_batch_id: int | None

    def parameters(self, first: int, last: int) -> dict[str, Any]:
        return {
            "first": first,
            "last": last,
            "txn_types": list(self.txn_types),
            "month": self.month,
            "import_batch": self.import_batch_id,
        }


def origin_of(pack: str) -> Origin:
    return Origin.TRIP if pack == FLEET_PACK else Origin.BATCH


def bounds(scope: Scope) -> tuple[int, int] | None:
    """The first and last source id there is in a month or file; None without any."""
    if scope.import_batch_id is not None:
        known = ImportBatch.objects.values_list("first_source_id", "last_source_id").get(
            pk=scope.import_batch_id
        )
        # Only the files of packs carry their ids; those of trips are looked for.
        first, last = known if known[0] is not None else _one(_OF_FILE, scope.import_batch_id)
    else:
        first, last = _one(_OF_MONTH, scope.month)
    return None if first is None else (first, last)


def told(run: JournalRun) -> str:
    """A run's scope as a sentence names it."""
    return f"{run.month:%B %Y}" if run.month else f"import {run.import_batch_id}"


def _one(statement: str, value: Any) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [value])
        return tuple(cursor.fetchone())
