"""Voiding and replacing: what is undone, what is posted, and what is refused."""

from datetime import date
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import transaction

from batconnect.common.audit import system_user
from batconnect.common.models import AuditEntry
from ledger.models import Account, EntryLine, LedgerAllocation, LedgerBalance, LedgerPosting
from ledger.services import payments, voids
from ledger.services.errors import ClosedPeriod, UnsoundEntry
from ledger.services.obligations import NotPositive
from ledger.services.postings import DatedAhead, NewPosting, insert_postings

from .factories import (
    MONDAY_AFTER,
    SATURDAY,
    SUNDAY,
    balance,
    broken_proofs,
    charge,
    drive,
    make_account,
    open_items,
    open_of,
    pay,
    run,
)

pytestmark = pytest.mark.django_db

REASON = "Entered for the wrong driver"


@pytest.fixture
def account():
    return make_account()


def void(posting, *, reason=REASON, on=MONDAY_AFTER, **options):
    return voids.void_posting(posting_id=posting.pk, reason=reason, actor=system_user(), on=on, **options)


def replace(posting, amount, **options):
    return voids.replace_posting(
        posting_id=posting.pk,
        amount=Decimal(amount),
        reason=REASON,
        actor=system_user(),
        on=MONDAY_AFTER,
        **options,
    )


def test_a_void_posts_the_opposite_today_and_closes_both(account):
    charged = charge(account, "MISC", "50.00", "KEY", due_on=date(2019, 4, 1))

    reversal = void(charged)

    charged.refresh_from_db()
    assert charged.status == "VOIDED"
    assert (reversal.amount, reversal.reference_id, reversal.category) == (Decimal("-50.00"), "KEY", "MISC")
    assert (reversal.effective_on, reversal.reason, reversal.reversal_for_id) == (
        MONDAY_AFTER,
        REASON,
        charged.pk,
    )
    assert open_items(account) == {}
    assert balance(account) == 0
    assert broken_proofs() == []


def test_a_voided_payment_reopens_every_charge_it_paid_and_only_those(account):
    toll = charge(account, "EZPASS", "10.00", "TOLL")
    misc = charge(account, "MISC", "50.00", "KEY")
    bounced = pay(account, "30.00", {"KEY": "20.00", "TOLL": "10.00"})
    pay(account, "5.00", {"KEY": "5.00"})

    void(bounced)

    assert (open_of(toll), open_of(misc)) == (Decimal("10.00"), Decimal("45.00"))
    assert len(LedgerBalance.objects.get(pk=misc.pk).applied_payment_refs) == 1
    assert LedgerBalance.objects.get(pk=toll.pk).applied_payment_refs == []
    assert balance(account) == Decimal("55.00")
    assert broken_proofs() == []


def test_allocations_are_undone_by_negative_rows_and_never_changed(account):
    charge(account, "MISC", "50.00", "KEY")
    payment = pay(account, "50.00", {"KEY": "50.00"})
    before = list(LedgerAllocation.objects.values_list("pk", "amount"))

    void(payment)

    after = list(LedgerAllocation.objects.order_by("pk").values_list("pk", "amount", "undoes_id"))
    assert after[0] == (*before[0], None)
    assert after[1][1:] == (Decimal("-50.00"), before[0][0])
    assert after[2][1:] == (Decimal("50.00"), None)  # the payment and its reversal


def test_the_audit_trail_says_what_was_undone(account):
    misc = charge(account, "MISC", "50.00", "KEY")
    payment = pay(account, "50.00", {"KEY": "50.00"})
    void(misc)
    entry = AuditEntry.objects.get(action="posting.voided")
    assert entry.before == {"status": "POSTED", "account_balance": "0.00"}
    assert entry.after["undone"] == [{"credit": str(payment.pk), "debit": str(misc.pk), "amount": "50.00"}]
    assert (entry.after["account_balance"], entry.after["reason"]) == ("-50.00", REASON)


def test_voiding_twice_a_reversal_or_nothing_is_refused(account):
    charged = charge(account, "MISC", "50.00")
    reversal = void(charged)
    with pytest.raises(voids.AlreadyVoided):
        void(charged)
    with pytest.raises(voids.IsReversal):
        void(reversal)
    with pytest.raises(voids.UnknownPosting):
        voids.void_posting(posting_id=uuid4(), reason=REASON, actor=system_user(), on=MONDAY_AFTER)
    assert LedgerPosting.objects.count() == 2


def test_a_reason_has_ten_to_five_hundred_characters(account):
    charged = charge(account, "MISC", "50.00")
    for reason in ("", "too short", "   spaces    ", "x" * 501):
        with pytest.raises(voids.ReasonTooShort):
            void(charged, reason=reason)
    assert void(charged, reason="ten chars!").reason == "ten chars!"


def test_a_void_never_touches_a_closed_week(account):
    charged = charge(account, "MISC", "50.00", on=SUNDAY)
    run()
    with pytest.raises(ClosedPeriod):
        void(charged, accounting_date=SATURDAY)
    assert void(charged).effective_on == MONDAY_AFTER
    charged.refresh_from_db()
    assert charged.effective_on == SUNDAY


def test_a_replacement_is_numbered_linked_and_paid_again_by_what_paid_the_old_one(account):
    ticket = charge(account, "PVB", "115.00", "4335", event_on=date(2019, 2, 27), due_on=SATURDAY)
    payment = pay(account, "100.00", {"4335": "100.00"}, on=SUNDAY)

    reduced = replace(ticket, "65.00")

    assert (reduced.reference_id, reduced.replaces_id) == ("4335/2", ticket.pk)
    assert (reduced.event_on, reduced.due_on, reduced.effective_on) == (
        date(2019, 2, 27),
        SATURDAY,
        MONDAY_AFTER,
    )
    assert open_of(reduced) == 0
    assert open_of(payment) == Decimal("-35.00")
    assert balance(account) == Decimal("-35.00")

    assert replace(reduced, "80.00").reference_id == "4335/3"
    assert broken_proofs() == []


def test_a_replacement_takes_its_credits_in_the_order_they_had_paid(account):
    charge(account, "EZPASS", "30.00", "TOLL")
    desk = pay(account, "10.00", {"TOLL": "10.00"}, on=SUNDAY)
    drive(account, "20.00")
    run()
    toll = LedgerPosting.objects.get(reference_id="TOLL")

    reduced = replace(toll, "12.00")

    paid = {row.credit_id: row.amount for row in LedgerAllocation.objects.filter(debit=reduced)}
    earnings = LedgerPosting.objects.get(category="EARNINGS")
    assert paid == {desk.pk: Decimal("10.00"), earnings.pk: Decimal("2.00")}
    assert open_of(earnings) == Decimal("-18.00")


def test_a_ticket_reassigned_leaves_its_credits_behind(account):
    other = make_account()
    ticket = charge(account, "PVB", "65.00", "4335")
    payment = pay(account, "65.00", {"4335": "65.00"})

    moved = replace(ticket, "65.00", account=other)

    assert (moved.account_id, moved.reference_id) == (other.pk, "4335/2")
    assert (balance(account), balance(other)) == (Decimal("-65.00"), Decimal("65.00"))
    assert open_of(payment) == Decimal("-65.00")
    assert open_of(moved) == Decimal("65.00")


def test_a_reference_with_a_slash_of_its_own_keeps_it(account):
    fee = charge(account, "LEASE", "500.00", "OLD/2019-03-03")
    first = replace(fee, "285.71")
    assert first.reference_id == "OLD/2019-03-03/2"
    assert replace(first, "214.29").reference_id == "OLD/2019-03-03/3"


def test_a_replacement_is_one_transaction(account):
    ticket = charge(account, "PVB", "65.00", "4335")
    with pytest.raises(NotPositive):
        replace(ticket, "0.00")
    ticket.refresh_from_db()
    assert ticket.status == "POSTED"
    assert balance(account) == Decimal("65.00")


def test_only_standing_charges_are_replaced(account):
    payment = pay(account, "10.00")
    with pytest.raises(voids.NotReplaceable):
        replace(payment, "5.00")
    misc = charge(account, "MISC", "10.00")
    with pytest.raises(NotPositive):
        replace(misc, "0.00")
    void(misc)
    with pytest.raises(voids.AlreadyVoided):
        replace(misc, "5.00")


def test_the_longest_reference_can_be_replaced_and_a_number_taken_by_another_charge_is_passed_over(account):
    long = charge(account, "PVB", "65.00", "x" * 76)
    assert replace(long, "60.00").reference_id == "x" * 76 + "/2"
    ticket = charge(account, "PVB", "65.00", "4335")
    charge(make_account(), "PVB", "1.00", "4335/2")
    assert replace(ticket, "60.00").reference_id == "4335/3"


def test_a_charge_made_of_parts_is_replaced_with_its_parts(account):
    loan = charge(account, "LOAN", "253.29", components={"principal": "250.00", "interest": "3.29"})
    with pytest.raises(voids.PartsMissing):
        replace(loan, "100.00")
    same = replace(loan, "253.29")
    assert same.components == loan.components
    parts = {"principal": "100.00", "interest": "0.00"}
    assert replace(same, "100.00", components=parts).components == parts


def test_dates_of_one_credit_s_allocations_never_go_back_whatever_accounting_date_is_chosen(account):
    charge(account, "LEASE", "100.00", "FEE", on=date(2019, 3, 11))
    charge(account, "MISC", "50.00", "KEY", on=date(2019, 3, 11))
    first = pay(account, "60.00", {"FEE": "30.00", "KEY": "30.00"}, on=date(2019, 3, 11))
    pay(account, "10.00", {"FEE": "10.00"}, on=date(2019, 3, 13))
    both = {"FEE": Decimal("10.00"), "KEY": Decimal("10.00")}
    late = date(2019, 3, 14)
    payments.apply_interim_payment(
        account=account, amount=Decimal("20.00"), allocations=both, method="CASH", actor=system_user(), on=late,
        accounting_date=date(2019, 3, 12),
    )  # fmt: skip
    void(first, on=late, accounting_date=date(2019, 3, 12))
    assert broken_proofs() == []


def test_nothing_is_voided_or_paid_ahead_of_today(account):
    misc = charge(account, "MISC", "50.00", "KEY")
    with pytest.raises(DatedAhead):
        void(misc, accounting_date=date(2019, 3, 12))
    with pytest.raises(DatedAhead):
        payments.apply_interim_payment(
            account=account, amount=Decimal("5.00"), allocations={}, method="CASH", actor=system_user(),
            on=MONDAY_AFTER, accounting_date=date(2019, 3, 12),
        )  # fmt: skip
    assert balance(account) == Decimal("50.00")


def test_a_reversal_that_undid_nothing_is_found_by_the_proofs(account):
    toll = charge(account, "EZPASS", "25.00", "TOLL")
    pay(account, "10.00", {"TOLL": "10.00"})
    row = NewPosting(
        account_id=account.pk, category="EZPASS", amount=Decimal("-25.00"), reference_id="TOLL",
        event_on=MONDAY_AFTER, reversal_for_id=toll.pk,
    )  # fmt: skip
    insert_postings([row], actor_id=system_user().pk, on=MONDAY_AFTER)
    assert [proof.partition(":")[0] for proof in broken_proofs()] == ["voided means reversed once"]


def test_what_was_booked_to_an_account_that_was_given_up_since_can_still_be_taken_back() -> None:
    account = make_account()
    posting = charge(account, "MISC", "20.00", "MISC-OLD")
    Account.objects.filter(code="4200").update(active=False)
    with pytest.raises(UnsoundEntry, match="account 4200, which is not active"), transaction.atomic():
        charge(account, "MISC", "20.00", "MISC-NEW")

    voids.void_posting(
        posting_id=posting.pk, reason="Entered for the wrong cab", actor=system_user(), on=MONDAY_AFTER
    )

    assert balance(account) == 0
    assert EntryLine.objects.filter(account__code="4200", side="DR").count() == 1
    assert broken_proofs() == []
