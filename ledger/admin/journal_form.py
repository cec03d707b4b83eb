"""The form of a manual journal: a head, and as many lines as are needed, each with a debit or a credit."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from django import forms
from django.http import QueryDict
from unfold.widgets import INPUT_CLASSES, UnfoldAdminSingleDateWidget, UnfoldAdminTextInputWidget

from ledger.models import Account
from ledger.services.entry_lines import FUND
from ledger.services.errors import LedgerError
from ledger.services.journal_lines import BadLine, funds_in_use
from ledger.services.journals import LONGEST_DESCRIPTION, LONGEST_REFERENCE

ROW_FIELDS = ("account", "debit", "credit", "fund")
BLANK_ROWS = 4
MOST_SUGGESTED = 500

Row = dict[str, str]


class JournalForm(forms.Form):
    """`rows` are the lines as typed, blank ones left out; `lines` the same for `journal_lines.examine`."""

    je_date = forms.DateField(
        label="Accounting date",
        widget=UnfoldAdminSingleDateWidget(attrs={"type": "date"}),
        help_text="In an open week and month.",
    )
    description = forms.CharField(
        max_length=LONGEST_DESCRIPTION,
        widget=UnfoldAdminTextInputWidget(),
        help_text="What it is for; the entry keeps it.",
    )
    reference = forms.CharField(
        required=False,
        max_length=LONGEST_REFERENCE,
        widget=UnfoldAdminTextInputWidget(),
        help_text="The paper it rests on, if any.",
    )

    def __init__(self, data: QueryDict | None = None, **options: Any) -> None:
        super().__init__(data, **options)
        self.rows = _rows(data) if data is not None else []

    @property
    def lines(self) -> list[dict[str, Any]]:
        """A line with both sides filled in, or none, has no side, and is refused as such."""
        return [
            {
                "account": row["account"].split(" ")[0],
                "side": _side(row),
                "amount": (row["debit"] or row["credit"]).replace(",", ""),
                "fund": row["fund"] or None,
            }
            for row in self.rows
        ]

    def blame(self, problems: Sequence[LedgerError]) -> None:
        """Say what is wrong with the lines: all of it at once, each with its line."""
        for problem in problems:
            row = self.rows[problem.details["line"] - 1] if isinstance(problem, BadLine) else None
            if row and bool(row["debit"]) == bool(row["credit"]):
                what = "both a debit and a credit" if row["debit"] else "neither a debit nor a credit"
                self.add_error(None, f"Line {problem.details['line']} has {what}; fill in one of them.")
            else:
                self.add_error(None, str(problem))

    def asked(self) -> dict[str, Any]:
        """What is asked of the service, once the form is valid."""
        fields = {name: self.cleaned_data[name] for name in ("je_date", "description", "reference")}
        return {**fields, "lines": self.lines}

    def kept(self) -> list[tuple[str, str]]:
        """Every value as it was typed, for the page in between."""
        head = [(name, str(self.data.get(name, ""))) for name in self.fields]
        return head + [(name, row[name]) for row in self.rows for name in ROW_FIELDS]

    def choices(self) -> dict[str, Any]:
        """What the page offers: rows to fill in, accounts to choose from, and funds where there is more than one."""
        blank = dict.fromkeys(ROW_FIELDS, "")
        missing = max(BLANK_ROWS - len(self.rows), 1)
        accounts = Account.objects.filter(active=True, kind__isnull=True, control_origins=[])
        funds = sorted(funds_in_use())
        return {
            "rows": [*self.rows, *(blank for _ in range(missing))],
            "accounts": accounts.select_related("currency").order_by("code")[:MOST_SUGGESTED],
            "funds": funds if len(funds) > 1 else [],
            "default_fund": FUND,
            "input_classes": " ".join(INPUT_CLASSES),
        }


def _rows(data: QueryDict) -> list[Row]:
    columns = [[value.strip() for value in data.getlist(name)] for name in ROW_FIELDS]
    rows = [dict(zip(ROW_FIELDS, values, strict=True)) for values in zip_longest(*columns, fillvalue="")]
    return [row for row in rows if row["account"] or row["debit"] or row["credit"]]


def _side(row: Row) -> str:
    if bool(row["debit"]) == bool(row["credit"]):
        return ""
    return "DR" if row["debit"] else "CR"
