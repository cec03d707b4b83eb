"""A lease entered by mistake is cancelled before it begins, by service, HTTP and screen; afterwards it never is.

The leases here begin in ten days, counted from the real today: the database asks the real clock.
"""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from batconnect.common.audit import system_user
from batconnect.common.models import AuditEntry
from batconnect.common.weeks import local_date
from leases import services
from leases.installments import LeaseInstallments
from leases.models import Lease, LeaseCancellation, VehicleAssignment
from leases.services import billing, cancellations
from leases.services.deposits import DepositTerms, due_now
from leases.standing import with_status
from ledger.services.voids import void_posting
from tests.factories import make_driver, make_lease, make_medallion, make_user, make_vehicle
from tests.ledger.factories import account_of, broken_proofs, charge, pay
from tests.ledger.test_application_role import as_application

from .deposit_stories import standing

pytestmark = pytest.mark.django_db
TODAY = local_date(timezone.now())
FIRST = TODAY + timedelta(days=10)
WHY = "Entered for the wrong driver"


@pytest.fixture
def lease():
    """With a schedule of two weeks and a deposit of 500.00, none of it posted."""
    made = services.create_lease(
        driver=make_driver(),
        medallion=make_medallion(),
        vehicle=make_vehicle(),
        starts_on=FIRST,
        weekly_fee=Decimal("700.00"),
        actor=system_user(),
        deposit=DepositTerms(Decimal("500.00"), (FIRST,)),
    )
    LeaseInstallments().prepare(through=FIRST + timedelta(days=13))
    return made


def cancel(lease, on=TODAY):
    return services.cancel_lease(lease=lease, reason=WHY, actor=system_user(), on=on)


def test_a_cancelled_lease_leaves_its_history_and_nothing_else(lease):
    before = {row.pk for row in lease.installments.all()}
    effect = cancel(lease)
    assert len(effect.cancelled) == len(before) >= 2
    assert (effect.deposit_cancelled, effect.freed) == (Decimal("500.00"), True)
    lease.refresh_from_db()
    assert (lease.status, lease.cancellation.reason) == ("CANCELLED", WHY)
    assert {row.status for row in with_status(lease.installments.all())} == {"CANCELLED"}
    assert (standing(lease).scheduled, standing(lease).to_refund) == (Decimal("0.00"), Decimal("0.00"))
    assert AuditEntry.objects.get(action="lease.cancelled").after == {"status": "CANCELLED", "reason": WHY}
    assert lease.history.first().status == "CANCELLED"
    assert not VehicleAssignment.objects.filter(vehicle=lease.vehicle).exists()
    assert VehicleAssignment.history.filter(vehicle=lease.vehicle, history_type="-").exists()
    again = make_lease(medallion=lease.medallion, vehicle=lease.vehicle, starts_on=FIRST)
    assert again.pk != lease.pk
    LeaseInstallments().prepare(through=FIRST + timedelta(days=27))
    assert {row.pk for row in lease.installments.all()} == before
    with pytest.raises(billing.LeaseCancelled):
        cancel(lease)
    assert broken_proofs() == []


def test_it_is_refused_from_the_first_day_on_by_service_and_database(lease):
    with pytest.raises(cancellations.LeaseBegun, match=f"began on {FIRST}"):
        cancel(lease, on=FIRST)
    cancel(make_lease(starts_on=FIRST), on=FIRST - timedelta(days=1))
    begun = make_lease(starts_on=TODAY)
    with pytest.raises(DatabaseError, match="has begun and is not cancelled"), transaction.atomic():
        Lease.objects.filter(pk=begun.pk).update(status="CANCELLED")
    with pytest.raises(DatabaseError, match="has begun and is not cancelled"), transaction.atomic():
        Lease.objects.filter(pk=begun.pk).update(status="CANCELLED", starts_on=FIRST)


def test_what_was_posted_or_collected_is_named_and_once_voided_no_longer_in_the_way(lease):
    account = account_of(lease)
    posting = charge(account, "DEPOSIT", "250.00", f"{lease.number}/X", on=TODAY)
    with pytest.raises(cancellations.LeaseCharged, match=rf"{lease.number}/X of 250.00 is on lease"):
        cancel(lease)
    with pytest.raises(DatabaseError, match="therefore not cancelled"), transaction.atomic():
        Lease.objects.filter(pk=lease.pk).update(status="CANCELLED")
    void_posting(posting_id=posting.pk, reason=WHY, actor=system_user(), on=TODAY)
    payment = pay(account, "100.00", on=TODAY)
    with pytest.raises(cancellations.LeaseCharged, match=f"{payment.reference_id} of 100.00"):
        cancel(lease)
    void_posting(posting_id=payment.pk, reason=WHY, actor=system_user(), on=TODAY)
    assert cancel(lease).lease.status == "CANCELLED"
    assert broken_proofs() == []


def test_what_others_have_still_to_charge_keeps_it_from_being_cancelled(lease, monkeypatch):
    def repair(*, leases, actor, on):
        charge(account_of(lease), "REPAIR", "80.00", "RPR-9/1", on=on)

    monkeypatch.setattr(due_now, "_registered", [repair])
    with pytest.raises(cancellations.LeaseOwes, match=r"RPR-9/1 of 80.00 is still to be charged"):
        cancel(lease)
    lease.refresh_from_db()
    assert lease.status == "ACTIVE" and account_of(lease).balance == Decimal("0.00")


def test_a_cancellation_says_why_and_belongs_to_a_cancelled_lease(lease):
    with pytest.raises(DatabaseError, match="a lease cancelled before it began"), transaction.atomic():
        LeaseCancellation.objects.create(
            lease=lease, reason=WHY, cancelled_on=TODAY, created_by=system_user()
        )
    with pytest.raises(DatabaseError, match="without a record that says why"), transaction.atomic():
        Lease.objects.filter(pk=lease.pk).update(status="CANCELLED")
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    cancel(lease)
    for change in ({"status": "ACTIVE"}, {"starts_on": TODAY}):
        with pytest.raises(DatabaseError, match="was cancelled and stays"), transaction.atomic():
            Lease.objects.filter(pk=lease.pk).update(**change)
    with pytest.raises(DatabaseError, match="Cannot"), transaction.atomic():
        LeaseCancellation.objects.all().delete()


def test_the_applications_role_may_do_all_of_it(lease):
    with as_application():
        added = services.add_driver(
            lease=lease, driver=make_driver(), starts_on=FIRST, ends_on=None, actor=system_user()
        )
        services.end_driver(added=added, ends_on=None, reason=WHY, actor=system_user())
        capped = services.add_cap(
            lease_type="dov", effective_from=FIRST, weekly_cap=Decimal("1.00"), actor=system_user()
        )
        assert cancel(lease).freed and capped.overtaken == []


def test_over_http_it_is_told_first_and_done_once(lease):
    client = APIClient()
    client.force_login(make_user(permissions=["leases.view_lease"]))
    path = f"/leases/{lease.pk}/cancel"
    assert client.post(path, {"reason": WHY}, format="json").status_code == 403
    client.force_login(make_user(permissions=["leases.view_lease", "leases.terminate_lease"]))
    assert client.post(path, {"reason": "short"}, format="json").json()["error"] == "reason.length"
    told = client.post(path, {"reason": WHY, "dry_run": True}, format="json").json()
    assert (told["status"], told["deposit_cancelled"]) == ("CANCELLED", "500.00")
    assert client.get(f"/leases/{lease.pk}").json()["status"] == "ACTIVE"
    done = client.post(path, {"reason": WHY}, format="json", HTTP_IDEMPOTENCY_KEY="one")
    assert done.json() == {**told, "dry_run": False}
    again = client.post(path, {"reason": WHY}, format="json", HTTP_IDEMPOTENCY_KEY="one")
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (done.json(), "true")
    refused = client.post(path, {"reason": WHY}, format="json")
    assert (refused.status_code, refused.json()["error"]) == (409, "lease.cancelled")


def test_on_the_screen_it_shows_what_goes_and_leads_back(lease):
    client = Client()
    client.force_login(make_user(permissions=["leases.view_lease", "leases.terminate_lease"]))
    page = reverse("admin:leases_lease_change", args=[lease.pk])
    form = reverse("admin:leases_lease_cancel_lease", args=[lease.pk])
    assert form in client.get(page).text
    shown = client.post(form, {"reason": WHY})
    for said in ("No longer scheduled", "500.00 was agreed", "does not come onto it", "is free from"):
        assert said in shown.text
    said = {"token": shown.context["token"], "shown": shown.context["shown"], "confirmed": "yes"}
    done = client.post(form, {"reason": WHY, **said}, follow=True)
    assert done.redirect_chain[0][0] == page
    assert "is cancelled" in done.text and "Cancelled before it began" in done.text and WHY in done.text
    assert form not in done.text
    begun = make_lease(starts_on=TODAY)
    other = reverse("admin:leases_lease_cancel_lease", args=[begun.pk])
    assert other not in client.get(reverse("admin:leases_lease_change", args=[begun.pk])).text
    assert "End it early instead" in client.post(other, {"reason": WHY}).text
