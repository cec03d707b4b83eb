"""A DTR's frozen data as tables. Nothing is worked out here but the sums of the columns shown."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from batconnect.common.money import total
from batconnect.common.screens import Cell, Table, admin_url, day, moment, money_cell
from ledger.models import DTR, Category, LedgerPosting, Tax

from .posting_parts import payment_type

COLUMNS = ("prior", "charges", "voids", "earnings", "desk", "other", "still_open")


def statement_tables(dtr: DTR, settled: Mapping[str, str]) -> list[Table]:
    """`settled`: where the postings of the run are, as `settled_pages` finds them."""
    data = dtr.data
    postings = _postings(dtr)
    tables = [_categories(data), _taxes(data, settled), _details(data, postings)]
    if data["voids"]:
        tables.append(_voids(data, postings))
    if data["payments"]:
        tables.append(_desk_payments(data, postings))
    if dtr.net_pay:
        tables.append(_payments(dtr))
    return [*tables, _trips(dtr, settled.get(Category.EARNINGS, ""))]


def settled_pages(dtr: DTR) -> dict[str, str]:
    """The pages of the postings that this week's run made of the trips: `EARNINGS`, and each tax by its product.

    They lead on to the trips, and each trip to its row in the file.
    """
    found = LedgerPosting.objects.filter(
        account_id=dtr.account_id,
        run_week=dtr.week,
        category__in=(Category.EARNINGS, Category.TAXES),
        reversal_for__isnull=True,
    )
    return {
        product if category == Category.TAXES else category: admin_url(LedgerPosting, pk)
        for category, product, pk in found.values_list("category", "product", "pk")
    }


def trip_counts(data: dict[str, Any]) -> str:
    counts = f"{data['card_trips']} card, {data['cash_trips']} cash, {data['other_trips']} other"
    return f"{counts}; {data['late_trips']} late" if data["late_trips"] else counts


def alerts(data: dict[str, Any]) -> list[tuple[str, Cell]]:
    names = {"licence": "Licence expires", "inspection": "Inspection expires"}
    return [(names[alert["kind"]], Cell(day(alert["expires_on"]), look="warn")) for alert in data["alerts"]]


def _postings(dtr: DTR) -> dict[tuple[str, str], Any]:
    """The postings a statement's lines name, in one query, so that each line leads to its posting."""
    named = [
        *((row["category"], row["reference"]) for row in [*dtr.data["details"], *dtr.data["voids"]]),
        *((Category.INTERIM_PAYMENT.value, row["reference"]) for row in dtr.data["payments"]),
    ]
    found = LedgerPosting.objects.filter(
        category__in={category for category, _ in named},
        reference_id__in={reference for _, reference in named},
        reversal_for__isnull=True,
    )
    return {(row[0], row[1]): row[2] for row in found.values_list("category", "reference_id", "pk")}


def _reference(postings: dict[tuple[str, str], Any], category: str, reference: str) -> Cell:
    key = postings.get((category, reference))
    return Cell(reference, admin_url(LedgerPosting, key) if key else "")


def _label(category: str) -> str:
    return str(Category(category).label) if category in Category.values else category


def _categories(data: dict[str, Any]) -> Table:
    rows = [
        row
        for row in data["categories"]
        if row["category"] != Category.PAYOUT or Decimal(row["prior"]) or Decimal(row["still_open"])
    ]
    return Table(
        "What was owed, and what paid it",
        [
            "Category",
            "#Before",
            "#+ Charges",
            "#− Voids",
            "#− Earnings",
            "#− At the desk",
            "#− Other",
            "#= Still open",
        ],
        [
            [
                Cell(_label(row["category"])),
                *(money_cell(row[name], look="strong" if name == "still_open" else "") for name in COLUMNS),
            ]
            for row in rows
        ],
        empty="Nothing was owed.",
        footer=[Cell("Total"), *(money_cell(total(Decimal(row[name]) for row in rows)) for name in COLUMNS)],
    )


def _taxes(data: dict[str, Any], settled: Mapping[str, str]) -> Table:
    return Table(
        "Taxes",
        ["Tax", "#Trips", "#Amount"],
        [
            [
                Cell(str(Tax(tax["product"]).label) if tax["product"] in Tax.values else tax["product"]),
                Cell(str(tax["trips"]), look="money"),
                money_cell(tax["amount"], settled.get(tax["product"], "")),
            ]
            for tax in data["taxes"]
        ],
        empty="No taxes this week.",
    )


def _details(data: dict[str, Any], postings: dict[tuple[str, str], Any]) -> Table:
    return Table(
        "Charges since the last DTR",
        ["Category", "Reference", "What", "Happened", "Due", "#Amount", "#Open then", ""],
        [
            [
                Cell(_label(row["category"])),
                _reference(postings, row["category"], row["reference"]),
                Cell(row["description"]),
                Cell(day(row["event_on"])),
                Cell(day(row["due_on"])),
                money_cell(row["amount"]),
                money_cell(row["open"]),
                Cell("late" if row["late"] else "", look="warn"),
            ]
            for row in data["details"]
        ],
        empty="None.",
    )


def _voids(data: dict[str, Any], postings: dict[tuple[str, str], Any]) -> Table:
    return Table(
        "Voided since the last DTR",
        ["Category", "Reference", "On", "Reason", "#Amount"],
        [
            [
                Cell(_label(row["category"])),
                _reference(postings, row["category"], row["reference"]),
                Cell(day(row["on"])),
                Cell(row["reason"]),
                money_cell(row["amount"]),
            ]
            for row in data["voids"]
        ],
    )


def _desk_payments(data: dict[str, Any], postings: dict[tuple[str, str], Any]) -> Table:
    return Table(
        "Paid at the desk since the last DTR",
        ["Receipt", "On", "#Amount"],
        [
            [
                _reference(postings, Category.INTERIM_PAYMENT.value, row["reference"]),
                Cell(day(row["on"])),
                money_cell(row["amount"]),
            ]
            for row in data["payments"]
        ],
    )


def _payments(dtr: DTR) -> Table:
    return Table(
        "How the net pay was handed over",
        ["On", "What", "Method", "Reference or reason", "Recorded", "#Amount"],
        [
            [
                Cell(day(payment.on)),
                Cell(payment.get_kind_display()),
                Cell(payment.get_method_display()),
                Cell(payment.method_reference or payment.reason),
                Cell(f"{moment(payment.created_at)} by {payment.created_by}"),
                money_cell(payment.amount),
            ]
            for payment in dtr.payments.select_related("created_by")
        ],
        empty="Not yet: it is owed to the driver.",
    )


def _trips(dtr: DTR, earnings_url: str) -> Table:
    rows = []
    for started, minutes, paid_by, *amounts, late in dtr.trips:
        when = f"{day(started[:10])}, {started[11:16]}"
        note = Cell("late" if late else "", look="warn")
        rows.append(
            [
                Cell(when),
                Cell(f"{minutes} min"),
                Cell(payment_type(paid_by)),
                *(money_cell(amount) for amount in amounts),
                note,
            ]
        )
    return Table(
        "Trips",
        ["Started", "Took", "Paid by", "#Fare", "#Extras", "#Tips", "#Tolls", "#Taxes", "#Total", ""],
        rows,
        empty="No trips.",
        more=Cell("The card trips with their rows in the file", earnings_url)
        if rows and earnings_url
        else None,
    )
