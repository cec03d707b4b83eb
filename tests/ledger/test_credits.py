"""Adjustments, write-offs and refunds of credit: what they are put to, who approves them, and how they book."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from batconnect.common.transactions import sqlstate
from ledger.models import CreditDecision, DriverAccount, LedgerPosting
from ledger.services import credits, drawers, payments, voids
from ledger.services.credits import grant_credit, plan_credit
from ledger.services.payments import OverAllocated
from ledger.services.reasons import ReasonLength
from tests.factories import make_user
from tests.ledger.desk_stories import (
    MONDAY,
    TUESDAY,
    WHY,
    asked,
    cashier,
    close,
    lines_of,
    money,
    stands_at,
    take,
)
from tests.ledger.factories import (
    MONDAY_AFTER,
    SUNDAY,
    WEEK,
    balance,
    broken_proofs,
    charge,
    drive,
    make_account,
    open_items,
    run,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(db: None, settings: Any) -> DriverAccount:
    settings.ADJUSTMENT_APPROVAL_ABOVE = Decimal("100.00")
    settings.WRITE_OFF_APPROVAL_ABOVE = Decimal("50.00")
    return make_account()


def grant(kind: str, account: DriverAccount, amount: str = "0.00", **more: Any) -> CreditDecision:
    people = {name: more.pop(name) for name in ("actor", "approved_by", "on") if name in more}
    return grant_credit(
        asked(kind, account, amount, **more), **{"actor": make_user(), "on": MONDAY, **people}
    )


def test_an_adjustment_pays_what_it_names_and_the_rest_waits_for_the_next_run(account: DriverAccount) -> None:
    """80 granted: 30 of them for the misc of 50. The run uses the other 50 before the earnings: lease 120 − 50 − 70."""
    charge(account, "MISC", "50.00", "M1", on=MONDAY)
    charge(account, "LEASE", "120.00", "L1", on=MONDAY)
    done = grant("ADJUSTMENT", account, "80.00", allocations={"M1": "30.00"})
    assert done.number == "ADJ-2019-00001" and done.approved_by is None
    assert lines_of(done.posting) == [("1200", "CR", money("80.00")), ("4900", "DR", money("80.00"))]
    assert open_items(account) == {
        "MISC:M1": money("20.00"), "LEASE:L1": money("120.00"), "ADJUSTMENT:ADJ-2019-00001": money("-50.00"),
    }  # fmt: skip
    assert done.parts == [{"category": "MISC", "reference_id": "M1", "amount": "30.00"}]
    assert balance(account) == money("90.00") and broken_proofs() == []
    drive(account, "70.00", week=SUNDAY + WEEK)
    run()
    run(SUNDAY + WEEK)
    assert open_items(account) == {"MISC:M1": money("20.00")}
    assert broken_proofs() == []


def test_a_write_off_is_for_the_items_it_names_and_no_more_than_is_open(account: DriverAccount) -> None:
    """Of a toll of 25 and a ticket of 65, 25 and 10 are written off: 5100 bears 35, 55 is owed."""
    charge(account, "EZPASS", "25.00", "T1", on=MONDAY)
    charge(account, "PVB", "65.00", "P1", on=MONDAY)
    with pytest.raises(OverAllocated):
        grant("WRITE_OFF", account, allocations={"T1": "25.01"})
    with pytest.raises(credits.NothingNamed):
        grant("WRITE_OFF", account, "35.00")
    charge(account, "DEPOSIT", "100.00", "D1", on=MONDAY)
    with pytest.raises(credits.DepositWrittenOff):  # it would be paid back, and never came in
        grant("WRITE_OFF", account, allocations={"D1": "100.00"})
    assert balance(account) == money("190.00") and not CreditDecision.objects.exists()
    done = grant("WRITE_OFF", account, allocations={"T1": "25.00", "P1": "10.00"})
    assert (done.number, done.amount) == ("WO-2019-00001", money("35.00"))
    assert lines_of(done.posting) == [("1200", "CR", money("35.00")), ("5100", "DR", money("35.00"))]
    assert open_items(account) == {"PVB:P1": money("55.00"), "DEPOSIT:D1": money("100.00")}
    assert broken_proofs() == []


def test_a_write_off_is_voided_like_any_credit_and_never_paid_out(account: DriverAccount) -> None:
    toll = charge(account, "EZPASS", "25.00", "T1", on=MONDAY)
    done = grant("WRITE_OFF", account, allocations={"T1": "25.00"})
    voids.void_posting(posting_id=done.posting_id, reason=WHY, actor=make_user(), on=MONDAY)
    assert open_items(account) == {"EZPASS:T1": money("25.00")} and stands_at("5100") == money("0.00")
    again = grant("WRITE_OFF", account, allocations={"T1": "25.00"})
    voids.void_posting(posting_id=toll.pk, reason=WHY, actor=make_user(), on=MONDAY)
    assert open_items(account) == {f"WRITE_OFF:{again.number}": money("-25.00")}
    assert credits.refundable(account.pk) == money("0.00")
    with pytest.raises(credits.MoreThanCredit):
        grant("REFUND", account, "25.00", method="ACH", method_reference="A-1", approved_by=make_user())
    assert broken_proofs() == []


@pytest.mark.parametrize(
    ("kind", "amount", "alone"),
    [("ADJUSTMENT", "100.00", True), ("ADJUSTMENT", "100.01", False),
     ("WRITE_OFF", "50.00", True), ("WRITE_OFF", "50.01", False)],
)  # fmt: skip
def test_above_the_amount_of_the_settings_it_takes_a_second_person(
    account: DriverAccount, kind: str, amount: str, alone: bool
) -> None:
    charge(account, "MISC", "200.00", "M1", on=MONDAY)
    ann, bob = make_user(), make_user()
    named = {"allocations": {"M1": amount}}
    assert plan_credit(asked(kind, account, amount, **named)).needs_approval is not alone
    if alone:
        assert grant(kind, account, amount, actor=ann, **named).approved_by is None
        return
    with pytest.raises(credits.NotApproved):
        grant(kind, account, amount, actor=ann, **named)
    with pytest.raises(credits.OwnApproval):
        grant(kind, account, amount, actor=ann, approved_by=ann, **named)
    done = grant(kind, account, amount, actor=ann, approved_by=bob, **named)
    assert (done.asked_by, done.approved_by) == (ann, bob)
    assert balance(account) == money("200.00") - money(amount)


def test_credit_is_paid_back_oldest_first_and_is_closed_by_it(account: DriverAccount) -> None:
    """60 paid on Monday and 40 adjusted on Tuesday: 75 paid back by ACH take the 60 and 15 of the 40."""
    take(account, "60.00", cashier())
    grant("ADJUSTMENT", account, "40.00", on=TUESDAY)
    with pytest.raises(credits.MoreThanCredit, match=r"100\.00 of this account's credit"):
        grant("REFUND", account, "100.01", method="CASH", approved_by=make_user())
    with pytest.raises(credits.NotApproved):
        grant("REFUND", account, "0.01", method="CASH")
    with pytest.raises(payments.MethodReferenceMissing):
        grant("REFUND", account, "1.00", method="ACH", approved_by=make_user())
    with pytest.raises(payments.UnknownMethod):
        grant("REFUND", account, "1.00", method="CARD", approved_by=make_user())
    done = grant(
        "REFUND", account, "75.00", method="ACH", method_reference="A-7", approved_by=make_user(), on=TUESDAY
    )
    assert done.number == "RFD-2019-00001"
    assert lines_of(done.posting) == [("1200", "DR", money("75.00")), ("1010", "CR", money("75.00"))]
    assert [(part["category"], part["amount"]) for part in done.parts] == [
        ("INTERIM_PAYMENT", "60.00"), ("ADJUSTMENT", "15.00"),
    ]  # fmt: skip
    assert open_items(account) == {"ADJUSTMENT:ADJ-2019-00001": money("-25.00")}
    assert broken_proofs() == []


def test_earnings_are_paid_by_the_run_and_not_by_a_refund(account: DriverAccount) -> None:
    toll = charge(account, "EZPASS", "30.00", "T1")
    drive(account, "50.00")
    run()
    voids.void_posting(posting_id=toll.pk, reason=WHY, actor=make_user(), on=MONDAY_AFTER)
    assert balance(account) == money("-30.00")  # 30 of earnings are free again
    assert credits.refundable(account.pk) == money("0.00")


def test_what_was_paid_back_of_a_check_that_bounces_is_owed_again(account: DriverAccount) -> None:
    """70 by check are banked and paid back by ACH. The check bounces: the driver owes those 70, and pays them last."""
    ann = cashier()
    check = take(account, "70.00", ann, method="CHECK")
    close(ann, "0.00", [check.number])
    done = grant(
        "REFUND", account, "70.00", method="ACH", method_reference="A-7", approved_by=make_user(), on=TUESDAY
    )
    assert (open_items(account), balance(account)) == ({}, money("0.00"))
    drawers.bounce_check(payment_number=check.number, reason=WHY, actor=make_user(), on=TUESDAY)
    assert open_items(account) == {f"INTERIM_PAYMENT:{done.number}": money("70.00")}
    assert broken_proofs() == []
    drive(account, "100.00", week=SUNDAY + WEEK)
    run()
    assert run(SUNDAY + WEEK)["allocated"] == "70.00"
    assert open_items(account) == {}
    assert broken_proofs() == []


def test_a_reason_is_given_and_the_payment_is_not_more_than_the_adjustment(account: DriverAccount) -> None:
    charge(account, "MISC", "50.00", "M1", on=MONDAY)
    with pytest.raises(credits.MoreThanAdjusted):
        grant("ADJUSTMENT", account, "20.00", allocations={"M1": "20.01"})
    with pytest.raises(payments.PaymentNotPositive):
        grant("ADJUSTMENT", account, "0.00")
    short = credits.CreditAsked("ADJUSTMENT", account, money("5.00"), "because", {})
    with pytest.raises(ReasonLength):
        grant_credit(short, actor=make_user(), on=MONDAY)
    assert not LedgerPosting.objects.filter(category="ADJUSTMENT").exists()


# --- rules of the database ------------------------------------------------------------------------------------

INSERT = """
INSERT INTO credit_decision (number, kind, account_id, posting_id, amount, reason, method, method_reference, parts,
                             approval_above, asked_by_id, approved_by_id, decided_on, case_no)
VALUES (%(number)s, %(kind)s, %(account)s, %(posting)s, %(amount)s, 'Because I say so', %(method)s, '', '[]',
        %(above)s, %(asked)s, %(approved)s, '2019-03-11', '')
"""


def test_the_database_holds_two_persons_and_the_posting(account: DriverAccount) -> None:
    ann, bob = make_user(), make_user()
    bare = payments.insert_postings(
        [
            payments.NewPosting(
                account_id=account.pk,
                category="ADJUSTMENT",
                amount=money("-30.00"),
                reference_id="ADJ-2019-90000",
                event_on=MONDAY,
            )
        ],
        actor_id=ann.pk,
        on=MONDAY,
    )
    good = {
        "number": "ADJ-2019-90000", "kind": "ADJUSTMENT", "account": account.pk, "posting": bare[0].posting_id,
        "amount": "30.00", "method": "", "above": "10.00", "asked": ann.pk, "approved": bob.pk,
    }  # fmt: skip
    for wrong, state in (
        ({"approved": ann.pk}, "23514"),
        ({"approved": None}, "23514"),
        ({"amount": "29.00"}, "BC062"),
        ({"number": "ADJ-2019-90001"}, "BC062"),
        ({"kind": "WRITE_OFF"}, "BC062"),
        ({"account": make_account().pk}, "BC062"),
        ({"method": "CASH"}, "23514"),
    ):
        with pytest.raises(DatabaseError) as raised, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(INSERT, {**good, **wrong})
        assert sqlstate(raised.value) == state, wrong
    with connection.cursor() as cursor:
        cursor.execute(INSERT, good)
    for change in ("UPDATE credit_decision SET amount = 1", "DELETE FROM credit_decision"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(change)
