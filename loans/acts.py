"""What people do about a loan besides entering it."""

from datetime import date

from batconnect.common.errors import BatConnectError
from batconnect.common.models import User
from repayments.acts import Act, Data, NoData, ReasonData, cancel_act, reason_field, shared_acts
from repayments.models import Kind, Status
from repayments.services.plans import find_plan

from . import services

CHANGE = "loans.change_driverloan"


class MayNotApprove(BatConnectError):
    code, status = "loan.may_not_approve", 403
    message = "{number} is {amount}, which takes somebody who may approve large loans."


def _pay_out(number: str, data: Data, actor: User, on: date) -> None:
    amount = find_plan(kind=Kind.LOAN, number=number).repayment.amount
    if services.needs_approval(amount) and not actor.has_perm("loans.approve_driverloan"):
        raise MayNotApprove(number=number, amount=amount)
    services.pay_out(number=number, actor=actor, on=on)


def _forgive(number: str, data: Data, actor: User, on: date) -> None:
    services.forgive(number=number, reason=data["reason"], actor=actor, on=on)


ACTS: list[Act] = [
    Act(
        name="pay-out",
        label="Pay out",
        about="Hand the money over: the loan is open, and in the books from its date on.",
        done="{number} is paid out.",
        permission="loans.pay_out_driverloan",
        fields=NoData,
        decide=lambda plan, data, on: services.paying_out(plan),
        carry_out=_pay_out,
        offered=lambda plan: plan.status == Status.DRAFT and not plan.repayment.case_no,
        look="primary",
    ),
    *shared_acts(Kind.LOAN, change=CHANGE),
    Act(
        name="forgive",
        label="Forgive",
        about="Book what is not posted as bad debt and cancel the rest; what is posted stays owed.",
        done="{number}: what was left of it is forgiven.",
        permission="loans.forgive_driverloan",
        fields=ReasonData,
        decide=lambda plan, data, on: services.forgiving(plan, reason=data["reason"]),
        carry_out=_forgive,
        offered=lambda plan: (
            plan.status in (Status.OPEN, Status.HOLD) and plan.remaining + plan.repayment.standing.adrift > 0
        ),
        form=lambda plan, on: [reason_field()],
        look="danger",
    ),
    cancel_act(
        Kind.LOAN,
        permission="loans.cancel_driverloan",
        decide=lambda plan, data, on: services.cancelling(plan, reason=data["reason"]),
        offered=lambda plan: plan.status == Status.DRAFT,
    ),
]
