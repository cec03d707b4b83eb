"""Repayments on screens: the schedule, the effect of a decision, and what there is to know about one."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from batconnect.common.money import total
from batconnect.common.screens import Cell, Detail, Table, admin_url, day, money_cell
from ledger.models import DriverAccount, InstallmentStatus

from .matrix import Planned
from .models import Because, Kind, RepaymentInstallment, Status
from .services.decisions import Change
from .services.plans import Plan

TONES = {"DRAFT": "info", "OPEN": "warning", "HOLD": "danger", "CLOSED": "success", "CANCELLED": "info"}
_LOOKS = {"SCHEDULED": "muted", "VOIDED": "warn", "CANCELLED": "muted"}


def planned_table(
    title: str, rows: Sequence[Planned | RepaymentInstallment], *, with_interest: bool
) -> Table:
    """Installments to be: when, how much, and what is left after each."""
    interest = ["#Principal", "#Interest"] if with_interest else []
    sums = [total(row.principal for row in rows), total(row.interest for row in rows)]
    return Table(
        title,
        ["Due", *interest, "#Installment", "#Left"],
        [
            [
                Cell(day(row.due_on)),
                *([money_cell(row.principal), money_cell(row.interest)] if with_interest else []),
                money_cell(row.principal + row.interest, look="strong"),
                money_cell(row.left),
            ]
            for row in rows
        ],
        footer=[
            Cell(f"{len(rows)} in all"),
            *([money_cell(one) for one in sums] if with_interest else []),
            money_cell(sum(sums, Decimal("0.00"))),
            Cell(""),
        ]
        if rows
        else (),
    )


def schedule_tables(plan: Plan) -> list[Table]:
    """The installments in force with what became of each, and those that others took the place of."""
    in_force = [row for row in plan.rows if row.standing.status != InstallmentStatus.CANCELLED]
    gone = [row for row in plan.rows if row.standing.status == InstallmentStatus.CANCELLED]
    with_interest = plan.repayment.kind == Kind.LOAN
    tables = [
        Table(
            "Schedule",
            [
                "Installment",
                "Due",
                "Status",
                *(["#Principal", "#Interest"] if with_interest else []),
                "#Total",
                "#Left",
                "#Open",
                "Charged as",
            ],
            [_row(row, with_interest) for row in in_force],
            empty="Nothing is charged to the driver: the fleet paid.",
            note=_note(plan),
        )
    ]
    if gone:
        tables.append(
            Table(
                "No longer in force",
                ["Installment", "Due", "#Total", "Because", "On"],
                [
                    [
                        Cell(row.reference_id, look="muted"),
                        Cell(day(row.due_on), look="muted"),
                        money_cell(row.principal + row.interest, look="muted"),
                        Cell(str(Because(row.cancelled_because).label), look="muted"),
                        Cell(day(row.cancelled_on), look="muted"),
                    ]
                    for row in gone
                ],
            )
        )
    return tables


def effect(plan: Plan, change: Change, *, title: str, subtitle: str = "") -> Detail:
    """Exactly what a decision changes: what is charged at once, what is cancelled, what comes in its place."""
    with_interest = plan.repayment.kind == Kind.LOAN
    scheduled_after = plan.remaining - total(row.principal for row in change.cancels)
    if not change.posts_added:
        scheduled_after += total(one.principal for one in change.adds)
    scheduled_after -= total(row.principal for row in change.posts if row in plan.scheduled)
    figures = [
        ("Charged at once", money_cell(change.charged, look="strong")),
        ("Scheduled now", money_cell(plan.remaining)),
        ("Scheduled afterwards", money_cell(scheduled_after)),
    ]
    if change.pays_out:
        figures.insert(0, ("Paid out to the driver", money_cell(change.pays_out, look="strong")))
    if change.forgives:
        figures.insert(1, ("Forgiven, booked as bad debt", money_cell(change.forgives, look="strong")))
    balance = plan.repayment.account.balance
    figures.append(("The driver owes afterwards", money_cell(balance + change.charged)))
    charged = change.adds if change.posts_added else change.posts
    tables = []
    if charged:
        tables.append(planned_table("Charged at once", charged, with_interest=with_interest))
    if change.adds and not change.posts_added:
        tables.append(planned_table("The new schedule", change.adds, with_interest=with_interest))
    if change.cancels:
        tables.append(planned_table("Cancelled", change.cancels, with_interest=with_interest))
    if not tables:
        tables = schedule_tables(plan)[:1]
    facts = [("Is", Cell(Status(plan.status).label)), ("Becomes", Cell(_becomes(plan, change)))]
    if change.reason:
        facts.append(("Why", Cell(change.reason)))
    return Detail(title=title, subtitle=subtitle, figures=figures, facts=facts, tables=tables)


def facts_of(plan: Plan) -> list[tuple[str, Cell]]:
    """What repairs and loans have in common, as facts."""
    repayment = plan.repayment
    facts = [
        ("Driver", Cell(str(repayment.driver), admin_url(repayment.account))),
        ("Lease", Cell(f"{repayment.lease.number}, {repayment.lease.get_lease_type_display().lower()}")),
        ("Medallion", Cell(repayment.lease.medallion.number)),
        ("Principal a week", money_cell(repayment.weekly_principal) if repayment.billed else Cell("–")),
        ("Next due", Cell(day(repayment.standing.next_due_on))),
        ("Since", Cell(day(repayment.state_since))),
    ]
    if repayment.state_reason:
        facts.append(("Why", Cell(repayment.state_reason)))
    return facts


def figures_of(plan: Plan) -> list[tuple[str, Cell]]:
    repayment, standing = plan.repayment, plan.repayment.standing
    figures = [
        ("Amount", money_cell(repayment.amount)),
        ("Not posted yet", money_cell(standing.scheduled)),
        ("Open of what is posted", money_cell(standing.open_amount)),
    ]
    if standing.adrift:
        figures.append(("Voided, not charged again", money_cell(standing.adrift, look="warn")))
    if repayment.forgiven:
        figures.append(("Forgiven", money_cell(repayment.forgiven)))
    return figures


def account_detail(account: DriverAccount, *, on: date) -> Detail:
    """The driver and lease that something is entered for."""
    lease = account.lease
    return Detail(
        title=account.driver.name,
        subtitle=f"TLC licence {account.driver.tlc_license}",
        badges=[("lease ended", "warning")] if lease.ends_on and lease.ends_on < on else [],
        figures=[("Owed now", money_cell(account.balance))],
        facts=[
            ("Lease", Cell(f"{lease.number}, {lease.get_lease_type_display().lower()}")),
            ("Medallion", Cell(lease.medallion.number)),
            ("Vehicle", Cell(str(lease.vehicle))),
            ("Runs", Cell(f"{day(lease.starts_on)} – {day(lease.ends_on) if lease.ends_on else 'open'}")),
        ],
    )


def _row(row: RepaymentInstallment, with_interest: bool) -> list[Cell]:
    standing = row.standing
    look = _LOOKS.get(standing.status, "")
    posting = standing.current_posting
    parts = [row.principal, row.interest] if with_interest else []
    return [
        Cell(row.reference_id, look=look),
        Cell(day(row.due_on), look=look),
        Cell(str(InstallmentStatus(standing.status).label), look=look),
        *(money_cell(part, look=look) for part in (*parts, row.principal + row.interest, row.left)),
        money_cell(standing.open_amount if posting else None, look=look),
        Cell(posting.reference_id, admin_url(posting)) if posting else Cell("–", look="muted"),
    ]


def _note(plan: Plan) -> str:
    if not plan.having(InstallmentStatus.VOIDED):
        return ""
    if plan.repayment.kind == Kind.LOAN:
        return "A voided installment is money still lent: charge it again, or forgive it. No run does so by itself."
    return "A voided installment stays so unless somebody charges it again. No run does so by itself."


def _becomes(plan: Plan, change: Change) -> str:
    return str(Status(change.state).label) if change.state != plan.repayment.state else "stays as it is"
