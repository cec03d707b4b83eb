"""A fleet whose people do whatever comes to mind, for weeks: every refusal is one we foresaw, and every proof holds.

What each part does is told in its own tests. Here all of them share drivers, leases and open items: leases change while
their repairs run, deposits are applied to what a payment just paid, payouts return whose earnings were taken back.
"""

import random
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from batconnect.common.errors import BatConnectError
from batconnect.common.models import User
from batconnect.common.weeks import NEW_YORK, WEEK, saturday_of, sunday_of
from leases.models import Lease, LeaseType
from leases.services import agreements, assignments, deposits, endings, terms
from ledger.models import DTR, DriverAccount, InterimPayment, LedgerBalance, LedgerPosting, PayoutCheck
from ledger.selectors.proofs import run_proofs
from ledger.services import credits, drawers, payments, statements, voids, weekly_close
from ledger.services.payouts import ach_batches, checks, desk, holds, nacha_file, nacha_returns
from loans import services as loans
from loans.models import DriverLoan
from misc_expenses import services as expenses
from misc_expenses.models import MiscellaneousExpense
from repairs import services as repairs
from repairs.models import RepairInvoice
from repayments.models import RepaymentInstallment
from repayments.services import decisions, schedules
from tests.factories import make_driver, make_medallion, make_user, make_vehicle
from tests.ledger.factories import drive
from tests.ledger.payout_stories import paid_by

FIRST_SUNDAY = date(2019, 3, 3)
WHY = "As agreed with the driver at the desk"
TAXES = {"MTA": "4.50", "CONGESTION": "17.50"}


class Fleet:
    """People, leases and a day; `act` does something at random, and says what."""

    def __init__(self, seed: int, leases: int) -> None:
        self.chance = random.Random(seed)
        self.today = FIRST_SUNDAY
        self.clerk, self.chief = make_user(), make_user()
        self.told: list[str] = []
        self.refused: dict[str, int] = {}
        for number in range(leases):
            self.new_lease(on=FIRST_SUNDAY - WEEK, kind=list(LeaseType)[number % len(LeaseType)])
        self.acts: list[Callable[[], Any]] = [
            getattr(self, name) for name in dir(self) if name.startswith("do_")
        ]

    def act(self) -> None:
        what = self.chance.choice(self.acts)
        name = what.__name__.removeprefix("do_")
        try:
            what()
        except BatConnectError as error:
            assert error.status < 500, error
            self.refused[error.code] = self.refused.get(error.code, 0) + 1
            name += f" refused: {error.code}"
        self.told.append(f"{self.today} {name}")
        with connection.cursor() as cursor:  # what is looked at when a transaction ends
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")

    # --- what is drawn ---------------------------------------------------------------------------------------

    def lease(self, **likely: Any) -> Lease:
        """Any; twice in three, one of those for which there is something to do, if there are any."""
        found = list(Lease.objects.filter(**likely).distinct().order_by("pk")) if likely else []
        if not found or self.chance.random() < 0.33:
            found = list(Lease.objects.order_by("pk"))
        return self.chance.choice(found)

    def account(self) -> DriverAccount:
        return self.chance.choice(list(DriverAccount.objects.order_by("pk")))

    def one(self, rows: Any) -> Any:
        found = list(rows.order_by("pk"))
        if not found:
            raise Nothing
        return self.chance.choice(found)

    def amount(self, most: int = 400) -> Decimal:
        return Decimal(self.chance.randrange(1, most * 100)) / 100

    def who(self) -> User:
        return self.chance.choice([self.clerk, self.chief])

    def day(self, back: int = 10, ahead: int = 10) -> date:
        return self.today + timedelta(days=self.chance.randrange(-back, ahead + 1))

    def open_items(self, account: DriverAccount) -> list[LedgerBalance]:
        return list(
            LedgerBalance.objects.filter(account=account, balance__gt=0)
            .exclude(category="PAYOUT")
            .order_by("posting_id")
        )

    def allocations(self, account: DriverAccount) -> tuple[Decimal, dict[str, Decimal]]:
        """Some of what is open, whole or in part, and an amount that covers it, or not quite."""
        items = self.open_items(account)
        chosen = self.chance.sample(items, self.chance.randrange(0, min(3, len(items)) + 1))
        parts = {
            item.reference_id: self.chance.choice([item.balance, min(item.balance, self.amount(50))])
            for item in chosen
        }
        extra = self.chance.choice([Decimal(0), self.amount(60)])
        return sum(parts.values(), Decimal(0)) + extra or Decimal("5.00"), parts

    # --- what happens ----------------------------------------------------------------------------------------

    def do_drive(self) -> None:
        for account in DriverAccount.objects.order_by("pk"):
            if self.chance.random() < 0.7:
                drive(account, str(self.amount(1200)), TAXES, week=sunday_of(self.today))

    def do_charge_expense(self) -> None:
        lease = self.lease()
        expenses.create_misc_expense(
            driver_id=lease.driver_id, lease_id=lease.pk, category=self.chance.choice(["Lost Key", "Late Return"]),
            amount=self.amount(), expense_date=self.day(ahead=0), actor=self.clerk, on=self.today,
        )  # fmt: skip

    def do_void_expense(self) -> None:
        expense = self.one(MiscellaneousExpense.objects.all())
        expenses.void_misc_expense(expense_id=expense.expense_id, reason=WHY, actor=self.chief, on=self.today)

    def do_pay_at_the_desk(self) -> None:
        account = self.account()
        amount, parts = self.allocations(account)
        method = self.chance.choice(["CASH", "CHECK", "ACH", "CARD"])
        payments.apply_interim_payment(
            account=account, amount=amount, allocations=parts, method=method,
            method_reference=f"{len(self.told)}" if method != "CASH" else "", actor=self.clerk, on=self.today,
        )  # fmt: skip

    def do_bounce_check(self) -> None:
        payment = self.one(InterimPayment.objects.filter(method="CHECK"))
        drawers.bounce_check(payment_number=payment.number, reason=WHY, actor=self.chief, on=self.today)

    def do_close_drawer(self) -> None:
        count = drawers.count_drawer(
            cashier=self.clerk, counted_cash=Decimal(0), checks_present=[], kept=Decimal(0), on=self.today
        )
        cash, numbers = count.held.cash, [check.payment for check in count.missing]
        if self.chance.random() < 0.3:  # short of a check, over in cash
            cash, numbers = cash + 5, numbers[1:]
        drawers.close_drawer(
            cashier=self.clerk, counted_cash=max(cash, Decimal(0)), checks_present=numbers, actor=self.clerk,
            on=self.today, reason=WHY,
        )  # fmt: skip

    def do_grant_credit(self) -> None:
        account = self.account()
        kind = self.chance.choice(["ADJUSTMENT", "WRITE_OFF", "REFUND"])
        amount, parts = self.allocations(account)
        refund = kind == "REFUND"
        asked = credits.CreditAsked(
            kind=kind, account=account, amount=self.amount(40) if refund else amount, reason=WHY,
            allocations={} if refund else parts, method="CASH" if refund else "",
        )  # fmt: skip
        credits.grant_credit(asked, actor=self.clerk, on=self.today, approved_by=self.chief)

    def do_void(self) -> None:
        posting = self.one(LedgerPosting.objects.filter(reversal_for=None))
        voids.void_posting(posting_id=posting.pk, reason=WHY, actor=self.chief, on=self.today)

    def do_replace(self) -> None:
        posting = self.one(LedgerPosting.objects.filter(reversal_for=None, category="MISC"))
        voids.replace_posting(
            posting_id=posting.pk, amount=self.amount(), reason=WHY, actor=self.chief, on=self.today,
            account=self.chance.choice([None, self.account()]),
        )  # fmt: skip

    def do_reverse_settlement(self) -> None:
        report = self.one(DTR.objects.all())
        voids.reverse_settlement(
            account=report.account, week=report.week, reason=WHY, actor=self.chief, on=self.today
        )

    def do_repair(self) -> None:
        lease = self.lease()
        repairs.create_repair(
            driver_id=lease.driver_id, lease_id=lease.pk, vendor="Queens Brakes",
            invoice_number=f"Q-{len(self.told)}", invoice_date=self.day(ahead=0), amount=self.amount(2500),
            description="Brakes", charge_driver=self.chance.random() < 0.8, actor=self.clerk, on=self.today,
            first_due_on=saturday_of(self.day(back=0)),
        )  # fmt: skip

    def do_loan(self) -> None:
        lease = self.lease()
        made = loans.create_loan(
            driver_id=lease.driver_id, lease_id=lease.pk, amount=self.amount(1500), rate=Decimal("10.00"),
            loan_date=self.today, first_due_on=saturday_of(self.day(back=0)) + WEEK, method="CASH",
            actor=self.clerk, on=self.today,
        )  # fmt: skip
        if self.chance.random() < 0.8:
            loans.pay_out(number=made.number, actor=self.chief, on=self.today)

    def do_change_schedule(self) -> None:
        model = self.chance.choice([DriverLoan, RepairInvoice])
        repayment = self.one(model.objects.all())
        wanted = self.chance.choice(
            [
                lambda plan: decisions.hold(plan, reason=WHY),
                lambda plan: decisions.release(
                    plan,
                    choice=self.chance.choice([decisions.POST_MISSED, decisions.SHIFT]),
                    on=self.today,
                    weeks=self.chance.choice([None, 1, 3]),
                ),
                lambda plan: decisions.pay_off(plan, on=self.today),
                lambda plan: decisions.reschedule(
                    plan, on=self.today, reason=WHY, weekly=self.amount(120), first_due_on=None
                ),
            ]
            + [lambda plan: decisions.cancel(plan, reason=WHY)] * (model is RepairInvoice)
        )
        schedules.carry_out(
            kind=repayment.kind, number=repayment.number, decide=wanted, actor=self.chief, on=self.today
        )

    def do_forgive_or_repost(self) -> None:
        if self.chance.random() < 0.5:
            loan = self.one(DriverLoan.objects.all())
            give_up: Callable[..., Any] = self.chance.choice([loans.forgive, loans.cancel_draft])
            give_up(number=loan.number, reason=WHY, actor=self.chief, on=self.today)
            return
        row = self.one(RepaymentInstallment.objects.all())
        schedules.repost(
            kind=row.repayment.kind, number=row.repayment.number, position=row.position, reason=WHY,
            actor=self.chief, on=self.today,
        )  # fmt: skip

    def new_lease(self, *, on: date, kind: str) -> Lease:
        deposit = None
        if self.chance.random() < 0.6:
            deposit = deposits.DepositTerms(self.amount(600), (saturday_of(on), saturday_of(on) + 2 * WEEK))
        return agreements.create_lease(
            driver=make_driver(), medallion=make_medallion(), vehicle=make_vehicle(), lease_type=kind,
            starts_on=on, ends_on=self.chance.choice([None, on + timedelta(days=25)]),
            weekly_fee=self.amount(600), actor=self.clerk, deposit=deposit,
        )  # fmt: skip

    def do_new_lease(self) -> None:
        if Lease.objects.count() < 12:
            self.new_lease(on=self.day(back=3), kind=self.chance.choice(list(LeaseType)))

    def do_change_fee(self) -> None:
        terms.change_fee(
            lease=self.lease(), weekly_fee=self.amount(600), effective_from=self.day(), actor=self.chief,
            on=self.today, reason=WHY,
        )  # fmt: skip

    def do_suspend(self) -> None:
        starts_on = self.day()
        terms.suspend_lease(
            lease=self.lease(), starts_on=starts_on, ends_on=self.chance.choice([None, starts_on + WEEK]),
            reason=WHY, actor=self.chief, on=self.today,
        )  # fmt: skip

    def do_resume(self) -> None:
        terms.resume_lease(
            lease=self.lease(suspensions__isnull=False),
            resumes_on=self.day(),
            reason=WHY,
            actor=self.chief,
            on=self.today,
        )

    def do_renew(self) -> None:
        terms.renew_lease(
            lease=self.lease(ends_on__isnull=False),
            ends_on=self.day(back=0, ahead=40),
            reason=WHY,
            actor=self.chief,
            on=self.today,
        )

    def do_follow(self) -> None:
        terms.follow_lease(
            lease=self.lease(ends_on__isnull=False), weekly_fee=self.amount(600), actor=self.chief
        )

    def do_terminate(self) -> None:
        if self.chance.random() < 0.3:
            endings.terminate_lease(
                lease=self.lease(), ends_on=self.day(), reason=WHY, actor=self.chief, on=self.today
            )

    def do_swap_vehicle(self) -> None:
        moment = datetime.combine(self.day(back=4, ahead=0), time(self.chance.randrange(24)), NEW_YORK)
        assignments.swap_vehicle(
            lease=self.lease(), vehicle=make_vehicle(), at=moment, actor=self.chief, now=timezone.now()
        )

    def do_release_deposit(self) -> None:
        deposits.release_deposit(
            lease=self.lease(deposit__isnull=False, ends_on__lt=self.today),
            actor=self.chief,
            on=self.today,
            reason=WHY,
        )

    def do_refund_deposit(self) -> None:
        lease = self.lease(deposit__release__isnull=False)
        if self.chance.random() < 0.5:
            deposits.return_refund(lease=lease, reason=WHY, actor=self.chief, on=self.today)
        else:
            deposits.record_refund(
                lease=lease, method="CHECK", method_reference="88", actor=self.chief, on=self.today
            )

    def do_process_holds(self) -> None:
        deposits.process_expired_deposit_holds(on=self.today, actor=self.chief)

    def do_choose_how_paid(self) -> None:
        report = self.one(DTR.objects.filter(net_pay__gt=0))
        paid_by(report, self.chance.choice(["ACH", "CHECK"]))

    def do_pay_drivers(self) -> None:
        way = self.chance.choice(["batch", "checks", "cash"])
        if way == "batch":
            batch = ach_batches.create_batch(actor=self.clerk, on=self.today)
            ach_batches.approve_batch(number=batch.number, actor=self.chief)
            if self.chance.random() < 0.3:
                ach_batches.reverse_batch(number=batch.number, reason=WHY, actor=self.chief)
                return
            nacha_file.make_file(number=batch.number, on=self.today, actor=self.clerk)
            ach_batches.mark_sent(number=batch.number, on=self.today, actor=self.clerk)
        elif way == "checks":
            checks.issue_checks(actor=self.clerk, on=self.today)
        else:
            report = self.one(DTR.objects.filter(net_pay__gt=0))
            desk.pay_cash(number=report.number, on=self.today, actor=self.clerk)

    def do_payment_comes_back(self) -> None:
        if self.chance.random() < 0.5:
            check = self.one(PayoutCheck.objects.all())
            again = self.chance.choice([checks.void_check, checks.reissue_check])
            again(number=check.number, reason=WHY, on=self.today, actor=self.chief)
            return
        report = self.one(DTR.objects.filter(status="PAID"))
        if self.chance.random() < 0.5:
            nacha_returns.record_return(dtr=report, code="R02", on=self.today, actor=self.clerk)
        else:
            statements.return_payment(dtr=report, on=self.today, reason=WHY, actor=self.chief)

    def do_hold_pay(self) -> None:
        report = self.one(DTR.objects.filter(net_pay__gt=0))
        if self.chance.random() < 0.5:
            holds.hold(dtr=report, kind="HOLD", reason=WHY, actor=self.clerk)
        else:
            holds.release(dtr=report, reason=WHY, actor=self.chief)

    def end_week(self) -> None:
        week = sunday_of(self.today)
        self.today = week + WEEK
        weekly_close.run_week(week=week, today=self.today, actor=self.chief)
        self.told.append(f"{self.today} week closed")


class Nothing(BatConnectError):
    """There is nothing yet to do it with."""

    code, status = "test.nothing", 409
    message = "There is nothing yet."


def live(seed: int, *, weeks: int, acts: int, leases: int = 5) -> Fleet:
    fleet = Fleet(seed, leases)
    try:
        for _ in range(weeks):
            for number in range(acts):
                fleet.today = min(
                    sunday_of(fleet.today) + timedelta(days=number * 7 // acts), saturday_of(fleet.today)
                )
                fleet.act()
            fleet.end_week()
            broken = [f"{proof.name}: {proof.detail}" for proof in run_proofs() if not proof.ok]
            assert broken == [], broken
    except BaseException:
        print("\n".join(fleet.told[-60:]))
        raise
    return fleet


@pytest.mark.django_db
@pytest.mark.slow
def test_whatever_people_do_in_whatever_order_every_proof_holds() -> None:
    fleet = live(1, weeks=3, acts=60)
    assert sum("refused" not in line for line in fleet.told) > 60  # it is not all refusals


@pytest.mark.django_db
@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(2, 12))
def test_for_months(seed: int, soak_factor: int) -> None:
    live(seed, weeks=6 * soak_factor, acts=80, leases=7)
