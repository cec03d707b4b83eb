"""Rules that the database holds, each with somebody who tries to break it."""

from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from batconnect.common.audit import system_user
from recon.models import ExternalRow, ReconJob, ReconLog, ReconMatch, ReconMatchRow, ReconSource
from recon.services import decisions
from tests.ledger.lived_in import insertion, refused
from tests.ledger.test_application_role import as_application

from .stories import DAY, SEED_ROWS, bank_file, log_of, make_source, post, post_seed, reconcile
from .test_runs import line

pytestmark = pytest.mark.django_db
APPEND_ONLY = {
    "recon_external_row": "SET amount = amount + 1",
    "recon_log": "SET outcome = 'unmatched', partners = '{}'",
    "recon_note": "SET text = 'as if'",
}
KEPT = [*APPEND_ONLY, "recon_job", "recon_match", "recon_match_row", "recon_source"]


@pytest.fixture
def job(tmp_path: Path) -> ReconJob:
    """Three rows outside, four in the ledger, three matched; and a note."""
    source = make_source()
    post_seed()
    post("77.00", at="2025-07-13T09:00:00-04:00")
    done = reconcile(source, bank_file(tmp_path, [*SEED_ROWS, line("X", "12.00")]))
    decisions.comment(log_id=log_of(done, "X").pk, text="Whose is it?", actor=system_user())
    return done


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_what_came_in_and_what_was_found_never_changes(job: ReconJob, table: str) -> None:
    assert "Cannot update rows" in refused(f"UPDATE {table} {APPEND_ONLY[table]}")


@pytest.mark.parametrize("table", KEPT)
def test_nothing_is_deleted(job: ReconJob, table: str) -> None:
    assert "Cannot delete rows" in refused(f"DELETE FROM {table}")
    assert "history must stand" in refused(f"TRUNCATE {table} CASCADE") or table == "recon_source"


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_the_applications_role_may_not_even_try(job: ReconJob, table: str) -> None:
    with pytest.raises(Exception, match="permission denied"), transaction.atomic(), as_application():
        ReconJob.objects.raw(f"UPDATE {table} {APPEND_ONLY[table]} RETURNING id")[0]


def test_the_applications_role_can_do_the_work(tmp_path: Path) -> None:
    source = make_source(match_from="0.900", suggest_from="0.800")
    post_seed()
    with as_application():
        job = reconcile(source, bank_file(tmp_path, SEED_ROWS))
        match = decisions.accept(log_id=log_of(job, "B-77").pk, actor=system_user())
        from recon.services import write_offs

        write_offs.undo(match_id=match.pk, reason="It was not the same", actor=system_user(), on=DAY)
    assert job.counts["external"]["matched"] == 2


# --- jobs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "status = 'RUNNING'",
        "status = 'FAILED', error = 'x'",
        "variance = 0, external_total = 0, ledger_total = 0",
        "counts = '{}'",
    ],
)
def test_a_job_that_ended_stands(job: ReconJob, change: str) -> None:
    assert "has ended and stands" in refused(f"UPDATE recon_job SET {change} WHERE id = {job.pk}")


def test_a_job_is_of_one_source_and_date_for_ever(job: ReconJob) -> None:
    other = ReconJob.objects.create(source=job.source, date="2025-07-20", started_by=system_user())
    assert "never changes" in refused(f"UPDATE recon_job SET date = '2025-07-21' WHERE id = {other.pk}")


def test_one_job_of_a_source_and_date_is_at_work_and_one_in_force(job: ReconJob) -> None:
    values = {"source": job.source, "date": DAY, "started_by": system_user()}
    ReconJob.objects.create(**values, status="RUNNING")
    with pytest.raises(IntegrityError, match="recon_job_one_at_work"), transaction.atomic():
        ReconJob.objects.create(**values)
    with pytest.raises(IntegrityError, match="recon_job_one_in_force"), transaction.atomic():
        ReconJob.objects.create(**values, status="COMPLETED", external_total=0, ledger_total=0, variance=0)
    with pytest.raises(IntegrityError, match="recon_job_failed_says_why"), transaction.atomic():
        ReconJob.objects.create(**{**values, "date": "2025-07-20"}, status="FAILED")
    with pytest.raises(IntegrityError, match="recon_job_variance_adds_up"), transaction.atomic():
        ReconJob.objects.create(
            **{**values, "date": "2025-07-20"},
            status="COMPLETED",
            external_total=5,
            ledger_total=2,
            variance=2,
        )


def test_a_job_is_superseded_by_a_newer_one_alone(job: ReconJob) -> None:
    assert "recon_job_superseded_by_newer" in refused(
        f"UPDATE recon_job SET superseded_by_id = id WHERE id = {job.pk}"
    )


def test_logs_are_written_while_their_job_runs_and_each_row_once(job: ReconJob) -> None:
    log = log_of(job, "X")
    log.pk, log.key = None, "Y"
    with pytest.raises(Exception, match="while their reconciliation runs"), transaction.atomic():
        log.save(force_insert=True)
    running = ReconJob.objects.create(
        source=job.source, date="2025-07-20", status="RUNNING", started_by=system_user()
    )
    log.job = running
    log.save(force_insert=True)
    log.pk = None
    with pytest.raises(IntegrityError, match="recon_log_row_once_per_job"), transaction.atomic():
        log.save(force_insert=True)
    log.pk, log.key, log.line_id = None, "Z", 5
    with pytest.raises(IntegrityError, match="recon_log_of_one_side"), transaction.atomic():
        log.save(force_insert=True)


# --- rows outside -----------------------------------------------------------------------------------------------


def test_a_row_is_there_once_per_source_and_id(job: ReconJob) -> None:
    row = ExternalRow.objects.get(external_id="X")
    for changes, constraint in (
        ({}, "recon_external_row_once"),
        ({"external_id": ""}, "recon_external_row_has_id"),
        ({"external_id": "Y", "amount": 0}, "recon_external_row_not_zero"),
    ):
        names = ("source_id", "external_id", "amount", "currency_id", "occurred_at", "job_id")
        values = {name: getattr(row, name) for name in names}
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            ExternalRow.objects.create(**{**values, **changes})


# --- matches ----------------------------------------------------------------------------------------------------


def claim(match: dict[str, Any], *rows: dict[str, Any]) -> ReconMatch:
    with transaction.atomic():
        made = ReconMatch.objects.create(**{"rule": "hand", "decided_by": system_user(), **match})
        ReconMatchRow.objects.bulk_create(
            [ReconMatchRow(match=made, **{"active": True, **row}) for row in rows]
        )
    return made


def free_rows(job: ReconJob) -> tuple[dict[str, Any], dict[str, Any]]:
    """The outside row and the ledger line that are in no match."""
    outside = ExternalRow.objects.get(source=job.source, external_id="X")
    inside = ReconLog.objects.get(job=job, side="ledger", outcome="unmatched")
    return (
        {"side": "external", "external_row": outside, "amount": outside.amount},
        {"side": "ledger", "line_id": inside.line_id, "line_date": inside.line_date, "amount": inside.amount},
    )


def test_no_row_is_in_two_active_matches(job: ReconJob) -> None:
    outside, inside = free_rows(job)
    columns = ("side", "external_row", "line_id", "line_date", "amount")
    first = ReconMatch.objects.filter(job=job).earliest("id")
    taken = {row.side: {name: getattr(row, name) for name in columns} for row in first.rows.all()}
    with pytest.raises(IntegrityError, match="recon_match_external_row_once"):
        claim({"source": job.source}, taken["external"], inside)
    with pytest.raises(IntegrityError, match="recon_match_line_once"):
        claim({"source": job.source}, outside, taken["ledger"])
    claim({"source": job.source}, outside, inside)


def test_a_match_has_rows_that_are_what_they_say_they_are(job: ReconJob) -> None:
    outside, inside = free_rows(job)
    other = make_source(accounts=["1010"])
    for match, rows, told in (
        ({}, [outside], "do not make one"),
        ({}, [inside], "do not make one"),
        ({"rule": "write_off", "entry_id": 1, "entry_date": DAY}, [outside, inside], "do not make one"),
        ({}, [{**outside, "amount": 13}, inside], "another source or amount"),
        ({}, [outside, {**inside, "amount": 78}], "is not there, of another account, or of another amount"),
        ({}, [outside, {**inside, "amount": -77}], "is not there"),
        ({}, [outside, {**inside, "line_id": inside["line_id"] + 1, "amount": -77}], "of another account"),
        ({}, [outside, {**inside, "line_date": "2025-07-12"}], "is not there"),
        ({}, [outside, {**inside, "active": False}], "not as active as it is"),
        ({"source": other}, [outside, inside], "of another source"),
        ({"rule": "exact", "job": job}, [outside, inside, inside], "recon_match_line_once"),
        ({}, [{**outside, "line_id": 1}, inside], "recon_match_row_of_one_side"),
    ):
        with pytest.raises(Exception, match=told):
            claim({"source": job.source, **match}, *rows)
    assert not ReconMatch.objects.filter(rule="hand").exists()


def test_nothing_is_added_to_a_match(job: ReconJob) -> None:
    outside, inside = free_rows(job)
    made = claim({"source": job.source}, outside, inside)
    entry = post("5.00", at="2025-07-13T09:00:00-04:00")
    with pytest.raises(Exception, match="came before; none is added"), transaction.atomic():
        ReconMatchRow.objects.create(
            match=made,
            side="ledger",
            line_id=entry.entry_id * 100_000 + 1,
            line_date=DAY,
            amount=5,
            active=True,
        )


def test_a_match_is_undone_once_and_its_rows_follow(job: ReconJob) -> None:
    match = ReconMatch.objects.filter(job=job).earliest("id")
    assert "only be undone or superseded" in refused(
        f"UPDATE recon_match SET note = 'x' WHERE id = {match.pk}"
    )
    assert "recon_match_undone_says_by_whom" in refused(
        f"UPDATE recon_match SET status = 'UNDONE' WHERE id = {match.pk}"
    )
    assert "follow their match" in refused(
        f"UPDATE recon_match_row SET active = false WHERE match_id = {match.pk}"
    )
    undo = "UPDATE recon_match SET status = 'UNDONE', undone_at = now(), undone_by_id = %(who)s WHERE id = %(id)s"
    from tests.ledger.lived_in import execute

    execute(undo, who=system_user().pk, id=match.pk)
    assert not match.rows.filter(active=True).exists()
    assert "once" in refused(undo, who=system_user().pk, id=match.pk)
    assert "follow their match" in refused(
        f"UPDATE recon_match_row SET active = true WHERE match_id = {match.pk}"
    )


def test_a_run_never_supersedes_what_a_person_decided(job: ReconJob) -> None:
    made = claim({"source": job.source}, *free_rows(job))
    ending = "status = 'SUPERSEDED', undone_at = now(), undone_by_id = %(who)s"
    statement = f"UPDATE recon_match SET {ending} WHERE id = %(id)s"
    assert "decided by a person" in refused(statement, who=system_user().pk, id=made.pk)


def test_only_the_engines_rules_match_without_a_person(job: ReconJob) -> None:
    for values in ({"rule": "hand"}, {"rule": "exact", "job": job, "status": "REJECTED"}, {"rule": "exact"}):
        with pytest.raises(IntegrityError, match="recon_match_decided_or_automatic"), transaction.atomic():
            ReconMatch.objects.create(source=job.source, **values)
    with pytest.raises(IntegrityError, match="recon_match_write_off_names_entry"), transaction.atomic():
        ReconMatch.objects.create(source=job.source, rule="write_off", decided_by=system_user())


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"name": "Bank of Nowhere"}, "recon_source_name"),
        ({"write_off_limit": "-1"}, "recon_source_write_off_not_negative"),
        ({"schedule_hour": 24}, "recon_source_hour"),
        ({"earliest_seconds": 5, "latest_seconds": 4}, "recon_source_window"),
        ({"suggest_from": "0.9", "match_from": "0.8"}, "recon_source_limits"),
    ],
)
def test_a_source_is_set_up_soundly(db: None, values: dict[str, Any], constraint: str) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        ReconSource.objects.create(**{"name": "bank", "adapter": "csv", "currency_id": "USD", **values})
    assert insertion("recon_source", name="x").startswith("INSERT INTO recon_source")
