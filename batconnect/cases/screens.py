"""What the screens of steps are made of; each flow brings its own, the pages around them are one (`admin.py`).

A step's screen goes: find what it is about, fill one form, see the exact effect, confirm, and be led on. It says
and shows; rules are the flow's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict

from batconnect.common.models import User
from batconnect.common.screens import Action, Detail

from .models import Case


@dataclass(frozen=True)
class Found:
    """One hit of a search. `pick` names it to the screen; without one it cannot be picked, and `warning` says why."""

    title: str
    text: str = ""
    pick: str = ""
    warning: str = ""


@dataclass(frozen=True)
class FormField:
    """A field of a step's form. `kind`: text, money, date, choice, area."""

    name: str
    label: str
    kind: str = "text"
    help: str = ""
    choices: Sequence[tuple[str, str]] = ()
    required: bool = True
    maximum: str = ""
    initial: str = ""
    shown_for: str = ""  # "method=CHECK,ACH": only while that field has one of these values


@dataclass(frozen=True)
class StepPage:
    """What stands on a step's page once it is known what it is about: who or what, the form, and how it goes on."""

    detail: Detail
    fields: Sequence[FormField]
    about: Mapping[str, str] = field(default_factory=dict)  # hidden fields: what was picked
    submit_label: str = "Preview"
    part: str = ""  # a template between fields and buttons
    context: Mapping[str, Any] = field(default_factory=dict)
    refused: str = ""  # why this cannot be done at all; then there is no form


class StepScreen:
    """One step's screen. All methods only read; `query` is what somebody typed, `pick` what somebody chose."""

    search_label = "TLC licence, medallion, VIN or name"
    search_help = "Type at least two characters."
    another_label = "Another driver?"
    confirm_label = "Confirm"
    confirm_look = "primary"

    def search(self, *, query: str, actor: User, on: date) -> Sequence[Found]:
        """What the typed text may mean, best first. A step without a search keeps this."""
        return []

    def subject(self, *, pick: str, on: date) -> str:
        """What a case about this pick is called while it is open. Raises BatConnectError if there is no such pick."""
        return ""

    def picked(self, *, pick: str) -> dict[str, Any]:
        """The step's data as far as the pick gives it."""
        return {}

    def page(self, *, case: Case, data: Mapping[str, Any], actor: User, on: date) -> StepPage | None:
        """The page for this data, or None while it is not known what the step is about. Raises BatConnectError."""
        raise AssertionError(f"{type(self).__name__} shows no page")

    def read(self, post: QueryDict) -> dict[str, Any]:
        """The step's data out of the form, as the API takes it."""
        raise AssertionError(f"{type(self).__name__} reads no form")

    def preview(self, *, case: Case, data: Mapping[str, Any], actor: User, on: date) -> Detail:
        """The exact effect of the checked data. Raises BatConnectError as carrying it out would."""
        raise AssertionError(f"{type(self).__name__} shows no effect")

    def done(self, *, case: Case, actor: User) -> Detail:
        """What was made, and the next thing to do."""
        raise AssertionError(f"{type(self).__name__} shows no result")

    def paper(self, *, case: Case, request: HttpRequest) -> HttpResponse | None:
        """A printable paper of what was made, where there is one."""
        return None


class SecondPersonScreen(StepScreen):
    """The step in which somebody else approves, or rejects with a note."""

    confirm_label = "Decide so"
    approve_label = "Approve"

    def read(self, post: QueryDict) -> dict[str, Any]:
        return {"decision": post.get("decision", ""), "note": post.get("note", "").replace("\r\n", "\n")}

    def decision_page(self, detail: Detail, *, longest_note: int) -> StepPage:
        choices = [("", "Choose…"), ("APPROVE", self.approve_label), ("REJECT", "Reject")]
        return StepPage(
            detail=detail,
            fields=[
                FormField("decision", "Decision", "choice", choices=choices),
                FormField(
                    "note",
                    "Note",
                    "area",
                    help="To reject, at least 10 characters.",
                    required=False,
                    maximum=str(longest_note),
                ),
            ],
            submit_label="Look once more",
        )


def whole_number(text: str) -> int | str:
    """An id out of a form as the API takes it; what is none stays text, for the check to name."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else text


__all__ = [
    "Action",
    "Detail",
    "FormField",
    "Found",
    "SecondPersonScreen",
    "StepPage",
    "StepScreen",
    "whole_number",
]
