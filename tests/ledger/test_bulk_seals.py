"""Bulk runs are sealed whole, in any order, beside what comes online; and what was sealed before keeps its hash."""

import hashlib

import pytest
from django.db import connection

from batconnect.common.audit import system_user
from ledger.models import EntryHeader, EntryLine, LedgerSeal
from ledger.selectors.sealed_rows import LOGS, hashed_rows
from ledger.selectors.seals import check_seals
from ledger.services import seals
from ledger.services.seals import seal_ledger

from .bulk_leaves import mixed_ledger, spread, spread_run
from .bulk_runs import plan, post, posted_run, source_rows
from .journal_story import behind_the_triggers, enter_plain

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seals, "BLOCK_ROWS", 4)


def broken() -> list[str]:
    return [proof.detail for proof in check_seals() if not proof.ok]


def sealed(log: str) -> int:
    return sum(LedgerSeal.objects.filter(log=log).values_list("rows", flat=True))


def all_is_sealed() -> bool:
    return (sealed("HEADERS"), sealed("LINES")) == (EntryHeader.objects.count(), EntryLine.objects.count())


def test_runs_are_sealed_whole_and_what_comes_online_later_too() -> None:
    large, small, _ = mixed_ledger()
    seal_ledger(actor=system_user())
    assert all_is_sealed() and broken() == []
    assert {0, large.pk, small.pk} <= set(LedgerSeal.objects.values_list("batch_id", flat=True))
    assert seal_ledger(actor=system_user()).rows == {}
    enter_plain("1010", "3000", "1.00")
    made = seal_ledger(actor=system_user())
    assert made.rows == {"HEADERS": 1, "LINES": 2}, "numbers of bulk runs hide none of the online ones"
    assert all_is_sealed() and broken() == []


@pytest.mark.parametrize("large", [True, False])
def test_a_run_that_was_planned_before_another_and_posted_after_it_is_sealed_too(large: bool) -> None:
    ids = source_rows(4)
    run, (shard,) = plan(ids, large=large, pack="early")
    spread_run(4, 1, large=large)
    seal_ledger(actor=system_user())
    post(run, [shard], [spread(shard, ids)])
    assert not all_is_sealed() and broken() == []
    assert seal_ledger(actor=system_user()).rows == {"HEADERS": 4, "LINES": 12}
    assert all_is_sealed() and broken() == []


def test_a_run_that_is_not_posted_yet_is_not_sealed() -> None:
    posted_run(2)
    ids = source_rows(2)
    plan(ids)
    seal_ledger(actor=system_user())
    assert all_is_sealed() and broken() == []


@pytest.mark.parametrize("which", [0, 1], ids=["large", "small"])
@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE ledger_entry_line SET amount = amount + 1 WHERE {line}", "was changed"),
        ("UPDATE ledger_entry_line SET template_line = 9 WHERE {line}", "was changed"),
        ("UPDATE ledger_entry_line SET template_line = 0 WHERE {line}", "was changed"),
        ("DELETE FROM ledger_entry_line WHERE {line}", "is gone"),
        (
            "UPDATE ledger_entry_header SET source_id = 1 WHERE id = %(entry)s",
            "entry JE-201903-{entry} was changed",
        ),
    ],
)
def test_what_is_changed_in_a_sealed_run_is_named(which: int, statement: str, named: str) -> None:
    run = mixed_ledger()[which]
    seal_ledger(actor=system_user())
    entry = run.shards.earliest("id").entry_base + 1
    behind_the_triggers(statement.replace("{line}", "entry_id = %(entry)s AND line_number = 2"), entry=entry)
    (found,) = broken()
    assert named.format(entry=entry) in found and str(entry) in found


def test_a_line_without_a_template_s_line_has_the_hash_it_had_before_there_were_any() -> None:
    entry = enter_plain("1010", "3000", "12.50", reference="Before")
    facts = "entry_id, line_number, je_date, batch_id, account_id, currency, side, fund, amount"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, json_build_array({facts})::text FROM ledger_entry_line WHERE entry_id = %s",
            [entry.pk],
        )
        before = {key: hashlib.sha256(text.encode()).digest() for key, text in cursor.fetchall()}
        cursor.execute(hashed_rows("LINES"), {"after": 0, "through": 2**62})
        assert {key: bytes(value) for key, value in cursor.fetchall()} == before
    assert LOGS[LedgerSeal.Log.LINES].facts == facts
