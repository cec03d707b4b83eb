"""The weekly run of the plain ledger: installments, settlement, waterfall, payout, report, close."""

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from .plain_ledger import SETTLED, ZERO, Account, Item, PlainLedger, Refusal, Report

WEEK = timedelta(days=7)
SIX_DAYS = timedelta(days=6)
MOVES = ("prior", "charges", "voids", "earnings", "desk", "other")


class PlainWeeks(PlainLedger):
    def run(self, week: date, today: date) -> dict[str, object] | None:
        """Run a week; returns its result, or None where it was closed before."""
        if week in self.closed:
            return None
        if today <= week + SIX_DAYS:
            raise Refusal("week.not_ended")
        if self.closed and week != self.closed[-1] + WEEK:
            raise Refusal("week.out_of_order")
        installments = self._post_installments(week)
        reports = [self._settle(account, week) for account in self.accounts if self._is_run(account, week)]
        self.reports += reports
        self.closed.append(week)

        def added(name: str) -> str:
            return str(sum((report.figures[name] for report in reports), ZERO))

        return {
            "week": str(week),
            "leases": len(reports),
            "dtrs": len(reports),
            "installments_posted": installments,
            "earnings": added("gross_earnings"),
            "taxes": added("taxes"),
            "allocated": added("allocated"),
            "net_pay": added("net_pay"),
            "open_receivables": added("open_debits"),
        }

    def last_report(self, account: Account) -> Report | None:
        return next((report for report in reversed(self.reports) if report.account is account), None)

    def _post_installments(self, week: date) -> int:
        """Every full week whose Saturday comes by the one after the run's Sunday."""
        posted, self.statements = 0, self.statements + 1
        for account in self.accounts:
            while account.weekly_fee and account.installments_through + WEEK <= week + timedelta(days=13):
                sunday = account.installments_through + timedelta(days=1)
                if account.ends_on and sunday > account.ends_on:
                    break
                self._together(
                    account,
                    "LEASE",
                    account.weekly_fee,
                    f"{account.lease_number}/{sunday}",
                    week,
                    sunday + SIX_DAYS,
                )
                account.installments_through = sunday + SIX_DAYS
                posted += 1
        return posted

    def _together(
        self,
        account: Account,
        category: str,
        amount: Decimal,
        reference: str,
        week: date,
        due_on: date | None = None,
    ) -> Item:
        """Post for a run what its statement posts at one moment, with others."""
        dated = week + SIX_DAYS
        item = Item(
            account, category, reference, amount, dated, (due_on or dated) if amount > 0 else None, dated,
            self.statements, run_week=week,
        )  # fmt: skip
        self.items.append(item)
        return item

    def _is_run(self, account: Account, week: date) -> bool:
        last = self.last_report(account)
        on_lease = account.starts_on <= week + SIX_DAYS and (
            account.ends_on is None or account.ends_on >= week
        )
        return (
            on_lease
            or any(item.open for item in self.items_of(account))
            or any(t.account is account and t.settled_week is None and t.week <= week for t in self.trips)
            or any(item.account is account for item in self.items[last.items_seen if last else 0 :])
        )

    def _settle(self, account: Account, week: date) -> Report:
        saturday = week + SIX_DAYS
        taxes: dict[str, Decimal] = defaultdict(Decimal)
        earned = ZERO
        for trip in self.trips:
            if trip.account is account and trip.settled_week is None and trip.week <= week:
                trip.settled_week = week
                earned += trip.earnings
                for tax, amount in trip.taxes.items():
                    taxes[tax] += amount
        name = f"{week}/{account.lease_number}"
        self.statements += 1
        for tax, amount in taxes.items():
            if amount:
                self._together(account, "TAXES", amount, f"{name}/{tax}", week)
        if earned:
            self._together(account, "EARNINGS", -earned, name, week)
        allocated = self.waterfall(account, saturday, credits_=lambda i: True, debits=lambda i: True)

        paid_out = [i for i in self.items_of(account) if i.open < 0 and i.category in SETTLED]
        net_pay = -sum((i.open for i in paid_out if i.effective_on <= saturday), ZERO)
        payout = None
        if net_pay:
            self.statements += 1
            payout = self._together(account, "PAYOUT", net_pay, name, week)
            self.waterfall(
                account, saturday, credits_=lambda i: i.category in SETTLED, debits=lambda i: i is payout
            )
        figures: dict[str, Any] = {
            "gross_earnings": earned,
            "taxes": sum(taxes.values(), ZERO),
            "allocated": allocated,
            "net_pay": net_pay,
        }
        return self._report(account, week, payout, figures)

    def _report(self, account: Account, week: date, payout: Item | None, figures: dict[str, Any]) -> Report:
        """What moved since the report before: charges as posted, and every allocation by who paid it."""
        last = self.last_report(account)
        lines: dict[str, dict[str, Decimal]] = defaultdict(lambda: dict.fromkeys(MOVES, ZERO))
        for category, amount in (last.still_open if last else {}).items():
            lines[category]["prior"] = amount
        new_items = [i for i in self.items[last.items_seen if last else 0 :] if i.account is account]
        for item in new_items:
            if item.amount > 0 and not item.reversal_of:
                lines[item.category]["charges"] += item.amount
        for allocation in self.allocations[last.allocations_seen if last else 0 :]:
            if allocation.debit.account is account and not allocation.debit.reversal_of:
                lines[allocation.debit.category][_payer(allocation.credit)] += allocation.amount
        still_open = {}
        for category, line in list(lines.items()):
            line["still_open"] = (
                line["prior"] + line["charges"] - sum((line[name] for name in MOVES[2:]), ZERO)
            )
            if not any(line.values()):
                del lines[category]
            elif line["still_open"]:
                still_open[category] = line["still_open"]
        figures |= {
            "lines": {category: dict(line) for category, line in lines.items()},
            "open_debits": sum(still_open.values(), ZERO),
            "open_credits": -sum((i.open for i in self.items_of(account) if i.open < 0), ZERO),
            "details": {
                (i.category, i.reference): (i.amount, i.open)
                for i in new_items
                if i.amount > 0 and not i.reversal_of and i.category not in ("TAXES", "PAYOUT")
            },
            "voids": {(i.category, i.reference): -i.amount for i in new_items if i.reversal_of},
            "payments": {
                i.reference: -i.amount
                for i in new_items
                if i.category == "INTERIM_PAYMENT" and not i.reversal_of
            },
        }
        return Report(account, week, figures, still_open, payout, len(self.items), len(self.allocations))


def _payer(credit: Item) -> str:
    if credit.reversal_of:
        return "voids"
    if credit.category in SETTLED:
        return "earnings"
    return "desk" if credit.category == "INTERIM_PAYMENT" else "other"
