"""The steps of a bulk run come in their order, each once; and what they write nobody else writes."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.utils import ProgrammingError

from batconnect.common.audit import system_user
from batconnect.common.roles import grant_application_role
from ledger.engine import ledger_poster as poster
from ledger.models import EntryHeader, JournalRun, JournalShard

from .bulk_runs import (
    MARCH,
    attach,
    copy,
    entries,
    fill,
    plan,
    posted_run,
    source_rows,
    stage,
    step,
    totals,
    validate,
    validated,
)
from .lived_in import execute, refused
from .test_application_role import as_application

pytestmark = pytest.mark.django_db


def refused_step(call: Callable[..., Any], *arguments: Any) -> str:
    with pytest.raises(DatabaseError) as caught, transaction.atomic():
        step(call, *arguments)
    assert caught.value.__cause__.sqlstate.startswith("BC")
    return str(caught.value)


def at(state: str, **more: Any) -> tuple[JournalRun, JournalShard]:
    """A run of one shard, brought to a state."""
    ids = source_rows()
    run, (shard,) = plan(ids, **more)
    if state != "PENDING":
        stage(shard, entries(shard, ids))
        step(poster.run_staged, run.pk)
    if state in ("VALIDATED", "POSTED"):
        assert validate(shard) == []
        step(poster.run_validated, run.pk)
    if state == "POSTED":
        fill(run)
        attach(run)
    return JournalRun.objects.get(pk=run.pk), JournalShard.objects.get(pk=shard.pk)


SHARD_STEPS = {
    "open": (poster.open_shard, "PENDING"),
    "validate": (poster.validate_shard, "STAGED"),
    "post": (poster.post_shard, "VALIDATED"),
}
RUN_STEPS: dict[str, tuple[Callable[[Any, int], Any], str]] = {
    "leaves": (poster.open_run_leaves, "VALIDATED"),
    "index": (lambda cursor, run: poster.index_run(cursor, run, 1), "never"),
    "attach": (lambda cursor, run: poster.attach_run(cursor, run, system_user().pk), "never"),
    "restart": (poster.restart_run, "PENDING STAGED VALIDATED"),
    "discard": (lambda cursor, run: poster.discard_run(cursor, run, "why"), "PENDING STAGED VALIDATED"),
    "fail": (lambda cursor, run: poster.fail_run(cursor, run, "x", "y"), "PENDING STAGED VALIDATED"),
    "drop staging": (poster.drop_staging, "POSTED"),
}
STATES = ("PENDING", "STAGED", "VALIDATED", "POSTED")


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", SHARD_STEPS)
def test_a_shards_step_is_for_its_state(state: str, name: str) -> None:
    call, fits = SHARD_STEPS[name]
    run, shard = at(state)
    if state == "VALIDATED":
        step(poster.open_run_leaves, run.pk)
    if state == fits:
        step(call, shard.pk)
    else:
        assert "this step is for" in refused_step(call, shard.pk)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", RUN_STEPS)
def test_a_runs_step_is_for_its_states(state: str, name: str) -> None:
    call, fits = RUN_STEPS[name]
    run, _ = at(state)
    if state in fits:
        step(call, run.pk)
    else:
        assert refused_step(call, run.pk)


def test_a_shard_is_posted_once() -> None:
    run, shard = at("VALIDATED")
    step(poster.open_run_leaves, run.pk)
    assert step(poster.post_shard, shard.pk) == "POSTED"
    assert "is POSTED" in refused_step(poster.post_shard, shard.pk)


def test_a_run_is_attached_once() -> None:
    run, _ = at("POSTED")
    assert "is POSTED" in refused_step(poster.attach_run, run.pk, system_user().pk)
    assert EntryHeader.objects.count() == 3


def test_a_run_whose_shards_are_not_all_posted_is_not_attached() -> None:
    ids = source_rows(4)
    run, shards = plan(ids[:2], ids[2:])
    validated(
        run, shards, [entries(shard, its) for shard, its in zip(shards, (ids[:2], ids[2:]), strict=True)]
    )
    step(poster.open_run_leaves, run.pk)
    step(poster.post_shard, shards[0].pk)
    assert "not all POSTED" in refused_step(poster.index_run, run.pk, 1)
    assert "not ready" in refused_step(poster.attach_run, run.pk, system_user().pk)


def test_a_run_without_its_indexes_is_not_attached() -> None:
    run, shard = at("VALIDATED")
    step(poster.open_run_leaves, run.pk)
    step(poster.post_shard, shard.pk)
    step(poster.index_run, run.pk, 1)
    step(poster.index_run, run.pk, 2)
    assert "not indexed" in refused_step(poster.attach_run, run.pk, system_user().pk)
    step(poster.index_run, run.pk, 3)
    step(poster.index_run, run.pk, 3)  # a second time does nothing
    assert attach(run).state == "POSTED"


def test_a_dry_run_ends_before_the_ledger() -> None:
    run, shard = at("VALIDATED", dry_run=True)
    assert "dry run" in refused_step(poster.attach_run, run.pk, system_user().pk)
    assert "no partitions" in refused_step(poster.open_run_leaves, run.pk)
    assert "no partitions" in refused_step(poster.post_shard, shard.pk)
    step(poster.drop_staging, run.pk)
    assert JournalRun.objects.get().state == "VALIDATED"


@pytest.mark.parametrize(("accept_valid", "state"), [(False, "FAILED"), (True, "VALIDATED")])
def test_rejects_fail_a_run_unless_the_rest_is_accepted(accept_valid: bool, state: str) -> None:
    ids = source_rows()
    run, (shard,) = plan(ids, accept_valid=accept_valid)
    assert validated(run, [shard], [entries(shard, ids[:2])]) == state
    run.refresh_from_db()
    assert (run.rejects, run.entries, run.error_code) == (1, 2, "" if accept_valid else "batch.rejects")


def test_the_size_of_a_run_decides_where_it_goes() -> None:
    run, _ = at("VALIDATED", large=None)
    assert run.large is False


def test_what_is_staged_stands() -> None:
    _, shard = at("STAGED")
    for parent, leaf in (
        ("je_header_staging", poster.header_leaf(shard.pk)),
        ("je_line_staging", poster.line_leaf(shard.pk)),
    ):
        for table in (parent, leaf):
            for statement in ("UPDATE {} SET entry_id = 1", "DELETE FROM {}", "TRUNCATE {}"):
                assert "stands until" in refused(statement.format(table))
            assert "stands until" in refused(f"INSERT INTO {table} SELECT * FROM {leaf}")


def test_counts_add_up_to_the_shards_rows() -> None:
    ids = source_rows()
    _, (shard,) = plan(ids)
    step(poster.open_shard, shard.pk)
    made = entries(shard, ids)
    copy(shard, made)
    assert "has 3 source rows" in refused_step(poster.shard_staged, shard.pk, totals(made, 3, rejects=1), {})


def test_a_run_that_starts_over_gets_the_same_numbers() -> None:
    run, shard = at("VALIDATED")
    step(poster.open_run_leaves, run.pk)
    step(poster.post_shard, shard.pk)
    step(poster.restart_run, run.pk)
    ids = range(shard.first_source_id, shard.last_source_id + 1)
    assert validated(run, [shard], [entries(shard, ids)]) == "VALIDATED"
    fill(run)
    attach(run)
    assert list(EntryHeader.objects.order_by("id").values_list("id", flat=True)) == [
        shard.entry_base + n for n in (1, 2, 3)
    ]


def test_one_run_at_a_time_for_a_packs_month() -> None:
    plan(source_rows())
    with pytest.raises(DatabaseError, match="journal_run_month_at_once"), transaction.atomic():
        plan(source_rows())
    plan(source_rows(), pack="other")


@pytest.mark.parametrize(
    "change",
    [
        "state = 'POSTED'", "state = 'VALIDATED'", "state = 'FAILED'", "entries = 7", "large = false",
        "dry_run = true", "accept_valid = true", "posted_at = now()", "pack = 'mine'",
    ],
)  # fmt: skip
def test_a_runs_state_and_results_are_written_by_its_steps(change: str) -> None:
    at("STAGED")
    assert "by its steps alone" in refused(f"UPDATE journal_run SET {change}")
    execute("UPDATE journal_run SET timings = '{}', error = 'noted'")


@pytest.mark.parametrize(
    "change", ["state = 'POSTED'", "lines = 9000", "debits = 1", "months = '[]'", "entry_base = 1"]
)
def test_a_shards_state_and_results_are_written_by_its_steps(change: str) -> None:
    at("VALIDATED")
    assert "shard" in refused(f"UPDATE journal_run_shard SET {change}")
    execute("UPDATE journal_run_shard SET worker = 'w', taken_at = now()")


@pytest.mark.parametrize(
    "more", [{"state": "STAGED"}, {"entries": 1}, {"entry_base": 1}, {"entry_base": 10**15}]
)
def test_a_shard_begins_with_nothing(more: dict[str, Any]) -> None:
    ids = source_rows()
    run, _ = plan(ids)
    with pytest.raises(DatabaseError), transaction.atomic():
        JournalShard.objects.create(
            run=run,
            number=9,
            txn_month=MARCH,
            first_source_id=ids[0],
            last_source_id=ids[-1],
            source_rows=3,
            **more,
        )


@pytest.mark.parametrize(
    "more", [{"state": "VALIDATED"}, {"lines": 1}, {"month": None}, {"shard_rows": 300_000}]
)
def test_a_run_begins_with_nothing(more: dict[str, Any]) -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        plan(**more)


# --- rights -------------------------------------------------------------------------------------------------


def test_the_application_can_run_a_batch_and_take_it_back() -> None:
    with as_application():
        assert posted_run().state == "POSTED"


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("journal_run", "large = false"),
        ("journal_run", "layers = '{}'"),
        ("journal_run", "source_rows = 7"),
        ("journal_run", "floor_date = '2019-01-01'"),
        ("journal_run", "error = 'wrong'"),
        ("journal_run_shard", "first_source_id = 1"),
        ("journal_run_shard", "last_source_id = 1000000"),
    ],
)
def test_what_was_posted_is_not_told_otherwise_by_one_who_calls_himself_a_step(
    table: str, change: str
) -> None:
    posted_run()
    with as_application(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('ledger.bulk_step', 'on', true)")
        assert (
            "stays what it is" in (said := refused(f"UPDATE {table} SET {change}")) or "keeps its run" in said
        )


FORBIDDEN = [
    "UPDATE journal_run SET state = 'POSTED'",
    "DELETE FROM journal_run",
    "UPDATE journal_run_shard SET state = 'POSTED'",
    "UPDATE journal_run_trip_total SET amount = 0",
    "INSERT INTO batch_account_total VALUES (1)",
    "DELETE FROM source_row_journalised",
    "INSERT INTO je_line_staging (entry_id) VALUES (1)",
    "DELETE FROM je_header_staging",
    "DELETE FROM ledger_entry_line_201903_{run}",
    "INSERT INTO ledger_entry_line_201903_{run} (entry_id) VALUES (1)",
    "SELECT * FROM ledger_entry_header_201903_{run}",
    "INSERT INTO {line_leaf} (entry_id) VALUES (1)",
    "SELECT ledger_bring_in_run({run})",
    "SELECT ledger_attach_leaf('ledger_entry_line', '2019-03-01', {run})",
    "SELECT ledger_drop_run_tables({run}, true)",
]


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_the_application_may_not_go_past_the_steps(statement: str) -> None:
    run, shard = at("VALIDATED")
    fill(run)
    grant_application_role()  # as after a migration meanwhile
    text = statement.format(run=run.pk, line_leaf=poster.line_leaf(shard.pk))
    with (
        pytest.raises(ProgrammingError, match=r"permission denied|must be owner"),
        transaction.atomic(),
        as_application(),
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT set_config('ledger.bulk_step', 'on', true)")
        cursor.execute(text)
