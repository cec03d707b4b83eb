"""TLC: one step, a summons from the paper. Where it is certain whose it is, it is charged at once; else it waits."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from rest_framework import serializers

from batconnect.api.fields import DateField, PositiveAmountField, TextField
from batconnect.cases.models import Case
from batconnect.cases.registry import Flow, Step, StepDone, register_flow
from batconnect.common.models import User
from leases.models import Vehicle

from .services.agency import entering

CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"


class SummonsData(serializers.Serializer[Any]):
    """What stands on a summons."""

    number = TextField(max_length=40)
    plate = TextField(max_length=12)
    plate_state = TextField(max_length=2, required=False, default="NY")
    issue_date = DateField()
    issue_time = serializers.RegexField(CLOCK, help_text="New York, 24 hours: 14:35.")
    amount = PositiveAmountField()
    description = TextField(max_length=80, required=False, allow_blank=True, default="")


def summons_of(data: Mapping[str, Any]) -> entering.Summons:
    return entering.Summons(
        number=data["number"],
        plate=data["plate"],
        plate_state=data["plate_state"],
        occurred_at=entering.new_york_time(data["issue_date"], data["issue_time"]),
        amount=data["amount"],
        description=data["description"],
    )


def fetch_vehicle(*, case: Case, query: Mapping[str, Any], actor: User, on: date) -> dict[str, Any]:
    """The vehicle behind a VIN or medallion, with its plate."""
    found = Vehicle.objects.none()
    if query.get("vin"):
        found = Vehicle.objects.filter(vin__iexact=query["vin"])
    elif query.get("medallion"):
        found = Vehicle.objects.filter(
            assignments__medallion__number__iexact=query["medallion"], assignments__ended_at=None
        )
    rows = [{"vin": car.vin, "plate": car.plate, "plate_state": car.plate_state} for car in found[:10]]
    return {"vehicles": rows}


def enter_summons(*, case: Case, data: Mapping[str, Any], actor: User, on: date) -> StepDone:
    decision = entering.enter_summons(summons=summons_of(data), actor=actor, on=on, case_no=case.case_no)
    item = decision.item
    return StepDone(
        result={
            "item_id": item.pk,
            "number": item.number,
            "state": decision.state,
            "score": decision.score,
            "posting_id": str(decision.posting_id) if decision.posting_id else None,
            "amount": str(item.amount),
        },
        subject=f"TLC {item.number}: {item.amount}, {item.plate}, {decision.get_state_display().lower()}",
        subject_ref=f"agency_item:{item.pk}",
    )


register_flow(
    Flow(
        prefix="TLC",
        name="TLC summons",
        sla_hours=24,
        steps=(
            Step(
                id="TLC-001",
                title="Enter the summons",
                permission="recon.add_agencyitem",
                fields=SummonsData,
                fetch=fetch_vehicle,
                process=enter_summons,
                screen="recon.summons_screen.SummonsScreen",
            ),
        ),
    )
)
