"""Parked rows: corrected and submitted again, dismissed, and never counted twice."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from batconnect.common.audit import system_user
from batconnect.common.models import AuditEntry
from leases.models import Lease, LeaseDriver
from ledger.models import ImportBatch, ParkedRow, SourceTransaction, TripTotal
from ledger.services.parked_rows import (
    AlreadyDecided,
    BadCorrection,
    NoteTooShort,
    UnknownParkedRow,
    correct_parked_rows,
    dismiss_parked_row,
)
from tests.factories import make_driver, make_lease, make_user

from .trip_files import load, trip

pytestmark = pytest.mark.django_db


@pytest.fixture
def lease() -> Lease:
    return make_lease()


def parked(folder: Path, *rows: dict[str, str]) -> list[ParkedRow]:
    load(folder, *rows)
    return list(ParkedRow.objects.order_by("pk"))


def test_a_corrected_row_is_loaded_and_the_file_again_finds_a_duplicate(tmp_path: Path, lease: Lease) -> None:
    wrong = trip(lease, TOTAL_AMOUNT="15.81")
    [row] = parked(tmp_path, trip(lease), wrong)
    clerk = make_user()
    result = correct_parked_rows(corrections={row.pk: {"TOTAL_AMOUNT": "15.80"}}, actor=clerk)
    row.refresh_from_db()
    stored = SourceTransaction.objects.get(source_rowid=wrong["ROWID"])
    assert (row.status, row.transaction_id, row.corrected) == (
        "RESOLVED",
        stored.pk,
        {"TOTAL_AMOUNT": "15.80"},
    )
    assert (row.raw, row.decided_by, row.decided_at is None) == (wrong, clerk, False)
    assert (stored.row_number, stored.batch_id) == (3, result.load.batch_id)
    assert (result.load.card_earnings, result.resolved, result.still_parked) == (
        Decimal("15.80"),
        {row.pk: stored.pk},
        {},
    )
    assert TripTotal.objects.get(batch=result.load.batch_id).earnings == Decimal("15.80")
    audit = AuditEntry.objects.get(action="parked_row.resolved")
    assert (audit.subject, audit.actor) == (f"parked_row:{row.pk}", clerk)
    again = load(tmp_path, wrong)
    assert (again.accepted, again.duplicates, again.rejected) == (0, 1, 0)


def test_a_row_is_submitted_as_it_came_once_the_driver_is_on_the_lease(tmp_path: Path, lease: Lease) -> None:
    helper = make_driver()
    [row] = parked(tmp_path, trip(lease, DRIVER=helper.tlc_license))
    LeaseDriver.objects.create(lease=lease, driver=helper, starts_on=date(2019, 3, 1))
    assert correct_parked_rows(corrections={row.pk: {}}, actor=system_user()).resolved.keys() == {row.pk}


def test_a_row_that_still_fails_stays_with_its_new_reason(tmp_path: Path, lease: Lease) -> None:
    bad, good = parked(tmp_path, trip(lease, TRIPFARE="x"), trip(lease, TRIPFARE="y"))
    result = correct_parked_rows(
        corrections={bad.pk: {"TRIPFARE": "9.00"}, good.pk: {"TRIPFARE": "10.00"}}, actor=system_user()
    )
    bad.refresh_from_db()
    assert (bad.status, bad.reason, bad.transaction_id) == ("PARKED", "DOES_NOT_ADD_UP", None)
    assert result.still_parked[bad.pk].message == bad.message
    assert result.still_parked[bad.pk].row_number == 2
    assert result.resolved.keys() == {good.pk}
    assert AuditEntry.objects.filter(action="parked_row.submitted", subject=f"parked_row:{bad.pk}").exists()


def test_a_revision_can_only_be_dismissed(tmp_path: Path, lease: Lease) -> None:
    row = trip(lease)
    load(tmp_path, row)
    [revision] = parked(tmp_path, {**row, "TRIPTIPS": "3.00", "TOTAL_AMOUNT": "16.80"})
    result = correct_parked_rows(corrections={revision.pk: {}}, actor=system_user())
    assert result.still_parked[revision.pk].reason == "REVISION"
    same = correct_parked_rows(
        corrections={revision.pk: {"TRIPTIPS": "2.00", "TOTAL_AMOUNT": "15.80"}}, actor=system_user()
    )
    assert "Dismiss this row" in same.still_parked[revision.pk].message
    assert SourceTransaction.objects.count() == 1
    with pytest.raises(BadCorrection, match="keeps the ROWID"):
        correct_parked_rows(corrections={revision.pk: {"ROWID": "1"}}, actor=system_user())


def test_of_two_versions_of_one_row_only_one_is_loaded(tmp_path: Path, lease: Lease) -> None:
    row = trip(lease, TOTAL_AMOUNT="1.00")
    first, second = parked(tmp_path, row, {**row, "TRIPTIPS": "3.00"})
    right = {"TOTAL_AMOUNT": "15.80", "TRIPTIPS": "2.00"}
    together = correct_parked_rows(corrections={first.pk: right, second.pk: right}, actor=system_user())
    assert together.resolved.keys() == {first.pk}
    assert together.still_parked.keys() == {second.pk}
    assert SourceTransaction.objects.count() == 1


def test_a_row_without_rowid_may_be_given_one(tmp_path: Path, lease: Lease) -> None:
    [row] = parked(tmp_path, trip(lease, ROWID=""))
    correct_parked_rows(corrections={row.pk: {"ROWID": "424242"}}, actor=system_user())
    assert SourceTransaction.objects.get().source_rowid == "424242"


@pytest.mark.parametrize(
    "changes", [{"FARE": "1.00"}, {"DRIVER": "1\x002"}, {"DRIVER": "1\n2"}, {"DRIVER": "9" * 201}]
)
def test_a_correction_that_is_no_value_is_refused_whole(
    tmp_path: Path, lease: Lease, changes: dict[str, str]
) -> None:
    first, second = parked(tmp_path, trip(lease, TRIPFARE="x"), trip(lease, TRIPFARE="y"))
    with pytest.raises(BadCorrection):
        correct_parked_rows(
            corrections={first.pk: {"TRIPFARE": "10.00"}, second.pk: changes}, actor=system_user()
        )
    assert SourceTransaction.objects.count() == 0
    assert ImportBatch.objects.count() == 1


def test_a_dismissed_row_is_kept_with_who_and_why_and_stays_out(tmp_path: Path, lease: Lease) -> None:
    raw = trip(lease, TOTAL_AMOUNT="1.00")
    [row] = parked(tmp_path, raw)
    clerk = make_user()
    dismiss_parked_row(row=row, note="  Test trip of the meter shop.  ", actor=clerk)
    row.refresh_from_db()
    assert (row.status, row.note, row.decided_by) == ("DISMISSED", "Test trip of the meter shop.", clerk)
    assert AuditEntry.objects.get(action="parked_row.dismissed").after == {
        "note": "Test trip of the meter shop."
    }
    assert load(tmp_path, raw).duplicates == 1
    with pytest.raises(AlreadyDecided):
        dismiss_parked_row(row=row, note="Once more, because.", actor=clerk)
    with pytest.raises(AlreadyDecided):
        correct_parked_rows(corrections={row.pk: {}}, actor=clerk)


@pytest.mark.parametrize("note", ["", "   nine char   ", "123456789", "x" * 501])
def test_a_note_says_something_and_is_no_novel(tmp_path: Path, lease: Lease, note: str) -> None:
    [row] = parked(tmp_path, trip(lease, TOTAL_AMOUNT="1.00"))
    with pytest.raises(NoteTooShort):
        dismiss_parked_row(row=row, note=note, actor=system_user())
    assert dismiss_parked_row(row=row, note="ten chars.", actor=system_user()).status == "DISMISSED"


def test_an_unknown_row_is_named() -> None:
    with pytest.raises(UnknownParkedRow, match="999999"):
        correct_parked_rows(corrections={999999: {}}, actor=system_user())
