"""What the drawer's pages show: what it should hold, a count, what moved, a check that came back, and the slip."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from batconnect.common.models import User
from batconnect.common.screens import (
    Action,
    Cell,
    Detail,
    Table,
    admin_url,
    day,
    list_url,
    moment,
    money,
    money_cell,
)
from batconnect.common.weeks import local_date
from batconnect.exports.html_pdf import render_html_pdf
from ledger.models import DrawerClose, DrawerMovement, InterimPayment
from ledger.selectors.drawers import DrawerHeld
from ledger.services import drawers
from ledger.services.drawers import DrawerCount

STYLESHEET = Path(settings.BASE_DIR) / "templates" / "cases" / "receipt.css"
Kind, Medium = DrawerMovement.Kind, DrawerMovement.Medium


def slip_pdf(close: DrawerClose) -> bytes:
    """The banking slip, from what was kept at the close: the same bytes each time."""
    checks = [row for row in close.checks if row["present"]]
    html = render_to_string(
        "ledger/banking_slip.html",
        {
            "close": close,
            "created": close.closed_at.isoformat(),
            "cashier": close.drawer.cashier.get_full_name() or close.drawer.cashier.username,
            "closed_by": close.closed_by.get_full_name() or close.closed_by.username,
            "day": day(close.day),
            "closed": moment(close.closed_at),
            "banked": money(close.banked),
            "kept": money(close.kept),
            "cash": money(close.counted_cash - close.kept),
            "checks": [{**row, "amount": money(row["amount"])} for row in checks],
        },
    )
    return render_html_pdf(html, stylesheet=STYLESHEET)


def held_detail(request: HttpRequest, cashier: User, held: DrawerHeld, on: date) -> Detail:
    cash = [(kind, held.of(Medium.CASH, kind)) for kind in Kind]
    actions = [Action("Closes", list_url(DrawerClose))]
    if held.last:
        actions.append(Action("Last close", admin_url(held.last)))
    if request.user.has_perm("ledger.fund_drawer"):
        actions.append(
            Action("Put cash in…", f"{reverse('admin:ledger_drawerclose_float')}?cashier={cashier.username}")
        )
    return Detail(
        title=f"Drawer of {cashier}, {day(on)}",
        subtitle=f"Since {held.last.number} of {day(held.last.day)}" if held.last else "Never closed before",
        figures=[
            ("Cash it should hold", money_cell(held.cash, look="strong")),
            ("Checks it should hold", money_cell(held.in_checks, look="strong")),
        ],
        facts=[
            ("Left in at the last close", Cell(money(held.kept))),
            *((f"{kind.label}, cash", Cell(money(amount))) for kind, amount in cash if amount),
        ],
        actions=actions,
    )


def count_detail(cashier: User, count: DrawerCount, reason: str, on: date) -> Detail:
    held = count.held
    rows = [
        ("Cash", held.cash, count.cash, count.cash_difference, count.cash - count.kept),
        ("Checks", held.in_checks, count.checks, count.check_difference, count.checks),
    ]
    return Detail(
        title=f"Close the drawer of {cashier}, {day(on)}?",
        subtitle="A closed day takes nothing more: what comes afterwards is in the next day's drawer.",
        badges=[difference_badge(count.difference)],
        figures=[
            ("Difference", money_cell(count.difference, look="warn" if count.difference else "")),
            ("To the bank", money_cell(count.banked, look="strong")),
            ("Stays in the drawer", money_cell(count.kept)),
        ],
        facts=[
            *([("Why", Cell(reason, look="long"))] if reason else []),
            *(
                [("Not there", Cell(", ".join(f"{c.number} ({money(c.amount)})" for c in count.missing)))]
                if count.missing
                else []
            ),
        ],
        tables=[
            Table(
                "What was counted",
                ["", "#Should be", "#Counted", "#Difference", "#To the bank"],
                [
                    [
                        Cell(label),
                        money_cell(due),
                        money_cell(counted),
                        money_cell(gap, look="warn" if gap else ""),
                        money_cell(banked),
                    ]
                    for label, due, counted, gap, banked in rows
                ],
                note=_booked(count),
            )
        ],
    )


def _booked(count: DrawerCount) -> str:
    parts = []
    if count.difference:
        word = "short" if count.difference < 0 else "over"
        parts.append(f"{money(abs(count.difference))} {word} is booked between 5900 and 1020")
    if count.banked:
        parts.append(f"{money(count.banked)} is booked from 1020 to the bank (1010)")
    return f"{'; '.join(parts)}." if parts else "Nothing is booked."


def movement_table(title: str, moved: Sequence[DrawerMovement], kept: Decimal | None = None) -> Table:
    rows = [
        [
            Cell(day(one.day)),
            Cell(one.get_kind_display()),
            Cell(one.get_medium_display()),
            Cell(one.reference, admin_url(InterimPayment, one.payment_id) if one.payment_id else ""),
            Cell(one.payment.account.driver.name if one.payment else "–"),
            Cell(str(one.created_by)),
            money_cell(one.amount),
        ]
        for one in moved
    ]
    if kept:
        first = [Cell(""), Cell("Left in"), Cell("Cash"), Cell(""), Cell("–"), Cell(""), money_cell(kept)]
        rows.insert(0, first)
    return Table(
        title,
        ["Day", "What", "", "Reference", "Driver", "By", "#Amount"],
        rows,
        empty="Nothing yet.",
    )


def bounce_detail(payment: InterimPayment) -> Detail:
    return Detail(
        title=f"The check of {payment.number} bounced?",
        subtitle=f"{payment.account.driver}, lease {payment.account.lease.number}",
        figures=[
            ("Check", money_cell(payment.amount)),
            ("Owed now", money_cell(payment.account.balance)),
            ("Owed afterwards", money_cell(payment.account.balance + payment.amount, look="strong")),
        ],
        facts=[("Check number", Cell(payment.method_reference)), ("Booked", Cell("1200 to the bank (1010)"))],
        tables=[
            Table(
                "Owed again",
                ["Category", "Reference", "#Amount"],
                [
                    [
                        Cell(row.debit.get_category_display()),
                        Cell(row.debit.reference_id, admin_url(row.debit)),
                        money_cell(row.amount),
                    ]
                    for row in payment.posting.allocated_to.filter(
                        undoes__isnull=True, undone_by__isnull=True
                    )
                    .select_related("debit")
                    .order_by("id")
                ],
                empty="Nothing: it is still open credit.",
            )
        ],
    )


def difference_badge(amount: Decimal) -> tuple[str, str]:
    if not amount:
        return ("to the cent", "success")
    return (f"{money(abs(amount))} {'short' if amount < 0 else 'over'}", "danger")


def why_not(cashier: User, held: DrawerHeld, on: date) -> str:
    if held.last is not None and held.last.day >= on:
        return str(drawers.DrawerClosed(cashier=cashier, day=held.last.day, number=held.last.number))
    return str(drawers.NothingInDrawer(cashier=cashier)) if held.is_untouched else ""


def today_url(request: HttpRequest, cashier: User) -> str:
    url = reverse("admin:ledger_drawerclose_today")
    return url if cashier.pk == request.user.pk else f"{url}?cashier={cashier.username}"


def today() -> date:
    return local_date(timezone.now())
