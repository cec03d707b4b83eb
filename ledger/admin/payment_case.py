"""The screen of INTPAY-001: open items to put a payment to, the remainder live; the receipt as page and PDF."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, QueryDict
from django.template.loader import render_to_string

from batconnect.cases.models import Case
from batconnect.cases.screens import FormField, Found, StepPage, StepScreen, whole_number
from batconnect.cases.ways import INPUT_CLASSES, case_url, start_url
from batconnect.common.models import User
from batconnect.common.money import total
from batconnect.common.screens import Action, Cell, Detail, Table, admin_url, day, moment, money, money_cell
from batconnect.exports.html_pdf import render_html_pdf
from ledger import flows
from ledger.models import Category, DriverAccount, InterimPayment, LedgerBalance, PaymentMethod
from ledger.selectors.account_items import accounts_starting, open_charges, open_credit, whole_account
from ledger.services import payments
from ledger.services.errors import UnknownAccount

from .posting_parts import receipt_table

STYLESHEET = Path(settings.BASE_DIR) / "templates" / "cases" / "receipt.css"
ITEM = "item:"


class AccountScreen(StepScreen):
    """A step about one driver's account on one lease, found as somebody types."""

    def search(self, *, query: str, actor: User, on: date) -> Sequence[Found]:
        return [account_hit(account, on) for account in accounts_starting(query)]

    def subject(self, *, pick: str, on: date) -> str:
        account = chosen_account(whole_number(pick))
        return f"{account.driver.name}, lease {account.lease.number}"

    def picked(self, *, pick: str) -> dict[str, Any]:
        account = chosen_account(whole_number(pick))
        return {"driver_id": account.driver_id, "lease_id": account.lease_id}


class PaymentScreen(AccountScreen):
    confirm_label = "Take the payment"

    def read(self, post: QueryDict) -> dict[str, Any]:
        """What is entered beside an item is named by category and reference, which no two items share."""
        return {
            "driver_id": whole_number(post.get("driver_id", "")),
            "lease_id": whole_number(post.get("lease_id", "")),
            "total_payment_amount": post.get("total_payment_amount", "").strip().replace(",", ""),
            "payment_method": post.get("payment_method", ""),
            "method_reference": post.get("method_reference", "").strip(),
            "allocations": allocations_in(post),
        }

    def page(self, *, case: Case, data: Mapping[str, Any], actor: User, on: date) -> StepPage | None:
        if not data.get("lease_id"):
            return None
        found = flows.payment_account(data)
        account = chosen_account(found.pk)
        given = data.get("allocations")
        return StepPage(
            detail=account_detail(account),
            fields=[
                FormField("total_payment_amount", "Amount paid", "money"),
                FormField("payment_method", "Paid by", "choice", choices=PaymentMethod.choices),
                FormField(
                    "method_reference",
                    "Check number or ACH reference",
                    maximum="60",
                    shown_for="payment_method=CHECK,ACH",
                ),
            ],
            about={"driver_id": str(account.driver_id), "lease_id": str(account.lease_id)},
            submit_label="See what it does",
            part="cases/payment_items.html",
            context={"items": item_rows(account, given if isinstance(given, dict) else {})},
        )

    def preview(self, *, case: Case, data: Mapping[str, Any], actor: User, on: date) -> Detail:
        account = chosen_account(flows.payment_account(data).pk)
        amount = data["total_payment_amount"]
        parts = payments.check_payment(
            account=account,
            amount=amount,
            allocations=data["allocations"],
            method=data["payment_method"],
            method_reference=data["method_reference"],
        )
        open_now = dict(
            LedgerBalance.objects.filter(pk__in=[part.posting_id for part in parts]).values_list(
                "pk", "balance"
            )
        )
        rows = []
        for part in parts:
            before = open_now[part.posting_id]
            open_now[part.posting_id] = before - part.amount
            rows.append(
                [
                    Cell(str(Category(part.category).label)),
                    Cell(part.reference_id),
                    money_cell(part.amount),
                    money_cell(before),
                    money_cell(before - part.amount, look="strong"),
                ]
            )
        rest = amount - total(part.amount for part in parts)
        paid_by = PaymentMethod(data["payment_method"]).label
        return Detail(
            title=f"Take {money(amount)} from {account.driver.name}?",
            subtitle=f"{paid_by} {data['method_reference']} · lease {account.lease.number}".replace(
                "  ", " "
            ),
            figures=[
                ("Paid", money_cell(amount)),
                ("Owed now", money_cell(account.balance)),
                ("Owed afterwards", money_cell(account.balance - amount, look="strong")),
                ("Stays as credit", money_cell(rest)),
            ],
            tables=[
                Table(
                    "Where it goes",
                    ["Category", "Reference", "#Put to it", "#Open now", "#Open afterwards"],
                    rows,
                    empty="To no item: all of it stays as the driver's credit.",
                    note="What was not put to an item goes to the lease, oldest first.",
                )
            ],
        )

    def done(self, *, case: Case, actor: User) -> Detail:
        payment = _payment(case)
        actions = [Action("Receipt as PDF", case_url(case, "paper"), look="primary")]
        if actor.has_perm("ledger.take_payment"):
            actions.append(Action("Next payment", start_url("INTPAY")))
        return Detail(
            title=f"Receipt {payment.number}",
            subtitle=f"{payment.account.driver}, lease {payment.account.lease.number}",
            badges=[(case.case_no, "info"), ("taken", "success")],
            figures=[
                ("Received", money_cell(payment.amount, admin_url(payment))),
                ("Owed before", money_cell(case.result["balance_before"])),
                ("Owed afterwards", money_cell(case.result["balance_after"], admin_url(payment.account))),
                ("Credit", money_cell(case.result["unallocated_amount"])),
            ],
            facts=[
                ("Paid by", Cell(f"{payment.get_method_display()} {payment.method_reference}".strip())),
                ("Received", Cell(f"{moment(payment.created_at)} by {payment.created_by}")),
            ],
            tables=[receipt_table(payment, "Put to", "No item: all of it stays as the driver's credit.")],
            actions=actions,
        )

    def paper(self, *, case: Case, request: HttpRequest) -> HttpResponse | None:
        payment = _payment(case)
        answer = HttpResponse(receipt_pdf(payment, case), content_type="application/pdf")
        answer.headers["Content-Disposition"] = f'inline; filename="{payment.number}.pdf"'
        return answer


def receipt_pdf(payment: InterimPayment, case: Case) -> bytes:
    """The receipt as it was given: built from what was kept then, the same bytes each time."""
    lease = payment.account.lease
    html = render_to_string(
        "cases/receipt.html",
        {
            "number": payment.number,
            "case_no": case.case_no,
            "created": payment.created_at.isoformat(),
            "received": moment(payment.created_at),
            "received_on": day(payment.received_on),
            "cashier": payment.created_by.get_full_name() or payment.created_by.username,
            "driver": payment.account.driver,
            "lease": lease.number,
            "medallion": lease.medallion.number,
            "amount": money(payment.amount),
            "method": payment.get_method_display(),
            "method_reference": payment.method_reference,
            "rows": [
                (Category(row["category"]).label, row["reference_id"], money(row["amount"]))
                for row in payment.allocations
            ],
            "credit": money(case.result["unallocated_amount"])
            if Decimal(case.result["unallocated_amount"])
            else "",
            "owed_before": money(case.result["balance_before"]),
            "owed_after": money(case.result["balance_after"]),
        },
    )
    return render_html_pdf(html, stylesheet=STYLESHEET)


def _payment(case: Case) -> InterimPayment:
    rows = InterimPayment.objects.select_related("account__driver", "account__lease__medallion", "created_by")
    return rows.get(number=case.result["receipt_number"])


def allocations_in(post: QueryDict) -> dict[str, str]:
    """What was entered beside the items of `item_rows`."""
    return {
        name.removeprefix(ITEM): str(value).strip().replace(",", "")
        for name, value in post.items()
        if name.startswith(ITEM) and str(value).strip()
    }


def chosen_account(key: int | str) -> DriverAccount:
    account = whole_account(key) if isinstance(key, int) else None
    if account is None:
        raise UnknownAccount
    return account


def account_hit(account: DriverAccount, on: date) -> Found:
    lease = account.lease
    ended = f" · ended {day(lease.ends_on)}" if lease.ends_on and lease.ends_on < on else ""
    text = f"Lease {lease.number} · medallion {lease.medallion.number}{ended} · owes {money(account.balance)}"
    return Found(str(account.driver), text, pick=str(account.pk))


def item_rows(account: DriverAccount, given: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": f"{ITEM}{item.category}:{item.reference_id}",
            "category": item.category,
            "label": str(Category(item.category).label),
            "reference": item.reference_id,
            "description": item.posting.description,
            "due": day(item.due_on),
            "open": str(item.balance),
            "shown": money(item.balance),
            "value": given.get(f"{item.category}:{item.reference_id}", ""),
            "classes": INPUT_CLASSES,
        }
        for item in open_charges(account.pk)
    ]


def account_detail(account: DriverAccount) -> Detail:
    lease = account.lease
    return Detail(
        title=account.driver.name,
        subtitle=f"{account.driver.tlc_license} · lease {lease.number} · medallion {lease.medallion.number}",
        figures=[
            ("Owed now", money_cell(account.balance)),
            ("Credit in hand", money_cell(open_credit(account.pk))),
        ],
    )
