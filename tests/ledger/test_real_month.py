"""A month of real meter records through the commands a person runs, against the figures published with them."""

import io
import json
from decimal import Decimal

import pytest
from django.core.management import call_command

from ledger.models import DTR, DriverAccount, LedgerAllocation, LedgerPosting, ParkedRow

from .factories import broken_proofs

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

DOES_NOT_ADD_UP = [
    100340, 100409, 100738, 100936, 101489, 101548, 102930, 103249, 103548, 103930, 104399, 104533, 105287, 106048,
    106157,
]  # fmt: skip

# week, card earnings, taxes, installments posted, allocated, net pay, open receivables
WEEKS = [
    ("2019-02-24", "5906.51", "1194.10", 86, "5906.51", "0.00", "8187.59"),
    ("2019-03-03", "22170.05", "4141.00", 43, "18043.32", "4126.73", "735.27"),
    ("2019-03-10", "22427.20", "4226.90", 43, "11412.17", "11015.03", "0.00"),
    ("2019-03-17", "20914.76", "3981.65", 43, "10431.65", "10483.11", "0.00"),
    ("2019-03-24", "19604.99", "3766.25", 43, "10213.87", "9391.12", "2.38"),
    ("2019-03-31", "2598.58", "516.90", 43, "2598.58", "0.00", "4370.70"),
]


def command(*arguments):
    out = io.StringIO()
    call_command(*arguments, "--json", stdout=out)
    return json.loads(out.getvalue().splitlines()[-1])


def test_six_weeks_of_real_trips_give_the_published_figures_and_a_second_time_nothing(shared_data):
    fleet = [
        "import_fleet", "--medallions", str(shared_data / "medallions.csv"), "--drivers",
        str(shared_data / "drivers.csv"), "--lease-from", "2019-02-24", "--weekly-fee", "150.00",
    ]  # fmt: skip
    trips = ["import_trips", str(shared_data / "curb_trips_2019-03.csv")]
    command(*fleet)

    assert command(*trips) == {
        "rows": 6499, "accepted": 6484, "rejected": 15, "duplicates": 0, "card_earnings": "93622.09",
        "taxes": "17826.80",
    }  # fmt: skip
    assert [int(row.source_rowid) for row in ParkedRow.objects.order_by("source_rowid")] == DOES_NOT_ADD_UP

    for week, earnings, taxes, installments, allocated, net_pay, receivables in WEEKS:
        assert command("run_week", "--week", week) == {
            "week": week, "leases": 43, "installments_posted": installments, "earnings": earnings, "taxes": taxes,
            "allocated": allocated, "net_pay": net_pay, "open_receivables": receivables, "dtrs": 43,
        }  # fmt: skip
        assert broken_proofs() == []
    assert DriverAccount.objects.count() == 43
    assert sum((a.balance for a in DriverAccount.objects.all()), Decimal("0.00")) == Decimal("4370.70")

    written = [model.objects.count() for model in (LedgerPosting, LedgerAllocation, DTR, ParkedRow)]
    command(*fleet)
    assert command(*trips) == {
        "rows": 6499, "accepted": 0, "rejected": 15, "duplicates": 6484, "card_earnings": "0.00", "taxes": "0.00",
    }  # fmt: skip
    for week, *_, receivables in WEEKS:
        assert command("run_week", "--week", week)["open_receivables"] == receivables
    assert [model.objects.count() for model in (LedgerPosting, LedgerAllocation, DTR, ParkedRow)] == written
