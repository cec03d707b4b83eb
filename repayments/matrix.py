"""The repayment matrix and what follows from it: how much a week, when, and with what interest. Pure functions.

Amounts are US dollars with two decimals; a rate is per cent a year. Source: domain.md, repairs and loans.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from batconnect.common.money import ZERO, to_cents
from batconnect.common.weeks import WEEK

IN_FULL_UP_TO = Decimal("200.00")
# (up to and including this original amount, principal a week); above the last bound, ABOVE a week.
MATRIX = (
    (Decimal("500.00"), Decimal("100.00")),
    (Decimal("1000.00"), Decimal("200.00")),
    (Decimal("3000.00"), Decimal("250.00")),
)
ABOVE = Decimal("300.00")
DAYS_OF_A_YEAR = 365


@dataclass(frozen=True)
class Planned:
    """One installment to be: `left` is the principal that is still owed after it."""

    due_on: date
    principal: Decimal
    interest: Decimal
    left: Decimal

    @property
    def amount(self) -> Decimal:
        return self.principal + self.interest


def weekly_principal(amount: Decimal) -> Decimal:
    """The principal of a week for an original amount above zero; bounds are inclusive to the cent."""
    if amount <= IN_FULL_UP_TO:
        return amount
    return next((weekly for bound, weekly in MATRIX if amount <= bound), ABOVE)


def split(principal: Decimal, weekly: Decimal) -> list[Decimal]:
    """Weekly parts that add up to the principal; the last is the remainder."""
    whole, rest = divmod(principal, weekly)
    return [weekly] * int(whole) + ([rest] if rest else [])


def interest_for(*, outstanding: Decimal, rate: Decimal, days: int) -> Decimal:
    """outstanding × rate/100 × days/365, half up; none for no days, or for days that lie ahead (below zero)."""
    if days <= 0:
        return ZERO
    return to_cents(outstanding * rate * days / (100 * DAYS_OF_A_YEAR))


def lay_out(
    principals: Sequence[Decimal], *, rate: Decimal, since: date, first_due_on: date
) -> list[Planned]:
    """These parts, one a week from the first Saturday on, each with the interest since the date before it.

    `since` is the day interest was last counted to: the last due date, or the loan date.
    """
    planned, outstanding, due_on = [], sum(principals, ZERO), first_due_on
    for principal in principals:
        interest = interest_for(outstanding=outstanding, rate=rate, days=(due_on - since).days)
        outstanding -= principal
        planned.append(Planned(due_on, principal, interest, outstanding))
        since, due_on = due_on, due_on + WEEK
    return planned
