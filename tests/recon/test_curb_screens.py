"""Screens and API of fetches and settlements: what they show, whom they let act, and what a refusal looks like."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from batconnect.common.audit import system_user
from batconnect.jobs.models import JobRun
from recon.models import CurbFetch, CurbSettlement, ReconMatch
from recon.services.curb_fetches import fetch_trips
from tests.factories import make_lease, make_user
from tests.ledger.trip_files import trip

from .hosts import Host
from .stories import make_source, reconcile
from .test_admin import page
from .test_curb_fetches import NOW, paged, processor  # noqa: F401  (the fixture)
from .test_settlements import FRIDAY, MONDAY, OF_FRIDAY, REASON, balances, told, trips

pytestmark = pytest.mark.django_db
MAY = ("recon.view_curbfetch", "recon.fetch_curb", "recon.view_curbsettlement", "recon.decide_settlement",
       "recon.view_reconmatch", "recon.write_off", "jobs.view_jobrun", "ledger.view_sourcetransaction",
       "ledger.view_importbatch", "ledger.view_entryheader")  # fmt: skip
TWICE = OF_FRIDAY.replace("S-0301", "S-0301-B")
FETCHES, SETTLEMENTS = "/admin/recon/curbfetch/", "/admin/recon/curbsettlement/"


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(make_user(permissions=MAY))
    return client


@pytest.fixture
def api() -> APIClient:
    client = APIClient()
    client.force_login(make_user(permissions=MAY))
    return client


@pytest.fixture
def settled(tmp_path: Path) -> dict[str, CurbSettlement]:
    """Friday's settlement, entered; and one that says the same, held."""
    source = make_source(name="curb_cards", adapter="curb_settlement", write_off_limit="20.00")
    trips(tmp_path, FRIDAY)
    reconcile(source, told(tmp_path, OF_FRIDAY, TWICE), on=MONDAY)
    return {
        one.external_row.external_id: one for one in CurbSettlement.objects.select_related("external_row")
    }


def fetched(processor: Host) -> CurbFetch:  # noqa: F811
    processor.answers = paged([trip(make_lease())])
    return fetch_trips(actor=system_user(), now=NOW)


# --- fetches ------------------------------------------------------------------------------------------------


def test_fetches_are_listed_with_what_came_of_them_and_their_file(staff: Client, processor: Host) -> None:  # noqa: F811
    done = fetched(processor)
    processor.answers = paged([], page1=(500, {}, b""))
    with pytest.raises(Exception, match="did not come"):
        fetch_trips(actor=system_user(), now=NOW + timedelta(hours=1))
    listed = page(staff, FETCHES)
    assert "Done" in listed and "Failed" in listed
    shown = page(staff, f"{FETCHES}{done.pk}/change/")
    assert done.sha256 in shown and "15.80" in shown
    failed = CurbFetch.objects.get(status="FAILED")
    shown = page(staff, f"{FETCHES}{failed.pk}/change/")
    assert "Page 1 did not come" in shown and "the next fetch asks for the same hours again" in shown
    file = staff.get(f"{FETCHES}{done.pk}/file/")
    assert file.status_code == 200 and b"".join(file.streaming_content).startswith(b"PK")  # type: ignore[attr-defined]


def test_a_fetch_is_started_from_the_screen_once(staff: Client, processor: Host) -> None:  # noqa: F811
    assert "Without hours" in page(staff, f"{FETCHES}fetch/")
    assert "Trips are being fetched." in page(staff, f"{FETCHES}fetch/", begin="", end="")
    page(staff, f"{FETCHES}fetch/", begin="", end="")
    assert JobRun.objects.count() == 1
    refused = page(staff, f"{FETCHES}fetch/", begin="2019-03-04T10:00", end="2019-03-04T09:00")
    assert "A window ends after it begins" in refused and JobRun.objects.count() == 1


def test_without_an_address_the_screen_says_what_to_set(staff: Client, settings: Any) -> None:
    settings.CURB_TRIPS_URL = ""
    assert "Set CURB_TRIPS_URL" in page(staff, f"{FETCHES}fetch/")
    assert "Set CURB_TRIPS_URL" in page(staff, f"{FETCHES}fetch/", begin="", end="")
    assert not JobRun.objects.exists()


def test_fetches_over_http(api: APIClient, processor: Host) -> None:  # noqa: F811
    done = fetched(processor)
    answer = api.get("/recon/curb/fetches?status=DONE").json()
    assert [item["fetch_id"] for item in answer["items"]] == [done.pk]
    assert answer["items"][0]["imported"]["card_earnings"] == "15.80"
    body = {"from": "2019-03-01T00:00:00-05:00", "to": "2019-03-02T00:00:00-05:00"}
    started = [
        api.post("/recon/curb/fetches", body, format="json", headers={"Idempotency-Key": "one"})
        for _ in range(2)
    ]
    assert [one.status_code for one in started] == [202, 202] and JobRun.objects.count() == 1
    wrong = api.post(
        "/recon/curb/fetches", {"from": f"{datetime.now(tz=UTC) + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"},
        format="json", headers={"Idempotency-Key": "two"},
    )  # fmt: skip
    assert (wrong.status_code, wrong.json()["error"]) == (400, "curb.window")


# --- settlements --------------------------------------------------------------------------------------------


def test_a_settlement_is_shown_beside_its_day_and_decided(
    staff: Client, settled: dict[str, CurbSettlement]
) -> None:
    assert "Held for a person" in page(staff, f"{SETTLEMENTS}?status=HELD")
    held = settled["S-0301-B"]
    shown = page(staff, f"{SETTLEMENTS}{held.pk}/change/")
    for words in ("Trips in the ledger", "says the same of this day", "Enter…", "Dismiss…"):
        assert words in shown
    assert "Match the day…" not in shown
    effect = page(staff, f"{SETTLEMENTS}{held.pk}/enter/")
    assert "What is entered" in effect and "30.65" in effect and "5200" in effect
    assert "Say why in" in page(staff, f"{SETTLEMENTS}{held.pk}/dismiss/", reason="short")
    assert "Dismissed" in page(staff, f"{SETTLEMENTS}{held.pk}/dismiss/", reason=REASON)
    assert "it can be entered only while" in page(staff, f"{SETTLEMENTS}{held.pk}/enter/", reason=REASON)
    entered = settled["S-0301"]
    assert "Matched." in page(staff, f"{SETTLEMENTS}{entered.pk}/match/", reason=REASON)
    match = ReconMatch.objects.get()
    assert f"/admin/recon/reconmatch/{match.pk}/change/" in page(staff, f"{SETTLEMENTS}{entered.pk}/change/")
    assert f"Undo match {match.pk} first" in page(
        staff, f"{SETTLEMENTS}{entered.pk}/take-back/", reason=REASON
    )


def test_taking_back_shows_the_mirror_and_enters_it(
    staff: Client, settled: dict[str, CurbSettlement]
) -> None:
    path = f"{SETTLEMENTS}{settled['S-0301'].pk}/take-back/"
    assert "31.60" in page(staff, path)
    assert "its entry is reversed" in page(staff, path, reason=REASON)
    assert balances()["1100"] == Decimal("31.60")


def test_settlements_over_http(api: APIClient, settled: dict[str, CurbSettlement]) -> None:
    answer = api.get("/recon/curb/settlements?status=ENTERED").json()
    (row,) = answer["items"]
    assert (row["settlement_id"], row["ledger_trips"], row["ledger_amount"], row["difference"]) == (
        "S-0301", 2, "31.60", "0.00",
    )  # fmt: skip
    base = f"/recon/curb/settlements/{settled['S-0301-B'].pk}"
    keyed = {"format": "json", "headers": {"Idempotency-Key": "a"}}
    first, again = (api.post(f"{base}/enter", {"reason": REASON}, **keyed) for _ in range(2))  # type: ignore[arg-type]
    assert first.status_code == again.status_code == 200 and first.json() == again.json()
    assert balances()["1100"] == Decimal("-31.60")
    done = api.post(f"{base}/dismiss", {"reason": REASON}, format="json", headers={"Idempotency-Key": "b"})
    assert (done.status_code, done.json()["error"]) == (409, "settlement.not_so")
    back = api.post(f"{base}/take-back", {"reason": REASON}, format="json", headers={"Idempotency-Key": "c"})
    assert (back.status_code, back.json()["status"]) == (200, "REVERSED")
    other = f"/recon/curb/settlements/{settled['S-0301'].pk}/match"
    match = api.post(other, {"reason": REASON}, format="json", headers={"Idempotency-Key": "d"})
    assert match.status_code == 200 and ReconMatch.objects.get().rows.count() == 3


@pytest.mark.parametrize(
    ("permission", "method", "path"),
    [
        ("recon.view_curbfetch", "get", FETCHES),
        ("recon.fetch_curb", "get", f"{FETCHES}fetch/"),
        ("recon.view_curbsettlement", "get", SETTLEMENTS),
        ("recon.decide_settlement", "get", f"{SETTLEMENTS}{{pk}}/match/"),
        ("recon.view_curbfetch", "get", "/recon/curb/fetches"),
        ("recon.fetch_curb", "post", "/recon/curb/fetches"),
        ("recon.view_curbsettlement", "get", "/recon/curb/settlements"),
        *[
            ("recon.decide_settlement", "post", f"/recon/curb/settlements/{{pk}}/{name}")
            for name in ("enter", "dismiss", "take-back", "match")
        ],
    ],
)
def test_each_takes_its_permission(
    settled: dict[str, CurbSettlement], permission: str, method: str, path: str
) -> None:
    client = APIClient()
    client.force_login(make_user(permissions=tuple(one for one in MAY if one != permission)))
    path = path.replace("{pk}", str(settled["S-0301"].pk))
    answer = client.get(path) if method == "get" else client.post(path, {}, format="json")
    assert answer.status_code == 403
