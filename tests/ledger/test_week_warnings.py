"""What is said before a week is run: files that are missing, trips without an entry, rows that wait."""

from datetime import date
from decimal import Decimal

import pytest
from django.core.management import call_command

from batconnect.common.weeks import WEEK
from ledger.models import ParkedRow, TripTotal
from ledger.selectors.week_warnings import week_warnings
from tests.ledger.factories import SUNDAY, drive, make_account

pytestmark = pytest.mark.django_db


def said(week: date = SUNDAY) -> list[tuple[str, str]]:
    return [(warning.what, warning.sentence) for warning in week_warnings(week)]


def test_a_week_whose_trips_are_there_and_journalised_gives_no_warning() -> None:
    drive(make_account(), "700.00")
    assert said() == []


def test_a_week_without_trips_is_told() -> None:
    drive(make_account(), "700.00", week=SUNDAY - WEEK)
    assert said() == [("import", "No trip that started in this week is imported.")]


@pytest.mark.parametrize(("earned", "told"), [("525.00", False), ("524.99", True)])
def test_a_week_with_a_quarter_less_than_the_one_before_looks_like_a_missing_file(
    earned: str, told: bool
) -> None:
    account = make_account()
    drive(account, "700.00", week=SUNDAY - WEEK)
    drive(account, earned)
    assert [what for what, _ in said()] == ["import"] * told


def test_trips_that_are_not_journalised_would_not_be_settled() -> None:
    trips = drive(make_account(), "700.00")
    TripTotal.objects.create(
        **{
            field.attname: getattr(trips, field.attname)
            for field in TripTotal._meta.concrete_fields
            if field.attname not in ("id", "week", "earnings", "journalised")
        },
        week=SUNDAY - WEEK,
        earnings=Decimal("55.10"),
        journalised=Decimal("0.00"),
    )
    ((what, sentence),) = said()
    assert what == "journal" and "1 lease, 55.10, are not journalised" in sentence


def test_parked_rows_would_be_settled_late() -> None:
    trips = drive(make_account(), "700.00")
    row = {"batch_id": trips.batch_id, "source": "test", "row_number": 7, "raw": {}, "message": "no such cab"}
    for number in (1, 2):
        ParkedRow.objects.create(
            **row,
            source_rowid=f"P{number}",
            raw_hash=bytes([number]) * 32,
            reason=ParkedRow.Reason.UNKNOWN_CAB,
        )
    ((what, sentence),) = said()
    assert (what, sentence[:42]) == ("parked", "2 rows of the trip files are parked: corre")


def test_the_command_says_it_to_people_and_not_into_json(capsys: pytest.CaptureFixture[str]) -> None:
    make_account()
    call_command("run_week", "--week", str(SUNDAY), "--dry-run")
    assert "Mind: No trip that started in this week" in capsys.readouterr().err
    call_command("run_week", "--week", str(SUNDAY), "--dry-run", "--json")
    assert capsys.readouterr().err == ""
