"""What is in a cashier's drawer: everything since its last close, by movement, in cash, and check by check."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from django.db import connection
from django.db.models import QuerySet, Sum

from batconnect.common.money import ZERO

from ..models import DrawerClose, DrawerMovement, InterimPayment, PaymentMethod

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class DrawerCheck:
    """A check since the last close. Below zero: it was voided after it had been banked."""

    payment: str
    number: str
    amount: Decimal
    driver: str


@dataclass(frozen=True)
class DrawerHeld:
    """What a drawer should hold: the float left in it, and the sums of what moved since, by kind and medium."""

    cashier_id: int
    through: date
    last: DrawerClose | None
    sums: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    checks: Sequence[DrawerCheck] = ()

    @property
    def kept(self) -> Decimal:
        return self.last.kept if self.last else ZERO

    @property
    def cash(self) -> Decimal:
        return self.kept + self.of(DrawerMovement.Medium.CASH)

    @property
    def in_checks(self) -> Decimal:
        return self.of(DrawerMovement.Medium.CHECK)

    @property
    def is_untouched(self) -> bool:
        return not self.sums and self.kept == 0

    def of(self, medium: str, kind: str = "") -> Decimal:
        return sum(
            (amount for (each, how), amount in self.sums.items() if how == medium and kind in ("", each)),
            ZERO,
        )


def drawer_held(cashier_id: int, *, through: date) -> DrawerHeld:
    """What the cashier's drawer should hold by the end of a day."""
    last = last_close(cashier_id)
    since = _since(cashier_id, last, through)
    sums = {
        (row["kind"], row["medium"]): row["amount"]
        for row in since.values("kind", "medium").order_by().annotate(amount=Sum("amount"))
    }
    checks = (
        since.filter(medium=PaymentMethod.CHECK, payment__isnull=False)
        .values("payment_id")
        .order_by("payment_id")
        .annotate(amount=Sum("amount"))
    )
    amounts = {row["payment_id"]: row["amount"] for row in checks if row["amount"]}
    payments = InterimPayment.objects.select_related("account__driver").in_bulk(amounts)
    return DrawerHeld(
        cashier_id,
        through,
        last,
        sums,
        [
            DrawerCheck(
                payments[key].number,
                payments[key].method_reference,
                amount,
                payments[key].account.driver.name,
            )
            for key, amount in amounts.items()
        ],
    )


def drawer_now(cashier_id: int, *, on: date) -> tuple[DrawerHeld, bool]:
    """What the drawer should hold now, and whether the day is closed; then it is the next day's drawer."""
    last = last_close(cashier_id)
    closed = last is not None and last.day >= on
    return drawer_held(cashier_id, through=last.day + ONE_DAY if last and closed else on), closed


def cash_to_pay_out(cashier_id: int, *, on: date) -> Decimal:
    """The cash that could be paid out of a drawer on a day, as the database counts it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT drawer_cash(%(whose)s, greatest(%(on)s::date, drawer_closed_through(%(whose)s) + 1))",
            {"whose": cashier_id, "on": on},
        )
        found: tuple[Decimal] = cursor.fetchone()
    return found[0]


def last_close(cashier_id: int) -> DrawerClose | None:
    return DrawerClose.objects.filter(drawer_id=cashier_id).order_by("-day").first()


def movements_since(held: DrawerHeld) -> Sequence[DrawerMovement]:
    """What moved since the last close, in order."""
    found = _since(held.cashier_id, held.last, held.through)
    return list(found.select_related("payment__account__driver", "created_by").order_by("id"))


def movements_of(close: DrawerClose) -> Sequence[DrawerMovement]:
    """What a close counted, and where it put it."""
    before = (
        DrawerClose.objects.filter(drawer_id=close.drawer_id, day__lt=close.day)
        .order_by("-day")
        .values_list("day", flat=True)
        .first()
    )
    found = DrawerMovement.objects.filter(drawer_id=close.drawer_id, day__lte=close.day)
    if before:
        found = found.filter(day__gt=before)
    return list(found.select_related("payment__account__driver", "created_by").order_by("id"))


def banked_check(payment: InterimPayment) -> DrawerClose | None:
    """The close by which a check went to the bank; None while it has not."""
    if payment.method != PaymentMethod.CHECK:
        return None
    return DrawerClose.objects.filter(checks__contains=[{"payment": payment.number, "present": True}]).first()


def _since(cashier_id: int, last: DrawerClose | None, through: date) -> QuerySet[DrawerMovement]:
    found = DrawerMovement.objects.filter(drawer_id=cashier_id, day__lte=through)
    return found.filter(day__gt=last.day) if last else found
