"""When a deposit is released, what is still scheduled of the lease's repairs and loans falls due, and it pays them."""

from datetime import date
from decimal import Decimal

import pytest

from batconnect.common.audit import system_user
from leases.services.deposits import DepositTerms, agree_deposit, process_expired_deposit_holds
from tests.ledger.factories import account_of, balance, open_items, pay

from .repayment_stories import FIRST_DUE, SUNDAY, free_lease, lend, on_1300, repair, run, sound, statuses

pytestmark = pytest.mark.django_db
ENDED = date(2025, 10, 6)
HELD_UNTIL = date(2025, 11, 5)


def test_the_deposit_pays_what_is_left_of_a_repair_and_then_of_a_loan() -> None:
    lease = free_lease(ends_on=ENDED)
    agree_deposit(lease=lease, terms=DepositTerms(Decimal("500.00"), (FIRST_DUE,)), actor=system_user())
    fixed, loan = repair(lease), lend(lease)
    run(SUNDAY)  # the deposit, and the first installments: 100.00 and 253.29
    account = account_of(lease)
    pay(account, "500.00", {f"{lease.number}/D1": "500.00"}, on=ENDED)
    assert balance(account) == Decimal("353.29") and sound()

    done = process_expired_deposit_holds(on=HELD_UNTIL, actor=system_user()).as_dict()

    # Of the repair 100.50 was left; of the loan 950.00, and 25 days of interest on it: 950.00 x 10 % x 25 / 365 = 6.51.
    assert (done["fell_due"], done["applied"], done["to_refund"]) == ("1057.01", "500.00", "0.00")
    assert statuses(fixed)[:2] == "pc" and "s" not in statuses(fixed) + statuses(loan)
    # 253.29 and 956.51 of the loan are owed, and what the repair left of the deposit, 299.50, is paid on them.
    assert balance(account) == Decimal("910.30")
    assert sum(open_items(account).values()) == Decimal("910.30")
    assert on_1300() == 0 and sound()


def test_done_again_it_asks_for_nothing_more() -> None:
    lease = free_lease(ends_on=ENDED)
    agree_deposit(lease=lease, terms=DepositTerms(Decimal("500.00"), (FIRST_DUE,)), actor=system_user())
    repair(lease)
    run(SUNDAY)
    process_expired_deposit_holds(on=HELD_UNTIL, actor=system_user())
    owed = balance(account_of(lease))
    assert process_expired_deposit_holds(on=HELD_UNTIL, actor=system_user()).as_dict()["fell_due"] == "0.00"
    assert balance(account_of(lease)) == owed == Decimal("200.50") and sound()
