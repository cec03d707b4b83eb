"""The screen of MISCEXP-001: find the driver, see lease and debts, enter the charge, see its effect, confirm."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.http import QueryDict

from batconnect.cases.models import Case
from batconnect.cases.screens import FormField, Found, StepPage, StepScreen, whole_number
from batconnect.cases.ways import start_url
from batconnect.common.models import User
from batconnect.common.screens import Action, Cell, Detail, Table, admin_url, day, money_cell
from leases.models import Lease
from ledger.models import LedgerPosting
from ledger.selectors.account_items import account_of_lease, owed_by_category

from . import finding, services
from .models import ExpenseCategory, MiscellaneousExpense


class ExpenseScreen(StepScreen):
    confirm_label = "Charge the driver"

    def search(self, *, query: str, actor: User, on: date) -> Sequence[Found]:
        found = []
        for driver, lease in finding.matching(query, on=on):
            if lease is None:
                found.append(Found(str(driver), warning="No active lease: nothing can be charged."))
                continue
            text = f"Lease {lease.number} · medallion {lease.medallion.number} · {lease.vehicle}"
            found.append(Found(str(driver), text, pick=str(lease.pk)))
        return found

    def subject(self, *, pick: str, on: date) -> str:
        lease = _lease(whole_number(pick))
        finding.checked_lease(driver_id=lease.driver_id, lease_id=lease.pk, on=on)
        return f"{lease.driver.name}, lease {lease.number}"

    def picked(self, *, pick: str) -> dict[str, Any]:
        lease = _lease(whole_number(pick))
        return {"driver_id": lease.driver_id, "lease_id": lease.pk}

    def read(self, post: QueryDict) -> dict[str, Any]:
        return {
            "driver_id": whole_number(post.get("driver_id", "")),
            "lease_id": whole_number(post.get("lease_id", "")),
            "category": post.get("category", ""),
            "amount": post.get("amount", "").strip().replace(",", ""),
            "expense_date": post.get("expense_date", ""),
            "notes": post.get("notes", "").replace("\r\n", "\n"),
        }

    def page(self, *, case: Case, data: Mapping[str, Any], actor: User, on: date) -> StepPage | None:
        if not data.get("lease_id"):
            return None
        lease = _lease(data["lease_id"])
        try:
            finding.checked_lease(driver_id=lease.driver_id, lease_id=lease.pk, on=on)
            refused = ""
        except finding.NoActiveLease as error:
            refused = str(error)
        return StepPage(
            detail=_lease_detail(lease),
            fields=[
                FormField(
                    "category", "Category", "choice", choices=[("", "Choose…"), *ExpenseCategory.choices]
                ),
                FormField("amount", "Amount", "money", help="US dollars, 0.01 to 99,999.99."),
                FormField(
                    "expense_date",
                    "When it happened",
                    "date",
                    maximum=on.isoformat(),
                    initial=on.isoformat(),
                ),
                FormField("notes", "Note", "area", required=False, maximum=str(services.LONGEST_NOTES)),
            ],
            about={"driver_id": str(lease.driver_id), "lease_id": str(lease.pk)},
            submit_label="See what it does",
            refused=refused,
        )

    def preview(self, *, case: Case, data: Mapping[str, Any], actor: User, on: date) -> Detail:
        asked = {name: data[name] for name in ("driver_id", "lease_id", "category", "amount", "expense_date")}
        lease = services.check_lease_and_rules(**asked, on=on)
        account = account_of_lease(lease.pk, lease.driver_id)
        before = account.balance if account else Decimal("0.00")
        return Detail(
            title=f"Charge {lease.driver.name} {data['amount']:,.2f}?",
            subtitle=f"{data['category']} · lease {lease.number} · medallion {lease.medallion.number}",
            figures=[
                ("The charge", money_cell(data["amount"])),
                ("Owed now", money_cell(before)),
                ("Owed afterwards", money_cell(before + data["amount"], look="strong")),
            ],
            facts=[
                ("Happened on", Cell(day(data["expense_date"]))),
                ("Posted", Cell(f"today, {day(on)}")),
                ("Taken", Cell("from the earnings of the next weekly run, unless it is paid before")),
                ("Note", Cell(data["notes"] or "–")),
            ],
            tables=[
                Table(
                    "What is posted",
                    ["Posting", "Reference", "#Debit"],
                    [
                        [
                            Cell(f"Miscellaneous: {data['category']}"),
                            Cell("the next MISC number"),
                            money_cell(data["amount"]),
                        ]
                    ],
                )
            ],
        )

    def done(self, *, case: Case, actor: User) -> Detail:
        rows = MiscellaneousExpense.objects.with_status().select_related("driver", "lease", "account")
        expense: Any = rows.get(expense_id=case.result["expense_id"])
        posting = LedgerPosting.objects.get(pk=expense.posting_id)
        actions = []
        if actor.has_perm("misc_expenses.add_miscellaneousexpense"):
            actions.append(Action("Charge another", start_url("MISCEXP"), look="primary"))
        if actor.has_perm("ledger.take_payment"):
            pay = f"{start_url('INTPAY')}?q={expense.driver.tlc_license}"
            actions.append(Action("Take a payment", pay))
        return Detail(
            title=f"{expense.expense_id} is charged",
            subtitle=f"{expense.driver}, lease {expense.lease.number}",
            badges=[(case.case_no, "info"), (expense.status.lower(), "success")],
            tables=[
                Table(
                    "What was posted",
                    ["Expense", "Posting", "#Amount", "#Still open", "#Driver owes now"],
                    [
                        [
                            Cell(expense.expense_id, admin_url(expense)),
                            Cell(f"Miscellaneous: {expense.category}", admin_url(posting)),
                            money_cell(expense.amount),
                            money_cell(expense.open_amount),
                            money_cell(expense.account.balance, admin_url(expense.account)),
                        ]
                    ],
                    note="Open until the next weekly run takes it from the driver's earnings, or it is paid here.",
                )
            ],
            actions=actions,
        )


def _lease(key: Any) -> Lease:
    rows = Lease.objects.select_related("driver", "medallion", "vehicle")
    lease = rows.filter(pk=key).first() if isinstance(key, int) else None
    if lease is None:
        raise finding.LeaseNotTheirs
    return lease


def _lease_detail(lease: Lease) -> Detail:
    account = account_of_lease(lease.pk, lease.driver_id)
    owed = owed_by_category(account.pk) if account else []
    return Detail(
        title=lease.driver.name,
        subtitle=f"TLC licence {lease.driver.tlc_license}",
        figures=[("Owed now", money_cell(account.balance if account else Decimal("0.00")))],
        facts=[
            ("Lease", Cell(f"{lease.number}, {lease.get_lease_type_display().lower()}")),
            ("Medallion", Cell(lease.medallion.number)),
            ("Vehicle", Cell(str(lease.vehicle))),
            ("Runs", Cell(f"{day(lease.starts_on)} – {day(lease.ends_on) if lease.ends_on else 'open'}")),
        ],
        tables=[
            Table(
                "What is owed",
                ["Category", "#Items", "#Open"],
                [
                    [Cell(row["label"]), Cell(row["items"], look="money"), money_cell(row["amount"])]
                    for row in owed
                ],
                empty="Nothing is open.",
            )
        ],
    )
