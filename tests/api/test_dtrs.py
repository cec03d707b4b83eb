"""Weekly reports over HTTP, after a real weekly run."""

from datetime import date

import pytest

from tests.factories import make_lease
from tests.ledger.factories import SUNDAY, account_of, charge, drive, run


@pytest.fixture
def two_weeks(db):
    """Two leases; one earns more than it owes, the other less. Two weeks are closed."""
    good, poor = (account_of(make_lease(starts_on=SUNDAY, weekly_fee="0.00")) for _ in range(2))
    charge(poor, "MISC", "300.00", "M-1")
    drive(good, "560.00", {"MTA": "40.00"})
    drive(poor, "100.00")
    run()
    drive(good, "80.00", week=date(2019, 3, 10))
    run(date(2019, 3, 10))
    return good, poor


def numbers(answer):
    assert answer.status_code == 200, answer.json()
    return [row["number"] for row in answer.json()["items"]]


def test_reports_are_found_by_week_driver_lease_status_and_medallion(api, two_weeks):
    good, poor = two_weeks
    everything = numbers(api.get("/ledger/dtrs/"))
    assert len(everything) == len(set(everything)) == 4
    first_week = numbers(api.get("/ledger/dtrs", {"week": "2019-03-03"}))
    assert len(first_week) == 2 and set(first_week) <= set(everything)
    for query in (
        {"driver_id": good.driver_id},
        {"lease_id": good.lease_id},
        {"medallion_no": good.lease.medallion.number},
    ):
        rows = api.get("/ledger/dtrs", query).json()["items"]
        assert {row["driver_id"] for row in rows} == {good.driver_id} and len(rows) == 2
        assert {row["medallion_no"] for row in rows} == {good.lease.medallion.number}
    assert len(numbers(api.get("/ledger/dtrs", {"status": "FINALIZED"}))) == 4
    assert numbers(api.get("/ledger/dtrs", {"status": "PAID"})) == []
    assert numbers(api.get("/ledger/dtrs", {"driver_id": poor.driver_id, "week": "2019-03-17"})) == []


def test_a_row_and_the_whole_report(api, two_weeks):
    good, _ = two_weeks
    (row,) = api.get("/ledger/dtrs", {"lease_id": good.lease_id, "week": "2019-03-03"}).json()["items"]
    assert (row["week"], row["week_end"]) == ("2019-03-03", "2019-03-09")
    assert (row["gross_earnings"], row["taxes"], row["net_pay"]) == ("560.00", "40.00", "520.00")
    whole = api.get(f"/ledger/dtrs/{row['number']}").json()
    assert row.items() <= whole.items()
    assert whole["data"]["net_pay"] == "520.00" and whole["data"]["week"] == "2019-03-03"
    assert len(whole["trips"]) == 1 and len(whole["trips"][0]) == 10


def test_a_report_is_printed(api, two_weeks):
    number = numbers(api.get("/ledger/dtrs"))[0]
    answer = api.get(f"/ledger/dtrs/{number}/pdf/")
    assert (answer["Content-Type"], answer.content[:5]) == ("application/pdf", b"%PDF-")
    assert answer["Content-Disposition"] == f'inline; filename="{number}.pdf"'


@pytest.mark.parametrize("path", ["/ledger/dtrs/DTR-2019-99999", "/ledger/dtrs/DTR-2019-99999/pdf"])
def test_a_report_that_is_not_there(api, db, path):
    answer = api.get(path)
    assert (answer.status_code, answer.json()["message"]) == (404, "There is no DTR DTR-2019-99999.")


@pytest.mark.parametrize("week", ["2019-03-04", "0001-01-01", "9999-12-31"])
def test_a_week_is_named_by_its_sunday(api, db, week):
    assert api.get("/ledger/dtrs", {"week": week}).status_code == 400


def test_the_list_costs_the_same_for_any_number_of_reports(api, two_weeks, django_assert_num_queries):
    # Session, user, two for permissions; savepoint, timeout, count, keys, rows, timeout, release.
    with django_assert_num_queries(11):
        api.get("/ledger/dtrs")
