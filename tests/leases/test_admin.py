"""The fleet's screens, through HTTP: found by what people know, changed by services, never deleted."""

from datetime import date
from decimal import Decimal

import pytest
from django.urls import reverse

from leases.installments import LeaseInstallments
from leases.models import Driver, Lease, VehicleAssignment
from tests.factories import make_driver, make_lease, make_medallion, make_user, make_vehicle
from tests.ledger.factories import account_of, balance, broken_proofs, pay, run

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


def confirmed(client, form, entered):
    """Fill a form, look at its effect, confirm; returns the page of the effect and the one after."""
    shown = client.post(form, entered)
    assert shown.templates[0].name == "leases/confirm.html", shown.context["form"].errors
    kept = dict(shown.context["entered"])
    said = {"token": shown.context["token"], "shown": shown.context["shown"], "confirmed": "yes"}
    return shown, client.post(form, {**kept, **said}, follow=True)


@pytest.fixture
def charged(lease):
    """Charged for the weeks of March 3 and March 10."""
    run()
    return lease


def test_the_fee_is_changed_after_its_effect_was_seen(client, chief, charged):
    form = reverse("admin:leases_lease_change_fee", args=[charged.pk])
    assert client.get(form).status_code == 200
    entered = {"effective_from": "2019-03-13", "weekly_fee": "550", "reason": ""}
    shown, done = confirmed(client, form, entered)
    for said in ("Driver owes afterwards", "1,028.58", "2019-03-10/2", "214.29", "314.29"):
        assert said in shown.text
    assert done.redirect_chain[0][0] == page("lease", "change", charged.pk)
    assert "The driver owes 1,028.58 now." in done.text
    assert "Replaced" in done.text and "2019-03-13" in done.text
    refused = client.post(form, {"effective_from": "2019-03-01", "weekly_fee": "1"})
    assert "is outside lease" in refused.text
    back = client.post(form, {**entered, "again": "yes"})
    assert 'value="550"' in back.text
    assert charged.fees.count() == 2
    assert broken_proofs() == []


def test_looking_changes_nothing_and_a_second_click_does_nothing_again(client, chief, charged):
    form = reverse("admin:leases_lease_change_fee", args=[charged.pk])
    entered = {"effective_from": "2019-03-13", "weekly_fee": "550"}
    shown = client.post(form, entered)
    assert charged.fees.count() == 1
    said = {"token": shown.context["token"], "shown": shown.context["shown"], "confirmed": "yes"}
    for _ in range(2):
        assert client.post(form, {**entered, **said}).status_code == 302
    assert charged.fees.count() == 2
    assert balance(account_of(charged)) == Decimal("1028.58")


def test_what_was_paid_meanwhile_is_shown_anew_before_anything_is_done(client, chief, charged):
    form = reverse("admin:leases_lease_change_fee", args=[charged.pk])
    entered = {"effective_from": "2019-03-13", "weekly_fee": "550"}
    shown = client.post(form, entered)
    pay(account_of(charged), "500.00", {f"{charged.number}/2019-03-10": "500.00"})
    said = {"token": shown.context["token"], "shown": shown.context["shown"], "confirmed": "yes"}
    again = client.post(form, {**entered, **said})
    assert "Something changed since you looked" in again.text
    assert charged.fees.count() == 1
    said["shown"] = again.context["shown"]
    assert client.post(form, {**entered, **said}).status_code == 302
    assert balance(account_of(charged)) == Decimal("528.58")


def test_a_lease_is_suspended_resumed_renewed_and_followed_by_forms(client, chief, charged):
    def form(name):
        return reverse(f"admin:leases_lease_{name}", args=[charged.pk])

    _, done = confirmed(
        client,
        form("suspend"),
        {"starts_on": "2019-03-14", "ends_on": "", "reason": "Cab in the shop"},
    )
    assert "from Mar 14, 2019 until further notice" in done.text and "Suspended today" in done.text
    _, done = confirmed(client, form("resume"), {"resumes_on": "2019-03-16", "reason": "Cab is back early"})
    assert "Scheduled" in done.text and "Suspended today" not in done.text
    assert "Renew" not in [action.label for action in done.context["detail"].actions]
    Lease.objects.filter(pk=charged.pk).update(ends_on=date(2019, 3, 16))
    confirmed(client, form("renew"), {"ends_on": "2019-03-31"})
    made = client.post(form("follow"), {"weekly_fee": "520", "ends_on": ""}, follow=True)
    assert f"follows {charged}, from Apr 1, 2019 until further notice" in made.text


def test_a_lease_is_ended_early_and_the_fee_is_waived_by_those_who_may(client, chief, charged):
    form = reverse("admin:leases_lease_end_lease", args=[charged.pk])
    assert "This field is required" in client.post(form, {"ends_on": ""}).text
    entered = {
        "ends_on": "2019-03-12",
        "reason": "Asked for at the desk",
        "waiver_reason": "Too long in the shop",
    }
    shown = client.post(form, entered)
    assert "500.00 is due, and waived" in shown.text
    shown, done = confirmed(client, form, {**entered, "waiver_reason": ""})
    assert "1,214.29" in shown.text
    charged.refresh_from_db()
    assert (charged.status, charged.ends_on) == ("ENDED", date(2019, 3, 12))
    assert f"{charged} ends on 2019-03-12. The driver owes 1,214.29 now." in done.text
    assert "Early ends" in done.text
    assert broken_proofs() == []


def test_who_may_end_leases_but_not_waive_fees_is_offered_no_waiver(client, charged):
    client.force_login(make_user(permissions=["leases.view_lease", "leases.terminate_lease"]))
    form = reverse("admin:leases_lease_end_lease", args=[charged.pk])
    assert "waived" not in client.get(form).text
    entered = {"ends_on": "2019-03-12", "reason": "Asked for at the desk", "cancellation_fee": "1"}
    assert "somebody who may waive" in client.post(form, entered).text
    assert "Change fee" not in client.get(page("lease", "change", charged.pk)).text


def test_a_vehicle_is_swapped_by_its_form(client, chief, charged):
    spare = make_vehicle()
    form = reverse("admin:leases_lease_swap_vehicle", args=[charged.pk])
    assert client.get(form).status_code == 200
    entered = {"vehicle": spare.pk, "at_0": "2019-03-14", "at_1": "14:37"}
    shown, done = confirmed(client, form, entered)
    assert "T999999C" in shown.text and spare.plate in shown.text
    assert f"{spare.plate} ({spare.vin}) is on medallion 9Z99 from Mar 14, 2019, 14:37." in done.text


def test_a_cap_is_added_and_shown_on_the_leases_it_binds(client, chief, lease):
    entered = {
        "lease_type": "long-term",
        "vehicle_type": "",
        "effective_from": "2019-01-01",
        "weekly_cap": "560.00",
        "rule": "58-21",
    }
    confirmed(client, page("leasecap", "add"), entered)
    assert "560.00 a week, rule 58-21" in client.get(page("lease", "change", lease.pk)).text
    refused = client.post(
        reverse("admin:leases_lease_change_fee", args=[lease.pk]),
        {"effective_from": "2019-03-13", "weekly_fee": "560.01"},
    )
    assert "Rule 58-21 caps lease" in refused.text


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
    entered = {"starts_on": "2018-01-01", "status": "CANCELLED"}
    assert client.post(page("lease", "change", lease.pk), entered).status_code == 403
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
