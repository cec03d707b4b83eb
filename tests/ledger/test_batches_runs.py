"""Runs from state to state: resumed from each, strict or not, tried, discarded, and never the same row twice."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from django.db import connection
from django.db.models import F

from batconnect.common.audit import system_user
from batconnect.common.models import AuditEntry
from benchmarks.takaful_rows import takaful_rows
from ledger.engine import ledger_poster
from ledger.engine.template_loader import load_templates
from ledger.models import (
    Account,
    EntryHeader,
    ImportBatch,
    JournalRun,
    JournalTemplate,
    RunReject,
    TemplatePolicy,
)
from ledger.selectors.batches import lineage, run_effect, run_progress, run_timings
from ledger.services.batches import (
    discard_run,
    plan_run,
    reopen_run,
    resume_run,
    staging,
    steps,
    work_on_run,
)
from ledger.services.batches.clock import Clock
from ledger.services.batches.errors import (
    DayAhead,
    DayClosed,
    NotDiscardable,
    NothingToDo,
    NotResumable,
    PackNotInstalled,
    PolicyChanged,
    RunInProgress,
    UnknownRun,
    WrongScope,
)
from ledger.services.batches.plan import txn_types
from ledger.services.batches.staging import Templates, stage_shard
from ledger.services.packs import install_pack

from . import batch_stories as story
from .batch_stories import MARCH
from .factories import run as run_week
from .journal_story import behind_the_triggers

pytestmark = pytest.mark.django_db

WHY = "loaded by mistake, twice"


def planned(**options: object) -> JournalRun:
    options.setdefault("month", MARCH)
    return plan_run(pack="takaful", actor=system_user(), **options)


def of_other_products(rows: int, *, first: int = 1, bad: int = 3) -> pl.DataFrame:
    """Good rows, the last few of which are of a product that no template is for."""
    other = pl.int_range(pl.len()) >= pl.len() - bad
    product = pl.when(other).then(pl.lit("HOME01")).otherwise("product_code")
    return takaful_rows(rows, first=first).with_columns(product.alias("product_code"))


# --- the same row never twice -------------------------------------------------------------------------------


def test_a_second_run_finds_nothing_to_do_and_a_later_file_only_its_own_rows() -> None:
    story.takaful(300)
    first = story.run()
    assert (first.state, first.entries) == ("POSTED", 300)
    with pytest.raises(NothingToDo):
        planned()
    before = story.bulk_lines()
    story.takaful(200, first=1001)
    second = story.run()
    assert (second.state, second.entries) == ("POSTED", 200)
    assert story.bulk_lines()[: len(before)] == before
    assert len(story.bulk_headers()) == 500


def test_of_two_runs_over_the_same_rows_one_posts_them_and_the_other_fails_naming_them() -> None:
    batch = story.takaful(40)
    by_month, by_file = planned(), planned(month=None, import_batch=batch)
    assert work_on_run(run_id=by_file.pk).state == "POSTED"
    late = work_on_run(run_id=by_month.pk)
    assert (late.state, late.error_code) == ("FAILED", "batch.source_changed")
    assert len(story.bulk_headers()) == 40


@pytest.mark.parametrize("large", [False, True])
def test_rows_that_were_claimed_after_validation_fail_the_run_at_its_last_step(large: bool) -> None:
    batch = story.takaful(40)
    by_month = planned(large=large)
    templates = Templates()
    while not steps.is_done(by_month, "VALIDATED"):
        assert steps.prepare_shard(by_month, templates)
    assert story.run(month=None, import_batch=batch).state == "POSTED"
    late = work_on_run(run_id=by_month.pk)
    assert (late.state, late.error_code) == ("FAILED", "batch.claimed")
    assert late.error.startswith("40 source rows")
    assert len(story.bulk_headers()) == 40


def test_only_one_run_at_a_time_is_at_work_on_a_month_or_file() -> None:
    batch = story.takaful(40)
    run = planned()
    with pytest.raises(RunInProgress, match=f"Run {run.pk}"):
        planned()
    planned(month=None, import_batch=batch)
    with pytest.raises(RunInProgress):
        planned(month=None, import_batch=batch)


def test_rows_that_come_inside_a_planned_stretch_are_noticed() -> None:
    story.takaful(10)
    with connection.cursor() as cursor:  # a load under way has drawn its ids, and commits after the planning
        cursor.execute("SELECT nextval('txn_source_id_seq') FROM generate_series(1, 3)")
        held = [number for (number,) in cursor.fetchall()]
    story.takaful(10, first=101)
    run = planned()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO txn_source_parent SELECT (jsonb_populate_record(s, jsonb_build_object("
            "'id', %s, 'source_rowid', 'LATE'))).* FROM txn_source_parent s WHERE id = %s",
            [held[1], held[0] - 1],
        )
    late = work_on_run(run_id=run.pk)
    assert (late.state, late.error_code) == ("FAILED", "batch.source_changed")
    assert story.bulk_headers() == []
    assert story.run().entries == 21


# --- rejects ------------------------------------------------------------------------------------------------


def test_one_reject_and_nothing_is_posted_but_every_reject_is_listed() -> None:
    story.loaded(of_other_products(500, bad=7))
    run = story.run(shard_rows=100)
    assert (run.state, run.error_code, run.rejects) == ("FAILED", "batch.rejects", 7)
    assert AuditEntry.objects.get(action="batch.failed").after["error"] == "7 rows were rejected"
    assert story.bulk_headers() == []
    rejects = list(RunReject.objects.filter(run=run))
    assert [reject.row_number for reject in rejects] == list(range(494, 501))
    assert {reject.code for reject in rejects} == {"template.none"}
    assert all("HOME01" in reject.message and "wants product" in reject.message for reject in rejects)
    ids = [reject.source_id for reject in rejects]
    assert ids == list(range(min(ids), min(ids) + 7))


def test_the_valid_rows_alone_are_posted_when_that_is_accepted_and_the_rest_once_it_is_right() -> None:
    story.loaded(of_other_products(500, bad=7))
    run = story.run(shard_rows=100, accept_valid=True)
    assert (run.state, run.entries, run.rejects, run.source_rows) == ("POSTED", 493, 7, 500)
    assert len(story.bulk_headers()) == 493
    again = story.run(accept_valid=True)
    assert (again.state, again.entries, again.rejects) == ("POSTED", 0, 7)


# --- resumed from every state -------------------------------------------------------------------------------


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize(
    "done", ["planned", "opened", "one staged", "all staged", "one validated", "validated"]
)
def test_a_run_left_in_any_state_is_taken_up_and_comes_to_the_same(done: str, large: bool) -> None:
    story.takaful(400)
    run = planned(shard_rows=150, large=large)
    templates, shards = Templates(), list(run.shards.all())
    with connection.cursor() as cursor:
        if done == "opened":
            ledger_poster.open_shard(cursor, shards[0].pk)
        for shard in shards[
            : {"one staged": 1, "one validated": 1}.get(done, 0 if done in ("planned", "opened") else 9)
        ]:
            stage_shard(run, shard, templates, Clock())
        if done in ("one validated", "validated"):
            for shard in shards[: 1 if done == "one validated" else 9]:
                assert ledger_poster.validate_shard(cursor, shard.pk) == []
    if done == "validated":
        run.refresh_from_db()
        assert steps.advance(run)
    run = work_on_run(run_id=run.pk)
    assert (run.state, run.entries) == ("POSTED", 400)
    lines = story.bulk_lines()
    assert run.lines == len(lines)
    numbers = [header[-1] for header in story.bulk_headers()]
    assert numbers == [shard.entry_base + n for shard in shards for n in range(1, shard.source_rows + 1)]
    assert run.layers["frame"] == run.layers["staging"] == run.layers["ledger"]


@pytest.mark.parametrize("done", ["leaves", "one posted", "all posted", "one index", "indexed"])
def test_a_large_run_left_while_it_is_posted_is_taken_up(done: str) -> None:
    story.takaful(400)
    run = planned(shard_rows=150, large=True)
    templates = Templates()
    while not steps.is_done(run, "VALIDATED"):
        steps.prepare_shard(run, templates)
    steps.advance(run)
    run.refresh_from_db()
    assert run.state == "VALIDATED"
    steps.post_shard(run)  # makes the partitions
    for _ in range({"leaves": 0, "one posted": 1}.get(done, 3)):
        assert steps.post_shard(run)
    for _ in range({"one index": 1, "indexed": 3}.get(done, 0)):
        assert steps.index_part(run)
    assert story.bulk_headers() == [], "not a row shows before the last step"
    run = work_on_run(run_id=run.pk)
    assert (run.state, len(story.bulk_headers())) == ("POSTED", 400)


def test_what_has_ended_is_not_resumed() -> None:
    story.takaful(20)
    run = story.run()
    with pytest.raises(NotResumable):
        resume_run(run_id=run.pk, actor=system_user())
    with pytest.raises(UnknownRun):
        resume_run(run_id=run.pk + 1, actor=system_user())
    with pytest.raises(UnknownRun):
        work_on_run(run_id=run.pk + 1)


def test_templates_changed_meanwhile_stop_the_run_and_resumed_it_starts_over_with_the_new_ones() -> None:
    story.takaful(100)
    run = planned(shard_rows=40)
    stage_shard(run, run.shards.first(), Templates(), Clock())
    template = JournalTemplate.objects.get(code="CLAIM_LIFE01")
    template.status = JournalTemplate.Status.RETIRED
    template.effective_to = date(2019, 4, 30)
    template.save()
    stopped = work_on_run(run_id=run.pk)
    assert (stopped.state, stopped.error_code) == ("PENDING", "batch.policy_changed")
    assert "starts over" in stopped.error
    assert work_on_run(run_id=run.pk).state == "PENDING", "it waits for a person"
    done = resume_run(run_id=run.pk, actor=system_user())
    assert (done.state, done.error_code, done.entries) == ("POSTED", "", 100)
    assert done.policy_version != run.policy_version
    assert AuditEntry.objects.filter(action="batch.resumed").count() == 1


def test_templates_that_change_while_they_are_read_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    story.takaful(40)
    run = planned()
    load = staging.load_templates

    def while_they_change(*arguments: Any) -> Any:
        found = load(*arguments)
        TemplatePolicy.objects.update(version=F("version") + 1)
        return found

    monkeypatch.setattr(staging, "load_templates", while_they_change)
    with pytest.raises(PolicyChanged):
        Templates().of(run)


def test_trips_are_no_rows_of_another_pack_whatever_its_templates_are_for() -> None:
    install_pack(name="takaful", actor=system_user())
    with connection.cursor() as cursor:
        templates = load_templates(cursor, "takaful")
    with_trips = replace(templates, txn_types=templates.txn_types | {"TRIP"})
    assert txn_types("takaful", with_trips) == {"PREMIUM_RECEIPT", "CLAIM_PAID"}
    assert txn_types("taxi", with_trips) == {"TRIP"}


def test_rows_that_are_not_worth_what_was_planned_are_noticed() -> None:
    story.takaful(40)
    run = planned()
    behind_the_triggers(
        "UPDATE txn_source_parent SET gross_amount = gross_amount + 1, admin_amount = admin_amount + 1"
        " WHERE id = (SELECT min(id) FROM txn_source_parent WHERE txn_type = 'PREMIUM_RECEIPT')"
    )
    late = work_on_run(run_id=run.pk)
    assert (late.state, late.error_code) == ("FAILED", "batch.source_changed")


def test_what_was_expanded_before_the_run_started_over_is_not_staged(monkeypatch: pytest.MonkeyPatch) -> None:
    story.takaful(40)
    run = planned()
    expanded = staging._expanded

    def while_it_starts_over(*arguments: Any) -> Any:
        found = expanded(*arguments)
        TemplatePolicy.objects.update(version=F("version") + 1)
        JournalRun.objects.update(error_code="batch.policy_changed")
        reopen_run(run_id=run.pk, actor=system_user())
        return found

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(staging, "_expanded", while_it_starts_over)
        stage_shard(run, run.shards.get(), Templates(), Clock())
    assert run.shards.get().state == "PENDING"
    assert work_on_run(run_id=run.pk).state == "POSTED"


def test_a_worker_whose_run_is_given_up_meanwhile_leaves_it(monkeypatch: pytest.MonkeyPatch) -> None:
    story.takaful(40)
    run = planned()
    expanded = staging._expanded

    def while_it_is_given_up(*arguments: Any) -> Any:
        found = expanded(*arguments)
        discard_run(run_id=run.pk, actor=system_user(), reason=WHY)
        return found

    monkeypatch.setattr(staging, "_expanded", while_it_is_given_up)
    left = work_on_run(run_id=run.pk)
    assert (left.state, left.reason) == ("FAILED", WHY)


def test_an_account_given_up_before_the_last_step_fails_the_run() -> None:
    story.takaful(20)
    run = planned()
    templates = Templates()
    steps.prepare_shard(run, templates)
    steps.advance(run)
    Account.objects.filter(code="4510").update(active=False)
    failed = work_on_run(run_id=run.pk)
    assert (failed.state, failed.error_code) == ("FAILED", "batch.unsound")
    assert story.bulk_headers() == []


# --- tried, discarded ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("large", [False, True])
def test_a_dry_run_says_what_it_would_bring_and_leaves_nothing(large: bool) -> None:
    story.takaful(300)
    tried = story.run(dry_run=True, large=large, shard_rows=100)
    assert (tried.state, tried.dry_run, tried.entries) == ("VALIDATED", True, 300)
    assert story.bulk_headers() == []
    assert story.staging_tables() == []
    effect = run_effect(tried)
    posted = story.run(large=large)
    assert posted.state == "POSTED"
    assert run_effect(posted) == effect
    assert sum(row["debits"] for row in effect) == posted.debits
    with pytest.raises(NotResumable):
        resume_run(run_id=tried.pk, actor=system_user())


def test_a_dry_run_of_rows_with_rejects_lists_them_and_its_effect_is_that_of_the_others() -> None:
    story.loaded(of_other_products(100, bad=2))
    tried = story.run(dry_run=True)
    assert (tried.state, tried.rejects, tried.entries) == ("VALIDATED", 2, 98)
    assert tried.reject_rows.count() == 2
    assert run_effect(tried)


def test_a_discarded_run_leaves_nothing_and_its_rows_are_free() -> None:
    story.takaful(100)
    run = planned(shard_rows=40)
    steps.prepare_shard(run, Templates())
    gone = discard_run(run_id=run.pk, actor=system_user(), reason=WHY)
    assert (gone.state, gone.reason) == ("FAILED", WHY)
    assert story.staging_tables() == []
    posted = story.run()
    assert posted.entries == 100
    with pytest.raises(NotDiscardable):
        discard_run(run_id=posted.pk, actor=system_user(), reason=WHY)


# --- which rows, which days ---------------------------------------------------------------------------------


def test_a_run_is_for_a_month_or_a_file_of_a_pack_that_is_installed() -> None:
    with pytest.raises(WrongScope):
        planned(month=None)
    with pytest.raises(WrongScope):
        planned(month=date(2019, 3, 2))
    with pytest.raises(PackNotInstalled):
        planned()
    install_pack(name="takaful", actor=system_user())
    with pytest.raises(NothingToDo):
        planned()


def test_shards_are_stretches_of_ids_nearly_full_each_in_one_month() -> None:
    story.takaful(1_000)
    april = takaful_rows(600, first=2001, month=date(2019, 4, 1))
    both = pl.concat([takaful_rows(300, first=1001), april])
    batch = story.loaded(both)
    run = planned(shard_rows=250)
    found = list(run.shards.values_list("txn_month", "source_rows"))
    assert sum(rows for _, rows in found) == 1_300
    assert {month for month, _ in found} == {MARCH}
    assert len(found) <= 7
    of_file = planned(month=None, import_batch=batch, shard_rows=250)
    assert {
        (m.month, sum(s.source_rows for s in of_file.shards.filter(txn_month=m)))
        for m in {shard.txn_month for shard in of_file.shards.all()}
    } == {(3, 300), (4, 600)}


def test_rows_of_a_closed_day_are_refused_and_the_day_is_named() -> None:
    story.takaful(200)
    run_week(date(2019, 3, 3))
    with pytest.raises(DayClosed, match="2019-03-01"):
        planned()


def test_rows_of_tomorrow_are_refused() -> None:
    install_pack(name="takaful", actor=system_user())
    story.takaful(20)
    with connection.cursor() as cursor:
        cursor.execute("SELECT (now() AT TIME ZONE 'America/New_York')::date + 40")
        (later,) = cursor.fetchone()
        cursor.execute("SELECT ensure_txn_source_month(%s)", [later.replace(day=1)])
        cursor.execute(
            "INSERT INTO txn_source_parent SELECT (jsonb_populate_record(s, jsonb_build_object("
            "'id', nextval('txn_source_id_seq'), 'bank_value_date', %s::date, 'txn_month', %s::date))).*"
            " FROM txn_source_parent s LIMIT 1",
            [later, later.replace(day=1)],
        )
    with pytest.raises(DayAhead, match=str(later)):
        planned(month=later.replace(day=1))


# --- looked at ----------------------------------------------------------------------------------------------


def test_an_entry_leads_back_to_its_row_and_to_what_was_staged() -> None:
    story.takaful(100)
    run = story.run(large=True)
    entry = EntryHeader.objects.order_by("id")[41]
    found = lineage(entry)
    assert found is not None
    assert (found["run"], found["source"]["id"]) == (run, entry.source_id)
    assert [
        (line["line_number"], line["template_line"], abs(line["amount"])) for line in found["staged"]
    ] == [(line.line_number, line.template_line, line.amount) for line in found["lines"]]
    assert sum(line["amount"] for line in found["staged"]) == 0


def test_a_run_says_how_far_it_is_and_how_long_its_steps_took() -> None:
    story.takaful(300)
    run = planned(shard_rows=104, large=True)
    assert (run_progress(run)["done"], run_progress(run)["total"]) == (0, 300)
    steps.prepare_shard(run, Templates())
    assert run_progress(run)["done"] == 104
    assert run_progress(run)["shards"] == {"PENDING": 2, "VALIDATED": 1}
    heard: list[tuple[str, int, int]] = []
    run = work_on_run(run_id=run.pk, progress=lambda *told: heard.append(told))
    assert heard[-1] == ("Posted", 300, 300)
    timings = run_timings(run)
    assert {"load", "expand", "stage", "validate", "post", "index_1", "index_2", "index_3", "attach"} <= set(
        timings
    )
    assert run.timings["peak_mib"] > 50
    assert run.timings["wall"] >= timedelta(0).total_seconds()
    assert ImportBatch.objects.count() == 1
    assert run.debits > Decimal(0)
