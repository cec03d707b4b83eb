"""Weeks that do not go by the book, each worked out by hand: late runs, late trips, reversals, voids, ended leases."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from batconnect.common.audit import system_user
from batconnect.common.weeks import NotASunday
from leases import services as leases
from ledger.models import DTR, Category, LedgerAllocation, LedgerPosting, TripTotal, WeeklyRun
from ledger.services import statements, voids, weekly_close
from ledger.services.errors import ClosedPeriod

from .factories import (
    MONDAY_AFTER,
    SATURDAY,
    SUNDAY,
    WEEK,
    account_of,
    balance,
    broken_proofs,
    charge,
    drive,
    make_account,
    make_lease,
    open_in,
    open_items,
    open_of,
    pay,
    run,
)

pytestmark = pytest.mark.django_db

NEXT = SUNDAY + WEEK
REASON = "Entered for the wrong driver"


def void(posting, *, on=MONDAY_AFTER):
    return voids.void_posting(posting_id=posting.pk, reason=REASON, actor=system_user(), on=on)


def posting(account, category, **more):
    return LedgerPosting.objects.get(account=account, category=category, reversal_for=None, **more)


def report(account, week=SUNDAY):
    return DTR.objects.get(account=account, week=week)


def line(account, category, week=SUNDAY):
    return next(row for row in report(account, week).data["categories"] if row["category"] == category)


# --- what a week posts ---------------------------------------------------------------------------------------


def test_each_tax_is_a_posting_of_its_own_and_earnings_are_one_credit_all_dated_the_saturday():
    account = make_account()
    drive(account, "100.00", {"MTA": "0.50", "CONGESTION": "2.50", "AIRPORT": "1.25"})
    drive(account, "50.00", {"MTA": "0.50"})

    run()

    posted = LedgerPosting.objects.filter(account=account).order_by("seq")
    assert [(p.category, p.product, p.amount) for p in posted] == [
        ("TAXES", "AIRPORT", Decimal("1.25")),
        ("TAXES", "CONGESTION", Decimal("2.50")),
        ("TAXES", "MTA", Decimal("1.00")),
        ("EARNINGS", "", Decimal("-150.00")),
        ("PAYOUT", "", Decimal("145.25")),
    ]
    assert {(p.effective_on, p.event_on, p.run_week) for p in posted} == {(SATURDAY, SATURDAY, SUNDAY)}
    assert set(LedgerAllocation.objects.values_list("effective_on", flat=True)) == {SATURDAY}
    assert balance(account) == 0
    assert broken_proofs() == []


def test_a_week_keeps_what_it_charged_which_is_no_payout_and_no_old_debt():
    """30.00 is charged in the first week and stays open; the second charges 12.00 and 2.50 of taxes, and pays out."""
    account = make_account()
    charge(account, "MISC", "30.00")
    run()
    drive(account, "100.00", {"CONGESTION": "2.50"}, week=NEXT)
    charge(account, "EZPASS", "12.00", on=NEXT)
    told = run(NEXT)
    assert "charged" not in told and told["net_pay"] == "55.50"
    weeks = WeeklyRun.objects.order_by("week").values_list("result", flat=True)
    assert [result["charged"] for result in weeks] == ["30.00", "14.50"]


def test_installments_due_through_the_saturday_after_the_run_are_posted_once():
    account = account_of(make_lease(weekly_fee="500.00", starts_on=date(2019, 3, 6)))

    first = run()
    second = run(NEXT)

    fees = LedgerPosting.objects.filter(account=account, category="LEASE").order_by("due_on")
    assert [(fee.amount, fee.due_on) for fee in fees] == [
        (Decimal("285.71"), date(2019, 3, 9)),
        (Decimal("500.00"), date(2019, 3, 16)),
        (Decimal("500.00"), date(2019, 3, 23)),
    ]
    assert (first["installments_posted"], second["installments_posted"]) == (2, 1)


def test_the_hierarchy_decides_then_due_date_then_creation_then_reference():
    account = make_account()
    references = {
        "CANCELLATION_FEE": "C", "DEPOSIT": "D", "MISC": "M", "LOAN": "L", "REPAIR": "R", "TLC": "T", "PVB": "P",
        "LEASE": "F", "EZPASS": "E",
    }  # fmt: skip
    for category, reference in references.items():
        charge(account, category, "10.00", reference)
    charge(account, "EZPASS", "10.00", "E-EARLIER", due_on=date(2019, 3, 1))
    charge(account, "EZPASS", "10.00", "E-LATER-ENTRY")
    drive(account, "115.00")

    run()

    paid = LedgerAllocation.objects.filter(account=account).order_by("id")
    assert [row.debit.reference_id for row in paid] == [
        "E-EARLIER", "E", "E-LATER-ENTRY", "F", "P", "T", "R", "L", "M", "D", "C", f"{SUNDAY}/{account.lease.number}",
    ]  # fmt: skip
    assert report(account).net_pay == Decimal("5.00")


def test_desk_money_is_used_before_earnings_so_that_what_is_left_is_paid_out():
    account = make_account()
    payment = pay(account, "30.00", on=SUNDAY)
    toll = charge(account, "EZPASS", "40.00")
    drive(account, "100.00")

    result = run()

    assert [row.credit.category for row in LedgerAllocation.objects.filter(debit=toll).order_by("id")] == [
        "INTERIM_PAYMENT",
        "EARNINGS",
    ]
    assert open_of(payment) == 0
    assert result["allocated"] == "40.00"
    assert result["net_pay"] == "90.00"


def test_unused_desk_money_stays_an_open_credit_and_is_not_paid_out():
    account = make_account()
    pay(account, "30.00", on=SUNDAY)
    drive(account, "100.00")

    result = run()

    assert result["net_pay"] == "100.00"
    assert balance(account) == Decimal("-30.00")
    assert report(account).open_credits == Decimal("30.00")


def test_one_leases_earnings_never_pay_anothers_debts():
    rich, poor = make_account(), make_account()
    charge(poor, "LEASE", "100.00")
    drive(rich, "100.00")

    run()

    assert open_in(poor, Category.LEASE) == Decimal("100.00")
    assert report(rich).net_pay == Decimal("100.00")


# --- late runs and the calendar ------------------------------------------------------------------------------


def test_a_charge_entered_on_monday_waits_for_the_next_run_even_when_this_one_is_late():
    account = make_account()
    drive(account, "100.00")
    charge(account, "MISC", "60.00", "MONDAY", on=MONDAY_AFTER)

    late = run(today=date(2019, 3, 13))

    assert late["net_pay"] == "100.00"
    assert open_items(account) == {"MISC:MONDAY": Decimal("60.00")}
    assert line(account, "MISC")["still_open"] == "60.00"

    drive(account, "70.00", week=NEXT)
    following = run(NEXT)

    assert following["allocated"] == "60.00"
    assert following["net_pay"] == "10.00"
    assert broken_proofs() == []


def test_a_late_run_never_dates_an_allocation_before_an_earlier_one_of_the_same_item():
    account = make_account()
    fee = charge(account, "LEASE", "100.00", "FEE")
    toll = charge(account, "EZPASS", "10.00", "TOLL")
    pay(account, "30.00", {"FEE": "30.00"}, on=MONDAY_AFTER)
    drive(account, "50.00")

    run(today=date(2019, 3, 12))

    dates = {
        row.debit_id: row.effective_on for row in LedgerAllocation.objects.filter(credit__category="EARNINGS")
    }
    assert dates == {toll.pk: SATURDAY, fee.pk: MONDAY_AFTER}
    assert open_of(fee) == Decimal("30.00")


def test_a_week_that_has_not_ended_is_refused_until_the_sunday_after():
    make_account()
    with pytest.raises(weekly_close.WeekNotEnded):
        run(today=SATURDAY)
    assert run(today=SATURDAY + timedelta(days=1))["week"] == str(SUNDAY)


def test_weeks_close_in_order_and_the_first_run_ever_decides_the_first():
    make_account()
    run()
    for wrong in (NEXT + WEEK, SUNDAY - WEEK):
        with pytest.raises(weekly_close.WeekOutOfOrder):
            run(wrong, today=date(2019, 6, 1))
    with pytest.raises(NotASunday):
        run(date(2019, 3, 11), today=date(2019, 6, 1))
    assert weekly_close.week_to_run(today=date(2019, 3, 17)) == NEXT
    assert weekly_close.week_to_run(today=date(2019, 3, 16)) is None


def test_a_closed_week_run_again_gives_its_stored_result_and_changes_nothing():
    account = make_account()
    drive(account, "100.00")
    first = run()
    before = LedgerPosting.objects.count(), LedgerAllocation.objects.count(), DTR.objects.count()
    charge(account, "MISC", "5.00", on=MONDAY_AFTER)

    again = run(today=date(2019, 4, 1))

    assert again == first
    assert list(again) == list(first)
    assert (
        LedgerPosting.objects.count() - 1,
        LedgerAllocation.objects.count(),
        DTR.objects.count(),
    ) == before


def test_a_closed_week_takes_no_date_inside_it_and_a_default_date_moves_to_the_first_open_day():
    account = make_account()
    run()
    with pytest.raises(ClosedPeriod):
        charge(account, "MISC", "5.00", on=MONDAY_AFTER, accounting_date=SATURDAY)
    moved = charge(account, "MISC", "5.00", on=SATURDAY, event_on=date(2019, 3, 5))
    assert moved.effective_on == NEXT
    assert moved.event_on == date(2019, 3, 5)
    backdated = charge(account, "MISC", "5.00", on=date(2019, 3, 14), accounting_date=NEXT)
    assert backdated.effective_on == NEXT


def test_a_dry_run_says_what_the_run_will_give_and_keeps_nothing():
    account = account_of(make_lease(weekly_fee="150.00", starts_on=SUNDAY))
    drive(account, "500.00", {"MTA": "10.00"})

    preview = run(dry_run=True)

    assert not LedgerPosting.objects.exists()
    assert not DTR.objects.exists()
    assert not WeeklyRun.objects.exists()
    assert TripTotal.objects.get().settled_week is None
    assert run() == preview


def test_the_0500_step_alone_posts_installments_and_the_0510_step_does_not_post_them_again():
    account = account_of(make_lease(weekly_fee="150.00", starts_on=SUNDAY))
    step = {"week": SUNDAY, "today": NEXT, "actor": system_user()}

    assert weekly_close.post_scheduled_installments(**step) == 2
    assert weekly_close.post_scheduled_installments(**step) == 2
    assert WeeklyRun.objects.get().status == WeeklyRun.Status.INSTALLMENTS_POSTED
    assert run()["installments_posted"] == 2
    assert LedgerPosting.objects.filter(account=account, category="LEASE").count() == 2


# --- trips and charges that come late ------------------------------------------------------------------------


def test_trips_that_arrive_after_closing_are_settled_by_the_next_run_and_shown_as_late():
    account = make_account()
    drive(account, "100.00", {"MTA": "1.00"})
    run()
    drive(account, "40.00", {"MTA": "0.50"}, week=SUNDAY)
    drive(account, "60.00", {"MTA": "1.00"}, week=NEXT)

    result = run(NEXT)

    assert result["earnings"] == "100.00"
    assert result["taxes"] == "1.50"
    assert result["net_pay"] == "98.50"
    later = report(account, NEXT)
    assert (later.data["late_trips"], later.data["late_earnings"]) == (1, "40.00")
    assert [trip[-1] for trip in later.trips] == [1, 0]
    assert broken_proofs() == []


def test_a_lease_entered_late_brings_its_earlier_weeks_to_the_next_run():
    make_account()
    run()
    run(NEXT)
    account = account_of(make_lease(weekly_fee="100.00", starts_on=SUNDAY))

    result = run(NEXT + WEEK)

    fees = LedgerPosting.objects.filter(account=account, category="LEASE").order_by("due_on")
    assert [fee.due_on for fee in fees] == [SATURDAY + WEEK * n for n in range(4)]
    assert {fee.effective_on for fee in fees} == {SATURDAY + 2 * WEEK}
    assert result["installments_posted"] == 4
    assert [detail["late"] for detail in report(account, NEXT + WEEK).data["details"]] == [
        True,
        True,
        False,
        False,
    ]


# --- reversals above the fares -------------------------------------------------------------------------------


def test_card_reversals_above_the_fares_are_a_debt_that_later_earnings_pay_last():
    account = make_account()
    drive(account, "20.00")
    drive(account, "-50.00")

    result = run()

    assert result["earnings"] == "-30.00"
    assert result["net_pay"] == "0.00"
    debt = posting(account, Category.EARNINGS)
    assert (debt.amount, debt.entry_type) == (Decimal("30.00"), "DEBIT")
    charge(account, "MISC", "10.00", on=NEXT)
    drive(account, "45.00", week=NEXT)

    following = run(NEXT)

    assert following["allocated"] == "40.00"
    assert following["net_pay"] == "5.00"
    assert open_of(debt) == 0
    assert line(account, "EARNINGS", NEXT) == {
        "category": "EARNINGS", "prior": "30.00", "charges": "0.00", "voids": "0.00", "earnings": "30.00",
        "desk": "0.00", "other": "0.00", "still_open": "0.00",
    }  # fmt: skip
    assert broken_proofs() == []


def test_negative_taxes_are_a_credit_and_belong_to_net_pay():
    account = make_account()
    charge(account, "MISC", "3.00")
    drive(account, "-5.00", {"MTA": "-8.00"})

    result = run()

    # 8.00 of tax credit pays the misc charge (3.00) and the negative earnings (5.00); nothing is left.
    assert (result["taxes"], result["allocated"], result["net_pay"]) == ("-8.00", "8.00", "0.00")
    assert balance(account) == 0


# --- voids and bounced payments after the payout -------------------------------------------------------------


def test_a_charge_voided_after_the_payout_gives_its_earnings_back_with_the_next_one():
    account = make_account()
    toll = charge(account, "EZPASS", "30.00")
    drive(account, "100.00")
    assert run()["net_pay"] == "70.00"
    statements.pay_dtr(dtr=report(account), on=MONDAY_AFTER, method="ACH", actor=system_user())

    void(toll)

    assert balance(account) == Decimal("-30.00")
    assert run(NEXT)["net_pay"] == "30.00"
    assert line(account, "EZPASS", NEXT) == {
        "category": "EZPASS", "prior": "0.00", "charges": "0.00", "voids": "30.00", "earnings": "-30.00",
        "desk": "0.00", "other": "0.00", "still_open": "0.00",
    }  # fmt: skip
    assert broken_proofs() == []


def test_a_payment_that_bounces_after_the_payout_reopens_what_it_had_paid():
    account = make_account()
    charge(account, "LEASE", "80.00", "FEE")
    payment = pay(account, "80.00", {"FEE": "80.00"}, on=SUNDAY)
    drive(account, "100.00")
    assert run()["net_pay"] == "100.00"

    void(payment)

    assert open_items(account) == {"LEASE:FEE": Decimal("80.00")}
    assert balance(account) == Decimal("80.00")
    drive(account, "90.00", week=NEXT)
    result = run(NEXT)
    assert (result["allocated"], result["net_pay"]) == ("80.00", "10.00")
    assert line(account, "LEASE", NEXT)["desk"] == "-80.00"
    assert broken_proofs() == []


def test_a_payout_is_voided_only_while_its_dtr_is_unpaid():
    account = make_account()
    drive(account, "100.00")
    run()
    payout = posting(account, Category.PAYOUT)
    statements.pay_dtr(dtr=report(account), on=MONDAY_AFTER, method="ACH", actor=system_user())
    with pytest.raises(voids.PayoutPaid):
        void(payout)

    statements.return_payment(dtr=report(account), on=MONDAY_AFTER, reason="ACH failed", actor=system_user())
    assert report(account).status == DTR.Status.FINALIZED
    void(payout)

    assert balance(account) == Decimal("-100.00")
    with pytest.raises(statements.PayoutWithdrawn):
        statements.pay_dtr(dtr=report(account), on=MONDAY_AFTER, method="ACH", actor=system_user())
    assert run(NEXT)["net_pay"] == "100.00"
    assert broken_proofs() == []


# --- a settlement taken back ---------------------------------------------------------------------------------


def test_earnings_and_taxes_are_not_voided_one_by_one():
    account = make_account()
    drive(account, "100.00", {"MTA": "5.00"})
    run()
    for category in (Category.EARNINGS, Category.TAXES):
        with pytest.raises(voids.SettledTogether):
            void(posting(account, category))


def test_a_reversed_settlement_withdraws_the_unpaid_payout_and_the_next_run_settles_the_trips_again():
    account = make_account()
    fee = charge(account, "LEASE", "40.00")
    drive(account, "100.00", {"MTA": "5.00"})
    run()

    reversals = voids.reverse_settlement(
        account=account, week=SUNDAY, reason="Trips were another cab's", actor=system_user(), on=MONDAY_AFTER
    )

    assert [row.category for row in reversals] == ["PAYOUT", "TAXES", "EARNINGS"]
    assert open_of(fee) == Decimal("40.00")
    assert balance(account) == Decimal("40.00")
    assert TripTotal.objects.get().settled_week is None
    with pytest.raises(voids.SettlementReversed):
        voids.reverse_settlement(
            account=account, week=SUNDAY, reason=REASON, actor=system_user(), on=MONDAY_AFTER
        )

    result = run(NEXT)

    assert (result["earnings"], result["taxes"], result["net_pay"]) == ("100.00", "5.00", "55.00")
    assert report(account, NEXT).data["late_trips"] == 1
    assert broken_proofs() == []


def test_a_paid_payout_stands_when_its_settlement_is_reversed_and_is_owed_back_last_of_all():
    account = make_account()
    drive(account, "100.00")
    run()
    statements.pay_dtr(dtr=report(account), on=MONDAY_AFTER, method="ACH", actor=system_user())

    voids.reverse_settlement(
        account=account, week=SUNDAY, reason=REASON, actor=system_user(), on=MONDAY_AFTER
    )

    payout = posting(account, Category.PAYOUT, run_week=SUNDAY)
    assert open_of(payout) == Decimal("100.00")
    assert balance(account) == Decimal("100.00")
    charge(account, "CANCELLATION_FEE", "30.00", on=NEXT)
    drive(account, "20.00", week=NEXT)
    result = run(NEXT)
    # 120.00 earned again: 30.00 for the fee first, 90.00 towards the payout of 100.00, which is no debt.
    assert (result["earnings"], result["allocated"], result["net_pay"]) == ("120.00", "30.00", "0.00")
    assert open_of(payout) == Decimal("10.00")
    assert line(account, "PAYOUT", NEXT)["still_open"] == "10.00"
    assert broken_proofs() == []


def test_a_settlement_is_reversed_only_where_there_is_one():
    account = make_account()
    with pytest.raises(voids.WeekNotClosed):
        voids.reverse_settlement(
            account=account, week=SUNDAY, reason=REASON, actor=system_user(), on=MONDAY_AFTER
        )
    run()
    with pytest.raises(voids.NothingSettled):
        voids.reverse_settlement(
            account=account, week=SUNDAY, reason=REASON, actor=system_user(), on=MONDAY_AFTER
        )


# --- ended leases --------------------------------------------------------------------------------------------


def test_a_lease_that_has_ended_is_run_and_reported_until_nothing_is_open():
    lease = make_lease(weekly_fee="70.00", starts_on=SUNDAY)
    account = account_of(lease)
    leases.end_lease(lease=lease, ends_on=date(2019, 3, 5), actor=system_user())

    first = run()

    # Three days of a 70.00 week are 30.00, and nobody drove.
    assert (first["installments_posted"], first["open_receivables"]) == (1, "30.00")
    assert run(NEXT)["dtrs"] == 1
    charge(account, "PVB", "65.00", on=NEXT + WEEK)
    pay(account, "30.00", on=NEXT + WEEK)
    drive(account, "65.00", week=NEXT)

    third = run(NEXT + WEEK)

    assert (third["earnings"], third["allocated"], third["open_receivables"]) == ("65.00", "65.00", "0.00")
    assert run(NEXT + 2 * WEEK)["dtrs"] == 0
    assert broken_proofs() == []


def test_money_that_only_passed_through_an_ended_lease_still_gets_its_dtr():
    lease = make_lease(weekly_fee="0.00", starts_on=SUNDAY)
    account = account_of(lease)
    leases.end_lease(lease=lease, ends_on=SATURDAY, actor=system_user())
    run()
    charge(account, "MISC", "20.00", "KEY", on=NEXT)
    pay(account, "20.00", {"KEY": "20.00"}, on=NEXT)

    assert run(NEXT)["dtrs"] == 1
    assert line(account, "MISC", NEXT) == {
        "category": "MISC", "prior": "0.00", "charges": "20.00", "voids": "0.00", "earnings": "0.00",
        "desk": "20.00", "other": "0.00", "still_open": "0.00",
    }  # fmt: skip
