"""What stands on a lease's page: its schedule as the ledger has it, its terms, and the vehicles it had."""

from typing import Any

from batconnect.common.screens import (
    NONE,
    Cell,
    Table,
    admin_url,
    day,
    list_url,
    money_cell,
)
from leases.finding import vehicles_of
from leases.models import Lease, LeaseCancellation, LeaseInstallment
from leases.standing import InstallmentStatus, with_status
from ledger.models import LedgerPosting

from .wording import days_told, moment_told, span

MOST_INSTALLMENTS = 26
MOST_ROWS = 50


def tables_of(lease: Lease) -> list[Table]:
    always = [_schedule(lease), _fees(lease), _suspensions(lease), _vehicles(lease)]
    first, last = [_cancelled(lease)], [_ends(lease), _drivers(lease)]
    return [table for table in (*first, *always, *last) if table.rows or table in always]


def _schedule(lease: Lease) -> Table:
    rows = list(with_status(lease.installments.order_by("-week", "-period_start", "-id"))[:MOST_INSTALLMENTS])
    return Table(
        "Schedule",
        ["Days", "Reference", "#A week", "#Amount", "#Open", "Due", "Status"],
        [
            [
                Cell(days_told(row)),
                Cell(row.reference_id, _posting_url(row)),
                money_cell(row.weekly_fee, look="muted"),
                money_cell(row.amount),
                money_cell(row.open_amount) if row.replaced == 0 else Cell(NONE, look="money"),
                Cell(day(row.due_on)),
                Cell(_status(row), look="muted" if row.status in _GONE else ""),
            ]
            for row in rows
        ],
        empty="Nothing was billed."
        if lease.status == Lease.Status.CANCELLED
        else "Nothing is billed so far; the weekly run makes the schedule.",
        note="The newest weeks first. Statuses are the ledger's.",
        more=Cell("All installments", list_url(LeaseInstallment, f"lease__id__exact={lease.pk}")),
    )


_GONE = (InstallmentStatus.REPLACED, InstallmentStatus.VOIDED, InstallmentStatus.CANCELLED)


def _status(row: Any) -> str:
    label = InstallmentStatus(row.status).label
    return f"{label} {day(row.replaced_on)}" if row.replaced_on else label


def _posting_url(row: Any) -> str:
    return admin_url(LedgerPosting, row.current_posting_id) if row.current_posting_id else ""


def _fees(lease: Lease) -> Table:
    return Table(
        "Fees",
        ["From", "#A week"],
        [
            [Cell(day(fee.effective_from)), money_cell(fee.weekly_fee)]
            for fee in lease.fees.order_by("-effective_from")[:MOST_ROWS]
        ],
    )


def _suspensions(lease: Lease) -> Table:
    return Table(
        "Suspensions",
        ["Days", "Why", ""],
        [
            [
                Cell(span(row.starts_on, row.ends_on)),
                Cell(row.reason, look="long"),
                Cell("withdrawn" if row.withdrawn else "", look="muted"),
            ]
            for row in lease.suspensions.order_by("-starts_on", "-pk")[:MOST_ROWS]
        ],
        empty="Never suspended.",
    )


def _vehicles(lease: Lease) -> Table:
    return Table(
        "Vehicles",
        ["Vehicle", "From", "Until"],
        [
            [
                Cell(str(row.vehicle), admin_url(row.vehicle)),
                Cell(moment_told(row.started_at)),
                Cell(moment_told(row.ended_at) if row.ended_at else "still on the medallion"),
            ]
            for row in vehicles_of(lease).reverse()[:MOST_ROWS]
        ],
        empty="No vehicle was on the medallion.",
    )


def _ends(lease: Lease) -> Table:
    return Table(
        "Early ends",
        ["Last day", "Agreed was", "Why", "#Cancellation fee", ""],
        [
            [
                Cell(day(row.ends_on)),
                Cell(day(row.agreed_end) if row.agreed_end else "open"),
                Cell(row.reason, look="long"),
                money_cell(
                    row.cancellation_fee,
                    admin_url(LedgerPosting, row.posting_id) if row.posting_id else "",
                ),
                Cell(f"waived: {row.waiver_reason}" if row.waiver_reason else "", look="long"),
            ]
            for row in lease.terminations.order_by("-pk")[:MOST_ROWS]
        ],
    )


def _drivers(lease: Lease) -> Table:
    return Table(
        "Additional drivers",
        ["Driver", "Days", ""],
        [
            [
                Cell(str(row.driver), admin_url(row.driver)),
                Cell(span(row.starts_on, row.ends_on)),
                Cell("withdrawn" if row.withdrawn else "", look="muted"),
            ]
            for row in lease.additional_drivers.select_related("driver").order_by("-starts_on")[:MOST_ROWS]
        ],
        note="What they earn and owe is settled with the lease's driver.",
    )


def _cancelled(lease: Lease) -> Table:
    found = LeaseCancellation.objects.filter(lease=lease).select_related("created_by")
    return Table(
        "Cancelled before it began",
        ["On", "By", "Why"],
        [
            [Cell(day(row.cancelled_on)), Cell(str(row.created_by)), Cell(row.reason, look="long")]
            for row in found
        ],
    )
