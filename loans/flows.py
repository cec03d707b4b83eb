"""DLN: enter a loan; a large one, or one whose clerk may not pay out, goes to a second person first."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from rest_framework import serializers

from batconnect.api.fields import TextField
from batconnect.cases.models import Case
from batconnect.cases.registry import Flow, Step, StepDone, register_flow
from batconnect.common.models import User
from ledger.services.reasons import LONGEST_REASON, checked_reason
from repayments import finding
from repayments.models import Kind, Status
from repayments.services.plans import find_plan

from . import services
from .api import LoanData, shown
from .models import DriverLoan


class LoanDecisionData(serializers.Serializer[Any]):
    decision = serializers.ChoiceField(choices=["APPROVE", "REJECT"])
    note = TextField(
        max_length=LONGEST_REASON, required=False, allow_blank=True, default="", help_text="Needed to reject."
    )


def fetch_driver_and_lease(*, case: Case, query: Mapping[str, Any], actor: User, on: date) -> dict[str, Any]:
    """The accounts behind a licence, medallion or VIN."""
    return {"accounts": finding.accounts_for(query)}


def goes_to_second_person(amount: Any, actor: User) -> bool:
    return services.needs_approval(amount) or not actor.has_perm("loans.pay_out_driverloan")


def enter_loan(*, case: Case, data: Mapping[str, Any], actor: User, on: date) -> StepDone:
    """Draft the loan, and pay it out at once where one person may."""
    loan = services.create_loan(**data, actor=actor, on=on, case_no=case.case_no)
    asked = {"number": loan.number, "amount": str(loan.amount), "entered_by": actor.username}
    ref = f"repayment:{loan.number}"
    if goes_to_second_person(loan.amount, actor):
        return StepDone(result=asked, subject=f"Lend {_told(loan)}?", subject_ref=ref, next_step="DLN-002")
    services.pay_out(number=loan.number, actor=actor, on=on, case_no=case.case_no)
    return StepDone(result={**asked, "paid_out": True}, subject=f"Lent {_told(loan)}", subject_ref=ref)


def fetch_decision(*, case: Case, query: Mapping[str, Any], actor: User, on: date) -> dict[str, Any]:
    """The loan that waits, with its schedule."""
    return {"loan": shown(case.result["number"]) if "number" in case.result else None}


def decide_loan(*, case: Case, data: Mapping[str, Any], actor: User, on: date) -> StepDone:
    """Pay out what somebody else entered, or turn it down with a note, which cancels the draft."""
    number = case.result["number"]
    loan = DriverLoan.objects.select_related("driver").get(number=number)
    if data["decision"] == "REJECT":
        note = checked_reason(data["note"])
        if find_plan(kind=Kind.LOAN, number=number).status == Status.DRAFT:
            services.cancel_draft(number=number, reason=note, actor=actor, on=on, case_no=case.case_no)
        return StepDone(result={"rejected_by": actor.username, "note": note}, cancelled=note)
    services.pay_out(number=number, actor=actor, on=on, case_no=case.case_no)
    return StepDone(
        result={"paid_out": True, "approved_by": actor.username, "note": data["note"]},
        subject=f"Lent {_told(loan)}",
    )


def _told(loan: DriverLoan) -> str:
    return f"{loan.driver.name} {loan.amount}, {loan.number}"


register_flow(
    Flow(
        prefix="DLN",
        name="Driver loan",
        sla_hours=48,
        steps=(
            Step(
                id="DLN-001",
                title="Lend to a driver",
                permission="loans.add_driverloan",
                fields=LoanData,
                fetch=fetch_driver_and_lease,
                process=enter_loan,
                screen="loans.screens.LoanScreen",
            ),
            Step(
                id="DLN-002",
                title="Approve the loan",
                permission="loans.approve_driverloan",
                fields=LoanDecisionData,
                fetch=fetch_decision,
                process=decide_loan,
                screen="loans.screens.DecisionScreen",
                approval=True,
            ),
        ),
    )
)
