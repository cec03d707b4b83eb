"""The fleet's screens, through HTTP: found by what people know, changed by services, never deleted."""

from datetime import date
from decimal import Decimal

import pytest
from django.urls import reverse

from leases.installments import LeaseInstallments
from leases.models import Driver, Lease, LeaseFee, VehicleAssignment
from tests.factories import make_driver, make_lease, make_medallion, make_user, make_vehicle

MODELS = ("driver", "medallion", "vehicle", "vehicleassignment", "lease", "leaseinstallment")
pytestmark = pytest.mark.django_db


def page(model, name, *args):
    return reverse(f"admin:leases_{model}_{name}", args=args)


@pytest.fixture
def chief(client):
    user = make_user(username="chief", is_superuser=True)
    client.force_login(user)
    return user


@pytest.fixture
def lease():
    return make_lease(
        driver=make_driver(tlc_license="5999999", name="Ann Lee"),
        medallion=make_medallion(number="9Z99"),
        vehicle=make_vehicle(vin="9" * 17, plate="T999999C"),
        starts_on=date(2019, 3, 3),
    )


@pytest.mark.parametrize("model", MODELS)
def test_lists_pages_and_history_open_and_nothing_can_be_deleted(client, chief, lease, model):
    LeaseInstallments().prepare(through=date(2019, 3, 16))
    assert client.get(page(model, "changelist")).status_code == 200
    row = {
        "driver": lease.driver,
        "medallion": lease.medallion,
        "vehicle": lease.vehicle,
        "vehicleassignment": lease.vehicle.assignments.get(),
        "lease": lease,
        "leaseinstallment": lease.installments.first(),
    }[model]
    assert client.get(page(model, "change", row.pk)).status_code == 200
    assert client.get(page(model, "history", row.pk)).status_code == 200
    assert client.get(page(model, "delete", row.pk)).status_code == 403
    assert client.post(page(model, "delete", row.pk), {"post": "yes"}).status_code == 403


@pytest.mark.parametrize(
    ("model", "terms"),
    [
        ("driver", ("5999999", "ann", "9Z99")),
        ("medallion", ("9z99",)),
        ("vehicle", ("9" * 17, "T999999C", "9Z99")),
        ("vehicleassignment", ("9Z99", "T999999C")),
        ("lease", ("5999999", "Ann", "9Z99", "T999999C", "9" * 17)),
    ],
)
def test_people_find_things_by_what_they_know(client, chief, lease, model, terms):
    make_lease()
    for term in terms:
        found = client.get(page(model, "changelist"), {"q": term})
        assert found.context["cl"].result_count == 1, term


def test_a_lease_is_made_by_the_service_and_says_what_its_first_week_costs(client, chief):
    driver, medallion, vehicle = make_driver(), make_medallion(), make_vehicle()
    assert client.get(page("lease", "add")).status_code == 200
    entered = {
        "driver": driver.pk,
        "medallion": medallion.pk,
        "vehicle": vehicle.pk,
        "lease_type": "long-term",
        "starts_on": "2019-03-06",
        "ends_on": "",
        "weekly_fee": "500.00",
    }
    answer = client.post(page("lease", "add"), entered, follow=True)
    lease = Lease.objects.get()
    assert answer.redirect_chain[0][0] == page("lease", "change", lease.pk)
    assert f"Lease {lease.number} was made. Its first week costs 285.71, due 2019-03-09." in answer.text
    assert lease.fees.get().weekly_fee == Decimal("500.00")
    assert lease.history.get().history_user == chief

    again = client.post(page("lease", "add"), entered)
    assert again.status_code == 200
    assert f"Medallion {medallion} is on lease {lease.number} from 2019-03-06" in again.text
    assert 'value="500.00"' in again.text
    assert Lease.objects.count() == 1


def test_the_fee_is_changed_and_the_lease_ended_by_forms(client, chief, lease):
    LeaseInstallments().prepare(through=date(2019, 3, 9))
    form = reverse("admin:leases_lease_change_fee", args=[lease.pk])
    assert client.get(form).status_code == 200
    client.post(form, {"effective_from": "2019-03-06", "weekly_fee": "550"})
    assert LeaseFee.objects.filter(lease=lease).count() == 2
    refused = client.post(form, {"effective_from": "2019-03-01", "weekly_fee": "1"})
    assert "is outside lease" in refused.text

    form = reverse("admin:leases_lease_end_lease", args=[lease.pk])
    assert client.get(form).status_code == 200
    assert "This field is required" in client.post(form, {"ends_on": ""}).text
    client.post(form, {"ends_on": "2019-03-07"})
    lease.refresh_from_db()
    assert (lease.status, lease.ends_on) == ("ENDED", date(2019, 3, 7))
    assert [i.amount for i in lease.installments.all()] == [Decimal("214.29"), Decimal("157.14")]


def test_a_driver_is_added_and_a_vehicle_swapped_by_forms(client, chief, lease):
    second = make_driver()
    form = reverse("admin:leases_lease_add_driver", args=[lease.pk])
    assert client.get(form).status_code == 200
    client.post(form, {"driver": second.pk, "starts_on": "2019-03-04", "ends_on": ""})
    assert lease.additional_drivers.get().driver == second

    spare = make_vehicle()
    entered = {
        "medallion": lease.medallion_id,
        "vehicle": spare.pk,
        "started_at_0": "2019-03-06",
        "started_at_1": "12:00",
    }
    assert "End that assignment first" in client.post(page("vehicleassignment", "add"), entered).text
    old = VehicleAssignment.objects.get(vehicle=lease.vehicle)
    end = reverse("admin:leases_vehicleassignment_end", args=[old.pk])
    assert client.get(end).status_code == 200
    client.post(end, {"ended_at_0": "2019-03-06", "ended_at_1": "12:00"})
    client.post(page("vehicleassignment", "add"), entered)
    assert (
        VehicleAssignment.objects.get(vehicle=spare).started_at
        == VehicleAssignment.objects.get(pk=old.pk).ended_at
    )


def test_a_driver_is_edited_and_the_history_names_who_did_it(client, chief):
    driver = make_driver()
    client.post(
        page("driver", "change", driver.pk),
        {"tlc_license": driver.tlc_license, "name": "Ann Lee", "is_active": "on", "plate_state": ""},
    )
    assert Driver.objects.get(pk=driver.pk).name == "Ann Lee"
    assert driver.history.first().history_user == chief


def test_a_lease_page_saves_nothing(client, chief, lease):
    client.post(page("lease", "change", lease.pk), {"starts_on": "2018-01-01", "status": "CANCELLED"})
    lease.refresh_from_db()
    assert (lease.starts_on, lease.status) == (date(2019, 3, 3), "ACTIVE")


def test_who_may_only_look_may_only_look(client, lease):
    client.force_login(make_user(permissions=[f"leases.view_{model}" for model in MODELS]))
    for model in MODELS:
        assert client.get(page(model, "changelist")).status_code == 200
        assert client.get(page(model, "add")).status_code == 403
    assignment = lease.vehicle.assignments.get()
    for name, subject in (
        ("lease_change_fee", lease),
        ("lease_end_lease", lease),
        ("lease_add_driver", lease),
        ("vehicleassignment_end", assignment),
    ):
        form = reverse(f"admin:leases_{name}", args=[subject.pk])
        assert client.get(form).status_code == 403
        assert client.post(form, {"ends_on": "2019-03-07"}).status_code == 403
    assert "Change fee" not in client.get(page("lease", "change", lease.pk)).text


def test_without_rights_there_is_nothing_to_see(client, lease):
    client.force_login(make_user())
    for model in MODELS:
        assert client.get(page(model, "changelist")).status_code == 403


@pytest.mark.parametrize("model", MODELS)
def test_a_longer_list_costs_no_more_statements(client, chief, model, django_assert_max_num_queries):
    for _ in range(4):
        make_lease(starts_on=date(2019, 3, 3))
    LeaseInstallments().prepare(through=date(2019, 3, 16))
    client.get(page(model, "changelist"))
    with django_assert_max_num_queries(12):
        assert client.get(page(model, "changelist")).status_code == 200
