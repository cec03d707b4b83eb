"""The screens of DLN-001 and DLN-002: find the driver, enter the loan, see its schedule; approve a large one."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from django.http import QueryDict

from batconnect.cases.models import Case
from batconnect.cases.screens import FormField, Found, SecondPersonScreen, StepPage, StepScreen, whole_number
from batconnect.cases.ways import start_url
from batconnect.common.models import User
from batconnect.common.money import total
from batconnect.common.screens import Action, Cell, Detail, admin_url, day, list_url, money_cell
from batconnect.common.weeks import WEEK, saturday_of
from ledger.models import OutgoingMethod
from ledger.services.reasons import LONGEST_REASON, checked_reason
from repayments import finding, showing
from repayments.models import Kind, Status
from repayments.services.plans import find_plan

from . import services
from .flows import goes_to_second_person
from .models import DriverLoan


class LoanScreen(StepScreen):
    confirm_label = "Lend it"

    def search(self, *, query: str, actor: User, on: date) -> Sequence[Found]:
        return finding.hits(query, on=on, running_only=True)

    def subject(self, *, pick: str, on: date) -> str:
        account = finding.picked_account(pick)
        return f"Loan to {account.driver.name}, lease {account.lease.number}"

    def picked(self, *, pick: str) -> dict[str, Any]:
        account = finding.picked_account(pick)
        return {"driver_id": account.driver_id, "lease_id": account.lease_id}

    def read(self, post: QueryDict) -> dict[str, Any]:
        method = post.get("method", "")
        return {
            "driver_id": whole_number(post.get("driver_id", "")),
            "lease_id": whole_number(post.get("lease_id", "")),
            "amount": post.get("amount", "").strip().replace(",", ""),
            "rate": post.get("rate", "").strip(),
            "loan_date": post.get("loan_date", ""),
            "first_due_on": post.get("first_due_on", ""),
            "method": method,
            "method_reference": post.get("method_reference", "") if method != OutgoingMethod.CASH else "",
            "purpose": post.get("purpose", "").replace("\r\n", "\n"),
        }

    def page(self, *, case: Case, data: Mapping[str, Any], actor: User, on: date) -> StepPage | None:
        if not data.get("lease_id"):
            return None
        account = finding.account_of(data)
        return StepPage(
            detail=showing.account_detail(account, on=on),
            fields=[
                FormField("amount", "Amount", "money", help="US dollars, 0.01 to 99,999.99."),
                FormField(
                    "rate", "Interest, per cent a year", "money", help="0.00 to 25.00.", initial="0.00"
                ),
                FormField(
                    "loan_date",
                    "Handed over on",
                    "date",
                    maximum=on.isoformat(),
                    initial=on.isoformat(),
                    help="Interest counts from then.",
                ),
                FormField(
                    "first_due_on",
                    "First installment due",
                    "date",
                    help="A Saturday.",
                    initial=(saturday_of(on) + WEEK).isoformat(),
                ),
                FormField(
                    "method",
                    "How it is paid out",
                    "choice",
                    choices=[("", "Choose…"), *OutgoingMethod.choices],
                ),
                FormField(
                    "method_reference",
                    "Check number or ACH reference",
                    maximum=str(services.LONGEST_REFERENCE),
                    shown_for="method=CHECK,ACH",
                ),
                FormField("purpose", "For", "area", required=False, maximum=str(services.LONGEST_PURPOSE)),
            ],
            about={"driver_id": str(account.driver_id), "lease_id": str(account.lease_id)},
            submit_label="See the schedule",
        )

    def preview(self, *, case: Case, data: Mapping[str, Any], actor: User, on: date) -> Detail:
        lease, planned = services.check_loan(
            **{name: value for name, value in data.items() if name != "purpose"}, on=on
        )
        second = goes_to_second_person(data["amount"], actor)
        interest = total(one.interest for one in planned)
        method = f"{OutgoingMethod(data['method']).label} {data['method_reference']}".strip()
        return Detail(
            title=f"{'Ask a second person to lend' if second else 'Lend'} {lease.driver.name} {data['amount']:,.2f}?",
            subtitle=f"{data['rate']} % a year from {day(data['loan_date'])} · lease {lease.number}",
            badges=[("needs a second person", "warning")] if second else [],
            figures=[
                ("The loan", money_cell(data["amount"])),
                ("Interest in all", money_cell(interest)),
                ("Repaid in all", money_cell(data["amount"] + interest, look="strong")),
                ("Installments", Cell(str(len(planned)))),
            ],
            facts=[
                ("Paid out by", Cell(method)),
                ("Posted", Cell("each installment when it is due, by the weekly run")),
                ("For", Cell(data["purpose"] or "–")),
            ],
            tables=[showing.planned_table("The schedule", planned, with_interest=True)],
        )

    def done(self, *, case: Case, actor: User) -> Detail:
        return loan_result(case, actor)


class DecisionScreen(SecondPersonScreen):
    approve_label = "Approve and pay out"

    def page(self, *, case: Case, data: Mapping[str, Any], actor: User, on: date) -> StepPage | None:
        return self.decision_page(_loan_detail(case), longest_note=LONGEST_REASON)

    def preview(self, *, case: Case, data: Mapping[str, Any], actor: User, on: date) -> Detail:
        detail = _loan_detail(case)
        if data["decision"] == "REJECT":
            note = checked_reason(data["note"])
            return Detail(
                title=f"Reject {case.result['number']}?",
                subtitle="The draft is cancelled; nothing is paid out.",
                figures=detail.figures,
                facts=[*detail.facts, ("Your note", Cell(note))],
            )
        return Detail(
            title=f"Approve, and pay out {case.result['number']}?",
            subtitle=detail.subtitle,
            figures=detail.figures,
            facts=detail.facts,
            tables=detail.tables,
        )

    def done(self, *, case: Case, actor: User) -> Detail:
        return loan_result(case, actor)


def loan_result(case: Case, actor: User) -> Detail:
    """What came of a DLN case: lent, waiting, or turned down; and the next thing to do."""
    detail = _loan_detail(case)
    number = case.result["number"]
    if case.result.get("paid_out"):
        title, subtitle = f"{number} is paid out", detail.subtitle
    elif case.status == Case.Status.OPEN:
        title, subtitle = f"{number} waits for a second person", "Nothing is paid out yet."
    else:
        title, subtitle = f"{number} was turned down", "Nothing was paid out."
    facts = list(detail.facts)
    facts += [(label, Cell(case.result[name])) for name, label in _DECIDED if case.result.get(name)]
    actions = []
    if actor.has_perm("loans.add_driverloan"):
        actions.append(Action("Enter another", start_url("DLN"), look="primary"))
    if actor.has_perm("loans.view_driverloan"):
        actions.append(Action("Its page", admin_url(DriverLoan.objects.get(number=number))))
    if case.status == Case.Status.OPEN:
        actions.append(Action("Cases for anyone", list_url(Case, "whose=free")))
    return Detail(
        title=title,
        subtitle=subtitle,
        badges=[(case.case_no, "info"), *detail.badges],
        figures=detail.figures,
        facts=facts,
        tables=detail.tables,
        actions=actions,
    )


_DECIDED = (("approved_by", "Approved by"), ("rejected_by", "Rejected by"), ("note", "Note"))


def _loan_detail(case: Case) -> Detail:
    plan = find_plan(kind=Kind.LOAN, number=case.result["number"])
    loan = DriverLoan.objects.get(pk=plan.repayment.pk)
    return Detail(
        title=loan.number,
        subtitle=f"{loan.rate} % a year from {day(loan.starts_on)} to {plan.repayment.driver}",
        badges=[(Status(plan.status).label, showing.TONES[plan.status])],
        figures=[
            ("The loan", money_cell(loan.amount)),
            ("Interest in all", money_cell(total(row.interest for row in plan.rows))),
            ("Owed by the driver now", money_cell(plan.repayment.account.balance)),
        ],
        facts=[
            ("Lease", Cell(plan.repayment.lease.number)),
            ("Paid out by", Cell(f"{loan.get_method_display()} {loan.method_reference}".strip())),
            ("For", Cell(loan.purpose or "–")),
            ("Entered by", Cell(str(plan.repayment.created_by))),
        ],
        tables=showing.schedule_tables(plan)[:1],
    )
