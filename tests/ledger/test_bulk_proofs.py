"""The proofs of bulk runs notice what was changed behind the triggers, and name it."""

from typing import Any

import pytest
from django.db import connection

from ledger.models import EntryHeader, JournalRun, SourceRowJournalised
from ledger.selectors.proofs import run_proofs
from ledger.selectors.proofs.batches import BATCH_CHECKS

from .bulk_leaves import broken, mixed_ledger
from .bulk_runs import entries, plan, post, posted_run, source_rows, taken_back, trip_entries, trips
from .factories import make_account
from .journal_story import behind_the_triggers

pytestmark = pytest.mark.django_db

RECORDED, CLAIMED, LEAVES = (check.name for check in BATCH_CHECKS)
OF_LINE = "entry_id = %(entry)s AND line_number = 1"
OF_SMALL = "entry_id = %(small_entry)s AND line_number = 1"

# The proof, what is done behind its back, and what it must say.
TAMPERING: list[tuple[str, str, str]] = [
    (
        RECORDED,
        f"UPDATE ledger_entry_line SET amount = amount + 0.01 WHERE {OF_LINE}",
        "run {run}, shard 0: 6 entries, 18 lines of 615.00 were recorded; there are 6 entries, 18 lines of 615.01",
    ),
    (
        RECORDED,
        f"UPDATE ledger_entry_line SET account_id = %(bank)s WHERE {OF_LINE}",
        "run {run}, shard 0: 6 entries, 18 lines of 615.00 were recorded; there are 6 entries, 18 lines of 615.00; "
        "their hash totals differ",
    ),
    (
        RECORDED,
        f"UPDATE ledger_entry_line SET amount = amount + 0.01 WHERE {OF_SMALL}",
        "run {small}, shard 0: 4 entries, 12 lines of 406.00 were recorded; there are 4 entries, 12 lines of 406.01",
    ),
    (
        RECORDED,
        "DELETE FROM ledger_entry_line WHERE entry_id = %(entry)s;DELETE FROM ledger_entry_header WHERE id = %(entry)s",
        "run {run}, shard 0: 6 entries, 18 lines of 615.00 were recorded; there are 5 entries, 15 lines of 515.00",
    ),
    (
        RECORDED,
        "UPDATE journal_run_shard SET entry_base = entry_base + 262144 * 5000 WHERE run_id = %(small)s",
        "12 lines and 4 entries in batch 0, from entry {small_entry} on, are of no run that was posted",
    ),
    (
        RECORDED,
        "UPDATE journal_run SET entries = entries + 1 WHERE id = %(run)s",
        "run {run}: 13 entries, 36 lines of 1230.00 were recorded; its shards have 12 entries, 36 lines of 1230.00",
    ),
    (
        RECORDED,
        "UPDATE batch_account_total SET credits = credits + 1 WHERE batch_id = %(run)s AND je_date = '2019-03-12'"
        " AND account_id = %(bank)s AND fund = 'TBR'",
        "batch {run}, 2019-03-12, account 1010, fund TBR: its total is 0.00 - 205.00; its lines give 0.00 - 204.00",
    ),
    (
        RECORDED,
        "DELETE FROM batch_account_total WHERE batch_id = %(run)s AND je_date = '2019-03-12' AND fund = 'TBR'",
        "batch {run}, 2019-03-12, account ",
    ),
    (
        RECORDED,
        "UPDATE journal_shard_total SET last_entry = last_entry + 1 WHERE run_id = %(run)s",
        "run {run}, 2019-03-",
    ),
    (
        CLAIMED,
        "DELETE FROM source_row_journalised WHERE entry_id = %(entry)s",
        "JE-201903-{entry} is an entry of source row {row}, which is not marked as journalised in it",
    ),
    (
        CLAIMED,
        "DELETE FROM ledger_entry_header WHERE id = %(entry)s",
        "source row {row} is marked as journalised in entry {entry}, which is not there",
    ),
    (
        CLAIMED,
        "INSERT INTO source_row_journalised (source_id, entry_id, je_date)"
        " SELECT source_id, id, je_date FROM ledger_entry_header WHERE id = %(reversed)s",
        "source row {reversed_row} is marked as journalised in JE-201903-{reversed}, which was reversed",
    ),
    (
        LEAVES,
        "UPDATE journal_run SET state = 'VALIDATED' WHERE id = %(run)s",
        "_{run} is part of the ledger, and run {run} did not post it (it is validated)",
    ),
    (
        LEAVES,
        "UPDATE journal_run SET large = false WHERE id = %(run)s",
        "_{run} is part of the ledger, and run {run} did not post it (it is posted)",
    ),
    (
        LEAVES,
        "UPDATE journal_run SET large = true WHERE id = %(small)s",
        "run {small} was posted, and its ",
    ),
]  # fmt: skip


def facts_of(runs: tuple[JournalRun, JournalRun, JournalRun]) -> dict[str, Any]:
    large, small, gone = runs
    entry = EntryHeader.objects.filter(batch_id=large.pk).earliest("id")
    reversed_entry = EntryHeader.objects.filter(batch_id=gone.pk).earliest("id")
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM chart_of_accounts WHERE code = '1010'")
        (bank,) = cursor.fetchone()
    return {
        "run": large.pk, "small": small.pk, "entry": entry.pk, "row": entry.source_id, "bank": bank,
        "small_entry": small.shards.get().entry_base + 1, "reversed": reversed_entry.pk,
        "reversed_row": reversed_entry.source_id,
    }  # fmt: skip


def test_there_is_a_case_for_each_proof() -> None:
    assert {name for name, *_ in TAMPERING} == {check.name for check in BATCH_CHECKS}


@pytest.mark.parametrize(("name", "tampering", "named"), TAMPERING)
def test_the_proof_names_what_was_tampered_with(name: str, tampering: str, named: str) -> None:
    facts = facts_of(mixed_ledger())
    assert broken() == []
    behind_the_triggers(*tampering.split(";"), **facts)
    details = {proof.name: proof.detail for proof in run_proofs() if not proof.ok}
    assert named.format(**facts) in details.get(name, "the proof holds")


def test_partitions_that_are_taken_away_are_missed() -> None:
    large, *_ = mixed_ledger()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(
            f"ALTER TABLE ledger_entry_line_201904 DETACH PARTITION ledger_entry_line_201904_{large.pk}"
        )
    details = {proof.name: proof.detail for proof in run_proofs() if not proof.ok}
    assert (
        details[LEAVES] == f"run {large.pk} was posted, and its lines of 2019-04 are not part of the ledger"
    )
    assert details[RECORDED].startswith(f"run {large.pk}, shard 0: ")


@pytest.mark.parametrize("large", [True, False])
def test_trips_in_bulk_come_and_go_and_the_clearing_account_with_them(large: bool) -> None:
    account = make_account()
    earned = ["10.00", "20.50", "30.25"]
    ids = trips(account, earned)
    assert broken() == []
    run, (shard,) = plan(ids, origin="TRIP", large=large)
    post(run, [shard], [trip_entries(shard, ids, earned)])
    assert broken() == []
    taken_back(run)
    assert SourceRowJournalised.objects.count() == 0
    assert broken() == []
    again, (shard,) = plan(ids, origin="TRIP", large=large)
    post(again, [shard], [trip_entries(shard, ids, earned)])
    assert broken() == []
    behind_the_triggers(
        "UPDATE trip_total SET journalised = journalised - 1 WHERE account_id = %(account)s",
        account=account.pk,
    )
    found = "\n".join(broken())
    assert "59.75 of its trips is counted as journalised, their entries say 60.75" in found
    assert "2300 stands at 60.75, trips not settled yet at 59.75" in found


def test_a_row_is_journalised_again_once_its_entry_was_reversed() -> None:
    ids = source_rows(2)
    run, (shard,) = plan(ids)
    post(run, [shard], [entries(shard, ids)])
    taken_back(run)
    again, (shard,) = plan(ids)
    post(again, [shard], [entries(shard, ids)])
    assert posted_run().state == "POSTED"
    assert broken() == []
