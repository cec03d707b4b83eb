"""Rule 58-21: what a week of a lease may cost, by lease type and vehicle type, prorated like the fee.

A cap of 560 is 80 a day: 320 for four days.
"""

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from batconnect.common.audit import system_user
from batconnect.common.weeks import NEW_YORK
from leases import services
from leases.models import Lease, LeaseCap, LeaseFee
from leases.services import caps
from misc_expenses.services import check_lease_and_rules, create_misc_expense, void_misc_expense
from tests.factories import make_lease, make_vehicle
from tests.ledger.factories import MONDAY_AFTER, SUNDAY, account_of, balance, broken_proofs, run

pytestmark = pytest.mark.django_db


def cap(amount, *, since=date(2019, 1, 1), lease_type="long-term", vehicle_type="", rule="58-21"):
    weekly = None if amount is None else Decimal(amount)
    return LeaseCap.objects.create(
        lease_type=lease_type, vehicle_type=vehicle_type, effective_from=since, weekly_cap=weekly, rule=rule
    )


def late_return(lease, amount, day=SUNDAY, category="Late Return"):
    return create_misc_expense(
        driver_id=lease.driver_id,
        lease_id=lease.pk,
        category=category,
        amount=Decimal(amount),
        expense_date=day,
        actor=system_user(),
        on=MONDAY_AFTER,
    )


def change_fee(lease, fee, day):
    return services.change_fee(
        lease=lease, weekly_fee=Decimal(fee), effective_from=day, actor=system_user(), on=MONDAY_AFTER
    )


# --- fees ---------------------------------------------------------------------------------------------------


def test_a_lease_at_the_cap_is_made_and_a_cent_above_it_is_refused_naming_rule_and_cap():
    cap("560.00")
    make_lease(weekly_fee="560.00")
    count = Lease.objects.count()
    with pytest.raises(caps.FeeAboveCap) as refused:
        make_lease(weekly_fee="560.01")
    assert refused.value.code == "lease.fee_above_cap"
    assert "Rule 58-21 caps lease" in str(refused.value)
    assert "(long-term) at 560.00 a week" in str(refused.value)
    assert Lease.objects.count() == count
    make_lease(weekly_fee="900.00", lease_type="dov")  # another kind of lease


def test_the_row_for_the_vehicle_s_type_goes_before_the_one_for_all_and_may_lift_the_cap():
    cap("560.00")
    cap("600.00", vehicle_type="HYB")
    cap(None, vehicle_type="WAV")
    make_lease(weekly_fee="600.00", vehicle=make_vehicle(vehicle_type="HYB"))
    make_lease(weekly_fee="999.00", vehicle=make_vehicle(vehicle_type="WAV"))
    with pytest.raises(caps.FeeAboveCap, match=r"long-term\) at 560"):
        make_lease(weekly_fee="600.00", vehicle=make_vehicle(vehicle_type="SED"))


def test_a_cap_that_is_known_to_come_binds_the_days_from_its_date_on():
    cap("560.00")
    cap("500.00", since=date(2019, 4, 1))
    lease = make_lease(weekly_fee="560.00", starts_on=SUNDAY, ends_on=date(2019, 3, 31))
    with pytest.raises(caps.FeeAboveCap, match=r"at 500.00 a week on 2019-04-01"):
        services.renew_lease(lease=lease, ends_on=date(2019, 4, 1), actor=system_user(), on=MONDAY_AFTER)
    lease.refresh_from_db()
    assert lease.ends_on == date(2019, 3, 31)


def test_a_new_fee_above_the_cap_is_refused_and_nothing_is_written():
    lease = make_lease(weekly_fee="500.00", starts_on=SUNDAY)
    cap("560.00")
    run()
    with pytest.raises(caps.FeeAboveCap):
        change_fee(lease, "560.01", date(2019, 3, 13))
    assert (lease.fees.count(), balance(account_of(lease))) == (1, Decimal("1000.00"))
    assert change_fee(lease, "560.00", date(2019, 3, 13)).balance_after == Decimal("1034.29")
    assert broken_proofs() == []


def test_a_fee_that_a_later_cap_overtook_stays_until_it_is_changed():
    lease = make_lease(weekly_fee="600.00", starts_on=SUNDAY)
    cap("560.00")
    services.end_lease(lease=lease, ends_on=date(2019, 3, 20), actor=system_user())
    with pytest.raises(caps.FeeAboveCap):
        change_fee(lease, "590.00", date(2019, 3, 6))


def test_a_vehicle_whose_type_has_a_lower_cap_is_not_put_on():
    lease = make_lease(weekly_fee="600.00", starts_on=SUNDAY, vehicle=make_vehicle(vehicle_type="HYB"))
    cap("600.00", vehicle_type="HYB")
    cap("560.00")
    at = datetime(2019, 3, 6, 9, 0, tzinfo=NEW_YORK)
    with pytest.raises(caps.FeeAboveCap):
        services.swap_vehicle(
            lease=lease, vehicle=make_vehicle(vehicle_type="SED"), at=at, actor=system_user(), now=at
        )
    other = make_vehicle(vehicle_type="HYB")
    services.swap_vehicle(lease=lease, vehicle=other, at=at, actor=system_user(), now=at)
    lease.refresh_from_db()
    assert lease.vehicle == other


# --- a week with what belongs to it ---------------------------------------------------------------------------


def test_a_set_of_charges_that_would_exceed_the_cap_is_refused_with_the_rule_named():
    cap("560.00")
    lease = make_lease(weekly_fee="500.00", starts_on=SUNDAY)
    late_return(lease, "35.00")
    with pytest.raises(caps.WeekAboveCap) as refused:
        late_return(lease, "25.01", date(2019, 3, 9))
    assert str(refused.value) == (
        f"Rule 58-21 caps lease {lease.number} (long-term) at 560.00 for the week of 2019-03-03. Its fee is 500.00, "
        "related charges are 35.00, and 25.01 more would make 560.01; at most 25.00 can be added."
    )
    assert balance(account_of(lease)) == Decimal("35.00")
    late_return(lease, "25.00", date(2019, 3, 9))
    late_return(lease, "60.00", date(2019, 3, 10))  # the next week
    late_return(lease, "400.00", category="Damage")  # not what the rule counts
    with pytest.raises(caps.WeekAboveCap):
        change_fee(lease, "501.00", date(2019, 3, 3))
    assert lease.fees.get().weekly_fee == Decimal("500.00")
    assert broken_proofs() == []


def test_the_refusal_comes_before_the_confirmation():
    cap("560.00")
    lease = make_lease(weekly_fee="560.00", starts_on=SUNDAY)
    with pytest.raises(caps.WeekAboveCap, match=r"at most 0.00"):
        check_lease_and_rules(
            driver_id=lease.driver_id,
            lease_id=lease.pk,
            category="Late Return",
            amount=Decimal("0.01"),
            expense_date=SUNDAY,
            on=MONDAY_AFTER,
        )


def test_the_cap_of_a_part_of_a_week_is_prorated_as_the_fee_is():
    cap("560.00")
    lease = make_lease(weekly_fee="500.00", starts_on=date(2019, 3, 6))  # four days: 285.71 of 320.00
    with pytest.raises(caps.WeekAboveCap, match=r"at 320.00 .* at most 34.29"):
        late_return(lease, "34.30", date(2019, 3, 6))
    late_return(lease, "34.29", date(2019, 3, 6))
    whole = make_lease(weekly_fee="500.00", starts_on=SUNDAY)
    services.suspend_lease(
        lease=whole,
        starts_on=date(2019, 3, 4),
        ends_on=date(2019, 3, 6),
        reason="Cab in the shop",
        actor=system_user(),
        on=MONDAY_AFTER,
    )
    with pytest.raises(caps.WeekAboveCap, match=r"at 320.00"):
        late_return(whole, "40.00")


def test_a_cap_that_changes_inside_a_week_counts_each_part_and_a_day_without_one_lifts_it():
    cap("560.00")
    cap("700.00", since=date(2019, 3, 6))  # three days at 80, four at 100: 640
    lease = make_lease(weekly_fee="500.00", starts_on=SUNDAY)
    with pytest.raises(caps.WeekAboveCap, match=r"at 640.00"):
        late_return(lease, "140.01")
    cap(None, since=date(2019, 3, 9))
    late_return(lease, "140.01")


def test_a_voided_late_return_makes_room_again():
    cap("560.00")
    lease = make_lease(weekly_fee="500.00", starts_on=SUNDAY)
    first = late_return(lease, "60.00")
    with pytest.raises(caps.WeekAboveCap):
        late_return(lease, "60.00")
    void_misc_expense(
        expense_id=first.expense_id, reason="Returned in time", actor=system_user(), on=MONDAY_AFTER
    )
    late_return(lease, "60.00")


# --- the database ---------------------------------------------------------------------------------------------


def test_the_database_refuses_a_fee_above_the_cap_by_itself():
    lease = make_lease(weekly_fee="500.00", starts_on=SUNDAY)
    cap("560.00")
    for write in (
        lambda: LeaseFee.objects.create(
            lease=lease, effective_from=date(2019, 3, 6), weekly_fee=Decimal("560.01")
        ),
        lambda: LeaseFee.objects.filter(lease=lease).update(weekly_fee=Decimal("560.01")),
    ):
        with (
            pytest.raises(DatabaseError, match=r"rule 58-21 caps this lease at 560.00"),
            transaction.atomic(),
        ):
            write()
    LeaseFee.objects.create(lease=lease, effective_from=date(2019, 3, 6), weekly_fee=Decimal("560.00"))
    # Before a fee that is lower again, on days before the cap came: allowed.
    LeaseCap.objects.update(effective_from=date(2019, 3, 6))
    LeaseFee.objects.filter(lease=lease, effective_from=SUNDAY).update(weekly_fee=Decimal("900.00"))


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"weekly_cap": Decimal("0.00")}, "lease_cap_positive"),
        ({"lease_type": "weekend"}, "lease_cap_lease_type"),
        ({"rule": ""}, "lease_cap_names_its_rule"),
    ],
)
def test_a_cap_is_sound(change, rule):
    row = cap("560.00")
    with pytest.raises(IntegrityError, match=rule), transaction.atomic():
        LeaseCap.objects.filter(pk=row.pk).update(**change)


def test_there_is_one_cap_a_day_and_none_is_deleted():
    row = cap("560.00")
    with pytest.raises(IntegrityError, match="lease_cap_one_per_day"), transaction.atomic():
        cap("570.00")
    cap("570.00", since=row.effective_from + timedelta(days=1))
    with pytest.raises(DatabaseError, match="Cannot delete"), transaction.atomic():
        row.delete()
    assert row.history.count() == 1
