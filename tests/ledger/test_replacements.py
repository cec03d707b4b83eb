"""Several charges that make way for several others, or for none; what had paid them pays what comes."""

from decimal import Decimal

import pytest

from batconnect.common.audit import system_user
from ledger.services.replacements import NotOneAccount, Part, replace_with_parts
from ledger.services.voids import AlreadyVoided, NotReplaceable, UnknownPosting

from .factories import (
    MONDAY_AFTER,
    SATURDAY,
    SUNDAY,
    balance,
    broken_proofs,
    charge,
    make_account,
    open_items,
    pay,
)

pytestmark = pytest.mark.django_db


def replaced(postings, *parts):
    return replace_with_parts(
        posting_ids=[posting.pk for posting in postings],
        parts=[
            Part(amount=Decimal(amount), reference_id=reference, due_on=SATURDAY, event_on=SUNDAY)
            for reference, amount in parts
        ],
        reason="Billed on other terms",
        actor=system_user(),
        on=MONDAY_AFTER,
    )


def test_two_charges_make_way_for_three_and_their_money_moves_along_in_order():
    account = make_account()
    first, second = charge(account, "MISC", "50.00", "A"), charge(account, "MISC", "30.00", "B")
    pay(account, "60.00", {"A": "50.00", "B": "10.00"})
    made = replaced([first, second], ("", "20.00"), ("", "25.00"), ("C", "40.00"))
    assert [(posting.reference_id, posting.replaces) for posting in made] == [
        ("A/2", first),
        ("B/2", second),
        ("C", None),
    ]
    assert open_items(account) == {"MISC:C": Decimal("25.00")}  # 20 and 25 are paid, and 15 of the 40
    assert balance(account) == Decimal("25.00")
    assert broken_proofs() == []


def test_charges_that_make_way_for_nothing_are_voided_and_their_money_is_free():
    account = make_account()
    first, second = charge(account, "MISC", "50.00", "A"), charge(account, "MISC", "30.00", "B")
    pay(account, "50.00", {"A": "50.00"})
    assert replaced([first, second]) == []
    assert balance(account) == Decimal("-50.00")
    assert broken_proofs() == []


def test_what_is_not_replaced_together_is_refused_and_nothing_is_written():
    account = make_account()
    first = charge(account, "MISC", "50.00", "A")
    for other in (charge(make_account(), "MISC", "1.00"), charge(account, "PVB", "1.00")):
        with pytest.raises(NotOneAccount):
            replaced([first, other])
    credit = pay(account, "5.00", {"A": "5.00"})
    with pytest.raises(NotReplaceable):
        replaced([credit])
    replaced([first], ("", "40.00"))
    with pytest.raises(AlreadyVoided):
        replaced([first], ("", "40.00"))
    first.pk = first.account_id and "00000000-0000-0000-0000-000000000000"
    with pytest.raises(UnknownPosting):
        replaced([first])
    assert balance(account) == Decimal("36.00")
