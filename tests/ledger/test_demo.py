"""The demo: the files it makes, and the whole of it run twice on a database of its own."""

import csv
import io
import json
from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
from django.core.management import CommandError, call_command

from leases.demo.fleet import CABS
from leases.demo.trips import COLUMNS, WEEKS, trip_files
from tests.databases import run_manage

AMOUNTS = COLUMNS[6:15]


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    return [row for _, text in trip_files() for row in csv.DictReader(io.StringIO(text))]


def started(row: dict[str, str]) -> datetime:
    return datetime.strptime(row["START_DATE"], "%m/%d/%Y %H:%M:%S")


def test_the_files_are_the_same_each_time():
    assert list(trip_files()) == list(trip_files())


def test_row_ids_are_used_once(rows: list[dict[str, str]]):
    assert len({row["ROWID"] for row in rows}) == len(rows)


def test_no_cab_has_two_trips_at_once(rows: list[dict[str, str]]):
    of_cab = defaultdict(list)
    for row in rows:
        if Decimal(row["TOTAL_AMOUNT"]) > 0:  # a reversal repeats its trip's times
            of_cab[row["CABNUMBER"]].append((started(row), row["END_DATE"]))
    assert len(of_cab) == len(CABS)
    for trips in of_cab.values():
        trips.sort()
        for (_, ended), (next_started, _) in pairwise(trips):
            assert datetime.strptime(ended, "%m/%d/%Y %H:%M:%S") < next_started


def test_every_trip_starts_in_the_six_weeks(rows: list[dict[str, str]]):
    days = {started(row).date() for row in rows}
    assert min(days) >= WEEKS[0]
    assert max(days) < WEEKS[-1] + timedelta(days=7)


def test_the_files_have_what_real_ones_have(rows: list[dict[str, str]]):
    wrong = [
        row for row in rows if sum(Decimal(row[name]) for name in AMOUNTS) != Decimal(row["TOTAL_AMOUNT"])
    ]
    reversals = [row for row in rows if Decimal(row["TOTAL_AMOUNT"]) < 0]

    assert len(wrong) == 4
    assert [row["PAYMENT_TYPE"] for row in reversals] == ["C", "C"]
    assert {row["PAYMENT_TYPE"] for row in rows} == {"C", "$", "N", "D"}
    assert 10_000 < len(rows) < 15_000


@pytest.mark.slow
def test_a_second_demo_changes_nothing_and_says_so(cloned_database: str, tmp_path: Path):
    out = tmp_path / "demo"

    first = json.loads(run_manage(cloned_database, "demo", "--out", str(out), "--json").stdout)

    assert first["changed"] is True
    assert first["proofs"]["ok"] is True
    assert [week["week"] for week in first["weeks"]] == [str(week) for week in WEEKS]
    assert len(first["drivers"]) == len(CABS)
    for line in first["drivers"]:
        amounts = {name: Decimal(line[name]) for name in first["totals"]}
        spent = amounts["charged"] + amounts["paid_out"] + amounts["to_pay"]
        assert spent - amounts["earned"] - amounts["at_desk"] == amounts["owed"]
    pdfs = {path.name: path.read_bytes() for path in Path(first["pdfs"]["out"]).iterdir()}
    assert len(pdfs) == first["pdfs"]["files"] == len(CABS)
    settlements = (out / "curb_settlements.csv").read_text().splitlines()
    assert len(settlements) == 1 + 7 * len(WEEKS) - 1 + 1  # a header, a day each, one late, one told twice

    with psycopg.connect(cloned_database) as reading:
        paid = reading.execute(
            """
            SELECT state, count(*) FROM payout_batch GROUP BY 1
            UNION ALL SELECT 'item ' || state, count(*) FROM payout_item WHERE method = 'ACH' GROUP BY 1
            UNION ALL SELECT 'check ' || state, count(*) FROM payout_check GROUP BY 1
            """
        ).fetchall()
    states = dict(paid)
    assert (states["SETTLED"], states["item RETURNED"], states["check VOIDED"]) == (1, 2, 1)
    assert states["item PAID"] > 20 and states["check ISSUED"] > 5
    with psycopg.connect(cloned_database) as reading:
        office = reading.execute(
            """
            SELECT 'case ' || flow || ' ' || status, count(*) FROM bpm_case GROUP BY 1
            UNION ALL SELECT d.state, count(*)
              FROM agency_item i JOIN agency_decision d ON d.id = i.decision_id GROUP BY 1
            """
        ).fetchall()
    worked = dict(office)
    assert (worked["case DLN OPEN"], worked["case DLN CLOSED"], worked["case RPR CLOSED"]) == (1, 1, 1)
    # Twelve tolls and two summonses have their driver; a parked cab's, a stranger's and one that is paid already wait.
    assert (worked["POSTED"], worked["UNASSIGNED"], worked["REVIEW"]) == (14, 2, 1)

    again = run_manage(cloned_database, "demo", "--out", str(out)).stdout
    assert "Everything was there already: nothing was changed." in again
    assert "FAIL" not in again
    (totals,) = [line.split() for line in again.splitlines() if line.startswith("together")]
    assert totals[1:] == [f"{Decimal(first['totals'][name]):,.2f}" for name in first["totals"]]
    assert {path.name: path.read_bytes() for path in Path(first["pdfs"]["out"]).iterdir()} == pdfs


@pytest.mark.django_db
def test_a_ledger_with_other_weeks_is_left_alone(tmp_path: Path):
    call_command("run_week", "--week", "2019-03-03", "--json", stdout=io.StringIO())

    with pytest.raises(CommandError, match="first week is 2019-03-03"):
        call_command("demo", "--out", str(tmp_path / "demo"))

    assert not (tmp_path / "demo").exists()
