"""The screens of ADJ, WOFF and REFUND: whose, what for, the exact effect; and, of a large one, the decision on it."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from django.http import QueryDict

from batconnect.cases.models import Case
from batconnect.cases.screens import FormField, SecondPersonScreen, StepPage, whole_number
from batconnect.cases.ways import start_url
from batconnect.common.models import User
from batconnect.common.screens import Action, Cell, Detail, Table, admin_url, list_url, money, money_cell
from ledger import credit_flows, flows
from ledger.models import Category, CreditDecision, LedgerBalance, OutgoingMethod
from ledger.services import credits
from ledger.services.credits import CreditAsked, CreditPlan
from ledger.services.drawers import check_holds
from ledger.services.reasons import LONGEST_REASON, checked_reason

from .payment_case import AccountScreen, account_detail, allocations_in, chosen_account, item_rows

Kind = CreditDecision.Kind
PERMISSIONS = {
    Kind.ADJUSTMENT: "ledger.grant_adjustment",
    Kind.WRITE_OFF: "ledger.write_off",
    Kind.REFUND: "ledger.refund_credit",
}
_REASON = FormField(
    "reason",
    "Why",
    "area",
    help="At least 10 characters. The next reader has only this sentence.",
    maximum=str(LONGEST_REASON),
)
_AMOUNT = FormField("amount", "Amount", "money")


class CreditScreen(AccountScreen):
    """The first step; each kind adds its form."""

    kind: Kind
    confirm_label = "Do it"
    fields: Sequence[FormField] = ()
    rest_rule = ""

    def subject(self, *, pick: str, on: date) -> str:
        return f"{self.kind.label}: {super().subject(pick=pick, on=on)}"

    def read(self, post: QueryDict) -> dict[str, Any]:
        return {
            "driver_id": whole_number(post.get("driver_id", "")),
            "lease_id": whole_number(post.get("lease_id", "")),
            "reason": post.get("reason", "").replace("\r\n", "\n"),
        }

    def page(self, *, case: Case, data: Mapping[str, Any], actor: User, on: date) -> StepPage | None:
        if not data.get("lease_id"):
            return None
        account = chosen_account(flows.payment_account(data).pk)
        given = data.get("allocations")
        return StepPage(
            detail=account_detail(account),
            fields=self.fields,
            about={"driver_id": str(account.driver_id), "lease_id": str(account.lease_id)},
            submit_label="See what it does",
            part="cases/payment_items.html",
            context={
                "items": item_rows(account, given if isinstance(given, dict) else {}),
                "rest": "open",
                "rule": self.rest_rule,
                "nothing_open": "Nothing is open.",
                "no_amount": _AMOUNT not in self.fields,
            },
        )

    def preview(self, *, case: Case, data: Mapping[str, Any], actor: User, on: date) -> Detail:
        asked = credit_flows.asked_for(self.kind, data)
        plan = credits.plan_credit(asked)
        if asked.method == OutgoingMethod.CASH:
            check_holds(cashier=actor, amount=plan.amount, on=on)
        ask = "Ask a second person for" if plan.needs_approval else "Post"
        return effect(asked, plan, title=f"{ask} this {self.kind.label.lower()} of {money(plan.amount)}?")

    def done(self, *, case: Case, actor: User) -> Detail:
        return result(case, actor)


class AdjustmentScreen(CreditScreen):
    kind = Kind.ADJUSTMENT
    confirm_label = "Grant it"
    fields = (_AMOUNT, _REASON)
    rest_rule = "What is not put to an item stays an open credit; the next weekly run uses it first."

    def read(self, post: QueryDict) -> dict[str, Any]:
        return {**super().read(post), "amount": _amount(post), "allocations": allocations_in(post)}


class WriteOffScreen(CreditScreen):
    kind = Kind.WRITE_OFF
    confirm_label = "Write it off"
    confirm_look = "danger"
    fields = (_REASON,)
    rest_rule = "What is put to items is written off, and nothing else."

    def read(self, post: QueryDict) -> dict[str, Any]:
        return {**super().read(post), "allocations": allocations_in(post)}


class RefundScreen(CreditScreen):
    kind = Kind.REFUND
    confirm_label = "Ask for it"
    fields = (
        _AMOUNT,
        FormField("method", "Paid back by", "choice", choices=OutgoingMethod.choices),
        FormField(
            "method_reference",
            "Check number or ACH reference",
            maximum="60",
            shown_for="method=CHECK,ACH",
        ),
        _REASON,
    )

    def read(self, post: QueryDict) -> dict[str, Any]:
        return {
            **super().read(post),
            "amount": _amount(post),
            "method": post.get("method", ""),
            "method_reference": post.get("method_reference", "").strip(),
        }

    def page(self, *, case: Case, data: Mapping[str, Any], actor: User, on: date) -> StepPage | None:
        if not data.get("lease_id"):
            return None
        account = chosen_account(flows.payment_account(data).pk)
        found = credits.refundable_credits(account.pk)
        rows = [
            [
                Cell(str(Category(item.category).label)),
                Cell(item.reference_id, admin_url(item.posting)),
                money_cell(-item.balance),
            ]
            for item in found
        ]
        shown = account_detail(account)
        return StepPage(
            detail=Detail(
                title=shown.title,
                subtitle=shown.subtitle,
                figures=[*shown.figures, ("Can be paid back", money_cell(credits.refundable(account.pk)))],
                tables=[
                    Table(
                        "Credit that can be paid back",
                        ["Category", "Reference", "#Open"],
                        rows,
                        empty="None. Earnings are paid out by the weekly run.",
                        note="The oldest is used first." if len(rows) > 1 else "",
                    )
                ],
            ),
            fields=self.fields,
            about={"driver_id": str(account.driver_id), "lease_id": str(account.lease_id)},
            submit_label="See what it does",
            refused="" if rows else "There is no credit that could be paid back.",
        )


class CreditDecisionScreen(SecondPersonScreen):
    """The second person's step, of every kind."""

    kind: Kind

    def page(self, *, case: Case, data: Mapping[str, Any], actor: User, on: date) -> StepPage | None:
        asked = credit_flows.asked_for(self.kind, case.result)
        return self.decision_page(
            effect(asked, credits.plan_credit(asked), facts=_asked(case)), longest_note=LONGEST_REASON
        )

    def preview(self, *, case: Case, data: Mapping[str, Any], actor: User, on: date) -> Detail:
        asked = credit_flows.asked_for(self.kind, case.result)
        told = f"{self.kind.label.lower()} for {asked.account.driver.name}"
        if data["decision"] == "REJECT":
            note = checked_reason(data["note"])
            return Detail(
                title=f"Reject the {told}?",
                subtitle="Nothing is posted.",
                facts=[*_asked(case), ("Your note", Cell(note))],
            )
        return effect(asked, credits.plan_credit(asked), title=f"Approve the {told}?", facts=_asked(case))

    def done(self, *, case: Case, actor: User) -> Detail:
        return result(case, actor)


class AdjustmentDecisionScreen(CreditDecisionScreen):
    kind = Kind.ADJUSTMENT


class WriteOffDecisionScreen(CreditDecisionScreen):
    kind = Kind.WRITE_OFF


class RefundDecisionScreen(CreditDecisionScreen):
    kind = Kind.REFUND


def effect(
    asked: CreditAsked, plan: CreditPlan, *, title: str = "", facts: Sequence[tuple[str, Cell]] = ()
) -> Detail:
    """Everything it does: the items it is put to (of a refund: the credits it takes), and what is owed then."""
    account, refund = asked.account, asked.kind == Kind.REFUND
    items = LedgerBalance.objects.in_bulk([part.posting_id for part in plan.parts])
    rows = []
    for part in plan.parts:
        open_now = abs(items[part.posting_id].balance)
        rows.append(
            [
                Cell(str(Category(part.category).label)),
                Cell(part.reference_id),
                money_cell(part.amount),
                money_cell(open_now),
                money_cell(open_now - part.amount, look="strong"),
            ]
        )
    label = Kind(asked.kind).label
    figures = [
        (label, money_cell(plan.amount)),
        ("Owed now", money_cell(account.balance)),
        (
            "Owed afterwards",
            money_cell(account.balance + (plan.amount if refund else -plan.amount), look="strong"),
        ),
    ]
    if asked.kind == Kind.ADJUSTMENT:
        figures.append(("Stays as credit", money_cell(plan.stays_open)))
    how = f"{OutgoingMethod(asked.method).label} {asked.method_reference}".strip() if refund else ""
    return Detail(
        title=title or f"{label} of {money(plan.amount)}",
        subtitle=f"{account.driver}, lease {account.lease.number}",
        badges=[("needs a second person", "warning")] if plan.needs_approval else [],
        figures=figures,
        facts=[*([("Paid back by", Cell(how))] if refund else []), *(facts or [("Why", Cell(asked.reason))])],
        tables=[
            Table(
                "Credit it takes" if refund else "What it is put to",
                ["Category", "Reference", "#Amount", "#Open now", "#Open afterwards"],
                rows,
                empty="No item: all of it stays an open credit, which the next run uses first.",
            )
        ],
    )


def result(case: Case, actor: User) -> Detail:
    """What came of the case: done, waiting, or turned down; and the next thing to do."""
    made = case.result
    kind = Kind(made["kind"])
    again = (
        [Action(f"Another {kind.label.lower()}", start_url(case.flow), look="primary")]
        if actor.has_perm(PERMISSIONS[kind])
        else []
    )
    facts = _asked(case)
    if "number" not in made:
        waiting = case.status == Case.Status.OPEN
        return Detail(
            title=f"The {kind.label.lower()} {'waits for a second person' if waiting else 'was turned down'}",
            subtitle="Nothing is posted yet; the case is open to anyone who may approve it."
            if waiting
            else "Nothing was posted.",
            badges=[(case.case_no, "info")],
            figures=[(kind.label, money_cell(made["amount"]))],
            facts=[*facts, *([("Note", Cell(made["note"]))] if made.get("note") else [])],
            actions=[*again, Action("Cases for anyone", list_url(Case, "whose=free"))],
        )
    done = CreditDecision.objects.select_related("posting", "account__driver", "account__lease").get(
        number=made["number"]
    )
    if made.get("approved_by"):
        facts = [*facts, ("Approved by", Cell(made["approved_by"]))]
    return Detail(
        title=f"{done.number} is posted",
        subtitle=f"{done.account.driver}, lease {done.account.lease.number}",
        badges=[(case.case_no, "info"), (kind.label.lower(), "success")],
        figures=[
            (kind.label, money_cell(done.amount, admin_url(done.posting))),
            ("Owed before", money_cell(made["balance_before"])),
            ("Owed afterwards", money_cell(made["balance_after"], admin_url(done.account))),
        ],
        facts=facts,
        tables=[
            Table(
                "Credit it took" if kind == Kind.REFUND else "Put to",
                ["Category", "Reference", "#Amount"],
                [
                    [
                        Cell(str(Category(row["category"]).label)),
                        Cell(row["reference_id"]),
                        money_cell(row["amount"]),
                    ]
                    for row in done.parts
                ],
                empty="No item: all of it is an open credit.",
            )
        ],
        actions=again,
    )


def _asked(case: Case) -> list[tuple[str, Cell]]:
    return [("Why", Cell(case.result["reason"])), ("Asked by", Cell(case.result["asked_by"]))]


def _amount(post: QueryDict) -> str:
    return post.get("amount", "").strip().replace(",", "")
