"""Lease caps by city rule: dated rows, each added after its effect was seen; what was in force stays to be read."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from simple_history.admin import SimpleHistoryAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from batconnect.common.screens import (
    Action,
    Cell,
    Detail,
    ReadOnlyAdmin,
    Table,
    admin_url,
    day,
    day_column,
    money,
    money_cell,
)
from batconnect.common.weeks import local_date
from leases import services
from leases.models import Lease, LeaseCap, LeaseType
from leases.schedule import DAY
from leases.services.cap_entries import LONGEST_RULE, MOST_TOLD, is_open, vehicle_types
from leases.term_models import RULE

from .base import ServiceForm
from .change_view import ChangeView
from .changes import fee_field
from .effects import Facts

ALL_OTHERS = "all that no other cap names"
IN_FORCE, TO_COME, PAST = "In force", "To come", "Past"
TONES = {IN_FORCE: "success", TO_COME: "info", PAST: "default"}


class CapForm(ServiceForm):
    model = LeaseCap
    model_fields = ("lease_type", "effective_from")
    vehicle_type = forms.ChoiceField(label="Vehicles", required=False, widget=UnfoldAdminSelectWidget())
    weekly_cap = fee_field(
        "A week at most", required=False, help_text="US dollars. Empty: no cap from that day on."
    )
    rule = forms.CharField(
        max_length=LONGEST_RULE,
        initial=RULE,
        widget=UnfoldAdminTextInputWidget(),
        help_text="What a refusal names.",
    )
    field_order = ("lease_type", "vehicle_type", "effective_from", "weekly_cap", "rule")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields(self.field_order)
        self.fields["lease_type"].initial = LeaseType.LONG_TERM
        self.fields["lease_type"].label, self.fields["effective_from"].label = "Kind of lease", "From"
        self.fields["effective_from"].help_text = "A day of a week that is not closed yet."
        types = [("", ALL_OTHERS.capitalize()), *((name, name) for name in vehicle_types())]
        self.fields["vehicle_type"].choices = types  # type: ignore[attr-defined]


class AddCapView(ChangeView):
    title = "New lease cap"
    confirm_label = "Add the cap"
    permission_required = "leases.add_leasecap"
    form_class = CapForm

    def change(self, asked: dict[str, Any]) -> services.CapEffect:
        return services.add_cap(**asked, actor=self.actor)

    def shown(self, effect: services.CapEffect, asked: Facts) -> Detail:
        return Detail(
            title=f"{self.title}?",
            subtitle=f"Rule {effect.cap.rule}: {_kind(effect.cap)}",
            figures=[("A week at most", _amount(effect.cap))],
            facts=[("From", Cell(day(effect.cap.effective_from))), ("Before", Cell(_before(effect.cap)))],
            tables=[_overtaken(effect.overtaken)],
        )

    def told(self, effect: services.CapEffect) -> str:
        return f"{_kind(effect.cap)}: {_amount(effect.cap).text} from {day(effect.cap.effective_from)} on."

    def print_of(self, effect: services.CapEffect) -> str:
        return ";".join(f"{one.lease_id}:{one.weekly_fee}:{one.day}" for one in effect.overtaken) or "none"

    def leads_to(self, effect: services.CapEffect) -> Any:
        return effect.cap.pk


class CorrectCapView(AddCapView):
    title = "Correct the lease cap"
    confirm_label = "Correct the cap"
    permission_required = "leases.change_leasecap"

    @property
    def about(self) -> str:
        return _kind(self.subject)

    def get_initial(self) -> dict[str, Any]:
        return {name: getattr(self.subject, name) for name in CapForm.field_order}

    def change(self, asked: dict[str, Any]) -> services.CapEffect:
        return services.correct_cap(cap=self.subject, **asked, actor=self.actor)


@display(description="Vehicles", ordering="vehicle_type")
def vehicles(cap: LeaseCap) -> str:
    return cap.vehicle_type or ALL_OTHERS


@display(description="A week at most", ordering="weekly_cap")
def at_most(cap: LeaseCap) -> SafeString:
    told = money(cap.weekly_cap) if cap.weekly_cap is not None else "no cap"
    return format_html('<span class="bc-money">{}</span>', told)


@display(description="Until")
def until(cap: Any) -> str:
    return day(cap.followed_on - DAY) if cap.followed_on else "further notice"


@display(description="Standing", label=TONES)
def standing(cap: Any) -> str:
    today = local_date(timezone.now())
    if cap.effective_from > today:
        return TO_COME
    return PAST if cap.followed_on and cap.followed_on <= today else IN_FORCE


@admin.register(LeaseCap)
class LeaseCapAdmin(ReadOnlyAdmin, SimpleHistoryAdmin):
    empty_note = "What a lease of a kind may cost at most, from a day on."
    list_display = (
        "lease_type",
        vehicles,
        at_most,
        day_column("effective_from", "From", ordering="effective_from"),
        until,
        standing,
        "rule",
    )
    list_filter = ("lease_type",)
    search_fields = ("vehicle_type", "rule")
    search_help_text = "Vehicle type or rule"
    ordering = ("lease_type", "vehicle_type", "-effective_from")

    def get_queryset(self, request: HttpRequest) -> QuerySet[LeaseCap]:
        later = LeaseCap.objects.filter(
            lease_type=OuterRef("lease_type"),
            vehicle_type=OuterRef("vehicle_type"),
            effective_from__gt=OuterRef("effective_from"),
        )
        queryset: QuerySet[LeaseCap] = super().get_queryset(request)
        return queryset.annotate(
            followed_on=Subquery(later.order_by("effective_from").values("effective_from")[:1])
        )

    def detail(self, request: HttpRequest, record: Any) -> Detail:
        open_still = is_open(record)
        actions = []
        if open_still and request.user.has_perm("leases.change_leasecap"):
            actions.append(Action("Correct", reverse("admin:leases_leasecap_correct", args=[record.pk])))
        actions.append(Action("History", reverse("admin:leases_leasecap_history", args=[record.pk])))
        return Detail(
            title=_kind(record),
            subtitle=f"Rule {record.rule}",
            badges=[(str(standing(record)), TONES[standing(record)])],
            figures=[("A week at most", _amount(record))],
            facts=[
                ("Kind of lease", Cell(record.get_lease_type_display())),
                ("Vehicles", Cell(vehicles(record))),
                ("From", Cell(day(record.effective_from))),
                ("Until", Cell(until(record))),
                (
                    "Correction",
                    Cell(
                        "possible: no closed week was checked against it"
                        if open_still
                        else "none: closed weeks were checked against it. Add a cap from a later day on."
                    ),
                ),
            ],
            tables=[_overtaken(services.overtaken(record)), _series(record)],
            actions=actions,
        )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(CorrectCapView.as_view(model_admin=self))
        return [path("<int:object_id>/correct/", view, name="leases_leasecap_correct"), *super().get_urls()]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("leases.add_leasecap"))

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm("leases.view_leasecap") or request.user.has_perm(
            "leases.change_leasecap"
        )

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        return AddCapView.as_view(model_admin=self)(request)

    def revert_disabled(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return True


def _kind(cap: LeaseCap) -> str:
    return f"{cap.get_lease_type_display()}, {cap.vehicle_type or ALL_OTHERS}"


def _amount(cap: LeaseCap) -> Cell:
    return money_cell(cap.weekly_cap) if cap.weekly_cap is not None else Cell("no cap")


def _same_kind(cap: LeaseCap) -> QuerySet[LeaseCap]:
    return LeaseCap.objects.filter(lease_type=cap.lease_type, vehicle_type=cap.vehicle_type)


def _before(cap: LeaseCap) -> str:
    """What held until then: a cap of its own kind, or else the one for all vehicles."""
    of_type = LeaseCap.objects.filter(lease_type=cap.lease_type, effective_from__lt=cap.effective_from)
    for vehicle_type in dict.fromkeys([cap.vehicle_type, ""]):
        former = of_type.filter(vehicle_type=vehicle_type).order_by("-effective_from").first()
        if former is not None:
            told = f"{_amount(former).text} from {day(former.effective_from)} on"
            return told if vehicle_type == cap.vehicle_type else f"as for all others: {told}"
    return "no cap"


def _series(cap: LeaseCap) -> Table:
    return Table(
        "Caps of this kind",
        ["From", "#A week at most", "Rule"],
        [
            [Cell(day(row.effective_from), admin_url(row)), _amount(row), Cell(row.rule)]
            for row in _same_kind(cap).order_by("-effective_from")
        ],
    )


def _overtaken(found: list[services.Overtaken]) -> Table:
    return Table(
        "Fees above it",
        ["Lease", "Driver", "#A week", "Above from"],
        [
            [
                Cell(one.number, admin_url(Lease, one.lease_id)),
                Cell(one.driver),
                money_cell(one.weekly_fee),
                Cell(day(one.day)),
            ]
            for one in found
        ],
        empty="None. New fees, and late returns with them, are held to it.",
        note=(f"The first {MOST_TOLD}. " if len(found) == MOST_TOLD else "")
        + "They stand until somebody changes them; what is charged is not changed by a cap."
        if found
        else "",
    )
