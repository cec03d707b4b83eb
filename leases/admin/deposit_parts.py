"""What a deposit's pages show: its parts, what was posted, the release before and after it, and the refunds."""

from collections.abc import Sequence

from batconnect.common.models import AuditEntry
from batconnect.common.screens import Cell, Table, admin_url, day, moment, money_cell
from leases import deposit_reading
from leases.deposit_models import DepositRefund, Row
from leases.services.deposits.releasing import Paid, Preview
from ledger.admin.journal_parts import entry_cell
from ledger.models import Category, InstallmentStatus, LedgerAllocation, LedgerPosting
from ledger.selectors.journal import je_number

MOST_ROWS = 100
_LOOKS = {InstallmentStatus.CANCELLED: "muted", InstallmentStatus.VOIDED: "muted"}


def parts_table(deposit: Row) -> Table:
    rows = []
    for part in deposit_reading.parts_of(deposit):
        look = _LOOKS.get(part.status, "")
        link = admin_url(LedgerPosting, part.current_posting_id) if part.current_posting_id else ""
        rows.append(
            [
                Cell(part.reference_id, link, look),
                Cell(day(part.due_on), look=look),
                money_cell(part.amount, look=look),
                money_cell(part.charged, look=look),
                money_cell(part.open_amount, look=look),
                Cell(InstallmentStatus(part.status).label, look=look),
            ]
        )
    return Table(
        "Parts",
        ["Part", "Due", "#Agreed", "#Charged", "#Still open", "Status"],
        rows,
        empty="It was charged without terms; see what was posted.",
    )


def postings_table(deposit: Row) -> Table:
    found = LedgerPosting.objects.filter(
        account=deposit.account_id, category__in=[Category.DEPOSIT, Category.DEPOSIT_APPLIED]
    ).select_related("open_item")
    return Table(
        "What was posted",
        ["Date", "Posting", "Reference", "#Amount", "#Open", ""],
        [
            [
                Cell(day(posting.effective_on)),
                Cell(posting.get_category_display()),
                Cell(posting.reference_id, admin_url(posting)),
                money_cell(posting.amount),
                money_cell(posting.open_item.balance),
                Cell("reversal" if posting.reversal_for_id else posting.status.lower(), look="muted"),
            ]
            for posting in found.order_by("seq")[:MOST_ROWS]
        ],
        empty="Nothing yet: the weekly run charges each part when it is due.",
    )


def release_tables(deposit: Row) -> list[Table]:
    """What the release came to, and what the deposit paid."""
    release = getattr(deposit, "release", None)
    if release is None:
        return []
    tables = [
        Table(
            "Release",
            ["On", "#Fell due", "#Never collected", "#Collected", "#Applied", "#Left to refund", "By"],
            [
                [
                    Cell(day(release.released_on)),
                    money_cell(release.fell_due),
                    money_cell(release.cancelled),
                    money_cell(release.collected),
                    money_cell(release.applied),
                    money_cell(release.refundable),
                    Cell(str(release.created_by)),
                ]
            ],
            note=f"Released before its hold ended: {release.reason}" if release.reason else "",
        )
    ]
    if release.posting_id:
        paid = LedgerAllocation.objects.filter(
            account=deposit.account_id, credit=release.posting_id, amount__gt=0
        ).select_related("debit")
        tables.append(
            Table(
                "What the deposit paid",
                ["Category", "Reference", "#Amount"],
                [
                    [
                        Cell(row.debit.get_category_display()),
                        Cell(row.debit.reference_id, admin_url(row.debit)),
                        money_cell(row.amount),
                    ]
                    for row in paid.order_by("id")[:MOST_ROWS]
                ],
            )
        )
    return tables


def refunds_table(deposit: Row) -> Table | None:
    refunds = DepositRefund.objects.filter(release__deposit=deposit).select_related("created_by")
    rows = [
        [
            Cell(day(refund.paid_on)),
            Cell("Came back" if refund.returns_id else "Paid back"),
            Cell(f"{refund.get_method_display()} {refund.method_reference}"),
            money_cell(-refund.amount if refund.returns_id else refund.amount),
            entry_cell(je_number(refund.entry_id, refund.entry_date)),
            Cell(refund.reason or str(refund.created_by), look="long" if refund.reason else ""),
        ]
        for refund in refunds.order_by("id")
    ]
    if not rows:
        return None
    return Table("Refunds", ["On", "", "How", "#Amount", "Journal entry", "By, or why"], rows)


def audit_table(deposit: Row) -> Table:
    entries = AuditEntry.objects.filter(
        subject=f"lease:{deposit.lease_id}", action__startswith="deposit."
    ).select_related("actor")
    return Table(
        "Who did what",
        ["When", "Who", "What"],
        [
            [Cell(moment(entry.at)), Cell(str(entry.actor)), Cell(entry.action, admin_url(entry))]
            for entry in entries.order_by("-id")[:MOST_ROWS]
        ],
    )


def preview_tables(shown: Preview) -> list[Table]:
    """Every effect of a release, before it happens."""
    tables = []
    if shown.from_credits:
        tables.append(_paid("First, open credits pay", shown.from_credits))
    tables.append(
        Table(
            "What is posted",
            ["Posting", "Reference", "#Amount"],
            [
                [Cell(str(Category(category).label)), Cell(reference), money_cell(amount)]
                for category, reference, amount in shown.posted
            ],
            empty="Nothing: there is nothing to cancel and nothing to pay.",
            note="A part of the deposit that was never collected is taken back by its opposite."
            if shown.cancelled
            else "",
        )
    )
    tables.append(
        _paid(
            "The deposit pays",
            shown.from_deposit,
            empty="Nothing: this lease owes nothing, or nothing was collected.",
            left=True,
        )
    )
    return tables


def _paid(title: str, rows: Sequence[Paid], *, empty: str = "", left: bool = False) -> Table:
    """What was put to debts; with `left`, what stays open of each when all is done."""
    return Table(
        title,
        ["Debt", "Reference", "#Amount", *(["#Left"] if left else [])],
        [
            [
                Cell(str(Category(one.category).label)),
                Cell(one.reference_id),
                money_cell(one.amount),
                *([money_cell(one.open_after)] if left else []),
            ]
            for one in rows
        ],
        empty=empty,
    )
