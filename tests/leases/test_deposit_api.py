"""Deposits over HTTP, by clients with exactly the permissions they need; and the daily job."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone
from django_celery_beat.models import PeriodicTask
from rest_framework.test import APIClient

from batconnect.common.audit import system_user
from batconnect.common.weeks import local_date, sunday_of
from batconnect.jobs.models import JobRun
from batconnect.jobs.services import run_job
from leases import tasks
from leases.deposit_models import DepositRefund
from leases.models import Lease
from leases.services.deposits import due_now, release_deposit
from leases.services.deposits.releasing import LeaseNotOver
from ledger.models import LedgerPosting
from tests.factories import make_lease, make_user
from tests.ledger.factories import account_of, broken_proofs, charge, pay, run

from .deposit_stories import ENDED, figures, lease_with_deposit, post_parts

pytestmark = pytest.mark.django_db
ALL = [
    "leases.view_leasedeposit",
    "leases.add_leasedeposit",
    "leases.change_leasedeposit",
    "leases.release_deposit",
    "leases.refund_deposit",
]
TODAY = local_date(timezone.now())


def client_with(*permissions: str) -> APIClient:
    client = APIClient()
    client.force_login(make_user(permissions=permissions))
    return client


@pytest.fixture
def client() -> APIClient:
    return client_with(*ALL)


def send(client: APIClient, path: str, body: Any, key: str = "", method: str = "post") -> Any:
    headers = {"HTTP_IDEMPOTENCY_KEY": key} if key else {}
    return getattr(client, method)(path, body, format="json", **headers)


def held(amount: str = "100.00") -> Lease:
    lease = lease_with_deposit(amount)
    post_parts()
    pay(account_of(lease), amount, {f"{lease.number}/D1": amount})
    return lease


def test_a_deposit_is_agreed_changed_released_and_refunded(client: APIClient) -> None:
    lease = make_lease(weekly_fee="0.00")
    path = f"/leases/{lease.pk}/deposit"
    assert client.get(path).json()["error"] == "deposit.none"
    terms = {"amount": "500.00", "due_on": ["2019-03-09", "2019-03-30"]}
    made = send(client, path, terms, "k1")
    assert made.status_code == 201 and made.json()["agreed"] == "500.00", made.json()
    assert send(client, path, terms, "k1").headers["Idempotent-Replayed"] == "true"
    assert send(client, path, terms, "k2").json()["error"] == "deposit.exists"
    changed = send(client, path, {"amount": "400.00", "due_on": ["2019-03-09"]}, method="put").json()
    assert [(part["amount"], part["status"]) for part in changed["parts"]] == [("400.00", "SCHEDULED")]

    run()
    account = account_of(lease)
    pay(account, "400.00", {f"{lease.number}/D1": "400.00"})
    charge(account, "PVB", "100.00", "P-1")
    assert client.get(f"{path}/release-preview").json()["error"] == "deposit.lease_not_over"
    Lease.objects.filter(pk=lease.pk).update(ends_on=TODAY - timedelta(days=3), status="ENDED")
    shown = client.get(f"{path}/release-preview").json()
    assert (shown["early"], shown["applied"], shown["refundable"]) == (True, "100.00", "300.00")
    assert shown["from_deposit"][0]["reference_id"] == "P-1" and shown["owed_after"] == "0.00"
    assert figures(lease)["status"] == "HELD"

    assert send(client, f"{path}/release", {}).json()["error"] == "reason.length"
    reason = {"reason": "The driver leaves the city"}
    released = send(client, f"{path}/release", reason, "r1").json()
    assert (released["status"], released["to_refund"]) == ("APPLIED", "300.00")
    assert released["release"]["reason"] == reason["reason"]
    assert send(client, f"{path}/release", reason, "r1").json() == released
    assert send(client, f"{path}/release", reason, "r2").json()["error"] == "deposit.already_released"

    listed = client.get("/leases/deposits", {"to_refund": "true"}).json()["items"]
    assert [row["lease_number"] for row in listed] == [lease.number]
    how = {"method": "CHECK", "method_reference": "1042"}
    refunded = send(client, f"{path}/refunds", how, "f1")
    assert (refunded.status_code, refunded.json()["status"]) == (201, "REFUNDED"), refunded.json()
    assert send(client, f"{path}/refunds", how, "f1").json() == refunded.json()
    assert send(client, f"{path}/refunds", how, "f2").json()["error"] == "deposit.nothing_to_refund"
    assert DepositRefund.objects.count() == 1
    back = send(client, f"{path}/refunds/return", {"reason": "The check was lost"}, "b1").json()
    assert (back["status"], back["to_refund"], len(back["refunds"])) == ("APPLIED", "300.00", 2)
    assert broken_proofs() == []


@pytest.mark.parametrize(
    ("method", "path", "permission"),
    [
        ("get", "/leases/deposits", "leases.view_leasedeposit"),
        ("get", "/leases/{}/deposit", "leases.view_leasedeposit"),
        ("post", "/leases/{}/deposit", "leases.add_leasedeposit"),
        ("put", "/leases/{}/deposit", "leases.change_leasedeposit"),
        ("get", "/leases/{}/deposit/release-preview", "leases.view_leasedeposit"),
        ("post", "/leases/{}/deposit/release", "leases.release_deposit"),
        ("post", "/leases/{}/deposit/refunds", "leases.refund_deposit"),
        ("post", "/leases/{}/deposit/refunds/return", "leases.refund_deposit"),
    ],
)
def test_each_step_needs_its_own_permission(method: str, path: str, permission: str) -> None:
    path = path.format(make_lease().pk)
    others = client_with(*(name for name in ALL if name != permission))
    assert getattr(others, method)(path).status_code == 403
    assert getattr(client_with(permission), method)(path).status_code not in (403, 500)


def test_the_list_is_filtered_by_what_people_know(client: APIClient) -> None:
    collecting, full = lease_with_deposit(), held()
    open_ended = lease_with_deposit(ends_on=None)

    def found(**query: str) -> set[str]:
        answer = client.get("/leases/deposits", query)
        assert answer.status_code == 200, answer.json()
        return {row["lease_number"] for row in answer.json()["items"]}

    assert found() == {collecting.number, full.number, open_ended.number}
    assert found(status="HELD") == {full.number}
    assert found(status="COLLECTING", due_to="2019-04-15") == {collecting.number}
    assert found(due_from="2019-04-16") == set() == found(to_refund="true")
    assert found(tlc_license=full.driver.tlc_license) == {full.number}
    assert found(medallion_no=collecting.medallion.number.lower()) == {collecting.number}
    assert client.get("/leases/deposits", {"status": "GONE"}).status_code == 400


def test_the_list_asks_the_same_however_long_it_is(client: APIClient, django_assert_num_queries: Any) -> None:
    for _ in range(3):
        lease_with_deposit()
    client.get("/leases/deposits")
    with django_assert_num_queries(11):  # session, user, rights (2), limited time (4), count, keys, rows
        client.get("/leases/deposits")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"amount": "500.00"},
        {"amount": "0.00", "due_on": ["2019-03-09"]},
        {"amount": "500.00", "due_on": []},
        {"amount": "500.00", "due_on": ["soon"]},
        {"amount": "500.00", "due_on": ["2019-03-09", "2019-03-09"]},
        {"amount": "500.00", "due_on": ["2019-03-09", "2019-03-10", "2019-03-11"]},
        {"amount": "500.00", "due_on": ["2019-03-09"], "parts": 2},
    ],
)
def test_terms_that_make_no_sense_are_refused_with_400(client: APIClient, body: Any) -> None:
    answer = send(client, f"/leases/{make_lease().pk}/deposit", body)
    assert answer.status_code == 400, answer.json()


# --- the daily job -----------------------------------------------------------------------------------------------


def test_the_daily_job_is_scheduled_after_the_run_and_tells_what_it_did() -> None:
    beat = PeriodicTask.objects.get(task="leases.tasks.process_expired_deposit_holds").crontab
    assert (beat.hour, beat.minute, beat.day_of_week, str(beat.timezone)) == (
        "6",
        "0",
        "*",
        "America/New_York",
    )
    lease = held()
    tasks.process_expired_deposit_holds()
    job = JobRun.objects.get()
    run_job(job_id=job.pk)
    job.refresh_from_db()
    assert (job.status, (job.result or {}).get("to_refund")) == ("SUCCEEDED", "100.00"), job.error
    assert figures(lease)["status"] == "APPLIED"


def test_a_deposit_that_fails_shows_its_error_and_the_others_are_released(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bad, good = held(), lease_with_deposit()

    def repairs(*, leases: Any, actor: Any, on: date) -> None:
        if any(one.pk == bad.pk for one in leases):
            raise LeaseNotOver(number=bad.number, ends_on="further notice")

    monkeypatch.setattr(due_now, "_registered", [repairs])
    job = JobRun.objects.get(pk=tasks.start_holds(system_user()))
    run_job(job_id=job.pk)
    job.refresh_from_db()
    assert (job.status, job.error_code) == ("FAILED", "deposit.holds_failed")
    assert "1 of 2 deposits" in job.error and f"lease {bad.number}: Lease {bad.number} runs" in job.error
    assert figures(good)["status"] == "APPLIED" and figures(bad)["status"] == "HELD"


def test_on_a_sunday_it_waits_for_the_run_of_the_week_that_ended() -> None:
    sunday = sunday_of(TODAY)
    assert not tasks._run_is_due(sunday), "a fleet that never ran a week waits for none"
    run(sunday - timedelta(days=14), today=TODAY)
    assert tasks._run_is_due(sunday) and not tasks._run_is_due(sunday + timedelta(days=1))
    run(sunday - timedelta(days=7), today=TODAY)
    assert not tasks._run_is_due(sunday)


def test_the_command_says_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    held()
    call_command("process_expired_deposit_holds", json=True)
    assert '"released": 1' in capsys.readouterr().out
    call_command("process_expired_deposit_holds")
    assert "0 deposits released" in capsys.readouterr().out


def test_a_release_by_hand_is_kept_from_the_daily_job() -> None:
    lease = held()
    release_deposit(
        lease=lease, actor=system_user(), on=ENDED + timedelta(days=1), reason="The driver leaves the city"
    )
    before = LedgerPosting.objects.count()
    call_command("process_expired_deposit_holds", json=True)
    assert LedgerPosting.objects.count() == before
