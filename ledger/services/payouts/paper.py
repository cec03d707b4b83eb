"""Checks and cash receipts as PDF. The same row in the same state gives the same bytes."""

from datetime import UTC, date
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import timezone

from batconnect.exports.html_pdf import join_documents, lay_out, render_html_pdf

from ...models import DTR, DTRPayment, PayoutCheck

_TEMPLATES = Path(settings.BASE_DIR) / "templates"
CHECK_STYLE = _TEMPLATES / "ledger" / "check.css"
RECEIPT_STYLE = _TEMPLATES / "cases" / "receipt.css"
MOST_CHECKS = 500  # laid-out pages stay in memory until the last is

_ONES = (
    "", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = ("", " thousand", " million", " billion")


def in_words(amount: Decimal) -> str:
    """`One thousand two hundred thirty-four and 05/100`, as on a check; from 0.01 to 999,999,999,999.99."""
    dollars, cents = divmod(int(amount * 100), 100)
    groups, rest = [], dollars
    for scale in _SCALES:
        rest, group = divmod(rest, 1000)
        if group:
            groups.append(f"{_hundreds(group)}{scale}")
    words = " ".join(reversed(groups)) or "zero"
    return f"{words[0].upper()}{words[1:]} and {cents:02}/100"


def render_checks(checks: list[PayoutCheck]) -> bytes:
    """Checks, a Letter page each, on paper that has the bank's line and the numbers printed on it."""
    assert 0 < len(checks) <= MOST_CHECKS, "callers cut longer lists"
    return join_documents([lay_out(check_html(check), stylesheet=CHECK_STYLE) for check in checks])


def check_html(check: PayoutCheck) -> str:
    dtr = check.item.dtr
    return render_to_string(
        "ledger/check.html",
        {
            "number": check.number,
            "payer": settings.CHECK_PAYER,
            "payee": check.payee,
            "amount": f"{check.amount:,.2f}",
            "words": in_words(check.amount),
            "issued_on": _day(check.issued_on),
            "void": check.state == PayoutCheck.State.VOIDED,
            "created": _moment(check.created_at),
            **_of_dtr(dtr),
        },
    )


def render_cash_receipt(payment: DTRPayment) -> bytes:
    """The receipt the driver signs for cash."""
    html = render_to_string(
        "ledger/cash_receipt.html",
        {
            "number": payment.method_reference,
            "amount": f"${payment.amount:,.2f}",
            "words": in_words(payment.amount),
            "paid_on": _day(payment.on),
            "cashier": payment.created_by.get_full_name() or payment.created_by.username,
            "created": _moment(payment.created_at),
            **_of_dtr(payment.dtr),
        },
    )
    return render_html_pdf(html, stylesheet=RECEIPT_STYLE)


def _of_dtr(dtr: DTR) -> dict[str, Any]:
    data = dtr.data
    return {
        "dtr": dtr.number,
        "driver": data["driver"],
        "lease": data["lease"]["number"],
        "medallion": data["medallion"],
        "week": f"{_day(dtr.week)} to {_day(date.fromisoformat(data['week_end']))}",
    }


def _hundreds(number: int) -> str:
    """1 to 999."""
    hundreds, rest = divmod(number, 100)
    words = [f"{_ONES[hundreds]} hundred"] if hundreds else []
    if rest < 20:
        words += [_ONES[rest]] if rest else []
    else:
        tens, ones = divmod(rest, 10)
        words.append(_TENS[tens] + (f"-{_ONES[ones]}" if ones else ""))
    return " ".join(words)


def _day(value: date) -> str:
    return f"{value:%B %-d, %Y}"


def _moment(value: Any) -> str:
    assert timezone.is_aware(value)
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
