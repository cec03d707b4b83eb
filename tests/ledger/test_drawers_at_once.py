"""Two closes of one drawer and a payment at one moment: one close counts, and the payment is in it or in the next."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from django.db import connections

from ledger.models import DrawerClose, DrawerMovement
from ledger.services.drawers import DrawerClosed
from tests.factories import make_user
from tests.ledger.desk_stories import MONDAY, WHY, close, take
from tests.ledger.factories import broken_proofs, make_account

ROUNDS = 5


@pytest.mark.slow
def test_a_drawer_is_closed_once_and_nothing_falls_between(committing_database: str) -> None:
    account, chief = make_account(), make_user()
    for _ in range(ROUNDS):
        ann, barrier = make_user(), Barrier(3)
        take(account, "100.00", ann)

        def at_once(what: str, ann: Any = ann, barrier: Barrier = barrier) -> str:
            barrier.wait()
            try:
                if what == "pay":
                    return take(account, "10.00", ann).number
                return close(ann, "100.00", reason=WHY, actor=chief).number
            except DrawerClosed:
                return "closed"
            finally:
                connections.close_all()

        with ThreadPoolExecutor(3) as pool:
            *closes, payment = pool.map(at_once, ("close", "close", "pay"))

        done = DrawerClose.objects.get(drawer_id=ann.pk)
        assert sorted(closes) == sorted([done.number, "closed"])
        moved = DrawerMovement.objects.get(reference=payment)
        inside = done.expected_cash == Decimal("110.00")
        assert moved.day == (MONDAY if inside else MONDAY + timedelta(days=1))
        assert done.difference == (Decimal("-10.00") if inside else Decimal("0.00"))
    assert broken_proofs() == []
