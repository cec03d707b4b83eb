"""Lists over HTTP: what filters find, how pages are cut, and what a page costs."""

from datetime import date, timedelta
from decimal import Decimal

import psycopg
import pytest
from django.db import connection

from batconnect.api import pagination
from ledger.models import LedgerPosting, WeeklyRun
from ledger.selectors.postings import filtered_postings
from ledger.services import voids
from tests.factories import make_driver, make_lease, make_user
from tests.ledger.factories import SATURDAY, SUNDAY, account_of, charge, make_account, pay, run

POSTING_KEYS = {
    "posting_id", "driver_id", "driver_name", "lease_id", "lease_number", "medallion_no", "vehicle_vin", "category",
    "entry_type", "reference_id", "description", "effective_on", "due_date", "created_at", "status", "amount",
    "product", "event_on", "run_week", "reversal_for_id", "replaces_id", "reason", "created_by_name",
}  # fmt: skip
BALANCE_KEYS = {
    "posting_id", "driver_id", "driver_name", "lease_id", "lease_number", "medallion_no", "vehicle_vin", "category",
    "entry_type", "reference_id", "description", "effective_on", "due_date", "created_at", "status",
    "original_amount", "prior_balance", "balance", "last_allocated_on", "applied_payment_refs",
}  # fmt: skip


def references(answer):
    assert answer.status_code == 200, answer.json()
    return sorted(row["reference_id"] for row in answer.json()["items"])


@pytest.fixture
def two_drivers(db):
    """Maria owes a toll and a lease; Omar owes a repair that he paid in part. Omar's VIN and cab are his own."""
    maria = account_of(make_lease(driver=make_driver(name="Maria Santos"), weekly_fee="0.00"))
    omar = account_of(make_lease(driver=make_driver(name="Omar Haddad"), weekly_fee="0.00"))
    charge(maria, "EZPASS", "12.50", "TOLL-1", on=date(2019, 3, 4))
    charge(maria, "LEASE", "500.00", "LEASE-1", on=date(2019, 3, 5))
    charge(omar, "REPAIR", "200.50", "RPR-1", on=date(2019, 3, 6))
    pay(omar, "100.00", {"RPR-1": "100.00"})
    return maria, omar


def test_every_filter_finds_its_rows(api, two_drivers):
    maria, omar = two_drivers
    for path in ("/ledger/postings", "/ledger/balances"):
        for query, expected in (
            ({"driver_name": "mARIA"}, ["LEASE-1", "TOLL-1"]),
            ({"driver_id": maria.driver_id}, ["LEASE-1", "TOLL-1"]),
            ({"lease_id": maria.lease_id, "category": "EZPASS"}, ["TOLL-1"]),
            ({"medallion_no": maria.lease.medallion.number}, ["LEASE-1", "TOLL-1"]),
            ({"vehicle_vin": omar.lease.vehicle.vin, "entry_type": "DEBIT"}, ["RPR-1"]),
            ({"start_date": "2019-03-05", "end_date": "2019-03-06"}, ["LEASE-1", "RPR-1"]),
            ({"reference_id": "TOLL-1"}, ["TOLL-1"]),
            ({"reference_id": "TOLL"}, []),
            ({"driver_id": maria.driver_id, "vehicle_vin": omar.lease.vehicle.vin}, []),
        ):
            assert references(api.get(path, query)) == expected, (path, query)


def test_dates_find_what_is_dated_between_them_whenever_it_was_made(api, two_drivers):
    """A week is closed, then a charge of it comes late and a toll is voided: they count where they are dated."""
    maria, _ = two_drivers
    run(SUNDAY)
    charge(maria, "MISC", "7.00", "LATE-1", on=SUNDAY)
    voids.void_posting(
        posting_id=LedgerPosting.objects.get(reference_id="TOLL-1").pk,
        reason="charged twice by the agency", actor=make_user(), on=SUNDAY + timedelta(days=8),
    )  # fmt: skip
    dated = LedgerPosting.objects.values_list("reference_id", "effective_on")
    days = [SUNDAY + timedelta(days=day) for day in range(-1, 10)]
    for path in ("/ledger/postings", "/ledger/balances"):
        for start in days:
            for end in (start, start + timedelta(days=2), SATURDAY, date(2030, 1, 1)):
                if end >= start:
                    expected = sorted(name for name, day in dated if start <= day <= end)
                    found = api.get(path, {"start_date": start, "end_date": end, "per_page": 100})
                    assert references(found) == expected, (path, start, end)
    for odd in ("0001-01-01", "1969-12-31", "9999-12-31"):
        assert api.get("/ledger/postings", {"start_date": odd, "end_date": odd}).json()["items"] == []


def test_a_list_of_a_closed_week_begins_at_the_keys_of_its_closing(two_drivers):
    """However many postings came since: the index is entered there, with a day's room."""
    run(SUNDAY)
    closed_at = WeeklyRun.objects.get(week=SUNDAY).closed_at
    key = f"{int(closed_at.timestamp() * 1000) + 86_400_000:012x}"
    asked = str(filtered_postings({"end_date": SATURDAY}).query).replace("-", "")
    assert f"{key}00000000000000000000" in asked
    assert 'id" <' not in str(filtered_postings({"end_date": SATURDAY + timedelta(days=1)}).query)


def test_status_of_postings_and_of_balances(api, two_drivers):
    maria, _ = two_drivers
    toll = charge(maria, "EZPASS", "5.00", "TOLL-2")
    voids.void_posting(posting_id=toll.pk, reason="charged twice by the agency", actor=make_user(), on=SUNDAY)
    driver = {"driver_id": maria.driver_id}
    assert references(api.get("/ledger/postings", {**driver, "status": "VOIDED"})) == ["TOLL-2"]
    assert references(api.get("/ledger/balances", {**driver, "status": "OPEN"})) == ["LEASE-1", "TOLL-1"]
    assert references(api.get("/ledger/balances", {**driver, "status": "CLOSED"})) == ["TOLL-2", "TOLL-2"]
    # The reversal is found by its original's reference.
    assert references(api.get("/ledger/postings", {"reference_id": "TOLL-2"})) == ["TOLL-2", "TOLL-2"]


def test_a_posting_row(api, two_drivers):
    (row,) = api.get("/ledger/postings", {"reference_id": "TOLL-1"}).json()["items"]
    assert set(row) == POSTING_KEYS
    assert (row["driver_name"], row["amount"], row["entry_type"]) == ("Maria Santos", "12.50", "DEBIT")
    assert (row["effective_on"], row["due_date"]) == ("2019-03-04", "2019-03-09")
    assert row["created_at"][-6:] in ("-04:00", "-05:00")


def test_a_balance_row_says_what_was_open_before_its_last_allocations(api, two_drivers):
    _, omar = two_drivers
    pay(omar, "30.00", {"RPR-1": "30.00"}, on=date(2019, 3, 12))
    last = pay(omar, "20.50", {"RPR-1": "20.50"}, on=date(2019, 3, 12))
    (row,) = api.get("/ledger/balances", {"reference_id": "RPR-1"}).json()["items"]
    assert set(row) == BALANCE_KEYS
    # 200.50 − 100.00 on the 11th; both payments of the 12th are one movement.
    assert (row["original_amount"], row["prior_balance"], row["balance"]) == ("200.50", "100.50", "50.00")
    assert row["last_allocated_on"] == "2019-03-12"
    assert len(row["applied_payment_refs"]) == 3 and str(last.pk) in row["applied_payment_refs"]
    credit = next(r for r in api.get("/ledger/balances", {"entry_type": "CREDIT"}).json()["items"])
    assert (credit["prior_balance"], credit["balance"]) == ("-20.50", "0.00")
    (toll,) = api.get("/ledger/balances", {"reference_id": "TOLL-1"}).json()["items"]
    assert (toll["prior_balance"], toll["balance"], toll["last_allocated_on"]) == ("12.50", "12.50", None)


def test_an_undone_allocation_counts_in_prior_balance(api, two_drivers):
    maria, _ = two_drivers
    payment = pay(maria, "10.00", {"TOLL-1": "10.00"})
    voids.void_posting(
        posting_id=payment.pk, reason="the money was false", actor=make_user(), on=date(2019, 3, 13)
    )
    (row,) = api.get("/ledger/balances", {"reference_id": "TOLL-1"}).json()["items"]
    assert (row["prior_balance"], row["balance"], row["applied_payment_refs"]) == ("2.50", "12.50", [])


def test_pages_are_cut_and_sorted(api, db):
    account = make_account()
    for number in range(1, 8):
        charge(account, "MISC", f"{number}.00", f"M-{number}")
    query = {"driver_id": account.driver_id, "sort_by": "amount", "sort_order": "asc", "per_page": 3}
    pages = [api.get("/ledger/postings", {**query, "page": page}).json() for page in (1, 2, 3, 4)]
    assert [[row["amount"] for row in page["items"]] for page in pages] == [
        ["1.00", "2.00", "3.00"], ["4.00", "5.00", "6.00"], ["7.00"], []
    ]  # fmt: skip
    shape = {name: pages[0][name] for name in pages[0] if name != "items"}
    assert shape == {
        "total_items": 7, "page": 1, "per_page": 3, "total_pages": 3, "total_is_estimate": False
    }  # fmt: skip
    newest_first = api.get("/ledger/postings", {"driver_id": account.driver_id}).json()["items"]
    assert [row["reference_id"] for row in newest_first] == [f"M-{number}" for number in range(7, 0, -1)]


def test_equal_rows_keep_their_place_from_page_to_page(api, db):
    account = make_account()
    for number in range(6):
        charge(account, "MISC", "5.00", f"SAME-{number}")
    seen = [
        api.get("/ledger/balances", {"sort_by": "balance", "per_page": 1, "page": page}).json()["items"][0]
        for page in range(1, 7)
    ]
    assert len({row["reference_id"] for row in seen}) == 6


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"page": "0"}, "page"), ({"page": "-1"}, "page"), ({"page": "x"}, "page"), ({"page": "1.0"}, "page"),
        ({"page": "٣"}, "page"), ({"page": "9" * 30}, "page"),
        ({"per_page": "0"}, "per_page"), ({"per_page": "101"}, "per_page"),
        ({"sort_by": "password"}, "sort_by"), ({"sort_order": "up"}, "sort_order"),
        ({"driver_id": "9" * 19}, "driver_id"), ({"driver_id": "1_0"}, "driver_id"),
        ({"lease_id": "abc"}, "lease_id"), ({"category": "RENT"}, "category"), ({"status": "OPEN"}, "status"),
        ({"start_date": "2019-02-30"}, "start_date"), ({"start_date": "20190203"}, "start_date"),
        ({"start_date": "2019-03-05", "end_date": "2019-03-04"}, "end_date"),
        ({"driver_name": "a\x00b"}, "driver_name"), ({"reference_id": "x" * 81}, "reference_id"),
        ({"use_stubs": "yes"}, "use_stubs"), ({"driverid": "5"}, "driverid"),
        ({"driver_id": ["1", "2"]}, "driver_id"), ({"driver_id": ""}, "driver_id"), ({"status": ""}, "status"),
        ({"driver_name": " "}, "driver_name"), ({"end_date": ""}, "end_date"), ({"use_stubs": ""}, "use_stubs"),
    ],
)  # fmt: skip
def test_a_bad_query_is_refused_and_the_parameter_named(api, query, field):
    answer = api.get("/ledger/postings", query)
    body = answer.json()
    assert answer.status_code == 400, body
    assert set(body) == {"error", "message", "details"}
    assert (body["error"], field in body["details"], body["message"].startswith(field)) == (
        "request.invalid", True, True
    )  # fmt: skip


def test_the_last_page_that_may_be_asked_for(api, db):
    per_page = 100
    last = pagination.DEEPEST_ROW // per_page
    assert api.get("/ledger/postings", {"page": last, "per_page": per_page}).status_code == 200
    answer = api.get("/ledger/postings", {"page": last + 1, "per_page": per_page})
    assert (answer.status_code, answer.json()["error"]) == (400, "page.too_deep")


def test_above_the_exact_count_the_total_is_an_estimate_and_says_so(api, two_drivers, monkeypatch):
    monkeypatch.setattr(pagination, "EXACT_COUNT", 3)
    body = api.get("/ledger/postings").json()
    assert body["total_is_estimate"] is True
    assert body["total_items"] >= 4
    monkeypatch.setattr(pagination, "EXACT_COUNT", 4)
    body = api.get("/ledger/postings").json()
    assert (body["total_is_estimate"], body["total_items"]) == (False, 4)


@pytest.mark.parametrize("path", ["/ledger/postings", "/ledger/balances"])
def test_a_page_costs_the_same_whatever_is_on_it(api, two_drivers, django_assert_num_queries, path):
    maria, _ = two_drivers
    # Session, user and two for permissions; savepoint, timeout, count, keys, rows (and what moved last, for
    # balances), timeout, release.
    expected = 11 if path.endswith("postings") else 12
    with django_assert_num_queries(expected):
        api.get(path)
    for number in range(20):
        charge(maria, "MISC", "5.00", f"MORE-{number}")
    with django_assert_num_queries(expected):
        assert len(api.get(path).json()["items"]) == 24


def test_what_takes_too_long_is_stopped_and_said(api, monkeypatch):
    monkeypatch.setattr(pagination, "LIST_TIMEOUT_MS", 100)
    # Someone else's lock makes the reading of this table take for ever.
    with psycopg.connect(**other_connection()) as other:
        other.execute("LOCK TABLE dtr IN ACCESS EXCLUSIVE MODE")
        answer = api.get("/ledger/dtrs")
        assert (answer.status_code, answer.json()["error"]) == (400, "query.too_broad")
        other.rollback()
    assert api.get("/ledger/dtrs").status_code == 200


def other_connection():
    given = connection.get_connection_params()
    return {name: given[name] for name in ("dbname", "host", "port", "user", "password") if given.get(name)}


@pytest.mark.parametrize(
    ("path", "keys"), [("/ledger/postings", POSTING_KEYS), ("/ledger/balances", BALANCE_KEYS)]
)
def test_stubs_have_the_shape_of_rows_and_touch_no_data(api, path, keys, django_assert_num_queries):
    with django_assert_num_queries(4):  # session, user, permissions
        body = api.get(path, {"use_stubs": "true", "per_page": 100, "page": 3}).json()
    assert (body["total_items"], len(body["items"]), body["total_pages"]) == (240, 40, 3)
    assert all(set(row) == keys for row in body["items"])
    again = api.get(path, {"use_stubs": "true", "per_page": 100, "page": 3}).json()
    assert again == body
    money = "amount" if "postings" in path else "original_amount"
    assert all(Decimal(row[money]) > 0 and row[money][-3] == "." for row in body["items"])


def test_stubs_add_up(api):
    for row in api.get("/ledger/balances", {"use_stubs": "true", "per_page": 100}).json()["items"]:
        assert (row["status"] == "CLOSED") == (row["balance"] == "0.00")
        assert bool(row["applied_payment_refs"]) == (row["balance"] != row["original_amount"])


def test_a_slash_at_the_end_is_optional_everywhere(api, two_drivers):
    for path in ("/ledger/postings", "/drivers", "/leases", "/ledger/dtrs", "/healthz", "/openapi.json"):
        assert api.get(path).status_code == api.get(path + "/").status_code == 200, path
    assert api.get("/ledger/postings//").status_code == 404


def test_the_fleet_is_listed_and_shown(api, two_drivers):
    maria, _ = two_drivers
    lease = maria.lease
    for path, query, shown in (
        ("/drivers", {"name": "santos"}, {"name": "Maria Santos", "id": lease.driver_id}),
        ("/drivers", {"tlc_license": lease.driver.tlc_license}, {"id": lease.driver_id}),
        ("/medallions", {"number": lease.medallion.number}, {"id": lease.medallion_id}),
        ("/vehicles", {"vin": lease.vehicle.vin, "is_active": "true"}, {"plate": lease.vehicle.plate}),
        ("/leases", {"driver_name": "maria", "active_on": "2019-03-05"}, {"number": lease.number}),
        ("/leases", {"vehicle_vin": lease.vehicle.vin}, {"medallion_no": lease.medallion.number}),
    ):
        body = api.get(path, query).json()
        assert body["total_items"] == 1, (path, query, body)
        (row,) = body["items"]
        assert shown.items() <= row.items()
        assert api.get(f"{path}/{row['id']}").json() == row
    assert api.get("/leases", {"active_on": "2019-02-23"}).json()["items"] == []
    missing = api.get("/drivers/999999999999999999")
    assert (missing.status_code, missing.json()["error"]) == (404, "not_found")
