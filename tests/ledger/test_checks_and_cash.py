"""Checks with numbers from a book, void and reissued, and cash from the drawer."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction

from ledger.models import DTR, Checkbook, DTRPayment, PayoutCheck, PayoutItem
from ledger.selectors.pay_list import unpaid
from ledger.services import statements, voids
from ledger.services.errors import Refused
from ledger.services.payouts import checks, choosing, desk
from ledger.services.payouts.paper import in_words, render_cash_receipt, render_checks
from tests.factories import make_user
from tests.ledger.factories import broken_proofs
from tests.ledger.payout_stories import MONDAY, TUESDAY, amount_on, net_pay, paid_by

pytestmark = pytest.mark.django_db


def issue(*dtrs: DTR) -> list[PayoutCheck]:
    return checks.issue_checks(numbers=[dtr.number for dtr in dtrs], on=MONDAY, actor=make_user())


def test_checks_are_issued_for_who_is_paid_by_check_and_booked_at_once():
    first, second, other = net_pay("300.00", "20.00", "7.00")
    paid_by(first, "CHECK"), paid_by(second, "CHECK"), paid_by(other)
    made = checks.issue_checks(actor=make_user(), on=MONDAY)
    assert [(check.number, check.payee, check.amount) for check in made] == [
        (1001, first.driver.name, Decimal("300.00")),
        (1002, second.driver.name, Decimal("20.00")),
    ]
    assert amount_on("1010") == Decimal("-320.00") and amount_on("2500") == Decimal("-7.00")
    assert DTRPayment.objects.filter(method_reference="1001").get().dtr == first
    with pytest.raises(choosing.NothingToPayNow):
        checks.issue_checks(actor=make_user(), on=MONDAY)
    assert broken_proofs() == []


def test_what_was_taken_back_is_not_paid_when_its_payment_returns():
    """The week's earnings were reversed after the check went out: when it is void, nothing is owed but a new week."""
    (dtr,) = net_pay("300.00")
    paid_by(dtr, "CHECK")
    (check,) = issue(dtr)
    actor = make_user()
    voids.reverse_settlement(
        account=dtr.account, week=dtr.week, reason="Trips of another cab", actor=actor, on=MONDAY
    )
    assert dtr.payout.open_item.balance == Decimal("300.00")
    checks.void_check(number=check.number, reason="Never fetched at the desk", on=TUESDAY, actor=actor)
    (line,) = unpaid(week=dtr.week)
    assert (line.held, "300.00 of its payout is owed" in line.held_because) == ("REOPENED", True)
    with pytest.raises(statements.PayoutReopened):
        statements.pay_dtr(dtr=dtr, on=TUESDAY, method="CHECK", method_reference="1002", actor=actor)
    with pytest.raises(choosing.NothingToPayNow):
        checks.issue_checks(actor=actor, on=TUESDAY)
    with pytest.raises(DatabaseError, match=r"300\.00 of its payout is owed"), transaction.atomic():
        DTRPayment.objects.create(
            dtr=dtr, kind="PAID", method="CASH", amount=dtr.net_pay, on=TUESDAY, created_by=actor
        )
    voids.void_posting(
        posting_id=dtr.payout_id, reason="Its earnings were taken back", actor=actor, on=TUESDAY
    )
    assert unpaid(week=dtr.week) == [] and amount_on("2500") == 0 and broken_proofs() == []


def test_a_void_check_is_owed_again_and_a_reissued_one_paid_again():
    first, second = net_pay("300.00", "20.00")
    one, two = issue(first, second)
    checks.void_check(number=one.number, reason="Torn in the printer", on=TUESDAY, actor=make_user())
    assert DTR.objects.get(pk=first.pk).status == "FINALIZED" and amount_on("1010") == Decimal("-20.00")
    done = checks.reissue_check(number=two.number, reason="Lost in the mail", on=TUESDAY, actor=make_user())
    assert (done.voided.state, done.issued.number, done.issued.reissue_of) == ("VOIDED", 1003, two)
    assert amount_on("1010") == Decimal("-20.00") and DTR.objects.get(pk=second.pk).status == "PAID"
    with pytest.raises(checks.CheckNotOut):
        checks.void_check(number=one.number, reason="Torn once more", on=TUESDAY, actor=make_user())
    assert broken_proofs() == []


def test_returning_a_checks_payment_voids_the_check_and_one_that_cleared_stands():
    first, second = net_pay("300.00", "20.00")
    one, two = issue(first, second)
    statements.return_payment(dtr=first, on=TUESDAY, reason="He brought it back", actor=make_user())
    one.refresh_from_db()
    assert (one.state, one.void_reason) == ("VOIDED", "He brought it back")
    checks.clear_check(number=two.number, on=TUESDAY, actor=make_user())
    with pytest.raises(checks.CheckNotOut):
        checks.void_check(number=two.number, reason="Never mind it", on=TUESDAY, actor=make_user())
    with pytest.raises(Refused, match="cannot become voided"):
        statements.return_payment(dtr=second, on=TUESDAY, reason="It was not", actor=make_user())


def test_numbers_have_no_gaps_whoever_asks_and_whatever_fails():
    first, second = net_pay("300.00", "20.00")
    with pytest.raises(RuntimeError), transaction.atomic():
        issue(first)
        raise RuntimeError("the printer is on fire")
    assert issue(first)[0].number == 1001
    item = {"dtr": second, "method": "CHECK", "amount": second.net_pay, "payee": "Somebody"}
    with transaction.atomic():
        book = Checkbook.objects.get()
        made = PayoutCheck.objects.create(
            item=PayoutItem.objects.create(**item), payee="Somebody", amount=second.net_pay, issued_on=MONDAY,
            created_by=make_user(), checkbook=book, number=5000,
        )  # fmt: skip
        made.refresh_from_db()
        assert made.number == 1002  # the one that was asked for counts for nothing
    for wrong in ({"last_number": 1500}, {"first_number": 1}):
        with pytest.raises(DatabaseError), transaction.atomic():
            Checkbook.objects.update(**wrong)
    with pytest.raises(DatabaseError), transaction.atomic():
        PayoutCheck.objects.update(number=7)


def test_a_new_book_begins_above_all_numbers():
    first, second = net_pay("300.00", "20.00")
    issue(first)
    for wrong in (1001, 0, 10**9):
        with pytest.raises(checks.BadFirstNumber):
            checks.open_checkbook(first_number=wrong, actor=make_user())
    checks.open_checkbook(first_number=20001, actor=make_user())
    assert issue(second)[0].number == 20001
    assert broken_proofs() == []


def test_checks_are_stale_after_half_a_year():
    (dtr,) = net_pay("300.00")
    (check,) = issue(dtr)
    last_good = MONDAY + timedelta(days=179)
    assert list(checks.stale(on=last_good)) == []
    assert list(checks.stale(on=last_good + timedelta(days=1))) == [check]


def test_cash_is_paid_once_against_a_receipt():
    (dtr,) = net_pay("300.00")
    paid_by(dtr)
    payment = desk.pay_cash(number=dtr.number, on=MONDAY, actor=make_user())
    assert payment.method == "CASH" and payment.method_reference.startswith("CASHPAY-2019-")
    with pytest.raises(choosing.NotPayable):
        desk.pay_cash(number=dtr.number, on=MONDAY, actor=make_user())
    pdf = render_cash_receipt(DTRPayment.objects.get())
    assert pdf.startswith(b"%PDF") and pdf == render_cash_receipt(DTRPayment.objects.get())
    assert broken_proofs() == []


def test_nothing_is_paid_before_its_week_is_over():
    (dtr,) = net_pay("300.00")
    with pytest.raises(statements.PaidTooEarly):
        checks.issue_checks(numbers=[dtr.number], on=date(2019, 3, 9), actor=make_user())


def test_a_check_on_paper_is_the_same_twice_and_says_void():
    (dtr,) = net_pay("1234.05")
    (check,) = issue(dtr)
    first = render_checks([check])
    assert first == render_checks([check]) and first.startswith(b"%PDF")
    void = checks.void_check(number=check.number, reason="Torn in the printer", on=TUESDAY, actor=make_user())
    assert render_checks([void]) != first


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("0.01", "Zero and 01/100"),
        ("1.00", "One and 00/100"),
        ("13.99", "Thirteen and 99/100"),
        ("40.10", "Forty and 10/100"),
        ("121.00", "One hundred twenty-one and 00/100"),
        ("1000.00", "One thousand and 00/100"),
        ("1234.05", "One thousand two hundred thirty-four and 05/100"),
        ("1000001.00", "One million one and 00/100"),
        ("999999.99", "Nine hundred ninety-nine thousand nine hundred ninety-nine and 99/100"),
    ],
)
def test_amounts_in_words(amount, words):
    assert in_words(Decimal(amount)) == words
