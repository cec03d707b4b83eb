"""The lease of the domain's worked example, from debts to void, cent by cent."""

from datetime import date
from decimal import Decimal

import pytest

from batconnect.common.audit import system_user
from ledger.models import DTR, Category, LedgerPosting
from ledger.services import voids

from .factories import (
    MONDAY_AFTER,
    balance,
    broken_proofs,
    charge,
    drive,
    make_account,
    open_in,
    open_items,
    open_of,
    pay,
    run,
)

pytestmark = pytest.mark.django_db


def test_earnings_pay_taxes_then_tolls_then_part_of_the_lease_and_the_desk_does_the_rest():
    account = make_account()
    toll_1 = charge(account, "EZPASS", "25.00", "TOLL-1", due_on=date(2019, 3, 1))
    toll_2 = charge(account, "EZPASS", "30.00", "TOLL-2", due_on=date(2019, 3, 5))
    lease = charge(account, "LEASE", "500.00", "LEASE-1")
    misc = charge(account, "MISC", "50.00", "MISC-1")
    drive(account, "560.00", {"MTA": "40.00"})

    result = run()

    assert result["allocated"] == "560.00"
    assert result["net_pay"] == "0.00"
    assert result["open_receivables"] == "85.00"
    assert open_in(account, Category.TAXES) == 0
    assert (open_of(toll_1), open_of(toll_2)) == (0, 0)
    assert open_of(lease) == Decimal("35.00")
    assert open_of(misc) == Decimal("50.00")
    assert balance(account) == Decimal("85.00")

    payment = pay(account, "100.00", {"MISC-1": "50.00"})

    assert open_of(misc) == 0
    assert open_of(lease) == 0
    assert open_of(payment) == Decimal("-15.00")
    assert balance(account) == Decimal("-15.00")

    reversal = voids.void_posting(
        posting_id=toll_2.pk, reason="Toll was another cab's", actor=system_user(), on=MONDAY_AFTER
    )

    assert reversal.amount == Decimal("-30.00")
    assert reversal.effective_on == MONDAY_AFTER
    earnings = LedgerPosting.objects.get(account=account, category=Category.EARNINGS)
    assert open_of(earnings) == Decimal("-30.00")
    assert balance(account) == Decimal("-45.00")
    assert open_items(account) == {
        f"EARNINGS:{earnings.reference_id}": Decimal("-30.00"),
        f"INTERIM_PAYMENT:{payment.reference_id}": Decimal("-15.00"),
    }
    assert broken_proofs() == []


def test_the_dtr_of_the_worked_example_adds_up_line_by_line():
    account = make_account()
    charge(account, "EZPASS", "25.00", due_on=date(2019, 3, 1))
    charge(account, "LEASE", "500.00")
    charge(account, "MISC", "50.00")
    drive(account, "560.00", {"MTA": "40.00"})
    run()

    report = DTR.objects.get(account=account)

    lines = {line["category"]: line for line in report.data["categories"]}
    assert lines["LEASE"] == {
        "category": "LEASE", "prior": "0.00", "charges": "500.00", "voids": "0.00", "earnings": "495.00",
        "desk": "0.00", "other": "0.00", "still_open": "5.00",
    }  # fmt: skip
    assert [line["category"] for line in report.data["categories"]] == ["TAXES", "EZPASS", "LEASE", "MISC"]
    assert report.data["gross_earnings"] == "560.00"
    assert report.data["taxes"] == [{"product": "MTA", "trips": 1, "amount": "40.00"}]
    assert report.open_debits == Decimal("55.00")
    assert len(report.trips) == 1
