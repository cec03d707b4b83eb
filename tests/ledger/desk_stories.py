"""The desk in tests: cashiers, payments in the currencies of a drawer, its closes, and what 1020 stands at."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Sum

from batconnect.common.models import User
from ledger.models import DrawerClose, DriverAccount, EntryLine, InterimPayment, LedgerPosting
from ledger.services import credits, drawers, payments
from ledger.services.opening_balances import import_opening_balances
from tests.factories import make_user
from tests.ledger.factories import make_account

MONDAY = date(2019, 3, 11)
TUESDAY = date(2019, 3, 12)
WEDNESDAY = date(2019, 3, 13)
WHY = "As agreed with the driver on the phone"


def money(text: str) -> Decimal:
    return Decimal(text)


def cashier() -> User:
    return make_user()


def take(
    account: DriverAccount,
    amount: str,
    by: User,
    *,
    method: str = "CASH",
    number: str = "",
    on: date = MONDAY,
    allocations: Mapping[str, str] | None = None,
) -> InterimPayment:
    """A payment at the desk of a cashier."""
    return payments.apply_interim_payment(
        account=account,
        amount=Decimal(amount),
        allocations={key: Decimal(part) for key, part in (allocations or {}).items()},
        method=method,
        method_reference=number or ("1001" if method == "CHECK" else "A-1" if method == "ACH" else ""),
        actor=by,
        on=on,
    )


def float_in(by: User, amount: str, *, on: date = MONDAY) -> None:
    """Cash put into a drawer, for it to be paid out."""
    drawers.fund_drawer(cashier=by, amount=Decimal(amount), actor=make_user(), on=on)


def close(
    by: User, cash: str, checks: Sequence[str] = (), *, on: date = MONDAY, kept: str = "0.00", **more: Any
) -> DrawerClose:
    return drawers.close_drawer(
        cashier=by,
        counted_cash=Decimal(cash),
        checks_present=checks,
        kept=Decimal(kept),
        actor=more.pop("actor", by),
        on=on,
        **more,
    )


def asked(kind: str, account: DriverAccount, amount: str = "0.00", **more: Any) -> credits.CreditAsked:
    allocations = {key: Decimal(part) for key, part in more.pop("allocations", {}).items()}
    return credits.CreditAsked(
        kind=kind, account=account, amount=Decimal(amount), reason=WHY, allocations=allocations, **more
    )


def live_at_the_desk() -> None:
    """One of everything the desk writes: an adjustment, opening balances, a drawer with its close, a bounced check."""
    ann, account = cashier(), make_account()
    check = take(account, "70.00", ann, method="CHECK")
    close(ann, "0.00", [check.number])
    drawers.bounce_check(payment_number=check.number, reason=WHY, actor=ann, on=TUESDAY)
    credits.grant_credit(asked("ADJUSTMENT", account, "5.00"), actor=ann, on=TUESDAY)
    row = f"{account.driver.tlc_license},{account.lease.number},LEASE,10.00,OLD-1,2019-02-20"
    import_opening_balances(
        content=f"tlc_license,lease,category,amount,reference,event_date\n{row}".encode(),
        name="cut-over.csv",
        control_total=Decimal("10.00"),
        actor=ann,
        on=TUESDAY,
    )


def stands_at(code: str) -> Decimal:
    """Debits less credits of one account of the journal."""
    lines = EntryLine.objects.filter(account__code=code)
    by_side = {row["side"]: row["amount"] for row in lines.values("side").annotate(amount=Sum("amount"))}
    return Decimal(by_side.get("DR", 0) - by_side.get("CR", 0)).quantize(Decimal("0.01"))


def lines_of(posting: LedgerPosting) -> list[tuple[str, str, Decimal]]:
    """The entry of a posting: account, side, amount."""
    rows = EntryLine.objects.filter(entry_id__in=posting.entries.values("pk"))
    return [
        (row.account.code, row.side, row.amount)
        for row in rows.select_related("account").order_by("line_number")
    ]
