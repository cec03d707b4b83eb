"""Trips that come again: ignored, revised, repeated, loaded late; and the command itself."""

import json
from datetime import date
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from leases.models import Driver, Lease, LeaseDriver
from ledger.models import ParkedRow, SourceTransaction, TripTotal
from tests.factories import make_lease

from .trip_files import load, trip

pytestmark = pytest.mark.django_db


@pytest.fixture
def lease() -> Lease:
    return make_lease()


def reasons() -> list[str]:
    return list(ParkedRow.objects.values_list("reason", flat=True))


# --- again, and otherwise -----------------------------------------------------------------------------------


def test_a_row_loaded_before_is_ignored_however_its_figures_are_written(tmp_path: Path, lease: Lease) -> None:
    row = trip(lease)
    load(tmp_path, row)
    result = load(tmp_path, {**row, "TRIPFARE": " 10.0", "TRIPTOLL": "-0"}, trip(lease))
    assert (result.accepted, result.duplicates, result.rejected) == (1, 1, 0)
    assert TripTotal.objects.count() == 2


def test_a_row_loaded_before_with_other_figures_is_a_revision_for_a_person(
    tmp_path: Path, lease: Lease
) -> None:
    row = trip(lease)
    load(tmp_path, row)
    revised = {**row, "TRIPTIPS": "3.00", "TOTAL_AMOUNT": "16.80"}
    for _ in range(2):
        result = load(tmp_path, revised)
        assert (result.accepted, result.rejected, reasons()) == (0, 1, ["REVISION"])
    assert str(SourceTransaction.objects.get().pk) in ParkedRow.objects.get().message


def test_a_revision_that_cannot_even_be_read_is_still_a_revision(tmp_path: Path, lease: Lease) -> None:
    row = trip(lease)
    load(tmp_path, row)
    load(tmp_path, {**row, "TRIPFARE": "NaN"})
    assert reasons() == ["REVISION"]


def test_a_rowid_twice_in_one_file(tmp_path: Path, lease: Lease) -> None:
    row = trip(lease)
    other = {**row, "TRIPTIPS": "3.00", "TOTAL_AMOUNT": "16.80"}
    result = load(tmp_path, row, row, other, other)
    assert (result.accepted, result.duplicates, result.rejected) == (1, 2, 1)
    assert reasons() == ["REPEATED_IN_FILE"]
    again = load(tmp_path, row, row, other, other)
    assert (again.accepted, again.duplicates, again.rejected, len(reasons())) == (0, 3, 1, 1)


def test_rows_without_rowid_are_parked_each_for_itself(tmp_path: Path, lease: Lease) -> None:
    nameless = trip(lease, ROWID="")
    result = load(tmp_path, nameless, {**nameless, "TRIPTIPS": "9.00"}, nameless)
    assert (result.rejected, result.duplicates, reasons()) == (2, 1, ["BAD_VALUE", "BAD_VALUE"])


def test_parked_rows_load_from_the_same_file_once_what_they_lacked_is_there(
    tmp_path: Path, lease: Lease
) -> None:
    row = trip(lease, DRIVER="7777777")
    load(tmp_path, row)
    helper = Driver.objects.create(tlc_license="7777777", name="New")
    assert load(tmp_path, row).rejected == 1
    assert reasons() == ["NOT_ON_LEASE"]  # no longer UNKNOWN_DRIVER: the reason is as it is now
    LeaseDriver.objects.create(lease=lease, driver=helper, starts_on=date(2019, 3, 1))
    assert load(tmp_path, row).accepted == 1
    parked = ParkedRow.objects.get()
    assert (parked.status, parked.transaction_id) == ("RESOLVED", SourceTransaction.objects.get().pk)
    assert load(tmp_path, row).duplicates == 1


def test_a_batch_of_late_trips_never_touches_settled_totals(tmp_path: Path, lease: Lease) -> None:
    load(tmp_path, trip(lease))
    TripTotal.objects.update(settled_week=date(2019, 2, 24))
    load(tmp_path, trip(lease))
    assert list(TripTotal.objects.order_by("pk").values_list("earnings", "settled_week")) == [
        (Decimal("15.80"), date(2019, 2, 24)),
        (Decimal("15.80"), None),
    ]


# --- the command --------------------------------------------------------------------------------------------


def test_the_command_tells_people_what_it_did(tmp_path: Path, lease: Lease) -> None:
    load(tmp_path, *(trip(lease, TOTAL_AMOUNT="1.00") for _ in range(25)), trip(lease))
    out = StringIO()
    call_command("import_trips", str(tmp_path / "trips.csv"), stdout=out)
    text = out.getvalue()
    assert "DOES_NOT_ADD_UP" in text
    assert "and 5 more" in text


@pytest.mark.parametrize("name", ["absent.csv", "", "nul\0byte"])
def test_a_path_that_is_no_file_is_a_clean_error(tmp_path: Path, name: str) -> None:
    out = StringIO()
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_trips", f"{tmp_path}/{name}", "--json", stdout=out)
    assert json.loads(out.getvalue())["error"] == "file.unreadable"
