"""Rows without a partner: side by side with what they may belong to, and what a person decides about them."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.contrib.filters.admin import ChoicesCheckboxFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from batconnect.common.errors import BatConnectError
from batconnect.common.screens import (
    Action,
    Cell,
    Detail,
    ReadOnlyAdmin,
    Table,
    admin_url,
    day,
    label_column,
    list_url,
    moment,
    money_column,
    text_column,
)
from batconnect.common.weeks import local_date
from ledger.services.reasons import LONGEST_REASON

from ..models import CurbSettlement, Outcome, ReconLog, ReconMatch, Row, SettlementStatus, Side
from ..selectors.exceptions import jobs_in_force, notes_of, open_exceptions, partner_logs
from ..services import decisions, write_offs
from .parts import OUTCOME_TONES, actor_of, failure_words, may, score_text, shown_money, side_by_side

TITLES = {
    "accept": "Accept: these belong together",
    "reject": "Reject: these do not belong together",
    "match": "Match by hand",
    "write-off": "Write off",
    "comment": "Comment",
}
LABELS = {
    "accept": "Accept",
    "reject": "Reject",
    "match": "Match these rows",
    "write-off": "Write off",
    "comment": "Keep this note",
}


class DecisionForm(forms.Form):
    """What one decision needs; `action` says which."""

    partner = forms.ChoiceField(label="Belongs to", required=False, widget=UnfoldAdminSelectWidget)
    others = forms.CharField(
        label="Rows of the other side",
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="Their names, one on each line: outside ids, or journal lines as JE-201903-17/2.",
    )
    with_partner = forms.BooleanField(
        label="Only the difference to what is suggested, and match them", required=False
    )
    reason = forms.CharField(
        max_length=LONGEST_REASON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="At least 10 characters; the next reader has only this sentence.",
    )

    def __init__(self, *args: Any, action: str, log: ReconLog, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choose = log.outcome == Outcome.AMBIGUOUS
        kept = {
            "accept": {"partner"} if choose else set(),
            "reject": {"partner", "reason"} if choose else {"reason"},
            "match": {"others", "reason"},
            "write-off": {"reason", *(["with_partner"] if log.outcome == Outcome.SUGGESTED else [])},
            "comment": {"reason"},
        }[action]
        for name in set(self.fields) - kept:
            del self.fields[name]
        if "partner" in self.fields:
            self.fields["partner"].choices = [(key, key) for key in log.partners]  # type: ignore[attr-defined]
        if action == "match":
            self.fields["others"].initial = log.nearest
            self.fields["others"].required = True
        if action == "comment":
            self.fields["reason"].label, self.fields["reason"].help_text = "Note", ""


@display(description="Amount")
def _amount(log: ReconLog) -> str:
    return shown_money(log.amount)


@display(description="Score")
def _score(log: ReconLog) -> str:
    return score_text(log.score)


@display(description="Why")
def _why(log: ReconLog) -> str:
    return "may still come" if log.waiting else (failure_words(log.failed) if log.failed else "–")


@display(description="Age")
def _age(log: ReconLog) -> str:
    return f"{log.age_days} d"


@admin.register(ReconLog)
class ExceptionAdmin(ReadOnlyAdmin):
    """The exceptions: rows of the last run of each source that are in no match."""

    empty_note = "Rows that found no partner stand here after a source was reconciled."
    list_display = (
        text_column("key", "Row"),
        text_column("source_name", "Source"),
        text_column("side", "Side"),
        money_column("amount", "Amount", ordering="amount"),
        text_column("description", "Description"),
        label_column("outcome", "Ended as", OUTCOME_TONES),
        _score,
        _why,
        _age,
    )
    list_filter = (
        ("outcome", ChoicesCheckboxFilter),
        ("side", ChoicesCheckboxFilter),
    )
    search_fields = ("=key", "reference", "description")
    search_help_text = "Outside id or journal line as written, or words of reference and description"
    ordering = ("waiting", "id")

    def get_queryset(self, request: HttpRequest) -> Any:
        asked = request.GET.get("job__id__exact", "")
        jobs = [int(asked)] if asked.isascii() and asked.isdigit() and len(asked) < 18 else None
        return open_exceptions(jobs).select_related("job__source__currency")

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        return lookup == "job__id__exact" or super().lookup_allowed(lookup, value, request)

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> ReconLog | None:
        """Any row, also one that has found its partner: links to it stay good."""
        if not object_id.isdigit():
            return None
        return ReconLog.objects.select_related("job__source__currency").filter(pk=int(object_id)).first()

    def get_urls(self) -> list[URLPattern]:
        pages = [
            path(
                f"<int:log_id>/{name}/",
                self.admin_site.admin_view(self.decision_view),
                {"action": name},
                name=f"recon_reconlog_{name}",
            )
            for name in TITLES
        ]
        return [*pages, *super().get_urls()]

    def detail(self, request: HttpRequest, record: ReconLog) -> Detail:
        still_open = open_exceptions([record.job_id]).filter(pk=record.pk).first()
        candidates = partner_logs(record)
        current = record.job.superseded_by_id is None
        settlement = _settlement_of(record)
        tables = []
        if candidates:
            tables.append(side_by_side(record, candidates))
        tables.append(_notes_table(record))
        return Detail(
            title=record.key,
            subtitle=f"{record.job.source}, {record.get_side_display().lower()} side, {day(record.job.date)}",
            badges=_badges(record, still_open),
            figures=[
                ("Amount", Cell(shown_money(record.amount), look="money")),
                ("Score", Cell(score_text(record.score), look="money")),
                ("Difference", Cell(shown_money(record.difference), look="money")),
                ("Age", Cell(f"{record.age_days} d", look="money")),
            ],
            facts=[
                ("When", Cell(moment(record.occurred_at))),
                ("Reference", Cell(record.reference or "–")),
                ("Description", Cell(record.description or "–")),
                ("Rule", Cell(record.rule or "–")),
                ("Why", Cell(_why(record))),
                ("Reasons", Cell(record.reasons or "–")),
                *_settlement_facts(settlement),
            ],
            tables=tables,
            actions=_actions(request, record, settlement) if still_open is not None and current else [],
        )

    def decision_view(self, request: HttpRequest, log_id: int, action: str) -> HttpResponse:
        """One decision: shown, asked for, carried out."""
        needed = "write_off" if action == "write-off" else "decide_exception"
        if not may(request, needed):
            raise PermissionDenied
        log = get_object_or_404(ReconLog.objects.select_related("job__source__currency"), pk=log_id)
        form = DecisionForm(request.POST if request.method == "POST" else None, action=action, log=log)
        if request.method == "POST" and form.is_valid():
            try:
                said, leads = _carry_out(action, log, form.cleaned_data, actor_of(request))
            except BatConnectError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, said)
                return HttpResponseRedirect(leads)
        candidates = partner_logs(log)
        detail = Detail(
            title=TITLES[action],
            subtitle=_says(action, log),
            tables=[side_by_side(log, candidates)],
        )
        return self.render(
            request, "admin/form_page.html", title=detail.title, detail=detail, form=form,
            submit_label=LABELS[action], submit_look="danger" if action == "write-off" else "primary",
            cancel_url=admin_url(log),
        )  # fmt: skip


def _carry_out(action: str, log: ReconLog, asked: dict[str, Any], actor: Any) -> tuple[str, str]:
    partner = asked.get("partner", "")
    if action == "comment":
        decisions.comment(log_id=log.pk, text=asked["reason"], actor=actor)
        return "The note is kept.", admin_url(log)
    calls: dict[str, Callable[[], ReconMatch]] = {
        "accept": lambda: decisions.accept(log_id=log.pk, actor=actor, partner=partner),
        "reject": lambda: decisions.reject(log_id=log.pk, actor=actor, partner=partner, reason=asked["reason"]),
        "match": lambda: _match_by_hand(log, asked, actor),
        "write-off": lambda: write_offs.write_off(
            log_id=log.pk, reason=asked["reason"], actor=actor, on=local_date(timezone.now()),
            with_partner=asked.get("with_partner", False),
        ),
    }  # fmt: skip
    match = calls[action]()
    said = {
        "accept": "Accepted: this is the match.",
        "reject": "Rejected: it will not be suggested again.",
        "match": "Matched by hand.",
        "write-off": "Written off; its journal entry is in the match.",
    }[action]
    return said, list_url(ReconLog) if action == "reject" else admin_url(match)


def _match_by_hand(log: ReconLog, asked: dict[str, Any], actor: Any) -> ReconMatch:
    others = [name.strip() for name in asked["others"].splitlines() if name.strip()]
    mine = [log.key]
    external, ledger = (mine, others) if log.side == Side.EXTERNAL else (others, mine)
    return decisions.match_by_hand(
        source=log.job.source, external=external, ledger=ledger, reason=asked["reason"], actor=actor
    )


def _says(action: str, log: ReconLog) -> str:
    if action == "write-off":
        limit = shown_money(log.job.source.write_off_limit)
        return f"Enters a journal entry dated today. At most {limit} may be written off here."
    if action == "match":
        return "One or several rows of the other side; what is left over is kept as the match's difference."
    return f"{log.key}, {shown_money(log.amount)} {log.currency}"


def _settlement_of(log: ReconLog) -> Row | None:
    """The card settlement that a row of the outside is."""
    known: Any = CurbSettlement.objects.with_status()
    return known.filter(external_row=log.external_row_id).first() if log.external_row_id else None


def _settlement_facts(settlement: Row | None) -> list[tuple[str, Cell]]:
    if settlement is None:
        return []
    status = SettlementStatus(settlement.status).label
    return [("Card settlement", Cell(status, admin_url(settlement)))]


def _actions(request: HttpRequest, log: ReconLog, settlement: Row | None) -> list[Action]:
    offered = []
    # What has no entry is neither matched nor written off: it is decided on the settlement's own page.
    entered = settlement is None or settlement.status == SettlementStatus.ENTERED
    if may(request, "decide_exception"):
        if entered and log.outcome in (Outcome.SUGGESTED, Outcome.AMBIGUOUS):
            offered += [("Accept…", "accept", "primary"), ("Reject…", "reject", "default")]
        if entered:
            offered.append(("Match by hand…", "match", "default"))
        offered.append(("Comment…", "comment", "default"))
    if entered and may(request, "write_off") and log.job.source.write_off_limit:
        offered.append(("Write off…", "write-off", "danger"))
    decide = []
    if settlement is not None and not entered and request.user.has_perm("recon.view_curbsettlement"):
        decide.append(Action("Decide on this settlement", admin_url(settlement), look="primary"))
    return decide + [
        Action(label, reverse(f"admin:recon_reconlog_{name}", args=[log.pk]), look=look)
        for label, name, look in offered
    ]


def _badges(log: ReconLog, still_open: Any) -> list[tuple[str, str]]:
    badges = [(str(log.get_outcome_display()), OUTCOME_TONES[log.outcome])]
    if log.waiting:
        badges.append(("may still come", "info"))
    if still_open is None and log.outcome != Outcome.MATCHED:
        badges.append(("decided", "success"))
    if still_open is not None and still_open.turned_down:
        badges.append(("rejected before", "warning"))
    if log.job_id not in set(jobs_in_force(log.job.source).values_list("pk", flat=True)):
        badges.append(("an earlier run", "info"))
    return badges


def _notes_table(log: ReconLog) -> Table:
    rows = [
        [Cell(moment(note.created_at)), Cell(str(note.created_by)), Cell(note.text)] for note in notes_of(log)
    ]
    return Table("Notes", ["When", "Who", "What"], rows, empty="Nobody has written anything.")
