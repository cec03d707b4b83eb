"""A lease is made together with its deposit, on the screen and over HTTP, and its page leads to the deposit."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from leases.deposit_models import LeaseDeposit
from leases.models import Lease
from tests.factories import make_driver, make_lease, make_medallion, make_user, make_vehicle

pytestmark = pytest.mark.django_db
ADD = "admin:leases_lease_add"


@pytest.fixture
def desk(client: Client) -> Client:
    names = ("add_lease", "view_lease", "view_leasedeposit", "add_leasedeposit")
    client.force_login(make_user(permissions=[f"leases.{name}" for name in names]))
    return client


def entered(**more: Any) -> dict[str, Any]:
    return {
        "driver": make_driver().pk,
        "medallion": make_medallion().pk,
        "vehicle": make_vehicle().pk,
        "lease_type": "long-term",
        "starts_on": "2019-03-03",
        "ends_on": "",
        "weekly_fee": "500",
        **more,
    }


def test_the_form_takes_a_deposit_in_two_halves(desk: Client) -> None:
    told = entered(deposit="500.01", first_due="2019-03-16", second_due="2019-03-23")
    page = desk.post(reverse(ADD), told, follow=True)
    deposit = LeaseDeposit.objects.with_standing().get(lease=Lease.objects.get())
    assert (deposit.agreed, deposit.status) == (Decimal("500.01"), "COLLECTING")
    assert [str(part.due_on) for part in deposit.parts.order_by("due_on")] == ["2019-03-16", "2019-03-23"]
    assert f"/leasedeposit/{deposit.pk}/" in page.text and "500.01, collecting" in page.text


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"deposit": "500.00"}, "Say when the deposit is due."),
        ({"first_due": "2019-03-16"}, "Say how much the deposit is"),
        (
            {"deposit": "500.00", "first_due": "2019-03-23", "second_due": "2019-03-16"},
            "the earlier first",
        ),
    ],
)
def test_half_a_deposit_is_refused_and_no_lease_is_made(
    desk: Client, more: dict[str, str], said: str
) -> None:
    assert said in desk.post(reverse(ADD), entered(**more)).text
    assert not Lease.objects.exists() and not LeaseDeposit.objects.exists()


def test_a_lease_without_one_leads_to_where_it_is_agreed(desk: Client) -> None:
    lease = make_lease()
    page = desk.get(reverse("admin:leases_lease_change", args=[lease.pk]))
    assert f"/leases/leasedeposit/new/?lease={lease.pk}" in page.text


def test_over_http_lease_and_deposit_are_one_answer(desk: Client) -> None:
    body = {
        "driver_id": make_driver().pk,
        "medallion_id": make_medallion().pk,
        "vehicle_id": make_vehicle().pk,
        "starts_on": "2019-03-03",
        "weekly_fee": "500.00",
        "deposit": {"amount": "300.00", "due_on": ["2019-03-23", "2019-03-16"]},
    }
    refused = desk.post("/leases", body, content_type="application/json")
    assert (refused.status_code, refused.json()["error"]) == (400, "deposit.parts")
    assert not Lease.objects.exists()
    body["deposit"] = {"amount": "300.00", "due_on": ["2019-03-16"]}
    assert desk.post("/leases", body, content_type="application/json").status_code == 201
    assert LeaseDeposit.objects.with_standing().get(lease=Lease.objects.get()).agreed == Decimal("300.00")
