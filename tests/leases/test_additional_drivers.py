"""Who else drives on a lease: added, ended and withdrawn, by service, HTTP and screen; what was driven stays."""

from datetime import date

import pytest
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from batconnect.common.audit import system_user
from batconnect.common.models import AuditEntry
from leases import services
from leases.models import LeaseDriver
from leases.services import agreements, drivers
from ledger.models import ParkedRow, SourceTransaction
from tests.factories import make_driver, make_lease, make_user
from tests.ledger.factories import SATURDAY, SUNDAY, run
from tests.ledger.trip_files import load, trip

pytestmark = pytest.mark.django_db
WEDNESDAY = date(2019, 3, 6)
WHY = "Drives for another fleet now"
DRIVEN = {"START_DATE": "03/05/2019 10:00:00", "END_DATE": "03/05/2019 10:09:00"}


@pytest.fixture
def lease():
    return make_lease(weekly_fee="0.00")


@pytest.fixture
def added(lease):
    return services.add_driver(
        lease=lease, driver=make_driver(), starts_on=SUNDAY, ends_on=None, actor=system_user()
    )


def end(added, day):
    return services.end_driver(added=added, ends_on=day, reason=WHY, actor=system_user())


def test_an_additional_driver_drives_through_the_last_day(added, tmp_path):
    end(added, WEDNESDAY)
    thursday = {name: text.replace("/05/", "/07/") for name, text in DRIVEN.items()}
    load(tmp_path, trip(added.lease, DRIVER=added.driver.tlc_license, **thursday))
    assert ParkedRow.objects.count() == 1 and not SourceTransaction.objects.exists()
    entry = AuditEntry.objects.get(action="lease.driver_ended")
    assert (entry.after["ends_on"], entry.after["reason"]) == ("2019-03-06", WHY)
    with pytest.raises(drivers.NotAdded):
        end(added, SATURDAY)
    with pytest.raises(agreements.OutsideLease):
        end(added, date(2019, 3, 2))
    end(added, SUNDAY)
    again = services.add_driver(
        lease=added.lease, driver=added.driver, starts_on=WEDNESDAY, ends_on=None, actor=system_user()
    )
    assert [row.pk for row in added.lease.additional_drivers.order_by("starts_on")] == [added.pk, again.pk]


def test_one_entered_by_mistake_is_withdrawn_and_drives_nowhere(added, tmp_path):
    assert end(added, None).withdrawn
    with pytest.raises(drivers.NotAdded):
        end(added, None)
    load(tmp_path, trip(added.lease, DRIVER=added.driver.tlc_license, **DRIVEN))
    assert ParkedRow.objects.count() == 1 and not SourceTransaction.objects.exists()
    services.add_driver(
        lease=added.lease, driver=added.driver, starts_on=SUNDAY, ends_on=None, actor=system_user()
    )


def test_days_that_were_driven_or_whose_week_is_closed_stay(lease, added, tmp_path):
    load(tmp_path, trip(lease, DRIVER=added.driver.tlc_license, **DRIVEN))
    driven = SourceTransaction.objects.get()
    assert (driven.driver_id, driven.account.driver_id) == (added.driver_id, lease.driver_id)
    day = driven.started_at.date()
    for last in (None, SUNDAY):
        with pytest.raises(drivers.DriverDaysStay, match=f"through {day}"):
            end(added, last)
    run()
    with pytest.raises(drivers.DriverDaysStay, match=f"through {SATURDAY}"):
        end(added, day)
    assert end(added, SATURDAY).ends_on == SATURDAY


def test_the_database_keeps_whose_row_it_is_and_the_days_that_stay(lease, added):
    def refused(what, **change):
        with pytest.raises(DatabaseError, match=what), transaction.atomic():
            LeaseDriver.objects.filter(pk=added.pk).update(**change)

    refused("ended or withdrawn", driver=make_driver())
    refused("ended or withdrawn", starts_on=WEDNESDAY)
    with pytest.raises(DatabaseError, match="Cannot delete"), transaction.atomic():
        added.delete()
    run()
    refused("days through 2019-03-09 stay", ends_on=WEDNESDAY)
    refused("days through 2019-03-09 stay", withdrawn=True)
    LeaseDriver.objects.filter(pk=added.pk).update(ends_on=date(2019, 3, 12))
    LeaseDriver.objects.filter(pk=added.pk).update(ends_on=date(2019, 3, 10))
    later = services.add_driver(
        lease=lease, driver=make_driver(), starts_on=date(2019, 3, 10), ends_on=None, actor=system_user()
    )
    LeaseDriver.objects.filter(pk=later.pk).update(withdrawn=True)
    with pytest.raises(DatabaseError, match="ended or withdrawn"), transaction.atomic():
        LeaseDriver.objects.filter(pk=later.pk).update(withdrawn=False)


def test_over_http_they_are_listed_added_and_ended(lease):
    client = APIClient()
    client.force_login(make_user(permissions=["leases.view_lease"]))
    path, second = f"/leases/{lease.pk}/drivers", make_driver()
    body = {"driver_id": second.pk, "starts_on": "2019-03-03"}
    assert client.get(path).json() == []
    assert client.post(path, body, format="json").status_code == 403
    client.force_login(make_user(permissions=["leases.view_lease", "leases.change_lease"]))
    made = client.post(path, body, format="json", HTTP_IDEMPOTENCY_KEY="one")
    assert (made.status_code, made.json()["tlc_license"]) == (201, second.tlc_license)
    assert client.post(path, body, format="json", HTTP_IDEMPOTENCY_KEY="one").json() == made.json()
    assert client.post(path, body, format="json").json()["error"] == "lease.driver_already_on"
    assert client.post(path, {**body, "driver_id": 10**9}, format="json").status_code == 404
    ending = f"{path}/{made.json()['id']}/end"
    assert client.post(ending, {"ends_on": "2019-03-06"}, format="json").status_code == 400
    ended = client.post(ending, {"ends_on": "2019-03-06", "reason": WHY}, format="json")
    assert (ended.status_code, ended.json()["ends_on"]) == (200, "2019-03-06")
    gone = client.post(ending, {"ends_on": None, "reason": WHY}, format="json").json()
    assert gone["withdrawn"] and client.get(path).json() == [gone]
    assert client.get(f"/leases/{lease.pk}/terms").json()["drivers"] == [gone]
    elsewhere = f"/leases/{make_lease().pk}/drivers/{gone['id']}/end"
    assert client.post(elsewhere, {"ends_on": None, "reason": WHY}, format="json").status_code == 404


def test_on_the_screen_a_driver_is_taken_off_by_the_last_day_or_as_a_mistake(lease, added):
    client = Client()
    client.force_login(make_user(permissions=["leases.view_lease", "leases.change_lease"]))
    page = reverse("admin:leases_lease_change", args=[lease.pk])
    form = reverse("admin:leases_lease_end_driver", args=[lease.pk])
    assert form in client.get(page).text
    assert f"{added.driver}, from Mar 3, 2019 until further notice" in client.get(form).text
    other = services.add_driver(
        lease=make_lease(), driver=make_driver(), starts_on=SUNDAY, ends_on=None, actor=system_user()
    )
    entered = {"added": added.pk, "ends_on": "2019-03-06", "reason": WHY}
    assert client.post(form, {**entered, "added": other.pk}).status_code == 200
    done = client.post(form, entered, follow=True)
    assert f"may drive on {lease} through Mar 6, 2019." in done.text
    done = client.post(form, {**entered, "ends_on": ""}, follow=True)
    assert "withdrawn" in done.text and form not in done.text
