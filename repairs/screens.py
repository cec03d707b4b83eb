"""The screen of RPR-001: find the driver, enter the invoice, see the schedule, confirm."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from django.http import QueryDict

from batconnect.cases.models import Case
from batconnect.cases.screens import FormField, Found, StepPage, StepScreen, whole_number
from batconnect.cases.ways import start_url
from batconnect.common.models import User
from batconnect.common.screens import Action, Cell, Detail, admin_url, day, money_cell
from batconnect.common.weeks import WEEK, saturday_of
from leases.models import LeaseType
from repayments import finding, showing
from repayments.matrix import weekly_principal
from repayments.models import Kind, Status
from repayments.services.plans import find_plan

from . import services
from .models import RepairInvoice

DRIVER, FLEET = "driver", "fleet"
NOW, LATER = "now", "draft"


class RepairScreen(StepScreen):
    confirm_label = "Enter this repair"

    def search(self, *, query: str, actor: User, on: date) -> Sequence[Found]:
        return finding.hits(query, on=on, running_only=False)

    def subject(self, *, pick: str, on: date) -> str:
        account = finding.picked_account(pick)
        return f"Repair for {account.driver.name}, lease {account.lease.number}"

    def picked(self, *, pick: str) -> dict[str, Any]:
        account = finding.picked_account(pick)
        return {"driver_id": account.driver_id, "lease_id": account.lease_id}

    def read(self, post: QueryDict) -> dict[str, Any]:
        payer = post.get("payer", "")
        return {
            "driver_id": whole_number(post.get("driver_id", "")),
            "lease_id": whole_number(post.get("lease_id", "")),
            "vendor": post.get("vendor", ""),
            "invoice_number": post.get("invoice_number", ""),
            "invoice_date": post.get("invoice_date", ""),
            "vehicle_id": whole_number(post.get("vehicle", "")),
            "amount": post.get("amount", "").strip().replace(",", ""),
            "description": post.get("description", "").replace("\r\n", "\n"),
            "charge_driver": payer == DRIVER,
            "first_due_on": (post.get("first_due_on", "") or None) if payer == DRIVER else None,
            "as_draft": post.get("then", "") == LATER,
        }

    def page(self, *, case: Case, data: Mapping[str, Any], actor: User, on: date) -> StepPage | None:
        if not data.get("lease_id"):
            return None
        account = finding.account_of(data)
        dov = account.lease.lease_type == LeaseType.DOV
        payers = [(DRIVER, "The driver, by the week")] if dov else []
        fields = [
            FormField("vendor", "Vendor", maximum=str(services.LONGEST_VENDOR)),
            FormField("invoice_number", "Vendor's invoice", maximum=str(services.LONGEST_INVOICE)),
            FormField("invoice_date", "Invoice date", "date", maximum=on.isoformat(), initial=on.isoformat()),
            FormField(
                "vehicle",
                "Vehicle",
                "choice",
                choices=[(str(one.pk), str(one)) for one in services.vehicles_of(account.lease)],
                initial=str(data.get("vehicle_id") or account.lease.vehicle_id),
            ),
            FormField("amount", "Amount", "money", help="US dollars, 0.01 to 99,999.99."),
            FormField(
                "payer",
                "Who pays",
                "choice",
                choices=[*payers, (FLEET, "The fleet: nothing is posted")],
                help="" if dov else "Only on a driver-owned vehicle is the driver charged.",
                initial=FLEET if data.get("charge_driver") is False else DRIVER,
            ),
            FormField(
                "first_due_on",
                "First installment due",
                "date",
                help="A Saturday.",
                initial=(saturday_of(on) + WEEK).isoformat(),
                required=False,
                shown_for=f"payer={DRIVER}",
            ),
            FormField(
                "then",
                "And then",
                "choice",
                initial=LATER if data.get("as_draft") else NOW,
                choices=[(NOW, "Confirm it now"), (LATER, "Keep it as a draft")],
            ),
            FormField("description", "What was done", "area", maximum=str(services.LONGEST_DESCRIPTION)),
        ]
        return StepPage(
            detail=showing.account_detail(account, on=on),
            fields=fields if dov else [one for one in fields if one.name != "first_due_on"],
            about={"driver_id": str(account.driver_id), "lease_id": str(account.lease_id)},
            submit_label="See the schedule",
        )

    def preview(self, *, case: Case, data: Mapping[str, Any], actor: User, on: date) -> Detail:
        asked = {name: value for name, value in data.items() if name != "as_draft"}
        lease, planned = services.check_repair(**asked, on=on)
        weekly = weekly_principal(data["amount"])
        return Detail(
            title=f"{'Charge ' + lease.driver.name if planned else 'Enter'} {data['amount']:,.2f}?",
            subtitle=f"{data['vendor']}, invoice {data['invoice_number']} · lease {lease.number}",
            badges=[] if planned else [("paid by the fleet", "info")],
            figures=[
                ("The invoice", money_cell(data["amount"])),
                ("A week", money_cell(weekly) if planned else Cell("–")),
                ("Installments", Cell(str(len(planned)))),
            ],
            facts=[
                ("Invoice date", Cell(day(data["invoice_date"]))),
                ("Posted", Cell("each when it is due, by the weekly run" if planned else "nothing")),
                ("Afterwards", Cell("a draft, to be confirmed" if data["as_draft"] else "open")),
                ("What was done", Cell(data["description"])),
            ],
            tables=[showing.planned_table("The schedule", planned, with_interest=False)] if planned else [],
        )

    def done(self, *, case: Case, actor: User) -> Detail:
        plan = find_plan(kind=Kind.REPAIR, number=case.result["number"])
        invoice = RepairInvoice.objects.get(pk=plan.repayment.pk)
        actions = [Action("Its page", admin_url(invoice))]
        if actor.has_perm("repairs.add_repairinvoice"):
            actions.insert(0, Action("Enter another", start_url("RPR"), look="primary"))
        return Detail(
            title=f"{invoice.number} is entered",
            subtitle=f"{invoice.vendor}, invoice {invoice.invoice_number}: {invoice.driver}",
            badges=[(case.case_no, "info"), (Status(plan.status).label, showing.TONES[plan.status])],
            figures=showing.figures_of(plan),
            tables=showing.schedule_tables(plan),
            actions=actions,
        )
