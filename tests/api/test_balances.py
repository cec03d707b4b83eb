"""What a driver owes and how old it is, now and on past days, against the plain sums of the log."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.models import DriverAccount, LedgerAllocation, LedgerPosting
from ledger.selectors.aging import BUCKETS, aging
from ledger.selectors.balances import driver_balance
from ledger.services import voids
from tests.factories import make_driver, make_lease, make_user
from tests.ledger.factories import account_of, charge, drive, make_account, pay, run

FIRST = date(2019, 3, 3)
ZERO = Decimal("0.00")


@pytest.fixture
def a_month(db):
    """Two leases of one driver and one of another: charges, payments, a void, over three weeks."""
    maria = make_driver(name="Maria Santos")
    first, second = (account_of(make_lease(driver=maria, weekly_fee="0.00")) for _ in range(2))
    other = make_account()
    lease = charge(first, "LEASE", "500.00", "L-1", on=FIRST, due_on=date(2019, 3, 9))
    charge(first, "EZPASS", "30.00", "T-1", on=date(2019, 3, 4), due_on=date(2019, 3, 16))
    charge(second, "REPAIR", "200.00", "R-1", on=date(2019, 3, 5))
    charge(other, "MISC", "75.00", "M-1", on=date(2019, 3, 6))
    pay(first, "100.00", {"T-1": "30.00"}, on=date(2019, 3, 8))
    pay(other, "100.00", {"M-1": "75.00"}, on=date(2019, 3, 12))
    voids.void_posting(
        posting_id=lease.pk, reason="billed the wrong lease", actor=make_user(), on=date(2019, 3, 14)
    )
    return first, second, other


def open_on(day):
    """Every item's open amount on a day, by the definition: its posting and its allocations up to then."""
    found = {}
    for posting in LedgerPosting.objects.filter(effective_on__lte=day):
        moved = LedgerAllocation.objects.filter(effective_on__lte=day)
        as_debit = moved.filter(debit=posting).aggregate(s=Sum("amount"))["s"] or ZERO
        as_credit = moved.filter(credit=posting).aggregate(s=Sum("amount"))["s"] or ZERO
        if still := posting.amount - as_debit + as_credit:
            found[posting.pk] = (posting.account_id, posting.category, posting.due_on, still)
    return found


def test_the_balance_of_a_driver_by_lease_and_category(api, a_month):
    first, second, _ = a_month
    body = api.get(f"/ledger/drivers/{first.driver_id}/balance").json()
    assert (body["driver_name"], body["as_of"]) == ("Maria Santos", None)
    # 500 voided; 30 paid; 70 of the payment is free again; 200 of the second lease is open.
    assert (body["open_debits"], body["open_credits"], body["balance"]) == ("200.00", "70.00", "130.00")
    by_lease = {lease["lease_id"]: lease for lease in body["leases"]}
    assert by_lease[second.lease_id]["categories"] == [
        {"category": "REPAIR", "open_debits": "200.00", "open_credits": "0.00", "balance": "200.00"}
    ]
    assert by_lease[first.lease_id]["balance"] == "-70.00"
    assert [line["category"] for line in body["categories"]] == ["INTERIM_PAYMENT", "REPAIR"]


def test_the_balance_on_a_past_day_is_what_it_was(api, a_month):
    first = a_month[0]
    path = f"/ledger/drivers/{first.driver_id}/balance"
    for day, expected in (
        ("2019-03-02", "0.00"), ("2019-03-03", "500.00"), ("2019-03-05", "730.00"),
        ("2019-03-08", "630.00"), ("2019-03-13", "630.00"), ("2019-03-14", "130.00"), ("9999-12-31", "130.00"),
        ("0001-01-01", "0.00"),
    ):  # fmt: skip
        body = api.get(path, {"as_of": day}).json()
        assert (body["as_of"], body["balance"]) == (day, expected)


def test_a_driver_without_accounts_owes_nothing_and_an_unknown_one_is_not_found(api, db):
    driver = make_driver()
    body = api.get(f"/ledger/drivers/{driver.pk}/balance").json()
    assert (body["balance"], body["leases"], body["categories"]) == ("0.00", [], [])
    assert api.get("/ledger/drivers/999999/balance").status_code == 404


def test_as_of_equals_the_plain_sums_on_every_day(a_month):
    accounts = list(DriverAccount.objects.all())
    for day in (FIRST + timedelta(days=n) for n in range(-1, 14)):
        items = open_on(day).values()
        count, totals, rows = aging(today=day, as_of=day)
        assert totals["balance"] == sum((item[3] for item in items), ZERO)
        assert totals["balance"] == (
            LedgerPosting.objects.filter(effective_on__lte=day).aggregate(s=Sum("amount"))["s"] or ZERO
        )
        for name, (least, most) in BUCKETS.items():
            expected = sum(
                (
                    item[3] for item in items
                    if item[3] > 0 and (least is None or (day - item[2]).days >= least)
                    and (most is None or (day - item[2]).days <= most)
                ),
                ZERO,
            )  # fmt: skip
            assert totals[name] == expected == sum((row[name] for row in rows), ZERO)
        assert count == len(rows) == len({item[0] for item in items})
        for account in accounts:
            own = [item for item in items if item[0] == account.pk]
            mine = driver_balance(driver_id=account.driver_id, as_of=day)
            of_lease = next(lease for lease in mine["leases"] if lease["lease_id"] == account.lease_id)
            assert of_lease["balance"] == sum((item[3] for item in own), ZERO)


def test_aging_now_is_the_sum_of_all_driver_accounts(api, a_month):
    body = api.get("/ledger/aging").json()
    assert Decimal(body["totals"]["balance"]) == DriverAccount.objects.aggregate(s=Sum("balance"))["s"]
    assert body["totals"]["open_credits"] == "95.00"
    assert body["totals"]["days_29_plus"] == "200.00"  # the repair has been due since 2019
    assert [row["balance"] for row in body["items"]] == ["200.00", "-25.00", "-70.00"]
    by_name = api.get("/ledger/aging", {"sort_by": "driver_name", "sort_order": "desc", "per_page": 1}).json()
    assert (by_name["items"][0]["driver_name"], by_name["total_items"], by_name["total_pages"]) == (
        "Maria Santos", 3, 3
    )  # fmt: skip
    assert by_name["totals"] == body["totals"]


@pytest.mark.parametrize(
    ("days", "bucket"),
    [
        (-1, "not_due"), (0, "not_due"), (1, "days_1_7"), (7, "days_1_7"), (8, "days_8_14"), (14, "days_8_14"),
        (15, "days_15_28"), (28, "days_15_28"), (29, "days_29_plus"), (400, "days_29_plus"),
    ],
)  # fmt: skip
def test_both_sides_of_every_bucket(api, db, days, bucket):
    charge(make_account(), "MISC", "10.00", on=FIRST, due_on=FIRST)
    totals = api.get("/ledger/aging", {"as_of": (FIRST + timedelta(days=days)).isoformat()}).json()["totals"]
    if days < 0:
        assert totals["balance"] == "0.00"
    else:
        assert {name: totals[name] for name in BUCKETS} == {
            name: "10.00" if name == bucket else "0.00" for name in BUCKETS
        }


def test_aging_of_nothing_is_zero_with_cents(api, db):
    body = api.get("/ledger/aging").json()
    assert body["items"] == [] and set(body["totals"].values()) == {"0.00"}


def test_aging_after_a_weekly_run(api, db):
    account = make_account()
    charge(account, "LEASE", "300.00", "L-1")
    drive(account, "250.00", {"MTA": "0.50"})
    run()
    before = api.get("/ledger/aging", {"as_of": "2019-03-08"}).json()["totals"]
    after = api.get("/ledger/aging", {"as_of": "2019-03-09"}).json()["totals"]
    assert (before["balance"], after["balance"]) == ("300.00", "50.50")


# Examples share the database; each has an account of its own.
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_as_of_holds_for_random_histories(db, data):
    account = make_account()
    day = FIRST
    for number in range(data.draw(st.integers(1, 6))):
        day += timedelta(days=data.draw(st.integers(0, 3)))
        amount = f"{data.draw(st.integers(1, 300))}.00"
        if data.draw(st.booleans()):
            charge(account, "LEASE", amount, f"H-{account.pk}-{number}", on=day)
        else:
            pay(account, amount, on=day)
    at = FIRST + timedelta(days=data.draw(st.integers(-1, 20)))
    expected = sum((item[3] for item in open_on(at).values() if item[0] == account.pk), ZERO)
    assert driver_balance(driver_id=account.driver_id, as_of=at)["balance"] == expected


def test_balance_and_aging_cost_the_same_for_any_number_of_items(api, a_month, django_assert_num_queries):
    first = a_month[0]
    with django_assert_num_queries(7):  # session, user, permissions, driver, accounts, sums
        api.get(f"/ledger/drivers/{first.driver_id}/balance", {"as_of": "2019-03-08"})
    with django_assert_num_queries(
        10
    ):  # session, user, permissions, savepoint, timeout, two sums, timeout, release
        api.get("/ledger/aging")
