"""The period, fund, account and dimension of a report's screen: read from its address, and ways to other periods."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminSingleDateWidget, UnfoldAdminTextInputWidget

from batconnect.common.weeks import WEEK, saturday_of, sunday_of
from ledger.selectors.account_balances import DAY, last_day_of, month_of
from ledger.selectors.summaries import DIMENSIONS
from ledger.selectors.trial_balance import known_funds, last_entry_date
from ledger.services.report_files import FILE_FORMATS

FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2100, 12, 31)  # what people may mean by a date here
EVERY_FUND = ("", "All funds")


def _date_field(label: str) -> forms.DateField:
    field = forms.DateField(
        label=label, required=False, widget=UnfoldAdminSingleDateWidget(attrs={"type": "date"})
    )
    field.error_messages["invalid"] = "Write the date as 2019-03-31."
    return field


class ReportForm(forms.Form):
    """What the address asks for. Which fields there are, a report says (`wanted`)."""

    def __init__(self, wanted: tuple[str, ...], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        funds = known_funds()
        made: dict[str, forms.Field] = {
            "account": forms.CharField(
                label="Account",
                max_length=40,
                required=False,
                widget=UnfoldAdminTextInputWidget(
                    attrs={"list": "accounts", "autocomplete": "off", "placeholder": "1200"}
                ),
            ),
            "by": forms.ChoiceField(
                label="By",
                required=False,
                choices=[(name, name.capitalize()) for name in DIMENSIONS],
                widget=UnfoldAdminSelectWidget(),
            ),
            "from": _date_field("From"),
            "to": _date_field("To"),
            "as_of": _date_field("As of"),
            "fund": forms.ChoiceField(
                label="Fund",
                required=False,
                choices=[EVERY_FUND, *((fund, fund) for fund in funds)],
                widget=UnfoldAdminSelectWidget(),
            ),
        }
        # One fund is no choice; asked for by name it is one all the same.
        offered = [name for name in wanted if name != "fund" or len(funds) > 1 or self.data.get("fund")]
        self.fields |= {name: made[name] for name in offered}

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or {}
        for name in ("from", "to", "as_of"):
            if found.get(name) and not FIRST_DAY <= found[name] <= LAST_DAY:
                self.add_error(name, f"Choose a date from {FIRST_DAY} to {LAST_DAY}.")
        if found.get("from") and found.get("to") and found["from"] > found["to"]:
            self.add_error("to", "This is before the first day.")
        return found


@dataclass(frozen=True)
class Asked:
    """A report as its address asks for it. `start` is None for what is as of a day."""

    start: date | None
    end: date
    fund: str | None
    account: str
    by: str
    cursor: str | None
    page: int
    file_format: str

    @property
    def window(self) -> tuple[date, date]:
        return self.start or month_of(self.end), self.end

    def query(self, **changes: Any) -> str:
        """The address's query with these changes; pages begin anew."""
        given: dict[str, Any] = {"account": self.account, "by": self.by, "fund": self.fund}
        given |= {"as_of": self.end} if self.start is None else {"from": self.start, "to": self.end}
        return urlencode({name: value for name, value in {**given, **changes}.items() if value})


@dataclass(frozen=True)
class Choice:
    """A link to another period, or to the same of another report."""

    label: str
    href: str
    current: bool = False


def read(request: HttpRequest, form: ReportForm, wanted: tuple[str, ...], today: date) -> Asked | None:
    """What is asked for; None when the form is not right."""
    if not form.is_valid():
        return None
    found = form.cleaned_data
    if "as_of" in wanted:
        start, end = None, found.get("as_of") or today
    else:
        first, last = default_window(today)
        end = found.get("to") or (max(last, found["from"]) if found.get("from") else last)
        start = found.get("from") or (month_of(end) if found.get("to") else first)
    page = request.GET.get("page", "1")
    file_format = request.GET.get("format", "")
    return Asked(
        start=start,
        end=end,
        fund=found.get("fund") or None,
        account=(found.get("account") or "").strip(),
        by=found.get("by") or ("driver" if "by" in wanted else ""),
        cursor=request.GET.get("cursor") or None,
        page=int(page) if page.isascii() and page.isdigit() and int(page[:9]) > 0 else 1,
        file_format=file_format if file_format in FILE_FORMATS else "",
    )


def default_window(today: date) -> tuple[date, date]:
    """This month; or, when nothing was entered in it yet, the month of the last entry."""
    last = last_entry_date()
    month = min(month_of(last), month_of(today)) if last else month_of(today)
    return month, last_day_of(month)


def periods(asked: Asked, today: date) -> list[Choice]:
    """The periods people ask for most, and the one before and after the one shown."""
    last_month = month_of(month_of(today) - DAY)
    sunday = sunday_of(today)
    offered = [
        ("This month", month_of(today), last_day_of(today)),
        ("Last month", last_month, last_day_of(last_month)),
        ("This week", sunday, saturday_of(today)),
        ("Last week", sunday - WEEK, sunday - DAY),
        ("This year", date(today.year, 1, 1), date(today.year, 12, 31)),
    ]
    start, end = asked.window
    before, after = _before(start, end), _after(start, end)
    return [
        Choice("‹ Before", f"?{_of(asked, *before)}"),
        *(
            Choice(label, f"?{_of(asked, first, last)}", (first, last) == (start, end))
            for label, first, last in offered
        ),
        Choice("After ›", f"?{_of(asked, *after)}"),
    ]


def days(asked: Asked, today: date) -> list[Choice]:
    """The same, for what is as of a day."""
    month_end = month_of(today) - DAY
    offered = [
        ("Today", today),
        ("End of last month", month_end),
        ("End of last year", date(today.year, 1, 1) - DAY),
    ]
    before, after = month_of(asked.end) - DAY, last_day_of(last_day_of(asked.end) + DAY)
    return [
        Choice("‹ Before", f"?{asked.query(as_of=before)}"),
        *(Choice(label, f"?{asked.query(as_of=day)}", day == asked.end) for label, day in offered),
        Choice("After ›", f"?{asked.query(as_of=after)}"),
    ]


def _of(asked: Asked, start: date, end: date) -> str:
    return asked.query(**{"from": start, "to": end})


def _whole_month(start: date, end: date) -> bool:
    return start.day == 1 and end == last_day_of(start)


def _before(start: date, end: date) -> tuple[date, date]:
    """The period of the same kind before this one: the month before a month, else as many days."""
    if _whole_month(start, end):
        return month_of(start - DAY), start - DAY
    return start - (end - start + timedelta(days=1)), start - DAY


def _after(start: date, end: date) -> tuple[date, date]:
    if _whole_month(start, end):
        return end + DAY, last_day_of(end + DAY)
    return end + DAY, end + (end - start + timedelta(days=1))
