"""What hangs on a posting, as tables: allocations both ways, relatives, the trips behind it, the audit."""

from collections.abc import Iterable, Sequence

from django.contrib import admin
from django.db.models import Model, Q

from batconnect.common.models import AuditEntry
from batconnect.common.money import ZERO, total
from batconnect.common.screens import Cell, Table, admin_url, day, list_url, moment, money_cell
from ledger.models import (
    Category,
    InterimPayment,
    LedgerAllocation,
    LedgerPosting,
    SourceTransaction,
    TripTotal,
)

MOST_ROWS = 200
TRIP_ROWS = 50
# No-charge and dispute trips are counted in totals and never settled into money.
EARNING = (SourceTransaction.PaymentType.CARD, SourceTransaction.PaymentType.PREPAID)
TAXED = (*EARNING, SourceTransaction.PaymentType.CASH)
# What of a trip total became each tax posting, and how many trips carried it.
TAX_COLUMNS = {
    "MTA": ("mta_tax", "mta_trips"),
    "IMPROVEMENT": ("improvement_surcharge", "improvement_trips"),
    "CONGESTION": ("congestion_fee", "congestion_trips"),
    "AIRPORT": ("airport_fee", "airport_trips"),
    "CBD": ("cbd_toll", "cbd_trips"),
}


def link(target: Model) -> str:
    """The record's page, where the admin has one."""
    return admin_url(target) if admin.site.is_registered(type(target)) else ""


def named(posting: LedgerPosting) -> str:
    """Lease L-00012/2026-11-01: as people call it."""
    return f"{posting.get_category_display()} {posting.reference_id}"


def receipt_table(payment: InterimPayment, title: str, empty: str) -> Table:
    """What a payment at the desk was put to when it was taken, as its receipt says, each with its posting."""
    kept = payment.allocations
    found = LedgerPosting.objects.filter(
        category__in={part["category"] for part in kept},
        reference_id__in=[part["reference_id"] for part in kept],
        reversal_for=None,
    )
    pages = {(posting.category, posting.reference_id): admin_url(posting) for posting in found}
    return Table(
        title,
        ["Category", "Reference", "#Amount"],
        [
            [
                Cell(str(Category(part["category"]).label)),
                Cell(part["reference_id"], pages.get((part["category"], part["reference_id"]), "")),
                money_cell(part["amount"]),
            ]
            for part in kept
        ],
        empty=empty,
    )


def allocations_of(posting: LedgerPosting) -> Iterable[LedgerAllocation]:
    return (
        LedgerAllocation.objects.filter(account_id=posting.account_id)
        .filter(Q(credit_id=posting.pk) | Q(debit_id=posting.pk))
        .select_related("credit", "debit")
        .order_by("id")
    )


def allocation_tables(posting: LedgerPosting) -> list[Table]:
    """Which credits paid this debit, or which debits this credit paid."""
    rows = list(allocations_of(posting)[:MOST_ROWS])  # type: ignore[index]
    undone = {row.undoes_id for row in rows if row.undoes_id}
    is_debit = posting.amount > 0
    table = Table(
        "Paid by" if is_debit else "Used for",
        ["On", "Category", "Reference", "#Amount", ""],
        [_allocation_row(row, row.credit if is_debit else row.debit, undone) for row in rows],
        empty="Nothing was allocated to it yet." if is_debit else "Nothing of it was used yet.",
        footer=[
            Cell("In force"),
            Cell(""),
            Cell(""),
            money_cell(total(row.amount for row in rows)),
            Cell(""),
        ],
    )
    return [table]


def _allocation_row(row: LedgerAllocation, other: LedgerPosting, undone: set[int | None]) -> list[Cell]:
    note = "undo" if row.undoes_id else "undone later" if row.pk in undone else ""
    look = "muted" if note else ""
    return [
        Cell(day(row.effective_on), look=look),
        Cell(other.get_category_display(), look=look),
        Cell(other.reference_id, admin_url(other), look),
        money_cell(row.amount, admin_url(row), look),
        Cell(note, look="muted"),
    ]


def relatives(posting: LedgerPosting) -> list[tuple[str, Cell]]:
    """Links to what this posting reverses or replaces, is reversed or replaced by, and the paper it is on."""
    found = []
    if posting.reversal_for:
        found.append(("Reverses", Cell(str(posting.reversal_for), admin_url(posting.reversal_for))))
    if posting.replaces:
        found.append(("Replaces", Cell(str(posting.replaces), admin_url(posting.replaces))))
    for reversal in posting.reversals.all():
        found.append(
            ("Reversed by", Cell(f"{day(reversal.effective_on)}: {reversal.reason}", admin_url(reversal)))
        )
    for replacement in posting.replacements.all():
        found.append(("Replaced by", Cell(str(replacement), admin_url(replacement))))
    receipt = (
        getattr(posting, "interim_payment", None) if posting.category == Category.INTERIM_PAYMENT else None
    )
    if receipt:
        found.append(("Receipt", Cell(receipt.number, admin_url(receipt))))
    report = getattr(posting, "dtr", None) if posting.category == Category.PAYOUT else None
    if report:
        found.append(("Paid out on", Cell(report.number, admin_url(report))))
    return found


def origin_tables(posting: LedgerPosting) -> list[Table]:
    """For EARNINGS and TAXES: the trips they were made of."""
    if posting.category not in (Category.EARNINGS, Category.TAXES) or posting.run_week is None:
        return []
    totals = list(
        TripTotal.objects.filter(account_id=posting.account_id, settled_week=posting.run_week)
        .select_related("batch")
        .order_by("week", "batch_id")
    )
    column, counter = TAX_COLUMNS.get(posting.product, ("earnings", "card_trips"))
    sums = Table(
        "Made of these trips",
        ["Week", "File", "#Trips", "#Amount"],
        [
            [
                Cell(day(row.week), trips_of(row)),
                Cell(row.batch.file_name, admin_url(row.batch)),
                Cell(str(getattr(row, counter)), look="money"),
                money_cell(getattr(row, column)),
            ]
            for row in totals
        ],
        empty="The settlement was reversed, so these trips go to a later run.",
        footer=[
            Cell("Total"),
            Cell(""),
            Cell(str(sum(getattr(row, counter) for row in totals)), look="money"),
            money_cell(total(getattr(row, column) for row in totals)),
        ],
    )
    return [sums, _trip_rows(posting, totals, column)] if totals else [sums]


def trips_of(row: TripTotal) -> str:
    query = f"account__exact={row.account_id}&week__exact={row.week}&batch__exact={row.batch_id}"
    return list_url(SourceTransaction, query)


def _trip_rows(posting: LedgerPosting, totals: list[TripTotal], column: str) -> Table:
    trips = SourceTransaction.objects.filter(
        account_id=posting.account_id,
        week__in={row.week for row in totals},
        batch_id__in={row.batch_id for row in totals},
        product_code__in=EARNING if column == "earnings" else TAXED,
    ).order_by("started_at")
    if column != "earnings":
        trips = trips.exclude(**{column: ZERO})
    rows = [
        [
            Cell(moment(trip.started_at), admin_url(trip)),
            Cell(payment_type(trip.product_code)),
            money_cell(trip.gross_amount),
            money_cell(trip.gross_amount if column == "earnings" else getattr(trip, column)),
        ]
        for trip in trips[:TRIP_ROWS]
    ]
    more = Cell("All trips of this week", trips_of(totals[0])) if len(rows) == TRIP_ROWS else None
    return Table("Trips", ["Started", "Paid by", "#Total", "#In this posting"], rows, more=more)


def payment_type(code: str) -> str:
    """How the passenger paid, from the source row's product."""
    kinds = SourceTransaction.PaymentType
    return str(kinds(code).label) if code in kinds.values else code


def effects_of_void(posting: LedgerPosting) -> Table:
    """Every allocation that voiding this posting undoes, and what is open of the other side then."""
    return effects_of_voids(
        [posting],
        note="These credits become available again; the next weekly run uses them."
        if posting.amount > 0
        else "These charges are owed again.",
    )


def effects_of_voids(postings: Sequence[LedgerPosting], *, note: str) -> Table:
    """Every allocation that voiding these postings of one account undoes, and what is open of the other side then.

    Where both sides are voided, the debit is shown: each closes with its own reversal.
    """
    voided = {posting.pk for posting in postings}
    rows = _in_force(postings)
    others = LedgerPosting.objects.select_related("open_item").in_bulk(
        [row.debit_id if row.credit_id in voided else row.credit_id for row in rows]
    )
    moved = dict.fromkeys(others, ZERO)
    cells = []
    for row in rows:
        freed = row.credit_id not in voided
        other = others[row.credit_id if freed else row.debit_id]
        moved[other.pk] += -row.amount if freed else row.amount
        before = other.open_item.balance
        after = ZERO if other.pk in voided else before + moved[other.pk]
        cells.append(
            [
                Cell(day(row.effective_on)),
                Cell(other.get_category_display()),
                Cell(other.reference_id, admin_url(other)),
                money_cell(row.amount),
                money_cell(before),
                money_cell(after, look="strong"),
            ]
        )
    return Table(
        "Allocations that will be undone",
        ["On", "Category", "Reference", "#Amount", "#Open now", "#Open afterwards"],
        cells,
        empty="None: nothing was allocated to or from it. The posting and its reversal close each other.",
        note=note if cells else "",
    )


def _in_force(postings: Sequence[LedgerPosting]) -> list[LedgerAllocation]:
    """The allocations of these postings of one account that were not undone, oldest first."""
    if not postings:
        return []
    keys = [posting.pk for posting in postings]
    rows = list(
        LedgerAllocation.objects.filter(account_id=postings[0].account_id)
        .filter(Q(credit_id__in=keys) | Q(debit_id__in=keys))
        .order_by("id")
    )
    undone = {row.undoes_id for row in rows if row.undoes_id}
    return [row for row in rows if row.amount > 0 and row.pk not in undone]


def audit_table(subject: str, empty: str = "Nothing yet.") -> Table:
    entries = AuditEntry.objects.filter(subject=subject).select_related("actor").order_by("-id")[:20]
    return Table(
        "Audit trail",
        ["When", "Who", "What"],
        [[Cell(moment(e.at)), Cell(str(e.actor)), Cell(e.action, admin_url(e))] for e in entries],
        empty=empty,
    )
