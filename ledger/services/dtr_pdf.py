"""A DTR as paper. Everything on it was frozen with it; here amounts are only written out, never worked out.

The columns' sums and the sign between the figures at the top are added from what stands in those columns. The
same DTR in the same state always gives the same bytes.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string

from batconnect.common.errors import BatConnectError
from batconnect.exports.html_pdf import join_documents, lay_out, render_html_pdf
from ledger.models import DTR, Category, DTRPayment, SourceTransaction, Tax

STYLESHEET = Path(settings.BASE_DIR) / "templates" / "ledger" / "dtr.css"
COLUMNS = ("prior", "charges", "voids", "earnings", "desk", "other")
MOST_IN_ONE_FILE = 500  # laid-out pages stay in memory until the last is: about 4 MB a DTR
MINUS = "\N{MINUS SIGN}"


class NothingToRender(BatConnectError):
    code, status = "dtr.nothing_to_render", 400
    message = "There is no DTR to print. Choose at least one."


class TooManyForOneFile(BatConnectError):
    code, status = "dtr.too_many_for_one_file", 400
    message = "One file takes at most {most} DTRs. Print them into a file each, or choose fewer."


def render_dtr_pdf(dtr: DTR) -> bytes:
    """One DTR as a Letter-size PDF."""
    return render_html_pdf(dtr_html(dtr), stylesheet=STYLESHEET)


def render_dtrs_pdf(dtrs: Iterable[DTR], progress: Callable[[int], None] | None = None) -> bytes:
    """Many DTRs in one PDF, each starting on a page of its own and counting its pages from one.

    `progress` hears the number laid out so far. Raises NothingToRender, TooManyForOneFile.
    """
    chosen = list(islice(dtrs, MOST_IN_ONE_FILE + 1))
    if not chosen:
        raise NothingToRender
    if len(chosen) > MOST_IN_ONE_FILE:
        raise TooManyForOneFile(most=MOST_IN_ONE_FILE)
    documents = []
    for dtr in chosen:
        documents.append(lay_out(dtr_html(dtr), stylesheet=STYLESHEET))
        if progress:
            progress(len(documents))
    return join_documents(documents)


def dtr_html(dtr: DTR) -> str:
    """The page that becomes the PDF; reads the DTR's payments, which callers with many prefetch."""
    return render_to_string("ledger/dtr.html", {"page": _page(dtr)})


def _page(dtr: DTR) -> dict[str, Any]:
    data = dtr.data
    rows = [row for row in data["categories"] if _is_shown(row)]
    earned, net_pay, open_debits, credit = (
        Decimal(data[name]) for name in ("gross_earnings", "net_pay", "open_debits", "open_credits")
    )
    taken = _sum(rows, "earnings")
    return {
        "number": dtr.number,
        "frozen_at": dtr.frozen_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "week": _long_day(data["week"]),
        "week_end": _long_day(data["week_end"]),
        "driver": data["driver"],
        "medallion": data["medallion"],
        **_lease_and_vehicle(data),
        "earned": _dollars(earned),
        "taken": _dollars(taken),
        "net_pay": _dollars(net_pay),
        "adds_up": earned - taken == net_pay,
        "still_owed": _dollars(open_debits),
        "owes": open_debits > 0,
        "credit": _dollars(credit) if credit else "",
        "trip_counts": _trip_counts(data),
        "late_note": _late_note(data),
        "how_paid": _how_paid(dtr, net_pay),
        "alerts": [_alert(alert, data["week_end"]) for alert in data["alerts"]],
        "categories": [_category_row(row) for row in rows],
        "sums": {
            "amounts": [_amount_or_dash(_sum(rows, name)) for name in COLUMNS],
            "still_open": _amount(_sum(rows, "still_open")),
        },
        "taxes": [_tax(tax) for tax in data["taxes"]],
        "details": [_detail(item) for item in data["details"]],
        "any_late": any(item["late"] for item in data["details"]),
        "voids": [{**_item(item), "reason": item["reason"]} for item in data["voids"]],
        "payments": [
            {"reference": item["reference"], "on": _day(item["on"]), "amount": _amount(item["amount"])}
            for item in data["payments"]
        ],
        "trips": list(_days(dtr.trips)),
    }


# --- whose, and how it is paid ------------------------------------------------------------------------------


def _lease_and_vehicle(data: dict[str, Any]) -> dict[str, str]:
    vehicle, lease = data["vehicle"], data["lease"]
    car = [vehicle["plate"] or vehicle["vin"], vehicle["type"], vehicle["model_year"]]
    ends = f"to {_day(lease['ends_on'])}" if lease["ends_on"] else "with no end date"
    return {
        "vehicle": " · ".join(str(part) for part in car if part),
        "lease": f"{lease['number']} · {lease['type']}",
        "lease_runs": f"{_day(lease['starts_on'])} {ends}",
    }


def _how_paid(dtr: DTR, net_pay: Decimal) -> str:
    if net_pay == 0:
        return "settled: nothing to pay out"
    last = max(dtr.payments.all(), key=lambda payment: payment.pk, default=None) if dtr.pk else None
    if dtr.status == DTR.Status.PAID:
        return f"paid {_day(last.on.isoformat())}, {_method(last)}" if last else "paid"
    if last is not None:
        return f"the payment came back {_day(last.on.isoformat())}; it is owed to you again"
    return "owed to you, to be paid out"


def _method(payment: DTRPayment) -> str:
    how = payment.get_method_display()
    method = how if how.isupper() else how.lower()
    return f"{method} {payment.method_reference}".rstrip()


def _alert(alert: dict[str, str], week_end: str) -> str:
    what = {"licence": "Your TLC licence", "inspection": "The vehicle's inspection"}[alert["kind"]]
    verb = "expired" if alert["expires_on"] <= week_end else "expires"
    return f"{what} {verb} on {_long_day(alert['expires_on'])}."


def _trip_counts(data: dict[str, Any]) -> str:
    kinds = (("card", data["card_trips"]), ("cash", data["cash_trips"]), ("other", data["other_trips"]))
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds if count)
    return f"trips: {counts}" if counts else "no trips"


def _late_note(data: dict[str, Any]) -> str:
    if not data["late_trips"]:
        return ""
    trips = _count(data["late_trips"], "late trip")
    if not Decimal(data["late_earnings"]):
        return f"with {trips}"
    return f"{_dollars(data['late_earnings'])} of it from {trips}"


# --- what was owed ------------------------------------------------------------------------------------------


def _is_shown(row: dict[str, str]) -> bool:
    """The payout is the net pay itself; it is a debt only when it was overpaid."""
    return row["category"] != Category.PAYOUT or any(Decimal(row[name]) for name in ("prior", "still_open"))


def _category_row(row: dict[str, str]) -> dict[str, Any]:
    return {
        "label": "Net pay overpaid before" if row["category"] == Category.PAYOUT else _label(row["category"]),
        "amounts": [_amount_or_dash(row[name]) for name in COLUMNS],
        "still_open": _amount(row["still_open"]),
    }


def _tax(tax: dict[str, Any]) -> dict[str, str]:
    return {
        "label": Tax(tax["product"]).label if tax["product"] in Tax else tax["product"],
        "trips": _count(tax["trips"], "trip"),
        "amount": _amount(tax["amount"]),
    }


def _detail(item: dict[str, Any]) -> dict[str, Any]:
    label, description = _label(item["category"]), item["description"]
    return {
        "label": f"{label}: {description}" if description else label,
        "reference": item["reference"],
        "event_on": _day(item["event_on"]),
        "due_on": _day(item["due_on"]),
        "amount": _amount(item["amount"]),
        "open": _amount(item["open"]),
        "late": item["late"],
    }


def _item(item: dict[str, Any]) -> dict[str, str]:
    return {
        "label": _label(item["category"]),
        "reference": item["reference"],
        "on": _day(item["on"]),
        "amount": _amount(item["amount"]),
    }


def _days(trips: Sequence[Sequence[Any]]) -> Iterable[dict[str, Any]]:
    """The trip log by day: the trips of a day are the lines of one cell for each column."""
    for day, of_day in groupby(trips, key=lambda trip: trip[0][:10]):
        columns = zip(*(_trip_figures(trip) for trip in of_day), strict=True)
        yield {"day": _week_day(day), "columns": ["\n".join(column) for column in columns]}


def _trip_figures(trip: Sequence[Any]) -> list[str]:
    started, minutes, payment_type, *amounts, late = trip
    paid_by = f"{_paid_by(payment_type)}, late" if late else _paid_by(payment_type)
    return [started[11:16], str(minutes), paid_by, *(_amount_or_dash(amount) for amount in amounts)]


# --- how things are written ---------------------------------------------------------------------------------


def _label(category: str) -> str:
    return Category(category).label if category in Category else category


def _paid_by(payment_type: str) -> str:
    known = SourceTransaction.PaymentType
    return known(payment_type).label if payment_type in known else payment_type


def _sum(rows: Iterable[dict[str, str]], name: str) -> Decimal:
    return sum((Decimal(row[name]) for row in rows), Decimal("0.00"))


def _amount(value: Decimal | str) -> str:
    number = Decimal(value)
    return f"{MINUS if number < 0 else ''}{abs(number):,.2f}"


def _amount_or_dash(value: Decimal | str) -> str:
    return _amount(value) if Decimal(value) else "–"


def _dollars(value: Decimal | str) -> str:
    number = Decimal(value)
    return f"{MINUS if number < 0 else ''}${abs(number):,.2f}"


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _day(iso: str | None) -> str:
    return f"{date.fromisoformat(iso):%b %-d, %Y}" if iso else ""


def _long_day(iso: str) -> str:
    return f"{date.fromisoformat(iso):%B %-d, %Y}"


def _week_day(iso: str) -> str:
    return f"{datetime.fromisoformat(iso):%a %b %-d}"
