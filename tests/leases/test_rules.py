"""The database's own rules of the fleet, each with somebody trying to break it past the services."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from batconnect.common.audit import system_user
from batconnect.common.money import prorate
from batconnect.common.weeks import NEW_YORK, saturday_of, sunday_of
from leases.models import (
    Lease,
    LeaseDriver,
    LeaseFee,
    LeaseInstallment,
    LeaseSuspension,
    LeaseTermination,
    VehicleAssignment,
)
from ledger.services.voids import void_posting
from tests.factories import cancelled_before, make_driver, make_lease, make_medallion, make_vehicle
from tests.ledger.factories import SUNDAY, run

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


def test_a_cancelled_lease_leaves_its_days_free_and_stays_cancelled():
    medallion = make_medallion()
    cancelled = lease_row(medallion, date(2019, 3, 4), None)
    cancelled_before(cancelled)
    lease_row(medallion, date(2019, 3, 4), None)
    with pytest.raises(DatabaseError, match="was cancelled and stays as it is"), transaction.atomic():
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
        (Decimal("100000.00"), date(2019, 3, 4), "lease_fee_not_too_large"),
        (Decimal("1.00"), lease.starts_on, "lease_fee_one_per_day"),
    ]:
        with refused(rule), transaction.atomic():
            LeaseFee.objects.create(lease=lease, effective_from=day, weekly_fee=fee)
    LeaseFee.objects.create(lease=lease, effective_from=date(2019, 3, 4), weekly_fee=Decimal("0.00"))


# --- terms that change ----------------------------------------------------------------------------------------


@pytest.fixture
def posted(db):
    """A lease whose first two weeks are charged."""
    lease = make_lease(starts_on=SUNDAY)
    run()
    return lease


def row_of(lease, first, last, **more):
    days = (last - first).days + 1
    return LeaseInstallment(
        lease=lease,
        week=sunday_of(first),
        period_start=first,
        period_end=last,
        days=days,
        weekly_fee=Decimal("500.00"),
        amount=prorate(Decimal("500.00"), days),
        due_on=saturday_of(first),
        reference_id=f"X/{first}/{days}",
        **more,
    )


def test_a_day_is_suspended_once_and_what_is_withdrawn_suspends_nothing():
    lease = make_lease()

    def suspend(starts_on, ends_on=None, **more):
        with transaction.atomic():
            return LeaseSuspension.objects.create(
                lease=lease, starts_on=starts_on, ends_on=ends_on, reason="Cab in the shop", **more
            )

    first = suspend(date(2019, 3, 4), date(2019, 3, 8))
    with refused("lease_suspension_once_a_day"):
        suspend(date(2019, 3, 8))
    with refused("lease_suspension_ends_after_start"):
        suspend(date(2019, 3, 12), date(2019, 3, 11))
    suspend(date(2019, 3, 8), withdrawn=True)
    suspend(date(2019, 3, 9))
    with pytest.raises(DatabaseError, match="Cannot delete"), transaction.atomic():
        first.delete()


def test_a_day_is_billed_once_among_the_rows_that_stand(posted):
    for first, last in [(date(2019, 3, 9), date(2019, 3, 9)), (date(2019, 3, 4), date(2019, 3, 5))]:
        with pytest.raises(DatabaseError, match="is billed already"), transaction.atomic():
            LeaseInstallment.objects.bulk_create([row_of(posted, first, last)])
    pair = [
        row_of(posted, date(2019, 3, 17), date(2019, 3, 20)),
        row_of(posted, date(2019, 3, 20), date(2019, 3, 23)),
    ]
    with pytest.raises(DatabaseError, match="is billed already"), transaction.atomic():
        LeaseInstallment.objects.bulk_create(pair)
    LeaseInstallment.objects.bulk_create(pair[:1])


def test_a_posted_row_is_replaced_only_when_its_posting_is_voided_and_in_nothing_else(posted):
    row = posted.installments.first()
    marked = {"replaced": 1, "replaced_on": date(2019, 3, 11)}
    rows = LeaseInstallment.objects.filter(pk=row.pk)
    with pytest.raises(DatabaseError, match="cannot be changed"), transaction.atomic():
        rows.update(**marked)
    void_posting(
        posting_id=row.posting_id, reason="Taken back to try", actor=system_user(), on=date(2019, 3, 11)
    )
    for change in ({**marked, "amount": Decimal("1.00")}, {"replaced": 0}, {**marked, "posting_id": None}):
        with pytest.raises(DatabaseError, match="cannot be changed"), transaction.atomic():
            rows.update(**change)
    with refused("lease_installment_replaced_when_posted"), transaction.atomic():
        rows.update(replaced=1)
    rows.update(**marked)
    for change in ({"replaced": 0, "replaced_on": None}, {"replaced": 2}):
        with pytest.raises(DatabaseError, match="cannot be changed"), transaction.atomic():
            rows.update(**change)


def test_a_row_that_arrives_posted_says_what_its_posting_says(posted):
    row = posted.installments.first()
    fresh = row_of(posted, date(2019, 3, 17), date(2019, 3, 23), posting_id=row.posting_id)
    with pytest.raises(DatabaseError, match="does not fit its posting"), transaction.atomic():
        LeaseInstallment.objects.bulk_create([fresh])
    fresh.posting_id = uuid4()
    with pytest.raises(DatabaseError, match="does not fit its posting"), transaction.atomic():
        LeaseInstallment.objects.bulk_create([fresh])


def test_an_early_end_names_its_fee_or_why_it_was_waived_and_stands(posted):
    def termination(**fields):
        with transaction.atomic():
            return LeaseTermination.objects.create(
                **{
                    "lease": posted,
                    "ends_on": date(2019, 3, 12),
                    "reason": "Asked for at the desk",
                    "cancellation_fee": Decimal("500.00"),
                    "entered_on": date(2019, 3, 11),
                    "created_by": system_user(),
                    **fields,
                }
            )

    for fields, rule in [
        ({}, "lease_termination_fee_posted_or_waived"),
        ({"waiver_reason": "no"}, "lease_termination_fee_posted_or_waived"),
        (
            {"cancellation_fee": Decimal("0.00"), "waiver_reason": "Because he asked"},
            "lease_termination_fee_posted_or_waived",
        ),
        ({"cancellation_fee": Decimal("-1.00")}, "lease_termination_fee"),
        (
            {"waiver_reason": "Because he asked", "agreed_end": date(2019, 3, 12)},
            "lease_termination_is_early",
        ),
    ]:
        with refused(rule):
            termination(**fields)
    with pytest.raises(DatabaseError, match="does not fit the posting"):
        termination(posting_id=posted.installments.first().posting_id)
    kept = termination(waiver_reason="Because he asked")
    with pytest.raises(DatabaseError, match="Cannot update"), transaction.atomic():
        LeaseTermination.objects.filter(pk=kept.pk).update(reason="Something else entirely")
