"""What came of the demo, read from the ledger: one line a driver, which adds up."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from typing import Any

from django.db.models import DecimalField, Q, QuerySet, Sum, Value
from django.db.models.functions import Coalesce

from ledger.models import DTR, Category, DriverAccount

from .fleet import CABS

MONEY: DecimalField = DecimalField(max_digits=14, decimal_places=2)
ZERO = Decimal("0.00")


@dataclass(frozen=True)
class Line:
    """charged + paid out + to pay - earned - at the desk = owed.

    `paid_out` is the net pay handed over, `to_pay` what was not yet. `owed` is negative when the fleet
    holds a credit for the driver.
    """

    driver: str
    medallion: str
    earned: Decimal
    charged: Decimal
    at_desk: Decimal
    paid_out: Decimal
    to_pay: Decimal
    owed: Decimal

    def as_dict(self) -> dict[str, str]:
        return {name: str(value) for name, value in asdict(self).items()}


AMOUNTS = tuple(field.name for field in fields(Line))[2:]


def lines() -> list[Line]:
    """One line for each of the demo's drivers, in the order of their cabs."""
    to_pay = dict(_unpaid().values_list("account").annotate(amount=Sum("net_pay")))
    return [
        Line(
            driver=account.driver.name,
            medallion=account.lease.medallion.number,
            earned=-account.earnings,
            charged=account.charges,
            at_desk=-account.desk,
            paid_out=account.payouts - to_pay.get(account.pk, ZERO),
            to_pay=to_pay.get(account.pk, ZERO),
            owed=account.balance,
        )
        for account in _accounts()
    ]


def together(of: Sequence[Line]) -> dict[str, Decimal]:
    """The sum of every column."""
    return {name: sum((getattr(line, name) for line in of), ZERO) for name in AMOUNTS}


def _accounts() -> Iterable[Any]:
    kinds = [Category.EARNINGS, Category.INTERIM_PAYMENT, Category.PAYOUT]
    return (
        DriverAccount.objects.filter(driver__tlc_license__in=[cab.tlc_license for cab in CABS])
        .select_related("driver", "lease__medallion")
        .annotate(
            earnings=_sum(Q(postings__category=Category.EARNINGS)),
            desk=_sum(Q(postings__category=Category.INTERIM_PAYMENT)),
            payouts=_sum(Q(postings__category=Category.PAYOUT)),
            charges=_sum(~Q(postings__category__in=kinds)),
        )
        .order_by("lease__medallion__number")
    )


def _sum(which: Q) -> Coalesce:
    return Coalesce(Sum("postings__amount", filter=which), Value(ZERO), output_field=MONEY)


def _unpaid() -> QuerySet[DTR]:
    return DTR.objects.filter(status=DTR.Status.FINALIZED, net_pay__gt=0).order_by("account")
