"""A loan from the day it is handed over to the last cent, with the ledger and 1300 looked at after every step."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import override_settings

from leases.services import end_lease
from ledger.models import EntryHeader, LedgerPosting
from ledger.services import voids
from loans import services as loans
from loans.models import LoanMovement
from repayments.models import Kind
from repayments.services import decisions, errors, schedules
from tests.factories import make_user
from tests.ledger.factories import account_of, balance, open_items, pay

from .repayment_stories import (
    FIRST_DUE,
    REASON,
    SUNDAY,
    WEDNESDAY,
    WEEK,
    decide,
    draft_loan,
    free_lease,
    hold,
    lend,
    on_1300,
    pay_off,
    plan_of,
    posting_of,
    release,
    run,
    schedule_of,
    sound,
    statuses,
)

pytestmark = pytest.mark.django_db
D = Decimal


def test_the_loan_of_the_rule_book_through_the_weekly_runs_to_its_end() -> None:
    lease = free_lease()
    loan = lend(lease)
    assert loan.number == "DLN-2025-00001"
    assert (on_1300(), balance(account_of(lease)), plan_of(loan).status) == (D("1200.00"), D("0.00"), "OPEN")
    assert sound()
    totals = ["253.29", "251.82", "251.34", "250.86", "200.38"]
    left = ["950.00", "700.00", "450.00", "200.00", "0.00"]
    for number, (total, rest) in enumerate(zip(totals, left, strict=True), 1):
        # The run of a week posts what is due by the Saturday after its Sunday: 2025-09-28 takes that of 10-11.
        done = run(SUNDAY + (number - 1) * WEEK)
        assert done["installments_posted"] == 1
        posting = posting_of(loan, number)
        assert (posting.reference_id, posting.amount, posting.category) == (
            f"{loan.number}/{number}",
            D(total),
            "LOAN",
        )
        assert posting.due_on == FIRST_DUE + (number - 1) * WEEK
        assert on_1300() == D(rest)
        assert sound()
    assert balance(account_of(lease)) == D("1207.69")  # 1,200.00 and 7.69 of interest
    assert (statuses(loan), plan_of(loan).status) == ("ooooo", "OPEN")
    pay(
        account_of(lease),
        "1207.69",
        {f"{loan.number}/{n}": total for n, total in enumerate(totals, 1)},
        on=date(2025, 11, 10),
    )
    assert (statuses(loan), plan_of(loan).status) == ("ppppp", "CLOSED")
    assert sound()


def test_a_second_run_of_the_same_week_posts_nothing_again() -> None:
    loan = lend()
    run(SUNDAY)
    run(SUNDAY)
    assert statuses(loan) == "ossss"


def test_what_is_paid_out_is_in_the_books_on_the_loan_date_with_how_it_was_paid() -> None:
    loan = lend(method="CHECK", method_reference=" 4711 ", loan_date=date(2025, 9, 30))
    (moved,) = loan.movements.all()
    header = EntryHeader.objects.get(pk=moved.entry_id)
    assert (header.je_date, header.origin, header.reference) == (date(2025, 9, 30), "LOAN", loan.number)
    assert header.description == "Check 4711"
    assert (loan.method_reference, moved.movement, moved.amount) == ("4711", "PAID_OUT", D("1200.00"))


def test_a_hold_stops_posting_and_what_was_missed_is_posted_on_release() -> None:
    lease = free_lease()
    loan = lend(lease)
    run(SUNDAY)
    hold(loan, on=date(2025, 10, 6))
    run(SUNDAY + WEEK)
    run(SUNDAY + 2 * WEEK)
    assert (statuses(loan), plan_of(loan).status) == ("ossss", "HOLD")
    # Tuesday 10-21: those of 10-18 and of this week's Saturday, 10-25, were missed.
    release(loan, "POST", on=date(2025, 10, 21))
    assert (statuses(loan), plan_of(loan).status) == ("oooss", "OPEN")
    assert balance(account_of(lease)) == D("253.29") + D("251.82") + D("251.34")
    assert sound()
    run(SUNDAY + 3 * WEEK)
    assert statuses(loan) == "oooos"


def test_on_release_the_rest_can_be_shifted_and_interest_runs_on() -> None:
    loan = lend()
    run(SUNDAY)
    hold(loan, on=date(2025, 10, 6))
    run(SUNDAY + WEEK)
    run(SUNDAY + 2 * WEEK)
    release(loan, "SHIFT", on=date(2025, 10, 21))
    # From 10-18 by two weeks to 11-01, the first Saturday that no run has passed; 21 days on 950.00 are 5.47.
    assert schedule_of(loan) == [
        ("11-01", "250.00", "5.47", "700.00"),
        ("11-08", "250.00", "1.34", "450.00"),
        ("11-15", "250.00", "0.86", "200.00"),
        ("11-22", "200.00", "0.38", "0.00"),
    ]
    assert statuses(loan) == "occccssss"
    assert sound()
    run(SUNDAY + 3 * WEEK)
    assert posting_of(loan, 6).amount == D("255.47")
    assert sound()


def test_a_shift_is_never_by_less_than_was_missed_and_may_be_more() -> None:
    loan = lend()
    hold(loan)
    with pytest.raises(errors.WeeksOutOfRange, match="by 1 to 53"):
        release(loan, "SHIFT", on=date(2025, 10, 7), weeks=0)
    release(loan, "SHIFT", on=date(2025, 10, 7), weeks=3)
    assert schedule_of(loan)[0] == ("11-01", "250.00", "10.19", "950.00")  # 31 days: 1200 * 10 % * 31/365


def test_a_payoff_after_the_posted_due_date_bears_interest_to_the_day() -> None:
    lease = free_lease()
    loan = lend(lease)
    run(SUNDAY)
    # 950.00 for the 3 days from 10-11 to 10-14 at 10 %: 0.78.
    pay_off(loan, on=date(2025, 10, 14))
    assert statuses(loan) == "occcco"
    last = posting_of(loan, 6)
    assert (last.amount, last.components) == (D("950.78"), {"principal": "950.00", "interest": "0.78"})
    assert (last.reference_id, last.due_on) == (f"{loan.number}/6", date(2025, 10, 18))
    assert (on_1300(), plan_of(loan).status) == (D("0.00"), "OPEN")
    assert sound()
    assert run(SUNDAY + WEEK)["installments_posted"] == 0
    pay(
        account_of(lease),
        "1204.07",
        {f"{loan.number}/1": "253.29", f"{loan.number}/6": "950.78"},
        on=date(2025, 10, 14),
    )
    assert plan_of(loan).status == "CLOSED"


def test_a_payoff_before_the_posted_due_date_bears_none() -> None:
    loan = lend()
    run(SUNDAY)
    pay_off(loan, on=date(2025, 10, 8))  # the installment of 10-11 is posted ahead
    assert posting_of(loan, 6).components == {"principal": "950.00", "interest": "0.00"}
    assert sound()


def test_a_payoff_before_anything_was_posted_counts_from_the_loan_date_and_ends_a_hold() -> None:
    loan = lend()
    hold(loan)
    pay_off(loan, on=date(2025, 10, 6))
    assert posting_of(loan, 6).components == {"principal": "1200.00", "interest": "1.64"}  # 5 days
    assert (plan_of(loan).status, on_1300()) == ("OPEN", D("0.00"))
    with pytest.raises(errors.NothingScheduled):
        pay_off(loan, on=date(2025, 10, 6))
    assert sound()


def test_what_is_not_posted_yet_is_rescheduled_with_its_interest() -> None:
    loan = lend()
    run(SUNDAY)

    def change(**asked: Any) -> Any:
        return decide(
            loan,
            lambda plan: decisions.reschedule(plan, on=date(2025, 10, 7), reason=REASON, **asked),
            on=date(2025, 10, 7),
        )

    change(weekly=D("400.00"), first_due_on=date(2025, 10, 25))
    # 950.00 for 14 days: 3.64; 550.00 for 7: 1.05; 150.00 for 7: 0.29.
    assert schedule_of(loan) == [
        ("10-25", "400.00", "3.64", "550.00"),
        ("11-01", "400.00", "1.05", "150.00"),
        ("11-08", "150.00", "0.29", "0.00"),
    ]
    assert sound()
    change(first_due_on=date(2025, 10, 18))
    assert schedule_of(loan)[0] == ("10-18", "400.00", "1.82", "550.00")
    for asked, refused in [
        ({"weekly": D("400.00")}, errors.NothingChanged),
        ({"weekly": D("950.01")}, errors.WeeklyOutOfRange),
        ({"weekly": D("0.01")}, errors.WeeklyOutOfRange),
        ({"first_due_on": date(2025, 10, 17)}, errors.NotASaturday),
        ({"first_due_on": date(2025, 10, 11)}, errors.DueTooEarly),  # posted already
        ({"first_due_on": date(2027, 10, 16)}, errors.DueTooLate),
    ]:
        with pytest.raises(refused):
            change(**asked)
    run(SUNDAY + WEEK)
    assert statuses(loan) == "occccccc" + "oss"
    assert sound()


def test_what_is_left_is_forgiven_and_what_is_posted_stays_owed() -> None:
    lease = free_lease()
    loan = lend(lease)
    run(SUNDAY)
    loans.forgive(number=loan.number, reason="The driver has died.", actor=make_user(), on=date(2025, 10, 14))
    assert (statuses(loan), on_1300(), plan_of(loan).status) == ("occcc", D("0.00"), "OPEN")
    assert [(one.movement, one.amount) for one in loan.movements.all()] == [
        ("PAID_OUT", D("1200.00")),
        ("FORGIVEN", D("950.00")),
    ]
    assert sound()
    with pytest.raises(loans.NothingToForgive):
        loans.forgive(number=loan.number, reason=REASON, actor=make_user(), on=date(2025, 10, 14))
    pay(account_of(lease), "253.29", {f"{loan.number}/1": "253.29"}, on=date(2025, 10, 14))
    assert plan_of(loan).status == "CLOSED"


def test_a_voided_installment_is_money_lent_until_it_is_posted_again() -> None:
    lease = free_lease()
    loan = lend(lease)
    run(SUNDAY)
    voids.void_posting(
        posting_id=posting_of(loan, 1).pk, reason=REASON, actor=make_user(), on=date(2025, 10, 7)
    )
    assert (statuses(loan), on_1300()) == ("vssss", D("1200.00"))
    assert plan_of(loan).repayment.standing.adrift == D("250.00")
    again = schedules.repost(
        kind=Kind.LOAN, number=loan.number, position=1, reason=REASON, actor=make_user(), on=date(2025, 10, 7)
    )
    assert (again.reference_id, again.amount, again.due_on) == (f"{loan.number}/1/2", D("253.29"), FIRST_DUE)
    assert (statuses(loan), on_1300(), balance(account_of(lease))) == ("ossss", D("950.00"), D("253.29"))
    with pytest.raises(errors.NotVoided):
        schedules.repost(
            kind=Kind.LOAN,
            number=loan.number,
            position=1,
            reason=REASON,
            actor=make_user(),
            on=date(2025, 10, 7),
        )
    assert run(SUNDAY + WEEK)["installments_posted"] == 1  # the second; the first is nobody's to post again
    assert sound()


def test_a_voided_installment_that_is_left_keeps_the_loan_open_until_it_is_forgiven() -> None:
    loan = lend(amount="150.00", rate=D("0.00"))
    run(SUNDAY)
    voids.void_posting(
        posting_id=posting_of(loan, 1).pk, reason=REASON, actor=make_user(), on=date(2025, 10, 7)
    )
    assert (statuses(loan), plan_of(loan).status) == ("v", "OPEN")
    loans.forgive(number=loan.number, reason=REASON, actor=make_user(), on=date(2025, 10, 7))
    assert (plan_of(loan).status, on_1300()) == ("CLOSED", D("0.00"))
    with pytest.raises(errors.NoLongerOwed):
        schedules.repost(
            kind=Kind.LOAN,
            number=loan.number,
            position=1,
            reason=REASON,
            actor=make_user(),
            on=date(2025, 10, 7),
        )
    assert sound()


def test_a_draft_posts_nothing_and_is_cancelled_with_a_reason() -> None:
    loan = draft_loan()
    assert run(SUNDAY)["installments_posted"] == 0
    assert (plan_of(loan).status, on_1300()) == ("DRAFT", D("0.00"))
    loans.cancel_draft(number=loan.number, reason=REASON, actor=make_user(), on=WEDNESDAY)
    assert (plan_of(loan).status, statuses(loan)) == ("CANCELLED", "ccccc")
    with pytest.raises(errors.WrongStatus):
        loans.pay_out(number=loan.number, actor=make_user(), on=WEDNESDAY)
    assert sound()


def test_a_loan_that_was_paid_out_is_not_cancelled() -> None:
    with pytest.raises(loans.PaidOut, match="pay it off, or forgive"):
        loans.cancel_draft(number=lend().number, reason=REASON, actor=make_user(), on=WEDNESDAY)


def test_a_large_loan_is_paid_out_and_forgiven_by_somebody_else_than_who_entered_it() -> None:
    clerk, manager = make_user(), make_user()
    loan = draft_loan(amount="1000.01", actor=clerk)
    with pytest.raises(loans.SecondPersonNeeded, match="somebody else than"):
        loans.pay_out(number=loan.number, actor=clerk, on=WEDNESDAY)
    assert on_1300() == 0
    loans.pay_out(number=loan.number, actor=manager, on=WEDNESDAY)
    assert LoanMovement.objects.get().approved_by == manager
    with pytest.raises(loans.SecondPersonNeeded):
        loans.forgive(number=loan.number, reason=REASON, actor=clerk, on=WEDNESDAY)
    small = draft_loan(amount="1000.00", actor=clerk)
    loans.pay_out(number=small.number, actor=clerk, on=WEDNESDAY)
    with override_settings(LOAN_APPROVAL_ABOVE=D("999.99")), pytest.raises(loans.SecondPersonNeeded):
        loans.pay_out(number=draft_loan(amount="1000.00", actor=clerk).number, actor=clerk, on=WEDNESDAY)
    assert sound()


def test_a_loan_that_makes_no_sense_is_refused() -> None:
    lease = free_lease()
    for asked, refused in [
        ({"rate": D("25.01")}, errors.RateOutOfRange),
        ({"rate": D("-1.00")}, errors.RateOutOfRange),
        ({"method": "CARD"}, loans.BadMethod),
        ({"method": "CHECK"}, loans.ReferenceMissing),
        ({"method": "ACH", "method_reference": "  "}, loans.ReferenceMissing),
        ({"loan_date": date(2025, 10, 2)}, errors.DatedAhead),
        ({"first_due_on": date(2025, 10, 10)}, errors.NotASaturday),
        ({"loan_date": date(1, 1, 1)}, errors.TooOld),
        ({"first_due_on": date(2025, 9, 27)}, errors.DueTooEarly),
        ({"first_due_on": date(1, 1, 1)}, errors.DueTooEarly),
        ({"first_due_on": date(9999, 12, 31)}, errors.DueTooLate),
        ({"first_due_on": date(2026, 10, 10)}, errors.DueTooLate),
    ]:
        with pytest.raises(refused):
            draft_loan(lease, **asked)


def test_a_draft_is_not_paid_out_once_its_lease_has_ended() -> None:
    lease = free_lease()
    loan = draft_loan(lease)
    end_lease(lease=lease, ends_on=WEDNESDAY, actor=make_user())
    with pytest.raises(loans.NoActiveLease):
        loans.pay_out(number=loan.number, actor=make_user(), on=WEDNESDAY + WEEK)
    assert plan_of(loan).status == "DRAFT" and on_1300() == 0


def test_nothing_is_lent_on_a_lease_that_ended_or_of_somebody_else() -> None:
    lease = free_lease(ends_on=date(2025, 9, 30))
    with pytest.raises(loans.NoActiveLease):
        draft_loan(lease)
    with pytest.raises(errors.UnknownLease):
        loans.check_loan(
            driver_id=free_lease().driver_id, lease_id=lease.pk, amount=D("10.00"), rate=D("0.00"), loan_date=WEDNESDAY,
            first_due_on=FIRST_DUE, method="CASH", on=WEDNESDAY,
        )  # fmt: skip


def test_when_the_deposit_is_released_all_that_is_scheduled_falls_due() -> None:
    lease = free_lease()
    first, second, other = lend(lease), lend(lease, "300.00", rate=D("0.00")), lend()
    draft = draft_loan(lease)
    hold(second)
    postings = loans.fall_due(lease=lease, on=date(2025, 10, 6), actor=make_user())
    # 5 days on 1,200.00 at 10 %.
    assert [(posting.reference_id, posting.amount) for posting in postings] == [
        (f"{first.number}/6", D("1201.64")),
        (f"{second.number}/4", D("300.00")),
    ]
    assert (statuses(other), statuses(draft), statuses(second)) == ("sssss", "sssss", "ccco")
    assert loans.fall_due(lease=lease, on=date(2025, 10, 6), actor=make_user()) == []
    assert set(open_items(account_of(lease))) == {f"LOAN:{first.number}/6", f"LOAN:{second.number}/4"}
    assert LedgerPosting.objects.count() == 2
    assert sound()


def test_installments_missed_before_a_lease_ended_are_still_posted_by_runs() -> None:
    lease = free_lease()
    loan = lend(lease, amount="150.00")
    lease.ends_on, lease.status = date(2025, 10, 4), "ENDED"
    lease.save()
    run(SUNDAY)
    assert statuses(loan) == "o"
    assert timedelta(days=0) == FIRST_DUE - posting_of(loan, 1).due_on


def test_interest_of_a_voided_installment_is_not_counted_a_second_time() -> None:
    """250.00 and 3.29 of October 11 are voided, the loan is paid off, and the installment posted again after all."""
    loan = lend()
    run(SUNDAY)
    voids.void_posting(
        posting_id=posting_of(loan, 1).pk, reason=REASON, actor=make_user(), on=date(2025, 10, 12)
    )
    pay_off(loan, date(2025, 10, 18))
    # 950.00 is left, and seven days of it, not seventeen of 1,200.00: 950.00 x 10 % x 7 / 365 = 1.82.
    assert posting_of(loan, len(plan_of(loan).rows)).components == {"principal": "950.00", "interest": "1.82"}
    schedules.repost(
        kind=loan.kind,
        number=loan.number,
        position=1,
        reason=REASON,
        actor=make_user(),
        on=date(2025, 10, 18),
    )
    assert on_1300() == 0 and sound()
