"""Which days of a lease cost what: worked figures, boundaries, and the statement against plain Python."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from batconnect.common.audit import system_user
from leases import schedule
from leases.installments import LeaseInstallments
from leases.models import LeaseFee, LeaseInstallment, LeaseSuspension
from tests.factories import cancelled_before, make_lease

SUNDAY = date(2019, 3, 3)
SATURDAY = date(2019, 3, 9)
pytestmark = pytest.mark.django_db


def billed(lease):
    return [(i.reference_id, i.days, i.amount, i.due_on) for i in lease.installments.order_by("period_start")]


def prepare(through):
    LeaseInstallments().prepare(through=through)


def test_a_whole_week_is_one_installment_due_on_its_saturday():
    lease = make_lease(weekly_fee="500.00", starts_on=SUNDAY)
    prepare(SATURDAY)
    assert billed(lease) == [(f"{lease.number}/2019-03-03", 7, Decimal("500.00"), SATURDAY)]


@pytest.mark.parametrize(
    ("starts_on", "ends_on", "days", "amount"),
    [
        (date(2019, 3, 6), None, 4, "285.71"),  # Wednesday to Saturday: the first day counts
        (date(2019, 3, 7), None, 3, "214.29"),
        (date(2019, 3, 9), None, 1, "71.43"),
        (SUNDAY, date(2019, 3, 6), 4, "285.71"),  # Sunday to Wednesday: the last day counts
        (SUNDAY, date(2019, 3, 5), 3, "214.29"),
        (SUNDAY, SUNDAY, 1, "71.43"),
        (date(2019, 3, 5), date(2019, 3, 6), 2, "142.86"),
    ],
)
def test_first_and_last_weeks_are_prorated(starts_on, ends_on, days, amount):
    lease = make_lease(weekly_fee="500.00", starts_on=starts_on, ends_on=ends_on)
    prepare(SATURDAY)
    assert billed(lease) == [(f"{lease.number}/{starts_on}", days, Decimal(amount), SATURDAY)]


def test_a_fee_change_inside_a_week_bills_two_items_each_rounded():
    lease = make_lease(weekly_fee="500.00", starts_on=SUNDAY)
    LeaseFee.objects.create(lease=lease, effective_from=date(2019, 3, 6), weekly_fee=Decimal("550.00"))
    prepare(SATURDAY)
    assert billed(lease) == [
        (f"{lease.number}/2019-03-03", 3, Decimal("214.29"), SATURDAY),
        (f"{lease.number}/2019-03-06", 4, Decimal("314.29"), SATURDAY),
    ]


def test_a_fee_that_repeats_the_one_before_splits_no_week():
    lease = make_lease(weekly_fee="500.00", starts_on=SUNDAY)
    LeaseFee.objects.create(lease=lease, effective_from=date(2019, 3, 6), weekly_fee=Decimal("500.00"))
    prepare(SATURDAY)
    assert [row[1:3] for row in billed(lease)] == [(7, Decimal("500.00"))]


def suspended(lease, starts_on, ends_on=None, **more):
    return LeaseSuspension.objects.create(
        lease=lease, starts_on=starts_on, ends_on=ends_on, reason="Cab in the shop", **more
    )


def test_suspended_days_are_free_and_part_a_week_into_what_is_before_and_after():
    lease = make_lease(weekly_fee="500.00", starts_on=SUNDAY)
    suspended(lease, date(2019, 3, 5), date(2019, 3, 6))  # Tuesday and Wednesday
    suspended(lease, date(2019, 3, 3), date(2019, 3, 9), withdrawn=True)
    prepare(SATURDAY)
    assert billed(lease) == [
        (f"{lease.number}/2019-03-03", 2, Decimal("142.86"), SATURDAY),
        (f"{lease.number}/2019-03-07", 3, Decimal("214.29"), SATURDAY),
    ]


def test_a_suspension_over_a_week_boundary_and_one_without_an_end():
    lease = make_lease(weekly_fee="500.00", starts_on=SUNDAY)
    suspended(lease, date(2019, 3, 8), date(2019, 3, 11))
    suspended(lease, date(2019, 3, 20))
    prepare(date(2019, 4, 6))
    assert [(row[0][-10:], row[1], row[2]) for row in billed(lease)] == [
        ("2019-03-03", 5, Decimal("357.14")),
        ("2019-03-12", 5, Decimal("357.14")),
        ("2019-03-17", 3, Decimal("214.29")),
    ]


def test_a_week_is_made_when_its_saturday_has_come_and_not_a_day_before():
    lease = make_lease(starts_on=SUNDAY)
    prepare(date(2019, 3, 8))
    assert billed(lease) == []
    prepare(SATURDAY)
    assert len(billed(lease)) == 1


def test_preparing_again_changes_nothing_and_later_adds_only_the_new_weeks():
    lease = make_lease(starts_on=SUNDAY)
    prepare(SATURDAY)
    first = list(lease.installments.values_list("id", "created_at"))
    prepare(SATURDAY)
    assert list(lease.installments.values_list("id", "created_at")) == first
    prepare(date(2019, 3, 23))
    assert [row[0][-10:] for row in billed(lease)] == ["2019-03-03", "2019-03-10", "2019-03-17"]


def test_a_lease_entered_late_gets_its_earlier_weeks_too():
    prepare(date(2019, 3, 30))
    lease = make_lease(weekly_fee="700.00", starts_on=date(2019, 3, 6))
    prepare(date(2019, 3, 30))
    assert [row[2] for row in billed(lease)] == [Decimal(x) for x in ("400.00", "700.00", "700.00", "700.00")]


def test_the_weeks_in_which_the_clocks_change_cost_what_others_do():
    lease = make_lease(weekly_fee="500.00", starts_on=date(2019, 3, 10), ends_on=date(2019, 11, 9))
    prepare(date(2019, 11, 9))
    assert {row[1:3] for row in billed(lease)} == {(7, Decimal("500.00"))}
    assert len(billed(lease)) == 35


def test_what_costs_nothing_makes_no_row():
    free = make_lease(weekly_fee="0.00", starts_on=SUNDAY)
    nearly = make_lease(weekly_fee="0.03", starts_on=SATURDAY)  # a seventh of 3 cents is 0.43 cents
    prepare(SATURDAY)
    assert billed(free) == billed(nearly) == []


def test_weeks_after_free_ones_are_made_once_the_fee_begins():
    lease = make_lease(weekly_fee="0.00", starts_on=SUNDAY)
    prepare(SATURDAY)
    LeaseFee.objects.create(lease=lease, effective_from=date(2019, 3, 10), weekly_fee=Decimal("70.00"))
    prepare(date(2019, 3, 16))
    assert [row[2] for row in billed(lease)] == [Decimal("70.00")]


def test_a_cancelled_lease_costs_nothing():
    lease = make_lease(starts_on=SUNDAY)
    cancelled_before(lease)
    prepare(SATURDAY)
    assert billed(lease) == []


def test_preparing_is_a_handful_of_statements_for_any_number_of_leases(django_assert_num_queries):
    for _ in range(5):
        make_lease(starts_on=SUNDAY)
    with django_assert_num_queries(6):  # a savepoint each for run and statement, lock, insert
        prepare(date(2019, 3, 16))
    assert LeaseInstallment.objects.count() == 10


@st.composite
def agreements(draw):
    """A lease's dates and fees: the first fee from its start, a few changes after it."""
    starts_on = SUNDAY + timedelta(days=draw(st.integers(0, 20)))
    length = draw(st.none() | st.integers(0, 60))
    cents = st.integers(0, 5) | st.integers(0, 100_000) | st.just(50_000)
    changes = draw(st.dictionaries(st.integers(1, 60), cents, max_size=4))
    fees = [(starts_on, Decimal(draw(cents)) / 100)]
    fees += [(starts_on + timedelta(days=day), Decimal(changes[day]) / 100) for day in sorted(changes)]
    cuts = sorted(draw(st.sets(st.integers(0, 70), max_size=6)))
    off = [(starts_on + timedelta(days=a), starts_on + timedelta(days=b - 1)) for a, b in _pairs(cuts)]
    if off and draw(st.booleans()):
        off[-1] = (off[-1][0], None)
    return starts_on, None if length is None else starts_on + timedelta(days=length), fees, off


def _pairs(cuts):
    return list(zip(cuts[::2], cuts[1::2], strict=False))


@settings(max_examples=60)
@given(st.lists(agreements(), min_size=1, max_size=3), st.lists(st.integers(0, 70), min_size=1, max_size=4))
def test_the_statement_agrees_with_plain_python_however_often_it_runs(terms, days):
    through = [SUNDAY + timedelta(days=day) for day in sorted(days)]
    with transaction.atomic():
        leases = [_lease_on(*term) for term in terms]
        for day in through:
            prepare(day)
        for lease, (starts_on, ends_on, fees, off) in zip(leases, terms, strict=True):
            expected = schedule.weekly_schedule(
                starts_on=starts_on, ends_on=ends_on, fees=fees, through=through[-1], suspensions=off
            )
            made = lease.installments.order_by("period_start")
            assert [
                schedule.Stretch(i.week, i.period_start, i.period_end, i.weekly_fee, i.amount) for i in made
            ] == expected
            assert [(i.days, i.due_on) for i in made] == [(s.days, s.due_on) for s in expected]
            _check_by_day(expected, ends_on, fees, off, through[-1])
        transaction.set_rollback(True)


def _lease_on(starts_on, ends_on, fees, off):
    lease = make_lease(weekly_fee=fees[0][1], starts_on=starts_on, ends_on=ends_on, actor=system_user())
    for effective_from, fee in fees[1:]:
        LeaseFee.objects.create(lease=lease, effective_from=effective_from, weekly_fee=fee)
    for first, last in off:
        suspended(lease, first, last)
    return lease


def _check_by_day(stretches, ends_on, fees, off, through):
    """Said another way: every due day that costs something is in one stretch, at that day's fee; no free day is."""
    fee_by_day = {day: s.weekly_fee for s in stretches for day in _days(s.period_start, s.period_end)}
    assert len(fee_by_day) == sum(s.days for s in stretches)
    last = max((d for d in _days(SUNDAY, through) if d.weekday() == 5), default=SUNDAY - timedelta(days=1))
    for day in _days(fees[0][0], min(last, ends_on or last)):
        if any(first <= day and (back is None or day <= back) for first, back in off):
            assert day not in fee_by_day
            continue
        fee = [amount for start, amount in fees if start <= day][-1]
        assert fee_by_day.pop(day, fee) == fee
    assert not fee_by_day


def _days(first, last):
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
