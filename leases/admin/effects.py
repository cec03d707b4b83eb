"""The effect of a change of a lease, as a page: what is posted, replaced, cancelled, and what the driver then owes."""

from collections.abc import Sequence

from batconnect.common.money import ZERO
from batconnect.common.screens import Cell, Detail, Table, admin_url, money_cell
from leases.services import Effect, Line, Swap
from ledger.models import LedgerPosting

from .wording import days_told, moment_told

Facts = Sequence[tuple[str, Cell]]
NOTHING = "Nothing that is posted or scheduled so far; weeks to come follow the new terms."


def effect_detail(
    effect: Effect, *, title: str, subtitle: str, asked: Facts = (), nothing: str = NOTHING
) -> Detail:
    """What a change would do, before it is done; `asked` is what was entered."""
    figures = [
        ("Driver owes now", money_cell(effect.balance_before)),
        ("Driver owes afterwards", money_cell(effect.balance_after, look="strong")),
    ]
    if effect.credit_before or effect.credit_after:
        figures += [
            ("In hand now", money_cell(effect.credit_before)),
            ("In hand afterwards", money_cell(effect.credit_after, look="strong")),
        ]
    return Detail(
        title=title,
        subtitle=subtitle,
        figures=figures,
        facts=[*asked, *_facts(effect)],
        tables=[table for table in _tables(effect) if table.rows]
        or [Table("What changes", [], [], empty=nothing)],
    )


def swap_detail(swap: Swap) -> Detail:
    return Detail(
        title=f"Put {swap.came.plate or swap.came.vin} on medallion {swap.lease.medallion}?",
        subtitle=f"Lease {swap.lease.number}, {swap.lease.driver}",
        facts=[
            ("From", Cell(moment_told(swap.at))),
            ("Goes", Cell(str(swap.went) if swap.went else "none was on it")),
            ("Comes", Cell(str(swap.came))),
            ("Fee", Cell("stays; nothing is posted")),
        ],
    )


def _facts(effect: Effect) -> list[tuple[str, Cell]]:
    if not effect.cancellation_fee:
        return []
    if effect.waived:
        return [("Cancellation fee", Cell(f"{effect.cancellation_fee:,.2f} is due, and waived", look="warn"))]
    return [("Cancellation fee", money_cell(effect.cancellation_fee))]


def _tables(effect: Effect) -> list[Table]:
    return [
        Table(
            "Voided, because it was posted on other terms",
            ["Reference", "Days", "#Charged", "#Paid of it"],
            [
                [_reference(line), Cell(days_told(line)), money_cell(line.amount), money_cell(line.paid)]
                for line in effect.replaced
            ],
            footer=_footer(effect.replaced, 1),
            note="A reversal is posted today; nothing that was written is changed.",
        ),
        Table(
            "Posted today in its place" if effect.replaced else "Posted today",
            ["Reference", "Days", "#Amount", "#Paid at once", "#Open"],
            [
                [
                    Cell(line.reference_id),
                    Cell(days_told(line)),
                    money_cell(line.amount),
                    money_cell(line.paid),
                    money_cell(line.amount - line.paid),
                ]
                for line in effect.posted
            ],
            note="What had paid the old charges pays these, in order; the rest is the driver's credit."
            if any(line.paid for line in effect.replaced)
            else "",
        ),
        Table(
            "No longer scheduled",
            ["Reference", "Days", "#Amount"],
            _scheduled(effect.cancelled),
        ),
        Table(
            "Scheduled instead" if effect.cancelled else "Scheduled",
            ["Reference", "Days", "#Amount"],
            _scheduled(effect.scheduled),
            note="The next weekly run posts it.",
        ),
    ]


def _scheduled(lines: Sequence[Line]) -> list[list[Cell]]:
    return [[Cell(line.reference_id), Cell(days_told(line)), money_cell(line.amount)] for line in lines]


def _footer(lines: Sequence[Line], blanks: int) -> list[Cell]:
    if len(lines) < 2:
        return []
    return [
        Cell("Together"),
        *[Cell("")] * blanks,
        money_cell(sum((line.amount for line in lines), ZERO)),
        money_cell(sum((line.paid for line in lines), ZERO)),
    ]


def _reference(line: Line) -> Cell:
    return Cell(line.reference_id, admin_url(LedgerPosting, line.posting_id))
