"""Accounting months: how far the books are closed, closing the next, reopening the last."""

from datetime import date
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.widgets import UnfoldAdminTextareaWidget

from batconnect.common.errors import BatConnectError
from batconnect.common.screens import (
    Action,
    Cell,
    Detail,
    ReadOnlyAdmin,
    Table,
    admin_url,
    day,
    list_url,
    moment,
)
from batconnect.common.weeks import local_date
from ledger.models import AccountingMonth, ManualJournal, MonthEvent
from ledger.selectors.account_balances import last_day_of
from ledger.selectors.months import Month, closed_through, months_until
from ledger.services import months
from ledger.services.reasons import LONGEST_REASON

from .posting_parts import audit_table

OPEN_SHOWN = 6
STATES = {"CLOSED": "Closed", "REOPENED": "Reopened", "OPEN": "Open"}
TONES = {"CLOSED": "success", "REOPENED": "warning", "OPEN": "info"}
CLOSING = (
    "A closed month takes no entry of any kind, and its balances are kept for the reports. It can be reopened, the "
    "last closed month first."
)
REOPENING = (
    "Manual journals, transfers and batches may then be dated in it again. Its weeks stay closed: what is charged, "
    "paid or driven still takes the first open day. The balances kept for the reports are forgotten until it closes "
    "again."
)


class ReopenForm(forms.Form):
    """Why a month is reopened."""

    reason = forms.CharField(
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        max_length=LONGEST_REASON,
        help_text="At least 10 characters. The next reader has only this sentence.",
    )


@admin.register(AccountingMonth)
class AccountingMonthAdmin(ReadOnlyAdmin):
    """The list shows every month, also those that were never closed and have no row."""

    def get_urls(self) -> list[URLPattern]:
        pages = (("close", self.close_view), ("reopen", self.reopen_view))
        return [
            *(
                path(
                    f"<str:month>/{name}/",
                    self.admin_site.admin_view(view),
                    name=f"ledger_accountingmonth_{name}",
                )
                for name, view in pages
            ),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request) or request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        today = _today()
        through = closed_through()
        upcoming = months.next_to_close()
        obstacle = months.obstacle_to_closing(month=upcoming, on=today) if upcoming else None
        actions = []
        if upcoming and not obstacle and request.user.has_perm("ledger.close_month"):
            actions.append(Action(f"Close {_name(upcoming)}…", _url("close", upcoming), look="primary"))
        if through and request.user.has_perm("ledger.reopen_month"):
            last = through.replace(day=1)
            actions.append(Action(f"Reopen {_name(last)}…", _url("reopen", last)))
        detail = Detail(
            title="Accounting months",
            subtitle=f"Closed through {day(through)}." if through else "No month was closed yet.",
            facts=[
                ("Closes next", Cell(_name(upcoming) if upcoming else "Nothing has been entered yet")),
                *([("Why not yet", Cell(str(obstacle)))] if obstacle else []),
            ],
            tables=[_table(months_until(today))],
            actions=actions,
        )
        return self.render(request, "admin/record.html", title="Accounting months", detail=detail)

    def detail(self, request: HttpRequest, record: AccountingMonth) -> Detail:
        events = MonthEvent.objects.filter(month=record).select_related("created_by").order_by("-id")
        actions = []
        if months.obstacle_to_reopening(month=record.pk) is None and request.user.has_perm(
            "ledger.reopen_month"
        ):
            actions.append(Action("Reopen…", _url("reopen", record.pk)))
        return Detail(
            title=_name(record.month),
            badges=[(STATES[record.status], TONES[record.status])],
            tables=[
                Table(
                    "Closed and reopened",
                    ["When", "What", "Who", "Why"],
                    [
                        [
                            Cell(moment(event.created_at)),
                            Cell(STATES[event.status]),
                            Cell(str(event.created_by)),
                            Cell(event.reason or "–"),
                        ]
                        for event in events
                    ],
                ),
                audit_table(f"month:{record.month:%Y-%m}"),
            ],
            actions=actions,
        )

    def close_view(self, request: HttpRequest, month: str) -> HttpResponse:
        """Say what closing means and what still waits, then close."""
        first = _asked(request, month, "ledger.close_month")
        obstacle = months.obstacle_to_closing(month=first, on=_today())
        form = forms.Form(request.POST or None)
        if request.method == "POST":
            form = forms.Form(request.POST)
            if form.is_valid():
                try:
                    months.close_month(month=first, actor=request.user, on=_today())  # type: ignore[arg-type]
                except BatConnectError as error:
                    form.add_error(None, str(error))
                else:
                    messages.success(request, f"{_name(first)} is closed.")
                    return HttpResponseRedirect(list_url(AccountingMonth))
        detail = Detail(
            title=f"Close {_name(first)}?",
            subtitle=CLOSING,
            tables=[] if obstacle else [_waiting(first)],
        )
        return self._page(request, detail, obstacle, form, "Close this month", "primary")

    def reopen_view(self, request: HttpRequest, month: str) -> HttpResponse:
        """Say what reopening means, ask why, then reopen."""
        first = _asked(request, month, "ledger.reopen_month")
        obstacle = months.obstacle_to_reopening(month=first)
        form = ReopenForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                months.reopen_month(
                    month=first,
                    reason=form.cleaned_data["reason"],
                    actor=request.user,  # type: ignore[arg-type]
                )
            except BatConnectError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, f"{_name(first)} is open again.")
                return HttpResponseRedirect(list_url(AccountingMonth))
        detail = Detail(title=f"Reopen {_name(first)}?", subtitle=REOPENING)
        return self._page(request, detail, obstacle, form, "Reopen this month", "danger")

    def _page(
        self, request: HttpRequest, detail: Detail, obstacle: Any, form: forms.Form, label: str, look: str
    ) -> HttpResponse:
        return self.render(
            request,
            "admin/form_page.html",
            title=detail.title,
            detail=detail,
            refused=str(obstacle or ""),
            form=None if obstacle else form,
            submit_label=label,
            submit_look=look,
            cancel_url=list_url(AccountingMonth),
        )


def _asked(request: HttpRequest, month: str, permission: str) -> date:
    if not request.user.has_perm(permission):
        raise PermissionDenied
    try:
        return date.fromisoformat(month)
    except ValueError:
        raise Http404 from None


def _table(found: list[Month]) -> Table:
    """The newest first; of those that never closed, the next few to close are enough."""
    untouched = [row for row in found if row.status == "OPEN" and row.event is None]
    later = untouched[:-OPEN_SHOWN]
    note = f"{_name(later[-1].month)} and later months are open as well." if later else ""
    return Table(
        "Months",
        ["Month", "Status", "When", "By", "Why"],
        [
            [
                Cell(_name(row.month), admin_url(AccountingMonth, row.month) if row.event else ""),
                Cell(STATES[row.status], look="" if row.status == "CLOSED" else "strong"),
                Cell(moment(row.event.created_at) if row.event else "–"),
                Cell(str(row.event.created_by) if row.event else "–"),
                Cell((row.event.reason if row.event else "") or "–"),
            ]
            for row in found
            if row not in later
        ],
        note=note,
    )


def _waiting(month: date) -> Table:
    """Journals dated in the month that nobody decided on: closing leaves them nothing but to be rejected."""
    journals = ManualJournal.objects.filter(
        status=ManualJournal.Status.SUBMITTED, je_date__gte=month, je_date__lte=last_day_of(month)
    ).select_related("created_by")
    rows = [
        [
            Cell(journal.number, admin_url(journal)),
            Cell(day(journal.je_date)),
            Cell(journal.description),
            Cell(str(journal.created_by)),
        ]
        for journal in journals.order_by("id")
    ]
    return Table(
        "Journals of this month that wait for approval",
        ["Number", "Dated", "Description", "Written by"],
        rows,
        note="Decide on them first: in a closed month they can only be rejected." if rows else "",
        empty="None.",
    )


def _name(month: date) -> str:
    return f"{month:%B %Y}"


def _url(page: str, month: date) -> str:
    return reverse(f"admin:ledger_accountingmonth_{page}", args=[month])


def _today() -> date:
    return local_date(timezone.now())
