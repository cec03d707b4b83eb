"""Caps are entered by finance, dated and for ever: by service, HTTP and screen. What closed weeks were checked against
stays. March 3, 2019 is a Sunday, and the only week that these stories close.
"""

from datetime import date
from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from batconnect.common.audit import system_user
from batconnect.common.models import AuditEntry
from leases import services
from leases.models import LeaseCap
from leases.services import agreements, cap_entries
from leases.services.amounts import AmountTooLarge
from tests.factories import make_lease, make_user, make_vehicle
from tests.ledger.factories import SATURDAY, SUNDAY, account_of, balance, broken_proofs, run

pytestmark = pytest.mark.django_db
NEXT_WEEK = date(2019, 3, 10)
CAP = {"lease_type": "long-term", "effective_from": "2019-03-10", "weekly_cap": "560.00"}


def add(amount="560.00", since=NEXT_WEEK, **more):
    weekly = None if amount is None else Decimal(amount)
    asked = {"lease_type": "long-term", "effective_from": since, "weekly_cap": weekly, **more}
    return services.add_cap(**asked, actor=system_user())


def correct(cap, amount="570.00", since=NEXT_WEEK):
    return services.correct_cap(
        cap=cap,
        lease_type=cap.lease_type,
        effective_from=since,
        weekly_cap=Decimal(amount),
        actor=system_user(),
    )


# --- what it does -------------------------------------------------------------------------------------------


def test_a_new_cap_tells_the_fees_it_overtakes_and_changes_none():
    above, below = make_lease(weekly_fee="600.00"), make_lease(weekly_fee="500.00")
    services.change_fee(
        lease=below,
        weekly_fee=Decimal("561.00"),
        effective_from=date(2019, 3, 20),
        actor=system_user(),
        on=SUNDAY,
    )
    make_lease(weekly_fee="600.00", lease_type="dov")
    make_lease(weekly_fee="600.00", ends_on=SATURDAY)
    make_lease(weekly_fee="560.00")
    run()
    before = balance(account_of(above))
    effect = add()
    assert [(one.number, str(one.weekly_fee), one.day) for one in effect.overtaken] == [
        (above.number, "600.00", NEXT_WEEK),
        (below.number, "561.00", date(2019, 3, 20)),
    ]
    assert balance(account_of(above)) == before and above.fees.get().weekly_fee == Decimal("600.00")
    assert AuditEntry.objects.get(action="lease_cap.added").after["weekly_cap"] == "560.00"
    assert broken_proofs() == []


def test_what_closed_weeks_were_checked_against_stays():
    make_lease(weekly_fee="500.00", starts_on=SUNDAY)
    old = add(since=date(2019, 1, 1)).cap
    run()
    with pytest.raises(cap_entries.CapOfClosedWeeks, match=r"closed through 2019-03-09.* from 2019-03-10 or"):
        add(since=SATURDAY, vehicle_type="")
    with pytest.raises(cap_entries.CapOfClosedWeeks):
        correct(old)
    new = add("550.00").cap
    with pytest.raises(cap_entries.CapOfClosedWeeks):
        correct(new, since=SATURDAY)
    assert not services.cap_entries.is_open(old) and services.cap_entries.is_open(new)
    assert correct(new, "555.00").cap.weekly_cap == Decimal("555.00")
    assert new.history.count() == 2
    for write in (
        lambda: LeaseCap.objects.filter(pk=old.pk).update(weekly_cap=Decimal("1.00")),
        lambda: LeaseCap.objects.filter(pk=old.pk).update(effective_from=NEXT_WEEK),
        lambda: LeaseCap.objects.filter(pk=new.pk).update(effective_from=SATURDAY),
        lambda: LeaseCap.objects.create(
            lease_type="dov", effective_from=SATURDAY, weekly_cap=Decimal("1.00")
        ),
    ):
        with pytest.raises(DatabaseError, match="closed through 2019-03-09"), transaction.atomic():
            write()


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"amount": "0.00"}, cap_entries.CapNotPositive),
        ({"amount": "100000.00"}, AmountTooLarge),
        ({"rule": " "}, cap_entries.CapRuleMissing),
        ({"lease_type": "weekend"}, cap_entries.UnknownLeaseType),
        ({"vehicle_type": "TANK"}, cap_entries.UnknownVehicleType),
        ({"since": date(1999, 12, 31)}, agreements.DayTooFar),
    ],
)
def test_a_cap_that_would_mean_nothing_is_refused(changes, refusal):
    with pytest.raises(refusal):
        add(**changes)
    assert not LeaseCap.objects.exists()


def test_one_cap_of_a_kind_begins_on_a_day():
    make_vehicle(vehicle_type="HYB")
    cap = add().cap
    assert add(vehicle_type="HYB").cap.vehicle_type == "HYB"
    with pytest.raises(cap_entries.CapExists, match=r"for long-term from 2019-03-10"):
        add(None)
    other = add("580.00", since=date(2019, 4, 1)).cap
    with pytest.raises(cap_entries.CapExists):
        correct(other, since=cap.effective_from)


# --- over HTTP ----------------------------------------------------------------------------------------------


def client_with(*permissions):
    client = APIClient()
    client.force_login(make_user(permissions=permissions))
    return client


def test_caps_are_listed_and_added_over_http_and_a_refusal_names_the_rule():
    lease = make_lease(weekly_fee="600.00")
    finance = client_with("leases.view_leasecap", "leases.add_leasecap", "leases.change_leasecap")
    told = finance.post("/leases/caps", {**CAP, "dry_run": True}, format="json").json()
    assert told["overtaken"] == [
        {
            "lease_id": lease.pk,
            "number": lease.number,
            "driver": lease.driver.name,
            "weekly_fee": "600.00",
            "day": "2019-03-10",
        }
    ]
    assert not LeaseCap.objects.exists()
    made = finance.post("/leases/caps", CAP, format="json", HTTP_IDEMPOTENCY_KEY="one")
    assert made.status_code == 201 and made.json()["cap"]["rule"] == "58-21"
    again = finance.post("/leases/caps", CAP, format="json", HTTP_IDEMPOTENCY_KEY="one")
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (made.json(), "true")
    twice = finance.post("/leases/caps", CAP, format="json")
    assert (twice.status_code, twice.json()["error"]) == (409, "cap.exists")
    later = {**CAP, "effective_from": "2019-04-01", "weekly_cap": None}
    assert finance.post("/leases/caps", later, format="json").json()["cap"]["weekly_cap"] is None

    def amounts(**query):
        answer = finance.get("/leases/caps", {"sort_by": "effective_from", "sort_order": "asc", **query})
        return [row["weekly_cap"] for row in answer.json()["items"]]

    assert amounts() == ["560.00", None] == amounts(lease_type="long-term")
    assert amounts(in_force_on="2019-03-31") == ["560.00"]
    assert amounts(in_force_on="2019-03-09") == [] == amounts(lease_type="dov")
    key = made.json()["cap"]["id"]
    corrected = finance.put(f"/leases/caps/{key}", {**CAP, "weekly_cap": "650.00"}, format="json")
    assert corrected.json()["overtaken"] == [] and amounts(in_force_on="2019-03-31") == ["650.00"]
    fee = {"weekly_fee": "650.01", "effective_from": "2019-03-13"}
    desk = client_with("leases.change_lease")
    refused = desk.post(f"/leases/{lease.pk}/fee", fee, format="json")
    assert (refused.status_code, refused.json()["error"]) == (409, "lease.fee_above_cap")
    assert "Rule 58-21 caps lease" in refused.json()["message"]
    run()
    closed = finance.put(f"/leases/caps/{key}", {**CAP, "effective_from": "2019-03-09"}, format="json")
    assert (closed.status_code, closed.json()["error"]) == (409, "cap.closed_weeks")


def test_who_may_only_look_at_caps_may_only_look():
    auditor = client_with("leases.view_leasecap")
    assert auditor.get("/leases/caps").status_code == 200
    assert auditor.post("/leases/caps", CAP, format="json").status_code == 403
    assert client_with("leases.add_leasecap").get("/leases/caps").status_code == 403
    for wrong in ({"weekly_cap": "0.00"}, {"lease_type": "weekend"}, {"effective_from": "soon"}):
        finance = client_with("leases.add_leasecap")
        assert finance.post("/leases/caps", {**CAP, **wrong}, format="json").status_code == 400


# --- on the screen ------------------------------------------------------------------------------------------


def test_on_the_screen_a_cap_shows_whom_it_overtakes_and_is_corrected_while_its_weeks_are_open():
    lease = make_lease(weekly_fee="600.00", vehicle=make_vehicle(vehicle_type="HYB"))
    client = Client()
    client.force_login(
        make_user(
            permissions=[f"leases.{verb}_leasecap" for verb in ("view", "add", "change")]
            + ["leases.view_lease"]
        )
    )
    form = reverse("admin:leases_leasecap_add")
    assert "HYB" in client.get(form).text
    entered = {**CAP, "vehicle_type": "HYB", "rule": "58-21"}
    shown = client.post(form, entered)
    assert "Fees above it" in shown.text and lease.number in shown.text and not LeaseCap.objects.exists()
    said = {"token": shown.context["token"], "shown": shown.context["shown"], "confirmed": "yes"}
    done = client.post(form, {**entered, **said}, follow=True)
    cap = LeaseCap.objects.get()
    assert done.redirect_chain[0][0] == reverse("admin:leases_leasecap_change", args=[cap.pk])
    assert "Long-term, HYB: 560.00 from Mar 10, 2019 on." in done.text
    correct_form = reverse("admin:leases_leasecap_correct", args=[cap.pk])
    assert correct_form in done.text
    assert 'value="560.00"' in client.get(correct_form).text
    listed = client.get(reverse("admin:leases_leasecap_changelist")).text
    assert "further notice" in listed and "In force" in listed
    LeaseCap.objects.filter(pk=cap.pk).update(effective_from=date(2019, 3, 3))
    run()
    page = client.get(reverse("admin:leases_leasecap_change", args=[cap.pk])).text
    assert correct_form not in page and "closed weeks were checked against it" in page
    assert "what they were checked against stays" in client.post(correct_form, entered).text
    assert client.get(reverse("admin:leases_leasecap_delete", args=[cap.pk])).status_code == 403
