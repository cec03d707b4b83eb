"""The cashier's drawer: what it should hold, counted, over or short, banked; and what comes back afterwards."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from batconnect.common.transactions import sqlstate
from ledger.models import DTR, CheckBounce, DrawerClose, DrawerMovement
from ledger.selectors.drawers import cash_to_pay_out, drawer_held
from ledger.services import drawers, statements, voids
from ledger.services.credits import grant_credit
from ledger.services.errors import DrawerHoldsLess
from ledger.services.payments import PaymentNotPositive
from tests.factories import make_user
from tests.ledger.desk_stories import (
    MONDAY,
    TUESDAY,
    WEDNESDAY,
    WHY,
    asked,
    cashier,
    close,
    float_in,
    lines_of,
    money,
    stands_at,
    take,
)
from tests.ledger.factories import balance, broken_proofs, charge, drive, make_account, open_items, run
from tests.ledger.test_application_role import as_application

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(db: None) -> Any:
    return make_account()


def test_a_day_at_the_desk_is_counted_and_banked(account: Any) -> None:
    """50 and 30 in cash, a check of 70, an ACH of 20 that no drawer sees: 80 and 70 are there, 60 stays as float."""
    ann = cashier()
    take(account, "50.00", ann)
    take(account, "30.00", ann)
    check = take(account, "70.00", ann, method="CHECK", number="118")
    take(account, "20.00", ann, method="ACH")
    assert stands_at("1020") == money("150.00")
    held = drawer_held(ann.pk, through=MONDAY)
    assert (held.cash, held.in_checks) == (money("80.00"), money("70.00"))
    assert [(each.payment, each.number, each.amount) for each in held.checks] == [
        (check.number, "118", money("70.00"))
    ]

    done = close(ann, "80.00", [check.number], kept="60.00")

    assert (done.expected_cash, done.expected_checks, done.difference) == (
        money("80.00"), money("70.00"), money("0.00"),
    )  # fmt: skip
    assert (done.banked, done.kept) == (money("90.00"), money("60.00"))
    # 20 by ACH went straight to the bank.
    assert (stands_at("1020"), stands_at("1010")) == (money("60.00"), money("110.00"))
    assert broken_proofs() == []
    tomorrow = drawer_held(ann.pk, through=TUESDAY)
    assert (tomorrow.cash, tomorrow.in_checks, list(tomorrow.checks)) == (money("60.00"), money("0.00"), [])


def test_what_is_short_or_over_is_booked_with_its_reason(account: Any) -> None:
    """80 should be there. Monday 75 are: 5 short, on 5900. Tuesday 40 should be and 42 are: 2 over."""
    ann = cashier()
    take(account, "80.00", ann)
    with pytest.raises(drawers.ReasonMissing, match=r"5\.00 short"):
        close(ann, "75.00")
    assert not DrawerClose.objects.exists() and stands_at("1020") == money("80.00")
    done = close(ann, "75.00", reason="Gave too much change at noon")
    assert (done.difference, done.banked) == (money("-5.00"), money("75.00"))
    assert (stands_at("5900"), stands_at("1010"), stands_at("1020")) == (
        money("5.00"), money("75.00"), money("0.00"),
    )  # fmt: skip
    take(account, "40.00", ann, on=TUESDAY)
    assert close(ann, "42.00", on=TUESDAY, reason="Found under the drawer").difference == money("2.00")
    assert (stands_at("5900"), stands_at("1020")) == (money("3.00"), money("0.00"))
    assert broken_proofs() == []


def test_a_check_that_is_not_there_is_short_by_its_amount(account: Any) -> None:
    ann = cashier()
    lost = take(account, "70.00", ann, method="CHECK")
    there = take(account, "30.00", ann, method="CHECK", number="2")
    with pytest.raises(drawers.ReasonMissing, match=f"without {lost.number}"):
        close(ann, "0.00", [there.number])
    done = close(ann, "0.00", [there.number], reason="The driver kept it, he brings it tomorrow")
    assert [(row["payment"], row["present"]) for row in done.checks] == [
        (lost.number, False), (there.number, True),
    ]  # fmt: skip
    assert (done.counted_checks, done.difference, done.banked) == (
        money("30.00"), money("-70.00"), money("30.00"),
    )  # fmt: skip
    assert broken_proofs() == []
    with pytest.raises(drawers.NotBanked):
        drawers.bounce_check(payment_number=lost.number, reason=WHY, actor=ann, on=TUESDAY)


def test_what_is_taken_after_the_close_is_in_the_next_days_drawer(account: Any) -> None:
    ann = cashier()
    take(account, "10.00", ann)
    close(ann, "10.00")
    late = take(account, "25.00", ann)
    assert late.received_on == MONDAY and late.posting.effective_on == MONDAY
    assert DrawerMovement.objects.get(payment=late).day == TUESDAY
    with pytest.raises(drawers.DrawerClosed):
        close(ann, "25.00")
    assert close(ann, "25.00", on=TUESDAY).expected_cash == money("25.00")
    assert broken_proofs() == []


def test_a_day_that_was_forgotten_is_counted_with_the_next(account: Any) -> None:
    ann = cashier()
    take(account, "10.00", ann)
    take(account, "15.00", ann, on=TUESDAY)
    take(account, "99.00", ann, on=WEDNESDAY)
    assert close(ann, "25.00", on=TUESDAY).expected_cash == money("25.00")
    assert close(ann, "99.00", on=WEDNESDAY).expected_cash == money("99.00")


def test_each_cashier_has_a_drawer_of_his_own(account: Any) -> None:
    ann, bob = cashier(), cashier()
    take(account, "10.00", ann)
    take(account, "15.00", bob)
    assert close(ann, "10.00").banked == money("10.00")
    assert (drawer_held(bob.pk, through=MONDAY).cash, stands_at("1020")) == (money("15.00"), money("15.00"))
    with pytest.raises(drawers.NothingInDrawer):
        close(cashier(), "0.00")
    assert broken_proofs() == []


def test_a_payment_voided_on_the_same_day_leaves_the_drawer_it_was_in_whoever_voids_it(account: Any) -> None:
    ann, manager = cashier(), make_user()
    wrong = take(account, "50.00", ann)
    take(account, "20.00", ann)
    voids.void_posting(posting_id=wrong.posting_id, reason=WHY, actor=manager, on=MONDAY)
    assert drawer_held(ann.pk, through=MONDAY).cash == money("20.00")
    assert drawer_held(manager.pk, through=MONDAY).is_untouched
    assert close(ann, "20.00").difference == money("0.00")
    assert broken_proofs() == []


def test_a_payment_voided_after_its_day_was_closed_leaves_the_drawer_of_who_voids_it(account: Any) -> None:
    """The 50 are in the bank; handed back on Tuesday, they come out of the drawer they are taken from."""
    ann, bob = cashier(), cashier()
    wrong = take(account, "50.00", ann)
    close(ann, "50.00")
    take(account, "80.00", bob, on=TUESDAY)
    voids.void_posting(posting_id=wrong.posting_id, reason=WHY, actor=bob, on=TUESDAY)
    assert drawer_held(bob.pk, through=TUESDAY).cash == money("30.00")
    assert close(bob, "30.00", on=TUESDAY).difference == money("0.00")
    assert broken_proofs() == []


def test_net_pay_in_cash_comes_out_of_the_drawer_and_goes_back_into_it(account: Any) -> None:
    """100 put in from the bank, net pay of 60 handed over: 40 left. The driver brings it back: 100."""
    ann = cashier()
    drive(account, "60.00")
    run()
    report = DTR.objects.get(account=account)
    with pytest.raises(PaymentNotPositive):
        drawers.fund_drawer(cashier=ann, amount=Decimal("0.00"), actor=ann, on=MONDAY)
    drawers.fund_drawer(cashier=ann, amount=money("100.00"), actor=make_user(), on=MONDAY)
    assert (stands_at("1020"), stands_at("1010")) == (money("100.00"), money("-100.00"))
    statements.pay_dtr(dtr=report, on=MONDAY, method="CASH", actor=ann)
    assert (stands_at("1020"), stands_at("1010"), stands_at("2500")) == (
        money("40.00"), money("-100.00"), money("0.00"),
    )  # fmt: skip
    assert drawer_held(ann.pk, through=MONDAY).cash == money("40.00")
    assert broken_proofs() == []
    statements.return_payment(dtr=report, on=MONDAY, reason=WHY, actor=ann)
    assert (drawer_held(ann.pk, through=MONDAY).cash, stands_at("2500")) == (money("100.00"), money("-60.00"))
    report.refresh_from_db()
    statements.pay_dtr(dtr=report, on=MONDAY, method="ACH", actor=ann)
    assert (drawer_held(ann.pk, through=MONDAY).cash, stands_at("1010")) == (
        money("100.00"),
        money("-160.00"),
    )
    statements.return_payment(dtr=report, on=MONDAY, reason=WHY, actor=ann)
    assert (stands_at("1020"), stands_at("1010")) == (money("100.00"), money("-100.00"))
    assert close(ann, "100.00").difference == money("0.00")
    assert broken_proofs() == []


def test_net_pay_that_comes_back_goes_into_the_drawer_it_left_until_that_day_is_closed(account: Any) -> None:
    """Ann pays 60 by mistake and the manager takes it back: ann's drawer. After her close: that of who records it."""
    ann, manager = cashier(), make_user()
    drive(account, "60.00")
    run()
    report = DTR.objects.get(account=account)
    float_in(ann, "60.00")
    statements.pay_dtr(dtr=report, on=MONDAY, method="CASH", actor=ann)
    statements.return_payment(dtr=report, on=MONDAY, reason=WHY, actor=manager)
    assert drawer_held(ann.pk, through=MONDAY).cash == money("60.00")
    assert not DrawerMovement.objects.filter(drawer_id=manager.pk).exists()
    statements.pay_dtr(dtr=report, on=MONDAY, method="CASH", actor=ann)
    close(ann, "0.00")
    statements.return_payment(dtr=report, on=MONDAY, reason=WHY, actor=manager)
    assert drawer_held(ann.pk, through=TUESDAY).cash == money("0.00")
    assert drawer_held(manager.pk, through=MONDAY).cash == money("60.00")
    assert close(manager, "60.00").difference == money("0.00")
    assert broken_proofs() == []


def test_a_check_that_bounces_after_it_was_banked_is_the_banks_loss_not_the_drawers(account: Any) -> None:
    """A check of 70 pays a lease of 70, and is banked. It bounces: 1200 +70, 1010 −70; the lease is owed again."""
    ann = cashier()
    charge(account, "LEASE", "70.00", "L1", on=MONDAY)
    check = take(account, "70.00", ann, method="CHECK", number="118")
    with pytest.raises(drawers.NotBanked):
        drawers.bounce_check(payment_number=check.number, reason=WHY, actor=ann, on=MONDAY)
    close(ann, "0.00", [check.number])
    assert (stands_at("1010"), stands_at("1200"), open_items(account)) == (
        money("70.00"), money("0.00"), {},
    )  # fmt: skip
    reversal = drawers.bounce_check(
        payment_number=check.number, reason="Insufficient funds", actor=make_user(), on=TUESDAY
    )
    assert lines_of(reversal) == [("1200", "DR", money("70.00")), ("1010", "CR", money("70.00"))]
    assert (stands_at("1020"), stands_at("1010"), balance(account)) == (
        money("0.00"), money("0.00"), money("70.00"),
    )  # fmt: skip
    assert open_items(account) == {"LEASE:L1": money("70.00")}
    assert drawer_held(ann.pk, through=TUESDAY).is_untouched
    assert broken_proofs() == []
    with pytest.raises(voids.AlreadyVoided):
        drawers.bounce_check(payment_number=check.number, reason=WHY, actor=ann, on=TUESDAY)
    with pytest.raises(drawers.UnknownPayment):
        drawers.bounce_check(payment_number="INTPAY-2019-99999", reason=WHY, actor=ann, on=TUESDAY)


def test_a_refund_in_cash_comes_out_of_the_drawer_of_who_asked_for_it(account: Any) -> None:
    ann = cashier()
    take(account, "50.00", ann)
    done = grant_credit(
        asked("REFUND", account, "40.00", method="CASH"), actor=ann, approved_by=make_user(), on=MONDAY
    )
    assert drawer_held(ann.pk, through=MONDAY).cash == money("10.00")
    voids.void_posting(posting_id=done.posting_id, reason=WHY, actor=ann, on=MONDAY)
    assert drawer_held(ann.pk, through=MONDAY).cash == money("50.00")
    assert broken_proofs() == []


def test_no_more_cash_is_paid_out_than_the_drawer_holds(account: Any) -> None:
    """30 are there and 10 come tomorrow: 30.01 is refused today and tomorrow's 10 with it, and 30 are paid."""
    ann, chief = cashier(), make_user()
    take(account, "30.00", ann)
    take(account, "10.00", ann, on=TUESDAY)
    take(account, "70.00", ann, method="CHECK")

    def pay_back(amount: str) -> Any:
        return grant_credit(
            asked("REFUND", account, amount, method="CASH"), actor=ann, approved_by=chief, on=MONDAY
        )

    with pytest.raises(DrawerHoldsLess) as raised:
        pay_back("30.01")
    assert (raised.value.code, raised.value.status) == ("drawer.holds_less", 409)
    assert str(raised.value).startswith(
        f"The drawer of {ann.username} holds 30.00 in cash, less than the 30.01 that is to be paid out of it."
    )
    assert cash_to_pay_out(ann.pk, on=MONDAY) == money("30.00") and broken_proofs() == []
    pay_back("30.00")
    with pytest.raises(DrawerHoldsLess, match=r"holds 0\.00"):
        pay_back("0.01")
    with pytest.raises(DrawerHoldsLess, match=r"holds 10\.00"):
        drawers.check_holds(cashier=ann, amount=money("10.01"), on=TUESDAY)
    assert broken_proofs() == []


def test_a_void_is_never_kept_back_by_an_empty_drawer_and_a_payout_afterwards_is(account: Any) -> None:
    """Of 50 taken, 40 were paid back; the payment is voided all the same: 40 below zero, until 40 are put in."""
    ann, chief = cashier(), make_user()
    wrong = take(account, "50.00", ann)
    take(account, "40.00", bob := cashier())
    grant_credit(asked("REFUND", account, "40.00", method="CASH"), actor=ann, approved_by=chief, on=MONDAY)
    voids.void_posting(posting_id=wrong.posting_id, reason=WHY, actor=chief, on=MONDAY)
    assert cash_to_pay_out(ann.pk, on=MONDAY) == money("-40.00")
    float_in(ann, "40.00")
    with pytest.raises(DrawerHoldsLess):
        drawers.check_holds(cashier=ann, amount=money("0.01"), on=MONDAY)
    assert cash_to_pay_out(bob.pk, on=MONDAY) == money("40.00") and broken_proofs() == []


def test_the_float_that_is_kept_can_be_paid_out_and_what_was_banked_cannot(account: Any) -> None:
    ann = cashier()
    take(account, "50.00", ann)
    close(ann, "50.00", kept="20.00")
    assert [cash_to_pay_out(ann.pk, on=day) for day in (MONDAY, TUESDAY)] == [money("20.00")] * 2


def test_the_applications_role_may_do_all_of_it(account: Any) -> None:
    ann, chief = cashier(), make_user()
    with as_application():
        check = take(account, "70.00", ann, method="CHECK")
        take(account, "50.00", ann)
        drawers.fund_drawer(cashier=ann, amount=money("20.00"), actor=chief, on=MONDAY)
        refund = asked("REFUND", account, "40.00", method="CASH")
        grant_credit(refund, actor=ann, approved_by=chief, on=MONDAY)
        close(ann, "30.00", [check.number])
        drawers.bounce_check(payment_number=check.number, reason=WHY, actor=chief, on=TUESDAY)
    assert broken_proofs() == []


def test_a_count_that_is_wrong_is_refused_and_nothing_is_booked(account: Any) -> None:
    ann = cashier()
    check = take(account, "70.00", ann, method="CHECK")
    take(account, "30.00", ann)
    with pytest.raises(drawers.CountedBelowZero):
        close(ann, "-1.00")
    with pytest.raises(drawers.KeptTooMuch):
        close(ann, "30.00", [check.number], kept="30.01")
    with pytest.raises(drawers.UnknownCheck):
        close(ann, "30.00", ["INTPAY-2019-99999"])
    with pytest.raises(drawers.DrawerChanged, match=r"30\.00 in cash and 70\.00 in checks"):
        close(ann, "30.00", [check.number], expected=(money("20.00"), money("70.00")))
    assert stands_at("1020") == money("100.00") and not DrawerClose.objects.exists()


# --- rules of the database ------------------------------------------------------------------------------------


def refused(sql: str, state: str, *parameters: Any) -> None:
    with pytest.raises(DatabaseError) as raised, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # what earlier statements left to the end
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        cursor.execute(sql, parameters)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert sqlstate(raised.value) == state, raised.value


CLOSE = """
INSERT INTO drawer_close (number, drawer_id, day, expected_cash, expected_checks, counted_cash, counted_checks,
                          difference, kept, banked, checks, reason, closed_by_id)
VALUES ('DRAWER-2019-90000', %s, %s, %s, 0, %s, 0, 0, %s, %s, '[]', '', %s)
"""


def test_the_database_counts_along(account: Any) -> None:
    ann = cashier()
    take(account, "80.00", ann)
    # The expected is not what moved; what is kept is not what is left; a day ahead; a difference that is none.
    refused(CLOSE, "BC061", ann.pk, MONDAY, "70.00", "70.00", "70.00", "0.00", ann.pk)
    refused(CLOSE, "BC061", ann.pk, MONDAY, "80.00", "80.00", "0.00", "80.00", ann.pk)
    refused(CLOSE, "BC061", ann.pk, "2999-01-01", "80.00", "80.00", "80.00", "0.00", ann.pk)
    refused(CLOSE, "23514", ann.pk, MONDAY, "80.00", "79.00", "80.00", "0.00", ann.pk)
    close(ann, "80.00")
    refused(CLOSE, "BC060", ann.pk, MONDAY, "0.00", "0.00", "0.00", "0.00", ann.pk)


def test_the_database_pays_no_cash_out_that_is_not_there(account: Any) -> None:
    ann = cashier()
    take(account, "80.00", ann)
    pay_out = (
        "INSERT INTO drawer_movement (drawer_id, day, kind, medium, amount, reference, created_by_id) "
        "VALUES (%s, '2019-03-11', %s, 'CASH', %s, 'X', %s)"
    )
    for kind in ("REFUND", "DTR_PAID"):
        refused(pay_out, "BC064", ann.pk, kind, "-80.01", ann.pk)


def test_a_closed_day_takes_no_movement_and_history_stands(account: Any) -> None:
    ann = cashier()
    take(account, "80.00", ann)
    close(ann, "80.00")
    refused(
        "INSERT INTO drawer_movement (drawer_id, day, kind, medium, amount, reference, created_by_id) "
        "VALUES (%s, '2019-03-11', 'FLOAT', 'CASH', 5, 'X', %s)",
        "BC060",
        ann.pk,
        ann.pk,
    )
    for table in ("drawer_movement", "drawer_close", "drawer"):
        refused(f"DELETE FROM {table}", "P0001")
    refused("UPDATE drawer_movement SET amount = 1", "P0001")
    refused("UPDATE drawer_close SET kept = 1", "P0001")
    refused("TRUNCATE drawer_movement", "P0001")


def test_a_bounce_needs_a_banked_check_and_the_void_of_its_payment(account: Any) -> None:
    ann = cashier()
    check = take(account, "70.00", ann, method="CHECK")
    cash = take(account, "10.00", ann)
    bounce = (
        "INSERT INTO check_bounce (payment_id, bounced_on, reason, created_by_id) "
        "VALUES (%s, '2019-03-12', 'Insufficient funds', %s)"
    )
    refused(bounce, "BC063", check.pk, ann.pk)
    close(ann, "10.00", [check.number])
    refused(bounce, "BC063", cash.pk, ann.pk)
    refused(bounce, "BC063", check.pk, ann.pk)  # its payment is not voided by the end
    assert not CheckBounce.objects.exists()
