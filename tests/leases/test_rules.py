"""The database's own rules of the fleet, each with somebody trying to break it past the services."""

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from batconnect.common.weeks import NEW_YORK
from leases.models import Lease, LeaseDriver, LeaseFee, VehicleAssignment
from tests.factories import make_driver, make_lease, make_medallion, make_vehicle

NOON = datetime(2019, 3, 6, 12, 0, tzinfo=NEW_YORK)
MINUTE = timedelta(minutes=1)
pytestmark = pytest.mark.django_db


def refused(rule):
    return pytest.raises(IntegrityError, match=rule)


def lease_row(medallion, starts_on, ends_on, status="ACTIVE"):
    with transaction.atomic():
        return Lease.objects.create(
            driver=make_driver(),
            medallion=medallion,
            vehicle=make_vehicle(),
            starts_on=starts_on,
            ends_on=ends_on,
            status=status,
        )


def test_a_medallion_has_one_lease_on_any_day():
    medallion = make_medallion()
    lease_row(medallion, date(2019, 3, 4), date(2019, 3, 10))
    for starts_on, ends_on in [
        (date(2019, 3, 1), date(2019, 3, 4)),
        (date(2019, 3, 10), None),
        (date(2019, 3, 6), date(2019, 3, 6)),
        (date(2019, 1, 1), None),
    ]:
        with refused("lease_one_per_medallion"):
            lease_row(medallion, starts_on, ends_on)
    lease_row(medallion, date(2019, 3, 1), date(2019, 3, 3))
    lease_row(medallion, date(2019, 3, 11), None)
    lease_row(make_medallion(), date(2019, 3, 4), None)


def test_a_cancelled_lease_leaves_its_days_free_until_it_is_made_active_again():
    medallion = make_medallion()
    cancelled = lease_row(medallion, date(2019, 3, 4), None, status="CANCELLED")
    lease_row(medallion, date(2019, 3, 4), None)
    with refused("lease_one_per_medallion"), transaction.atomic():
        Lease.objects.filter(pk=cancelled.pk).update(status="ACTIVE")


def test_a_lease_ends_on_or_after_its_first_day_and_an_ended_one_says_when():
    lease_row(make_medallion(), date(2019, 3, 4), date(2019, 3, 4))
    with refused("lease_ends_after_start"):
        lease_row(make_medallion(), date(2019, 3, 4), date(2019, 3, 3))
    with refused("lease_ended_has_end"):
        lease_row(make_medallion(), date(2019, 3, 4), None, status="ENDED")


def test_leases_are_numbered_in_order_by_the_database():
    with connection.cursor() as cursor:
        cursor.execute("ALTER SEQUENCE lease_number_seq RESTART WITH 7")
    first, second = make_lease(), make_lease()
    assert (first.number, second.number) == ("L-00007", "L-00008")
    with connection.cursor() as cursor:
        cursor.execute("ALTER SEQUENCE lease_number_seq RESTART WITH 99999")
    assert (make_lease().number, make_lease().number) == ("L-99999", "L-100000")
    with refused("lease_number"), transaction.atomic():
        Lease.objects.filter(pk=first.pk).update(number=second.number)


def assignment_row(medallion, vehicle, started_at, ended_at=None):
    with transaction.atomic():
        return VehicleAssignment.objects.create(
            medallion=medallion, vehicle=vehicle, started_at=started_at, ended_at=ended_at
        )


def test_a_medallion_has_one_vehicle_at_any_moment_and_a_swap_is_to_the_minute():
    medallion = make_medallion()
    assignment_row(medallion, make_vehicle(), NOON - MINUTE * 60, NOON)
    with refused("vehicle_assignment_one_vehicle_per_medallion"):
        assignment_row(medallion, make_vehicle(), NOON - MINUTE)
    assignment_row(medallion, make_vehicle(), NOON)
    with refused("vehicle_assignment_one_vehicle_per_medallion"):
        assignment_row(medallion, make_vehicle(), NOON + MINUTE, NOON + MINUTE * 2)


def test_a_vehicle_is_on_one_medallion_at_any_moment():
    vehicle = make_vehicle()
    assignment_row(make_medallion(), vehicle, NOON, NOON + MINUTE)
    with refused("vehicle_assignment_one_medallion_per_vehicle"):
        assignment_row(make_medallion(), vehicle, NOON)
    assignment_row(make_medallion(), vehicle, NOON + MINUTE)


def test_an_assignment_ends_after_it_starts():
    with refused("vehicle_assignment_ends_after_start"):
        assignment_row(make_medallion(), make_vehicle(), NOON, NOON)


def test_an_additional_driver_is_on_a_lease_once_at_a_time():
    lease, driver = make_lease(), make_driver()

    def add(starts_on, ends_on, to=lease):
        with transaction.atomic():
            LeaseDriver.objects.create(lease=to, driver=driver, starts_on=starts_on, ends_on=ends_on)

    add(date(2019, 3, 4), date(2019, 3, 10))
    with refused("lease_driver_not_twice_at_once"):
        add(date(2019, 3, 10), None)
    add(date(2019, 3, 11), None)
    add(date(2019, 3, 4), None, to=make_lease())
    with refused("lease_driver_ends_after_start"):
        add(date(2019, 1, 2), date(2019, 1, 1))


def test_a_fee_is_never_negative_and_there_is_one_for_a_day():
    lease = make_lease()
    for fee, day, rule in [
        (Decimal("-0.01"), date(2019, 3, 4), "lease_fee_not_negative"),
        (Decimal("1.00"), lease.starts_on, "lease_fee_one_per_day"),
    ]:
        with refused(rule), transaction.atomic():
            LeaseFee.objects.create(lease=lease, effective_from=day, weekly_fee=fee)
    LeaseFee.objects.create(lease=lease, effective_from=date(2019, 3, 4), weekly_fee=Decimal("0.00"))
