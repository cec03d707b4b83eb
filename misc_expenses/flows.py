"""MISCEXP: one step, charge the driver."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from rest_framework import serializers

from batconnect.api.fields import BodyIdField, DateField, PositiveAmountField, TextField
from batconnect.cases.models import Case
from batconnect.cases.registry import Flow, Step, StepDone, register_flow
from batconnect.common.models import User

from . import finding, services
from .models import ExpenseCategory


class ExpenseData(serializers.Serializer[Any]):
    """What is entered: MiscellaneousExpenseCreate of the integration guide."""

    driver_id = BodyIdField()
    lease_id = BodyIdField()
    category = serializers.ChoiceField(choices=ExpenseCategory.choices)
    amount = PositiveAmountField(help_text="0.01 to 99,999.99")
    expense_date = DateField(help_text="When it happened; not ahead of today.")
    notes = TextField(max_length=services.LONGEST_NOTES, required=False, allow_blank=True, default="")


def fetch_driver_and_lease(*, case: Case, query: Mapping[str, Any], actor: User, on: date) -> dict[str, Any]:
    """The drivers and active leases behind a licence, medallion or VIN; without one, just the form's choices."""
    found = {name: str(query[name]) for name in finding.KEYS if query.get(name)}
    leases = finding.find_leases(query=found, on=on) if found else []
    return {
        "leases": [finding.lease_facts(lease) for lease in leases],
        "categories": list(ExpenseCategory.values),
    }


def create_expense(*, case: Case, data: Mapping[str, Any], actor: User, on: date) -> StepDone:
    expense = services.create_misc_expense(**data, actor=actor, on=on, case_no=case.case_no)
    return StepDone(
        result={
            "expense_id": expense.expense_id,
            "posting_id": str(expense.posting_id),
            "amount": str(expense.amount),
            "category": expense.category,
        },
        subject=f"{expense.expense_id}: {expense.category}, {expense.amount} to {expense.driver.name}",
        subject_ref=f"misc_expense:{expense.expense_id}",
    )


register_flow(
    Flow(
        prefix="MISCEXP",
        name="Miscellaneous expense",
        sla_hours=24,
        steps=(
            Step(
                id="MISCEXP-001",
                title="Charge the driver",
                permission="misc_expenses.add_miscellaneousexpense",
                fields=ExpenseData,
                fetch=fetch_driver_and_lease,
                process=create_expense,
                screen="misc_expenses.screens.ExpenseScreen",
            ),
        ),
    )
)
