"""Events of the fleet that no posting stands behind: entered by the templates, taken back by their mirror."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from ledger.models import EntryHeader, EntryLine, Origin
from ledger.services.entries import Entered
from ledger.services.errors import AlreadyReversed, ControlAccount
from ledger.services.house_events import enter_house_event, reverse_house_event
from tests.factories import make_user
from tests.ledger.factories import broken_proofs

pytestmark = pytest.mark.django_db
TUESDAY = date(2019, 3, 5)


def lines_of(entered: Entered) -> list[tuple[str, str, Decimal]]:
    rows = EntryLine.objects.filter(entry_id=entered.entry_id).order_by("line_number")
    return [(row.account.code, row.side, row.amount) for row in rows.select_related("account")]


def test_what_curb_settles_is_split_into_what_arrived_and_what_it_kept() -> None:
    entered = enter_house_event(
        "CURB_SETTLEMENT",
        amount=Decimal("1000.00"),
        parts={"fees": Decimal("25.50")},
        on=TUESDAY,
        actor=make_user(),
        reference="CURB-2019-03-05",
    )
    assert lines_of(entered) == [
        ("1010", "DR", Decimal("974.50")),
        ("5200", "DR", Decimal("25.50")),
        ("1100", "CR", Decimal("1000.00")),
    ]
    header = EntryHeader.objects.get(pk=entered.entry_id)
    assert (header.origin, header.reference) == (Origin.HOUSE, "CURB-2019-03-05")
    assert broken_proofs() == []


def test_an_event_is_taken_back_once_by_its_mirror_and_never_before_its_own_day() -> None:
    actor = make_user()
    toll = enter_house_event(
        "FLEET_COST", product="EZPASS", amount=Decimal("6.94"), on=TUESDAY, actor=actor, reference="TOLL-1"
    )
    back: dict[str, Any] = {
        "entry_id": toll.entry_id,
        "je_date": toll.je_date,
        "origin": Origin.HOUSE,
        "reason": "It was a driver's",
        "actor": actor,
        "on": date(2019, 3, 4),
        "reference": "TOLL-1",
    }
    mirror = reverse_house_event(**back)
    assert mirror.je_date == TUESDAY
    assert lines_of(mirror) == [("5000", "CR", Decimal("6.94")), ("2400", "DR", Decimal("6.94"))]
    with pytest.raises(AlreadyReversed):
        reverse_house_event(**back)


def test_a_control_account_takes_no_event_but_of_its_own_origin() -> None:
    paid: dict[str, Any] = {
        "amount": Decimal("500.00"),
        "on": TUESDAY,
        "actor": make_user(),
        "reference": "DLN-2019-00001",
    }
    with pytest.raises(ControlAccount):
        enter_house_event("LOAN_PAID_OUT", **paid)
    entered = enter_house_event("LOAN_PAID_OUT", origin=Origin.LOAN, **paid)
    assert lines_of(entered) == [("1300", "DR", Decimal("500.00")), ("1010", "CR", Decimal("500.00"))]
    assert broken_proofs() == []
