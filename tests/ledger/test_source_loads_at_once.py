"""Loads of packs' files that must really commit: several at once, and one that is refused."""

import threading
from pathlib import Path

from django.db import connections

from batconnect.common.audit import system_user
from ledger.models import ImportBatch, SourceReject, SourceRowSeen, SourceTransaction
from ledger.services.source_files import SourceLoad, load_source_file

from .takaful_rows import takaful_rows, with_bad_rows


def at_once(*loads: dict[str, object]) -> list[SourceLoad]:
    actor, results, gate = system_user(), list[SourceLoad](), threading.Barrier(len(loads))

    def one(given: dict[str, object]) -> None:
        try:
            gate.wait(10)
            results.append(load_source_file(pack="takaful", actor=actor, **given))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one, args=(given,)) for given in loads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return results


def test_overlapping_files_at_once_load_every_row_once(committing_database: str, tmp_path: Path) -> None:
    whole, half = tmp_path / "whole.csv", tmp_path / "half.parquet"
    takaful_rows(3_000).write_csv(whole)
    takaful_rows(3_000, first=1_501).write_parquet(half)
    results = at_once({"path": whole}, {"path": half}, {"path": whole}, {"path": half})
    assert len(results) == 4
    assert sum(result.accepted for result in results) == 4_500
    assert sum(result.duplicates for result in results) == 4 * 3_000 - 4_500
    assert SourceTransaction.objects.count() == SourceRowSeen.objects.count() == 4_500
    assert SourceTransaction.objects.values("source_rowid").distinct().count() == 4_500
    for batch in ImportBatch.objects.filter(accepted__gt=0):
        ids = sorted(batch.transactions.values_list("pk", flat=True))
        assert (len(ids), ids[0], ids[-1]) == (batch.accepted, batch.first_source_id, batch.last_source_id)


def test_a_refused_file_leaves_what_is_wrong_with_it_and_nothing_else(committing_database: str) -> None:
    text, expected = with_bad_rows(2_000)
    (result,) = at_once({"frame": text})
    assert result.refused
    assert not SourceTransaction.objects.exists() and not SourceRowSeen.objects.exists()
    batch = ImportBatch.objects.get()
    assert (batch.rows, batch.accepted, batch.rejected) == (2_000, 0, expected.height)
    assert SourceReject.objects.filter(batch=batch).count() == expected.height
