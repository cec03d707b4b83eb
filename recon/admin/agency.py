"""Tolls and tickets: the list, one side by side with the trips it may have been made on, and decisions about many."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.contrib.filters.admin import ChoicesCheckboxFilter, RangeDateFilter, RangeNumericFilter
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from batconnect.common.errors import BatConnectError
from batconnect.common.money import ZERO
from batconnect.common.screens import (
    Cell,
    Detail,
    ReadOnlyAdmin,
    Table,
    admin_url,
    day,
    day_column,
    label_column,
    list_url,
    moment,
    money_cell,
    money_column,
    text_column,
)
from batconnect.common.weeks import local_date
from ledger.services.reasons import LONGEST_REASON

from ..models import AgencyItem, MoneyState, Payer, State
from ..selectors.agency import waiting_counts, whole_item
from ..services.agency import deciding
from . import agency_parts as parts
from .agency_decisions import PAGES, decision_page, next_waiting
from .parts import actor_of, audit_table

MOST_SELECTED = 200


class ManyForm(forms.Form):
    """What is done with many: `items` are their ids, each with the decision that was seen."""

    items = forms.RegexField(
        regex=r"^[0-9]{1,18}:[0-9]{1,18}(,[0-9]{1,18}:[0-9]{1,18})*$", widget=forms.HiddenInput
    )
    payer = forms.ChoiceField(
        label="Who paid what was paid already",
        choices=Payer.choices,
        widget=UnfoldAdminSelectWidget,
        required=False,
    )
    reason = forms.CharField(
        max_length=LONGEST_REASON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="At least 10 characters; it is kept with each of them.",
    )

    def __init__(self, *args: Any, dismissing: bool, paid: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not dismissing:
            del self.fields["reason"]
        if dismissing or not paid:
            del self.fields["payer"]

    def clean_items(self) -> str:
        items: str = self.cleaned_data["items"]
        if items.count(",") >= MOST_SELECTED:
            raise forms.ValidationError(f"At most {MOST_SELECTED} at once.")
        return items

    def pairs(self) -> dict[int, int]:
        """Items and the decisions seen."""
        found = (pair.split(":") for pair in self.cleaned_data["items"].split(","))
        return {int(item): int(seen) for item, seen in found}


@display(description="Score", ordering="score")
def _score(item: AgencyItem) -> str:
    return parts.score_text(item.score)


@display(description="Plate or tag")
def _plate(item: AgencyItem) -> str:
    return f"{item.plate_state} {item.plate}".strip() or item.tag or "–"


@display(description="Charged or suggested to")
def _whose(item: AgencyItem) -> str:
    last = item.decision
    account = last and (last.account or last.suggested)
    return f"{account.driver.name}, {account.lease.number}" if account else "–"


@admin.register(AgencyItem)
class AgencyItemAdmin(ReadOnlyAdmin):
    """What waits for a person is one click away, by state; several may be accepted at once."""

    empty_note = "Tolls and tickets come with the agencies' files, or one by one at the desk."
    list_display = (
        text_column("number", "Number"),
        text_column("kind", "Kind"),
        day_column("event_on", "Day", ordering="event_on"),
        _plate,
        money_column("amount", "Amount", ordering="amount"),
        label_column("state", "State", parts.STATE_TONES),
        _score,
        _whose,
    )
    list_filter = (
        ("kind", ChoicesCheckboxFilter),
        ("state", ChoicesCheckboxFilter),
        ("score", RangeNumericFilter),
        ("event_on", RangeDateFilter),
    )
    search_fields = ("=number", "plate__istartswith", "tag__istartswith", "=case_no")
    search_help_text = "The agency's number, or the start of a plate or tag"
    ordering = ("-event_on", "-id")
    actions = ["accept_selected", "dismiss_selected"]  # type: ignore[assignment]
    actions_list = ["look_again"]

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request)
        return rows.select_related(
            "decision__account__driver", "decision__account__lease", "decision__suggested__driver",
            "decision__suggested__lease",
        )  # fmt: skip

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        return lookup == "file__exact" or super().lookup_allowed(lookup, value, request)

    def get_urls(self) -> list[URLPattern]:
        pages = [
            path(
                f"<int:item_id>/{name}/",
                self.admin_site.admin_view(self.decision_view),
                {"action": name},
                name=f"recon_agencyitem_{name}",
            )
            for name in PAGES
        ]
        many = path(
            "many/<str:what>/", self.admin_site.admin_view(self.many_view), name="recon_agencyitem_many"
        )
        look = path("look/", self.admin_site.admin_view(self.look_view), name="recon_agencyitem_look")
        return [*pages, many, look, *super().get_urls()]

    def has_decide_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return parts.may_decide(request)

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> AgencyItem | None:
        return whole_item(int(object_id)) if object_id.isdigit() and len(object_id) <= 18 else None

    def decision_view(self, request: HttpRequest, item_id: int, action: str) -> HttpResponse:
        return decision_page(self, request, item_id, action)

    def detail(self, request: HttpRequest, record: AgencyItem) -> Detail:
        last = record.decision
        assert last is not None
        state = str(record.state)
        badges = [(str(record.get_state_display()), parts.STATE_TONES[state])]
        found = str(record.money)  # type: ignore[attr-defined]
        if found != MoneyState.NONE:
            badges.append((str(MoneyState(found).label).lower(), parts.MONEY_TONES[found]))
        if record.version > 1:
            badges.append((f"figures {record.version}", "info"))
        whence = (
            Cell(f"{record.file.file_name}, row {record.row_number:,}", admin_url(record.file))
            if record.file
            else Cell(f"entered in case {record.case_no}")
        )
        versions = parts.versions_table(record)
        return Detail(
            title=str(record),
            subtitle=last.reasons,
            badges=badges,
            figures=[
                ("Amount", money_cell(record.amount)),
                ("Paid already", money_cell(record.paid)),
                ("Due", money_cell(record.due)),
                ("Score", Cell(parts.score_text(record.score), look="money")),
            ],
            facts=[
                ("When", Cell(moment(record.occurred_at) if record.occurred_at else day(record.event_on))),
                ("Plate or tag", Cell(_plate(record))),
                ("Where", Cell(record.place or "–")),
                ("What", Cell(record.description or str(record.get_nature_display()))),
                ("Vehicle", Cell(str(last.vehicle) if last.vehicle else "–")),
                (
                    "Lease then",
                    Cell(f"{last.lease_then}, {last.lease_then.driver.name}" if last.lease_then else "–"),
                ),
                ("From", whence),
                ("Paid by", Cell(str(last.get_payer_display()) if record.paid else "–")),
            ],
            tables=[
                parts.side_by_side(record, last.candidates),
                parts.posted_table(record),
                *([versions] if versions else []),
                parts.history_table(record),
                parts.raw_table(record),
                audit_table(f"agency_item:{record.pk}"),
            ],
            actions=[*parts.buttons(request, record), *next_waiting(record)],
        )

    # --- many at once -----------------------------------------------------------------------------------------

    @action(description="Accept the suggestions", permissions=["decide"])
    def accept_selected(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        return self._ask(request, queryset, "accept")

    @action(description="Dismiss: not the fleet's", permissions=["decide"])
    def dismiss_selected(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        return self._ask(request, queryset, "dismiss")

    @action(description="Look again at what waits", url_path="look-again", permissions=["decide"])
    def look_again(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:recon_agencyitem_look"))

    def look_view(self, request: HttpRequest) -> HttpResponse:
        """Trips, leases or vehicles came since: what is certain now is charged."""
        if not parts.may_decide(request):
            raise PermissionDenied
        if request.method == "POST":
            try:
                changed = deciding.look_at_all(actor=actor_of(request), on=local_date(timezone.now()))
            except BatConnectError as error:
                messages.error(request, str(error))
                return HttpResponseRedirect(request.path)
            said = f"{changed:,} are known better now." if changed else "Nothing new is known."
            messages.success(request, said)
            return HttpResponseRedirect(list_url(AgencyItem))
        figures = [
            (str(State(state).label), Cell(f"{count:,}", look="money"))
            for state, count in waiting_counts().items()
        ]
        detail = Detail(
            title="Look again at what waits?",
            subtitle="Where trips, leases or vehicles came since, what is certain now is charged. What people decided "
            "or took back is left alone.",
            figures=figures,
        )
        return self.render(
            request, "recon/many.html", title=detail.title, detail=detail, form=forms.Form(),
            submit_label="Look again", cancel_url=list_url(AgencyItem), form_action=request.path,
        )  # fmt: skip

    def _ask(self, request: HttpRequest, queryset: Any, what: str) -> HttpResponse | None:
        items = list(queryset.order_by("pk")[: MOST_SELECTED + 1])
        if len(items) > MOST_SELECTED:
            messages.error(request, f"At most {MOST_SELECTED} at once.")
            return None
        initial = {"items": ",".join(f"{item.pk}:{item.decision_id}" for item in items)}
        form = ManyForm(
            None, dismissing=what == "dismiss", paid=any(item.paid for item in items), initial=initial
        )
        return self._many_page(request, what, items, form)

    def many_view(self, request: HttpRequest, what: str) -> HttpResponse:
        """Carry out what was asked of many, all or none."""
        if not parts.may_decide(request) or what not in ("accept", "dismiss"):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseRedirect(list_url(AgencyItem))
        form = ManyForm(request.POST, dismissing=what == "dismiss", paid="payer" in request.POST)
        if not form.is_valid():
            named = [pair.partition(":")[0] for pair in request.POST.get("items", "").split(",")]
            ids = [int(one) for one in named if one.isascii() and one.isdigit() and len(one) <= 18]
            items = self.get_queryset(request).filter(pk__in=ids[:MOST_SELECTED])
            return self._many_page(request, what, list(items), form)
        pairs = form.pairs()
        common: dict[str, Any] = {
            "item_ids": list(pairs), "seen": list(pairs.values()), "actor": actor_of(request),
            "on": local_date(timezone.now()),
        }  # fmt: skip
        try:
            if what == "accept":
                payer = form.cleaned_data.get("payer", "")
                done = deciding.accept(**common, payer="" if payer == Payer.UNKNOWN else payer)
            else:
                done = deciding.dismiss_many(**common, reason=form.cleaned_data["reason"])
        except BatConnectError as error:
            form.add_error(None, str(error))
            items = list(self.get_queryset(request).filter(pk__in=list(pairs)).order_by("pk"))
            return self._many_page(request, what, items, form)
        messages.success(request, f"{len(done):,} {'accepted' if what == 'accept' else 'dismissed'}.")
        return HttpResponseRedirect(list_url(AgencyItem, "state__exact=REVIEW"))

    def _many_page(
        self, request: HttpRequest, what: str, items: list[AgencyItem], form: ManyForm
    ) -> HttpResponse:
        rows = [
            [
                Cell(str(item), admin_url(item)),
                Cell(day(item.event_on)),
                Cell(_plate(item)),
                Cell(_whose(item)),
                Cell(parts.score_text(item.score), look="money"),
                money_cell(item.due),
                Cell(str(item.get_state_display())),
            ]
            for item in items
        ]
        total = sum((item.due for item in items), start=ZERO)
        how_many = f"{len(items):,} tolls and tickets" if len(items) != 1 else "1 toll or ticket"
        title = f"{'Accept' if what == 'accept' else 'Dismiss'} {how_many}?"
        told = (
            "Each is charged to whom it is suggested, in the open week."
            if what == "accept"
            else "Nobody owes them."
        )
        table = Table(
            "Which ones",
            [
                "Number",
                "Day",
                "Plate",
                "Charged to" if what == "accept" else "Suggested to",
                "#Score",
                "#Due",
                "Now",
            ],
            rows,
            footer=[Cell("Together"), *[Cell("")] * 4, money_cell(total, look="strong"), Cell("")],
        )
        return self.render(
            request, "recon/many.html", title=title, form=form, submit_label="Accept them" if what == "accept" else
            "Dismiss them", submit_look="primary" if what == "accept" else "danger", cancel_url=list_url(AgencyItem),
            detail=Detail(title=title, subtitle=f"{told} All, or none.", tables=[table]),
            form_action=reverse("admin:recon_agencyitem_many", args=[what]),
        )  # fmt: skip
