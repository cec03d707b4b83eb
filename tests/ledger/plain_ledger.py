"""The driver ledger once more, in plain Python: lists, dicts and Decimals, written from the domain's words alone.

The state machine drives this and the product side by side. It shares no code with the product: the hierarchy is
spelled out again, and the waterfall takes one debit and one credit at a time. What the product would refuse
raises `Refusal` with the product's code, and nothing is changed. `plain_weeks.py` adds the weekly run.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

ZERO = Decimal("0.00")
CHARGES = ("EZPASS", "LEASE", "PVB", "TLC", "REPAIR", "LOAN", "MISC", "DEPOSIT", "CANCELLATION_FEE")
DEBIT_ORDER = ("TAXES", *CHARGES, "EARNINGS", "PAYOUT")
CREDIT_ORDER = {"INTERIM_PAYMENT": 2, "EARNINGS": 3}
SETTLED = ("EARNINGS", "TAXES")


class Refusal(Exception):
    """The product must refuse this, with this code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(eq=False)
class Account:
    pk: int
    lease_number: str
    weekly_fee: Decimal
    starts_on: date
    ends_on: date | None
    installments_through: date


@dataclass(eq=False)
class Item:
    """A posting and what is open of it, both signed; `made` numbers the statement it was posted by."""

    account: Account
    category: str
    reference: str
    amount: Decimal
    effective_on: date
    due_on: date | None
    event_on: date
    made: int
    reversal_of: "Item | None" = None
    replaces: "Item | None" = None
    run_week: date | None = None
    voided: bool = False
    open: Decimal = field(init=False)

    def __post_init__(self) -> None:
        self.open = self.amount

    @property
    def key(self) -> tuple[str, str, bool]:
        return (self.category, self.reference, self.reversal_of is not None)


@dataclass(eq=False)
class Allocation:
    credit: Item
    debit: Item
    amount: Decimal
    in_force: bool = True


@dataclass(eq=False)
class Trip:
    account: Account
    week: date
    earnings: Decimal
    taxes: Mapping[str, Decimal]
    settled_week: date | None = None


@dataclass(eq=False)
class Report:
    """A DTR: its figures, and how far it looked."""

    account: Account
    week: date
    figures: dict[str, Any]
    still_open: dict[str, Decimal]
    payout: Item | None
    items_seen: int
    allocations_seen: int
    paid: bool = False


def saturday(day: date) -> date:
    return day + timedelta(days=(5 - day.weekday()) % 7)


class PlainLedger:
    def __init__(self, accounts: Iterable[Account]) -> None:
        self.accounts = list(accounts)
        self.items: list[Item] = []
        self.allocations: list[Allocation] = []  # an undo is one more, of the opposite amount
        self.trips: list[Trip] = []
        self.reports: list[Report] = []
        self.closed: list[date] = []
        self.statements = 0

    # --- looking ----------------------------

    def items_of(self, account: Account) -> list[Item]:
        return [item for item in self.items if item.account is account]

    def balance(self, account: Account, *, as_of: date = date.max) -> Decimal:
        return sum((i.amount for i in self.items_of(account) if i.effective_on <= as_of), ZERO)

    def voidable(self) -> list[Item]:
        """What may still be voided on its own: charges, desk payments and payouts that stand."""
        return [i for i in self.items if not i.voided and not i.reversal_of and i.category not in SETTLED]

    # --- charges and payments ----------------------------

    def charge(
        self, account: Account, category: str, amount: Decimal, reference: str, on: date,
        *, due_on: date | None = None, accounting_date: date | None = None,
    ) -> Item:  # fmt: skip
        used = self._find(category, reference)
        if used:  # what a run posted for a schedule is that schedule's for ever
            raise Refusal("obligation.reserved_reference" if used.run_week else "posting.duplicate_reference")
        return self._post(
            account, category, amount, reference, self._date(on, accounting_date), on, due_on=due_on
        )

    def drive(self, account: Account, week: date, earnings: Decimal, taxes: Mapping[str, Decimal]) -> None:
        self.trips.append(Trip(account, week, earnings, taxes))

    def pay(
        self, account: Account, amount: Decimal, wanted: Mapping[tuple[str, str], Decimal], on: date
    ) -> Item:
        """Its reference is the caller's to set: the product numbers its receipts."""
        pays = []
        for (category, reference), part in wanted.items():
            item = self._find(category, reference)
            if item is None or item.account is not account or item.amount < 0:
                raise Refusal("payment.unknown_reference")
            if part > item.open:
                raise Refusal("payment.over_allocated")
            pays.append((item, part))
        if sum(wanted.values(), ZERO) > amount:
            raise Refusal("payment.allocated_more_than_paid")
        credit = self._post(account, "INTERIM_PAYMENT", -amount, "", self._date(on, None), on)
        for item, part in pays:
            self._allocate(credit, item, part)
        leases = [i for i in self.items_of(account) if i.category == "LEASE" and i.open > 0]
        for item in sorted(leases, key=lambda i: (i.due_on, i.made, i.reference)):
            self._allocate(credit, item, min(item.open, -credit.open))
        return credit

    # --- taking back ----------------------------

    def void(self, item: Item, on: date, accounting_date: date | None = None) -> Item:
        if item.category in SETTLED:
            raise Refusal("void.settlement")
        return self._void(item, on, accounting_date)[0]

    def replace(self, item: Item, amount: Decimal, on: date, account: Account | None = None) -> Item:
        if item.category not in CHARGES:
            raise Refusal("replace.category")
        _, freed = self._void(item, on, None)
        stays = account is None or account is item.account
        new = self._post(
            account or item.account, item.category, amount, self._next_reference(item), self._date(on, None),
            item.event_on, due_on=item.due_on if stays else None, replaces=item,
        )  # fmt: skip
        if new.account is item.account:
            for allocation in freed:
                credit = allocation.credit
                self._allocate(credit, new, min(allocation.amount, new.open, -credit.open))
        return new

    def reverse_settlement(self, account: Account, week: date, on: date) -> None:
        if week not in self.closed:
            raise Refusal("settlement.week_open")
        posted = [
            i
            for i in self.items_of(account)
            if i.run_week == week and i.category in SETTLED and i.reversal_of is None
        ]
        released = [trip for trip in self.trips if trip.account is account and trip.settled_week == week]
        standing = [item for item in posted if not item.voided]
        if not standing and not released:
            raise Refusal("settlement.already_reversed" if posted else "settlement.none")
        for report in self.reports:
            if report.account is account and report.week == week and report.payout and not report.paid:
                standing += [] if report.payout.voided else [report.payout]
        for item in standing:
            self._void(item, on, None)
        for trip in released:
            trip.settled_week = None

    # --- DTRs handed over ----------------------------

    def pay_dtr(self, report: Report) -> None:
        if report.payout is None:
            raise Refusal("dtr.nothing_to_pay")
        if report.paid:
            raise Refusal("dtr.already_paid")
        if report.payout.voided:
            raise Refusal("dtr.payout_withdrawn")
        report.paid = True

    def return_payment(self, report: Report) -> None:
        if not report.paid:
            raise Refusal("dtr.not_paid")
        report.paid = False

    # --- how money moves ----------------------------

    def _post(
        self, account: Account, category: str, amount: Decimal, reference: str, effective_on: date, event_on: date,
        *, due_on: date | None = None, **more: Any,
    ) -> Item:  # fmt: skip
        self.statements += 1
        due_on = (due_on or saturday(effective_on)) if amount > 0 else None
        item = Item(
            account, category, reference, amount, effective_on, due_on, event_on, self.statements, **more
        )
        self.items.append(item)
        return item

    def _date(self, on: date, chosen: date | None) -> date:
        open_from = self.closed[-1] + timedelta(days=7) if self.closed else date.min
        if chosen is not None and chosen < open_from:
            raise Refusal("period.closed")
        return chosen or max(on, open_from)

    def _allocate(self, credit: Item, debit: Item, amount: Decimal) -> Decimal:
        if amount:
            debit.open -= amount
            credit.open += amount
            self.allocations.append(Allocation(credit, debit, amount, in_force=amount > 0))
        return amount

    def waterfall(
        self,
        account: Account,
        dated: date,
        *,
        credits_: Callable[[Item], bool],
        debits: Callable[[Item], bool],
    ) -> Decimal:
        """Pay the first open debit from the first open credit, until one side has none.

        Returns how much was put to debts; a payout, reopened or new, is not counted as one.
        """

        def is_open(item: Item) -> bool:
            return item.open != 0 and item.effective_on <= dated

        owed = [i for i in self.items_of(account) if i.amount > 0 and is_open(i) and debits(i)]
        owed.sort(key=lambda i: (DEBIT_ORDER.index(i.category), i.due_on, i.made, i.reference))
        held = [i for i in self.items_of(account) if i.amount < 0 and is_open(i) and credits_(i)]
        held.sort(key=lambda i: (CREDIT_ORDER.get(i.category, 1), i.effective_on, i.made, i.reference))
        moved = ZERO
        while owed and held:
            paid = self._allocate(held[0], owed[0], min(owed[0].open, -held[0].open))
            moved += ZERO if owed[0].category == "PAYOUT" else paid
            owed = [item for item in owed if item.open]
            held = [item for item in held if item.open]
        return moved

    def _void(self, item: Item, on: date, accounting_date: date | None) -> tuple[Item, list[Allocation]]:
        if item.reversal_of:
            raise Refusal("posting.is_reversal")
        if item.voided:
            raise Refusal("posting.already_voided")
        if any(report.paid and report.payout is item for report in self.reports):
            raise Refusal("void.payout_paid")
        dated = self._date(on, accounting_date)
        undone = [a for a in self.allocations if a.in_force and item in (a.credit, a.debit)]
        for allocation in undone:
            allocation.in_force = False
            self._allocate(allocation.credit, allocation.debit, -allocation.amount)
        item.voided = True
        reversal = self._post(
            item.account, item.category, -item.amount, item.reference, dated, on, reversal_of=item
        )
        debit, credit = (item, reversal) if item.amount > 0 else (reversal, item)
        self._allocate(credit, debit, abs(item.amount))
        return reversal, undone

    def _find(self, category: str, reference: str) -> Item | None:
        for item in self.items:
            if item.key == (category, reference, False):
                return item
        return None

    @staticmethod
    def _next_reference(item: Item) -> str:
        place, original = 2, item
        while original.replaces:
            place, original = place + 1, original.replaces
        return f"{original.reference}/{place}"
