"""Any sequence of charges, trips, payments, voids and runs: the product and a plain model agree on every cent.

Hypothesis makes the sequences. Each rule does one thing to both; what the model refuses, the product must refuse
with the same code. After every step all items and all sums are compared; at the end also every DTR, the ledger
as it was on each past day, and the proofs. An example runs in a savepoint of the test's transaction.
"""

import os
import sys
from collections.abc import Callable
from datetime import date, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any, TypeVar

import pytest
from django.db import connection, transaction
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from batconnect.common.audit import system_user
from batconnect.common.errors import BatConnectError
from batconnect.common.weeks import sunday_of
from ledger.models import DTR, DriverAccount, LedgerBalance, Tax
from ledger.services import payments, statements, voids, weekly_close
from tests.factories import make_driver, make_lease

from .factories import SUNDAY, WEEK, broken_proofs, charge, drive
from .ledger_comparison import compare_items, compare_past, compare_reports
from .plain_ledger import CHARGES, ZERO, Account, Item, Refusal, Report
from .plain_weeks import PlainWeeks

# Batches, for each leaves rows that were rolled back in the tables, and many of them slow the next ones down.
BATCHES, RUNS, STEPS = (5, 40, 50) if os.environ.keys() & {"SOAK", "BATCONNECT_SOAK"} else (1, 20, 30)
LAST_DAY = date(2019, 7, 27)
REASON = "The state machine wants it so"
DAY = timedelta(days=1)

T = TypeVar("T")

# Round figures meet each other exactly; the rest does not.
round_amounts = st.sampled_from([Decimal("0.01"), Decimal("25.00"), Decimal("100.00"), Decimal("300.00")])
amounts = round_amounts | st.integers(1, 60_000).map(lambda cents: Decimal(cents).scaleb(-2))
earnings = st.integers(-20_000, 90_000).map(lambda cents: Decimal(cents).scaleb(-2))
taxes = st.dictionaries(
    st.sampled_from(Tax.values),
    st.integers(-1_000, 6_000).map(lambda cents: Decimal(cents).scaleb(-2)),
    max_size=3,
)
days = st.integers(0, 20)
later = st.sampled_from([0, 0, 0, 1, 3, 8])
one_in_eight = st.sampled_from([False] * 7 + [True])


class LedgerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.savepoint = transaction.atomic()
        self.savepoint.__enter__()
        self.actor = system_user()
        self.results: dict[date, Any] = {}  # of the weeks that were run

    @initialize(
        fee=st.sampled_from([ZERO, Decimal("300.00")]), ends_on=st.sampled_from([date(2019, 3, 16), None])
    )
    def three_leases_of_two_drivers(self, fee: Decimal, ends_on: date | None) -> None:
        first = make_driver()
        leases = [
            make_lease(driver=first, weekly_fee=fee),
            make_lease(driver=first, weekly_fee="0.00"),
            make_lease(weekly_fee="0.00", ends_on=ends_on),
        ]
        self.rows = {row.pk: row for row in DriverAccount.objects.filter(lease__in=leases)}
        pks = {row.lease_id: row.pk for row in self.rows.values()}
        self.model = PlainWeeks(
            Account(
                pks[lease.pk], lease.number, Decimal(weekly_fee), lease.starts_on, lease.ends_on,
                installments_through=lease.starts_on - DAY,
            )
            for lease, weekly_fee in zip(leases, (fee, ZERO, ZERO), strict=True)
        )  # fmt: skip
        self.today, self.next_week = SUNDAY, SUNDAY

    # --- one thing, done to both ----------------------------

    def both(self, product: Callable[[], T], model: Callable[[], Any]) -> tuple[T | None, Any]:
        """Do it to the model, then to the product; they accept or refuse alike."""
        before = len(self.model.items), len(self.model.allocations)
        try:
            expected = model()
        except Refusal as refusal:
            assert before == (len(self.model.items), len(self.model.allocations)), (
                "the model wrote, then refused"
            )
            with pytest.raises(BatConnectError) as refused, transaction.atomic():
                product()
            assert refused.value.code == refusal.code, refused.value
            return None, None
        return product(), expected

    # --- rules: each makes first what it needs, so that Hypothesis may leave any of them out -------------------

    @rule(data=st.data(), later=later, back=st.none() | days, again=one_in_eight)
    def charge(self, data: st.DataObject, later: int, back: int | None, again: bool) -> None:
        """A new charge, now and then by a reference that was used."""
        self.pass_days(later)
        account, amount = self.account(data), data.draw(amounts)
        category, reference = data.draw(st.sampled_from(CHARGES)), f"C{len(self.model.items)}"
        due_in = data.draw(st.none() | st.integers(-20, 20))
        used = [item for item in self.model.items if item.category in CHARGES]
        if again and used:
            item = data.draw(st.sampled_from(used), label="used reference")
            category, reference = item.category, item.reference
        more = {
            "due_on": None if due_in is None else self.today + due_in * DAY,
            "accounting_date": None if back is None else self.today - back * DAY,
        }
        self.both(
            lambda: charge(self.row(account), category, str(amount), reference, on=self.today, **more),
            lambda: self.model.charge(account, category, amount, reference, self.today, **more),
        )

    @rule(data=st.data(), weeks_ago=st.integers(0, 2))
    def drive(self, data: st.DataObject, weeks_ago: int) -> None:
        week = max(SUNDAY, sunday_of(self.today) - weeks_ago * WEEK)
        account, earned, owed = self.account(data), data.draw(earnings), data.draw(taxes)
        drive(self.row(account), str(earned), {tax: str(amount) for tax, amount in owed.items()}, week=week)
        self.model.drive(account, week, earned, owed)

    @rule(data=st.data(), later=later, amount=amounts)
    def pay(self, data: st.DataObject, later: int, amount: Decimal) -> None:
        self.pass_days(later)
        account = self.account(data)
        named = [i for i in self.model.items_of(account) if i.amount > 0 and not i.reversal_of]
        named = [item for item in named if item.open] or named
        chosen = data.draw(st.lists(st.sampled_from(named), max_size=3, unique=True)) if named else []
        wanted = {}
        for item in chosen:
            share = min(item.open, amount / len(chosen)).quantize(Decimal("0.01"), ROUND_DOWN)
            parts = [share, share, item.open, item.amount, data.draw(amounts)]
            wanted[item.category, item.reference] = data.draw(st.sampled_from(list(filter(bool, parts))))
        result, credit = self.both(
            lambda: payments.apply_interim_payment(
                account=self.row(account),
                amount=amount,
                allocations={f"{category}:{ref}": part for (category, ref), part in wanted.items()},
                method="CASH",
                actor=self.actor,
                on=self.today,
            ),
            lambda: self.model.pay(account, amount, wanted, self.today),
        )
        if result is not None:
            credit.reference = result.number  # the product numbers its receipts

    @rule(data=st.data(), later=later, back=st.none() | days, any_item=one_in_eight)
    def void(self, data: st.DataObject, later: int, back: int | None, any_item: bool) -> None:
        """What stands and may be voided; now and then anything, which is mostly refused."""
        if not self.model.voidable():
            self.charge(data, 0, None, again=False)
        self.pass_days(later)
        candidates = self.model.items if any_item else self.model.voidable()
        item = data.draw(st.sampled_from(candidates), label="void")
        accounting_date = None if back is None else self.today - back * DAY
        self.both(
            lambda: voids.void_posting(
                posting_id=self.posting_id(item),
                reason=REASON,
                actor=self.actor,
                on=self.today,
                accounting_date=accounting_date,
            ),
            lambda: self.model.void(item, self.today, accounting_date),
        )

    @rule(data=st.data(), amount=amounts, moves=st.booleans(), any_item=one_in_eight)
    def replace(self, data: st.DataObject, amount: Decimal, moves: bool, any_item: bool) -> None:
        if not any(item.category in CHARGES for item in self.model.voidable()):
            self.charge(data, 0, None, again=False)
        charged = [item for item in self.model.voidable() if item.category in CHARGES]
        item = data.draw(st.sampled_from(self.model.items if any_item else charged), label="replace")
        account = self.account(data) if moves else None
        self.both(
            lambda: voids.replace_posting(
                posting_id=self.posting_id(item),
                amount=amount,
                reason=REASON,
                actor=self.actor,
                on=self.today,
                account=self.row(account) if account else None,
                components={"principal": str(amount), "interest": "0.00"}
                if item.category == "LOAN"
                else None,
            ),
            lambda: self.model.replace(item, amount, self.today, account),
        )

    @rule(data=st.data(), any_week=one_in_eight)
    def reverse_settlement(self, data: st.DataObject, any_week: bool) -> None:
        report = self.report(data, lambda r: r.figures["gross_earnings"] or r.figures["taxes"])
        week = data.draw(st.sampled_from([*self.model.closed, self.next_week])) if any_week else report.week
        self.both(
            lambda: voids.reverse_settlement(
                account=self.row(report.account), week=week, reason=REASON, actor=self.actor, on=self.today
            ),
            lambda: self.model.reverse_settlement(report.account, week, self.today),
        )

    @rule(data=st.data())
    def pay_dtr(self, data: st.DataObject) -> None:
        report = self.report(data, lambda r: r.payout and not (r.paid or r.payout.voided))
        self.both(
            lambda: statements.pay_dtr(dtr=self.dtr(report), on=self.today, method="ACH", actor=self.actor),
            lambda: self.model.pay_dtr(report),
        )

    @rule(data=st.data())
    def return_payment(self, data: st.DataObject) -> None:
        if not any(report.paid for report in self.model.reports):
            self.pay_dtr(data)
        report = self.report(data, lambda r: r.paid)
        self.both(
            lambda: statements.return_payment(
                dtr=self.dtr(report), on=self.today, reason=REASON, actor=self.actor
            ),
            lambda: self.model.return_payment(report),
        )

    @precondition(lambda self: self.next_week + WEEK <= LAST_DAY)
    @rule(data=st.data(), trips=st.integers(0, 4), tried_first=st.booleans(), another=st.integers(-3, 1))
    def run_the_next_week(self, data: st.DataObject, trips: int, tried_first: bool, another: int) -> None:
        """On its Sunday, or late where the days went by; tried out first, it promises what it then does.

        Then another: a closed week gives its result again, one that is not next or not over is refused.
        """
        week, self.today = self.next_week, max(self.today, self.next_week + WEEK)
        for _ in range(trips):
            self.drive(data, (sunday_of(self.today) - week).days // 7)
        promised = self.run(week, dry_run=True) if tried_first else None
        result, expected = self.both(lambda: self.run(week), lambda: self.model.run(week, self.today))
        assert result == expected
        assert promised in (None, result)
        self.results[week] = result
        self.next_week += WEEK
        other = self.next_week + another * WEEK
        if other in self.results or other + WEEK > self.today or another > 0:
            again, _ = self.both(lambda: self.run(other), lambda: self.model.run(other, self.today))
            assert again == self.results.get(other)

    # --- what the rules need ----------------------------

    def account(self, data: st.DataObject) -> Account:
        return data.draw(st.sampled_from(self.model.accounts), label="account")

    def report(self, data: st.DataObject, wanted: Callable[[Report], Any]) -> Report:
        """A report that is as wanted, made by running a week with trips if need be; else any."""
        if not any(map(wanted, self.model.reports)) and self.next_week + WEEK <= LAST_DAY:
            self.run_the_next_week(data, 2, tried_first=False, another=0)
        fitting = [report for report in self.model.reports if wanted(report)]
        return data.draw(st.sampled_from(fitting or self.model.reports), label="report")

    def pass_days(self, number: int) -> None:
        self.today = min(self.today + number * DAY, LAST_DAY)

    def row(self, account: Account) -> DriverAccount:
        return self.rows[account.pk]

    def posting_id(self, item: Item) -> Any:
        return LedgerBalance.objects.values_list("pk", flat=True).get(
            category=item.category,
            reference_id=item.reference,
            posting__reversal_for__isnull=not item.reversal_of,
        )

    def dtr(self, report: Report) -> DTR:
        return DTR.objects.get(account_id=report.account.pk, week=report.week)

    def run(self, week: date, **options: Any) -> dict[str, Any]:
        return weekly_close.run_week(week=week, today=self.today, actor=self.actor, workers=1, **options)

    # --- what must hold ----------------------------

    @invariant()
    def every_item_and_every_sum_agree(self) -> None:
        compare_items(self.model)

    def teardown(self) -> None:
        try:
            if sys.exception() is None:
                compare_reports(self.model)
                compare_past(self.model, self.today)
                assert broken_proofs() == []
        finally:
            transaction.set_rollback(True)
            self.savepoint.__exit__(None, None, None)


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.parametrize("batch", range(BATCHES))
def test_any_sequence_of_events_agrees_with_the_plain_ledger(batch: int) -> None:
    for month in range(2, 8):  # once, outside the examples: making a partition takes longer than a step
        with connection.cursor() as cursor:
            cursor.execute("SELECT ensure_txn_source_month(%s)", [date(2019, month, 1)])
    run_state_machine_as_test(LedgerMachine, settings=settings(max_examples=RUNS, stateful_step_count=STEPS))
