"""Stories of leases: made, repriced, ended, shared; and what is refused, with nothing written."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from batconnect.common.audit import system_user
from batconnect.common.models import AuditEntry
from batconnect.common.money import BadAmount
from batconnect.common.weeks import NEW_YORK
from leases import services
from leases.installments import LeaseInstallments
from leases.models import Lease, LeaseFee, VehicleAssignment
from leases.services import agreements, assignments, billing, drivers, terms
from leases.services.amounts import AmountTooLarge
from ledger.models import DriverAccount
from tests.factories import (
    cancelled_before,
    make_driver,
    make_lease,
    make_medallion,
    make_user,
    make_vehicle,
)

SUNDAY = date(2019, 3, 3)
TODAY = date(2019, 3, 18)
pytestmark = pytest.mark.django_db


@pytest.fixture
def actor():
    return make_user(username="clerk")


def prepare(through):
    LeaseInstallments().prepare(through=through)


def post(lease, through):
    """What the weekly run does to the installments it posts."""
    due = lease.installments.filter(due_on__lte=through)
    LeaseInstallments().mark_posted([(i.pk, uuid4()) for i in due])


def billed(lease):
    return [(str(i.period_start), i.days, str(i.amount)) for i in lease.installments.order_by("period_start")]


# --- making -------------------------------------------------------------------------------------------------


def test_a_new_lease_has_its_fee_account_vehicle_and_audit_entry(actor):
    medallion, vehicle, driver = make_medallion(), make_vehicle(), make_driver()
    lease = make_lease(
        driver=driver,
        medallion=medallion,
        vehicle=vehicle,
        weekly_fee="512.34",
        starts_on=SUNDAY,
        actor=actor,
    )
    assert lease.number.startswith("L-")
    assert list(lease.fees.values_list("effective_from", "weekly_fee")) == [(SUNDAY, Decimal("512.34"))]
    assert DriverAccount.objects.get(lease=lease).driver == driver
    assignment = VehicleAssignment.objects.get(medallion=medallion)
    assert assignment.vehicle == vehicle
    assert assignment.started_at == datetime(2019, 3, 3, tzinfo=NEW_YORK)
    entry = AuditEntry.objects.get(subject=f"lease:{lease.pk}")
    assert (entry.actor, entry.action, (entry.after or {})["weekly_fee"]) == (
        actor,
        "lease.created",
        "512.34",
    )
    assert lease.history.get().history_user == actor


def test_a_vehicle_already_on_the_medallion_stays_as_it_is(actor):
    medallion, vehicle = make_medallion(), make_vehicle()
    morning = datetime(2019, 3, 3, 10, 30, tzinfo=NEW_YORK)
    services.assign_vehicle(medallion=medallion, vehicle=vehicle, started_at=morning, actor=actor)
    make_lease(medallion=medallion, vehicle=vehicle, starts_on=SUNDAY)
    assert VehicleAssignment.objects.get(medallion=medallion).started_at == morning


def test_a_vehicle_on_another_medallion_is_refused_and_nothing_is_written():
    vehicle = make_vehicle()
    other = make_lease(vehicle=vehicle)
    medallion = make_medallion()
    with pytest.raises(assignments.VehicleAssigned, match=other.medallion.number) as refused:
        make_lease(medallion=medallion, vehicle=vehicle)
    assert refused.value.code == "vehicle.assigned"
    assert not Lease.objects.filter(medallion=medallion).exists()
    assert DriverAccount.objects.count() == LeaseFee.objects.count() == 1


def test_a_leased_medallion_is_refused_by_the_number_and_dates_of_its_lease():
    first = make_lease(starts_on=SUNDAY, ends_on=date(2019, 3, 9))
    for starts_on, ends_on in [(date(2019, 3, 9), None), (date(2019, 2, 1), SUNDAY)]:
        with pytest.raises(agreements.MedallionLeased) as refused:
            make_lease(medallion=first.medallion, vehicle=first.vehicle, starts_on=starts_on, ends_on=ends_on)
        assert first.number in str(refused.value)
        assert "from 2019-03-03 until 2019-03-09" in str(refused.value)
    make_lease(medallion=first.medallion, vehicle=first.vehicle, starts_on=date(2019, 3, 10))


@pytest.mark.parametrize(
    ("fee", "error"),
    [
        (None, agreements.FeeMissing),
        (Decimal("-0.01"), agreements.FeeNegative),
        (Decimal("100000.00"), AmountTooLarge),
        (Decimal("1.005"), BadAmount),
        (Decimal("NaN"), BadAmount),
        (500.0, BadAmount),
    ],
)
def test_a_fee_is_dollars_and_cents_from_zero_up(fee, error):
    with pytest.raises(error):
        services.create_lease(
            driver=make_driver(),
            medallion=make_medallion(),
            vehicle=make_vehicle(),
            starts_on=SUNDAY,
            weekly_fee=fee,
            actor=system_user(),
        )
    assert not Lease.objects.exists()


@pytest.mark.parametrize("days", [(date(1, 1, 1), None), (SUNDAY, date(9999, 12, 31))])
def test_a_lease_lies_where_weeks_can_be_counted(days):
    """One from the year 1 would be billed for 105,000 weeks; one to the end of the calendar could not be renewed."""
    with pytest.raises(agreements.DayTooFar):
        make_lease(starts_on=days[0], ends_on=days[1])
    lease = make_lease(ends_on=SUNDAY)
    with pytest.raises(agreements.DayTooFar):
        services.renew_lease(lease=lease, ends_on=date(9999, 12, 31), actor=system_user(), on=SUNDAY)


def test_a_lease_may_cost_nothing_and_last_one_day():
    lease = make_lease(weekly_fee="0.00", starts_on=SUNDAY, ends_on=SUNDAY)
    assert lease.fees.get().weekly_fee == 0


def test_dates_the_wrong_way_round_are_refused():
    with pytest.raises(agreements.DatesReversed):
        make_lease(starts_on=SUNDAY, ends_on=SUNDAY - timedelta(days=1))


def test_what_is_not_active_is_not_leased():
    for part in (
        {"driver": make_driver(is_active=False)},
        {"medallion": make_medallion(is_active=False)},
        {"vehicle": make_vehicle(is_active=False)},
    ):
        with pytest.raises(agreements.NotActive, match="is not active"):
            make_lease(**part)


def test_which_leases_run_on_a_day_counts_the_first_and_the_last():
    lease = make_lease(starts_on=SUNDAY, ends_on=date(2019, 3, 9))
    running = [n for n in range(-1, 8) if Lease.objects.on(SUNDAY + timedelta(days=n)).filter(pk=lease.pk)]
    assert running == [0, 1, 2, 3, 4, 5, 6]
    cancelled_before(lease)
    assert not Lease.objects.on(SUNDAY).exists()


# --- another fee --------------------------------------------------------------------------------------------


def test_a_new_fee_from_wednesday_remakes_what_was_not_posted(actor):
    lease = make_lease(weekly_fee="500.00", starts_on=SUNDAY)
    prepare(date(2019, 3, 16))
    services.change_fee(
        lease=lease, weekly_fee=Decimal("550.00"), effective_from=date(2019, 3, 6), actor=actor, on=TODAY
    )
    assert billed(lease) == [
        ("2019-03-03", 3, "214.29"),
        ("2019-03-06", 4, "314.29"),
        ("2019-03-10", 7, "550.00"),
    ]
    entry = AuditEntry.objects.get(action="lease.fee_changed")
    assert ((entry.before or {})["weekly_fee"], (entry.after or {})["weekly_fee"]) == ("500.00", "550.00")


def test_a_fee_taken_back_joins_the_week_again(actor):
    lease = make_lease(weekly_fee="500.00", starts_on=SUNDAY)
    prepare(date(2019, 3, 9))
    for fee in ("550.00", "500.00"):
        services.change_fee(
            lease=lease, weekly_fee=Decimal(fee), effective_from=date(2019, 3, 6), actor=actor, on=TODAY
        )
    assert billed(lease) == [("2019-03-03", 7, "500.00")]


def test_a_new_fee_holds_until_the_next_one_already_entered(actor):
    lease = make_lease(weekly_fee="700.00", starts_on=SUNDAY)
    services.change_fee(
        lease=lease, weekly_fee=Decimal("770.00"), effective_from=date(2019, 3, 17), actor=actor, on=TODAY
    )
    services.change_fee(
        lease=lease, weekly_fee=Decimal("70.00"), effective_from=date(2019, 3, 10), actor=actor, on=TODAY
    )
    prepare(date(2019, 3, 23))
    assert [amount for _, _, amount in billed(lease)] == ["700.00", "70.00", "770.00"]


def test_the_first_fee_can_be_corrected_while_nothing_is_posted(actor):
    lease = make_lease(weekly_fee="500.00", starts_on=SUNDAY)
    prepare(date(2019, 3, 9))
    services.change_fee(lease=lease, weekly_fee=Decimal("0.00"), effective_from=SUNDAY, actor=actor, on=TODAY)
    assert billed(lease) == []
    assert lease.fees.get().weekly_fee == 0


def test_a_fee_that_changes_nothing_or_falls_outside_the_lease_is_refused(actor):
    lease = make_lease(weekly_fee="500.00", starts_on=SUNDAY, ends_on=date(2019, 3, 9))
    with pytest.raises(terms.FeeUnchanged):
        services.change_fee(
            lease=lease, weekly_fee=Decimal("500.00"), effective_from=date(2019, 3, 5), actor=actor, on=TODAY
        )
    for day in (date(2019, 3, 2), date(2019, 3, 10)):
        with pytest.raises(agreements.OutsideLease):
            services.change_fee(
                lease=lease, weekly_fee=Decimal("1.00"), effective_from=day, actor=actor, on=TODAY
            )


# --- the end ------------------------------------------------------------------------------------------------


def test_the_last_week_of_an_ended_lease_is_prorated_and_later_ones_are_gone(actor):
    lease = make_lease(weekly_fee="500.00", starts_on=SUNDAY)
    prepare(date(2019, 3, 23))
    services.end_lease(lease=lease, ends_on=date(2019, 3, 12), actor=actor)
    assert (lease.status, lease.ends_on) == ("ENDED", date(2019, 3, 12))
    assert billed(lease) == [("2019-03-03", 7, "500.00"), ("2019-03-10", 3, "214.29")]
    prepare(date(2019, 3, 30))
    assert len(billed(lease)) == 2
    entry = AuditEntry.objects.get(action="lease.ended")
    assert ((entry.before or {})["ends_on"], (entry.after or {})["ends_on"]) == (None, "2019-03-12")


def test_a_lease_can_end_on_its_last_posted_day_and_not_before(actor):
    lease = make_lease(starts_on=SUNDAY)
    prepare(date(2019, 3, 16))
    post(lease, through=date(2019, 3, 9))
    with pytest.raises(agreements.PostedPastEnd, match="End it early instead"):
        services.end_lease(lease=lease, ends_on=date(2019, 3, 8), actor=actor)
    lease.refresh_from_db()
    assert (lease.status, lease.ends_on, len(billed(lease))) == ("ACTIVE", None, 2)
    services.end_lease(lease=lease, ends_on=date(2019, 3, 9), actor=actor)
    assert len(billed(lease)) == 1


def test_a_lease_does_not_end_before_it_starts_nor_later_than_agreed(actor):
    lease = make_lease(starts_on=SUNDAY, ends_on=date(2019, 3, 9))
    with pytest.raises(agreements.OutsideLease):
        services.end_lease(lease=lease, ends_on=date(2019, 3, 2), actor=actor)
    with pytest.raises(agreements.LeaseEndsEarlier):
        services.end_lease(lease=lease, ends_on=date(2019, 3, 10), actor=actor)
    services.end_lease(lease=lease, ends_on=SUNDAY, actor=actor)
    make_lease(medallion=lease.medallion, vehicle=lease.vehicle, starts_on=date(2019, 3, 4))


def test_a_cancelled_lease_is_left_alone(actor):
    lease = make_lease(starts_on=SUNDAY)
    cancelled_before(lease)
    with pytest.raises(billing.LeaseCancelled):
        services.end_lease(lease=lease, ends_on=date(2019, 3, 9), actor=actor)
    with pytest.raises(billing.LeaseCancelled):
        services.change_fee(
            lease=lease, weekly_fee=Decimal("1.00"), effective_from=SUNDAY, actor=actor, on=TODAY
        )


# --- additional drivers -------------------------------------------------------------------------------------


def test_another_driver_may_drive_between_two_days(actor):
    lease, driver = make_lease(starts_on=SUNDAY), make_driver()
    first = services.add_driver(
        lease=lease, driver=driver, starts_on=SUNDAY, ends_on=date(2019, 3, 9), actor=actor
    )
    assert list(lease.additional_drivers.all()) == [first]
    with pytest.raises(drivers.AlreadyOnLease):
        services.add_driver(lease=lease, driver=driver, starts_on=date(2019, 3, 9), ends_on=None, actor=actor)
    services.add_driver(lease=lease, driver=driver, starts_on=date(2019, 3, 10), ends_on=None, actor=actor)
    assert AuditEntry.objects.filter(action="lease.driver_added").count() == 2


def test_who_cannot_be_added_to_a_lease(actor):
    lease = make_lease(starts_on=SUNDAY, ends_on=date(2019, 3, 9))

    def add(driver, starts_on, ends_on=None):
        services.add_driver(lease=lease, driver=driver, starts_on=starts_on, ends_on=ends_on, actor=actor)

    with pytest.raises(drivers.AlreadyOnLease):
        add(lease.driver, SUNDAY)
    with pytest.raises(agreements.NotActive):
        add(make_driver(is_active=False), SUNDAY)
    with pytest.raises(agreements.OutsideLease):
        add(make_driver(), date(2019, 3, 2))
    with pytest.raises(agreements.OutsideLease):
        add(make_driver(), SUNDAY, date(2019, 3, 10))
    with pytest.raises(agreements.DatesReversed):
        add(make_driver(), date(2019, 3, 5), date(2019, 3, 4))
    assert not lease.additional_drivers.exists()


# --- vehicles -----------------------------------------------------------------------------------------------


def test_a_vehicle_is_swapped_to_the_minute(actor):
    lease = make_lease(starts_on=SUNDAY)
    noon = datetime(2019, 3, 6, 12, 0, tzinfo=NEW_YORK)
    old, new = VehicleAssignment.objects.get(vehicle=lease.vehicle), make_vehicle()
    with pytest.raises(assignments.VehicleAssigned, match="further notice"):
        services.assign_vehicle(medallion=lease.medallion, vehicle=new, started_at=noon, actor=actor)
    services.end_assignment(assignment=old, ended_at=noon, actor=actor)
    services.assign_vehicle(medallion=lease.medallion, vehicle=new, started_at=noon, actor=actor)
    with pytest.raises(assignments.AssignmentEnded):
        services.end_assignment(assignment=old, ended_at=noon, actor=actor)
    assert old.history.first().history_user == actor


def test_an_assignment_does_not_end_when_it_starts(actor):
    assignment = VehicleAssignment.objects.get(medallion=make_lease().medallion)
    with pytest.raises(assignments.AssignmentEndsTooEarly):
        services.end_assignment(assignment=assignment, ended_at=assignment.started_at, actor=actor)
