"""Pieces that the screens of tolls and tickets show."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from batconnect.common.screens import Action, Cell, Table, admin_url, day, moment, money_cell
from ledger.models import DriverAccount, LedgerPosting
from ledger.selectors.journal import entries_numbered, je_number
from ledger.services.void_approval import void_preview

from ..models import AgencyDecision, AgencyItem
from ..selectors.agency import accounts_by_id, decisions_of
from ..services.agency import money
from ..services.agency.holding import Action as Decided
from ..services.agency.holding import is_pending_revision, why_not
from ..sources import tolls, violations

STATE_TONES = {
    "POSTED": "success",
    "REVIEW": "warning",
    "UNASSIGNED": "danger",
    "CREDIT": "warning",
    "DISPUTED": "warning",
    "FLEET_COST": "info",
    "CREDITED": "success",
    "DISMISSED": "info",
    "IGNORED": "info",
    "REVISED": "info",
}
MONEY_TONES = {"NONE": "info", "OPEN": "warning", "PAID": "success", "VOIDED": "danger"}
SIDE_BY_SIDE = 3
# What a button says, in the order of the buttons, and how it looks.
BUTTONS = {
    "revision": ("Accept these figures…", "primary"),
    "accept": ("Accept…", "primary"),
    "credit": ("Credit to a toll…", "primary"),
    "assign": ("Assign to a lease…", "default"),
    "reassign": ("Reassign…", "default"),
    "reduce": ("Reduce…", "default"),
    "dispute": ("Dispute…", "default"),
    "fleet-cost": ("Fleet cost…", "default"),
    "undo": ("Take back…", "default"),
    "dismiss": ("Dismiss…", "danger"),
}


def score_text(score: int | None) -> str:
    return "–" if score is None else f"{score / 100:.2f}"


def may_decide(request: HttpRequest) -> bool:
    return bool(request.user.has_perm("recon.decide_agencyitem"))


def decision_url(item: AgencyItem, action: str) -> str:
    return reverse(f"admin:recon_agencyitem_{action}", args=[item.pk])


def buttons(request: HttpRequest, item: AgencyItem) -> list[Action]:
    if not may_decide(request):
        return []
    offered = []
    for action, (label, look) in BUTTONS.items():
        possible = is_pending_revision(item) if action == "revision" else not why_not(item, action)
        if action == "accept" and item.decision is not None and item.decision.suggested_id is None:
            possible = False
        if possible:
            offered.append(Action(label, decision_url(item, action), look=look))
    return offered


def side_by_side(item: AgencyItem, candidates: Sequence[Mapping[str, Any]]) -> Table:
    """The item and the trips it may have been made on, field by field."""
    shown = candidates[:SIDE_BY_SIDE]
    accounts = accounts_by_id([one["account_id"] for one in shown])
    whose = f"{item.plate_state} {item.plate}".strip() or item.tag or "–"

    def trips(cell: Any) -> list[Cell]:
        return [cell(one, accounts[one["account_id"]]) for one in shown]

    rows = [
        [
            Cell("When"),
            Cell(moment(item.occurred_at) if item.occurred_at else day(item.event_on)),
            *trips(_span),
        ],
        [Cell("Away"), Cell(""), *trips(lambda one, _: Cell(away_text(one["seconds_away"])))],
        [Cell("Who"), Cell(whose), *trips(lambda _, account: Cell(account.driver.name, admin_url(account)))],
        [Cell("Lease"), Cell(_lease_then(item)), *trips(_lease)],
        [Cell("Time"), Cell(""), *trips(lambda one, _: Cell(score_text(one["time"])))],
        [Cell("Driver"), Cell(""), *trips(lambda one, _: Cell(score_text(one["driver"])))],
        [Cell("Evidence"), Cell(""), *trips(lambda one, _: Cell(score_text(one["evidence"])))],
        [
            Cell("Score", look="strong"),
            Cell(""),
            *trips(lambda one, _: Cell(score_text(one["score"]), look="strong")),
        ],
    ]
    headers = ["", "This one", *(f"Trip {one['trip']}" for one in shown)]
    more = len(candidates) - len(shown)
    note = f"And {more} more that fit less." if more > 0 else ""
    return Table(
        "Side by side", headers, rows if shown else [], empty="No trip of a vehicle of ours fits.", note=note
    )


def candidates_table(candidates: Sequence[Mapping[str, Any]]) -> Table:
    accounts = accounts_by_id([one["account_id"] for one in candidates])
    rows = [
        [
            Cell(str(one["trip"])),
            _span(one, accounts[one["account_id"]]),
            Cell(accounts[one["account_id"]].driver.name),
            Cell(score_text(one["time"]), look="money"),
            Cell(score_text(one["driver"]), look="money"),
            Cell(score_text(one["evidence"]), look="money"),
            Cell(score_text(one["score"]), look="money strong"),
        ]
        for one in candidates
    ]
    headers = ["Trip", "When", "Driver", "#Time", "#Driver's share", "#Evidence", "#Score"]
    return Table("Trips it may have been on", headers, rows, empty="No trip of a vehicle of ours fits.")


def posted_table(item: AgencyItem) -> Table:
    """What stands of the item's money, and where it leads."""
    last = item.decision
    rows: list[Sequence[Cell]] = []
    if last is not None and last.posting_id:
        for first in filter(None, (last.posting_id, last.fee_posting_id)):
            posting = LedgerPosting.objects.select_related(
                "account__driver", "account__lease", "open_item"
            ).get(pk=money.current_posting(first))
            rows.append(
                [
                    Cell(f"{posting.get_category_display()} {posting.reference_id}", admin_url(posting)),
                    Cell(posting.account.driver.name, admin_url(posting.account)),
                    Cell(posting.account.lease.number),
                    Cell(str(posting.get_status_display())),
                    money_cell(posting.amount),
                    money_cell(posting.open_item.balance),
                ]
            )
    elif last is not None and last.entry_id and last.entry_date:
        number = je_number(last.entry_id, last.entry_date)
        entry = entries_numbered(number).first()
        rows.append(
            [
                Cell(f"Fleet cost {number}", admin_url(entry) if entry else ""),
                Cell("the fleet"), Cell("–"), Cell("Entered"), money_cell(last.amount), Cell("–", look="money"),
            ]
        )  # fmt: skip
    headers = ["Posting", "Driver", "Lease", "Status", "#Amount", "#Still open"]
    return Table("What was posted", headers, rows, empty="Nothing stands posted.")


def history_table(item: AgencyItem) -> Table:
    rows = [
        [
            Cell(moment(one.decided_at)),
            Cell("by itself" if one.action in (Decided.ATTRIBUTED, Decided.LOOKED) else str(one.decided_by)),
            Cell(f"{one.get_action_display()}: {one.get_state_display().lower()}"),
            Cell(_charged_to(one)),
            money_cell(one.amount),
            Cell(score_text(one.score), look="money"),
            Cell(one.reasons, admin_url(one.counterpart) if one.counterpart else "", "long"),
        ]
        for one in decisions_of(item)
    ]
    return Table("What was decided", ["When", "Who", "What", "Charged to", "#Amount", "#Score", "Why"], rows)


def versions_table(item: AgencyItem) -> Table | None:
    """The other figures under the same number, where there are any."""
    others = AgencyItem.objects.filter(kind=item.kind, number=item.number).order_by("version")
    rows = [
        [
            Cell(f"Figures {one.version}", "" if one.pk == item.pk else admin_url(one)),
            Cell(f"{one.plate_state} {one.plate}".strip() or one.tag or "–"),
            Cell(moment(one.occurred_at) if one.occurred_at else day(one.event_on)),
            money_cell(one.amount),
            money_cell(one.paid),
            money_cell(one.due),
            Cell(str(one.get_state_display())),
        ]
        for one in others
    ]
    if len(rows) < 2:
        return None
    return Table("Figures under this number", ["", "Plate", "When", "#Amount", "#Paid", "#Due", "Now"], rows)


def raw_table(item: AgencyItem) -> Table:
    order = {name: place for place, name in enumerate((*tolls.COLUMNS, *violations.COLUMNS))}
    columns = sorted(item.raw.items(), key=lambda part: order.get(part[0], 0))
    rows = [[Cell(name.replace("_", " ")), Cell(str(value or "–"))] for name, value in columns]
    return Table("As it came", ["Column", "Value"], rows)


def void_table(decision: AgencyDecision) -> Table | None:
    """What taking back a decision's charge undoes: what was paid on it, and whose it is again."""
    rows = []
    for posting_id in money.standing_postings(decision):
        preview = void_preview(posting_id)
        posting = preview.posting
        rows.append(
            [
                Cell(
                    f"{posting.get_category_display()} {posting.reference_id} is voided", admin_url(posting)
                ),
                Cell(posting.driver.name),
                money_cell(-posting.amount),
            ]
        )
        rows += [
            [
                Cell(f"its payment by {undone.other.get_category_display().lower()} is free again"),
                Cell(posting.driver.name),
                money_cell(undone.amount),
            ]
            for undone in preview.undone
        ]
    if not rows and decision.entry_id and decision.entry_date:
        rows = [
            [
                Cell(f"Fleet cost {je_number(decision.entry_id, decision.entry_date)} is reversed"),
                Cell("the fleet"),
                money_cell(-(decision.amount or Decimal(0))),
            ]
        ]
    return Table("What is taken back", ["", "Whose", "#Amount"], rows) if rows else None


def owed_table(changes: Sequence[tuple[DriverAccount, Decimal]]) -> Table:
    """What drivers owe before and after."""
    rows = [
        [
            Cell(account.driver.name, admin_url(account)),
            Cell(account.lease.number),
            money_cell(account.balance),
            money_cell(change),
            money_cell(account.balance + change, look="strong"),
        ]
        for account, change in changes
    ]
    return Table("What drivers owe", ["Driver", "Lease", "#Now", "#Change", "#Afterwards"], rows)


def away_text(seconds: int) -> str:
    if seconds == 0:
        return "inside the trip"
    minutes, rest = divmod(seconds, 60)
    return " ".join(text for text, number in ((f"{minutes} min", minutes), (f"{rest} s", rest)) if number)


def _span(one: Mapping[str, Any], _account: DriverAccount) -> Cell:
    start, end = (datetime.fromisoformat(one[name]) for name in ("started_at", "ended_at"))
    return Cell(f"{moment(start)} – {moment(end)[-5:]}")


def _lease(one: Mapping[str, Any], account: DriverAccount) -> Cell:
    number = f"{account.lease.number}, {account.lease.medallion.number}"
    return Cell(number, look="warn" if one["another_lease"] else "")


def _lease_then(item: AgencyItem) -> str:
    last = item.decision
    if last is None or last.lease_then is None:
        return "on none of ours then" if last is not None and last.vehicle_id else "–"
    return f"on {last.lease_then.number} then"


def _charged_to(one: AgencyDecision) -> str:
    return f"{one.account.driver.name}, {one.account.lease.number}" if one.account else "–"
