"""Leases over HTTP: made, told what a change would do, changed once, and read with what the ledger says of them."""

from datetime import date
from decimal import Decimal

import pytest
from rest_framework.test import APIClient

from batconnect.common.models import AuditEntry
from leases.models import Driver, Lease, LeaseCap, LeaseTermination, Medallion, Vehicle
from ledger.models import LedgerPosting
from tests.factories import make_driver, make_lease, make_medallion, make_user, make_vehicle
from tests.ledger.factories import SUNDAY, account_of, balance, broken_proofs, run

pytestmark = pytest.mark.django_db
DESK = (
    "leases.view_lease",
    "leases.add_lease",
    "leases.change_lease",
    "leases.terminate_lease",
    "leases.change_vehicleassignment",
)


def client_with(*permissions):
    client = APIClient()
    client.force_login(make_user(permissions=permissions))
    return client


@pytest.fixture
def desk():
    return client_with(*DESK)


@pytest.fixture
def lease():
    """Charged for the weeks of March 3 and March 10, 2019."""
    made = make_lease(weekly_fee="500.00", starts_on=SUNDAY)
    run()
    return made


def send(client, lease, what, body, key=None):
    headers = {"HTTP_IDEMPOTENCY_KEY": key} if key else {}
    return client.post(f"/leases/{lease.pk}/{what}", body, format="json", **headers)


def test_a_lease_is_made_once_and_a_fee_above_the_cap_is_refused_by_its_rule(desk):
    body = {
        "driver_id": make_driver().pk,
        "medallion_id": make_medallion().pk,
        "vehicle_id": make_vehicle().pk,
        "starts_on": "2019-03-03",
        "weekly_fee": "560.01",
    }
    LeaseCap.objects.create(
        lease_type="long-term", effective_from=date(2019, 1, 1), weekly_cap=Decimal("560.00")
    )
    refused = desk.post("/leases", body, format="json")
    assert (refused.status_code, refused.json()["error"]) == (409, "lease.fee_above_cap")
    assert "Rule 58-21" in refused.json()["message"]
    body["weekly_fee"] = "560.00"
    made = desk.post("/leases", body, format="json", HTTP_IDEMPOTENCY_KEY="one")
    assert (made.status_code, made.json()["status"]) == (201, "ACTIVE")
    again = desk.post("/leases", body, format="json", HTTP_IDEMPOTENCY_KEY="one")
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (made.json(), "true")
    assert Lease.objects.count() == 1
    body["driver_id"] = 10**9
    assert desk.post("/leases", body, format="json").status_code == 404


def test_a_dry_run_tells_what_the_change_then_does_and_keeps_nothing(desk, lease):
    body = {"weekly_fee": "550", "effective_from": "2019-03-13"}
    told = send(desk, lease, "fee", {**body, "dry_run": True}).json()
    assert told["dry_run"] and told["balance_after"] == "1028.58"
    assert lease.fees.count() == 1
    done = send(desk, lease, "fee", body, key="one").json()
    figures = ("reference_id", "amount", "paid", "days")
    for part in ("replaced", "posted", "scheduled", "cancelled"):
        assert [[line[n] for n in figures] for line in told[part]] == [
            [line[n] for n in figures] for line in done[part]
        ]
    assert [line["posting_id"] for line in told["posted"]] == [None, None]
    assert send(desk, lease, "fee", body, key="one").json() == done
    assert balance(account_of(lease)) == Decimal("1028.58")
    other = send(desk, lease, "fee", {**body, "weekly_fee": "551"}, key="one")
    assert other.status_code == 422
    assert broken_proofs() == []


def test_a_lease_is_suspended_resumed_renewed_and_followed(desk, lease):
    answer = send(
        desk,
        lease,
        "suspend",
        {"starts_on": "2019-03-14", "ends_on": "2019-03-16", "reason": "Cab in the shop"},
    )
    assert [line["amount"] for line in answer.json()["posted"]] == ["285.71"]
    answer = send(desk, lease, "resume", {"resumes_on": "2019-03-16", "reason": "Cab is back early"})
    assert [line["reference_id"][-10:] for line in answer.json()["scheduled"]] == ["2019-03-16"]
    assert send(desk, lease, "renew", {}).json()["error"] == "lease.nothing_to_renew"
    assert send(desk, lease, "follow", {"weekly_fee": "0"}).status_code == 400
    Lease.objects.filter(pk=lease.pk).update(ends_on=date(2019, 3, 16))
    assert send(desk, lease, "renew", {"ends_on": "2019-03-31"}).json()["ends_on"] == "2019-03-31"
    following = send(desk, lease, "follow", {"weekly_fee": "0"})
    assert (following.status_code, following.json()["starts_on"]) == (201, "2019-04-01")
    terms = desk.get(f"/leases/{lease.pk}/terms").json()
    assert [row["weekly_fee"] for row in terms["fees"]] == ["500.00"]
    assert [(row["starts_on"], row["ends_on"]) for row in terms["suspensions"]] == [
        ("2019-03-14", "2019-03-15")
    ]
    assert [row["vehicle_vin"] for row in terms["vehicles"]] == [lease.vehicle.vin]


def test_an_early_end_posts_its_fee_and_only_some_may_waive_it(desk, lease):
    body = {"ends_on": "2019-03-12", "reason": "Asked for at the desk"}
    for less in ({"waiver_reason": "A friend of the house"}, {"cancellation_fee": "499.99"}):
        refused = send(desk, lease, "terminate", {**body, **less})
        assert (refused.status_code, refused.json()["error"]) == (403, "lease.waiver_not_allowed")
    chief = client_with(*DESK, "leases.waive_cancellation_fee")
    told = send(
        chief, lease, "terminate", {**body, "waiver_reason": "A friend of the house", "dry_run": True}
    ).json()
    assert (told["waived"], told["balance_after"]) == (True, "714.29")
    done = send(desk, lease, "terminate", body).json()
    assert (done["status"], done["cancellation_fee"], done["balance_after"]) == ("ENDED", "500.00", "1214.29")
    assert LedgerPosting.objects.get(pk=LeaseTermination.objects.get().posting_id).amount == Decimal("500.00")
    assert broken_proofs() == []


def test_a_vehicle_is_swapped_to_the_minute(desk, lease):
    new = make_vehicle()
    body = {"vehicle_id": new.pk, "at": "2019-03-14T14:37:00-04:00"}
    assert send(desk, lease, "swap-vehicle", {**body, "dry_run": True}).json()["vehicle_id"] == new.pk
    lease.refresh_from_db()
    assert lease.vehicle != new
    done = send(desk, lease, "swap-vehicle", body, key="one").json()
    assert (done["former_vehicle_id"], done["vehicle_id"]) == (lease.vehicle_id, new.pk)
    assert send(desk, lease, "swap-vehicle", body, key="one").json() == done
    rows = desk.get(f"/leases/{lease.pk}/terms").json()["vehicles"]
    assert [row["vehicle_id"] for row in rows] == [lease.vehicle_id, new.pk]
    assert rows[0]["ended_at"] == rows[1]["started_at"]
    for at in ("2019-03-14T14:37:00", "2999-01-01T00:00:00Z", "yesterday", 5):
        assert send(desk, lease, "swap-vehicle", {**body, "at": at}).status_code == 400
    assert send(desk, lease, "swap-vehicle", {**body, "vehicle_id": 10**9}).status_code == 404


def test_the_schedule_says_what_became_of_each_installment(desk, lease):
    send(desk, lease, "fee", {"weekly_fee": "550", "effective_from": "2019-03-13"})
    send(desk, lease, "suspend", {"starts_on": "2019-03-17", "reason": "Cab in the shop"})
    rows = desk.get(f"/leases/{lease.pk}/schedule").json()["items"]
    assert sorted(
        (row["reference_id"].partition("/")[2], row["status"], row["open_amount"]) for row in rows
    ) == [
        ("2019-03-03", "POSTED", "500.00"),
        ("2019-03-10", "REPLACED", "0.00"),
        ("2019-03-10/2", "POSTED", "214.29"),
        ("2019-03-13", "POSTED", "314.29"),
    ]


def test_what_cannot_be_is_refused_with_a_sentence(desk, lease):
    for what, body, status in [
        ("fee", {"weekly_fee": "-1", "effective_from": "2019-03-13"}, 400),
        ("fee", {"weekly_fee": "1", "effective_from": "9999-12-31"}, 400),
        ("fee", {"weekly_fee": "500.00", "effective_from": "2019-03-13"}, 409),
        ("suspend", {"starts_on": "2019-03-13", "reason": "no"}, 400),
        ("resume", {"resumes_on": "2019-03-13", "reason": "Cab is back early"}, 409),
        ("terminate", {"ends_on": "2019-03-02", "reason": "Asked for at the desk"}, 400),
        ("terminate", {"ends_on": "2019-03-12", "reason": "Asked for at the desk", "dry_run": "yes"}, 400),
    ]:
        answer = send(desk, lease, what, body)
        assert answer.status_code == status, (what, body, answer.json())
        assert answer.json()["message"]
    lease.pk = 10**9
    assert send(desk, lease, "fee", {"weekly_fee": "1", "effective_from": "2019-03-13"}).status_code == 404


# --- drivers, medallions, vehicles ----------------------------------------------------------------------------


def test_the_fleet_is_entered_and_changed_once_and_its_history_names_who():
    office = client_with(
        *(
            f"leases.{verb}_{what}"
            for verb in ("add", "change", "view")
            for what in ("driver", "medallion", "vehicle")
        )
    )
    body = {"tlc_license": "5400001", "name": "Amara Diallo", "license_expires_on": "2026-05-31"}
    made = office.post("/drivers", body, format="json", HTTP_IDEMPOTENCY_KEY="one")
    assert (made.status_code, made.json()["is_active"]) == (201, True)
    again = office.post("/drivers/", body, format="json", HTTP_IDEMPOTENCY_KEY="one")
    assert again.json() == made.json() and Driver.objects.filter(tlc_license="5400001").count() == 1
    twice = office.post("/drivers", body, format="json")
    assert (twice.status_code, twice.json()["error"]) == (409, "fleet.known_already")
    driver = Driver.objects.get(tlc_license="5400001")
    changed = office.patch(f"/drivers/{driver.pk}", {"phone": "212 555 0100"}, format="json")
    assert changed.status_code == 200 and changed.json() == {**made.json(), "phone": "212 555 0100"}
    assert office.get(f"/drivers/{driver.pk}").json() == changed.json()
    office.patch(f"/drivers/{driver.pk}", {"phone": "212 555 0100"}, format="json")
    assert (
        driver.history.count() == 2
        and driver.history.first().history_user.pk == AuditEntry.objects.latest("pk").actor_id
    )
    assert AuditEntry.objects.filter(subject=f"driver:{driver.pk}").count() == 2

    other = office.post("/vehicles", {"vin": "1FM", "plate": "T1C", "model_year": 2019}, format="json").json()
    assert other["plate_state"] == "NY"
    office.post("/vehicles", {"vin": "2FM"}, format="json")
    clash = office.patch(f"/vehicles/{other['id']}", {"vin": "2FM"}, format="json")
    assert (clash.status_code, clash.json()["message"]) == (
        409,
        "There is a vehicle 2FM already; change that one.",
    )
    assert office.post("/medallions", {"number": "9Z99"}, format="json").status_code == 201


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/drivers", {"name": "No licence"}),
        ("/drivers", {"tlc_license": "1", "name": "x" * 121}),
        ("/drivers", {"tlc_license": "1", "name": "A", "email": "nowhere"}),
        ("/drivers", {"tlc_license": "1", "name": "A", "licence": "2"}),
        ("/drivers", {"tlc_license": "1", "name": "bell\u0007"}),
        ("/drivers", {"tlc_license": "1", "name": "A", "license_expires_on": "31/05/2026"}),
        ("/drivers", {"tlc_license": 1, "name": "A"}),
        ("/vehicles", {"vin": "x" * 18}),
        ("/vehicles", {"vin": "V", "model_year": 1899}),
        ("/vehicles", {"vin": "V", "model_year": "2019"}),
        ("/medallions", {"number": ""}),
        ("/medallions", {"number": "1A11", "is_active": "yes"}),
    ],
)
def test_what_is_wrong_with_a_record_is_told_and_nothing_is_kept(path, body):
    office = client_with("leases.add_driver", "leases.add_medallion", "leases.add_vehicle")
    answer = office.post(path, body, format="json")
    assert answer.status_code == 400 and answer.json()["message"], answer.content
    assert not (Driver.objects.exists() or Vehicle.objects.exists() or Medallion.objects.exists())


def test_who_may_see_the_fleet_may_not_write_it():
    reader = client_with("leases.view_driver")
    assert reader.post("/drivers", {"tlc_license": "1", "name": "A"}, format="json").status_code == 403
    assert reader.patch(f"/drivers/{make_driver().pk}", {"name": "B"}, format="json").status_code == 403
