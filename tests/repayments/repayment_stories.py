"""Leases, loans and repairs that stories about repayments start from. The week is that of Sunday 2025-09-28."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from batconnect.common.models import User
from batconnect.common.weeks import saturday_of
from leases.models import Lease
from ledger.models import EntryLine
from loans import services as loans
from loans.models import DriverLoan
from repairs import services as repairs
from repairs.models import RepairInvoice
from repayments.services import decisions, schedules
from repayments.services.plans import Plan, find_plan
from tests.factories import make_lease, make_user
from tests.ledger import factories

SUNDAY = date(2025, 9, 28)
WEDNESDAY = date(2025, 10, 1)
FIRST_DUE = date(2025, 10, 11)
WEEK = timedelta(days=7)
REASON = "Agreed with the driver at the desk."


def free_lease(lease_type: str = "dov", **fields: Any) -> Lease:
    return make_lease(**{"weekly_fee": "0.00", "starts_on": SUNDAY, "lease_type": lease_type, **fields})


def draft_loan(
    lease: Lease | None = None, amount: str = "1200.00", *, on: date = WEDNESDAY, **more: Any
) -> DriverLoan:
    lease = lease or free_lease()
    asked = {
        "rate": Decimal("10.00"),
        "loan_date": on,
        "first_due_on": saturday_of(on) + WEEK,
        "method": "CASH",
        "actor": make_user(),
        **more,
    }
    return loans.create_loan(
        driver_id=lease.driver_id, lease_id=lease.pk, amount=Decimal(amount), on=on, **asked
    )


def lend(lease: Lease | None = None, amount: str = "1200.00", **more: Any) -> DriverLoan:
    """A loan that is paid out, by somebody else than who entered it: 1,200.00 at 10 % unless said otherwise."""
    loan = draft_loan(lease, amount, **more)
    return loans.pay_out(number=loan.number, actor=make_user(), on=more.get("on", WEDNESDAY))


def repair(
    lease: Lease | None = None, amount: str = "200.50", *, on: date = WEDNESDAY, **more: Any
) -> RepairInvoice:
    lease = lease or free_lease()
    asked = {
        "vendor": "Queens Brakes",
        "invoice_number": f"Q-{RepairInvoice.objects.count() + 1}",
        "invoice_date": on,
        "description": "Brake pads and discs",
        "charge_driver": True,
        "first_due_on": saturday_of(on) + WEEK,
        "actor": make_user(),
        **more,
    }
    return repairs.create_repair(
        driver_id=lease.driver_id, lease_id=lease.pk, amount=Decimal(amount), on=on, **asked
    )


def plan_of(repayment: Any) -> Plan:
    return find_plan(kind=repayment.kind, number=repayment.number)


def schedule_of(repayment: Any) -> list[tuple[str, str, str, str]]:
    """What is scheduled: due, principal, interest, left."""
    return [
        (f"{row.due_on:%m-%d}", str(row.principal), str(row.interest), str(row.left))
        for row in plan_of(repayment).scheduled
    ]


def statuses(repayment: Any) -> str:
    """The first letters of its installments' statuses, in their order: `pcss` and so on; Posted is `o` for open."""
    letter = {"SCHEDULED": "s", "POSTED": "o", "PAID": "p", "VOIDED": "v", "CANCELLED": "c"}
    return "".join(letter[row.standing.status] for row in plan_of(repayment).rows)


def posting_of(repayment: Any, position: int) -> Any:
    return plan_of(repayment).rows[position - 1].standing.current_posting


def decide(repayment: Any, what: Any, *, on: date = WEDNESDAY, actor: User | None = None) -> Plan:
    return schedules.carry_out(
        kind=repayment.kind, number=repayment.number, decide=what, actor=actor or make_user(), on=on
    )


def hold(repayment: Any, on: date = WEDNESDAY) -> Plan:
    return decide(repayment, lambda plan: decisions.hold(plan, reason=REASON), on=on)


def release(repayment: Any, choice: str, on: date, weeks: int | None = None) -> Plan:
    return decide(repayment, lambda plan: decisions.release(plan, choice=choice, on=on, weeks=weeks), on=on)


def pay_off(repayment: Any, on: date) -> Plan:
    return decide(repayment, lambda plan: decisions.pay_off(plan, on=on), on=on)


def run(week: date) -> Any:
    return factories.run(week)


def sound() -> bool:
    """Every rule that is looked at when a transaction ends holds, and every proof is green."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    assert factories.broken_proofs() == []
    return True


def on_1300() -> Decimal:
    """The balance of loans receivable."""
    lines = EntryLine.objects.filter(account__code="1300").values_list("side", "amount")
    return sum((amount if side == "DR" else -amount for side, amount in lines), Decimal("0.00"))
