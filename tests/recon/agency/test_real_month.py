"""A month of real tolls and summonses through the commands a person runs, against the truth that came with them."""

import csv
import io
import json
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import Sum

from batconnect.common.weeks import NEW_YORK
from ledger.models import LedgerPosting, ParkedRow, SourceTransaction
from recon.models import AgencyDecision, AgencyItem, AgencyReject
from tests.ledger.factories import broken_proofs

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


def command(*arguments: str) -> Any:
    out = io.StringIO()
    call_command(*arguments, "--json", stdout=out)
    return json.loads(out.getvalue().splitlines()[-1])


def test_every_toll_and_summons_ends_once_and_what_is_charged_by_itself_is_right(shared_data: Path) -> None:
    tolls = ["import_tolls", str(shared_data / "ezpass_statement_2019-03.csv")]
    summonses = ["import_violations", str(shared_data / "pvb_violations.csv")]
    command(
        "import_fleet", "--medallions", str(shared_data / "medallions.csv"), "--drivers",
        str(shared_data / "drivers.csv"), "--lease-from", "2019-02-24", "--weekly-fee", "150.00",
    )  # fmt: skip
    command("import_trips", str(shared_data / "curb_trips_2019-03.csv"))

    first = command(*tolls)
    # 80 tags and 20 plates that nobody knows, and one toll of a trip that does not add up and is parked.
    assert first["ended"] == {
        "FLEET_COST": {"rows": 1, "amount": "1.50"}, "IGNORED": {"rows": 1, "amount": "-500.00"},
        "POSTED": {"rows": 485, "amount": "3486.55"}, "UNASSIGNED": {"rows": 101, "amount": "755.33"},
    }  # fmt: skip
    assert (first["rows"], first["new"], first["known_vehicle"], first["attributed"]) == (588, 588, 486, 485)
    assert sum(Decimal(end["amount"]) for end in first["ended"].values()) == _statement_total(shared_data)

    second = command(*summonses)
    # On our plates: 18 with money due and nothing paid, 114 with something paid by nobody knows whom, 20 with neither,
    # and one of a parked trip.
    assert second["ended"] == {
        "IGNORED": {"rows": 384, "amount": "0.00"}, "POSTED": {"rows": 18, "amount": "2891.24"},
        "REVIEW": {"rows": 114, "amount": "9171.09"}, "UNASSIGNED": {"rows": 3138, "amount": "312340.01"},
    }  # fmt: skip
    assert (second["rows"], second["new"], second["rejected"]) == (3654, 3654, 0)
    assert (second["known_vehicle"], second["attributed"]) == (153, 152)
    ours = AgencyItem.objects.filter(kind="PVB", decision__vehicle__isnull=False).order_by()
    sums = ours.aggregate(whole=Sum("amount"), paid=Sum("paid"), due=Sum("due"))
    assert [str(sums[name]) for name in ("whole", "paid", "due")] == ["12234.68", "9052.54", "3182.14"]

    states = Counter(ours.values_list("state", flat=True))
    assert states == {"POSTED": 18, "REVIEW": 114, "IGNORED": 20, "UNASSIGNED": 1}

    _check_truth(shared_data)
    postings = LedgerPosting.objects.filter(category__in=["EZPASS", "PVB"])
    assert Counter(postings.values_list("category", flat=True)) == {"EZPASS": 485, "PVB": 18}
    charged = postings.aggregate(all=Sum("amount"))["all"]
    assert charged == Decimal("3486.55") + Decimal("2891.24")
    assert not AgencyReject.objects.exists() and broken_proofs() == []
    connection.cursor().execute("SET CONSTRAINTS ALL IMMEDIATE")

    written = [model.objects.count() for model in (AgencyItem, AgencyDecision, LedgerPosting)]
    for file in (tolls, summonses):
        again = command(*file)
        assert (again["new"], again["repeated"], again["ended"], again["found_again"]) == (
            0,
            again["rows"],
            {},
            0,
        )
    assert [model.objects.count() for model in (AgencyItem, AgencyDecision, LedgerPosting)] == written


def _statement_total(folder: Path) -> Decimal:
    with (folder / "ezpass_statement_2019-03.csv").open() as file:
        amounts = [row["Amount"] for row in csv.DictReader(file)]
    return -sum(Decimal(text.replace("($", "-").strip("$)").replace("$", "")) for text in amounts)


def _check_truth(folder: Path) -> None:
    """Each toll that was charged was made on the trip it was charged for; each summons during a trip of that cab."""
    with (folder / "ezpass_truth.csv").open() as file:
        truth = {row["Lane Txn ID"]: row["ROWID"] for row in csv.DictReader(file)}
    rowids = dict(SourceTransaction.objects.values_list("pk", "source_rowid"))
    parked = set(ParkedRow.objects.values_list("source_rowid", flat=True))
    for one in AgencyItem.objects.filter(kind="EZPASS", decision__vehicle__isnull=False).select_related(
        "decision"
    ):
        if one.state == "POSTED":
            assert rowids[one.decision.trip_id] == truth[one.number]
        else:
            assert truth[one.number] in parked, one
    unsure = AgencyItem.objects.get(kind="PVB", score__lt=90)
    stretches = [
        (row.raw["START_DATE"], row.raw["END_DATE"])
        for row in ParkedRow.objects.all()
        if row.raw["CABNUMBER"] == unsure.decision.lease_then.medallion.number
    ]
    told = unsure.occurred_at.astimezone(NEW_YORK).strftime("%m/%d/%Y %H:%M")
    assert any(start[:16] <= told <= end[:16] for start, end in stretches)
    trips = SourceTransaction.objects.in_bulk()
    sure = AgencyItem.objects.filter(kind="PVB", score__gte=90).select_related("decision__suggested")
    for one in sure:
        trip = trips[one.decision.trip_id]
        # A summons names the minute.
        assert trip.started_at - timedelta(minutes=1) < one.occurred_at <= trip.ended_at
        assert trip.vehicle_id == one.decision.vehicle_id
        assert one.decision.suggested.driver_id == trip.driver_id
