"""The screens of VOID: find the posting, see every effect, say why; and, of a large one, decide on it."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from django.http import QueryDict

from batconnect.cases.models import Case
from batconnect.cases.screens import FormField, Found, SecondPersonScreen, StepPage, StepScreen
from batconnect.cases.ways import start_url
from batconnect.common.models import User
from batconnect.common.screens import (
    Action,
    Cell,
    Detail,
    Table,
    admin_url,
    day,
    list_url,
    money,
    money_cell,
)
from ledger import flows
from ledger.models import Category, LedgerPosting
from ledger.selectors.account_items import accounts_starting
from ledger.selectors.postings import postings_with_reference
from ledger.services.errors import LedgerError
from ledger.services.reasons import LONGEST_REASON, checked_reason
from ledger.services.void_approval import VoidPreview, void_preview
from ledger.services.voids import UnknownPosting


class VoidScreen(StepScreen):
    search_label = "Reference, TLC licence, medallion, VIN or name"
    search_help = "A whole reference, such as MISC-2025-00123, or whose posting it is."
    another_label = "Another posting?"
    confirm_label = "Void this posting"
    confirm_look = "danger"

    def search(self, *, query: str, actor: User, on: date) -> Sequence[Found]:
        query = query.strip()
        if not query.isprintable():
            return []
        ids = [key] if (key := _uuid(query)) else postings_with_reference(query)
        if not ids:
            ids = flows.voidable_of([account.pk for account in accounts_starting(query)])
        rows = LedgerPosting.objects.select_related("driver", "lease", "medallion").in_bulk(ids)
        return [_hit(rows[key]) for key in ids if key in rows]

    def subject(self, *, pick: str, on: date) -> str:
        posting = void_preview(_picked(pick)).posting
        return f"Void {posting.get_category_display()} {posting.reference_id}?"

    def picked(self, *, pick: str) -> dict[str, Any]:
        return {"posting_id": str(_picked(pick))}

    def read(self, post: QueryDict) -> dict[str, Any]:
        return {
            "posting_id": post.get("posting_id", ""),
            "reason": post.get("reason", "").replace("\r\n", "\n"),
            "accounting_date": post.get("accounting_date", "") or None,
        }

    def page(self, *, case: Case, data: Mapping[str, Any], actor: User, on: date) -> StepPage | None:
        if not data.get("posting_id"):
            return None
        shown = void_preview(_picked(str(data["posting_id"])))
        return StepPage(
            detail=effect(shown),
            fields=[
                FormField(
                    "reason",
                    "Why",
                    "area",
                    help="At least 10 characters. The next reader has only this sentence.",
                    maximum=str(LONGEST_REASON),
                ),
                FormField(
                    "accounting_date",
                    "Accounting date",
                    "date",
                    help="Empty: today. It must lie in an open week.",
                    required=False,
                    maximum=on.isoformat(),
                ),
            ],
            about={"posting_id": str(shown.posting.pk)},
            submit_label="See what it does",
        )

    def preview(self, *, case: Case, data: Mapping[str, Any], actor: User, on: date) -> Detail:
        reason = checked_reason(data["reason"])
        shown = void_preview(data["posting_id"])
        ask = "Ask a second person to void" if shown.needs_approval else "Void"
        return effect(
            shown,
            title=f"{ask} {shown.posting.get_category_display()} {shown.posting.reference_id}?",
            facts=[("Why", Cell(reason)), ("Accounted on", Cell(day(data["accounting_date"] or on)))],
        )

    def done(self, *, case: Case, actor: User) -> Detail:
        return void_result(case, actor)


class DecisionScreen(SecondPersonScreen):
    approve_label = "Approve and void"

    def page(self, *, case: Case, data: Mapping[str, Any], actor: User, on: date) -> StepPage | None:
        shown = void_preview(UUID(case.result["posting_id"]))
        return self.decision_page(effect(shown, facts=_asked(case)), longest_note=LONGEST_REASON)

    def preview(self, *, case: Case, data: Mapping[str, Any], actor: User, on: date) -> Detail:
        shown = void_preview(UUID(case.result["posting_id"]))
        reference = f"{shown.posting.get_category_display()} {shown.posting.reference_id}"
        if data["decision"] == "REJECT":
            note = checked_reason(data["note"])
            return Detail(
                title=f"Reject the void of {reference}?",
                subtitle="The posting stands, and nothing is posted.",
                facts=[*_asked(case), ("Your note", Cell(note))],
            )
        return effect(shown, title=f"Approve, and void {reference}?", facts=_asked(case))

    def done(self, *, case: Case, actor: User) -> Detail:
        return void_result(case, actor)


def effect(shown: VoidPreview, *, title: str = "", facts: Sequence[tuple[str, Cell]] = ()) -> Detail:
    """Everything a void does: the reversal, each allocation undone, balances before and after."""
    posting = shown.posting
    badges = [("needs a second person", "warning")] if shown.needs_approval else []
    return Detail(
        title=title or f"{posting.get_category_display()} {posting.reference_id}",
        subtitle=f"{posting.driver}, lease {posting.lease.number}, medallion {posting.medallion.number}",
        badges=badges,
        figures=[
            ("This posting", money_cell(posting.amount, admin_url(posting))),
            ("Its reversal", money_cell(-posting.amount)),
            ("Account balance now", money_cell(shown.balance_before)),
            ("Account balance afterwards", money_cell(shown.balance_after, look="strong")),
        ],
        facts=facts,
        tables=[
            Table(
                "Allocations that will be undone",
                ["Category", "Reference", "#Amount", "#Open now", "#Open afterwards"],
                [
                    [
                        Cell(one.other.get_category_display()),
                        Cell(one.other.reference_id, admin_url(one.other)),
                        money_cell(one.amount),
                        money_cell(one.open_before),
                        money_cell(one.open_after, look="strong"),
                    ]
                    for one in shown.undone
                ],
                empty="None: nothing was allocated to or from it. The posting and its reversal close each other.",
                note=_note(shown),
            )
        ],
    )


def void_result(case: Case, actor: User) -> Detail:
    """What came of a VOID case: done, waiting, or turned down; and the next thing to do."""
    made = case.result
    posting = LedgerPosting.objects.select_related("driver", "lease", "account").get(pk=made["posting_id"])
    reference = f"{posting.get_category_display()} {posting.reference_id}"
    again = (
        [Action("Void another", start_url("VOID"), look="primary")]
        if actor.has_perm("ledger.void_posting")
        else []
    )
    facts = [*_asked(case), ("Posting", Cell(posting.reference_id, admin_url(posting)))]
    if "reversal_id" not in made:
        waiting = case.status == Case.Status.OPEN
        return Detail(
            title=f"The void of {reference} {'waits for a second person' if waiting else 'was turned down'}",
            subtitle="Nothing is posted yet; the case is open to anyone who may approve it."
            if waiting
            else "The posting stands.",
            badges=[(case.case_no, "info")],
            facts=[*facts, *([("Note", Cell(made["note"]))] if made.get("note") else [])],
            actions=[*again, Action("Cases for anyone", list_url(Case, "whose=free"))],
        )
    if made.get("approved_by"):
        facts.append(("Approved by", Cell(made["approved_by"])))
    reversal = LedgerPosting.objects.get(pk=made["reversal_id"])
    return Detail(
        title=f"{reference} is voided",
        subtitle=f"{posting.driver}, lease {posting.lease.number}",
        badges=[(case.case_no, "info"), ("voided", "danger")],
        figures=[
            ("Reversal", money_cell(made["amount"], admin_url(reversal))),
            ("Balance before", money_cell(made["balance_before"])),
            ("Balance after", money_cell(made["balance_after"], admin_url(posting.account))),
        ],
        facts=facts,
        tables=[
            Table(
                "Allocations that were undone",
                ["Category", "Reference", "#Amount", "#Open before", "#Open after"],
                [
                    [
                        Cell(str(Category(one["category"]).label)),
                        Cell(one["reference_id"], admin_url(LedgerPosting, one["posting_id"])),
                        money_cell(one["amount"]),
                        money_cell(one["open_before"]),
                        money_cell(one["open_after"]),
                    ]
                    for one in made["undone"]
                ],
                empty="None: nothing was allocated to or from it.",
            )
        ],
        actions=again,
    )


def _asked(case: Case) -> list[tuple[str, Cell]]:
    made = case.result
    return [
        ("Why", Cell(made.get("reason", "–"))),
        ("Asked by", Cell(made.get("asked_by", "–"))),
        (
            "Accounted on",
            Cell(day(made["accounting_date"]) if made.get("accounting_date") else "the day it is done"),
        ),
    ]


def _hit(posting: LedgerPosting) -> Found:
    text = f"{posting.driver} · lease {posting.lease.number} · {day(posting.effective_on)} · {money(posting.amount)}"
    title = f"{posting.get_category_display()} {posting.reference_id}"
    try:
        void_preview(posting.pk)
    except LedgerError as error:
        return Found(title, text, warning=str(error))
    return Found(title, text, pick=str(posting.pk))


def _note(shown: VoidPreview) -> str:
    if not shown.undone:
        return ""
    if shown.posting.amount > 0:
        said = "These credits become available again; the next weekly run uses them."
        if any(one.other.category == Category.WRITE_OFF for one in shown.undone):
            said += " A write-off too, for other debts: void it as well, if it was for this charge alone."
        return said
    return "These charges are owed again."


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _picked(pick: str) -> UUID:
    key = _uuid(pick)
    if key is None:
        raise UnknownPosting
    return key
