"""The repayment matrix, splitting and interest, by hand-made numbers and for any numbers."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repayments.matrix import interest_for, lay_out, split, weekly_principal

D = Decimal
LOAN_DATE = date(2025, 10, 1)
FIRST_DUE = date(2025, 10, 11)


@pytest.mark.parametrize(
    ("amount", "weekly"),
    [
        ("0.01", "0.01"),
        ("199.99", "199.99"),
        ("200.00", "200.00"),
        ("200.01", "100.00"),
        ("500.00", "100.00"),
        ("500.01", "200.00"),
        ("1000.00", "200.00"),
        ("1000.01", "250.00"),
        ("3000.00", "250.00"),
        ("3000.01", "300.00"),
        ("99999.99", "300.00"),
    ],
)
def test_the_weekly_principal_follows_the_original_amount_to_the_cent(amount: str, weekly: str) -> None:
    assert weekly_principal(D(amount)) == D(weekly)


def test_a_repair_of_200_50_is_two_hundreds_and_fifty_cents() -> None:
    assert split(D("200.50"), weekly_principal(D("200.50"))) == [D("100.00"), D("100.00"), D("0.50")]


def test_the_loan_of_the_rule_book() -> None:
    parts = split(D("1200.00"), weekly_principal(D("1200.00")))
    planned = lay_out(parts, rate=D("10.00"), since=LOAN_DATE, first_due_on=FIRST_DUE)
    told = [
        (one.due_on.isoformat(), *map(str, (one.principal, one.interest, one.amount, one.left)))
        for one in planned
    ]
    assert told == [
        ("2025-10-11", "250.00", "3.29", "253.29", "950.00"),
        ("2025-10-18", "250.00", "1.82", "251.82", "700.00"),
        ("2025-10-25", "250.00", "1.34", "251.34", "450.00"),
        ("2025-11-01", "250.00", "0.86", "250.86", "200.00"),
        ("2025-11-08", "200.00", "0.38", "200.38", "0.00"),
    ]  # fmt: skip


def test_interest_is_rounded_half_up() -> None:
    # 365.00 at 10 % is 0.10 a day; 182.50 for a day is 0.05; 91.25 at 2 % for a day is exactly half a cent.
    assert interest_for(outstanding=D("91.25"), rate=D("2.00"), days=1) == D("0.01")
    assert interest_for(outstanding=D("91.24"), rate=D("2.00"), days=1) == D("0.00")
    assert interest_for(outstanding=D("1000.00"), rate=D("10.00"), days=0) == D("0.00")
    assert interest_for(outstanding=D("1000.00"), rate=D("10.00"), days=-3) == D("0.00")


@settings(max_examples=60)
@given(
    cents=st.integers(1, 9_999_999),
    rate=st.integers(0, 2500),
    wait=st.integers(0, 40),
)
def test_any_schedule_adds_up_falls_to_zero_and_costs_no_less_than_nothing(
    cents: int, rate: int, wait: int
) -> None:
    amount, per_cent = D(cents) / 100, D(rate) / 100
    weekly = weekly_principal(amount)
    first = FIRST_DUE + wait * timedelta(days=7)
    planned = lay_out(split(amount, weekly), rate=per_cent, since=LOAN_DATE, first_due_on=first)
    assert sum(one.principal for one in planned) == amount
    assert all(one.principal == weekly for one in planned[:-1]) and 0 < planned[-1].principal <= weekly
    assert planned[-1].left == 0
    owed = amount
    for number, one in enumerate(planned):
        owed -= one.principal
        assert one.left == owed and one.interest >= 0
        assert one.due_on == first + number * timedelta(days=7)
    # Interest on the whole for the whole time is more than any schedule asks, roundings aside.
    days = (planned[-1].due_on - LOAN_DATE).days
    assert sum(one.interest for one in planned) <= amount * per_cent * days / 36500 + D("0.01") * len(planned)
