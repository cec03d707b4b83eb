"""Leases with deposits for stories to start from: they begin on 2019-02-24 and end when the story says so."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from batconnect.common.audit import system_user
from leases.deposit_models import LeaseDeposit
from leases.models import Lease
from leases.services.deposits import DepositTerms, agree_deposit, process_expired_deposit_holds
from leases.services.deposits.holds import Holds
from tests.factories import make_lease
from tests.ledger.factories import SATURDAY, SUNDAY, WEEK, run

ENDED = date(2019, 3, 16)  # a Saturday
HELD_UNTIL = date(2019, 4, 15)  # thirty days on, a Monday
NEXT_SATURDAY = SATURDAY + WEEK


def lease_with_deposit(
    amount: str = "500.00",
    due_on: tuple[date, ...] = (SATURDAY,),
    *,
    ends_on: date | None = ENDED,
    **lease: Any,
) -> Lease:
    """A lease free of charge, unless said otherwise, with a deposit in as many parts as days are given."""
    made = make_lease(**{"weekly_fee": "0.00", "ends_on": ends_on, **lease})
    agree_deposit(lease=made, terms=DepositTerms(Decimal(amount), due_on), actor=system_user())
    return made


def post_parts(weeks: int = 1) -> None:
    """Weekly runs from that of the week of 2019-03-03 on, which post what is due by the Saturday after next."""
    for number in range(weeks):
        run(SUNDAY + number * WEEK)


def release_expired(on: date = HELD_UNTIL) -> Holds:
    return process_expired_deposit_holds(on=on, actor=system_user())


def standing(lease: Lease) -> Any:
    return LeaseDeposit.objects.with_standing().get(lease=lease)


def figures(lease: Lease) -> dict[str, str]:
    """What a deposit stands at, in words and dollars."""
    found = standing(lease)
    return {
        "status": found.status,
        **{
            name: str(getattr(found, name))
            for name in (
                "agreed",
                "charged",
                "open_amount",
                "collected",
                "applied",
                "held",
                "to_refund",
                "refunded",
            )
        },
    }


def day(number: int) -> timedelta:
    return timedelta(days=number)
