"""Terms that change after the weekly run has charged for them: each story is worked out by hand.

The run of the week of March 3 has charged the weeks of March 3 and March 10, both dated Saturday the 9th; today is
Monday the 11th. 500 a week is 71.43 a day, 214.29 for three and 285.71 for four.
"""

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from batconnect.common.audit import system_user
from batconnect.common.errors import BatConnectError
from batconnect.common.weeks import NEW_YORK
from leases import services
from leases.finding import lease_carrying
from leases.installments import LeaseInstallments
from leases.models import Lease, LeaseInstallment, LeaseTermination
from leases.services import agreements, assignments, billing, endings, terms
from leases.services.amounts import AmountTooLarge
from ledger.models import DTR, LedgerPosting
from ledger.services import voids
from ledger.services.reasons import ReasonLength
from tests.factories import make_lease, make_vehicle
from tests.ledger.factories import (
    MONDAY_AFTER,
    SATURDAY,
    SUNDAY,
    WEEK,
    account_of,
    balance,
    broken_proofs,
    charge,
    drive,
    open_items,
    pay,
    run,
)

pytestmark = pytest.mark.django_db

NEXT = SUNDAY + WEEK  # March 10, charged already
REASON = "Asked for at the desk"
ZERO = Decimal("0.00")


def march(day):
    return date(2019, 3, day)


@pytest.fixture
def lease():
    return make_lease(weekly_fee="500.00", starts_on=SUNDAY)


def charged(lease, earnings="0.00"):
    """The lease after the run of the week of March 3, in which it earned this."""
    if Decimal(earnings):
        drive(account_of(lease), earnings)
    run()
    return lease


def who():
    return {"actor": system_user(), "on": MONDAY_AFTER}


def change_fee(lease, fee, day, **more):
    return services.change_fee(lease=lease, weekly_fee=Decimal(fee), effective_from=day, **{**who(), **more})


def suspend(lease, first, last=None, **more):
    return services.suspend_lease(
        lease=lease, starts_on=first, ends_on=last, reason=REASON, **{**who(), **more}
    )


def resume(lease, day, **more):
    return services.resume_lease(lease=lease, resumes_on=day, reason=REASON, **{**who(), **more})


def end(lease, day, **more):
    return services.terminate_lease(lease=lease, ends_on=day, reason=REASON, **{**who(), **more})


def standing(lease):
    """(first day, days, amount, posted) of what stands."""
    return [
        (i.period_start.day, i.days, str(i.amount), i.posting_id is not None)
        for i in lease.installments.filter(replaced=0).order_by("period_start")
    ]


def lines(found):
    return [(line.reference_id.partition("/")[2], str(line.amount), str(line.paid)) for line in found]


def owed(lease):
    return {
        name.partition("/")[2] or name: str(open_) for name, open_ in open_items(account_of(lease)).items()
    }


def sound(lease):
    """All proofs hold, and what stands is what the terms say, as far as it reaches."""
    assert broken_proofs() == []
    lease = Lease.objects.get(pk=lease.pk)
    through = max(lease.installments.values_list("due_on", flat=True))
    expected = billing.wanted_stretches(lease, through=through)
    rows = lease.installments.filter(replaced=0).order_by("period_start")
    assert [(i.period_start, i.period_end, i.weekly_fee, i.amount) for i in rows] == [
        (s.period_start, s.period_end, s.weekly_fee, s.amount) for s in expected
    ]
    for row in rows.filter(posting_id__isnull=False):
        posting = LedgerPosting.objects.get(pk=row.posting_id)
        assert (posting.status, posting.amount, posting.reference_id) == (
            "POSTED",
            row.amount,
            row.reference_id,
        )
    for row in lease.installments.filter(replaced__gt=0):
        assert LedgerPosting.objects.get(pk=row.posting_id).status == "VOIDED"
    return True


# --- another fee --------------------------------------------------------------------------------------------


def test_500_to_550_from_wednesday_of_the_week_that_is_charged_already(lease):
    charged(lease)
    assert balance(account_of(lease)) == Decimal("1000.00")
    effect = change_fee(lease, "550.00", march(13))
    assert lines(effect.replaced) == [("2019-03-10", "500.00", "0.00")]
    assert lines(effect.posted) == [("2019-03-10/2", "214.29", "0.00"), ("2019-03-13", "314.29", "0.00")]
    assert (effect.balance_before, effect.balance_after) == (Decimal("1000.00"), Decimal("1028.58"))
    assert owed(lease) == {"2019-03-03": "500.00", "2019-03-10/2": "214.29", "2019-03-13": "314.29"}
    assert standing(lease) == [(3, 7, "500.00", True), (10, 3, "214.29", True), (13, 4, "314.29", True)]
    first = LedgerPosting.objects.get(reference_id=f"{lease.number}/2019-03-10/2")
    assert (first.description, first.due_on) == ("Mar 10 to Mar 12, 3 days of 500.00 a week", march(16))
    assert first.replaces.reference_id == f"{lease.number}/2019-03-10"
    assert sound(lease)
    run(NEXT)  # charges the week of the 17th at 550, and nothing twice
    assert standing(lease)[3:] == [(17, 7, "550.00", True)]
    assert balance(account_of(lease)) == Decimal("1578.58")
    assert sound(lease)


def test_what_had_paid_the_old_charge_pays_its_parts_in_order(lease):
    charged(lease, "1000.00")
    assert (balance(account_of(lease)), owed(lease)) == (ZERO, {})
    effect = change_fee(lease, "550.00", march(13))
    assert lines(effect.replaced) == [("2019-03-10", "500.00", "500.00")]
    assert lines(effect.posted) == [("2019-03-10/2", "214.29", "214.29"), ("2019-03-13", "314.29", "285.71")]
    assert owed(lease) == {"2019-03-13": "28.58"}
    assert sound(lease)


def test_only_what_had_paid_the_old_charge_pays_its_parts_and_the_drivers_other_credit_stays(lease):
    charged(lease)
    pay(account_of(lease), "1200.00", {f"{lease.number}/2019-03-10": "500.00"})  # 200 are left in hand
    effect = change_fee(lease, "550.00", march(13))
    assert lines(effect.posted) == [("2019-03-10/2", "214.29", "214.29"), ("2019-03-13", "314.29", "285.71")]
    assert (effect.credit_before, effect.credit_after) == (Decimal("200.00"), Decimal("200.00"))
    assert sound(lease)


def test_a_fee_from_a_day_of_a_closed_week_is_charged_today_and_keeps_its_event_dates(lease):
    charged(lease)
    effect = change_fee(lease, "550.00", march(6))
    assert lines(effect.posted) == [
        ("2019-03-03/2", "214.29", "0.00"),
        ("2019-03-06", "314.29", "0.00"),
        ("2019-03-10/2", "550.00", "0.00"),
    ]
    dates = {
        (posting.effective_on, posting.event_on, posting.due_on)
        for posting in LedgerPosting.objects.filter(reference_id__startswith=f"{lease.number}/2019-03-0")
        if posting.effective_on > SATURDAY and posting.reversal_for_id is None
    }
    assert dates == {(MONDAY_AFTER, SATURDAY, SATURDAY)}
    assert effect.balance_after == Decimal("1078.58")
    assert sound(lease)
    run(NEXT)
    report = DTR.objects.get(account=account_of(lease), week=NEXT)
    assert report.open_debits == Decimal("1628.58")
    assert sound(lease)


def test_a_fee_taken_back_makes_one_charge_of_two(lease):
    charged(lease, "1000.00")
    change_fee(lease, "550.00", march(13))
    effect = change_fee(lease, "500.00", march(13))
    assert lines(effect.replaced) == [
        ("2019-03-10/2", "214.29", "214.29"),
        ("2019-03-13", "314.29", "285.71"),
    ]
    assert lines(effect.posted) == [("2019-03-10/3", "500.00", "500.00")]
    assert (effect.balance_after, owed(lease)) == (ZERO, {})
    again = change_fee(lease, "560.00", march(13))
    # The reference of the 13th was used before.
    assert lines(again.posted) == [("2019-03-10/4", "214.29", "214.29"), ("2019-03-13.2", "320.00", "285.71")]
    assert sound(lease)


def test_a_preview_says_the_same_and_leaves_nothing_behind(lease):
    charged(lease, "700.00")
    before = (LedgerPosting.objects.count(), standing(lease), owed(lease))
    shown = services.previewed(lambda: change_fee(lease, "550.00", march(13)))
    assert (LedgerPosting.objects.count(), standing(lease), owed(lease)) == before
    assert lease.fees.count() == 1
    done = change_fee(lease, "550.00", march(13))
    assert [lines(part) for part in (shown.replaced, shown.posted)] == [
        lines(part) for part in (done.replaced, done.posted)
    ]
    assert (shown.balance_before, shown.balance_after) == (done.balance_before, done.balance_after)


def test_a_charge_that_somebody_voided_is_not_charged_again(lease):
    charged(lease)
    posting = LedgerPosting.objects.get(reference_id=f"{lease.number}/2019-03-10")
    voids.void_posting(posting_id=posting.pk, reason="A free week, as promised", **who())
    effect = change_fee(lease, "550.00", march(13))
    assert (effect.replaced, effect.posted, effect.scheduled) == ([], [], [])
    run(NEXT)
    assert balance(account_of(lease)) == Decimal("1050.00")
    assert broken_proofs() == []


# --- suspension ---------------------------------------------------------------------------------------------


def test_a_suspension_over_a_week_boundary_takes_back_what_was_charged_and_shortens_what_comes(lease):
    charged(lease)
    effect = suspend(lease, march(14), march(19))  # Thursday to Tuesday
    assert lines(effect.replaced) == [("2019-03-10", "500.00", "0.00")]
    assert lines(effect.posted) == [("2019-03-10/2", "285.71", "0.00")]
    assert effect.balance_after == Decimal("785.71")
    assert sound(lease)
    run(NEXT)
    assert standing(lease)[2:] == [(20, 4, "285.71", True)]
    assert sound(lease)


def test_a_whole_charged_week_is_suspended_and_then_resumed(lease):
    charged(lease, "1000.00")
    effect = suspend(lease, NEXT)
    assert (lines(effect.replaced), effect.posted) == ([("2019-03-10", "500.00", "500.00")], [])
    assert (effect.balance_after, effect.credit_after) == (Decimal("-500.00"), Decimal("500.00"))
    assert sound(lease)
    effect = resume(lease, march(15))  # Friday and Saturday are billed
    assert lines(effect.scheduled) == [("2019-03-15", "142.86", "0.00")]
    effect = resume(lease, NEXT)
    assert lines(effect.cancelled) == [("2019-03-15", "142.86", "0.00")]
    # The reference of the week was used; the days come as a new one, with the next run.
    assert lines(effect.scheduled) == [("2019-03-10.2", "500.00", "0.00")]
    assert lease.suspensions.get().withdrawn
    assert sound(lease)
    run(NEXT)
    assert balance(account_of(lease)) == Decimal("500.00")  # the week of the 17th
    assert sound(lease)


def test_days_suspended_inside_a_week_leave_what_is_before_and_after(lease):
    charged(lease)
    effect = suspend(lease, march(12), march(13))
    assert lines(effect.posted) == [("2019-03-10/2", "142.86", "0.00"), ("2019-03-14", "214.29", "0.00")]
    assert sound(lease)


def test_a_day_is_suspended_once_and_inside_the_lease(lease):
    suspend(lease, march(12), march(14))
    for first, last in [(march(14), march(20)), (march(1), march(2)), (march(10), None)]:
        with pytest.raises((terms.AlreadySuspended, agreements.OutsideLease)):
            suspend(lease, first, last)
    with pytest.raises(agreements.DatesReversed):
        suspend(lease, march(20), march(19))
    with pytest.raises(ReasonLength):
        services.suspend_lease(lease=lease, starts_on=march(20), reason="shop", **who())
    with pytest.raises(terms.NotSuspended):
        resume(lease, march(15))
    assert lease.suspensions.count() == 1


# --- early end ----------------------------------------------------------------------------------------------


def test_an_end_in_the_middle_of_a_week_that_was_charged_and_paid(lease):
    charged(lease, "1200.00")  # 1,000 for two weeks, 200 paid out
    effect = end(lease, march(12))  # Tuesday: three days
    assert lines(effect.replaced) == [("2019-03-10", "500.00", "500.00")]
    assert lines(effect.posted) == [("2019-03-10/2", "214.29", "214.29"), ("END", "500.00", "0.00")]
    assert (effect.balance_before, effect.balance_after) == (ZERO, Decimal("214.29"))
    assert (effect.credit_before, effect.credit_after) == (ZERO, Decimal("285.71"))
    assert sound(lease)
    run(NEXT)  # the freed credit pays a part of the cancellation fee
    assert owed(lease) == {"END": "214.29"}
    assert sound(lease)


def test_an_end_in_the_middle_of_a_week_that_was_charged_and_paid_in_part(lease):
    charged(lease, "700.00")  # 200 on the coming week
    effect = end(lease, march(12), waiver_reason="The cab was taken from him")
    assert lines(effect.replaced) == [("2019-03-10", "500.00", "200.00")]
    assert lines(effect.posted) == [("2019-03-10/2", "214.29", "200.00")]
    assert (effect.cancellation_fee, effect.waived) == (Decimal("500.00"), True)
    assert owed(lease) == {"2019-03-10/2": "14.29"}
    kept = LeaseTermination.objects.get()
    assert (kept.cancellation_fee, kept.posting_id) == (Decimal("500.00"), None)
    assert sound(lease)


def test_money_from_the_desk_pays_the_shorter_week_too_and_the_rest_is_the_drivers(lease):
    charged(lease)
    pay(account_of(lease), "900.00", {f"{lease.number}/2019-03-10": "500.00"})
    effect = end(lease, march(13), cancellation_fee=Decimal("50.00"))
    assert lines(effect.posted) == [("2019-03-10/2", "285.71", "285.71"), ("END", "50.00", "0.00")]
    assert effect.credit_after == Decimal("214.29")
    assert owed(lease)["2019-03-03"] == "100.00"  # 400 of the payment had gone there
    assert sound(lease)


@pytest.mark.parametrize(("days", "fee"), [(27, "500.00"), (28, "0.00")])
def test_the_fee_is_due_when_the_end_is_less_than_28_days_after_the_start(lease, days, fee):
    effect = end(lease, SUNDAY + timedelta(days=days))
    assert effect.cancellation_fee == Decimal(fee)
    assert balance(account_of(lease)) == Decimal(fee)
    assert LeaseTermination.objects.get().agreed_end is None
    assert broken_proofs() == []


def test_later_weeks_that_were_scheduled_are_cancelled(lease):
    charged(lease)
    LeaseInstallments().prepare(through=march(30))
    effect = end(lease, march(18))
    assert lines(effect.cancelled) == [("2019-03-17", "500.00", "0.00"), ("2019-03-24", "500.00", "0.00")]
    assert lines(effect.scheduled) == [("2019-03-17", "142.86", "0.00")]
    assert standing(lease)[2:] == [(17, 2, "142.86", False)]
    assert sound(lease)


def test_what_is_wrong_with_an_early_end(lease):
    with pytest.raises(endings.WaiverNeedsReason, match=r"500\.00 is due"):
        end(lease, march(12), cancellation_fee=ZERO)
    with pytest.raises(ReasonLength):
        end(lease, march(12), waiver_reason="no")
    with pytest.raises(endings.NothingToWaive):
        end(lease, SUNDAY + timedelta(days=28), waiver_reason="Nothing to waive at all")
    with pytest.raises(AmountTooLarge):
        end(lease, march(12), cancellation_fee=Decimal("100000.00"))
    with pytest.raises(endings.CancellationFeeNegative):
        end(lease, march(12), cancellation_fee=Decimal("-1.00"))
    with pytest.raises(agreements.OutsideLease):
        end(lease, march(2))
    services.end_lease(lease=lease, ends_on=march(20), actor=system_user())
    with pytest.raises(endings.NotEarly):
        end(lease, march(20))
    assert not LeaseTermination.objects.exists()
    assert balance(account_of(lease)) == ZERO


def test_the_fee_of_an_early_end_is_charged_once_however_often_its_day_is_put_right(lease):
    end(lease, march(15))
    effect = end(lease, march(12))
    assert (effect.cancellation_fee, owed(lease)["END"]) == (ZERO, "500.00")
    assert "END.2" not in owed(lease)
    fee = LedgerPosting.objects.get(category="CANCELLATION_FEE")
    voids.void_posting(posting_id=fee.pk, reason="Agreed with the driver", **who())
    assert end(lease, march(11)).cancellation_fee == Decimal("500.00")


# --- renewal ------------------------------------------------------------------------------------------------


def test_a_lease_that_was_ended_goes_on_and_its_week_is_whole_again(lease):
    charged(lease)
    end(lease, march(12), cancellation_fee=ZERO, waiver_reason="He comes back next week")
    effect = services.renew_lease(lease=lease, ends_on=march(31), **who())
    assert lines(effect.replaced) == [("2019-03-10/2", "214.29", "0.00")]
    assert lines(effect.posted) == [("2019-03-10/3", "500.00", "0.00")]
    lease.refresh_from_db()
    assert (lease.status, lease.ends_on) == ("ACTIVE", march(31))
    assert sound(lease)
    end(lease, march(15))
    assert [t.cancellation_fee for t in lease.terminations.order_by("id")] == [Decimal("500.00")] * 2
    assert owed(lease)["END.2"] == "500.00"


def test_a_following_lease_begins_on_the_day_after_with_a_fee_of_its_own(lease):
    with pytest.raises(agreements.OutsideLease):
        services.follow_lease(lease=lease, weekly_fee=Decimal("550.00"), actor=system_user())
    services.end_lease(lease=lease, ends_on=march(12), actor=system_user())
    following = services.follow_lease(lease=lease, weekly_fee=Decimal("550.00"), actor=system_user())
    assert (following.starts_on, following.ends_on, following.driver) == (march(13), None, lease.driver)
    charged(lease)
    assert standing(lease)[1:] == [(10, 3, "214.29", True)]
    assert standing(following) == [(13, 4, "314.29", True)]
    with pytest.raises(agreements.MedallionLeased):
        services.renew_lease(lease=lease, ends_on=march(20), **who())


def test_what_is_not_renewed(lease):
    with pytest.raises(terms.NothingToRenew):
        services.renew_lease(lease=lease, ends_on=march(31), **who())
    services.end_lease(lease=lease, ends_on=march(20), actor=system_user())
    with pytest.raises(terms.NotLater):
        services.renew_lease(lease=lease, ends_on=march(20), **who())


# --- another vehicle ----------------------------------------------------------------------------------------


def test_a_fee_change_and_a_vehicle_swap_inside_one_week(lease):
    charged(lease, "1000.00")
    change_fee(lease, "550.00", march(13), on=march(13))
    old, new = lease.vehicle, make_vehicle()
    noon = datetime(2019, 3, 14, 12, 30, 45, tzinfo=NEW_YORK)
    swap = services.swap_vehicle(
        lease=lease, vehicle=new, at=noon, actor=system_user(), now=noon + timedelta(hours=1)
    )
    minute = noon.replace(second=0)
    assert (swap.went, swap.came, swap.at) == (old, new, minute)
    before, after = minute - timedelta(minutes=1), minute
    assert lease_carrying(plate=old.plate, at=before) == lease_carrying(plate=new.plate, at=after) == lease
    assert lease_carrying(plate=old.plate, at=after) is lease_carrying(plate=new.plate, at=before) is None
    lease.refresh_from_db()
    assert (lease.medallion, lease.vehicle) == (lease.medallion, new)
    assert owed(lease) == {"2019-03-13": "28.58"}  # the swap costs nothing
    late = charge(account_of(lease), "EZPASS", "9.00", on=march(14))
    assert late.vehicle_id == new.pk
    run(NEXT)
    assert sound(lease)


def test_which_swaps_are_refused(lease):
    at = datetime(2019, 3, 6, 9, 0, tzinfo=NEW_YORK)

    def swap(vehicle, at=at, now=at):
        return services.swap_vehicle(lease=lease, vehicle=vehicle, at=at, actor=system_user(), now=now)

    with pytest.raises(assignments.SameVehicle):
        swap(lease.vehicle)
    with pytest.raises(assignments.SwappedAhead):
        swap(make_vehicle(), at=at + timedelta(minutes=1))
    with pytest.raises(assignments.VehicleNotActive):
        swap(make_vehicle(is_active=False))
    with pytest.raises(assignments.VehicleAssigned):
        swap(make_lease().vehicle)
    with pytest.raises(assignments.NotRunning):
        swap(make_vehicle(), at=at - timedelta(days=9))
    assert lease.vehicle.assignments.get().ended_at is None


# --- whatever is done ---------------------------------------------------------------------------------------

_DAYS = st.integers(3, 30).map(march)
_STEPS = st.one_of(
    st.tuples(st.just(change_fee), st.sampled_from(["0.00", "350.00", "500.00", "533.33"]), _DAYS),
    st.tuples(st.just(suspend), _DAYS, _DAYS | st.none()),
    st.tuples(st.just(resume), _DAYS),
    st.tuples(st.just(end), _DAYS),
    st.tuples(
        st.just(lambda lease, day, **more: services.renew_lease(lease=lease, ends_on=day, **who())), _DAYS
    ),
)


@settings(max_examples=6)
@given(st.lists(_STEPS, min_size=3, max_size=6), st.sampled_from(["0.00", "640.00", "1100.00"]))
def test_whatever_is_changed_in_whatever_order_what_stands_is_what_the_terms_say(steps, earnings):
    with transaction.atomic():
        lease = charged(make_lease(weekly_fee="500.00", starts_on=SUNDAY), earnings)
        for step, *asked in steps:
            try:
                step(lease, *asked)
            except BatConnectError:
                continue
            finally:
                lease = Lease.objects.get(pk=lease.pk)
        run(NEXT)
        assert sound(lease)
        posted = LeaseInstallment.objects.filter(lease=lease, replaced=0, posting_id__isnull=False)
        assert sum(i.amount for i in posted) == sum(
            LedgerPosting.objects.filter(lease=lease, category="LEASE").values_list("amount", flat=True)
        )
        transaction.set_rollback(True)
