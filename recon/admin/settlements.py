"""Card settlements: each beside what the ledger has of its day, and what a person decides about it."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.contrib.filters.admin import RangeDateFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from batconnect.common.errors import BatConnectError
from batconnect.common.money import ZERO
from batconnect.common.screens import (
    Action,
    Cell,
    Detail,
    ReadOnlyAdmin,
    Table,
    admin_url,
    day,
    day_column,
    list_url,
    moment,
    money_cell,
    money_column,
    text_column,
)
from batconnect.common.weeks import local_date
from ledger.selectors.journal import je_number
from ledger.services.entry_lines import NoEntry
from ledger.services.reasons import LONGEST_REASON

from ..models import CurbSettlement, ReconMatch, Row, SettlementStatus
from ..selectors.settlements import trips_of_days
from ..services import settlements
from .parts import actor_of, audit_table, line_cell, may

TONES = {"HELD": "warning", "ENTERED": "success", "REVERSED": "info", "DISMISSED": "info"}
# Decision: when it can be taken, its page's title, its button, and how that looks.
DECISIONS = {
    "enter": (SettlementStatus.HELD, "Enter: this is money of its own", "Enter", "primary"),
    "dismiss": (SettlementStatus.HELD, "Dismiss: the same money told twice", "Dismiss", "danger"),
    "match": (SettlementStatus.ENTERED, "Match with the day's trips", "Match the day", "primary"),
    "take-back": (SettlementStatus.ENTERED, "Take the entry back", "Take back", "danger"),
}


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=LONGEST_REASON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="At least 10 characters; the next reader has only this sentence.",
    )


class StatusFilter(admin.SimpleListFilter):
    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return SettlementStatus.choices

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(status=self.value()) if self.value() in SettlementStatus.values else queryset


@display(description="Status", label=TONES)
def _status(row: Row) -> tuple[str, str]:
    return row.status, SettlementStatus(row.status).label


@admin.register(CurbSettlement)
class CurbSettlementAdmin(ReadOnlyAdmin):
    """What the processor settled for each day of trips."""

    empty_note = "They come with the processor's file under Reconcile."
    list_display = (
        text_column("external_row__external_id", "Settlement"),
        day_column("trip_date", "Trips of", ordering="trip_date"),
        day_column("settled_on", "Settled", ordering="settled_on"),
        text_column("trips", "Trips"),
        money_column("gross", "Gross", ordering="gross"),
        money_column("fees", "Fees"),
        money_column("net", "Net"),
        _status,
    )
    list_filter = (StatusFilter, ("source", RelatedDropdownFilter), ("trip_date", RangeDateFilter))
    list_select_related = ("external_row", "source")
    search_fields = ("=external_row__external_id",)
    search_help_text = "The processor's id, whole"

    def get_queryset(self, request: HttpRequest) -> Any:
        rows: Any = CurbSettlement.objects.with_status()
        return rows.select_related("external_row", "source", "dismissed_by").order_by("-settled_on", "-id")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.decision_view)
        pages = [
            path(
                f"<int:settlement_id>/{name}/", view, {"decision": name}, name=f"recon_curbsettlement_{name}"
            )
            for name in DECISIONS
        ]
        return [*pages, *super().get_urls()]

    def detail(self, request: HttpRequest, record: Row) -> Detail:
        match = _match_of(record)
        offered = []
        if may(request, "decide_settlement"):
            offered = [
                Action(
                    f"{label}…", reverse(f"admin:recon_curbsettlement_{name}", args=[record.pk]), look=look
                )
                for name, (wanted, _, label, look) in DECISIONS.items()
                if record.status == wanted and match is None
            ]
        facts = [
            ("Settled", Cell(day(record.settled_on))),
            ("Source", Cell(str(record.source))),
        ]
        if record.held_because:
            facts.append(("Held because", Cell(record.held_because, look="long")))
        if record.entry_id:
            facts.append(("Journal entry", line_cell(je_number(record.entry_id, record.entry_date))))
        if match is not None:
            facts.append(("Matched", Cell(str(match), admin_url(match))))
        if record.dismissed_by is not None:
            facts.append(("Dismissed", Cell(f"{moment(record.dismissed_at)} by {record.dismissed_by}")))
            facts.append(("Why", Cell(record.dismissed_because, look="long")))
        return Detail(
            title=f"Settlement {record.external_row.external_id}",
            subtitle=f"Card trips of {day(record.trip_date)}",
            badges=[(SettlementStatus(record.status).label, TONES[record.status])],
            figures=[
                ("Gross", money_cell(record.gross)),
                ("Fees", money_cell(record.fees)),
                ("Net, to the bank", money_cell(record.net, look="strong")),
            ],
            facts=facts,
            tables=[_day_table(record), audit_table(f"curb_settlement:{record.pk}")],
            actions=offered,
        )

    def decision_view(self, request: HttpRequest, settlement_id: int, decision: str) -> HttpResponse:
        """One decision: its effect shown, a reason asked for, carried out."""
        if not may(request, "decide_settlement"):
            raise PermissionDenied
        record = get_object_or_404(self.get_queryset(request), pk=settlement_id)
        _, title, label, look = DECISIONS[decision]
        form = ReasonForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                said, leads = _carry_out(decision, record, form.cleaned_data["reason"], actor_of(request))
            except BatConnectError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, said)
                return HttpResponseRedirect(leads)
        detail = Detail(
            title=title,
            subtitle=str(record.external_row),
            tables=[_effect_table(decision, record), _day_table(record)],
        )
        return self.render(
            request, "admin/form_page.html", title=title, detail=detail, form=form, submit_label=label,
            submit_look=look, cancel_url=admin_url(record),
        )  # fmt: skip


def _carry_out(decision: str, record: Row, reason: str, actor: Any) -> tuple[str, str]:
    asked: dict[str, Any] = {"settlement_id": record.pk, "reason": reason, "actor": actor}
    if decision == "match":
        match = settlements.match_day(**asked)
        said = "Matched." if not match.difference else "Matched; what is left can be written off from here."
        return said, admin_url(match)
    if decision == "take-back":
        settlements.take_back(**asked, on=local_date(timezone.now()))
        return "Taken back: its entry is reversed.", admin_url(record)
    if decision == "enter":
        settlements.enter_held(**asked)
        return "Entered.", admin_url(record)
    settlements.dismiss(**asked)
    return "Dismissed; it has no entry.", list_url(CurbSettlement, "status=HELD")


def _effect_table(decision: str, record: Row) -> Table:
    """What a decision enters in the journal."""
    wanted = DECISIONS[decision][0]
    entered = decision in ("enter", "take-back") and record.status == wanted
    empty, effect = "Nothing: no entry is made.", []
    if entered:
        try:
            effect = settlements.effect(record)
        except NoEntry as error:  # no template takes it: carrying it out is refused with the same sentence
            empty = str(error)
    rows = [
        [Cell(str(account)), money_cell(max(amount, ZERO) or None), money_cell(max(-amount, ZERO) or None)]
        for account, amount in effect
    ]
    return Table("What is entered", ["Account", "#Debit", "#Credit"], rows, empty=empty)


def _day_table(record: Row) -> Table:
    """All settlements of the day beside its trips in the ledger."""
    count, amount = trips_of_days(record.source, [record.trip_date]).get(record.trip_date, (0, ZERO))
    known: Any = CurbSettlement.objects.with_status().select_related("external_row")
    told = list(known.filter(source=record.source, trip_date=record.trip_date).order_by("pk"))
    entered = [one for one in told if one.status == SettlementStatus.ENTERED]
    rows = [
        [
            Cell(one.external_row.external_id, "" if one.pk == record.pk else admin_url(one)),
            Cell(SettlementStatus(one.status).label),
            Cell(f"{one.trips:,}", look="money"),
            money_cell(one.gross),
        ]
        for one in told
    ]
    rows.append(
        [Cell("Trips in the ledger"), Cell(""), Cell(f"{count:,}", look="money"), money_cell(-amount)]
    )
    settled = sum((one.gross for one in entered), ZERO)
    missing = sum(one.trips for one in entered) - count
    return Table(
        f"Trips of {day(record.trip_date)}",
        ["", "Status", "#Trips", "#Amount"],
        rows,
        footer=[
            Cell("Entered less driven"),
            Cell(""),
            Cell(f"{missing:,}".replace("-", "\N{MINUS SIGN}"), look="money"),
            money_cell(settled - amount),
        ],
    )


def _match_of(record: Row) -> ReconMatch | None:
    return ReconMatch.objects.filter(rows__external_row=record.external_row, rows__active=True).first()
