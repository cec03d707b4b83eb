"""RPR: one step, enter a repair invoice; a draft is confirmed on its own page."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from batconnect.cases.models import Case
from batconnect.cases.registry import Flow, Step, StepDone, register_flow
from batconnect.common.models import User
from repayments import finding

from . import services
from .api import RepairData, shown


def fetch_driver_and_lease(*, case: Case, query: Mapping[str, Any], actor: User, on: date) -> dict[str, Any]:
    """The accounts behind a licence, medallion or VIN, ended leases too; `dov` ones may be charged."""
    return {"accounts": finding.accounts_for(query)}


def enter_repair(*, case: Case, data: Mapping[str, Any], actor: User, on: date) -> StepDone:
    invoice = services.create_repair(**data, actor=actor, on=on, case_no=case.case_no)
    made = shown(invoice.number)
    whose = f"to {invoice.driver.name}" if invoice.charged_to_driver else "paid by the fleet"
    return StepDone(
        result={
            "number": invoice.number,
            "amount": str(invoice.amount),
            "status": made["status"],
            "installments": [
                {name: row[name] for name in ("reference_id", "due_on", "amount", "left")}
                for row in made["installments"]
            ],
        },
        subject=f"{invoice.number}: {invoice.vendor}, {invoice.amount} {whose}",
        subject_ref=f"repayment:{invoice.number}",
    )


register_flow(
    Flow(
        prefix="RPR",
        name="Repair invoice",
        sla_hours=48,
        steps=(
            Step(
                id="RPR-001",
                title="Enter a repair",
                permission="repairs.add_repairinvoice",
                fields=RepairData,
                fetch=fetch_driver_and_lease,
                process=enter_repair,
                screen="repairs.screens.RepairScreen",
            ),
        ),
    )
)
