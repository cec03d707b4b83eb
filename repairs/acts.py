"""What people do about a repair besides entering it."""

from repayments.acts import Act, NoData, cancel_act, decided, shared_acts
from repayments.models import Kind, Status
from repayments.services import decisions

CHANGE = "repairs.change_repairinvoice"

ACTS: list[Act] = [
    Act(
        name="confirm",
        label="Confirm",
        about="A draft becomes open: from now on its installments post when they are due.",
        done="{number} is confirmed.",
        permission="repairs.add_repairinvoice",
        fields=NoData,
        decide=lambda plan, data, on: decisions.confirm(plan),
        carry_out=decided(Kind.REPAIR, lambda plan, data, on: decisions.confirm(plan)),
        offered=lambda plan: plan.status == Status.DRAFT,
        look="primary",
    ),
    *shared_acts(Kind.REPAIR, change=CHANGE),
    cancel_act(
        Kind.REPAIR,
        permission="repairs.cancel_repairinvoice",
        decide=lambda plan, data, on: decisions.cancel(plan, reason=data["reason"]),
        offered=lambda plan: (
            (plan.status in (Status.DRAFT, Status.OPEN, Status.HOLD) or not plan.repayment.billed)
            and plan.status != Status.CANCELLED
            and not plan.having("POSTED", "PAID")
        ),
    ),
]
