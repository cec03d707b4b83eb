"""At the cashier's window: where the money goes, and what is refused whole."""

from datetime import date
from decimal import Decimal

import pytest

from batconnect.common.audit import system_user
from batconnect.common.money import BadAmount
from ledger.models import InterimPayment, LedgerBalance, LedgerPosting
from ledger.services import payments, voids

from .factories import SUNDAY, balance, broken_proofs, charge, make_account, open_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def account():
    return make_account()


def take(account, amount, allocations=None, method="CASH", **options):
    return payments.apply_interim_payment(
        account=account, amount=amount, allocations=allocations or {}, method=method, actor=system_user(), on=SUNDAY,
        **options,
    )  # fmt: skip


def test_money_goes_exactly_where_the_cashier_said_past_the_hierarchy(account):
    toll = charge(account, "EZPASS", "40.00", "TOLL")
    misc = charge(account, "MISC", "50.00", "KEY")

    receipt = take(account, Decimal("60.00"), {"KEY": Decimal("50.00"), "TOLL": Decimal("10.00")})

    assert (open_of(misc), open_of(toll)) == (0, Decimal("30.00"))
    assert receipt.number == "INTPAY-2019-00001"
    assert receipt.posting.reference_id == receipt.number
    assert LedgerBalance.objects.get(pk=misc.pk).applied_payment_refs == [receipt.posting_id]
    assert take(account, Decimal("1.00")).number == "INTPAY-2019-00002"


def test_the_remainder_goes_to_open_lease_items_oldest_first_and_then_stays_a_credit(account):
    charge(account, "MISC", "10.00", "KEY")
    younger = charge(account, "LEASE", "50.00", "W2", due_on=date(2019, 3, 16))
    older = charge(account, "LEASE", "50.00", "W1", due_on=date(2019, 3, 9))

    first = take(account, Decimal("70.00"))
    assert (open_of(older), open_of(younger)) == (0, Decimal("30.00"))
    assert [part["reference_id"] for part in first.allocations] == ["W1", "W2"]

    second = take(account, Decimal("45.00"))
    assert open_of(younger) == 0
    assert open_of(second.posting) == Decimal("-15.00")
    assert balance(account) == Decimal("-5.00")
    assert broken_proofs() == []


def test_a_lease_item_named_in_part_takes_its_share_of_the_remainder_too(account):
    fee = charge(account, "LEASE", "50.00", "W1")
    take(account, Decimal("50.00"), {"W1": Decimal("20.00")})
    assert open_of(fee) == 0


def test_an_item_is_paid_to_the_cent_and_never_above(account):
    charge(account, "MISC", "50.00", "KEY")
    with pytest.raises(payments.OverAllocated, match=r"KEY has 50\.00 open; 50\.01"):
        take(account, Decimal("60.00"), {"KEY": Decimal("50.01")})
    take(account, Decimal("50.00"), {"KEY": Decimal("50.00")})
    with pytest.raises(payments.OverAllocated, match=r"KEY has 0\.00 open"):
        take(account, Decimal("60.00"), {"KEY": Decimal("0.01")})


def test_a_payment_above_the_open_amount_is_refused_and_nothing_is_written(account):
    misc = charge(account, "MISC", "50.00", "KEY")
    charge(account, "PVB", "50.00", "TICKET")
    with pytest.raises(payments.OverAllocated):
        take(account, Decimal("200.00"), {"TICKET": Decimal("50.00"), "KEY": Decimal("60.00")})
    assert not InterimPayment.objects.exists()
    assert LedgerPosting.objects.count() == 2
    assert open_of(misc) == Decimal("50.00")


def test_more_allocated_than_paid_is_refused(account):
    charge(account, "MISC", "50.00", "KEY")
    with pytest.raises(payments.AllocatedMoreThanPaid):
        take(account, Decimal("49.99"), {"KEY": Decimal("50.00")})


def test_every_reference_belongs_to_that_driver_and_lease(account):
    charge(make_account(), "MISC", "50.00", "OTHERS")
    with pytest.raises(payments.UnknownReference):
        take(account, Decimal("50.00"), {"OTHERS": Decimal("50.00")})


def test_a_reference_in_two_categories_is_named_with_its_category(account):
    toll = charge(account, "EZPASS", "5.00", "77")
    ticket = charge(account, "PVB", "65.00", "77")
    with pytest.raises(payments.AmbiguousReference, match="EZPASS:77"):
        take(account, Decimal("5.00"), {"77": Decimal("5.00")})
    take(account, Decimal("10.00"), {"PVB:77": Decimal("10.00")})
    assert (open_of(toll), open_of(ticket)) == (Decimal("5.00"), Decimal("55.00"))
    with pytest.raises(payments.UnknownReference):
        take(account, Decimal("5.00"), {"TLC:77": Decimal("5.00")})


def test_one_item_under_two_names_is_refused(account):
    charge(account, "MISC", "50.00", "KEY")
    with pytest.raises(payments.NamedTwice):
        take(account, Decimal("50.00"), {"KEY": Decimal("5.00"), "MISC:KEY": Decimal("5.00")})


def test_a_voided_charge_and_its_reversal_take_no_money(account):
    misc = charge(account, "MISC", "50.00", "KEY")
    voids.void_posting(posting_id=misc.pk, reason="The key was found", actor=system_user(), on=SUNDAY)
    with pytest.raises(payments.OverAllocated, match=r"0\.00 open"):
        take(account, Decimal("50.00"), {"KEY": Decimal("50.00")})


def test_a_payment_cannot_pay_a_payment(account):
    receipt = take(account, Decimal("50.00"))
    with pytest.raises(payments.UnknownReference):
        take(account, Decimal("50.00"), {receipt.number: Decimal("50.00")})


@pytest.mark.parametrize("amount", [Decimal("0.00"), Decimal("-5.00")])
def test_a_payment_and_its_parts_are_above_zero(account, amount):
    charge(account, "MISC", "50.00", "KEY")
    with pytest.raises(payments.PaymentNotPositive):
        take(account, amount)
    with pytest.raises(payments.PaymentNotPositive):
        take(account, Decimal("5.00"), {"KEY": amount})


def test_amounts_have_two_decimals(account):
    with pytest.raises(BadAmount):
        take(account, Decimal("5.001"))


def test_checks_and_transfers_need_their_number(account):
    for method in ("CHECK", "ACH"):
        with pytest.raises(payments.MethodReferenceMissing):
            take(account, Decimal("5.00"), method=method)
        assert (
            take(account, Decimal("5.00"), method=method, method_reference="1042").method_reference == "1042"
        )
    with pytest.raises(payments.UnknownMethod):
        take(account, Decimal("5.00"), method="SHELLS")


@pytest.mark.parametrize("reference", ["", ":", "A\x00B", "MISC:\x00", "\ud800", "x" * 500])
def test_what_no_charge_is_called_is_told_as_unknown(account, reference):
    with pytest.raises(payments.UnknownReference):
        take(account, Decimal("5.00"), {reference: Decimal("5.00")})
