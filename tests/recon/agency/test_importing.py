"""Files of tolls and summonses: how each row ends, what comes again, what is wrong with a row."""

from decimal import Decimal
from pathlib import Path

import pytest
from django.db import connection

from batconnect.common.audit import system_user
from leases.models import Lease
from leases.services import assign_vehicle, end_assignment
from ledger.models import LedgerBalance, LedgerPosting
from recon.models import AgencyDecision, AgencyItem, AgencyReject
from tests.factories import make_vehicle
from tests.ledger.factories import account_of, broken_proofs, run

from .stories import (
    DAY,
    actions,
    at,
    charged_on,
    drove,
    item,
    load_summonses,
    load_tolls,
    make_cab,
    stands,
    summons,
    toll,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def cab() -> Lease:
    lease = make_cab()
    drove(lease, "11:45", "12:15", toll=True)
    return lease


def ended(result: object) -> dict[str, tuple[int, str]]:
    return {state: (end.rows, str(end.amount)) for state, end in result.ended.items()}  # type: ignore[attr-defined]


def test_every_row_of_a_statement_ends_somewhere_and_the_sums_add_up(cab: Lease, tmp_path: Path) -> None:
    result = load_tolls(
        tmp_path,
        toll("T1"),
        toll("T2", "12:40", "($9.11)"),
        toll("T3", plate="NY Z00013Z"),
        toll("T4", plate="00801000350", amount="$-5.76"),
        toll("T5", amount="$2.00"),
        {**toll("T6", amount="$-1.50", plate=""), "Class": "TAG LEASING FEE", "Exit Time": "12:00:00 AM"},
        {**toll("T7", amount="$500.00", plate=""), "Class": "PAYMENT"},
        toll("T8", amount="$0.00"),
    )
    assert ended(result) == {
        "CREDIT": (1, "-2.00"), "FLEET_COST": (1, "1.50"), "IGNORED": (2, "-500.00"), "POSTED": (1, "6.12"),
        "REVIEW": (1, "9.11"), "UNASSIGNED": (2, "11.88"),
    }  # fmt: skip
    total = sum((end.amount for end in result.ended.values()), Decimal(0))
    assert total == sum(AgencyItem.objects.values_list("amount", flat=True)) == Decimal("-473.39")
    assert (result.known_vehicle, result.attributed) == (3, 2)  # T1, T2 and T8; T1 and T8
    posting = LedgerPosting.objects.get()
    assert (posting.category, posting.reference_id, posting.event_on, str(posting.effective_on)) == (
        "EZPASS", "T1", DAY, "2019-03-11",
    )  # fmt: skip
    assert charged_on(account_of(cab)) == {"T1": "6.12"}
    assert item("T1").decision.reasons.startswith("Inside trip 7")
    assert "0.50" in item("T1").decision.reasons and item("T1").score == 100
    assert item("T2").score == 80 and item("T2").decision.suggested == account_of(cab)
    assert item("T3").decision.reasons == "No vehicle has the plate NY Z00013Z."
    assert item("T4").decision.reasons == "Tag 00801000350 is of no vehicle that we know."
    connection.cursor().execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert broken_proofs() == []


def test_a_ticket_charges_what_is_due_and_asks_who_paid(cab: Lease, tmp_path: Path) -> None:
    result = load_summonses(
        tmp_path,
        summons("S1", due="115"),
        summons("S2", due="0", paid="65"),
        summons("S3", due="50", paid="65"),
        summons("S4", due="0"),
        {**summons("S5"), "violation_time": ""},
        {**summons("S6"), "violation_time": "01:38"},
        summons("S7", plate="ABC1234"),
        summons("S8", "15:10"),
    )
    states = {one.number: one.state for one in AgencyItem.objects.all()}
    assert states == {
        "S1": "POSTED", "S2": "REVIEW", "S3": "REVIEW", "S4": "IGNORED", "S5": "UNASSIGNED", "S6": "UNASSIGNED",
        "S7": "UNASSIGNED", "S8": "UNASSIGNED",
    }  # fmt: skip
    assert charged_on(account_of(cab)) == {"S1": "115.00"}
    assert "not known by whom" in item("S2").decision.reasons
    assert "at what time" in item("S6").decision.reasons and item("S6").decision.vehicle == cab.vehicle
    assert "within 120 minutes" in item("S8").decision.reasons
    assert sum(end.rows for end in result.ended.values()) == result.file.rows == 8


def test_the_same_file_again_changes_nothing(cab: Lease, tmp_path: Path) -> None:
    rows = (toll("T1"), toll("T1"), toll("T2", "12:40"))
    first = load_tolls(tmp_path, *rows)
    again = load_tolls(tmp_path, *rows)
    assert (first.file.new, first.file.repeated) == (2, 1)
    assert (again.file.new, again.file.repeated, again.ended, again.found_again) == (0, 3, {}, 0)
    assert (AgencyItem.objects.count(), AgencyDecision.objects.count(), LedgerPosting.objects.count()) == (
        2,
        2,
        1,
    )


def test_a_row_that_cannot_be_read_is_told_with_its_column_and_the_others_go_on(
    cab: Lease, tmp_path: Path
) -> None:
    result = load_tolls(
        tmp_path,
        toll("T1"),
        toll("T2", amount="six"),
        {**toll("T3"), "Date": "2019-03-05"},
        {**toll("T4"), "Exit Time": "25:00"},
        toll(""),
        toll("T6", day=DAY.replace(day=30)),
        toll("T/7"),
        {**toll("T8"), "Date": "03/10/2019", "Exit Time": "02:30:00 AM"},
    )
    assert (result.file.new, result.file.rejected) == (1, 7)
    told = {one.row_number: (one.column, one.message) for one in AgencyReject.objects.all()}
    assert told[3] == ("Amount", "'six' is not an amount; write it like $-9.11 or ($9.11)")
    assert [told[row][0] for row in (4, 5, 6, 7, 8, 9)] == [
        "Date", "Exit Time", "Lane Txn ID", "Date", "Lane Txn ID", "Exit Time",
    ]  # fmt: skip
    assert "has not come yet" in told[7][1] and "clocks went forward" in told[9][1]
    bad = load_summonses(
        tmp_path, summons("S1", due="65", fine_amount="64"), summons("S2", due="65", fine_amount="x")
    )
    assert (bad.file.new, bad.file.rejected) == (0, 2)
    assert AgencyReject.objects.get(file=bad.file, row_number=2).column == "amount_due"


@pytest.mark.parametrize("day", ["01/01/0001", "01/01/0019"])
def test_a_day_that_nobody_can_mean_is_told(cab: Lease, tmp_path: Path, day: str) -> None:
    result = load_tolls(tmp_path, {**toll("T1"), "Date": day})
    assert (result.file.new, result.file.rejected) == (0, 1)
    assert AgencyReject.objects.get().message == f"'{day}' is before 2000"


def test_trips_that_come_later_are_found_when_the_file_comes_again(tmp_path: Path) -> None:
    lease = make_cab()
    load_tolls(tmp_path, toll("T1"))
    assert stands("T1") == ("UNASSIGNED", "NONE")
    drove(lease, "11:45", "12:15")
    again = load_tolls(tmp_path, toll("T1"))
    assert (again.file.new, again.found_again) == (0, 1)
    assert stands("T1") == ("POSTED", "OPEN") and actions("T1") == ["ATTRIBUTED", "LOOKED"]


def test_a_late_toll_goes_into_the_open_week_under_its_own_day(cab: Lease, tmp_path: Path) -> None:
    run(DAY.replace(day=3))
    load_tolls(tmp_path, toll("T1"), on=DAY.replace(day=9))  # a day of the week that is closed by now
    posting = LedgerPosting.objects.get(reference_id="T1")
    assert (str(posting.effective_on), posting.event_on) == ("2019-03-10", DAY)


def test_a_swapped_vehicle_leads_to_the_lease_it_was_on_at_that_minute(cab: Lease, tmp_path: Path) -> None:
    other = make_cab("T999999C", "Ben Ode")
    vehicle = cab.vehicle
    for lease in (cab, other):
        end_assignment(
            assignment=lease.medallion.assignments.get(), ended_at=at("12:30"), actor=system_user()
        )
    assign_vehicle(medallion=other.medallion, vehicle=vehicle, started_at=at("12:30"), actor=system_user())
    assign_vehicle(
        medallion=cab.medallion,
        vehicle=make_vehicle(plate="T555555C"),
        started_at=at("12:30"),
        actor=system_user(),
    )
    drove(other, "12:50", "13:10")
    load_tolls(tmp_path, toll("T1", "12:29"), toll("T2", "12:31"), toll("T3", "13:00"))
    load_tolls(tmp_path, toll("T4", "12:29", plate="NY T555555C"), toll("T5", "12:31", plate="NY T555555C"))
    assert item("T4").decision.lease_then is None and item("T5").decision.lease_then == cab
    assert item("T1").decision.lease_then == cab and item("T2").decision.lease_then == other
    # Before the swap the nearest trip is Ana's, after it Ben's; between two drivers a person decides.
    assert item("T1").decision.suggested == account_of(cab) and item("T1").state == "REVIEW"
    assert item("T3").decision.suggested == account_of(other)


def test_a_trip_of_another_lease_is_never_charged_by_itself(tmp_path: Path) -> None:
    cab, other = make_cab(), make_cab("T999999C", "Ben Ode")
    vehicle = cab.vehicle
    drove(cab, "11:45", "12:15", toll=True)
    end_assignment(assignment=cab.medallion.assignments.get(), ended_at=at("12:16"), actor=system_user())
    end_assignment(assignment=other.medallion.assignments.get(), ended_at=at("12:16"), actor=system_user())
    assign_vehicle(medallion=other.medallion, vehicle=vehicle, started_at=at("12:16"), actor=system_user())
    load_tolls(tmp_path, toll("T1", "12:15"), toll("T2", "12:20"))
    assert stands("T1") == ("POSTED", "OPEN")
    assert item("T2").score == 90 and item("T2").state == "REVIEW"
    assert "another lease" in item("T2").decision.reasons


def test_an_additional_drivers_toll_is_the_lease_drivers(cab: Lease, tmp_path: Path) -> None:
    load_tolls(tmp_path, toll("T1"))
    assert item("T1").decision.account.driver == cab.driver


def test_two_vehicles_with_one_plate_cannot_be_told_apart(cab: Lease, tmp_path: Path) -> None:
    make_cab("T768624C", "Ben Ode")
    load_tolls(tmp_path, toll("T1"))
    assert item("T1").decision.reasons == "2 vehicles carry the plate T768624C; it cannot be told which."


def test_a_number_that_the_ledger_has_from_elsewhere_is_not_charged_again(cab: Lease, tmp_path: Path) -> None:
    from tests.ledger.factories import charge

    charge(account_of(cab), "EZPASS", "6.12", "T1", on=DAY)
    load_tolls(tmp_path, toll("T1"))
    assert stands("T1") == ("REVIEW", "NONE") and "from elsewhere" in item("T1").decision.reasons


def test_a_plate_of_another_state_is_told(cab: Lease, tmp_path: Path) -> None:
    load_summonses(tmp_path, {**summons("S1"), "state": "NJ"})
    assert "said to be of NJ, ours is of NY" in item("S1").decision.reasons


def test_a_service_fee_goes_beside_each_ticket(cab: Lease, tmp_path: Path, settings: object) -> None:
    settings.TICKET_SERVICE_FEE = Decimal("2.50")  # type: ignore[attr-defined]
    load_summonses(tmp_path, summons("S1"))
    load_tolls(tmp_path, toll("T1"))
    assert charged_on(account_of(cab)) == {"S1": "65.00", "PVB-S1-FEE": "2.50", "T1": "6.12"}
    assert LedgerBalance.objects.count() == 3 and broken_proofs() == []
