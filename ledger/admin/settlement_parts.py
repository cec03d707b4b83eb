"""Reversing the settlement of a DTR's week: what it takes back, shown before it happens, or why it is refused."""

from decimal import Decimal

from django import forms
from unfold.widgets import UnfoldAdminTextareaWidget

from batconnect.common.errors import BatConnectError
from batconnect.common.money import total
from batconnect.common.screens import Action, Cell, Detail, Table, admin_url, day, money, money_cell
from ledger.models import DTR, Category, LedgerPosting, Tax, TripTotal
from ledger.services import voids

from . import posting_parts


class ReverseForm(forms.Form):
    """Why a settlement is taken back."""

    reason = forms.CharField(
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        max_length=voids.LONGEST_REASON,
        help_text=f"At least {voids.SHORTEST_REASON} characters. The next reader has only this sentence.",
    )


def refusal(dtr: DTR) -> BatConnectError | None:
    """Why this DTR's settlement cannot be reversed now; None when it can."""
    try:
        voids.standing_settlement(account=dtr.account, week=dtr.week)
    except BatConnectError as error:
        return error
    return None


def reversal_page(dtr: DTR) -> tuple[Detail, str]:
    """What reversing takes back; and why it cannot be done, where it cannot."""
    title = f"Reverse the settlement of {dtr.number}?"
    subtitle = f"{dtr.driver}, lease {dtr.lease.number}, week of {day(dtr.week)}"
    try:
        settled = voids.standing_settlement(account=dtr.account, week=dtr.week)
    except BatConnectError as error:
        back = Action(f"Back to {dtr.number}", admin_url(dtr))
        return Detail(title=title, subtitle=subtitle, actions=[back]), str(error)
    return Detail(
        title=title,
        subtitle=subtitle,
        figures=_figures(dtr, settled),
        tables=[
            _postings(settled),
            posting_parts.effects_of_voids(
                settled.postings,
                note="What the earnings paid is owed again, and other credits that paid a tax are free again. Taxes "
                "and payout close with their own reversals.",
            ),
            _trips(settled.totals),
        ],
    ), ""


def _figures(dtr: DTR, settled: voids.Settlement) -> list[tuple[str, Cell]]:
    def of(category: Category) -> Decimal:
        return total(row.amount for row in settled.postings if row.category == category)

    before = dtr.account.balance
    return [
        ("Earnings taken back", money_cell(-of(Category.EARNINGS))),
        ("Taxes taken back", money_cell(of(Category.TAXES))),
        ("Payout withdrawn", money_cell(of(Category.PAYOUT))),
        ("Account balance now", money_cell(before)),
        ("Account balance afterwards", money_cell(before - total(row.amount for row in settled.postings))),
    ]


def _paid(settled: voids.Settlement) -> str:
    if settled.paid is None:
        return ""
    return (
        f"{settled.paid.number} was paid, so its payout of {money(settled.paid.net_pay)} is not withdrawn: it stands, "
        "and is owed back from then on, after every other debt. If the money came back, record the payment as "
        "returned first."
    )


def _postings(settled: voids.Settlement) -> Table:
    postings = settled.postings
    return Table(
        "Postings that will be reversed",
        ["Category", "Reference", "#Amount", "#Its reversal, dated today"],
        [
            [
                Cell(_what(row)),
                Cell(row.reference_id, admin_url(row)),
                money_cell(row.amount),
                money_cell(-row.amount, look="strong"),
            ]
            for row in postings
        ],
        empty="None: these trips were settled without an amount.",
        note=_paid(settled),
        footer=[
            Cell("Together"),
            Cell(""),
            money_cell(total(row.amount for row in postings)),
            money_cell(-total(row.amount for row in postings)),
        ],
    )


def _what(posting: LedgerPosting) -> str:
    category = str(posting.get_category_display())
    return f"{category}: {Tax(posting.product).label}" if posting.product in Tax.values else category


def _trips(totals: list[TripTotal]) -> Table:
    return Table(
        "Trips that go to the next run",
        ["Week", "File", "#Trips", "#Earnings", "#Taxes"],
        [
            [
                Cell(day(row.week), posting_parts.trips_of(row)),
                Cell(row.batch.file_name, admin_url(row.batch)),
                Cell(f"{row.card_trips + row.cash_trips + row.other_trips:,}", look="money"),
                money_cell(row.earnings),
                money_cell(_taxes(row)),
            ]
            for row in totals
        ],
        empty="None.",
    )


def _taxes(row: TripTotal) -> Decimal:
    return total(getattr(row, column) for column, _ in posting_parts.TAX_COLUMNS.values())
