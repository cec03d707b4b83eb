"""Deposits in the admin: each page says what will happen, does it once, and leads on."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from batconnect.common.weeks import local_date
from batconnect.jobs.models import JobRun
from leases.models import Lease
from tests.factories import make_lease, make_user
from tests.ledger.factories import account_of, broken_proofs, charge, pay

from .deposit_stories import figures, lease_with_deposit, post_parts
from .test_deposit_api import ALL

pytestmark = pytest.mark.django_db
LIST = "/admin/leases/leasedeposit/"
TODAY = local_date(timezone.now())


def seated(*permissions: str) -> Client:
    client = Client()
    client.force_login(make_user(permissions=permissions))
    return client


@pytest.fixture
def desk() -> Client:
    return seated(*ALL, "jobs.view_jobrun", "leases.view_lease", "ledger.view_driveraccount")


def page(lease: Lease, name: str = "change") -> str:
    return f"{LIST}{lease.deposit.pk}/{name}/"


def text(answer: Any) -> str:
    return str(answer.content.decode())


def test_a_deposit_from_the_screen_that_agrees_it_to_the_one_that_refunds_it(desk: Client) -> None:
    lease = make_lease(weekly_fee="0.00")
    assert lease.number in text(desk.get(f"{LIST}agree/?lease={lease.number}"))
    sent = {"lease": lease.number, "amount": "500.00", "first_due": "2019-03-09", "second_due": "2019-03-16"}
    assert "There is no lease L-9" in text(desk.post(f"{LIST}agree/", {**sent, "lease": "L-9"}))
    assert desk.post(f"{LIST}agree/", sent).status_code == 302
    assert "deposit; change that one" in text(desk.post(f"{LIST}agree/", sent))
    lease = Lease.objects.get(pk=lease.pk)
    shown = text(desk.get(page(lease)))
    assert "Collecting" in shown and f"{lease.number}/D2" in shown and "30 days after the lease ends" in shown

    post_parts()
    account = account_of(lease)
    pay(account, "250.00", {f"{lease.number}/D1": "250.00"})
    charge(account, "PVB", "100.00", "P-1")
    assert "runs until further notice" in text(desk.get(page(lease, "release")))
    Lease.objects.filter(pk=lease.pk).update(ends_on=TODAY - timedelta(days=3), status="ENDED")
    preview = text(desk.get(page(lease, "release")))
    assert "before its hold ends" in preview and "150.00" in preview and "P-1" in preview
    assert "At least" in text(desk.post(page(lease, "release"), {"reason": "short"}))
    assert figures(lease)["status"] == "COLLECTING"
    assert desk.post(page(lease, "release"), {"reason": "The driver leaves the city"}).status_code == 302
    assert "was released on" in text(desk.post(page(lease, "release"), {"reason": "The driver leaves"}))
    assert "Record refund…" in text(desk.get(page(lease)))

    how = {"paid_on": TODAY.isoformat(), "method": "CHECK", "method_reference": "1042"}
    assert desk.post(page(lease, "refund"), how).status_code == 302
    assert "Nothing of the deposit" in text(desk.post(page(lease, "refund"), how))
    assert "Refund came back…" in text(desk.get(page(lease)))
    back = {"paid_on": TODAY.isoformat(), "reason": "The check was lost"}
    assert desk.post(page(lease, "return"), back).status_code == 302
    assert figures(lease)["to_refund"] == "150.00" and broken_proofs() == []
    assert lease.number in text(desk.get(f"{LIST}?to_refund=yes"))
    assert lease.number not in text(desk.get(f"{LIST}?status=HELD"))


def test_the_terms_are_changed_on_the_page(desk: Client) -> None:
    lease = lease_with_deposit()
    assert 'value="500.00"' in text(desk.get(page(lease, "terms")))
    sent = {"amount": "300.00", "first_due": "2019-03-16"}
    assert desk.post(page(lease, "terms"), sent).status_code == 302
    assert figures(lease)["agreed"] == "300.00"


def test_what_is_due_is_released_by_a_job_from_the_list(desk: Client) -> None:
    assert "Nothing is due." in text(desk.get(f"{LIST}expired/"))
    lease = lease_with_deposit()
    assert lease.number in text(desk.get(f"{LIST}expired/"))
    answer = desk.post(f"{LIST}expired/")
    assert answer.status_code == 302 and str(JobRun.objects.get().pk) in answer.headers["Location"]


@pytest.mark.parametrize("name", ["terms", "release", "refund", "return"])
def test_who_may_only_look_changes_nothing(name: str) -> None:
    lease = lease_with_deposit()
    looker = seated("leases.view_leasedeposit")
    assert looker.get(page(lease)).status_code == 200
    assert looker.get(page(lease, name)).status_code == 403 == looker.post(page(lease, name)).status_code
    for there in ("agree", "expired"):
        assert looker.post(f"{LIST}{there}/").status_code == 403


def test_the_list_asks_the_same_however_long_it_is(desk: Client, django_assert_num_queries: Any) -> None:
    for _ in range(3):
        lease_with_deposit()
    desk.get(LIST)
    with django_assert_num_queries(6):  # session, user, rights (2), count, page
        desk.get(LIST)
