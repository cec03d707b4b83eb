"""Charges that were voided at the desk, and credits whose figures change: no decision charges or credits them again."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from batconnect.common.audit import system_user
from leases.models import Lease
from ledger.services import voids
from tests.ledger.factories import account_of, balance, broken_proofs

from .stories import charged_on, drove, item, load_summonses, load_tolls, make_cab, stands, summons, toll
from .test_deciding import NEXT_DAY, WHY, decide, refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana() -> Lease:
    lease = make_cab()
    drove(lease, "11:45", "12:15", toll=True)
    return lease


def void(number: str) -> None:
    posting = item(number).decision.posting_id
    voids.void_posting(posting_id=posting, reason=WHY, actor=system_user(), on=NEXT_DAY)


def test_what_was_voided_is_neither_reduced_nor_credited_into_a_new_charge(
    ana: Lease, tmp_path: Path
) -> None:
    load_tolls(tmp_path, toll("T1", amount="$-9.00"), toll("C1", amount="$5.00"))
    void("T1")
    refused("agency.no_such_toll", "give_credit", "C1", toll_number="T1")
    assert "Reassign it" in refused("agency.not_possible", "reduce", "T1", amount=Decimal("4.00"))
    assert balance(account_of(ana)) == 0
    decide("reassign", "T1", lease_id=ana.pk)  # the same lease: only its charge is gone
    assert charged_on(account_of(ana)) == {"T1/2": "9.00"}


def test_a_revision_of_a_voided_charge_waits_for_a_person(ana: Lease, tmp_path: Path) -> None:
    load_tolls(tmp_path, toll("T1", amount="$-9.00"))
    void("T1")
    load_tolls(tmp_path, toll("T1", amount="$-9.50"))
    decide("accept_revision", "T1", 2)
    assert (stands("T1")[0], stands("T1", 2)) == ("REVISED", ("REVIEW", "NONE"))
    assert charged_on(account_of(ana)) == {}


def test_the_revision_of_a_credit_that_was_given_gives_it_not_twice(ana: Lease, tmp_path: Path) -> None:
    load_tolls(tmp_path, toll("T1", amount="$-20.00"), toll("C1", amount="$5.00"))
    decide("give_credit", "C1", toll_number="T1")
    load_tolls(tmp_path, toll("C1", amount="$6.00"))
    assert "by hand" in refused("agency.not_possible", "accept_revision", "C1", version=2)
    decide("dismiss", "C1", 2)
    assert charged_on(account_of(ana)) == {"T1/2": "15.00"}


@pytest.mark.parametrize("same", [False, True])
def test_a_fee_left_standing_goes_with_its_ticket(
    ana: Lease, tmp_path: Path, settings: Any, same: bool
) -> None:
    settings.TICKET_SERVICE_FEE = Decimal("2.50")
    ben = make_cab("T999999C", "Ben Ode")
    load_summonses(tmp_path, summons("S1"))
    void("S1")
    assert charged_on(account_of(ana)) == {"PVB-S1-FEE": "2.50"}
    decide("reassign", "S1", lease_id=ana.pk if same else ben.pk)
    assert charged_on(account_of(ana if same else ben)) == {"S1/2": "65.00", "PVB-S1-FEE/2": "2.50"}
    assert balance(account_of(ben if same else ana)) == 0 and broken_proofs() == []
