"""The screen of TLC-001: find the vehicle, enter the summons, see whose it is and what is charged, confirm."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from django.db.models import Q
from django.http import QueryDict

from batconnect.cases.models import Case
from batconnect.cases.screens import FormField, Found, StepPage, StepScreen, whole_number
from batconnect.cases.ways import start_url
from batconnect.common.models import User
from batconnect.common.screens import Action, Cell, Detail, Table, admin_url, day, moment, money_cell
from leases.models import Vehicle, VehicleAssignment
from ledger.models import LedgerPosting

from .admin.agency_parts import STATE_TONES, candidates_table
from .flows import summons_of
from .selectors.agency import accounts_by_id, whole_item
from .services.agency import entering
from .services.agency.errors import AgencyError
from .services.agency.looking import Finding

MOST_FOUND = 12


class UnknownVehicle(AgencyError):
    code, status = "agency.unknown_vehicle", 404
    message = "There is no such vehicle."


class SummonsScreen(StepScreen):
    search_label = "Plate, medallion, VIN or driver"
    another_label = "Another vehicle?"
    confirm_label = "Enter the summons"

    def search(self, *, query: str, actor: User, on: date) -> Sequence[Found]:
        term = query.strip()
        if len(term) < 2 or not term.isprintable():
            return []
        rows = Vehicle.objects.filter(
            Q(plate__istartswith=term)
            | Q(vin__istartswith=term)
            | Q(assignments__ended_at=None, assignments__medallion__number__istartswith=term)
            | Q(leases__driver__name__icontains=term)
            | Q(leases__driver__tlc_license__istartswith=term)
        )
        found = []
        for vehicle in rows.order_by("pk").distinct()[:MOST_FOUND]:
            medallion = _medallion_now(vehicle)
            text = f"{vehicle.vin} · {f'medallion {medallion}' if medallion else 'on no medallion now'}"
            warning = "" if vehicle.plate else "Its plate is not known: enter it with the vehicle first."
            pick = str(vehicle.pk) if vehicle.plate else ""
            found.append(Found(f"{vehicle.plate_state} {vehicle.plate}".strip(), text, pick, warning))
        return found

    def subject(self, *, pick: str, on: date) -> str:
        vehicle = _vehicle(whole_number(pick))
        return f"Summons on {vehicle.plate_state} {vehicle.plate}"

    def picked(self, *, pick: str) -> dict[str, Any]:
        vehicle = _vehicle(whole_number(pick))
        return {"plate": vehicle.plate, "plate_state": vehicle.plate_state}

    def read(self, post: QueryDict) -> dict[str, Any]:
        names = ("number", "plate", "plate_state", "issue_date", "issue_time", "description")
        given = {name: post.get(name, "").strip() for name in names}
        return {**given, "amount": post.get("amount", "").strip().replace(",", "")}

    def page(self, *, case: Case, data: Mapping[str, Any], actor: User, on: date) -> StepPage | None:
        if not data.get("plate"):
            return None
        vehicle = Vehicle.objects.filter(plate=data["plate"]).first()
        medallion = _medallion_now(vehicle) if vehicle else None
        facts = [
            ("Vehicle", Cell(str(vehicle) if vehicle else "not one of ours")),
            ("Medallion now", Cell(medallion.number if medallion else "none")),
        ]
        return StepPage(
            detail=Detail(title=f"{data.get('plate_state', 'NY')} {data['plate']}", facts=facts),
            fields=[
                FormField("number", "Summons number", help="As it stands on the paper.", maximum="40"),
                FormField("issue_date", "Written on", "date", maximum=on.isoformat()),
                FormField("issue_time", "Time of day", help="24 hours, New York: 14:35.", maximum="5"),
                FormField("amount", "Amount", "money", help="US dollars."),
                FormField("description", "What for", required=False, maximum="80"),
            ],
            about={"plate": data["plate"], "plate_state": data.get("plate_state") or "NY"},
            submit_label="See whose it is",
        )

    def preview(self, *, case: Case, data: Mapping[str, Any], actor: User, on: date) -> Detail:
        item, found = entering.preview_summons(summons=summons_of(data), on=on)
        account = accounts_by_id([found.account_id]).get(found.account_id) if found.account_id else None
        figures = [("The summons", money_cell(item.amount))]
        if found.certain and account is not None:
            title = f"Charge {account.driver.name} {item.amount:,.2f}?"
            figures += [
                ("Owed now", money_cell(account.balance)),
                ("Owed afterwards", money_cell(account.balance + item.amount, look="strong")),
            ]
        else:
            title = f"Keep TLC {item.number} for a person to decide?"
        return Detail(
            title=title,
            subtitle=found.reasons,
            badges=[(f"{(found.score or 0) / 100:.2f}", _tone(found))],
            figures=figures,
            facts=[
                ("Plate", Cell(f"{item.plate_state} {item.plate}")),
                ("Written", Cell(moment(item.occurred_at))),
                ("Posted", Cell(f"today, {day(on)}" if found.certain else "nothing yet")),
            ],
            tables=[candidates_table(found.candidates)],
        )

    def done(self, *, case: Case, actor: User) -> Detail:
        item: Any = whole_item(case.result["item_id"])
        actions = [Action("Enter another", start_url("TLC"), look="primary")]
        if actor.has_perm("recon.view_agencyitem"):
            actions.append(Action("Look at it", admin_url(item)))
        rows = []
        if item.decision.posting_id:
            posting = LedgerPosting.objects.select_related("account__driver").get(pk=item.decision.posting_id)
            rows = [
                [
                    Cell(posting.reference_id, admin_url(posting)),
                    Cell(posting.account.driver.name, admin_url(posting.account)),
                    money_cell(posting.amount),
                    money_cell(posting.account.balance),
                ]
            ]
        return Detail(
            title=f"TLC {item.number} is {'charged' if rows else 'kept'}",
            subtitle=item.decision.reasons,
            badges=[(case.case_no, "info"), (item.get_state_display(), STATE_TONES[item.state])],
            tables=[
                Table(
                    "What was posted",
                    ["Posting", "Driver", "#Amount", "#Driver owes now"],
                    rows,
                    empty="Nothing: it waits among the tolls and tickets for a person.",
                )
            ],
            actions=actions,
        )


def _vehicle(key: Any) -> Vehicle:
    vehicle = Vehicle.objects.filter(pk=key).exclude(plate="").first() if isinstance(key, int) else None
    if vehicle is None:
        raise UnknownVehicle
    return vehicle


def _medallion_now(vehicle: Vehicle) -> Any:
    rows = VehicleAssignment.objects.filter(vehicle=vehicle, ended_at=None).select_related("medallion")
    now = rows.first()
    return now.medallion if now else None


def _tone(found: Finding) -> str:
    return "success" if found.certain else "warning" if found.suggested else "danger"
